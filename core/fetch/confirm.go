package fetch

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"bellcrank.example/core"
)

// Confirm fetches the URL that completes a subscription, if it is an https URL
// of one of the hosts, as sdk.Info.ConfirmHosts has them. A failure that no
// retry cures is a *core.Error with code ConfirmationFailed.
func (c *Client) Confirm(ctx context.Context, hosts []string, target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !matchesAny(hosts, u.Host) {
		return refused("its URL isn't of a host that the adapter declares")
	}
	a, err := c.get(ctx, u.String())
	switch {
	case err != nil:
		return fmt.Errorf("fetch the confirmation's URL: %w", err)
	case a.status >= 200 && a.status < 300:
		return nil
	case final(a.status):
		return refused(fmt.Sprintf("its host answered %d %s", a.status, http.StatusText(a.status)))
	}
	return fmt.Errorf("the confirmation's host answered %d %s", a.status, http.StatusText(a.status))
}

func refused(why string) error {
	return &core.Error{Code: core.ConfirmationFailed, Message: "The subscription can't be confirmed: " + why}
}

func matchesAny(patterns []string, host string) bool {
	for _, p := range patterns {
		if matches(strings.Split(p, "."), strings.Split(host, ".")) {
			return true
		}
	}
	return false
}

// matches compares label by label; a star stands for one label. A host with a
// port matches nothing.
func matches(pattern, host []string) bool {
	if len(pattern) != len(host) {
		return false
	}
	for i, label := range pattern {
		if host[i] == "" || label != "*" && !strings.EqualFold(label, host[i]) || strings.Contains(host[i], ":") {
			return false
		}
	}
	return true
}
