package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/sdk"
)

// nameServer is where names are asked for, if a test has one. No other is ever
// asked.
var nameServer atomic.Pointer[net.UDPAddr]

func askOurselves() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		at := nameServer.Load()
		if at == nil {
			return nil, errors.New("this test has no name server")
		}
		var d net.Dialer
		return d.DialContext(ctx, "udp", at.String())
	}}
}

// named is what a name server makes of a question for an IPv4 address.
type named struct {
	silent  bool
	code    dnsmessage.RCode
	address [4]byte
}

// serveNames answers questions until the test ends. Questions for other
// addresses than IPv4's have no answer.
func serveNames(t *testing.T, answer func(name string) named) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		packet := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDP(packet)
			if err != nil {
				return
			}
			if reply := nameReply(packet[:n], answer); reply != nil {
				_, _ = conn.WriteToUDP(reply, from)
			}
		}
	})
	nameServer.Store(conn.LocalAddr().(*net.UDPAddr))
	t.Cleanup(func() { nameServer.Store(nil); conn.Close(); server.Wait() })
}

func nameReply(question []byte, answer func(name string) named) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	a := answer(strings.TrimSuffix(q.Name.String(), "."))
	if a.silent {
		return nil
	}
	m.Response, m.Authoritative, m.RCode, m.Additionals = true, true, a.code, nil
	if a.code == dnsmessage.RCodeSuccess && q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: a.address},
		}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

var metadataService = [4]byte{169, 254, 169, 254}

// badNames are the names that are trouble, and how.
var badNames = map[string]named{
	"unknown.names.test": {code: dnsmessage.RCodeNameError},
	"failing.names.test": {code: dnsmessage.RCodeServerFailure},
	"refused.names.test": {code: dnsmessage.RCodeRefused},
	"silent.names.test":  {silent: true},
	"inside.names.test":  {address: metadataService},
	"private.names.test": {address: [4]byte{10, 0, 0, 1}},
}

func TestANameThatTurnsInsideIsNotFollowed(t *testing.T) {
	var asked, taken atomic.Int32
	serveNames(t, func(string) named {
		if asked.Add(1) > 2 { // the first connection asks for both kinds of addresses
			return named{address: metadataService}
		}
		return named{address: [4]byte{127, 0, 0, 1}}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		taken.Add(1)
		w.Header().Set("Connection", "close") // the next message dials again
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	d := hook(t, "turns", webhook.Settings{URL: fmt.Sprintf("http://turns.names.test:%s/", port)})
	o := newOutbound(t, t.TempDir(), dispatch.Config{Destinations: []*core.Destination{d}})
	o.say(sdk.Trigger, "k1")
	o.until("the first message", func() bool { return o.count(d.ID(), core.DeliveryDelivered) == 1 })
	o.say(sdk.Trigger, "k2")
	o.until("the second message's failure", func() bool { return o.dispatcher.States()[0].Failures == 1 })
	if state := o.dispatcher.States()[0]; !strings.Contains(state.LastError, "169.254.169.254") {
		t.Errorf("it failed because of %q, want the address that was refused", state.LastError)
	}
	if taken.Load() != 1 {
		t.Errorf("%d messages arrived, want the first alone", taken.Load())
	}
}
