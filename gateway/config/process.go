package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func (l *loader) listener(b *block) {
	var to *Listener
	switch b.labels[0] {
	case "ingest":
		to = &l.cfg.Ingest
	case "admin":
		to = &l.cfg.Admin
		if b.has("max_bodies") {
			l.errorf(b.where("max_bodies"), "Invalid max_bodies", "Only the listener \"ingest\" has it.")
		}
	default:
		l.errorf(&b.at, "Unknown listener", "%s.", sentence(among(b.labels[0], []string{"ingest", "admin"})))
		return
	}
	read(b, "address", cty.String, &to.Address, func(v cty.Value) (string, error) {
		return v.AsString(), checkAddress(v.AsString())
	})
	b.cidrs("trusted_proxies", &to.TrustedProxies)
	b.positive("read_timeout", &to.ReadTimeout)
	b.positive("write_timeout", &to.WriteTimeout)
	b.positive("idle_timeout", &to.IdleTimeout)
	b.size("max_header", &to.MaxHeader)
	b.count("max_connections", &to.MaxConnections)
	b.count("max_connections_per_ip", &to.MaxConnectionsPerIP)
	b.size("max_bodies", &to.MaxBodies)
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf(`%q is no address; write one such as "127.0.0.1:8080" or ":8080"`, address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port number", port)
	}
	return nil
}

func (l *loader) storage(b *block) {
	switch kind := b.labels[0]; kind {
	case "sqlite":
		b.path("path", &l.cfg.Storage.Path)
	case "postgres":
		l.errorf(&b.at, "Not supported yet", `This version stores in "sqlite" only.`)
	default:
		l.errorf(&b.at, "Unknown storage", "%s.", sentence(among(kind, []string{"sqlite"})))
	}
}

func (l *loader) admin(b *block) {
	if !b.secret("token", &l.cfg.AdminToken) {
		return
	}
	if n := len(l.cfg.AdminToken.Reveal()); n < 24 {
		l.errorf(b.where("token"), "Invalid token", "A token needs 24 characters, this one has %d.", n)
	}
}

func (l *loader) telemetry(b *block) {
	b.oneOf("log_level", &l.cfg.Telemetry.LogLevel, "debug", "info", "warn", "error")
	b.oneOf("log_format", &l.cfg.Telemetry.LogFormat, "text", "json")
	b.boolean("access_log", &l.cfg.Telemetry.AccessLog)
}

func (l *loader) retention(b *block) {
	r := &l.cfg.Retention
	b.positive("raw_payloads", &r.RawPayloads)
	b.positive("incidents", &r.Incidents)
	b.positive("deliveries", &r.Deliveries)
	b.positive("dead_letters", &r.DeadLetters)
}

func (l *loader) retry(b *block) {
	r, ok := l.retries[b.labels[0]]
	if !ok {
		r = core.DefaultRetry()
	}
	r.Name = b.labels[0]
	if list(b, "schedule", &r.Schedule, parseDuration) {
		var total time.Duration
		for _, delay := range r.Schedule {
			total += delay
		}
		if len(r.Schedule) == 0 || total > 30*24*time.Hour {
			l.errorf(b.where("schedule"), "Invalid schedule", "Want one delay or more, of 30 days at most in all.")
		}
	}
	read(b, "jitter", cty.Number, &r.Jitter, func(v cty.Value) (float64, error) {
		f, _ := v.AsBigFloat().Float64()
		if f < 0 || f > 1 {
			return 0, errors.New("want a number from 0 to 1")
		}
		return f, nil
	})
	b.oneOf("on_exhausted", &r.OnExhausted, "disable", "dead")
	b.positive("max_age", &r.MaxAge)
	if b.text("notify", &r.Notify) {
		b.destinationNamed("notify", r.Notify)
	}
	l.retries[r.Name] = r
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (b *block) sha256(name string, to *string) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (string, error) {
		if !sha256Form.MatchString(v.AsString()) {
			return "", errors.New("want a SHA-256 as 64 hexadecimal digits in lower case")
		}
		return v.AsString(), nil
	})
}

// readPaths reads what a confined process may read. A relative path would mean
// another file wherever the gateway is started.
func (b *block) readPaths(to *[]string) {
	list(b, "read_paths", to, func(raw string) (string, error) {
		if !filepath.IsAbs(raw) {
			return "", errors.New("want an absolute path")
		}
		return filepath.Clean(raw), nil
	})
}

func (b *block) niceness(name string, to *int) {
	b.count(name, to)
	if *to > 19 {
		b.wrong(b.where(name), name, errors.New("want a number from 1 to 19"))
	}
}

func (l *loader) plugin(b *block) {
	p := Plugin{Name: b.labels[0], Type: b.labels[0], Declared: true}
	b.text("type", &p.Type)
	b.text("version", &p.Version)
	b.sha256("sha256", &p.SHA256)
	b.strings("args", &p.Args)
	var env map[string]string
	if b.stringMap("env", &env) {
		p.Env = map[string]core.Secret{}
		for name, value := range env {
			p.Env[name] = core.NewSecret(value)
		}
	}
	b.oneOf("sandbox", &p.Sandbox, "required", "best-effort", "off")
	b.readPaths(&p.ReadPaths)
	b.boolean("standby", &p.Standby)
	if b.text("shadow", &p.Shadow) {
		l.shadow(b, p)
	}
	b.one("limits", func(b *block) {
		b.size("memory", &p.Memory)
		b.positive("timeout", &p.Timeout)
		b.count("in_flight", &p.InFlight)
		b.positive("processor", &p.Processor)
		b.niceness("nice", &p.Nice)
	})
	l.cfg.Plugins = append(l.cfg.Plugins, p)
}

// shadow checks that a version which shall read along is there, and another.
func (l *loader) shadow(b *block, p Plugin) {
	other := p
	other.Version, other.SHA256 = p.Shadow, ""
	serving, known := l.src.Describe(p)
	info, pinned := l.src.Describe(other)
	switch {
	case !pinned:
		l.errorf(b.where("shadow"), "Unknown version",
			"No version %q of %s is pinned. If its executable is in place, run `bellcrank plugin lock`.", p.Shadow, p.Type)
	case p.Version == p.Shadow, known && p.Version == "" && info.Version == serving.Version && info.Version != "":
		l.errorf(b.where("shadow"), "Invalid shadow", "Version %s serves itself; name another one.", p.Shadow)
	case info.Role == sdk.RoleDestination:
		l.errorf(b.where("shadow"), "Invalid shadow", "Plugin %s is a destination: what it sent would be sent twice.", p.Name)
	}
}
