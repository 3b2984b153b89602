package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/core/destination/plugged"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk"
)

// notifiers are the processes of plugins/notifier, one for each of its types,
// behind a real host.
type notifiers struct {
	port  *plugged.Port
	types map[string]destination.Type
	host  *pluginhost.Host
}

// startNotifiers builds the program, gives it its names, and runs it.
func startNotifiers(t *testing.T) *notifiers {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "notifier")
	output(t, "go", "build", "-ldflags", "-s -w", "-o", program, "bellcrank.example/plugins/notifier")
	n := &notifiers{port: &plugged.Port{}, types: map[string]destination.Type{}}
	var specs []pluginhost.Spec
	for name := range strings.FieldsSeq(output(t, program, "-types")) {
		path := filepath.Join(dir, name)
		if err := os.Link(program, path); err != nil {
			t.Fatal(err)
		}
		var info sdk.Info
		if err := json.Unmarshal([]byte(output(t, path, "-describe")), &info); err != nil {
			t.Fatal(err)
		}
		n.types[name] = destination.Plugged(info, n.port)
		specs = append(specs, pluginhost.Spec{
			Name: name, Type: name, Version: info.Version, Path: path, Unpinned: true, Limits: pluginhost.Limits{Timeout: time.Minute},
		})
	}
	n.run(t, filepath.Join(dir, "run"), specs)
	return n
}

func output(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

func (n *notifiers) run(t *testing.T, runDir string, specs []pluginhost.Spec) {
	t.Helper()
	timing := pluginhost.Timing{Start: 3 * time.Minute, Drain: time.Minute}
	host, err := pluginhost.New(pluginhost.Config{
		Plugins: specs, RunDir: runDir, Timing: timing, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- host.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if err := host.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.host = host
	n.port.Connect(n)
}

// Deliver hands a delivery to the process as one of a destination of its own:
// each test has other settings.
func (n *notifiers) Deliver(ctx context.Context, plugin string, d sdk.Delivery) (sdk.Step, error) {
	d.Destination = fmt.Sprintf("%s/%x", plugin, sha256.Sum256(d.Settings))
	return n.host.Deliver(ctx, plugin, d)
}

// sender makes one of a type, with settings that speak to a vendor here.
func (n *notifiers) sender(t *testing.T, kind string, settings map[string]any, templates map[string]core.Template) core.Sender {
	t.Helper()
	cfg := destinationtest.Config(t, settings)
	cfg.Plugin, cfg.Templates = kind, templates
	s, err := n.types[kind].New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vendor is what a type talks to: the settings that lead there, how it answers
// when all is well, and what it is to hear, kind by kind. Paths, bodies and
// answers are those of the vendors' public references.
type vendor struct {
	settings func(url string) map[string]any
	accept   func() http.HandlerFunc
	heard    func(t *testing.T, r destinationtest.Request) string // in short
	want     map[core.Kind]string
}

func always(status int, body string) func() http.HandlerFunc {
	return func() http.HandlerFunc { return destinationtest.Answer(status, body) }
}

// members shows members of a JSON body, those of inner objects by a path with
// slashes.
func members(t *testing.T, r destinationtest.Request, paths ...string) string {
	t.Helper()
	var shown []string
	for _, path := range paths {
		var at any = r.JSON(t)
		for name := range strings.SplitSeq(path, "/") {
			switch v := at.(type) {
			case map[string]any:
				at = v[name]
			case []any:
				at = v[0].(map[string]any)[name]
			}
		}
		shown = append(shown, fmt.Sprint(at))
	}
	return r.Method + " " + r.Path + " " + strings.Join(shown, " | ")
}

var vendors = map[string]vendor{
	"incidentio": {
		settings: func(url string) map[string]any {
			return map[string]any{"url": url + "/v2/alert_events/alertmanager/01ABC", "token": "s3cr3t"}
		},
		accept: always(202, `{"status":"success","message":"Event accepted for processing"}`),
		heard: func(t *testing.T, r destinationtest.Request) string {
			return r.Header.Get("Authorization") + " " + members(t, r, "status", "groupKey", "alerts/fingerprint", "alerts/annotations/severity", "alerts/annotations/label.team")
		},
		want: map[core.Kind]string{
			core.Created:      "Bearer s3cr3t POST /v2/alert_events/alertmanager/01ABC firing | bellcrank-000000000000e | dd92b469694a9c42 | High | sre",
			core.Escalated:    "Bearer s3cr3t POST /v2/alert_events/alertmanager/01ABC firing | bellcrank-000000000000e | dd92b469694a9c42 | Critical | sre",
			core.AckedKind:    "Bearer s3cr3t POST /v2/alert_events/alertmanager/01ABC firing | bellcrank-000000000000e | dd92b469694a9c42 | High | sre",
			core.ResolvedKind: "Bearer s3cr3t POST /v2/alert_events/alertmanager/01ABC resolved | bellcrank-000000000000e | dd92b469694a9c42 | High | sre",
		},
	},
	"jira": {
		settings: func(url string) map[string]any {
			return map[string]any{
				"url": url + "/base", "token": "s3cr3t", "project": "OPS", "issue_type": "Incident", "labels": []string{"eu"},
				"resolve_transition": "Done", "reopen_transition": "Reopen", "priorities": map[string]string{"High": "Major", "Critical": "Blocker"},
				"fields": map[string]string{"customfield_1": `{"value":"x"}`},
			}
		},
		accept: func() http.HandlerFunc { return (&jiraServer{}).ServeHTTP },
		heard: func(t *testing.T, r destinationtest.Request) string {
			path := strings.TrimPrefix(r.Path, "/base/rest/api/2/")
			switch {
			case path == "search" || r.Method == http.MethodGet:
				return path
			case strings.HasSuffix(path, "transitions"):
				return members(t, r, "transition/id")
			}
			return r.Header.Get("Authorization") + " " + members(t, r, "fields/summary", "fields/priority/name", "fields/project/key", "fields/customfield_1/value")
		},
		want: map[core.Kind]string{
			core.Created:      "search; Bearer s3cr3t POST /base/rest/api/2/issue INC-042 Disk is full | Major | OPS | x",
			core.Escalated:    "search; Bearer s3cr3t PUT /base/rest/api/2/issue/OPS-1 INC-042 Disk is full | Blocker | OPS | x",
			core.AckedKind:    "search; Bearer s3cr3t PUT /base/rest/api/2/issue/OPS-1 INC-042 Disk is full | Major | OPS | x",
			core.ResolvedKind: "search; Bearer s3cr3t PUT /base/rest/api/2/issue/OPS-1 INC-042 Disk is full | Major | OPS | x; issue/OPS-1/transitions; POST /base/rest/api/2/issue/OPS-1/transitions 31",
			core.Reopened:     "search; Bearer s3cr3t PUT /base/rest/api/2/issue/OPS-1 INC-042 Disk is full | Major | OPS | x; issue/OPS-1/transitions; POST /base/rest/api/2/issue/OPS-1/transitions 41",
		},
	},
	"pushover": {
		settings: func(url string) map[string]any {
			return map[string]any{"url": url + "/1/messages.json", "token": "s3cr3t", "user_key": "u1", "sound": "siren"}
		},
		accept: always(200, `{"status":1,"request":"647d2300"}`),
		heard: func(t *testing.T, r destinationtest.Request) string {
			form, err := url.ParseQuery(string(r.Body))
			if err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("no form: %q, %v", r.Body, err)
			}
			var shown []string
			for _, name := range []string{"token", "user", "priority", "sound", "retry", "expire", "title", "message", "url"} {
				shown = append(shown, form.Get(name))
			}
			return r.Method + " " + r.Path + " " + strings.Join(shown, " | ")
		},
		want: map[core.Kind]string{
			core.Created:      "POST /1/messages.json s3cr3t | u1 | 1 | siren | 60 | 3600 | [INC-042] High: Disk is full | 98 % of /var is used. | https://bellcrank.example/incidents/INC-042",
			core.Escalated:    "POST /1/messages.json s3cr3t | u1 | 2 | siren | 60 | 3600 | [INC-042] Escalated to Critical: Disk is full | 98 % of /var is used. | https://bellcrank.example/incidents/INC-042",
			core.AckedKind:    "POST /1/messages.json s3cr3t | u1 | -1 | siren | 60 | 3600 | [INC-042] Acknowledged: Disk is full | 98 % of /var is used. | https://bellcrank.example/incidents/INC-042",
			core.ResolvedKind: "POST /1/messages.json s3cr3t | u1 | -1 | siren | 60 | 3600 | [INC-042] Resolved: Disk is full | 98 % of /var is used. | https://bellcrank.example/incidents/INC-042",
		},
	},
	"rocketchat": {
		settings: func(url string) map[string]any {
			return map[string]any{"url": url, "user_id": "u1", "token": "s3cr3t", "channel": "#ops"}
		},
		accept: always(200, `{"ts":1,"channel":"ops","success":true}`),
		heard: func(t *testing.T, r destinationtest.Request) string {
			return r.Header.Get("X-Auth-Token") + " " + r.Header.Get("X-User-Id") + " " + members(t, r, "channel", "attachments/title", "attachments/text", "attachments/color")
		},
		want: map[core.Kind]string{
			core.Created:      "s3cr3t u1 POST /api/v1/chat.postMessage #ops | [INC-042] High: Disk is full | 98 % of /var is used. | #e8590c",
			core.Escalated:    "s3cr3t u1 POST /api/v1/chat.postMessage #ops | [INC-042] Escalated to Critical: Disk is full | 98 % of /var is used. | #c4162a",
			core.AckedKind:    "s3cr3t u1 POST /api/v1/chat.postMessage #ops | [INC-042] Acknowledged: Disk is full | 98 % of /var is used. | #e8590c",
			core.ResolvedKind: "s3cr3t u1 POST /api/v1/chat.postMessage #ops | [INC-042] Resolved: Disk is full | 98 % of /var is used. | #2eb67d",
		},
	},
	"victorops": {
		settings: func(url string) map[string]any {
			return map[string]any{
				"url": url + "/integrations/generic/20131114/alert", "api_key": "s3cr3t", "routing_key": "data base",
				"fields": map[string]string{"region": "eu {{ .X }}"},
			}
		},
		accept: always(200, `{"result":"success","entity_id":"x"}`),
		heard: func(t *testing.T, r destinationtest.Request) string {
			return members(t, r, "message_type", "entity_id", "entity_display_name", "state_message", "region", "vo_annotate.u.Runbook")
		},
		want: map[core.Kind]string{
			core.Created:      "POST /integrations/generic/20131114/alert/s3cr3t/data%20base CRITICAL | bellcrank-000000000000e | INC-042 Disk is full | 98 % of /var is used. | eu {{ .X }} | https://wiki.example/disk",
			core.Escalated:    "POST /integrations/generic/20131114/alert/s3cr3t/data%20base CRITICAL | bellcrank-000000000000e | INC-042 Disk is full | 98 % of /var is used. | eu {{ .X }} | https://wiki.example/disk",
			core.AckedKind:    "POST /integrations/generic/20131114/alert/s3cr3t/data%20base ACKNOWLEDGEMENT | bellcrank-000000000000e | INC-042 Disk is full | 98 % of /var is used. | eu {{ .X }} | https://wiki.example/disk",
			core.ResolvedKind: "POST /integrations/generic/20131114/alert/s3cr3t/data%20base RECOVERY | bellcrank-000000000000e | INC-042 Disk is full | 98 % of /var is used. | eu {{ .X }} | https://wiki.example/disk",
		},
	},
	"webex": {
		settings: func(url string) map[string]any {
			return map[string]any{"url": url + "/v1/messages", "token": "s3cr3t", "room_id": "r1"}
		},
		accept: always(200, `{"id":"m1","roomId":"r1","markdown":"`+strings.Repeat("x", 8000)+`"}`),
		heard: func(t *testing.T, r destinationtest.Request) string {
			return r.Header.Get("Authorization") + " " + strings.ReplaceAll(members(t, r, "roomId", "markdown"), "\n", "/")
		},
		want: map[core.Kind]string{
			core.Created:      "Bearer s3cr3t POST /v1/messages r1 | **\\[INC-042\\] High: Disk is full**//98 % of /var is used.//[INC-042](<https://bellcrank.example/incidents/INC-042>)//[Source](<https://monitor.example/1>)//[Runbook](<https://wiki.example/disk>)",
			core.Escalated:    "Bearer s3cr3t POST /v1/messages r1 | **\\[INC-042\\] Escalated to Critical: Disk is full**//98 % of /var is used.//[INC-042](<https://bellcrank.example/incidents/INC-042>)//[Source](<https://monitor.example/1>)//[Runbook](<https://wiki.example/disk>)",
			core.AckedKind:    "Bearer s3cr3t POST /v1/messages r1 | **\\[INC-042\\] Acknowledged: Disk is full**//98 % of /var is used.//[INC-042](<https://bellcrank.example/incidents/INC-042>)//[Source](<https://monitor.example/1>)//[Runbook](<https://wiki.example/disk>)",
			core.ResolvedKind: "Bearer s3cr3t POST /v1/messages r1 | **\\[INC-042\\] Resolved: Disk is full**//98 % of /var is used.//[INC-042](<https://bellcrank.example/incidents/INC-042>)//[Source](<https://monitor.example/1>)//[Runbook](<https://wiki.example/disk>)",
		},
	},
	"wechat": {
		settings: func(url string) map[string]any {
			return map[string]any{"url": url + "/cgi-bin", "corp_id": "c1", "api_secret": "s3cr3t", "agent_id": "7", "to_user": "@all"}
		},
		accept: func() http.HandlerFunc { return wechatServer },
		heard: func(t *testing.T, r destinationtest.Request) string {
			if r.Method == http.MethodGet {
				return r.Path
			}
			return strings.ReplaceAll(members(t, r, "touser", "agentid", "msgtype", "text/content"), "\n", "/")
		},
		want: map[core.Kind]string{
			core.Created:      "/cgi-bin/gettoken?corpid=c1&corpsecret=s3cr3t; POST /cgi-bin/message/send?access_token=t0k3n @all | 7 | text | [INC-042] High: Disk is full/98 % of /var is used./https://bellcrank.example/incidents/INC-042",
			core.Escalated:    "/cgi-bin/gettoken?corpid=c1&corpsecret=s3cr3t; POST /cgi-bin/message/send?access_token=t0k3n @all | 7 | text | [INC-042] Escalated to Critical: Disk is full/98 % of /var is used./https://bellcrank.example/incidents/INC-042",
			core.AckedKind:    "/cgi-bin/gettoken?corpid=c1&corpsecret=s3cr3t; POST /cgi-bin/message/send?access_token=t0k3n @all | 7 | text | [INC-042] Acknowledged: Disk is full/98 % of /var is used./https://bellcrank.example/incidents/INC-042",
			core.ResolvedKind: "/cgi-bin/gettoken?corpid=c1&corpsecret=s3cr3t; POST /cgi-bin/message/send?access_token=t0k3n @all | 7 | text | [INC-042] Resolved: Disk is full/98 % of /var is used./https://bellcrank.example/incidents/INC-042",
		},
	},
}

// wechatServer gives an access token, and takes messages that have it.
func wechatServer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/cgi-bin/gettoken":
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","access_token":"t0k3n","expires_in":7200}`)
	case r.URL.Query().Get("access_token") == "t0k3n":
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","msgid":"m1"}`)
	default:
		_, _ = io.WriteString(w, `{"errcode":40014,"errmsg":"invalid access_token"}`)
	}
}

// jiraServer is a project with one issue at most.
type jiraServer struct {
	mu     sync.Mutex
	label  string // by which the issue is found; empty: there is none
	status string // its category
}

// ServeHTTP answers as Jira Data Center does.
func (s *jiraServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var body struct {
		JQL        string
		Fields     json.RawMessage
		Transition struct{ ID string }
	}
	_ = json.NewDecoder(r.Body).Decode(&body) // a GET has none
	switch path := strings.TrimPrefix(r.URL.Path, "/base/rest/api/2/"); {
	case path == "search":
		open := s.status != "done" || !strings.Contains(body.JQL, "statusCategory != Done")
		if s.label == "" || !open || !strings.Contains(body.JQL, strconv.Quote(s.label)) {
			_, _ = io.WriteString(w, `{"issues":[]}`)
			return
		}
		fmt.Fprintf(w, `{"issues":[{"key":"OPS-1","fields":{"status":{"name":"x","statusCategory":{"key":%q}}}}]}`, s.status)
	case path == "issue":
		var fields struct{ Labels []string }
		_ = json.Unmarshal(body.Fields, &fields)
		s.label, s.status = fields.Labels[0], "new"
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"1","key":"OPS-1"}`)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, `{"transitions":[{"id":"31","name":"Done"},{"id":"41","name":"Reopen"}]}`)
	case body.Transition.ID == "31":
		s.status = "done"
		w.WriteHeader(http.StatusNoContent)
	case body.Transition.ID == "41":
		s.status = "new"
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// TestNotifiers drives the notifiers' real processes from the gateway's side,
// against vendors on this machine.
func TestNotifiers(t *testing.T) {
	n := startNotifiers(t)
	for kind := range n.types {
		v, ok := vendors[kind]
		if !ok {
			t.Errorf("%s isn't tested", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			destinationtest.Run(t, destinationtest.Kit{
				New:    func(t *testing.T, url string) core.Sender { return n.sender(t, kind, v.settings(url), nil) },
				Accept: v.accept(), Disliked: http.StatusUnprocessableEntity,
			})
			t.Run("each kind of change is told in the vendor's words", func(t *testing.T) { n.tells(t, kind, v) })
		})
	}
}

func (n *notifiers) tells(t *testing.T, kind string, v vendor) {
	target := destinationtest.NewVendor(t, v.accept())
	s := n.sender(t, kind, v.settings(target.URL), nil)
	for _, change := range []core.Kind{core.Created, core.Escalated, core.AckedKind, core.ResolvedKind, core.Reopened} {
		if a := destinationtest.Send(t, s, destinationtest.Message(change)); a.Err != nil {
			t.Errorf("%s: %+v", change, a)
		}
		var heard []string
		for _, r := range target.Requests() {
			heard = append(heard, v.heard(t, r))
		}
		want, named := v.want[change]
		if got := strings.Join(heard, "; "); named && got != want {
			t.Errorf("%s: heard\n%s, want\n%s", change, got, want)
		}
	}
}
