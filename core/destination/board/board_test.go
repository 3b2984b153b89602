package board

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"bellcrank.example/core"
)

// wall is a chat in memory that notes what it was asked.
type wall struct {
	posted int
	gone   bool
	status int // of updates and notes
	asked  []string
}

func (w *wall) Post(context.Context, core.Message) core.Answer {
	w.posted++
	w.asked = append(w.asked, "post")
	return core.Answer{Status: 200, Remember: fmt.Sprint(w.posted)}
}

func (w *wall) Update(_ context.Context, m core.Message) core.Answer { return w.change("update", m) }

func (w *wall) Note(_ context.Context, m core.Message) core.Answer { return w.change("note", m) }

func (w *wall) change(what string, m core.Message) core.Answer {
	w.asked = append(w.asked, what+" "+m.Memory)
	if w.gone {
		return core.Answer{Status: 404, Err: fmt.Errorf("change: %w", ErrGone)}
	}
	return core.Answer{Status: w.status}
}

func TestAMessageIsPostedOnceAndChangedAfterwards(t *testing.T) {
	tests := map[string]struct {
		style    Style
		memory   string
		wall     wall
		want     []string
		status   int
		remember string
	}{
		"at first":       {wall: wall{status: 200}, want: []string{"post"}, status: 200, remember: "1"},
		"a change":       {memory: "7", wall: wall{status: 200}, want: []string{"update 7", "note 7"}, status: 200},
		"updates only":   {style: Style{Changes: "update"}, memory: "7", wall: wall{status: 200}, want: []string{"update 7"}, status: 200},
		"notes only":     {style: Style{Changes: "note"}, memory: "7", wall: wall{status: 200}, want: []string{"note 7"}, status: 200},
		"a failure":      {memory: "7", wall: wall{status: 500}, want: []string{"update 7"}, status: 500},
		"a deleted one":  {memory: "7", wall: wall{gone: true}, want: []string{"update 7", "post"}, status: 200, remember: "1"},
		"deleted, noted": {style: Style{Changes: "note"}, memory: "7", wall: wall{gone: true}, want: []string{"note 7", "post"}, status: 200, remember: "1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := tt.style.Send(t.Context(), &tt.wall, core.Message{Memory: tt.memory})
			if !slices.Equal(tt.wall.asked, tt.want) || a.Status != tt.status || a.Remember != tt.remember {
				t.Errorf("asked for %q, answer %+v; want %q, %d and %q remembered", tt.wall.asked, a, tt.want, tt.status, tt.remember)
			}
		})
	}
}
