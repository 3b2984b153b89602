package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
)

func TestAFixedLoginIsSent(t *testing.T) {
	tests := map[string]struct {
		login Login
		want  string
	}{
		"bearer": {Login{BearerToken: "t0k3n"}, "Bearer t0k3n"},
		"basic":  {Login{Username: "me", Password: "pass:word"}, "Basic bWU6cGFzczp3b3Jk"},
		"none":   {Login{}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Header.Get("Authorization"))
			}))
			defer server.Close()
			reply := post(t, newClient(t, Config{AllowedCIDRs: here(), Login: tt.login}), server.URL)
			if string(reply.Body) != tt.want {
				t.Errorf("Authorization %q, want %q", reply.Body, tt.want)
			}
			if shown := reply.Sent.Header.Get("Authorization"); tt.want != "" && shown != "(hidden)" {
				t.Errorf("the attempt's log has Authorization %q, want it hidden", shown)
			}
		})
	}
}

// issuer gives tokens t1, t2 … at /token, and takes only the newest at /hook.
type issuer struct {
	*httptest.Server
	given   atomic.Int32 // tokens
	hooks   atomic.Int32 // requests to the hook
	revoked atomic.Bool  // the hook refuses the newest too, until another is given

	mu   sync.Mutex
	form string // of the last request for a token
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", i.token)
	mux.HandleFunc("/hook", i.hook)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	_ = r.ParseForm() // a form that can't be read lacks what is asked for below
	i.mu.Lock()
	i.form = id + " " + secret + " " + r.PostForm.Encode()
	i.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": fmt.Sprint("t", i.given.Add(1)), "token_type": "bearer", "expires_in": 3600,
	})
	i.revoked.Store(false)
}

func (i *issuer) hook(w http.ResponseWriter, r *http.Request) {
	i.hooks.Add(1)
	body, _ := io.ReadAll(r.Body)
	if i.revoked.Load() || r.Header.Get("Authorization") != fmt.Sprint("Bearer t", i.given.Load()) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write(body)
}

func (i *issuer) login() Login {
	return Login{
		OAuth2TokenURL: i.URL + "/token", OAuth2ClientID: "me", OAuth2ClientSecret: "s3cr3t",
		OAuth2Scopes: []string{"alerts", "write"}, OAuth2Parameters: map[string]string{"audience": "ops"},
	}
}

func TestAnAccessTokenIsKept(t *testing.T) {
	i := newIssuer(t)
	c := newClient(t, Config{AllowedCIDRs: here(), Login: i.login()})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if reply := post(t, c, i.URL+"/hook"); reply.Status != 200 || string(reply.Body) != `{"a":"b"}` {
				t.Errorf("answer %d %q, %v; want 200 and what was sent", reply.Status, reply.Body, reply.Err)
			}
		})
	}
	all.Wait()
	if n := i.given.Load(); n != 1 {
		t.Errorf("%d tokens for eight requests at a time, want 1", n)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if want := "me s3cr3t audience=ops&grant_type=client_credentials&scope=alerts+write"; i.form != want {
		t.Errorf("the token was asked for by %q, want %q", i.form, want)
	}
}

func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	i := newIssuer(t)
	c := newClient(t, Config{AllowedCIDRs: here(), Login: i.login()})
	post(t, c, i.URL+"/hook")
	i.revoked.Store(true)
	if reply := post(t, c, i.URL+"/hook"); reply.Status != 200 || string(reply.Body) != `{"a":"b"}` {
		t.Errorf("answer %d %q, %v; want 200 by a new token", reply.Status, reply.Body, reply.Err)
	}
	if given, hooks := i.given.Load(), i.hooks.Load(); given != 2 || hooks != 3 {
		t.Errorf("%d tokens and %d requests, want 2 and 3", given, hooks)
	}
}

func TestANewTokenThatIsRefusedIsNotTriedAgain(t *testing.T) {
	i := newIssuer(t)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.hooks.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer refusing.Close()
	c := newClient(t, Config{AllowedCIDRs: here(), Login: i.login()})
	for n, want := range []int32{1, 3} { // the first token is new, the second message has an old one
		if reply := post(t, c, refusing.URL); reply.Status != 401 || i.hooks.Load() != want {
			t.Errorf("message %d: answer %d after %d requests in all, want 401 after %d", n+1, reply.Status, i.hooks.Load(), want)
		}
	}
}

func TestATokenThatCannotBeGotIsTheDestinationsFault(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error": "invalid_client", "error_description": "s3cr3t is wrong"}`)
		},
		"redirected": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "s3cr3t") },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token": "`)
			for range 1 << 20 {
				if _, err := io.WriteString(w, strings.Repeat("a", 1<<10)); err != nil {
					return
				}
			}
		},
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-held:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var hooks atomic.Int32
			mux := http.NewServeMux()
			mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w, r)
			})
			mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { hooks.Add(1) })
			server := httptest.NewServer(mux)
			defer server.Close()
			c := newClient(t, Config{AllowedCIDRs: here(), Login: Login{
				OAuth2TokenURL: server.URL + "/token", OAuth2ClientID: "me", OAuth2ClientSecret: "s3cr3t",
			}})
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			reply := c.Post(ctx, server.URL+"/hook", nil, "x")
			class, _ := reply.Classify(time.Now())
			if class != core.DestinationFault || reply.Err == nil || hooks.Load() != 0 {
				t.Errorf("answer %+v of class %q after %d requests, want the destination's fault and none", reply.Answer, class, hooks.Load())
			}
			if reply.Err != nil && strings.Contains(reply.Err.Error(), "s3cr3t") {
				t.Errorf("error %q repeats what may be secret", reply.Err)
			}
		})
	}
}

func TestATokenIsGotUnderTheGuard(t *testing.T) {
	i := newIssuer(t)
	c := newClient(t, Config{Login: i.login()})
	if reply := post(t, c, "https://hooks.test/x"); reply.Err == nil || i.given.Load() != 0 {
		t.Errorf("answer %+v and %d tokens, want a private address refused", reply.Answer, i.given.Load())
	}
}
