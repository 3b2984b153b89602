package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// text reads any text.
func (b *block) text(name string, to *string) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (string, error) { return v.AsString(), nil })
}

// path reads a path, see resolve.
func (b *block) path(name string, to *string) {
	if b.text(name, to) {
		*to = resolve(*to, *b.where(name))
	}
}

func (b *block) boolean(name string, to *bool) {
	read(b, name, cty.Bool, to, func(v cty.Value) (bool, error) { return v.True(), nil })
}

// count reads a whole number of 1 or more.
func (b *block) count(name string, to *int) {
	read(b, name, cty.Number, to, func(v cty.Value) (int, error) {
		f := v.AsBigFloat()
		n, _ := f.Int64()
		if !f.IsInt() || n < 1 || n > 1<<31-1 {
			return 0, errors.New("want a whole number of 1 or more")
		}
		return int(n), nil
	})
}

func (b *block) duration(name string, to *time.Duration) {
	read(b, name, cty.String, to, func(v cty.Value) (time.Duration, error) { return parseDuration(v.AsString()) })
}

// positive reads a duration that isn't zero.
func (b *block) positive(name string, to *time.Duration) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (time.Duration, error) {
		d, err := parseDuration(v.AsString())
		if err == nil && d == 0 {
			err = errors.New("want a duration above zero")
		}
		return d, err
	})
}

// size reads a number of bytes above zero.
func (b *block) size(name string, to *int64) {
	read(b, name, cty.String, to, func(v cty.Value) (int64, error) {
		n, err := parseSize(v.AsString())
		if err == nil && n == 0 {
			err = errors.New("want a size above zero")
		}
		return n, err
	})
}

// pace reads a rate as the time between two.
func (b *block) pace(name string, to *time.Duration) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (time.Duration, error) { return parseRate(v.AsString()) })
}

// oneOf reads one of a few words.
func (b *block) oneOf(name string, to *string, words ...string) {
	read(b, name, cty.String, to, func(v cty.Value) (string, error) { return v.AsString(), among(v.AsString(), words) })
}

// among says what is wrong with a word that isn't one of some.
func among(word string, words []string) error {
	switch {
	case slices.Contains(words, word):
		return nil
	case len(words) == 1:
		return fmt.Errorf("%q isn't known here; want %q", word, words[0])
	}
	return fmt.Errorf("%q is none of %s%s", word, strings.Join(words, ", "), suggestion(word, words))
}

// list reads a list, each element by parse.
func list[T any](b *block, name string, to *[]T, parse func(string) (T, error)) bool {
	v, ok := b.value(name, cty.List(cty.String))
	if !ok {
		return false
	}
	var parsed []T
	for i, element := range v.AsValueSlice() {
		one, err := parse(element.AsString())
		if err != nil {
			b.wrong(b.element(name, i), name, err)
			ok = false
		}
		parsed = append(parsed, one)
	}
	if ok {
		*to = parsed
	}
	return ok
}

// element returns the place of one element, if the list is written out.
func (b *block) element(name string, i int) *hcl.Range {
	elements, diags := hcl.ExprList(b.content.Attributes[name].Expr)
	if diags.HasErrors() || i >= len(elements) {
		return b.where(name)
	}
	return elements[i].Range().Ptr()
}

// listOrOne reads a list, or a single text as a list of one.
func (b *block) listOrOne(name string, to *[]string) {
	v, ok := b.value(name, cty.DynamicPseudoType)
	switch {
	case !ok:
	case v.Type() == cty.String:
		*to = []string{v.AsString()}
	default:
		b.strings(name, to)
	}
}

func (b *block) strings(name string, to *[]string) {
	list(b, name, to, func(s string) (string, error) { return s, nil })
}

// cidrs reads networks; an address is a network of one.
func (b *block) cidrs(name string, to *[]netip.Prefix) {
	list(b, name, to, func(s string) (netip.Prefix, error) {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			return netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, fmt.Errorf(`%q is no network; write one such as "192.0.2.0/24" or "2001:db8::/32"`, s)
		}
		if p != p.Masked() {
			return p, fmt.Errorf("%s has bits behind its prefix; the network is %s", p, p.Masked())
		}
		return p, nil
	})
}

func (b *block) stringMap(name string, to *map[string]string) bool {
	return read(b, name, cty.Map(cty.String), to, func(v cty.Value) (map[string]string, error) {
		m := map[string]string{}
		for key, value := range v.AsValueMap() {
			m[key] = value.AsString()
		}
		return m, nil
	})
}
