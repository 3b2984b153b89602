package email

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core/destination/destinationtest"
)

// postOffice is an SMTP server on this machine.
type postOffice struct {
	t        *testing.T
	listener net.Listener
	cert     tls.Certificate
	ca       string
	implicit bool
	auth     string            // mechanisms that it offers
	replies  map[string]string // to commands that begin so, in place of the usual

	mu    sync.Mutex
	said  []string // commands, with secrets decoded
	mails []string
	conns sync.WaitGroup
}

// open starts one; its fields but the first are set before.
func (p *postOffice) open(t *testing.T) *postOffice {
	t.Helper()
	p.t = t
	pair := destinationtest.NewPair(t, time.Now().Add(time.Hour))
	p.cert, p.ca = pair.TLS, pair.Certificate
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.conns.Go(func() {
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.conns.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { p.listener.Close(); p.conns.Wait() })
	return p
}

func (p *postOffice) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, line)
}

func (p *postOffice) received() (said, mails []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said, p.mails
}

func (p *postOffice) serve(c net.Conn) {
	defer func() { c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	secure := &tls.Config{Certificates: []tls.Certificate{p.cert}}
	if p.implicit {
		c = tls.Server(c, secure)
	}
	in := bufio.NewReader(c)
	say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
	encrypted := p.implicit
	say("220 post.example ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		p.note(line)
		verb, rest, _ := strings.Cut(line, " ")
		if reply := p.reply(line); reply != "" {
			if reply == "silence" {
				continue
			}
			say(reply)
			continue
		}
		switch verb {
		case "EHLO":
			if !encrypted {
				say("250-post.example\r\n250 STARTTLS")
			} else {
				say("250-post.example\r\n250 AUTH " + p.auth)
			}
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, secure)
			in, encrypted = bufio.NewReader(c), true
		case "AUTH":
			p.login(rest, in, say)
		case "DATA":
			say("354 go on")
			p.take(in)
			if reply := p.reply("END"); reply != "" {
				say(reply)
			} else {
				say("250 taken")
			}
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postOffice) reply(line string) string {
	for begin, reply := range p.replies {
		if strings.HasPrefix(line, begin) {
			return reply
		}
	}
	return ""
}

// cramAnswer is what RFC 2195 has bells answer to "<1@post.example>": the
// HMAC-MD5 with the password as its key.
const cramAnswer = "bells 77f6b2bb04d9ba2aebd48e763742949b"

// login takes whoever knows the password.
func (p *postOffice) login(rest string, in *bufio.Reader, say func(string)) {
	answer := func(question string) string {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(question)))
		line, _ := in.ReadString('\n')
		text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		return string(text)
	}
	mechanism, initial, _ := strings.Cut(rest, " ")
	given := ""
	switch mechanism {
	case "PLAIN":
		text, _ := base64.StdEncoding.DecodeString(initial)
		given = strings.ReplaceAll(strings.TrimPrefix(string(text), "\x00"), "\x00", "/")
	case "LOGIN":
		given = answer("Username:") + "/" + answer("Password:")
	case "CRAM-MD5":
		if answer("<1@post.example>") == cramAnswer {
			given = "bells/s3cr3t"
		}
	}
	if given == "bells/s3cr3t" {
		say("235 welcome")
	} else {
		say("535 5.7.8 no")
	}
}

func (p *postOffice) take(in *bufio.Reader) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, b.String())
}
