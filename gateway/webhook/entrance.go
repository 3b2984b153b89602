package webhook

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/sdk"
)

// keySearchLimit bounds a body that has to be read before its key, and so its
// integration's own limit, is known.
const keySearchLimit = 1 << 20

// byEntrance serves the paths that adapters declare besides /webhooks.
func (d *door) byEntrance(c *fiber.Ctx) error {
	entrance, ok := d.cfg.Keys().Entrance(c.Method(), c.Path())
	if !ok {
		return c.Next()
	}
	path := strings.Trim(strings.Clone(c.Path()), "/")
	from, name, _ := strings.Cut(entrance.KeyFrom, ":")
	v := d.newVisit(c)
	v.entrance = &entrance
	switch {
	case from == "header":
		return v.serve(keyInHeader(c.Get(name)), path)
	case from == "body":
		if err := v.readBody(keySearchLimit); err != nil {
			v.held.release()
			return v.turnAway(err)
		}
		return v.serve(memberOf(v.body, name), path)
	case entrance.Reply != nil:
		return send(c, entrance.Reply, placeholders{path: v.names(path)}.value)
	}
	return keyring.NotFound()
}

// names returns what stands where the entrance's path has names.
func (v *visit) names(path string) map[string]string {
	if v.entrance == nil {
		return nil
	}
	names, _ := v.entrance.Match(path) // it has matched before
	return names
}

// keyInHeader takes the key out of "KEY", "Bearer KEY" and "Token token=KEY".
func keyInHeader(value string) string {
	fields := strings.Fields(value)
	if len(fields) == 0 {
		return ""
	}
	_, key, ok := strings.Cut(fields[len(fields)-1], "=")
	if !ok {
		key = fields[len(fields)-1]
	}
	return strings.Clone(strings.Trim(key, `"`))
}

// memberOf returns a top-level member of a JSON object that is text, or a
// number as written; empty if there is none. Of several with one name the
// first counts, as for adapters.
func memberOf(body []byte, member string) string {
	if scan(body, keySearchLimits) != "" || !json.Valid(body) {
		return ""
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return ""
		}
		if name == member {
			return textOf(raw)
		}
	}
	return ""
}

func textOf(raw json.RawMessage) string {
	var text string
	var number json.Number
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &number) == nil:
		return number.String()
	}
	return ""
}

// mask blanks out the keys that clients send in their bodies, so that no
// routing key, and no key of the vendor's, is stored. The length stays.
func mask(in *core.Integration, body []byte) {
	for _, e := range in.Info.Entrances {
		member, ok := strings.CutPrefix(e.KeyFrom, "body:")
		if !ok {
			continue
		}
		if secret := []byte(memberOf(body, member)); len(secret) >= minMasked {
			copy(body, bytes.ReplaceAll(body, secret, bytes.Repeat([]byte("*"), len(secret))))
		}
	}
}

// minMasked is the length from which on a member is a key: what is shorter
// could be found in the body by chance.
const minMasked = 16

// keySearchLimits are the structural limits of a body whose integration isn't
// known yet, and of one that is only searched for a member.
var keySearchLimits = sdk.Limits{Depth: 64, Members: 20_000, Strings: 40_000}
