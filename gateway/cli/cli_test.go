package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bellcrank.example/gateway/gatewaytest"
)

// bin is where TestMain builds the binaries.
var bin string

func TestMain(m *testing.M) { gatewaytest.Main(m, &bin) }

// TestCommands runs the scripts: each shows what commands print, and how they
// exit.
func TestCommands(t *testing.T) {
	payloads, err := filepath.Abs("../../examples/payloads")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "eventually": eventually, "post": post, "occupy": occupy, "token": token, "remember": remember,
			"receiver": receiver, "batch": batch,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("BIN", bin)
			env.Setenv("TMPDIR", os.TempDir()) // sockets need a short path
			env.Setenv("PAYLOADS", payloads)
			for _, name := range []string{"INGEST", "ADMIN", "NOWHERE"} {
				env.Setenv(name, gatewaytest.FreeAddress(env.T()))
			}
			env.Setenv("BELLCRANK_ADDR", env.Getenv("ADMIN"))
			return nil
		},
	})
}

// exits CODE COMMAND... runs a command that must exit with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d; it says:\n%s%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// eventually PATTERN COMMAND... runs a command again and again until it
// succeeds and its output matches, 15 seconds at most.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var out []byte
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		// Not by ts.Exec, which would log every try.
		cmd := exec.Command(args[1], args[2:]...)
		if args[1] == "bellcrank" {
			cmd = exec.Command(filepath.Join(bin, args[1]), args[2:]...)
		}
		cmd.Dir = ts.MkAbs(".")
		for _, name := range []string{"PATH", "BELLCRANK_ADDR", "BELLCRANK_TOKEN"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		if out, err = cmd.CombinedOutput(); err == nil && pattern.Match(out) {
			ts.Check(ts.Exec(args[1], args[2:]...)) // for the script to look at
			return
		}
	}
	ts.Fatalf("it doesn't come true: %v\n%s", err, out)
}

// post STATUS KEY FILE [HEADER] sends a body to the door, writes the answer to
// the file "answer", and puts its receipt into $RECEIPT.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: post STATUS KEY FILE [HEADER]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	url := "http://" + ts.Getenv("INGEST") + "/webhooks/" + args[1]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(ts.ReadFile(args[2])))
	ts.Check(err)
	for _, header := range args[3:] {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if got := strconv.Itoa(response.StatusCode); got != args[0] {
		ts.Fatalf("answered %s %s, want %s", got, body, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
	var answer struct{ Receipt struct{ ID string } }
	ts.Check(json.Unmarshal(body, &answer))
	ts.Setenv("RECEIPT", answer.Receipt.ID)
}

// receiver NAME FILE starts a server that answers with the status that is in
// the file, puts its URL into $NAME, and appends each webhook-id that it takes
// to FILE.taken.
func receiver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: receiver NAME FILE")
	}
	path := ts.MkAbs(args[1])
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text, _ := os.ReadFile(path) // without a status all is well
		status, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			status = http.StatusOK
		}
		if status == http.StatusOK {
			status = take(path+".taken", r.Header.Get("webhook-id"))
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "status %d", status)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// take appends a line to a file and returns the status for it.
func take(path, line string) int {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return http.StatusInternalServerError
	}
	defer file.Close()
	if _, err := fmt.Fprintln(file, line); err != nil {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// batch FILE N writes a body with that many problems.
func batch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: batch FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	type problem struct {
		Title string `json:"title"`
	}
	var problems []problem
	for i := range n {
		problems = append(problems, problem{fmt.Sprint("Problem ", i+1)})
	}
	body, err := json.Marshal(problems)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), body, 0o600))
}

// occupy PORT makes sure that a port of this machine is taken.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy PORT")
	}
	if l, err := net.Listen("tcp", "127.0.0.1:"+args[0]); err == nil { // else somebody has it already
		ts.Defer(func() { l.Close() })
	}
}

// token FILE lets commands use the token in a file.
func token(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: token FILE")
	}
	ts.Setenv("BELLCRANK_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}

// remember NAME PATTERN puts the pattern's group in the last output into $NAME.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember NAME PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("%s isn't in the output", args[1])
	}
	ts.Setenv(args[0], found[1])
}
