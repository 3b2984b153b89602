package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a window's zone is known on every machine

	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core/route"
)

// quietBlock reads what silences and windows have in common.
func (l *loader) quietBlock(b *block) route.Quiet {
	q := route.Quiet{Name: b.kind + " " + b.labels[0]}
	if !b.matchOrWhen(&q.Match, &q.When) {
		l.errorf(&b.at, "Nothing selected", "Add a match block; to hold everything back, write integration = \"*\" in it.")
	}
	b.text("author", &q.Author)
	b.text("reason", &q.Reason)
	if strings.TrimSpace(q.Reason) == "" {
		l.errorf(b.where("reason"), "No reason", "Whoever looks for a missing page wants to know why: add a reason.")
	}
	return q
}

// matchOrWhen reads a block's match block and its condition, and reports
// whether there is any of them.
func (b *block) matchOrWhen(match *route.Matcher, when *incidentCondition) bool {
	b.one("match", func(b *block) { b.match(match) })
	if attr, ok := b.content.Attributes["when"]; ok {
		*when = b.l.condition(attr.Expr)
	}
	return !match.Empty() || b.has("when")
}

func (l *loader) silence(b *block) {
	q := l.quietBlock(b)
	var from, to time.Time
	read(b, "starts", cty.String, &from, parseTime(time.UTC))
	if !b.has("ends") {
		l.errorf(&b.at, "No end", "A silence ends: add ends. What comes again belongs in a window.")
	} else if read(b, "ends", cty.String, &to, parseTime(time.UTC)) && !to.After(from) {
		l.errorf(b.where("ends"), "Invalid ends", "It ends before it starts.")
	}
	q.Active = route.Between(from, to)
	l.cfg.Quiets = append(l.cfg.Quiets, q)
}

func (l *loader) window(b *block) {
	q := l.quietBlock(b)
	r := &route.Recurrence{Zone: time.UTC, To: 24 * 60}
	read(b, "timezone", cty.String, &r.Zone, func(v cty.Value) (*time.Location, error) {
		zone, err := time.LoadLocation(v.AsString())
		if err != nil || v.AsString() == "Local" {
			return nil, fmt.Errorf(`%q is no time zone; write one such as "Europe/Zurich" or "UTC"`, v.AsString())
		}
		return zone, nil
	})
	read(b, "starts", cty.String, &r.Starts, parseTime(r.Zone))
	if read(b, "ends", cty.String, &r.Ends, parseTime(r.Zone)) && !r.Ends.After(r.Starts) {
		l.errorf(b.where("ends"), "Invalid ends", "It ends before it starts.")
	}
	read(b, "from", cty.String, &r.From, parseClock)
	read(b, "to", cty.String, &r.To, parseClock)
	b.days(r)
	if b.recurs() {
		q.Active = r.Active
	} else {
		if !b.has("starts") || !b.has("ends") {
			l.errorf(&b.at, "No time", "Say when: starts and ends for once; from, to, days, days_of_month or months for again and again.")
		}
		q.Active = route.Between(r.Starts, r.Ends)
	}
	l.cfg.Quiets = append(l.cfg.Quiets, q)
}

// recurs reports whether a window comes again.
func (b *block) recurs() bool {
	return slices.ContainsFunc([]string{"from", "to", "days", "days_of_month", "months"}, b.has)
}

func (b *block) days(r *route.Recurrence) {
	var words []string
	ranges(b, "days", weekdays, func(i int) { r.Days = append(r.Days, time.Weekday(i)) })
	ranges(b, "months", months, func(i int) { r.Months = append(r.Months, time.Month(i+1)) })
	b.strings("days_of_month", &words)
	for i, word := range words {
		n, err := strconv.Atoi(word)
		if err != nil || n < -31 || n > 31 || n == 0 {
			b.wrong(b.element("days_of_month", i), "days_of_month", fmt.Errorf("%q is no day; want 1 to 31, or -1 for the last", word))
		}
		r.MonthDays = append(r.MonthDays, n)
	}
}

var (
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
)

// ranges reads a list of names and ranges of names, such as "mon-fri".
func ranges(b *block, name string, names []string, add func(int)) {
	var words []string
	b.strings(name, &words)
	for i, word := range words {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(names, first), slices.Index(names, last)
		if from < 0 || to < 0 {
			b.wrong(b.element(name, i), name, fmt.Errorf("%q is none of %s, nor a range of them", word, strings.Join(names, ", ")))
			continue
		}
		for n := from; ; n = (n + 1) % len(names) {
			if add(n); n == to {
				break
			}
		}
	}
}

// parseTime reads a time with its offset, or one that a clock in the zone
// shows.
func parseTime(zone *time.Location) func(cty.Value) (time.Time, error) {
	return func(v cty.Value) (time.Time, error) {
		if t, err := time.Parse(time.RFC3339, v.AsString()); err == nil {
			return t, nil
		}
		t, err := time.ParseInLocation("2006-01-02 15:04", v.AsString(), zone)
		if err != nil {
			return t, errors.New(`want a time such as "2026-12-01T22:00:00Z" or "2026-12-01 22:00"`)
		}
		return t, nil
	}
}

// parseClock reads "22:00" as minutes since midnight.
func parseClock(v cty.Value) (int, error) {
	if v.AsString() == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", v.AsString())
	if err != nil {
		return 0, fmt.Errorf(`%q is no time of day; write one such as "22:00"`, v.AsString())
	}
	return t.Hour()*60 + t.Minute(), nil
}
