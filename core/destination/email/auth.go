package email

import (
	"errors"
	"net/smtp"
	"slices"
	"strings"
)

// auth chooses among what the server offers. The connection is encrypted.
func (s *Sender) auth(offered []string) smtp.Auth {
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", s.settings.Username, s.settings.Password, s.host)
	case slices.Contains(offered, "LOGIN"):
		return &login{username: s.settings.Username, password: s.settings.Password}
	}
	return smtp.CRAMMD5Auth(s.settings.Username, s.settings.Password)
}

// login is the mechanism LOGIN, which some servers offer alone: the name and
// the password, each when it is asked for.
type login struct{ username, password string }

// Start names the mechanism.
func (l *login) Start(*smtp.ServerInfo) (mechanism string, initial []byte, err error) {
	return "LOGIN", nil, nil
}

// Next answers a question.
func (l *login) Next(question []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	asked := strings.ToLower(string(question))
	switch {
	case strings.HasPrefix(asked, "user"):
		return []byte(l.username), nil
	case strings.HasPrefix(asked, "pass"):
		return []byte(l.password), nil
	}
	return nil, errors.New("the server asks for neither name nor password")
}
