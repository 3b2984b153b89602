package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gofiber/fiber/v2"
)

// maxCall bounds the body of a call, in bytes. The largest hold a webhook's
// body to be tried out.
const maxCall = 24 << 20

// decode reads a call's body, a JSON object. A member that isn't known is a
// mistake of the caller's.
func decode(c *fiber.Ctx, into any) error {
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return badRequest("", "This call needs a JSON body")
	}
	limited := &io.LimitedReader{R: stream, N: maxCall + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("something follows the object")
	}
	switch {
	case limited.N <= 0:
		return badRequest("", fmt.Sprintf("The body is longer than %d bytes", maxCall))
	case err != nil:
		return badRequest("", "The body can't be read: "+err.Error())
	}
	return nil
}
