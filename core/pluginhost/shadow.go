package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

const (
	// shadowQueue and shadowBytes bound what waits for a shadow; the rest is
	// dropped and counted.
	shadowQueue = 256
	shadowBytes = 16 << 20
	// shadowWorkers is how many requests a shadow reads at a time, and
	// shadowNice how far behind everybody else it stands.
	shadowWorkers = 4
	shadowNice    = 19
)

// shadow has another version read what a plugin has read, and compares. The
// plugin's callers know nothing of it.
type shadow struct {
	guest  *supervisor
	spec   *Spec // as configured; nil if somebody has ordered it
	queue  chan observed
	bytes  atomic.Int64 // of the bodies in the queue
	over   chan struct{}
	report reporter
}

// observed is a request with the answer that its sender got.
type observed struct {
	request sdk.Request
	answer  answered
}

// answered is an answer as it is compared.
type answered struct {
	Events   []sdk.Event     `json:"events,omitempty"`
	Rejected []sdk.Rejection `json:"rejected,omitempty"`
	Ignored  string          `json:"ignored,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Failure  *sdk.Failure    `json:"failure,omitempty"`
	Reply    *sdk.Reply      `json:"reply,omitempty"`
	Confirm  *sdk.Confirm    `json:"confirm,omitempty"`
}

// answerOf returns what is compared, false if the adapter said nothing.
func answerOf(result sdk.Result, err error) (answered, bool) {
	failure, says := errors.AsType[*sdk.Failure](err)
	return answered{
		Events: result.Events, Rejected: result.Rejected, Ignored: result.Ignored, Notes: result.Notes,
		Reply: result.Reply, Confirm: result.Confirm, Failure: failure,
	}, err == nil || says
}

// Shadow has another version of a plugin read everything that the plugin reads
// from now on, beside it, and returns when that runs. What it says is compared
// and comes to nothing. A shadow that is slow misses requests; one that fails
// is counted. It ends with Unshadow, with another Shadow, and with Reload. A
// shadow that the plugin's spec asks for gives way to it.
func (h *Host) Shadow(ctx context.Context, plugin string, spec Spec) error {
	s := h.find(plugin)
	if s == nil || s.guest {
		return errNoPlugin
	}
	spec = shadowOf(plugin, spec)
	h.Unshadow(plugin)
	if err := h.Guest(ctx, spec); err != nil {
		return err
	}
	guest := h.find(spec.Name)
	if guest == nil {
		return fmt.Errorf("%s has gone again", spec.Name)
	}
	return h.follow(s, newShadow(guest, spec.Version, nil))
}

// shadowOf is a spec as one that reads along.
func shadowOf(plugin string, spec Spec) Spec {
	spec.Name, spec.Limits.Nice, spec.Shadow = "shadow of "+plugin, shadowNice, nil
	return spec
}

func newShadow(guest *supervisor, version string, configured *Spec) *shadow {
	sh := &shadow{guest: guest, spec: configured, queue: make(chan observed, shadowQueue), over: make(chan struct{})}
	sh.report.begin(version, guest.now())
	guest.stays.Store(true)
	return sh
}

// readAlong begins the shadow that a plugin's spec asks for, unless it has one.
// Whether that starts, and when, is nobody's concern but its own. Callers hold
// h.mu, or nobody knows the host yet.
func (h *Host) readAlong(s *supervisor, spec Spec) {
	if spec.Shadow == nil || s.shadow.Load() != nil {
		return
	}
	own := shadowOf(spec.Name, *spec.Shadow)
	guest := newSupervisor(h, own)
	guest.guest = true
	h.plugins[own.Name] = guest
	sh := newShadow(guest, own.Version, spec.Shadow)
	s.shadow.Store(sh)
	if h.start != nil {
		h.start(guest)
		h.work(sh)
	}
}

// keepShadows ends the shadows that a reload doesn't ask for, and returns the
// others'. Callers hold h.mu.
func (h *Host) keepShadows(wanted map[string]Spec) map[*supervisor]bool {
	kept := map[*supervisor]bool{}
	for name, s := range h.plugins {
		sh := s.shadow.Load()
		if sh == nil {
			continue
		}
		if next := wanted[name].Shadow; sh.spec != nil && next != nil && sh.spec.sameProcess(*next) {
			kept[sh.guest] = true
			sh.guest.replace(shadowOf(name, *next))
			continue
		}
		if s.shadow.CompareAndSwap(sh, nil) {
			close(sh.over)
			h.log.Info("the plugin's shadow ends with the reload", "plugin", name)
		}
	}
	return kept
}

// work has a shadow read until it is over.
func (h *Host) work(sh *shadow) {
	for range shadowWorkers {
		h.shadows.Go(sh.work)
	}
}

// follow begins a shadow's work.
func (h *Host) follow(s *supervisor, sh *shadow) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	switch {
	case h.start == nil || h.plugins[s.spec.Name] != s:
		return errors.New("the plugin has gone meanwhile")
	case !s.shadow.CompareAndSwap(nil, sh):
		return errors.New("somebody else has begun another one meanwhile")
	}
	h.work(sh)
	return nil
}

// Unshadow ends a plugin's shadow and returns its last report, false if it had
// none.
func (h *Host) Unshadow(plugin string) (ShadowReport, bool) {
	s := h.find(plugin)
	if s == nil {
		return ShadowReport{}, false
	}
	sh := s.shadow.Swap(nil)
	if sh == nil {
		return ShadowReport{}, false
	}
	close(sh.over)
	h.dismiss(sh.guest)
	return sh.report.report(), true
}

// ShadowReport says how a plugin's shadow has done so far, false if it has
// none.
func (h *Host) ShadowReport(plugin string) (ShadowReport, bool) {
	s := h.find(plugin)
	if s == nil {
		return ShadowReport{}, false
	}
	sh := s.shadow.Load()
	if sh == nil {
		return ShadowReport{}, false
	}
	return sh.report.report(), true
}

// offer takes what a plugin has answered, if there is room.
func (sh *shadow) offer(r sdk.Request, result sdk.Result, err error) {
	answer, says := answerOf(result, err)
	if !says {
		return // there is nothing to compare with
	}
	size := int64(len(r.Body))
	if sh.bytes.Add(size) > shadowBytes {
		sh.bytes.Add(-size)
		sh.report.drop()
		return
	}
	select {
	case sh.queue <- observed{r, answer}:
	default:
		sh.bytes.Add(-size)
		sh.report.drop()
	}
}

// work reads and compares until the shadow is over, or its plugin has gone.
func (sh *shadow) work() {
	for {
		select {
		case o := <-sh.queue:
			sh.read(o)
			sh.bytes.Add(-int64(len(o.request.Body)))
		case <-sh.over:
			return
		case <-sh.guest.gone:
			return
		}
	}
}

func (sh *shadow) read(o observed) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(sh.guest.timeout.Load()))
	defer cancel()
	result, err := sh.guest.adapt(ctx, o.request)
	answer, says := answerOf(result, err)
	if !says {
		fault, _ := errors.AsType[*core.AdaptError](err)
		sh.report.fail(fault)
		return
	}
	sh.report.compare(o.request, Compare(o.answer, answer))
}
