package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/redact"
)

// fixtureFlags say what becomes of stored requests.
type fixtureFlags struct {
	out, name string
	pair      bool
	redact    redact.Config
}

func (a *console) fixtureCommand() *cobra.Command {
	var f fixtureFlags
	cmd := &cobra.Command{
		Use:   "fixture RECEIPT... -o FOLDER",
		Short: "make test cases of stored requests, without what must not leave the house",
		Long: "Writes FOLDER/NAME/request.json for each request, which `bellcrank plugin test -cases FOLDER` runs. Secrets,\n" +
			"people, hosts and addresses are replaced, equal ones by equal ones, also between requests: a problem and its\n" +
			"end still belong together, and -pair names them so. Headers that prove who sent a request are left out.\n\n" +
			"No rule knows everything. Read the list of what was replaced and the texts that were left, and give -word for\n" +
			"what only you know to be a name. The list is printed, not stored: it has the values.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.pair && len(args) != 2 {
				return errors.New("-pair wants two requests: a problem, then its end")
			}
			if f.name != "" && len(args) > 1 && !f.pair {
				return errors.New("-name is for one request, or for a -pair")
			}
			return a.fixture(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "out", "o", "", "folder of the cases, such as testdata")
	flags.StringVar(&f.name, "name", "", "of the case (default: the integration's type and the receipt)")
	flags.BoolVar(&f.pair, "pair", false, "the two requests are a problem and its end")
	flags.StringArrayVar(&f.redact.Words, "word", nil, "a name to replace as well, such as your company's; may be repeated")
	flags.StringArrayVar(&f.redact.Keep, "keep", nil, "a host that stays, with those below it, such as the vendor's; may be repeated")
	_ = cmd.MarkFlagRequired("out") // the flag is there
	return cmd
}

// caseFile is a request.json as the conformance kit reads it.
type caseFile struct {
	Method     string            `json:"method"`
	Path       string            `json:"path,omitempty"`
	Query      string            `json:"query,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	ReceivedAt admin.Time        `json:"received_at"`
	Body       json.RawMessage   `json:"body,omitempty"`
	BodyBase64 []byte            `json:"body_base64,omitempty"`
}

// fixtures is what the command prints.
type fixtures struct {
	Cases    []string             `json:"cases"`
	Replaced []fixtureReplacement `json:"replaced"`
	Read     []string             `json:"read"` // texts that were left
}

type fixtureReplacement struct {
	Was   string   `json:"was"`
	Is    string   `json:"is"`
	Rule  string   `json:"rule"`
	Where []string `json:"where"`
}

func (a *console) fixture(ctx context.Context, receipts []string, f fixtureFlags) error {
	var err error
	if f.redact.Key, err = redactionKey(); err != nil {
		return err
	}
	redactor := redact.New(f.redact)
	out := fixtures{Replaced: []fixtureReplacement{}, Read: []string{}}
	for i, receipt := range receipts {
		stored, err := get[admin.Request](ctx, "/v1/requests/"+url.PathEscape(receipt), nil)
		if err != nil {
			return err
		}
		folder := filepath.Join(f.out, f.caseName(i, stored))
		if err := writeCase(folder, stored, redactor); err != nil {
			return err
		}
		out.Cases = append(out.Cases, folder)
		out.Read = append(out.Read, redactor.Kept()...)
	}
	for _, r := range redactor.Replacements() {
		out.Replaced = append(out.Replaced, fixtureReplacement{Was: r.Was, Is: r.Is, Rule: r.Rule, Where: r.Where})
	}
	return a.show(out, func() { a.printFixtures(f.out, out) })
}

// redactionKey makes replacements the same for one gateway and others for
// another: it comes from the token that opens the API.
func redactionKey() ([]byte, error) {
	who, err := findAccess()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("redaction\x00" + who.token))
	return sum[:], nil
}

func (f *fixtureFlags) caseName(i int, stored admin.Request) string {
	kind, _, _ := strings.Cut(stored.Integration, "/")
	name := f.name
	if name == "" {
		name = kind + "_" + stored.ID
	}
	if f.pair {
		name += []string{"_firing", "_resolved"}[i]
	}
	return name
}

// writeCase writes the request.json of a case that isn't there yet.
func writeCase(folder string, stored admin.Request, redactor *redact.Redactor) error {
	body, err := core.Decode(stored.Body, stored.Encoding, 64<<20)
	if err != nil {
		return fmt.Errorf("body of %s: %w", stored.ID, err)
	}
	r := redactor.Request(redact.Request{Path: stored.Path, Query: stored.Query, Header: stored.Header, Body: body})
	c := caseFile{Method: stored.Method, Path: r.Path, Query: r.Query, Headers: map[string]string{}, ReceivedAt: stored.ReceivedAt}
	for name := range r.Header {
		c.Headers[http.CanonicalHeaderKey(name)] = strings.Join(r.Header.Values(name), ", ")
	}
	if json.Valid(r.Body) {
		c.Body = r.Body
	} else {
		c.BodyBase64 = r.Body
	}
	var content bytes.Buffer
	e := json.NewEncoder(&content)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("encode %s: %w", stored.ID, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make a case: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, "request.json"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("make a case: %w", err)
	}
	if _, err := file.Write(content.Bytes()); err != nil {
		_ = file.Close() // the first error says more
		return fmt.Errorf("make a case: %w", err)
	}
	return file.Close()
}

func (a *console) printFixtures(out string, f fixtures) {
	var rows [][]any
	for _, r := range f.Replaced {
		rows = append(rows, []any{clip(printable(r.Was), 40), r.Is, r.Rule, clip(strings.Join(r.Where, ", "), 60)})
	}
	if len(rows) > 0 {
		a.printTable([]any{"replaced", "by", "because it is a", "at"}, rows)
	}
	if len(f.Read) > 0 {
		fmt.Fprintln(a.out, "\nLeft as it is; read it before you keep the case:")
		for _, text := range f.Read {
			fmt.Fprintln(a.out, "  "+clip(printable(text), 160))
		}
	}
	fmt.Fprintln(a.out)
	for _, c := range f.Cases {
		fmt.Fprintln(a.out, filepath.Join(c, "request.json"))
	}
	fmt.Fprintf(a.out, "Next: bellcrank plugin test PLUGIN -cases %s -update, and read each new want.json.\n", out)
}
