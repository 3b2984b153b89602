package webhook

import (
	"encoding/json"
	"strings"

	"github.com/gofiber/fiber/v2"

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
	path := strings.TrimPrefix(entrance.Path, "/")
	from, name, _ := strings.Cut(entrance.KeyFrom, ":")
	switch {
	case from == "header":
		return d.serve(c, keyInHeader(c.Get(name)), path, nil)
	case from == "body":
		v := d.newVisit(c)
		if err := v.readBody(keySearchLimit); err != nil {
			v.held.release()
			return v.turnAway(err)
		}
		return d.serve(c, keyInBody(v.body, name), path, v)
	case entrance.Reply != nil:
		return reply(c, entrance.Reply)
	}
	return keyring.NotFound()
}

// reply answers a challenge.
func reply(c *fiber.Ctx, r *sdk.Reply) error {
	return send(c, r.Status, r.ContentType, r.Body)
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

// keyInBody returns a top-level member of a JSON object, empty if there is no
// such string.
func keyInBody(body []byte, member string) string {
	if scan(body, keySearchLimits) != "" {
		return ""
	}
	var members map[string]json.RawMessage
	var key string
	if json.Unmarshal(body, &members) != nil || json.Unmarshal(members[member], &key) != nil {
		return ""
	}
	return key
}

// keySearchLimits are the structural limits of a body whose integration isn't
// known yet.
var keySearchLimits = sdk.Limits{Depth: 64, Members: 20_000, Strings: 40_000}
