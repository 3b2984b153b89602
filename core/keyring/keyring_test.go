package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

const (
	aliceKey = "alices-own-key-0123456789"
	bobKey   = "bobs-own-key-9876543210-ab"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func key(id, value string) core.RoutingKey {
	return core.RoutingKey{ID: id, Value: core.NewSecret(value)}
}

func TestFindNamesTheIntegrationOfAKey(t *testing.T) {
	expiring := key("old", bobKey)
	expiring.Expires = noon
	hashed := core.RoutingKey{ID: "hashed", SHA256: sha256.Sum256([]byte("only-the-hash-is-configured"))}
	made, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	alice := &core.Integration{Type: "custom", Name: "alice", Keys: []core.RoutingKey{key("main", aliceKey), hashed, key("made", made)}}
	bob := &core.Integration{Type: "datadog", Name: "bob", Keys: []core.RoutingKey{expiring}}
	table, err := New(Config{Integrations: []*core.Integration{alice, bob}, Pepper: []byte("pepper")})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key    string
		now    time.Time
		want   *core.Integration
		wantID string
	}{
		"own key":                    {key: aliceKey, now: noon, want: alice, wantID: "main"},
		"key configured by its hash": {key: "only-the-hash-is-configured", now: noon, want: alice, wantID: "hashed"},
		"key that we made":           {key: made, now: noon, want: alice, wantID: "made"},
		"key before its end":         {key: bobKey, now: noon.Add(-time.Second), want: bob, wantID: "old"},
		"key at its end":             {key: bobKey, now: noon},
		"unknown key":                {key: "nobody-has-this-routing-key", now: noon},
		"other letter case":          {key: strings.ToUpper(aliceKey), now: noon},
		"beginning of a key":         {key: aliceKey[:len(aliceKey)-1], now: noon},
		"empty key":                  {key: "", now: noon},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := table.Find(tt.key, tt.now)
			if tt.want == nil {
				if e, ok := errors.AsType[*core.Error](err); !ok || *e != *NotFound().(*core.Error) { //nolint:errorlint // compared whole
					t.Fatalf("Find = %v, %v; want the one refusal", got, err)
				}
				return
			}
			if err != nil || got.Integration != tt.want || got.KeyID != tt.wantID {
				t.Errorf("Find = %+v, %v; want %s, key %s", got, err, tt.want.ID(), tt.wantID)
			}
		})
	}
}

func TestNewRefusesKeysThatCannotWork(t *testing.T) {
	made, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mistyped := "bck_" + flip(made[4:5]) + made[5:]
	tests := map[string][]core.RoutingKey{
		"too short":            {key("a", "short")},
		"mistyped":             {key("a", mistyped)},
		"ours, too long":       {key("a", made+"x")},
		"a slash inside":       {key("a", "this/is/no/good/as/a/routing/key")},
		"nothing set":          {{ID: "a"}},
		"twice":                {key("a", aliceKey), key("b", aliceKey)},
		"twice, once by hash":  {key("a", aliceKey), {ID: "b", SHA256: sha256.Sum256([]byte(aliceKey))}},
		"one good, one no use": {key("a", aliceKey), key("b", "")},
	}
	for name, keys := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Integrations: []*core.Integration{{Type: "custom", Name: "x", Keys: keys}}})
			if err == nil {
				t.Fatal("New took the keys")
			}
			for _, k := range keys {
				if value := k.Value.Reveal(); value != "" && strings.Contains(err.Error(), value) {
					t.Errorf("the error shows a key: %v", err)
				}
			}
		})
	}
}

func flip(s string) string {
	if s == "a" {
		return "b"
	}
	return "a"
}

func TestNewKeyIsWellFormedAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		k, err := NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(k); err != nil || len(k) != 42 || !strings.HasPrefix(k, "bck_") || seen[k] {
			t.Fatalf("NewKey = %q, check %v", k, err)
		}
		seen[k] = true
	}
}

func TestNewKeyHasAPublishedForm(t *testing.T) {
	got, err := NewKey(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	// The CRC-32 of 32 characters '0' is 0xa0f292d0; in base62 that is 2wjyrI.
	want := "bck_" + strings.Repeat("0", 32) + "2wjyrI"
	if got != want {
		t.Errorf("NewKey of zeros = %q, want %q", got, want)
	}
	if _, err := NewKey(bytes.NewReader(nil)); err == nil {
		t.Error("NewKey made a key without randomness")
	}
}

func TestAllowed(t *testing.T) {
	cidrs := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("::ffff:198.51.100.0/120"),
	}
	tests := map[string]struct {
		addr string
		want bool
	}{
		"inside":                     {"192.0.2.9", true},
		"outside":                    {"192.0.3.9", false},
		"IPv4 in IPv6 clothes":       {"::ffff:192.0.2.9", true},
		"IPv6":                       {"2001:db8::1", true},
		"IPv6 with a zone":           {"2001:db8::1%eth0", true},
		"IPv6 outside":               {"2001:db9::1", false},
		"prefix in IPv6 clothes":     {"198.51.100.7", true},
		"not in the clothed prefix":  {"198.51.101.7", false},
		"loopback is nothing better": {"127.0.0.1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &core.Integration{AllowedCIDRs: cidrs}
			if got := Allowed(in, netip.MustParseAddr(tt.addr)); got != tt.want {
				t.Errorf("Allowed(%s) = %v, want %v", tt.addr, got, tt.want)
			}
		})
	}
	if Allowed(&core.Integration{AllowedCIDRs: cidrs}, netip.Addr{}) {
		t.Error("an unknown address passed an allow-list")
	}
	if !Allowed(&core.Integration{}, netip.Addr{}) {
		t.Error("without an allow-list everybody may come")
	}
}

func TestEntrancesAreWhatTheAdaptersDeclare(t *testing.T) {
	enqueue := sdk.Entrance{Path: "/v2/enqueue", Method: "POST", KeyFrom: "body:routing_key"}
	in := &core.Integration{Type: "pd", Name: "x", Info: sdk.Info{Entrances: []sdk.Entrance{enqueue}}}
	table, err := New(Config{Integrations: []*core.Integration{in}})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := table.Entrance("POST", "/v2/enqueue"); !ok || got.KeyFrom != enqueue.KeyFrom {
		t.Errorf("Entrance = %+v, %v; want %+v", got, ok, enqueue)
	}
	if _, ok := table.Entrance("GET", "/v2/enqueue"); ok {
		t.Error("an entrance answers to a method that it doesn't declare")
	}
	if Declares(&core.Integration{}, enqueue) || !Declares(in, enqueue) {
		t.Error("an entrance is for the integrations that declare it, and for no other")
	}
}

func TestPathWithoutNamesGoesBeforeOneWithNames(t *testing.T) {
	one := sdk.Entrance{Path: "/v2/alerts/{id}", Method: "GET", KeyFrom: "header:Authorization"}
	count := sdk.Entrance{Path: "/v2/alerts/count", Method: "GET"}
	in := &core.Integration{Type: "og", Name: "x", Info: sdk.Info{Entrances: []sdk.Entrance{one, count}}}
	table, err := New(Config{Integrations: []*core.Integration{in}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/v2/alerts/count": count.Path, "/v2/alerts/1": one.Path} {
		if got, ok := table.Entrance("GET", path); !ok || got.Path != want {
			t.Errorf("Entrance(%s) = %q, %v; want %q", path, got.Path, ok, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("bck_00000000000000000000000000000000abcdef")
	f.Add(aliceKey)
	f.Add("bck_")
	f.Fuzz(func(t *testing.T, k string) {
		if Check(k) != nil {
			return
		}
		in := &core.Integration{Type: "custom", Name: "x", Keys: []core.RoutingKey{key("a", k)}}
		table, err := New(Config{Integrations: []*core.Integration{in}})
		if err != nil {
			t.Fatalf("Check took %q, New didn't: %v", k, err)
		}
		if _, err := table.Find(k, noon); err != nil {
			t.Errorf("Find(%q) = %v", k, err)
		}
	})
}
