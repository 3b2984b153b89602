// Package destination is the list of destination types: what each is called,
// what its settings are and how a sender is made of them.
package destination

import (
	"fmt"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/alertmanager"
	"bellcrank.example/core/destination/discord"
	"bellcrank.example/core/destination/email"
	"bellcrank.example/core/destination/log"
	"bellcrank.example/core/destination/mattermost"
	"bellcrank.example/core/destination/opsgenie"
	"bellcrank.example/core/destination/pagerduty"
	"bellcrank.example/core/destination/runframe"
	"bellcrank.example/core/destination/slack"
	"bellcrank.example/core/destination/teams"
	"bellcrank.example/core/destination/telegram"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/sdk"
)

// Type is a kind of destination.
type Type struct {
	Name     string // as configuration writes it
	Summary  string // one sentence
	Settings []sdk.Setting
	Memory   bool // its senders remember something of each incident
	Plugged  bool // it comes from a plugin
	// Events are the kinds that a destination takes unless its configuration
	// says otherwise; all if empty.
	Events []core.Kind
	// New makes a sender. An error says which setting is wrong and repeats no
	// secret.
	New func(Config) (core.Sender, error)
}

// Config is what a sender is made of.
type Config = core.SenderConfig

// typeOf describes a type whose settings are those of S.
func typeOf[S any, T core.Sender](name, summary string, make func(Config) (T, error)) Type {
	return Type{
		Name: name, Summary: summary, Settings: sdk.SettingsOf[S](),
		New: func(c Config) (core.Sender, error) {
			s, err := make(c)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

// taking returns the type with the kinds that its destinations take by default.
func (t Type) taking(kinds []core.Kind) Type {
	t.Events = kinds
	return t
}

// remembering returns the type as one whose senders remember something.
func (t Type) remembering() Type {
	t.Memory = true
	return t
}

// Types lists the types in order of name.
func Types() []Type {
	return []Type{
		typeOf[alertmanager.Settings]("alertmanager", "Hands incidents over to a Prometheus Alertmanager.", alertmanager.New).remembering(),
		typeOf[discord.Settings]("discord", "Keeps one message per incident in a Discord channel.", discord.New).remembering(),
		typeOf[email.Settings]("email", "Mails each change through an SMTP server.", email.New),
		typeOf[log.Settings]("log", "Appends a JSON line for each change to a file or standard output.",
			func(c Config) (*log.Sender, error) { return log.New(c.Settings) }),
		typeOf[mattermost.Settings]("mattermost", "Posts each change to a Mattermost channel.", mattermost.New),
		typeOf[opsgenie.Settings]("opsgenie", "Creates, acknowledges and closes alerts in Opsgenie or Jira Service Management.", opsgenie.New),
		typeOf[pagerduty.Settings]("pagerduty", "Triggers, acknowledges and resolves alerts by PagerDuty's Events API v2.", pagerduty.New),
		typeOf[runframe.Settings]("runframe", "Creates incidents in Runframe.", runframe.New).taking(runframe.Events()),
		typeOf[slack.Settings]("slack", "Posts to a Slack channel; with a bot's token one message per incident, updated and threaded.", slack.New).remembering(),
		typeOf[teams.Settings]("teams", "Posts each change to Microsoft Teams as a card.", teams.New),
		typeOf[telegram.Settings]("telegram", "Keeps one message per incident in a Telegram chat.", telegram.New).remembering(),
		typeOf[webhook.Settings]("webhook", "Posts each change as JSON, signed as Standard Webhooks.",
			func(c Config) (*webhook.Sender, error) {
				return webhook.New(webhook.Config{Settings: c.Settings, AllowedCIDRs: c.AllowedCIDRs, Templates: c.Templates})
			}),
	}
}

// Find returns the type of that name.
func Find(name string) (Type, error) {
	types := Types()
	if i := slices.IndexFunc(types, func(t Type) bool { return t.Name == name }); i >= 0 {
		return types[i], nil
	}
	return Type{}, fmt.Errorf("unknown destination type %q", name)
}
