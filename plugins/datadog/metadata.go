package main

import (
	"strings"
)

// known are the members that an event has elsewhere, so that they needn't be
// repeated in its metadata.
var known = map[string]bool{
	"alerttitle": true, "monitorname": true, "eventtitle": true, "title": true, "subject": true, "summary": true,
	"textonlymsg": true, "alertmessage": true, "eventmsg": true, "body": true, "message": true, "description": true, "text": true,
	"link": true, "url": true, "eventurl": true, "alerturl": true, "snapshot": true,
	"severity": true, "service": true, "affectedservices": true, "customerimpact": true,
	"incidenttitle": true, "incidentmsg": true, "incidenturl": true,
}

// secretWords mark members that people use to prove who sent the body. They
// never leave the adapter.
var secretWords = []string{"secret", "token", "password", "passwd", "apikey", "appkey", "authorization", "credential", "signature", "routingkey"}

// metadata keeps every other member as the template named it: what a team
// put into its template, it wanted to see.
func (m members) metadata() map[string]any {
	meta := map[string]any{}
	for name, value := range m.raw {
		plain := plainName(name)
		if known[plain] || isMissing(value) || isSecret(plain) {
			continue
		}
		if text, ok := value.(string); ok && placeholder.MatchString(text) {
			continue
		}
		meta[name] = withoutSecrets(value)
	}
	return meta
}

func isSecret(plain string) bool {
	for _, word := range secretWords {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return false
}

// withoutSecrets drops the members of inner objects that isSecret names.
func withoutSecrets(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for name, inner := range v {
			if !isSecret(plainName(name)) {
				kept[name] = withoutSecrets(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i, inner := range v {
			kept[i] = withoutSecrets(inner)
		}
		return kept
	}
	return value
}

// monitor adds what isn't a member of its own: the title as Datadog wrote it,
// and what was found in titles and links.
func (mon *monitor) metadata() map[string]any {
	meta := mon.members.metadata()
	if mon.wholeTitle != mon.title {
		put(meta, "original_title", mon.wholeTitle)
	}
	if !mon.has("alertid", "monitorid", "alertmonitorid") {
		put(meta, "monitor_id", mon.id)
	}
	if !mon.has("alerttransition", "transition") {
		put(meta, "transition", string(mon.transition))
	}
	if len(mon.scope) > 0 {
		meta["monitor_scope"] = mon.scope
	}
	return meta
}

func put(meta map[string]any, name, value string) {
	if value != "" {
		meta[name] = value
	}
}
