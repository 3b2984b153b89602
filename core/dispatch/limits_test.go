package dispatch

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
)

func TestARateSpreadsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m, sink := time.Now(), newMemory(), always(200)
		for i := range core.ID(60) {
			m.owe(100+i, core.Created, start, "webhook/a")
		}
		slow := destination("a", sink)
		slow.Pace = 500 * time.Millisecond
		_, stop := running(t, m, Config{Destinations: []*core.Destination{slow}})
		time.Sleep(10 * time.Second)
		if n := len(sink.messages()); n != 20 && n != 21 {
			t.Errorf("%d messages in 10 s at 2 a second", n)
		}
		time.Sleep(21 * time.Second)
		messages := sink.messages()
		if len(messages) != 60 {
			t.Errorf("%d messages in all, want 60", len(messages))
		}
		for i := 1; i < len(messages); i++ {
			if gap := messages[i].Now.Sub(messages[i-1].Now); gap < slow.Pace {
				t.Fatalf("message %d came %v after the one before, want %v or more", i, gap, slow.Pace)
			}
		}
		stop()
	})
}

func TestADestinationHasItsOwnConcurrency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		var at, most atomic.Int32
		sink := senderFunc(func(context.Context, core.Message) core.Answer {
			raise(&most, at.Add(1))
			time.Sleep(time.Second)
			at.Add(-1)
			return core.Answer{Status: 200}
		})
		for i := range core.ID(9) {
			m.owe(100+i, core.Created, start, "webhook/a")
		}
		one := destination("a", sink)
		one.Concurrency = 1
		_, stop := running(t, m, Config{Destinations: []*core.Destination{one}})
		time.Sleep(10 * time.Second)
		stop()
		if most.Load() != 1 || m.count()[core.DeliveryDelivered] != 9 {
			t.Errorf("%d at a time and rows %v, want one at a time and 9 delivered", most.Load(), m.count())
		}
	})
}

func TestDestinationsThatFailShareTheirTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		bad, good := always(503), always(200)
		destinations := []*core.Destination{destination("good", good)}
		for _, name := range []string{"a", "b", "c", "d"} {
			for i := range core.ID(100) {
				m.owe(100+i, core.Created, start, "webhook/"+name)
			}
			destinations = append(destinations, destination(name, bad))
		}
		for i := range core.ID(100) {
			m.owe(100+i, core.Created, start, "webhook/good")
		}
		_, stop := running(t, m, Config{Destinations: destinations})
		time.Sleep(900 * time.Millisecond)
		// Five turns have come, and what each destination began before it was
		// known to fail.
		if n := len(bad.messages()); n < 5*turnSize || n > 5*turnSize+4*(reserved+1) {
			t.Errorf("%d attempts within five turns at destinations that fail, want %d and a few", n, 5*turnSize)
		}
		if n := len(good.messages()); n != 100 {
			t.Errorf("%d of 100 messages to the one that works", n)
		}
		time.Sleep(8 * time.Second)
		stop()
		for _, d := range destinations[1:] {
			untried := 0
			for _, row := range m.rowsOf(d.ID()) {
				if row.Attempt == 0 {
					untried++
				}
			}
			if untried > 0 {
				t.Errorf("%d of 100 rows of %s untried after nine seconds, although the turns were enough", untried, d.ID())
			}
		}
	})
}

func TestADestinationThatWorksAgainHasNoTurnToWaitFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		sink := &answers{answer: func(core.Message) core.Answer {
			if time.Since(start) < 10*time.Second {
				return core.Answer{Status: 503}
			}
			return core.Answer{Status: 200}
		}}
		for i := range core.ID(2000) {
			m.owe(100+i, core.Created, start, "webhook/a")
		}
		_, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		time.Sleep(11 * time.Second) // five hundred have failed by then
		stop()
		if n := m.count()[core.DeliveryDelivered]; n < 1400 {
			t.Errorf("%d delivered in the second after it works again, want all that had not been tried", n)
		}
	})
}

func TestWhatIsTooOldIsGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		suspect bool
		younger time.Duration // when a newer version of the incident comes; none if zero
		want    map[core.DeliveryState]int
	}{
		"by a clock that is right":        {false, 0, map[core.DeliveryState]int{core.DeliveryDead: 1}},
		"but not by a clock that may lie": {true, 0, map[core.DeliveryState]int{core.DeliveryDelivered: 1}},
		"but not while a newer version is owed": {
			false, 30 * time.Minute, map[core.DeliveryState]int{core.DeliveryDelivered: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start, m := time.Now(), newMemory()
				sink := &answers{answer: func(core.Message) core.Answer {
					if time.Since(start) > 30*time.Minute {
						return core.Answer{Status: 200}
					}
					return core.Answer{Status: 503}
				}}
				dest := destination("a", sink)
				dest.Retry.MaxAge = 20 * time.Minute
				m.owe(1, core.Created, start, "webhook/a")
				_, stop := running(t, m, Config{
					Destinations: []*core.Destination{dest}, Suspect: func() bool { return tt.suspect },
				})
				if tt.younger > 0 {
					time.Sleep(tt.younger)
					m.owe(1, core.AckedKind, time.Now(), "webhook/a")
				}
				time.Sleep(time.Hour - tt.younger) // attempts at 0, 1, 6 and 36 minutes
				stop()
				if got := m.count(); !maps.Equal(got, tt.want) {
					t.Errorf("rows %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestThrottlingIsNotCountedByAClockThatMayLie(t *testing.T) {
	for name, suspect := range map[string]bool{"right": false, "suspect": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var ahead atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				m, sink := newMemory(), always(429)
				m.owe(1, core.Created, now(), "webhook/a")
				d, stop := running(t, m, Config{
					Now: now, Suspect: func() bool { return suspect }, Destinations: []*core.Destination{destination("a", sink)},
				})
				time.Sleep(90 * time.Second)
				ahead.Store(int64(4 * time.Hour))
				time.Sleep(90 * time.Second)
				state := d.States()[0]
				stop()
				if state.Active() != suspect {
					t.Errorf("disabled %q four hours later by a clock that is %s", state.Disabled, name)
				}
				if n := len(sink.messages()); n > 5 {
					t.Errorf("%d attempts in three minutes at a destination that asks for one a minute", n)
				}
			})
		})
	}
}

func TestWhatIsTooOldIsGivenUpWithItsReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		var notices []Notice
		dest := destination("a", always(503))
		dest.Retry.MaxAge = 20 * time.Minute
		m.owe(1, core.Created, start, "webhook/a")
		_, stop := running(t, m, Config{
			Destinations: []*core.Destination{dest}, Notice: func(n Notice) { notices = append(notices, n) },
		})
		time.Sleep(time.Hour) // attempts at 0, 1 and 6 minutes; the next would be at 36
		stop()
		row := m.rowsOf("webhook/a")[0]
		if want := "older than 20m0s; the last attempt: 503 Service Unavailable"; row.State != core.DeliveryDead || row.LastError != want {
			t.Errorf("the row is %s because of %q, want dead because it is %q", row.State, row.LastError, want)
		}
		if len(notices) != 1 || notices[0].Dead != 1 {
			t.Errorf("notices %+v, want one of one dead delivery", notices)
		}
	})
}

func TestADestinationThatIsNotConfiguredIsParked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m, sink := time.Now(), newMemory(), always(200)
		m.owe(1, core.Created, start, "webhook/a", "webhook/gone")
		d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		time.Sleep(time.Second)
		m.owe(2, core.Created, start, "webhook/new")
		d.Wake([]string{"webhook/new"})
		time.Sleep(time.Second)
		d.Reload([]*core.Destination{destination("b", sink)})
		time.Sleep(time.Second)
		m.owe(3, core.Created, start, "webhook/a")
		d.Wake([]string{"webhook/a"})
		time.Sleep(time.Second)
		for _, id := range []string{"webhook/a", "webhook/gone", "webhook/new"} {
			if got := m.states[id].Disabled; got != core.DisabledUnconfigured {
				t.Errorf("%s is disabled %q, want %q", id, got, core.DisabledUnconfigured)
			}
		}
		if got := m.count(); got[core.DeliveryParked] != 3 || got[core.DeliveryDue] != 0 {
			t.Errorf("rows %v, want three parked", got)
		}
		d.Reload([]*core.Destination{destination("a", sink), destination("gone", sink), destination("new", sink)})
		time.Sleep(time.Second)
		stop()
		if got := m.count(); got[core.DeliveryDelivered] != 4 {
			t.Errorf("rows %v, want all delivered once they are configured", got)
		}
	})
}

func TestADisabledDestinationStaysSoWhileItIsNotConfigured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, sink := newMemory(), always(200)
		d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		if err := d.Disable(t.Context(), "webhook/a"); err != nil {
			t.Fatal(err)
		}
		m.owe(1, core.Created, time.Now(), "webhook/a")
		d.Reload(nil)
		time.Sleep(time.Second)
		d.Wake([]string{"webhook/a"})
		time.Sleep(time.Second)
		d.Reload([]*core.Destination{destination("a", sink)})
		time.Sleep(time.Hour)
		stop()
		if got := m.states["webhook/a"].Disabled; got != core.DisabledOperator || len(sink.messages()) != 0 {
			t.Errorf("disabled %q and %d messages, want %q and none", got, len(sink.messages()), core.DisabledOperator)
		}
	})
}
