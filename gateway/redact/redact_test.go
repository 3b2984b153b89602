package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func redactor() *Redactor {
	return New(Config{Key: []byte("a key"), Words: []string{"Globex"}, Keep: []string{"vendor.io"}})
}

func body(t *testing.T, r *Redactor, in string) string {
	t.Helper()
	out := r.Request(Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(in)})
	if !json.Valid(out.Body) {
		t.Fatalf("no JSON: %s", out.Body)
	}
	return string(out.Body)
}

// TestRules has, for each rule, what must be gone, and what must be left.
func TestRules(t *testing.T) {
	tests := map[string]struct{ in, gone, rule string }{
		"password":             {`{"password": "hunter2"}`, "hunter2", "secret by its name"},
		"a name's end":         {`{"db_Admin-Password": "hunter2"}`, "hunter2", "secret by its name"},
		"a list of tokens":     {`{"tokens": ["one-two"]}`, "one-two", "secret by its name"},
		"routing key":          {`{"routing_key": "R0UT"}`, "R0UT", "secret by its name"},
		"user's name":          {`{"user": {"name": "Ann Lee", "id": 7}}`, "Ann", "person by its name"},
		"assignee":             {`{"assignee": "ann.lee"}`, "ann.lee", "person by its name"},
		"email in a text":      {`{"t": "call <ann@corp.tld> now"}`, "ann@corp.tld", "email"},
		"telephone":            {`{"t": "call +49 (30) 1234-5678 now"}`, "1234", "telephone"},
		"telephone's name":     {`{"phone_number": "030 1234"}`, "1234", "telephone by its name"},
		"host's name":          {`{"hostname": "db-17"}`, "db-17", "host by its name"},
		"host with a port":     {`{"labels": {"instance": "db-17.corp.internal:9100"}}`, "db-17", "host by its name"},
		"host in a text":       {`{"t": "no route to db-17.corp.internal, retry"}`, "db-17", "host"},
		"host in a URL":        {`{"url": "https://grafana.acme.io:3000/d/abc?x=1"}`, "acme", "host in a URL"},
		"IPv4":                 {`{"t": "refused by 10.1.2.3:443"}`, "10.1.2.3", "address"},
		"IPv6":                 {`{"t": "refused by fd00:1:2::9f"}`, "fd00", "address"},
		"an instance by IP":    {`{"instance": "10.1.2.3:9100"}`, "10.1.2.3", "address"},
		"bearer":               {`{"t": "sent Authorization: Bearer abcdefgh123"}`, "abcdefgh123", "bearer token"},
		"query of a URL":       {`{"t": "GET /x?a=1&access_token=abc&b=2"}`, "=abc", "secret in a query"},
		"user of a URL":        {`{"t": "postgres://app:pw@db/x"}`, "app:pw", "user in a URL"},
		"cloud account":        {`{"arn": "arn:aws:sns:eu-west-1:123456789012:alerts"}`, "123456789012", "cloud account"},
		"AWS key":              {`{"t": "with AKIAABCDEFGHIJKLMNOP done"}`, "AKIA", "token of a known form"},
		"our own key":          {`{"t": "POST /webhooks/bck_0123456789abcdefghijklmnopqrstuv012345"}`, "bck_", "token of a known form"},
		"JSON web token":       {`{"t": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-na_ture"}`, "eyJ", "JSON web token"},
		"private key":          {`{"t": "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb"}`, "MIIE", "private key"},
		"a random key":         {`{"t": "key a8Xk29fLq0Zp3Wm7Rt5Vb1Nc6Hd4Js2Y"}`, "a8Xk", "looks like a key"},
		"hook URL":             {`{"t": "https://hooks.slack.com/services/T0/B0/x"}`, "services", "hook URL"},
		"a word that we named": {`{"t": "the GLOBEX shop"}`, "GLOBEX", "word that you named"},
		"JSON in a text":       {`{"Message": "{\"user\": \"ann\", \"n\": 1}"}`, "ann", "person by its name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := redactor()
			out := body(t, r, tt.in)
			if strings.Contains(out, tt.gone) {
				t.Errorf("%s\nstill has %q", out, tt.gone)
			}
			if list := r.Replacements(); len(list) != 1 || list[0].Rule != tt.rule {
				t.Errorf("replaced %+v, want one by the rule %q", list, tt.rule)
			}
		})
	}
}

// TestWhatAnAdapterReadsIsLeft has bodies on which no rule may fall.
func TestWhatAnAdapterReadsIsLeft(t *testing.T) {
	for name, in := range map[string]string{
		"state and severity":    `{"status":"firing","severity":"critical","priority":"P1"}`,
		"ids":                   `{"fingerprint":"0123456789abcdef0123456789abcdef01234567","id":"9f1c2d3e-4b5a-6789-8abc-def012345678","dedup_key":"disk:1"}`,
		"numbers as written":    `{"a":1.50,"b":12345678901234567890,"c":-1e400,"d":null,"e":true}`,
		"doubled members":       `{"a":1,"b":2,"a":3}`,
		"order of members":      `{"z":1,"a":2,"m":[{"y":1,"b":2}]}`,
		"versions":              `{"version":"4","app":"shop 1.2.3"}`,
		"examples":              `{"url":"https://a.example/x","to":"ann@example.com","ip":"192.0.2.7","loop":"127.0.0.1"}`,
		"the vendor's hosts":    `{"url":"https://app.vendor.io/alerts/1"}`,
		"names of alerts":       `{"alertname":"KubeDeploymentReplicasMismatchForLongerThan15Minutes","metric":"http_request_duration_seconds_p99_over5m"}`,
		"nobody":                `{"user":"system","host":"localhost"}`,
		"signs and white space": `{"t":"a < b & c > \"d\" \\ \n é 😀"}`,
		"a list":                `["a",["b"],{}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := redactor()
			var want bytes.Buffer
			if err := json.Compact(&want, []byte(in)); err != nil {
				t.Fatal(err)
			}
			if out := body(t, r, in); out != want.String() {
				t.Errorf("got  %s\nwant %s", out, want.String())
			}
		})
	}
}

// TestEqualValuesStayEqual holds for one request, for its names in texts, and
// for the request that tells the end of what another has told.
func TestEqualValuesStayEqual(t *testing.T) {
	first := body(t, redactor(), `{"t":"disk of db-17 is full, ask Ann Lee","host":"db-17","owner":"Ann Lee","other":"db-18 is fine"}`)
	var b struct{ T, Host, Owner, Other string }
	if err := json.Unmarshal([]byte(first), &b); err != nil {
		t.Fatal(err)
	}
	if want := "disk of " + b.Host + " is full, ask " + b.Owner; b.T != want || b.Host == "db-17" {
		t.Errorf("text is %q, want %q", b.T, want)
	}
	if b.Other != "db-18 is fine" {
		t.Errorf("another host became %q", b.Other)
	}
	if second := body(t, redactor(), `{"state":"ok","host":"DB-17"}`); !strings.Contains(second, b.Host) {
		t.Errorf("the end's host is %s, want %s", second, b.Host)
	}
	other := New(Config{Key: []byte("another key")})
	if out := body(t, other, `{"host":"db-17"}`); strings.Contains(out, b.Host) {
		t.Errorf("another key gives the same %s", out)
	}
}

func TestDifferentValuesStayDifferent(t *testing.T) {
	r := redactor()
	for _, k := range []kind{secret, person, email, phone, host, address, account, word} {
		seen := map[string]bool{}
		for i := range 300 {
			seen[r.replace(k, "a rule", "x", fmt.Sprint("value ", i))] = true
		}
		if len(seen) != 300 {
			t.Errorf("300 values of the kind %s became %d", k, len(seen))
		}
	}
}

func TestARequestIsMoreThanItsBody(t *testing.T) {
	r := redactor()
	out := r.Request(Request{
		Path: "team/ann@corp.tld", Query: "token=abc&x=1",
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer x"}, "X-Hub-Signature-256": {"sha256=1"},
			"X-Forwarded-For": {"10.1.2.3"}, "X-Api-Token": {"t"}, "X-Event": {"alert"}, "User-Agent": {"Acme/1.0 (ann@corp.tld)"},
		},
		Body: []byte(`payload=%7B%22user%22%3A%22ann%22%2C%22n%22%3A1%7D&password=hunter2`),
	})
	all := out.Path + out.Query + string(out.Body) + strings.Join(slices.Concat(out.Header["User-Agent"], out.Header["X-Event"]), "")
	for _, gone := range []string{"ann@", "abc", "hunter2", `"ann"`, "%22ann%22"} {
		if strings.Contains(all, gone) {
			t.Errorf("%q is still in %s", gone, all)
		}
	}
	if !strings.Contains(out.Query, "x=1") || out.Header.Get("X-Event") != "alert" || !strings.Contains(string(out.Body), "%22n%22%3A1") {
		t.Errorf("too much is gone: %+v", out)
	}
	for _, name := range []string{"Authorization", "X-Hub-Signature-256", "X-Forwarded-For", "X-Api-Token"} {
		if out.Header.Get(name) != "" {
			t.Errorf("the header %s is there", name)
		}
	}
}

func TestTextsAreLeftForAPersonToRead(t *testing.T) {
	r := redactor()
	body(t, r, `{"status":"firing","t":"Ask Bob about it","host":"db-17"}`)
	if kept := r.Kept(); len(kept) != 1 || kept[0] != "body.t: Ask Bob about it" {
		t.Errorf("kept %q, want the text about Bob", kept)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("application/json", []byte(`{"user":"ann","t":"https://a:b@c.corp/?token=x","l":[1,{"host":"h:1"}]}`))
	f.Add("application/x-www-form-urlencoded", []byte("a=b&password=c"))
	f.Add("text/plain", []byte("10.0.0.1 ann@corp.tld"))
	f.Fuzz(func(t *testing.T, kind string, in []byte) {
		out := redactor().Request(Request{Header: http.Header{"Content-Type": {kind}}, Body: bytes.Clone(in)})
		if json.Valid(in) && !json.Valid(out.Body) {
			t.Errorf("%q became %q, which is no JSON", in, out.Body)
		}
	})
}
