package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

// matchFlags select incidents as the match block of a route does.
type matchFlags struct {
	admin.Matcher
	labels []string
}

func (f *matchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Integration, "integration", nil, "TYPE/NAME, a pattern; may be repeated")
	flags.StringArrayVar(&f.Severity, "severity", nil, "a level, or a comparison such as '>=High'; may be repeated")
	flags.StringArrayVar(&f.Service, "service", nil, "its service, a pattern; may be repeated")
	flags.StringArrayVar(&f.Title, "title", nil, "its title, a pattern; may be repeated")
	flags.StringArrayVar(&f.labels, "label", nil, "NAME=PATTERN; may be repeated, all must match")
}

func (f *matchFlags) matcher() (admin.Matcher, error) {
	labels, err := parseLabels(f.labels)
	f.Labels = labels
	return f.Matcher, err
}

func parseLabels(pairs []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("-label %q: want NAME=VALUE", pair)
		}
		labels[name] = value
	}
	return labels, nil
}

func (a *console) silenceCommand() *cobra.Command {
	return group("silence", "silences: hold the news of incidents back for a while",
		a.silenceAdd(), a.silenceList(), a.silenceShow(), a.silenceExpire(), a.silencePreview())
}

// silenceTimes are the flags that say when a silence holds.
type silenceTimes struct{ length, starts, ends string }

func (t *silenceTimes) apply(s *admin.NewSilence) error {
	if (t.length == "") == (t.ends == "") {
		return errors.New("say how long with -for, or until when with -ends")
	}
	s.For = t.length
	for _, moment := range []struct {
		flag, value string
		to          *admin.Time
	}{{"-starts", t.starts, &s.StartsAt}, {"-ends", t.ends, &s.EndsAt}} {
		if moment.value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, moment.value)
		if err != nil {
			return fmt.Errorf("%s %q: want a time such as 2026-12-01T22:00:00Z", moment.flag, moment.value)
		}
		moment.to.Time = at
	}
	return nil
}

func (a *console) silenceAdd() *cobra.Command {
	var match matchFlags
	var times silenceTimes
	var asked admin.NewSilence
	cmd := &cobra.Command{
		Use: "add", Short: "make a silence",
		Long: "Holds the news of matching incidents back, from now on or from -starts. What was told of before still\n" +
			"resolves. At the end each incident that is still open notifies once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := times.apply(&asked); err != nil {
				return err
			}
			var err error
			if asked.Match, err = match.matcher(); err != nil {
				return err
			}
			asked.Author = cmp.Or(asked.Author, whoAmI())
			s, err := send[admin.Silence](cmd.Context(), "/v1/silences", asked)
			if err != nil {
				return err
			}
			return a.show(s, func() {
				fmt.Fprintf(a.out, "silence %s, until %s: %s\n", s.ID, s.EndsAt.Format(time.RFC3339), matcherLine(s.Match))
			})
		},
	}
	match.add(cmd)
	cmd.Flags().StringVar(&times.length, "for", "", "how long, such as 2h")
	cmd.Flags().StringVar(&times.starts, "starts", "", "from when, such as 2026-12-01T22:00:00Z; now if not given")
	cmd.Flags().StringVar(&times.ends, "ends", "", "until when, instead of -for")
	cmd.Flags().StringVar(&asked.Reason, "reason", "", "why; needed")
	cmd.Flags().StringVar(&asked.Author, "author", "", "who; you if not given")
	return cmd
}

// whoAmI is the name of who runs the command.
func whoAmI() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "unknown")
}

func (a *console) silencePreview() *cobra.Command {
	var match matchFlags
	cmd := &cobra.Command{
		Use: "preview", Short: "show which open incidents a silence would match", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := match.matcher()
			if err != nil {
				return err
			}
			p, err := send[admin.Preview](cmd.Context(), "/v1/silences/preview", admin.NewSilence{Match: m})
			if err != nil {
				return err
			}
			return a.show(p, func() {
				fmt.Fprintf(a.out, "%s would match\n", counted(p.Total, "open incident"))
				a.printIncidents(p.Incidents)
			})
		},
	}
	match.add(cmd)
	return cmd
}

// silenceLists is the answer of GET /v1/silences.
type silenceLists struct {
	Silences   []admin.Silence `json:"silences"`
	Configured []admin.Quiet   `json:"configured"`
}

func (a *console) silenceList() *cobra.Command {
	ended := false
	cmd := &cobra.Command{
		Use: "list", Short: "list silences and windows", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if ended {
				query.Set("ended", "true")
			}
			lists, err := get[silenceLists](cmd.Context(), "/v1/silences", query)
			if err != nil {
				return err
			}
			return a.show(lists, func() { a.printSilences(lists) })
		},
	}
	cmd.Flags().BoolVar(&ended, "ended", false, "also those that are over")
	return cmd
}

func (a *console) printSilences(lists silenceLists) {
	var rows [][]any
	for _, s := range lists.Silences {
		end := s.EndsAt
		if !s.ExpiredAt.IsZero() {
			end = s.ExpiredAt
		}
		rows = append(rows, []any{s.ID, string(s.State), end.Format(time.DateTime), s.Author, clip(matcherLine(s.Match), 60), clip(s.Reason, 60)})
	}
	for _, q := range lists.Configured {
		state, until := "inactive", ""
		if q.Active {
			state, until = "active", q.Until.UTC().Format(time.DateTime)
		}
		rows = append(rows, []any{q.Name, state, until, cmp.Or(q.Author, "configuration"), "", clip(q.Reason, 60)})
	}
	a.printTable([]any{"silence", "state", "until (utc)", "author", "match", "reason"}, rows)
}

func matcherLine(m admin.Matcher) string {
	var words []string
	for _, part := range []struct {
		name string
		any  []string
	}{{"integration", m.Integration}, {"severity", m.Severity}, {"service", m.Service}, {"title", m.Title}} {
		if len(part.any) > 0 {
			words = append(words, part.name+"="+strings.Join(part.any, "|"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Labels)) {
		words = append(words, name+"="+m.Labels[name])
	}
	return strings.Join(words, " ")
}

func (a *console) silenceShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "show one silence and whose news it holds back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := get[admin.Silence](cmd.Context(), "/v1/silences/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(s, func() { a.printSilence(s) })
		},
	}
}

func (a *console) printSilence(s admin.Silence) {
	fmt.Fprintf(a.out, "silence %s  %s\n", s.ID, s.State)
	lines := [][2]string{
		{"match", matcherLine(s.Match)}, {"author", s.Author}, {"reason", s.Reason}, {"made", s.CreatedAt.Format(time.RFC3339)},
		{"from", s.StartsAt.Format(time.RFC3339)}, {"until", s.EndsAt.Format(time.RFC3339)},
	}
	if !s.ExpiredAt.IsZero() {
		lines = append(lines, [2]string{"expired", s.ExpiredAt.Format(time.RFC3339) + " by " + s.ExpiredBy})
	}
	for _, line := range lines {
		fmt.Fprintf(a.out, "  %-8s %s\n", line[0], printable(line[1]))
	}
	fmt.Fprintf(a.out, "\nit holds back the news of %s\n", counted(len(s.Holding), "incident"))
	a.printIncidents(s.Holding)
}

func (a *console) silenceExpire() *cobra.Command {
	author := ""
	cmd := &cobra.Command{
		Use: "expire ID", Short: "end a silence before its time; what it held back notifies at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.expire(cmd.Context(), args[0], cmp.Or(author, whoAmI()))
		},
	}
	cmd.Flags().StringVar(&author, "author", "", "who; you if not given")
	return cmd
}

func (a *console) expire(ctx context.Context, id, author string) error {
	s, err := send[admin.Silence](ctx, "/v1/silences/"+url.PathEscape(id)+"/expire", map[string]string{"author": author})
	if err != nil {
		return err
	}
	return a.show(s, func() { fmt.Fprintf(a.out, "silence %s is over\n", s.ID) })
}

func (a *console) heartbeatCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list heartbeats that are expected, and how they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := get[struct {
				Heartbeats []admin.Heartbeat `json:"heartbeats"`
			}](cmd.Context(), "/v1/heartbeats", nil)
			if err != nil {
				return err
			}
			return a.show(answer.Heartbeats, func() { a.printHeartbeats(answer.Heartbeats) })
		},
	}
	return group("heartbeat", "what is expected to be sent now and then", list)
}

func (a *console) printHeartbeats(list []admin.Heartbeat) {
	var rows [][]any
	for _, h := range list {
		state, last := "ok", "never"
		if !h.MissingAt.IsZero() {
			state = "MISSING"
		}
		if !h.LastAt.IsZero() {
			last = h.LastAt.Format(time.DateTime)
		}
		rows = append(rows, []any{h.Integration, state, h.Every, h.Grace, last, h.DueAt.Format(time.DateTime)})
	}
	a.printTable([]any{"heartbeat", "state", "every", "grace", "last (utc)", "due (utc)"}, rows)
}

// noiseFacts tell how the news of an incident is kept down.
func noiseFacts(n admin.Noise) [][2]string {
	var lines [][2]string
	if n.HeldBy != "" {
		lines = append(lines, [2]string{"held by", n.HeldBy + ", until " + moment(n.HeldUntil)})
	}
	if n.Group != "" {
		lines = append(lines, [2]string{"group", "told by another incident, " + n.Group})
	}
	if n.Members > 0 {
		lines = append(lines, [2]string{"group", fmt.Sprintf("of %s, %d of them open", counted(n.Members, "incident"), n.Burning)})
	}
	if !n.FlappingSince.IsZero() {
		lines = append(lines, [2]string{"flapping", "since " + moment(n.FlappingSince) + ", held open"})
	}
	return lines
}
