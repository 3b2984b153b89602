package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// adapt hands a request to the live process, and counts.
func (s *supervisor) adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	began := s.now()
	result, err := s.call(ctx, r)
	s.figures.add(err, s.now().Sub(began))
	return result, err
}

func (s *supervisor) call(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if s.guest {
		s.visited.Store(s.now().UnixNano())
	}
	p, leave, err := s.admit(ctx, r.Integration)
	if err != nil {
		return sdk.Result{}, err
	}
	defer leave()
	result, err := p.client.AdaptAnd(ctx, r, s.check)
	result, err = s.judge(result, err)
	if sh := s.shadow.Load(); sh != nil {
		sh.offer(r, result, err)
	}
	return result, err
}

// bounded ends a call in time. A call that ends earlier by itself, as those of
// senders do, needs no second timer.
func (s *supervisor) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := time.Duration(s.timeout.Load())
	if end, ok := ctx.Deadline(); ok && !end.After(s.now().Add(timeout)) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// admit waits for a place in the live process, for an integration or
// destination. leave gives it back.
func (s *supervisor) admit(ctx context.Context, of string) (p *process, leave func(), err error) {
	if s.live.Load() == nil {
		return nil, nil, s.down(s.notReady())
	}
	a := s.admission.Load()
	if err := a.acquire(ctx, of); err != nil {
		return nil, nil, s.down(err)
	}
	if p = s.enter(); p == nil {
		a.release()
		return nil, nil, s.down(s.notReady())
	}
	leave = func() {
		p.leave()
		a.release()
	}
	if err := p.refusal(of); err != nil {
		leave()
		return nil, nil, s.down(err)
	}
	return p, leave, nil
}

// enter takes part in the live process, which then isn't ended under the call.
func (s *supervisor) enter() *process {
	for {
		p := s.live.Load()
		if p == nil || p.enter() {
			return p
		}
		if s.live.Load() == p {
			return nil // it drains, and there is no other
		}
	}
}

func (s *supervisor) notReady() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("the plugin is %s", s.status.State)
}

func (s *supervisor) down(err error) error {
	return s.fault(core.AdapterDown, err)
}

func (s *supervisor) fault(fault core.AdaptFault, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &core.AdaptError{Fault: fault, Plugin: s.spec.Name, Err: err}
}

// judge looks at what came back, with distrust.
func (s *supervisor) judge(result sdk.Result, err error) (sdk.Result, error) {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return sdk.Result{}, s.fault(faultOf(e.Kind), err)
	}
	select {
	case s.answered <- struct{}{}:
	default:
	}
	if failure, ok := errors.AsType[*sdk.Failure](err); ok {
		if failure.Code == sdk.Busy {
			return sdk.Result{}, s.down(failure)
		}
		return sdk.Result{}, checkFailure(failure)
	}
	if err != nil {
		return sdk.Result{}, s.fault(core.AdapterBroken, err)
	}
	return result, nil
}

// check looks at a result, as long as it counts against what its plugin may take
// of the memory.
func (s *supervisor) check(result sdk.Result) (sdk.Result, error) {
	var limits sdk.Limits
	if info := s.info.Load(); info != nil {
		limits = info.Limits
	}
	return checkResult(result, limits, s.now())
}

func faultOf(kind client.Kind) core.AdaptFault {
	switch kind {
	case client.Gone:
		return core.AdapterDown
	case client.Timeout:
		return core.AdapterTimeout
	case client.Crashed:
		return core.AdapterCrash
	}
	return core.AdapterBroken
}

// checkFailure bounds a failure's text.
func checkFailure(f *sdk.Failure) *sdk.Failure {
	const most = 1 << 10
	return &sdk.Failure{Code: f.Code, Path: cut(storable(f.Path), most), Message: cut(storable(f.Message), most)}
}
