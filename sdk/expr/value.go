package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"bellcrank.example/sdk"
)

// kind is what is known of a value before there is one.
type kind uint8

const (
	anything kind = iota
	null
	boolean
	number
	text
	list
	object
)

var kindNames = [...]string{"any value", "null", "true or false", "a number", "text", "a list", "an object"}

func (k kind) String() string { return kindNames[k] }

// kindOf returns the kind of a value.
func kindOf(value any) kind {
	switch value.(type) {
	case nil:
		return null
	case bool:
		return boolean
	case json.Number:
		return number
	case string:
		return text
	case []any, []string:
		return list
	case map[string]any, map[string]string:
		return object
	}
	return anything
}

// member returns a member of an object or an element of a list, null if there
// is none.
func member(value, key any) any {
	switch v := value.(type) {
	case map[string]any:
		name, err := textOf(key)
		if err != nil {
			return nil
		}
		return v[name]
	case map[string]string:
		name, err := textOf(key)
		if s, ok := v[name]; ok && err == nil {
			return s
		}
	case []any:
		if i, ok := index(key, len(v)); ok {
			return v[i]
		}
	case []string:
		if i, ok := index(key, len(v)); ok {
			return v[i]
		}
	}
	return nil
}

func index(key any, length int) (int, bool) {
	n, ok := key.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(string(n))
	return i, err == nil && i >= 0 && i < length
}

// normal turns what callers may hand in into what JSON has.
func normal(value any) any {
	switch v := value.(type) {
	case map[string]string:
		m := make(map[string]any, len(v))
		for name, s := range v {
			m[name] = s
		}
		return m
	case []string:
		l := make([]any, len(v))
		for i, s := range v {
			l[i] = s
		}
		return l
	}
	return value
}

// textOf returns a value as it stands in a text: null is nothing, a number has
// the digits that it was sent with.
func textOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return string(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("this is %s, where text is wanted; jsonencode or join makes text of it", kindOf(value))
}

// truth returns a condition's value. Null is false.
func truth(value any) (bool, error) {
	switch v := value.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil && len(v) > 1 {
			return b, nil
		}
	}
	return false, fmt.Errorf("this is %s, where true or false is wanted", kindOf(value))
}

// maxExponent bounds numbers that are calculated with: written out, one with a
// larger exponent would fill the memory.
const maxExponent = 400

// precision is enough for any number that is written with 64 digits.
const precision = 512

// numeric returns a value as a number. Text that is one counts.
func numeric(value any) (*big.Float, error) {
	digits := ""
	switch v := value.(type) {
	case json.Number:
		digits = string(v)
	case string:
		digits = strings.TrimSpace(v)
	}
	if digits == "" || len(digits) > 128 || strings.ContainsAny(digits, "xXpP_iI") {
		return nil, fmt.Errorf("this is %s, where a number is wanted", kindOf(value))
	}
	f, _, err := big.ParseFloat(digits, 10, precision, big.ToNearestEven)
	if err != nil {
		return nil, fmt.Errorf("this is %s, where a number is wanted", kindOf(value))
	}
	return f, inRange(f)
}

func inRange(f *big.Float) error {
	if exponent := f.MantExp(nil); f.IsInf() || exponent > maxExponent*4 || exponent < -maxExponent*4 {
		return errors.New("this number is too large or too small to calculate with")
	}
	return nil
}

// written returns a number that was calculated.
func written(f *big.Float) (any, error) {
	if err := inRange(f); err != nil {
		return nil, err
	}
	if f.IsInt() {
		return json.Number(f.Text('f', 0)), nil
	}
	// Fewer digits than the calculation has: 0.1 + 0.2 is 0.3.
	short, _, _ := big.ParseFloat(f.Text('g', 100), 10, precision, big.ToNearestEven)
	return json.Number(strings.TrimRight(strings.TrimRight(short.Text('f', 110), "0"), ".")), nil
}

// equal compares as JSON does: text is never equal to a number.
func equal(b *Budget, x, y any) (bool, error) {
	if err := b.charge(1); err != nil {
		return false, err
	}
	x, y = normal(x), normal(y)
	switch v := x.(type) {
	case json.Number:
		w, ok := y.(json.Number)
		if !ok || v == w {
			return ok, nil
		}
		return sameNumber(v, w), b.charge(4)
	case string:
		w, ok := y.(string)
		if !ok || len(v) != len(w) {
			return false, nil
		}
		return v == w, b.chargeText(len(v))
	case []any:
		w, ok := y.([]any)
		if !ok || len(v) != len(w) {
			return false, nil
		}
		for i := range v {
			if same, err := equal(b, v[i], w[i]); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		w, ok := y.(map[string]any)
		if !ok || len(v) != len(w) {
			return false, nil
		}
		for name := range v {
			other, there := w[name]
			if same, err := equal(b, v[name], other); err != nil || !same || !there {
				return false, err
			}
		}
		return true, nil
	}
	return x == y, nil
}

// sameNumber compares two spellings.
func sameNumber(x, y json.Number) bool {
	i, err1 := x.Int64()
	j, err2 := y.Int64()
	if err1 == nil && err2 == nil {
		return i == j
	}
	f, err1 := numeric(x)
	g, err2 := numeric(y)
	return err1 == nil && err2 == nil && f.Cmp(g) == 0
}

// sortedKeys makes loops over objects give the same each time.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// maxDepth bounds the nesting of what is decoded.
const maxDepth = 512

// Decode decodes exactly one JSON value, with numbers as they are written. A
// name stands for the first value that an object gives it: a member that is
// appended cannot override one. Its error is an *sdk.Failure with code
// Malformed.
func Decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	value, err := decodeValue(d, 0)
	if err != nil {
		return nil, malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &sdk.Failure{Code: sdk.Malformed, Message: "there is more after the JSON value"}
	}
	return value, nil
}

func malformed(err error) error {
	message := "invalid JSON"
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		message = fmt.Sprintf("invalid JSON at byte %d", syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		message = "the JSON ends too early"
	}
	return &sdk.Failure{Code: sdk.Malformed, Message: message}
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	switch token {
	case json.Delim('['):
		elements := []any{}
		for d.More() {
			element, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		_, err := d.Token()
		return elements, err
	case json.Delim('{'):
		return decodeObject(d, depth)
	}
	return token, nil
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		key, _ := name.(string) // the decoder lets nothing else be a name
		if _, there := members[key]; !there {
			members[key] = value
		}
	}
	_, err := d.Token()
	return members, err
}
