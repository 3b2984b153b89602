package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// adminFile tells commands where the gateway of this folder listens. A
// development gateway writes it.
const adminFile = ".bellcrank/admin.json"

// defaultAdmin is where the admin listener is by default.
const defaultAdmin = "127.0.0.1:8081"

// access is how to reach a gateway's admin listener.
type access struct {
	Addr      string `json:"addr"`       // host:port or a URL
	TokenFile string `json:"token_file"` // absolute
	token     string
}

// findAccess follows the documented order: BELLCRANK_ADDR and BELLCRANK_TOKEN,
// else .bellcrank/admin.json, else 127.0.0.1:8081 with the token of the
// default data directory.
func findAccess() (access, error) {
	a := access{Addr: os.Getenv("BELLCRANK_ADDR"), token: os.Getenv("BELLCRANK_TOKEN")}
	if content, err := os.ReadFile(adminFile); err == nil && a.Addr == "" {
		if err := json.Unmarshal(content, &a); err != nil {
			return access{}, fmt.Errorf("read %s: %w", adminFile, err)
		}
		// The file may have come with a folder that somebody else made: it
		// mustn't send our token anywhere.
		if !onThisMachine(a.Addr) {
			return access{}, fmt.Errorf("%s names %s, which isn't on this machine: set BELLCRANK_ADDR if you mean it", adminFile, a.Addr)
		}
	}
	if a.Addr == "" {
		a.Addr = defaultAdmin
	}
	if a.token != "" {
		return a, nil
	}
	if a.TokenFile == "" {
		a.TokenFile = filepath.Join(defaultDataDir, "admin.token")
	}
	token, err := os.ReadFile(a.TokenFile)
	if err != nil {
		return access{}, &exitError{exitGateway, fmt.Errorf("no token for the gateway at %s: set BELLCRANK_TOKEN, or run this where its token file can be read: %w", a.Addr, err)}
	}
	a.token = strings.TrimSpace(string(token))
	return a, nil
}

// onThisMachine reports whether host:port is a loopback address.
func onThisMachine(addr string) bool {
	to, err := netip.ParseAddrPort(addr)
	return err == nil && to.Addr().IsLoopback()
}

// clientTimeout bounds one question to the gateway.
const clientTimeout = 15 * time.Second

// get asks the gateway and decodes the answer.
func get[T any](ctx context.Context, path string, query url.Values) (T, error) {
	return ask[T](ctx, http.MethodGet, path, query)
}

// post makes the gateway do something and decodes the answer.
func post[T any](ctx context.Context, path string, query url.Values) (T, error) {
	return ask[T](ctx, http.MethodPost, path, query)
}

// send makes the gateway do something that a JSON body says, and decodes the
// answer.
func send[T any](ctx context.Context, path string, body any) (T, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, fmt.Errorf("encode what is asked for: %w", err)
	}
	return askWith[T](ctx, http.MethodPost, path, nil, bytes.NewReader(raw))
}

func ask[T any](ctx context.Context, method, path string, query url.Values) (T, error) {
	return askWith[T](ctx, method, path, query, http.NoBody)
}

func askWith[T any](ctx context.Context, method, path string, query url.Values, body io.Reader) (T, error) {
	var answer T
	a, err := findAccess()
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	said, err := a.do(ctx, method, path, query, body)
	if err != nil {
		return answer, &exitError{exitGateway, err}
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return answer, &exitError{exitGateway, fmt.Errorf("understand the gateway's answer: %w", err)}
	}
	return answer, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

func (a access) do(ctx context.Context, method, path string, query url.Values, body io.Reader) ([]byte, error) {
	base := a.Addr
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	target := strings.TrimRight(base, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reach the gateway at %s: %w", a.Addr, errors.Unwrap(err))
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the gateway's answer: %w", err)
	}
	if response.StatusCode >= 300 {
		return nil, refusal(response.StatusCode, said)
	}
	return said, nil
}

// refusal makes an error of the gateway's error envelope.
func refusal(status int, body []byte) error {
	var envelope struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(body, &envelope) == nil && envelope.Error.Message != "" {
		return fmt.Errorf("%s (%s)", envelope.Error.Message, envelope.Error.Code)
	}
	return fmt.Errorf("the gateway answered %d: %s", status, bytes.TrimSpace(body[:min(len(body), 200)]))
}
