package sdk

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

type lax[T any] struct{ V T }

func (l *lax[T]) UnmarshalJSON(raw []byte) error { return json.Unmarshal(raw, &l.V) }

func (l *lax[T]) JSONShape() any { return l.V }

type base struct {
	ID string `json:"id"`
}

type tree struct {
	base

	Title    string            `json:"title,omitempty"`
	Labels   map[string]string `json:"labels"`
	At       time.Time         `json:"at"`
	Untagged int
	Hidden   int `json:"-"`
	own      int
	Raw      json.RawMessage         `json:"raw"`
	Parts    []struct{ Name string } `json:"parts"`
	Words    []string                `json:"words"`
	Lax      lax[struct {
		Deep *struct{ X int } `json:"deep"`
	}] `json:"lax"`
}

func TestPathsOfAType(t *testing.T) {
	want := []string{
		"Untagged", "at", "id", "labels", "lax", "lax.deep", "lax.deep.X", "parts", "parts[].Name", "raw", "title", "words",
	}
	if got := PathsOf[tree](); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := PathsOf[base]("a", "b.c"), []string{"a", "a.id", "b.c", "b.c.id"}; !slices.Equal(got, want) {
		t.Errorf("below others: got %q, want %q", got, want)
	}
	type ring struct{ Next *ring }
	if got := PathsOf[ring](); len(got) > 2*maxPathDepth {
		t.Errorf("a type that holds itself has %d paths", len(got))
	}
	_ = tree{}.own
}
