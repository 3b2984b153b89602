// Package config reads the operator's HCL files and makes core values of them:
// integrations, destinations, routes, and what the process needs to start.
//
// Every mistake is reported in one pass, each with its place. Nothing outside
// of this package knows HCL: conditions leave it as Go functions, secrets as
// core.Secret.
package config

import (
	"net/netip"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

// Source says where a configuration comes from. Paths and Describe are
// required.
type Source struct {
	// Paths are files and directories. Of a directory all *.hcl and *.hcl.json
	// files are read in alphabetical order, without those below it, hidden and
	// temporary ones, and LockName.
	Paths []string
	// Describe returns what a plugin declares, as recorded when it was locked.
	Describe func(Plugin) (sdk.Info, bool)
	// Getenv is behind env(); os.LookupEnv if nil.
	Getenv func(string) (string, bool)
	// ReadFile reads configuration files and is behind file(); os.ReadFile if
	// nil.
	ReadFile func(string) ([]byte, error)
	// DestinationTypes lists the types that may be used; destination.Types()
	// if nil.
	DestinationTypes []destination.Type
	// NewSender makes the sender of a destination whose settings are valid. An
	// error is shown at the settings. The type's New if nil.
	NewSender func(destination.Type, destination.Config) (core.Sender, error)
}

// LockName is the file beside the configuration that pins plugins.
const LockName = "bellcrank.lock.hcl"

// Config is a whole configuration. Where a comment names no default, the zero
// value is left to the part that uses it.
type Config struct {
	Name            string // of this gateway; "bellcrank" by default
	Environment     string
	DataDir         string // "/var/lib/bellcrank" by default
	PluginDirectory string // of other people's plugins; empty: "plugins" beside the binary
	PluginCgroup    string // whether the kernel holds plugins to their limits: auto, required or off; auto by default
	PublicURL       string // absolute, without a slash at its end; empty: not known

	Ingest    Listener // on 127.0.0.1:8080 by default
	Admin     Listener // on 127.0.0.1:8081 by default
	Storage   Storage
	Telemetry Telemetry
	Retention Retention

	// AdminToken opens the admin listener. Empty: <data_dir>/admin.token, made
	// on first start.
	AdminToken core.Secret

	// Plugins are those that are declared and those that integrations use
	// without a declaration, in that order.
	Plugins      []Plugin
	Integrations []*core.Integration
	Destinations []*core.Destination
	Filters      map[string]route.Filter // of destinations that have one, by "TYPE/NAME"
	Routes       []route.Route
	Quiets       []route.Quiet    // silences and windows
	Tests        []Test           // what `bellcrank validate -test` runs
	Services     []core.Service   // the catalogue
	Heartbeats   []core.Heartbeat // of integrations that aren't disabled

	Files []string // that were read
}

// Listener is an address that we serve.
type Listener struct {
	Address             string // host:port
	TrustedProxies      []netip.Prefix
	ReadTimeout         time.Duration
	WriteTimeout        time.Duration
	IdleTimeout         time.Duration
	MaxHeader           int64 // bytes of request line and headers
	MaxConnections      int
	MaxConnectionsPerIP int
	MaxBodies           int64 // bytes of all bodies in flight; ingest only
}

// Storage is the database.
type Storage struct {
	Type string // "sqlite"
	Path string // "<data_dir>/bellcrank.db" by default
}

// Telemetry is what the gateway says of itself.
type Telemetry struct {
	LogLevel  string // debug, info, warn or error; info by default
	LogFormat string // text or json; text by default
	AccessLog bool   // true by default
}

// Retention is how long things are kept after their end.
type Retention struct {
	RawPayloads time.Duration // 14 days by default
	Incidents   time.Duration // 90 days by default
	Deliveries  time.Duration // 30 days by default
	DeadLetters time.Duration // 30 days by default
}

// Plugin is an executable that adapts requests.
type Plugin struct {
	Name     string
	Type     string // of the integrations that it adapts; the name by default
	Version  string // empty: the only one that is locked
	SHA256   string // in hex; overrides the lock file
	Args     []string
	Env      map[string]core.Secret
	Memory   int64         // greatest resident size in bytes
	Timeout  time.Duration // of one call
	InFlight int           // calls at a time
	// Processor is how much processor time a call may take before the process is
	// held back.
	Processor time.Duration
	Nice      int    // added to the process's niceness
	Sandbox   string // required, best-effort or off; best-effort by default
	Shadow    string // another version that reads along; empty: none
	Standby   bool   // a second process stands by
	// ReadPaths are files and folders that a confined process may read and
	// execute.
	ReadPaths []string
	Declared  bool // there is a plugin block
}

// defaults returns a configuration in which nothing is set.
func defaults() *Config {
	const day = 24 * time.Hour
	return &Config{
		Name:    "bellcrank",
		Filters: map[string]route.Filter{},
		DataDir: "/var/lib/bellcrank", PluginCgroup: "auto",
		Ingest:    Listener{Address: "127.0.0.1:8080"},
		Admin:     Listener{Address: "127.0.0.1:8081"},
		Storage:   Storage{Type: "sqlite"},
		Telemetry: Telemetry{LogLevel: "info", LogFormat: "text", AccessLog: true},
		Retention: Retention{RawPayloads: 14 * day, Incidents: 90 * day, Deliveries: 30 * day, DeadLetters: 30 * day},
	}
}
