package wording

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscapedTextsAreHarmless(t *testing.T) {
	tests := map[string]struct {
		escaping Escaping
		in, want string
		n        int
	}{
		"HTML":               {HTML(), `<b>"a" & b</b>`, "&lt;b&gt;&#34;a&#34; &amp; b&lt;/b&gt;", 100},
		"Markdown":           {Markdown(), "[x](http://a) *b*", `\[x\]\(http://a\) \*b\*`, 100},
		"control characters": {HTML(), "a\x00b\r\nc\u202ed\te", "ab\ncd\te", 100},
		"broken characters":  {HTML(), "a\xffb", "a\uFFFDb", 100},
		"a limit":            {HTML(), "&&&&", "&amp;&amp;", 11},
		"a limit before":     {HTML(), "abcdef", "abc…", 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.escaping.Escape(tt.in, tt.n); got != tt.want {
				t.Errorf("Escape(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestNobodyIsCalledByAText(t *testing.T) {
	for in, want := range map[string]string{
		"@here and @Channel": "@\u2060here and @\u2060Channel", "@\u202eeveryone!": "@\u2060everyone!", "@all": "@\u2060all",
		"bob@example.com @allan": "bob@example.com @allan",
	} {
		if got := HTML().Escape(in, 100); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("<a> & @here \x00", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 1 + max(0, n)%100
		for _, e := range []Escaping{HTML(), Markdown()} {
			got := e.Escape(s, n)
			if utf8.RuneCountInString(got) > n || !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
				t.Errorf("Escape(%q, %d) = %q", s, n, got)
			}
		}
	})
}
