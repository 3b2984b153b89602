package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

// visit is one request on its way through the door.
type visit struct {
	door     *door
	c        *fiber.Ctx
	start    time.Time
	client   netip.Addr
	held     *holding      // of the body budget
	entrance *sdk.Entrance // nil: by the key in the path
	in       *core.Integration
	keyID    string
	path     string
	body     []byte // as sent
	decoded  []byte
	spent    bool // the body's stream failed, or was read to its end
}

// newVisit begins a visit. Whoever begins one releases what it holds.
func (d *door) newVisit(c *fiber.Ctx) *visit {
	return &visit{
		door: d, c: c, start: d.cfg.Now(), held: &holding{budget: d.budget},
		client: server.Client(c, d.cfg.TrustedProxies),
	}
}

// serve takes a request whose key is known by now.
func (v *visit) serve(key, path string) error {
	v.path = path
	defer v.held.release()
	c := v.c
	receipt, err := v.enter(key)
	if err == nil {
		err = v.answer(receipt)
	}
	code := receipt.Code
	if err != nil {
		code = codeOf(err)
		err = server.Fail(c, err)
	}
	if code == core.MethodNotAllowed && (c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead) {
		c.Response().ResetBody() // what asks like that looks only at the status
	}
	v.observe(code)
	return err
}

func codeOf(err error) core.Code {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e.Code
	}
	return core.Internal
}

// enter is the line of checks, in the published order. What fails before the
// request is handed to intake leaves no trace but a refusal.
func (v *visit) enter(key string) (core.Receipt, error) {
	if err := v.identify(key); err != nil {
		return core.Receipt{}, v.turnAway(err)
	}
	if err := v.admit(); err != nil {
		return core.Receipt{}, v.turnAway(err)
	}
	r, header, err := v.take()
	if err == nil {
		err = v.verify(r, header)
	}
	if err != nil {
		return core.Receipt{}, v.turnAway(err)
	}
	mask(v.in, r.Body)
	v.judge(r)
	if r.Code != "" {
		r.State = core.RequestOpen // never held: nobody judges it again when the integration is resumed
	}
	ctx, cancel := context.WithTimeout(v.c.UserContext(), v.door.cfg.Timeout)
	defer cancel()
	return v.door.cfg.Intake.Accept(ctx, v.in, r, v.decoded)
}

// identify finds the integration. Only a miss takes from the sender's
// allowance: behind one address a guesser must not cost the others their
// alerts.
func (v *visit) identify(key string) error {
	match, err := v.door.cfg.Keys().Find(key, v.door.cfg.Trusted())
	if err == nil && v.entrance != nil && !keyring.Declares(match.Integration, *v.entrance) {
		err = keyring.NotFound()
	}
	if err != nil {
		return v.miss(err)
	}
	v.in, v.keyID = match.Integration, match.KeyID
	server.Annotate(v.c, slog.String("integration", v.in.ID()), slog.String("key_id", v.keyID))
	return nil
}

func (v *visit) miss(err error) error {
	if !v.door.strangers.allow(v.client, v.start) {
		return &core.Error{Code: core.RateLimited, Message: "Too many requests with a bad key or signature from this address"}
	}
	if method := v.c.Method(); method != fiber.MethodPost && method != fiber.MethodPut {
		return v.wrongMethod([]string{fiber.MethodPost})
	}
	return err
}

// admit checks what is known before the body is read.
func (v *visit) admit() error {
	methods := v.in.Info.Methods
	if len(methods) == 0 {
		methods = []string{fiber.MethodPost}
	}
	switch {
	case !slices.Contains(methods, v.c.Method()):
		return v.wrongMethod(methods)
	case v.in.Disabled:
		return &core.Error{Code: core.IntegrationDisabled, Message: "This integration is disabled"}
	case !keyring.Allowed(v.in, v.client):
		return &core.Error{
			Code:    core.IPNotAllowed,
			Message: "Requests from " + v.client.String() + " aren't allowed for this integration",
		}
	}
	return nil
}

func (v *visit) wrongMethod(allowed []string) error {
	v.c.Set(fiber.HeaderAllow, strings.Join(allowed, ", "))
	return &core.Error{Code: core.MethodNotAllowed, Message: "This method isn't allowed here"}
}

// verify checks the signature. A request whose signature can't be judged yet
// is marked: it is stored, and judged before it is adapted.
func (v *visit) verify(r *core.Request, header map[string][]string) error {
	proof, err := v.door.cfg.Verifier.Verify(v.in, header, v.body, v.decoded, v.start)
	if err == nil {
		r.Unverified, r.Verified = proof.Pending != "", proof.How
		if proof.Delivery.ID != [16]byte{} {
			r.Delivery = proof.Delivery
		}
		return nil
	}
	if v.door.strangers.allow(v.client, v.start) {
		return err
	}
	return &core.Error{Code: core.RateLimited, Message: "Too many requests with a bad key or signature from this address"}
}

// judge sets aside what breaks a structural limit: the adapter would have to
// decode it to find out.
func (v *visit) judge(r *core.Request) {
	if r.Code != "" {
		return
	}
	if reason := scan(v.decoded, v.in.Limits); reason != "" {
		r.Code, r.Reason = core.PayloadTooLarge, reason
		if v.in.Info.Sender == sdk.Human {
			r.Code = core.InvalidJSON
		}
	}
}

// turnAway tells who wants to know of a refusal, and listens until the sender
// is ready to hear of it.
func (v *visit) turnAway(err error) error {
	e, ok := errors.AsType[*core.Error](err)
	if ok && v.in != nil && v.door.cfg.Refuse != nil {
		v.door.cfg.Refuse(core.Refusal{
			Tenant: v.in.Tenant, Integration: v.in.ID(), At: v.start,
			Source: v.client, Code: e.Code, Reason: e.Message,
		})
	}
	switch {
	case v.spent:
	case ok && e.Code == core.PayloadTooLarge && v.in != nil:
		server.Discard(v.c, 8*v.in.Limits.Body, 2*time.Second)
	default:
		server.Discard(v.c, 1<<20, time.Second)
	}
	return err
}

func (v *visit) observe(code core.Code) {
	if v.door.cfg.Observe == nil {
		return
	}
	o := Outcome{
		Status: v.c.Response().StatusCode(), Code: code,
		Took: v.door.cfg.Now().Sub(v.start), Bytes: len(v.body),
	}
	if v.in != nil {
		o.Integration = v.in.ID()
	}
	v.door.cfg.Observe(o)
}
