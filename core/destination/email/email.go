// Package email mails incidents through an SMTP server.
package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

// Settings are what an operator writes in an email destination's settings.
type Settings struct {
	Server   string   `json:"server" required:"true" doc:"The SMTP server, HOST:PORT; 587 is usual with starttls, 465 with implicit."`
	TLS      string   `json:"tls" default:"starttls" enum:"starttls,implicit,none" doc:"starttls refuses to go on without encryption, implicit begins with it, none is for a relay nearby."`
	Username string   `json:"username" doc:"Who logs in; nobody if empty."`
	Password string   `json:"password" secret:"true" doc:"The password of username."`
	From     string   `json:"from" required:"true" doc:"The sender: an address, or \"Name <address>\"."`
	To       []string `json:"to" required:"true" doc:"The recipients, as from."`
	ReplyTo  string   `json:"reply_to" doc:"Where answers go; by default from."`
	CA       string   `json:"ca" doc:"PEM certificates of the authorities to trust instead of the system's."`
	wording.Texts
}

// Sender mails through one server.
type Sender struct {
	settings Settings
	host     string
	from     *mail.Address
	to       []*mail.Address
	replyTo  *mail.Address
	words    wording.Wording
	dialer   *net.Dialer
	secure   *tls.Config
}

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	settings, err := sdk.DecodeSettings[Settings](cfg.Settings)
	if err != nil {
		return nil, fmt.Errorf("email settings: %w", err)
	}
	s := &Sender{settings: settings, words: wording.New(cfg.Templates), dialer: transport.NewDialer(cfg.AllowedCIDRs)}
	if s.host, _, err = net.SplitHostPort(settings.Server); err != nil || s.host == "" {
		return nil, errors.New("server must be HOST:PORT")
	}
	if settings.TLS == "none" && settings.Username != "" {
		return nil, errors.New("username can't be used with tls = none: whoever listens would read the password")
	}
	if err := s.addresses(); err != nil {
		return nil, err
	}
	s.secure = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if settings.CA != "" {
		s.secure.RootCAs = x509.NewCertPool()
		if !s.secure.RootCAs.AppendCertsFromPEM([]byte(settings.CA)) {
			return nil, errors.New("ca holds no PEM certificate")
		}
	}
	return s, nil
}

func (s *Sender) addresses() (err error) {
	if s.from, err = address("from", s.settings.From); err != nil {
		return err
	}
	if s.settings.ReplyTo != "" {
		if s.replyTo, err = address("reply_to", s.settings.ReplyTo); err != nil {
			return err
		}
	}
	for _, one := range s.settings.To {
		to, err := address("to", one)
		if err != nil {
			return err
		}
		s.to = append(s.to, to)
	}
	if len(s.to) == 0 || len(s.to) > maxRecipients {
		return fmt.Errorf("to has %d recipients, want 1 to %d", len(s.to), maxRecipients)
	}
	return nil
}

// maxRecipients is what every server takes in one message.
const maxRecipients = 100

func address(setting, text string) (*mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no address", setting, text)
	}
	return a, nil
}

// failure is why a mail didn't go, and whose fault that is.
type failure struct {
	fault core.FaultClass
	err   error
}

// Send mails once. It answers 200 when the server has taken the mail.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	var answer core.Answer
	if core.RehearsalOf(ctx) != nil {
		answer.Err = core.ErrRehearsed
		return answer
	}
	conn, err := s.dialer.DialContext(ctx, "tcp", s.settings.Server)
	if err != nil {
		answer.Err = err
		return answer
	}
	// A conversation ends with its attempt, whatever the server does.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // it is over, however it closes
	defer stop()
	defer func() { _ = conn.Close() }() // QUIT has been said, or nobody listens
	answer.Address = transport.Peer(conn)
	refused, failed := s.converse(ctx, conn, m)
	if failed != nil {
		answer.Fault, answer.Err = failed.fault, failed.err
		if ctx.Err() != nil {
			answer.Err = ctx.Err()
		}
		return answer
	}
	answer.Status = 200
	answer.Snippet = fmt.Sprintf("taken for %d of %d recipients", len(s.to)-len(refused), len(s.to))
	for _, r := range refused {
		answer.Snippet += "; " + r.Error()
	}
	return answer
}

// converse has the whole conversation. What isn't the mail's fault is the
// destination's.
func (s *Sender) converse(ctx context.Context, conn net.Conn, m core.Message) (refused []error, failed *failure) {
	client, err := s.open(ctx, conn)
	if err != nil {
		return nil, &failure{core.DestinationFault, err}
	}
	defer func() { _ = client.Close() }() // QUIT has been said, or nobody listens
	if err := client.Mail(s.from.Address); err != nil {
		return nil, &failure{core.DestinationFault, fmt.Errorf("sender %s: %w", s.from.Address, err)}
	}
	if refused, err = s.recipients(client, m.Attempt); err != nil {
		return nil, &failure{core.DestinationFault, err}
	}
	w, err := client.Data()
	if err == nil {
		// What the server thinks of it is said at the end.
		_, _ = w.Write(s.mail(m))
		err = w.Close()
	}
	if err != nil {
		fault := core.DestinationFault
		if code(err)/100 == 5 {
			fault = core.DeliveryFault
		}
		return nil, &failure{fault, fmt.Errorf("mail: %w", err)}
	}
	_ = client.Quit() // it has been taken
	return refused, nil
}

// recipients names them and returns those that are refused. One that is
// refused for the moment holds the first attempt back for all; later ones go to
// whom they can.
func (s *Sender) recipients(client *smtp.Client, attempt int) (refused []error, err error) {
	for _, to := range s.to {
		err := client.Rcpt(to.Address)
		if err == nil {
			continue
		}
		refused = append(refused, fmt.Errorf("recipient %s: %w", to.Address, err))
		if code(err)/100 == 4 && attempt < 2 || code(err) == 0 || code(err) == 421 {
			return nil, refused[len(refused)-1]
		}
	}
	if len(refused) == len(s.to) {
		return nil, errors.Join(refused...)
	}
	return refused, nil
}

// code returns the server's, zero if it didn't answer.
func code(err error) int {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code
	}
	return 0
}

// open greets the server, encrypts and logs in.
func (s *Sender) open(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	if s.settings.TLS == "implicit" {
		secured := tls.Client(conn, s.secure)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		conn = secured
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if err := client.Hello(domain(s.from)); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	if s.settings.TLS == "starttls" {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return nil, errors.New("the server offers no STARTTLS")
		}
		if err := client.StartTLS(s.secure.Clone()); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
	}
	if s.settings.Username == "" {
		return client, nil
	}
	return client, s.login(client)
}

func (s *Sender) login(client *smtp.Client) error {
	ok, offered := client.Extension("AUTH")
	if !ok {
		return errors.New("the server offers no login")
	}
	if err := client.Auth(s.auth(strings.Fields(strings.ToUpper(offered)))); err != nil {
		return fmt.Errorf("login as %s: %w", s.settings.Username, err)
	}
	return nil
}

// domain is that of an address: our name to the server, and in message ids.
func domain(a *mail.Address) string {
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}
