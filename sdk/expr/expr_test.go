package expr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"bellcrank.example/sdk"
)

const body = `{
  "state": "firing", "n": 12345678901234567890, "price": 1.10, "huge": 1e999999999, "yes": true, "nothing": null, "empty": "",
  "alert": {"title": "Disk full", "level": "p1", "tags": ["a", "b"]},
  "list": [{"name": "x", "v": 1}, {"name": "y", "v": 2.5}, {"v": 3}],
  "pairs": [{"key": "team", "value": "core"}, {"key": "env", "value": "prod"}, {"key": "team", "value": "late"}],
  "nested": "{\"id\": 7, \"id\": 8}", "count": "42"
}`

// rules are those of an adapter's expression that may give anything.
func rules(gives sdk.SettingType) Rules {
	return Rules{Variables: map[string][]string{"body": nil, "headers": nil, "event": {"title", "labels"}}, Result: gives}
}

func given(t testing.TB) map[string]any {
	t.Helper()
	decoded, err := Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"body": decoded, "headers": map[string]string{"x-event": "alert"},
		"event": map[string]any{"title": "T", "labels": map[string]string{"team": "core"}, "affected": []string{"a"}},
	}
}

func compiled(t testing.TB, source string, r Rules) *Program {
	t.Helper()
	p, err := Compile(sdk.Expression{
		Source: source, File: "dir/x.hcl", Line: 7, Column: 3,
		Locals: map[string]json.RawMessage{"levels": json.RawMessage(`{"p1":"Critical"}`)},
	}, r)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p
}

func TestValue(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"a member":                           {`body.alert.title`, `"Disk full"`},
		"a member that is missing":           {`body.x`, `null`},
		"below what is missing":              {`body.x.y.z`, `null`},
		"below what is no object":            {`body.state.x[3]`, `null`},
		"below null":                         {`body.nothing.x`, `null`},
		"an element":                         {`body.list[1].name`, `"y"`},
		"an element past the end":            {`body.list[7].name`, `null`},
		"an index of no number":              {`body.list["x"]`, `null`},
		"a computed key":                     {`body[body.x == null ? "state" : "n"]`, `"firing"`},
		"a header":                           {`headers["x-event"]`, `"alert"`},
		"a header without brackets":          {`headers.x-event`, `"alert"`},
		"a map of texts as a whole":          {`event.labels`, `{"team":"core"}`},
		"a local":                            {`local.levels[body.alert.level]`, `"Critical"`},
		"digits stay":                        {`[body.n, body.price]`, `[12345678901234567890,1.10]`},
		"digits stay in text":                {`"${body.n} and ${body.price}"`, `"12345678901234567890 and 1.10"`},
		"null in text is nothing":            {`"[${body.x}] ${body.alert.title}"`, `"[] Disk full"`},
		"a template of one part":             {`"${body.alert.tags}"`, `["a","b"]`},
		"conditions in a template":           {`"%{ if body.yes }on%{ else }off%{ endif }"`, `"on"`},
		"loops in a template":                {`"%{ for v in body.list }${v.v};%{ endfor }"`, `"1;2.5;3;"`},
		"a heredoc":                          {"<<-EOT\n  ${body.state}\n  now\nEOT\n", `"firing\nnow\n"`},
		"equal":                              {`body.state == "firing" && body.n == 12345678901234567890`, `true`},
		"a number equals its other spelling": {`body.price == 1.1`, `true`},
		"text isn't a number":                {`body.count == 42`, `false`},
		"but compares like one":              {`body.count > 41 && body.count <= 42`, `true`},
		"null equals null":                   {`body.x == null && body.nothing == null && body.empty != null`, `true`},
		"lists and objects are equal":        {`body.alert.tags == ["a", "b"] && {a = 1} == {a = 1.0} && {a = 1} != {b = 1}`, `true`},
		"a missing condition is false":       {`body.x || !body.y`, `true`},
		"the right side only if needed":      {`body.state == "ok" && body.state > 1`, `false`},
		"arithmetic":                         {`[1 + 2 * 3, 7 / 2, 7 % 4, -7 % 4, 0.1 + 0.2, -body.count, 10 / 4]`, `[7,3.5,3,-3,0.3,-42,2.5]`},
		"big arithmetic":                     {`body.n + 1`, `12345678901234567891`},
		"a loop":                             {`[for v in body.list : v.name if v.name != null]`, `["x","y"]`},
		"a loop with positions":              {`[for i, v in body.list : "${i}=${v.name}"]`, `["0=x","1=y","2="]`},
		"a loop over nothing":                {`[for v in body.x : v]`, `[]`},
		"a loop over an object":              {`[for k, v in body.alert : k]`, `["level","tags","title"]`},
		"an object of pairs, the first wins": {`{for p in body.pairs : p.key => p.value}`, `{"env":"prod","team":"core"}`},
		"grouped":                            {`{for p in body.pairs : p.key => p.value...}`, `{"env":["prod"],"team":["core","late"]}`},
		"a name without value is left out":   {`{for v in body.list : v.name => v.v}`, `{"x":1,"y":2.5}`},
		"loops in loops":                     {`[for a in body.list : [for b in body.alert.tags : "${a.name}${b}"]]`, `[["xa","xb"],["ya","yb"],["a","b"]]`},
		"an inner name hides an outer one":   {`[for a in [1] : [for a in [2] : a]]`, `[[2]]`},
		"a splat":                            {`body.list[*].name`, `["x","y",null]`},
		"a splat of one":                     {`body.alert[*].title`, `["Disk full"]`},
		"a splat of nothing":                 {`body.x[*].title`, `[]`},
		"an object":                          {`{a = body.state, "b c" = 1, (body.state) = null}`, `{"a":"firing","b c":1,"firing":null}`},
		"coalesce skips null and empty":      {`coalesce(body.x, body.empty, body.state, "z")`, `"firing"`},
		"coalesce of nothing":                {`coalesce(body.x, "")`, `null`},
		"try":                                {`try(jsondecode(body.state), "no")`, `"no"`},
		"can":                                {`[can(jsondecode(body.nested)), can(jsondecode(body.state))]`, `[true,false]`},
		"jsondecode, the first name counts":  {`jsondecode(body.nested).id`, `7`},
		"jsondecode of nothing":              {`jsondecode(body.x)`, `null`},
		"jsonencode":                         {`jsonencode({a = body.price, b = "<"})`, `"{\"a\":1.10,\"b\":\"<\"}"`},
		"regex":                              {`regex("^[A-Z][a-z]+", body.alert.title)`, `"Disk"`},
		"regex without a match":              {`regex("^x", body.alert.title)`, `null`},
		"regex with groups":                  {`regex("(\\w+) (\\w+)", body.alert.title)[1]`, `"full"`},
		"regex with names":                   {`regex("(?P<what>\\w+) ", body.alert.title).what`, `"Disk"`},
		"regexall":                           {`regexall("[a-z]", "aXb")`, `["a","b"]`},
		"texts": {`[lower("A"), upper("a"), trimspace(" a "), trimprefix("ab", "a"), trimsuffix("ab", "b"), replace("a.b", ".", "-"),
			join(",", ["a", 1]), format("%s-%d-%q %%", "a", 5, "b"), text(body.n), sha256("")]`,
			`["a","A","a","b","a","a-b","a,1","a-5-\"b\" %","12345678901234567890","e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]`},
		"questions":                       {`[startswith("ab", "a"), endswith("ab", "a"), contains(["a"], "a"), contains("abc", "bc"), contains(body.x, "a")]`, `[true,false,true,true,false]`},
		"lists and objects":               {`[length(body.list), length("äb"), length(body.x), concat([1], body.x, [2]), keys({b = 1, a = 2}), values({b = 1, a = 2}), split(",", "a,b"), merge({a = 1}, body.x, {a = 2})]`, `[3,2,0,[1,2],["a","b"],[2,1],["a","b"],{"a":2}]`},
		"flatten":                         {`flatten([[1, 2], 3, [], [[4]]])`, `[1,2,3,[4]]`},
		"lookup":                          {`[lookup(body, "state", "z"), lookup(body, "x", "z"), lookup(body.x, "x"), lookup(body, "nothing", 1)]`, `["firing","z",null,1]`},
		"number":                          {`[number("42"), number(body.x), number("1.50")]`, `[42,null,1.5]`},
		"a huge number is only passed on": {`body.huge`, `1e999999999`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := compiled(t, tt.source, rules("")).Value(NewBudget(nil), given(t))
			if err != nil {
				t.Fatalf("%s: %v", tt.source, err)
			}
			got, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if plain := strings.ReplaceAll(string(got), `\u003c`, "<"); plain != tt.want {
				t.Errorf("%s = %s, want %s", tt.source, plain, tt.want)
			}
		})
	}
}

func TestAKeyIsWholeOrNone(t *testing.T) {
	for source, want := range map[string]string{
		`"${body.state}/${body.x}"`:                 "",
		`"${body.state}/${coalesce(body.x, "-")}"`:  "firing/-",
		`"${body.state}/${body.empty}"`:             "firing/",
		`body.x == null ? "none" : "a${body.x}"`:    "none",
		`join("/", [body.state, body.alert.level])`: "firing/p1",
	} {
		p := compiled(t, source, RulesOf(sdk.Setting{Reads: []string{"body"}, Gives: sdk.TypeKey}))
		if got, err := p.Text(NewBudget(nil), given(t)); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", source, got, err, want)
		}
	}
}

func TestAQuotedTextIsATemplate(t *testing.T) {
	p, err := Compile(sdk.Expression{Source: `${body.state == "firing" ? "a" : "c"} "b" ${body.n}`, Template: true, File: "x.hcl.json"}, rules(""))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Text(NewBudget(nil), given(t)); err != nil || got != `a "b" 12345678901234567890` {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatFailsSaysWhy(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"comparing what isn't there":    {`body.x > 3`, "null, where a number is wanted"},
		"calculating with words":        {`body.state + 1`, "text, where a number is wanted"},
		"a condition of words":          {`body.state ? 1 : 2`, "true or false is wanted"},
		"a list in a text":              {`"x ${body.list}"`, "a list, where text is wanted"},
		"text that isn't JSON":          {`jsondecode(body.state)`, "jsondecode: this text isn't JSON"},
		"looping over text":             {`[for v in body.state : v]`, "a list or an object is wanted"},
		"dividing by nothing":           {`1 / (body.count - 42)`, "division by zero"},
		"calculating with huge numbers": {`body.huge + 1`, "too large"},
		"widths in a format":            {`format("%099999999d", 1)`, "isn't known here"},
		"a format without its value":    {`format("%s")`, "has no value"},
		"a length of true":              {`length(body.yes)`, "has no length"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compiled(t, tt.source, rules("")).Value(NewBudget(nil), given(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.hcl:7: ") {
				t.Errorf("%s: error %v, want x.hcl:7: ... %q", tt.source, err, tt.want)
			}
		})
	}
}

func TestMistakesAreFoundBeforeAnythingIsSent(t *testing.T) {
	word := rules(sdk.TypeString)
	word.Word = SeverityWord
	tests := map[string]struct {
		source string
		rules  Rules
		want   string
	}{
		"syntax":                      {`body.`, rules(""), "x.hcl:7,8: Invalid attribute name"},
		"an unknown variable":         {`bodi.x`, rules(""), "x.hcl:7,3: Unknown variable; There is no bodi here; did you mean body?"},
		"an unknown field":            {`event.titel`, rules(""), "Unknown field; There is no titel in event; did you mean title?"},
		"an unknown local":            {`local.level`, rules(""), "did you mean levels?"},
		"local without a name":        {`local`, rules(""), "Name one"},
		"an unknown function":         {`lowr(body.x)`, rules(""), "There is no function lowr; did you mean lower?"},
		"a function that reaches out": {`file("/etc/passwd")`, rules(""), "There is no function file"},
		"within a loop":               {`[for v in body.list : w.x]`, rules(""), "x.hcl:7,25: Unknown variable"},
		"on a later line":             {"[\n  body.x,\n  bodi\n]", rules(""), "x.hcl:9,3: Unknown variable"},
		"too few arguments":           {`replace(body.x)`, rules(""), "replace takes 3, this gives it 1."},
		"too many arguments":          {`lookup(body, "a", 1, 2)`, rules(""), "lookup takes 2 or 3"},
		"no arguments":                {`coalesce()`, rules(""), "coalesce takes 1 or more"},
		"an argument of a wrong type": {`keys("x")`, rules(""), "This is text, where an object is wanted."},
		"a list for several":          {`coalesce(body.list...)`, rules(""), "several arguments"},
		"a condition of text":         {`"x" ? 1 : 2`, rules(""), "This is text, where true or false is wanted."},
		"logic of numbers":            {`1 && body.x`, rules(""), "This is a number, where true or false is wanted."},
		"arithmetic with lists":       {`[1] + 1`, rules(""), "This is a list, where a number is wanted."},
		"a list in a text":            {`"x ${[1]}"`, rules(""), "This is a list, where text is wanted."},
		"a wrong result":              {`{a = 1}`, rules(sdk.TypeString), "This is an object, where text is wanted."},
		"a result of no condition":    {`"yes"`, rules(sdk.TypeBool), "This is text, where true or false is wanted."},
		"a pattern that isn't one":    {`regex("(", body.x)`, rules(""), "Invalid pattern"},
		"a pattern that was sent":     {`regex(body.x, "a")`, rules(""), "may not depend on what was sent"},
		"a word that nobody knows":    {`body.x ? "Critial" : "Low"`, word, `"Critial" is no severity`},
		"a word in a table":           {`lookup({a = "Hihg"}, body.x, "Low")`, word, `"Hihg" is no severity`},
		"a word behind coalesce":      {`coalesce(body.x, "Urgentt")`, word, `"Urgentt" is no severity`},
		"too deep":                    {strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), rules(""), "nested more than 100 times"},
		"too long":                    {`"` + strings.Repeat("x", maxSource) + `"`, rules(""), "Expression too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(sdk.Expression{
				Source: tt.source, File: "x.hcl", Line: 7, Column: 3,
				Locals: map[string]json.RawMessage{"levels": json.RawMessage(`{}`)},
			}, tt.rules)
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.60s: error %v, want %q", tt.source, err, tt.want)
			}
		})
	}
}

// TestCostIsBounded has expressions that would take hours, or all memory.
func TestCostIsBounded(t *testing.T) {
	long := make([]any, 100_000)
	for i := range long {
		long[i] = json.Number("1")
	}
	variables := map[string]any{"body": map[string]any{
		"list": long, "x": strings.Repeat("x", 1<<20), "json": strings.Repeat("[", 400) + strings.Repeat("]", 400),
	}}
	for name, source := range map[string]string{
		"loops in loops":           `[for a in body.list : [for b in body.list : [for c in body.list : 1]]]`,
		"text of texts":            `"` + strings.Repeat("${body.x}", 1000) + `"`,
		"replacing by more":        `replace(body.x, "x", body.x)`,
		"joining with more":        `join(body.x, body.list)`,
		"comparing again":          `[for a in body.list : body.x == "${body.x}"]`,
		"searching again":          `[for a in body.list : regex("x+y", body.x)]`,
		"encoding again":           `[for a in body.list : jsonencode(body.list)]`,
		"decoding again":           `[for a in body.list : jsondecode(body.json)]`,
		"a value of shared parts":  `[for a in body.list : body.list]`,
		"behind a try":             `try([for a in body.list : [for b in body.list : 1]], "fine")`,
		"behind a can":             `can([for a in body.list : [for b in body.list : 1]])`,
		"merging again":            `[for a in body.list : concat(body.list, body.list)]`,
		"the same in other places": `[for a in body.list : contains(body.list, 2)]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := NewBudget(nil)
			if _, err := compiled(t, source, rules("")).Value(b, variables); !IsExhausted(err) {
				t.Errorf("error %v, want that it costs too much", err)
			}
			if value, err := compiled(t, "1 + 1", rules("")).Value(b, variables); err != nil || value != json.Number("2") {
				t.Errorf("the next one gives %v, %v; want 2", value, err)
			}
		})
	}
}

func TestABudgetIsForAllEvaluationsTogether(t *testing.T) {
	b := NewBudget(nil)
	p := compiled(t, `[for a in range : 1]`, Rules{Variables: map[string][]string{"range": nil}})
	variables := map[string]any{"range": make([]any, 200_000)}
	var err error
	rounds := 0
	for ; err == nil && rounds < 1000; rounds++ {
		_, err = p.Value(b, variables)
	}
	if !IsExhausted(err) || rounds < 5 {
		t.Errorf("after %d rounds: %v, want that it costs too much", rounds, err)
	}
}

func TestEvaluationEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := compiled(t, `[for a in body.list : a]`, rules("")).Value(NewBudget(ctx.Err), map[string]any{
		"body": map[string]any{"list": make([]any, 100_000)},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestReads(t *testing.T) {
	p := compiled(t, `headers["x-b"] == "1" ? headers.x-a : body`, rules(""))
	if members, ok := p.Reads("headers"); !ok || !reflect.DeepEqual(members, []string{"x-a", "x-b"}) {
		t.Errorf("headers %v, %v; want x-a and x-b", members, ok)
	}
	if _, ok := p.Reads("body"); ok {
		t.Error("the body is read as a whole, but isn't said to be")
	}
}

func TestManyEvaluateAtOnce(t *testing.T) {
	p := compiled(t, `join(",", [for a in body.list : "${a.name}${a.v}" if a.v > 1])`, rules(""))
	variables := given(t)
	var calls sync.WaitGroup
	for range 32 {
		calls.Go(func() {
			if got, err := p.Text(NewBudget(nil), variables); err != nil || got != "y2.5,3" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	calls.Wait()
}

func TestDecodeRefuses(t *testing.T) {
	for _, raw := range []string{"", "{", `{"a"}`, `[1,]`, `1 2`, `{"a":1}x`, strings.Repeat("[", 100_000)} {
		if _, err := Decode([]byte(raw)); err == nil {
			t.Errorf("%.20s is accepted", raw)
		} else if _, ok := errors.AsType[*sdk.Failure](err); !ok {
			t.Errorf("%.20s: error %v is no *sdk.Failure", raw, err)
		}
	}
}

// FuzzValue evaluates what operators write over what anybody may send: no
// panic, no endless loop, no unbounded memory, and the same twice.
func FuzzValue(f *testing.F) {
	sources := []string{
		`body.alert.title`, `"${body.n} ${body.x.y}"`, `[for a in body.list : {n = a.name, v = a.v + 1} if a.v > 1]`,
		`{for p in body.pairs : p.key => p.value}`, `try(jsondecode(body.nested).id, body[body.state], "x")`,
		`body.list[*].name`, `regex("(a+)+$", body.state)`, `replace(body.state, body.empty, body.nested)`,
		`join(body.state, [for a in body.list : [for b in body.list : 1] == null ? "a" : "b"])`,
		`body.n * body.n / body.price % 7`, `jsonencode(body)`, `merge(body.alert, {a = body})`,
		`format(body.state, body.n, body.list[0].name)`, `split(body.empty, body.state)`, `contains(body.list, body.alert)`,
	}
	for i := range sources {
		f.Add(i, body)
		f.Add(i, `{"state":"\u0000","list":[[[[]]]],"n":"1e400","price":0,"pairs":{"a":1}}`)
	}
	var programs []*Program
	for _, source := range sources {
		programs = append(programs, compiled(f, source, rules("")))
	}
	f.Fuzz(func(t *testing.T, i int, raw string) {
		decoded, err := Decode([]byte(raw))
		if err != nil {
			return
		}
		p := programs[(i%len(programs)+len(programs))%len(programs)]
		first, err := p.Value(NewBudget(nil), map[string]any{"body": decoded})
		if err != nil && strings.Contains(err.Error(), "evaluate:") {
			t.Fatalf("panic: %v", err)
		}
		second, again := p.Value(NewBudget(nil), map[string]any{"body": decoded})
		if !reflect.DeepEqual(first, second) || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Fatalf("first %v, %v; then %v, %v", first, err, second, again)
		}
	})
}

// FuzzCompile reads hostile text as an expression.
func FuzzCompile(f *testing.F) {
	for _, source := range []string{`body.a[*].b`, `[for k, v in body : k => v...]`, `"%{ for a in body }${a}%{ endfor }"`, `regex("(", 1)`, "<<A\nA\n"} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile(sdk.Expression{Source: source, File: "x.hcl"}, rules(""))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without text")
			}
			return
		}
		if _, err := p.Value(NewBudget(nil), given(t)); err != nil && strings.Contains(err.Error(), "evaluate:") {
			t.Errorf("panic: %v", err)
		}
	})
}
