package admin

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Act is what a person wants with an incident, as the body of a call.
type Act struct {
	Author  string `json:"author"`
	Text    string `json:"text,omitempty"`    // the note, or the reason of anything else
	Service string `json:"service,omitempty"` // of assign
	Version int    `json:"version,omitempty"` // that the person has seen; refused if the incident has another
}

// Acted is what became of it.
type Acted struct {
	Incident  Incident `json:"incident"` // as it is now
	Changed   bool     `json:"changed"`  // false: it was so already
	Duplicate bool     `json:"duplicate,omitempty"`
}

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// act returns the handler of one thing that a person may do.
func (a *api) act(do sdk.Action) fiber.Handler {
	return func(c *fiber.Ctx) error {
		number, err := core.ParseIncidentName(c.Params("incident"))
		if err != nil {
			return notFound("There is no such incident")
		}
		act, err := actOf(c, do, number)
		if err != nil {
			return err
		}
		done, err := a.cfg.Store.Act(c.UserContext(), number, act)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderETag, `"`+strconv.Itoa(done.Incident.Version)+`"`)
		return ok(c, Acted{Incident: incidentOf(done.Incident), Changed: done.Changed, Duplicate: done.Duplicate})
	}
}

func actOf(c *fiber.Ctx, do sdk.Action, number int64) (core.Act, error) {
	var body Act
	if err := decode(c, &body); err != nil {
		return core.Act{}, err
	}
	act := core.Act{Do: do, Author: body.Author, Text: body.Text, Service: body.Service, Expect: body.Version}
	if err := act.Check(); err != nil {
		return core.Act{}, badRequest("", "This can't be done: "+err.Error())
	}
	if seen := strings.Trim(c.Get(fiber.HeaderIfMatch), `" `); seen != "" && seen != "*" {
		version, err := strconv.Atoi(seen)
		if err != nil || version < 1 {
			return core.Act{}, badRequest("If-Match", "If-Match must be a version of the incident, such as 3")
		}
		act.Expect = version
	}
	key := c.Get("Idempotency-Key")
	if len(key) > maxKey {
		return core.Act{}, badRequest("Idempotency-Key", "An Idempotency-Key has 255 bytes at most")
	}
	if key != "" {
		act.Key = core.DeliveryKey{
			ID:   core.HashKey(key),
			Body: core.HashKey(fmt.Sprintf("%d %s %q %q %q", number, do, act.Author, act.Text, act.Service)),
		}
	}
	return act, nil
}
