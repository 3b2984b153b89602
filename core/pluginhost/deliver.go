package pluginhost

import (
	"context"
	"errors"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// Deliver asks a destination plugin what is to be done next for a delivery. An
// error is a *core.AdaptError. A plugin that isn't ready is an error at once.
func (h *Host) Deliver(ctx context.Context, plugin string, d sdk.Delivery) (sdk.Step, error) {
	s := h.find(plugin)
	if s == nil {
		return sdk.Step{}, &core.AdaptError{Fault: core.AdapterDown, Plugin: plugin, Err: errors.New("no such plugin")}
	}
	return s.deliver(ctx, d)
}

func (s *supervisor) deliver(ctx context.Context, d sdk.Delivery) (sdk.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.timeout.Load()))
	defer cancel()
	p, leave, err := s.admit(ctx, d.Destination)
	if err != nil {
		return sdk.Step{}, err
	}
	defer leave()
	step, err := p.client.Deliver(ctx, d)
	if e, ok := errors.AsType[*client.Error](err); ok {
		return sdk.Step{}, s.fault(faultOf(e.Kind), err)
	}
	if err != nil {
		return sdk.Step{}, s.fault(core.AdapterBroken, err)
	}
	select {
	case s.answered <- struct{}{}:
	default:
	}
	return step, nil
}
