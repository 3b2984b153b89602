package flat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMembersAreReadWhateverTheyAre(t *testing.T) {
	m, err := Parse([]byte(`{"text":" a ","number":1.50,"bool":true,"null":null,"list":["a",1,{"x":"y"},null,[]],"object":{"b":"c"},"empty":""}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{ // exact, text
		"text": {" a ", "a"}, "number": {"1.50", "1.50"}, "bool": {"", "true"}, "null": {}, "list": {}, "object": {}, "empty": {}, "none": {},
	} {
		if got := [2]string{m.Exact(name), m.Text(name)}; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := m.First("none", "null", "empty", "number", "text"); got != "1.50" {
		t.Errorf("First = %q, want 1.50", got)
	}
	if got := m.Texts("list"); !slices.Equal(got, []string{"a", "1"}) {
		t.Errorf("Texts of a list = %q, want a and 1", got)
	}
	if got := m.Texts("text"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("Texts of one = %q, want a", got)
	}
	if got := m.Objects("list"); len(got) != 1 || got[0].Text("x") != "y" {
		t.Errorf("Objects = %v, want one", got)
	}
	if m.Object("object").Text("b") != "c" || len(m.Object("text")) != 0 || len(m.Objects("object")) != 0 {
		t.Error("an object is read as something else")
	}
}

func TestLabelsHaveBounds(t *testing.T) {
	m := Members{"long": []byte(`"` + strings.Repeat("x", maxLabel+1) + `"`), "team": []byte(`"mine"`), "tier": []byte(`1`)}
	got := m.Labels(map[string]string{"team": "theirs"})
	if len(got) != 2 || got["team"] != "theirs" || got["tier"] != "1" {
		t.Errorf("labels %v, want what was there and what is short", got)
	}
	for i := range 2 * maxLabels {
		m[fmt.Sprint(i)] = []byte(`"x"`)
	}
	if got := m.Labels(map[string]string{}); len(got) != maxLabels {
		t.Errorf("%d labels, want %d", len(got), maxLabels)
	}
}
