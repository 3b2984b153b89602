package webhook

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"bellcrank.example/core"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

const incidentJSON = `{"id":"INC-042","title":"API latency spike","severity":"High","status":"investigating","url":"https://alerts.example/incidents/INC-042"}`

var requestID = regexp.MustCompile(`req_[0-9a-z]{16}`)

// TestAnswers holds the published envelopes, letter by letter.
func TestAnswers(t *testing.T) {
	f := open(t, nil)
	unavailable := func(*core.Request) (core.Receipt, error) {
		return core.Receipt{}, &core.Error{Code: core.StoreUnavailable, Message: "The store is not available"}
	}
	state := func(s core.RequestState, change func(*core.Receipt)) func(*core.Request) (core.Receipt, error) {
		return func(*core.Request) (core.Receipt, error) {
			r := core.Receipt{Request: 4242 << 22, State: s}
			if change != nil {
				change(&r)
			}
			return r, nil
		}
	}
	fail := func(code, message string) string {
		return fmt.Sprintf(`{"success":false,"error":{"code":%q,"message":%q,"request_id":"ID"}}`, code, message)
	}
	receipt := `"receipt":{"id":"` + core.ID(4242<<22).String() + `"}`
	notFound := fail("ROUTE_NOT_FOUND", "Webhook routing key is invalid or expired")
	two := []core.IncidentSummary{
		{Number: 42, Title: "API latency spike", Severity: sdk.High, Status: core.Investigating},
		{Number: 1043, Title: "b", Severity: sdk.Low, Status: core.Resolved},
	}
	tests := map[string]struct {
		method string // POST if empty
		key    string
		header []string
		body   string // {"title":"x"} if empty
		answer func(*core.Request) (core.Receipt, error)
		status int
		want   string
		retry  bool
	}{
		"incident": {key: customKey, status: 200, want: `{"success":true,"incident":` + incidentJSON + `,` + receipt + `}`},
		"several incidents": {key: machineKey, status: 200,
			answer: state(core.RequestDone, func(r *core.Receipt) { r.Incidents, r.Total = two, 7 }),
			want: `{"success":true,"incident":` + incidentJSON + `,"incidents":[` + incidentJSON +
				`,{"id":"INC-1043","title":"b","severity":"Low","status":"resolved","url":"https://alerts.example/incidents/INC-1043"}],"incidents_total":7,` + receipt + `}`},
		"duplicate with a warning": {key: machineKey, status: 200,
			answer: state(core.RequestDone, func(r *core.Receipt) {
				r.Incidents, r.Total, r.Duplicate, r.Warnings = two[:1], 1, true, []string{"w"}
			}),
			want: `{"success":true,"incident":` + incidentJSON + `,` + receipt + `,"warnings":["w"],"duplicate":true}`},
		"not adapted yet": {key: machineKey, answer: state(core.RequestOpen, nil), status: 202, want: `{"success":true,"status":"queued",` + receipt + `}`},
		"paused":          {key: pausedKey, status: 202, want: `{"success":true,"status":"held",` + receipt + `}`},
		"unreadable":      {key: machineKey, answer: state(core.RequestQuarantined, nil), status: 202, want: `{"success":true,"status":"quarantined",` + receipt + `}`},
		"nothing to do": {key: machineKey, answer: state(core.RequestIgnored, func(r *core.Receipt) { r.Reason = "a ping" }),
			status: 200, want: `{"success":true,"status":"ignored","reason":"a ping",` + receipt + `}`},
		"handshake": {key: machineKey, answer: state(core.RequestIgnored, func(r *core.Receipt) { r.Reply = &core.Reply{Status: 200, Body: []byte("challenge")} }),
			status: 200, want: `challenge`},
		"handshake never redirects": {key: machineKey, answer: state(core.RequestIgnored, func(r *core.Receipt) { r.Reply = &core.Reply{Status: 302} }), status: 200},
		"malformed JSON of a person": {key: customKey,
			answer: state(core.RequestRejected, func(r *core.Receipt) { r.Code, r.Reason = core.InvalidJSON, "The body isn't JSON" }),
			status: 400, want: fail("INVALID_JSON", "The body isn't JSON")},
		"no title": {key: customKey,
			answer: state(core.RequestRejected, func(r *core.Receipt) {
				r.Code, r.Reason, r.Field = core.ValidationFailed, "title is required", "title"
			}),
			status: 422, want: `{"success":false,"error":{"code":"VALIDATION_FAILED","message":"title is required","field":"title","request_id":"ID"}}`},
		"unknown key":  {key: "nobody-has-this-routing-key", status: 404, want: notFound},
		"expired key":  {key: expiredKey, status: 404, want: notFound},
		"short key":    {key: "x", status: 404, want: notFound},
		"disabled":     {key: closedKey, status: 403, want: fail("INTEGRATION_DISABLED", "This integration is disabled")},
		"address":      {key: walledKey, status: 403, want: fail("IP_NOT_ALLOWED", "Requests from 127.0.0.1 aren't allowed for this integration")},
		"no signature": {key: signedKey, status: 401, want: fail("SIGNATURE_INVALID", "The signature is missing")},
		"encoding":     {key: machineKey, header: []string{"Content-Encoding", "br"}, status: 415, want: fail("UNSUPPORTED_ENCODING", "The body must be sent plain or with one of gzip, deflate and zstd.")},
		"two layers":   {key: machineKey, header: []string{"Content-Encoding", "gzip, gzip"}, status: 415, want: fail("UNSUPPORTED_ENCODING", "The body must be sent plain or with one of gzip, deflate and zstd.")},
		"too large":    {key: machineKey, body: strings.Repeat(" ", 64<<10+1), status: 413, want: fail("PAYLOAD_TOO_LARGE", "The body is larger than this integration takes")},
		"store is down": {key: machineKey, answer: unavailable, status: 503, retry: true,
			want: fail("STORE_UNAVAILABLE", "The store is not available")},
		"a failure without a code": {key: machineKey, status: 500, retry: true,
			answer: func(*core.Request) (core.Receipt, error) { return core.Receipt{}, errors.New("secret detail") },
			want:   fail("INTERNAL", "Something went wrong on our side")},
		"DELETE":                  {method: "DELETE", key: machineKey, status: 405, want: fail("METHOD_NOT_ALLOWED", "This method isn't allowed here")},
		"GET":                     {method: "GET", key: machineKey, status: 405},
		"HEAD":                    {method: "HEAD", key: machineKey, status: 405},
		"GET with an unknown key": {method: "GET", key: "nobody-has-this-routing-key", status: 405},
		"PUT where it is taken":   {method: "PUT", key: machineKey, status: 200, want: `{"success":true,"incident":` + incidentJSON + `,` + receipt + `}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f.inbox.answer = tt.answer
			method, body := tt.method, tt.body
			if method == "" {
				method = "POST"
			}
			if body == "" {
				body = `{"title":"x"}`
			}
			got := f.send(t, method, "/webhooks/"+tt.key, strings.NewReader(body), tt.header...)
			if masked := requestID.ReplaceAllString(got.body, "ID"); got.status != tt.status || masked != tt.want {
				t.Errorf("got %d %s\nwant %d %s", got.status, masked, tt.status, tt.want)
			}
			if id := requestID.FindString(got.body); id != "" && id != got.header.Get("X-Request-Id") {
				t.Errorf("the body names request %q, the header %q", id, got.header.Get("X-Request-Id"))
			}
			if after := got.header.Get("Retry-After"); (after != "") != tt.retry {
				t.Errorf("Retry-After = %q, want one: %v", after, tt.retry)
			}
			if got.status == 405 && got.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	if log := f.log.String(); strings.Contains(log, machineKey) || strings.Contains(log, customKey) || strings.Contains(log, "nobody-has") {
		t.Error("the log shows a routing key")
	}
	if !strings.Contains(f.log.String(), `"key_id":"machine-1"`) {
		t.Error("the log doesn't name the key's id")
	}
}

func TestRequestIsKeptByteForByte(t *testing.T) {
	bodies := map[string]struct{ body, contentType string }{
		"JSON":          {`{"a": 1 }` + "\n", "application/json"},
		"form":          {"payload=%7B%7D&a=b", "application/x-www-form-urlencoded"},
		"multipart":     {"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n", "multipart/form-data; boundary=b"},
		"invalid UTF-8": {"\xff\xfe\x00{", "text/plain"},
		"empty":         {"", ""},
	}
	f := open(t, nil)
	for name, tt := range bodies {
		t.Run(name, func(t *testing.T) {
			if got := f.send(t, "POST", "/webhooks/"+machineKey+"/a/b?x=1&y=%20", strings.NewReader(tt.body), "Content-Type", tt.contentType); got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			r, decoded := f.inbox.last(t)
			if string(r.Body) != tt.body || string(decoded) != tt.body {
				t.Errorf("stored %q, handed on %q, want %q", r.Body, decoded, tt.body)
			}
			if r.Path != "a/b" || r.Query != "x=1&y=%20" || r.Method != "POST" || r.KeyID != "machine-1" || r.Source != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("request = %+v", r)
			}
			if r.Header.Get("Content-Type") != tt.contentType {
				t.Errorf("Content-Type = %q, want %q", r.Header.Get("Content-Type"), tt.contentType)
			}
		})
	}
}

func TestHeadersWithSecretsAreNotKept(t *testing.T) {
	f := open(t, nil)
	f.post(t, machineKey, "{}", "Authorization", "Bearer x", "Cookie", "a=b", "X-Vendor-Kind", "k", "X-Other", "o", "User-Agent", "vendor/1", "Content-Type", "application/json")
	r, _ := f.inbox.last(t)
	want := http.Header{"X-Vendor-Kind": {"k"}, "User-Agent": {"vendor/1"}, "Content-Type": {"application/json"}}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("kept headers (-want +got):\n%s", diff)
	}
}

func TestContentEncodings(t *testing.T) {
	plain := []byte(`{"title":"` + strings.Repeat("long ", 200) + `"}`)
	var gz, zl bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(plain)
	w.Close()
	z := zlib.NewWriter(&zl)
	z.Write(plain)
	z.Close()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	f := open(t, nil)
	for encoding, body := range map[string][]byte{"gzip": gz.Bytes(), "x-gzip": gz.Bytes(), "GZIP": gz.Bytes(), "deflate": zl.Bytes(), "Deflate": zl.Bytes()[2 : zl.Len()-4], "zstd": enc.EncodeAll(plain, nil), "identity": plain} {
		t.Run(encoding, func(t *testing.T) {
			got := f.post(t, machineKey, string(body), "Content-Encoding", encoding)
			r, decoded := f.inbox.last(t)
			if got.status != 200 || !bytes.Equal(decoded, plain) || !bytes.Equal(r.Body, body) {
				t.Errorf("got %d, handed on %d bytes, stored %d; want 200, %d, %d", got.status, len(decoded), len(r.Body), len(plain), len(body))
			}
		})
	}
	t.Run("broken", func(t *testing.T) {
		cut := gz.Bytes()[:gz.Len()-9]
		if got := f.post(t, machineKey, string(cut), "Content-Encoding", "gzip"); got.status != 202 || !strings.Contains(got.body, "quarantined") {
			t.Errorf("a machine got %d %s, want 202 quarantined", got.status, got.body)
		}
		if r, _ := f.inbox.last(t); r.Code != core.UnsupportedEncoding || !bytes.Equal(r.Body, cut) {
			t.Errorf("stored %q with code %q", r.Body, r.Code)
		}
		if got := f.post(t, customKey, string(cut), "Content-Encoding", "gzip"); got.status != 415 {
			t.Errorf("a person got %d %s, want 415", got.status, got.body)
		}
	})
}

func TestDeliveryKey(t *testing.T) {
	f := open(t, nil)
	keyFor := func(body string, header ...string) core.DeliveryKey {
		t.Helper()
		f.post(t, machineKey, body, header...)
		r, _ := f.inbox.last(t)
		return r.Delivery
	}
	none := keyFor("{}")
	if none != (core.DeliveryKey{}) {
		t.Errorf("without an id the body's hash identifies: %+v", none)
	}
	one := keyFor("{}", "X-Delivery", "1")
	if one == none || one != keyFor("{}", "X-Delivery", "1") {
		t.Error("the vendor's id doesn't identify the delivery")
	}
	if other := keyFor("[]", "X-Delivery", "1"); other.ID != one.ID || other.Body == one.Body {
		t.Error("the same id with another body must have the same ID and another Body")
	}
	if own := keyFor("{}", "X-Delivery", "1", "Idempotency-Key", "1"); own.ID == one.ID {
		t.Error("a sender's own key and a vendor's id are the same")
	}
	if body := keyFor("{}", "X-Vendor-Kind", "error"); body == none || body == keyFor("[]", "X-Vendor-Kind", "error") {
		t.Error("the body's hash doesn't identify where the adapter says so")
	}
	if metric := keyFor("{}", "X-Vendor-Kind", "metric"); metric != none {
		t.Error("the body's hash identifies where the adapter doesn't say so")
	}
}

func TestStructuralLimits(t *testing.T) {
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	f := open(t, nil)
	if got := f.post(t, machineKey, deep); got.status != 202 || !strings.Contains(got.body, "quarantined") {
		t.Errorf("a machine got %d %s, want 202 quarantined", got.status, got.body)
	}
	if r, _ := f.inbox.last(t); r.Code != core.PayloadTooLarge || string(r.Body) != deep {
		t.Errorf("stored with code %q and %d bytes", r.Code, len(r.Body))
	}
	if got := f.post(t, pausedKey, deep); got.status != 202 || !strings.Contains(got.body, "quarantined") {
		t.Errorf("a paused integration got %d %s, want 202 quarantined", got.status, got.body)
	}
	if got := f.post(t, customKey, deep); got.status != 400 || !strings.Contains(got.body, "INVALID_JSON") {
		t.Errorf("a person got %d %s, want 400 INVALID_JSON", got.status, got.body)
	}
	if got := f.post(t, machineKey, "not JSON: "+deep); got.status != 200 {
		t.Errorf("text got %d %s, want 200: it is the adapter's to judge", got.status, got.body)
	}
}

func TestRefusalsAreTold(t *testing.T) {
	f := open(t, nil)
	f.post(t, closedKey, "{}")
	f.post(t, walledKey, "{}")
	f.post(t, signedKey, "{}", "X-Signature", "00")
	f.post(t, machineKey, strings.Repeat("x", 64<<10+1))
	f.post(t, "nobody-has-this-routing-key", "{}")
	var got []string
	for _, r := range f.refused() {
		got = append(got, r.Integration+" "+string(r.Code))
	}
	want := []string{"custom/closed INTEGRATION_DISABLED", "custom/walled IP_NOT_ALLOWED", "custom/signed SIGNATURE_INVALID", "custom/machine PAYLOAD_TOO_LARGE"}
	if !slices.Equal(got, want) {
		t.Errorf("refusals %v, want %v", got, want)
	}
	if f.inbox.count() != 0 {
		t.Errorf("%d refused requests were stored", f.inbox.count())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.outcomes) != 5 || f.outcomes[4].Integration != "" || f.outcomes[3].Status != 413 {
		t.Errorf("outcomes %+v", f.outcomes)
	}
}

func TestSignatureIsVerifiedOverTheBytesAsSent(t *testing.T) {
	f := open(t, nil)
	// openssl dgst -sha256 -hmac topsecret
	signature := "bf1e6501b7fa928ec2391fea9dd90af3c9ad1b7b1ef6ff319c25940cec746bf8"
	if got := f.post(t, signedKey, `{"a":1}`, "X-Signature", signature); got.status != 200 {
		t.Errorf("signed request got %d %s", got.status, got.body)
	}
	if r, _ := f.inbox.last(t); r.Header.Get("X-Signature") != signature {
		t.Error("the signature isn't kept")
	}
	if got := f.post(t, signedKey, `{"a": 1}`, "X-Signature", signature); got.status != 401 {
		t.Errorf("changed request got %d, want 401", got.status)
	}
}

func TestGuessersAreSlowedAndNobodyElse(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) { c.Misses = Misses{PerSecond: 0.001, Burst: 3} })
	var statuses []int
	for range 4 {
		statuses = append(statuses, f.post(t, "nobody-has-this-routing-key", "{}").status)
	}
	limited := f.post(t, signedKey, "{}")
	if want := []int{404, 404, 404, 429}; !slices.Equal(statuses, want) {
		t.Errorf("guesses got %v, want %v", statuses, want)
	}
	if limited.status != 429 || !strings.Contains(limited.body, "RATE_LIMITED") || limited.header.Get("Retry-After") == "" {
		t.Errorf("a bad signature got %d %s", limited.status, limited.body)
	}
	if got := f.post(t, machineKey, "{}"); got.status != 200 {
		t.Errorf("a good key from the same address got %d %s", got.status, got.body)
	}
}

func TestClientAddressIsNotTheClientsClaim(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	tests := map[string]struct {
		forwarded []string
		status    int
	}{
		"the proxy's word":                 {[]string{"203.0.113.9"}, 200},
		"spoofed to the left":              {[]string{"203.0.113.9, 198.51.100.1"}, 403},
		"true to the right":                {[]string{"198.51.100.1, 203.0.113.9"}, 200},
		"through two proxies":              {[]string{"203.0.113.9, 10.1.2.3"}, 200},
		"two header lines":                 {[]string{"203.0.113.9", "198.51.100.1"}, 403},
		"IPv4 in IPv6 clothes":             {[]string{"::ffff:203.0.113.9"}, 200},
		"garbage counts for nothing":       {[]string{"203.0.113.9, garbage"}, 403},
		"no header":                        {nil, 403},
		"with a port, as some proxies say": {[]string{"203.0.113.9:1234"}, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var header []string
			for _, v := range tt.forwarded {
				header = append(header, "X-Forwarded-For", v)
			}
			if got := f.post(t, walledKey, "{}", header...); got.status != tt.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
		})
	}
	t.Run("without trusted proxies", func(t *testing.T) {
		direct := open(t, nil)
		if got := direct.post(t, walledKey, "{}", "X-Forwarded-For", "203.0.113.9"); got.status != 403 {
			t.Errorf("got %d %s, want 403", got.status, got.body)
		}
	})
}

func TestEntrances(t *testing.T) {
	f := open(t, nil)
	body := `{"routing_key":"` + customKey + `","payload":{}}`
	if got := f.send(t, "POST", "/v2/enqueue", strings.NewReader(body)); got.status != 200 {
		t.Errorf("key in the body: got %d %s", got.status, got.body)
	}
	masked := strings.Replace(body, customKey, strings.Repeat("*", len(customKey)), 1)
	if r, decoded := f.inbox.last(t); string(r.Body) != masked || string(decoded) != masked || r.Path != "v2/enqueue" || r.Integration != "custom/human" {
		t.Errorf("stored %+v", r)
	}
	for _, value := range []string{"GenieKey " + customKey, customKey, "Token token=" + customKey} {
		if got := f.send(t, "POST", "/v2/alerts", strings.NewReader("{}"), "Authorization", value); got.status != 200 {
			t.Errorf("key in the header as %q: got %d %s", value, got.status, got.body)
		}
	}
	if got := f.send(t, "GET", "/v2/challenge", nil); got.status != 200 || got.body != "pong" {
		t.Errorf("challenge: got %d %s", got.status, got.body)
	}
	for _, bad := range []string{`{"routing_key":"nobody-has-this-routing-key"}`, `{"routing_key":1}`, `[]`, ``} {
		if got := f.send(t, "POST", "/v2/enqueue", strings.NewReader(bad)); got.status != 404 || !strings.Contains(got.body, "ROUTE_NOT_FOUND") {
			t.Errorf("body %q: got %d %s, want 404", bad, got.status, got.body)
		}
	}
	if got := f.send(t, "GET", "/v2/enqueue", nil); got.status != 404 || !strings.Contains(got.body, `"NOT_FOUND"`) {
		t.Errorf("an undeclared method: got %d %s", got.status, got.body)
	}
}

// TestCurl runs the commands that are published for people.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, nil)
	for _, body := range []string{
		`{"title": "API latency spike", "severity": "High", "description": "API response times > 5s", "service": "api-backend"}`,
		`{"title": "Server is down"}`,
		`{"title": "High error rate", "severity": "Medium", "error_rate": "15%", "region": "us-east-1"}`,
	} {
		out, err := exec.CommandContext(t.Context(), curl, "-sS", f.url+"/webhooks/"+customKey, "-X", "POST",
			"-H", "Content-Type: application/json", "-d", body).CombinedOutput()
		var answer struct {
			Success  bool
			Incident struct{ ID, URL string }
		}
		if err != nil || json.Unmarshal(out, &answer) != nil || !answer.Success || answer.Incident.ID != "INC-042" {
			t.Errorf("curl: %v: %s", err, out)
		}
		if r, _ := f.inbox.last(t); string(r.Body) != body {
			t.Errorf("stored %s, want %s", r.Body, body)
		}
	}
}

func TestKeysExpireByTheTrustedTime(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) {
		c.Trusted = func() time.Time { return time.Unix(0, 0) } // the clock has run ahead of it
	})
	if got := f.send(t, "POST", "/webhooks/"+expiredKey, strings.NewReader(`{"title":"x"}`)); got.status/100 != 2 {
		t.Errorf("answered %d %s, want the key to be good still", got.status, got.body)
	}
}
