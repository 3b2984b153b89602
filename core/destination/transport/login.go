package transport

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Login are the settings of how a sender proves who it is, for embedding in a
// type's own. Only one way may be used.
type Login struct {
	BearerToken        string            `json:"bearer_token" secret:"true" doc:"A token that is sent as Authorization: Bearer."`
	Username           string            `json:"username" doc:"Who logs in by HTTP basic authentication."`
	Password           string            `json:"password" secret:"true" doc:"The password of username."`
	OAuth2TokenURL     string            `json:"oauth2_token_url" doc:"Where access tokens are got by OAuth 2 client credentials."`
	OAuth2ClientID     string            `json:"oauth2_client_id" doc:"Who asks for a token."`
	OAuth2ClientSecret string            `json:"oauth2_client_secret" secret:"true" doc:"The secret of oauth2_client_id."`
	OAuth2Scopes       []string          `json:"oauth2_scopes" doc:"What the token shall be good for."`
	OAuth2Parameters   map[string]string `json:"oauth2_parameters" doc:"Further parameters of the request for a token, such as audience."`
}

// Credentials returns the settings themselves, whatever they are embedded in.
func (l Login) Credentials() Login { return l }

// Any reports whether the settings say something.
func (l Login) Any() bool {
	return l.BearerToken != "" || l.Username != "" || l.Password != "" || l.oauth2()
}

func (l Login) oauth2() bool {
	return l.OAuth2TokenURL != "" || l.OAuth2ClientID != "" || l.OAuth2ClientSecret != "" ||
		len(l.OAuth2Scopes) > 0 || len(l.OAuth2Parameters) > 0
}

// check reports what keeps the settings from working. It repeats no secret.
func (l Login) check() error {
	basic := l.Username != "" || l.Password != ""
	switch {
	case l.BearerToken != "" && (basic || l.oauth2()):
		return errors.New("bearer_token can't be used with another way to log in")
	case basic && l.oauth2():
		return errors.New("username can't be used with another way to log in")
	case !httpguts.ValidHeaderFieldValue(l.BearerToken):
		return errors.New("bearer_token has characters that a header can't carry")
	case l.Username == "" && l.Password != "":
		return errors.New("password needs username")
	case strings.Contains(l.Username, ":"):
		return errors.New("username must not contain a colon")
	case l.oauth2():
		return l.checkOAuth2()
	}
	return nil
}

func (l Login) checkOAuth2() error {
	u, err := url.Parse(l.OAuth2TokenURL)
	switch {
	case l.OAuth2TokenURL == "":
		return errors.New("oauth2_token_url is missing")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil:
		return errors.New("oauth2_token_url must be an absolute http or https URL without a user")
	case l.OAuth2ClientID == "":
		return errors.New("oauth2_client_id is missing")
	case l.OAuth2ClientSecret == "":
		return errors.New("oauth2_client_secret is missing")
	}
	return nil
}

// fixed returns the Authorization header of those ways that always send the
// same, empty if it is none of them.
func (l Login) fixed() string {
	switch {
	case l.BearerToken != "":
		return "Bearer " + l.BearerToken
	case l.Username != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.Username+":"+l.Password))
	}
	return ""
}

// tokens gets access tokens and keeps the last one while it is good.
type tokens struct {
	config clientcredentials.Config
	client *http.Client
	turn   chan struct{} // holds one while token is used: only one asks at a time
	token  *oauth2.Token // guarded by turn
}

// maxToken bounds the answer to a request for a token.
const maxToken = 64 << 10

// newTokens returns nil if the settings want no tokens. They are asked for over
// the destination's own transport: the same addresses are refused, and the same
// limits hold.
func newTokens(l Login, transport http.RoundTripper) *tokens {
	if !l.oauth2() {
		return nil
	}
	parameters := url.Values{}
	for name, value := range l.OAuth2Parameters {
		parameters.Set(name, value)
	}
	return &tokens{
		config: clientcredentials.Config{
			ClientID: l.OAuth2ClientID, ClientSecret: l.OAuth2ClientSecret, TokenURL: l.OAuth2TokenURL,
			Scopes: l.OAuth2Scopes, EndpointParams: parameters,
		},
		client: &http.Client{Transport: capped{transport}, CheckRedirect: stay},
		turn:   make(chan struct{}, 1),
	}
}

// get returns a token, and whether it was there already. One that was refused
// isn't returned again. It takes no longer than ctx allows.
func (t *tokens) get(ctx context.Context, refused *oauth2.Token) (token *oauth2.Token, kept bool, err error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("wait for an access token: %w", ctx.Err())
	}
	if t.token.Valid() && t.token != refused {
		return t.token, true, nil
	}
	token, err = t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return nil, false, tokenError(err)
	}
	t.token = token
	return token, false, nil
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// tokenError says why there is no token, without what the server said in words
// of its own, which may repeat a secret.
func tokenError(err error) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return fmt.Errorf("get an access token: %w", withoutURL(err))
	}
	said := "no status"
	if e.Response != nil {
		said = fmt.Sprint(e.Response.StatusCode, " ", http.StatusText(e.Response.StatusCode))
	}
	if errorCode.MatchString(e.ErrorCode) {
		said += ": " + e.ErrorCode
	}
	return fmt.Errorf("get an access token: %s", said)
}

// capped ends bodies of answers at maxToken.
type capped struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxToken), response.Body}
	return response, nil
}
