package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// victimDir makes the test binary a process that stores requests in this
// directory until it is killed.
const victimDir = "BELLCRANK_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		os.Exit(victim(dir))
	}
	goleak.VerifyTestMain(m)
}

// victim stores requests, and writes a line for each that was acknowledged.
func victim(dir string) int {
	db, err := Open(context.Background(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l := &load{body: make([]byte, 700), owed: make(chan struct{}, 1)}
	l.db = db
	if l.Engine, err = engine.New(context.Background(), engine.Config{
		Driver: db, Routes: func() core.Routes { return l }, CheckpointEvery: 20 * time.Millisecond,
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	submit(context.Background(), l, 16, func(a ack) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(int64(a.request), a.number)
	})
	fmt.Fprintln(os.Stderr, l.Run(context.Background()))
	return 1
}

// ack is what a sender was told.
type ack struct {
	request core.ID
	number  int64
}

// submit lets so many submitters store new problems until ctx ends. The
// returned function waits for them.
func submit(ctx context.Context, l *load, submitters int, told func(ack)) (wait func()) {
	var all sync.WaitGroup
	for range submitters {
		all.Go(func() {
			for ctx.Err() == nil {
				r, err := l.open(ctx)
				if err != nil {
					return
				}
				told(ack{r.Request, r.Incidents[0].Number})
			}
		})
	}
	return all.Wait
}

// lost returns how many of the acknowledged requests a database doesn't have
// with their incident and its delivery, and checks that its numbers have
// neither gap nor repeat.
func lost(t *testing.T, dir string, acked []ack) int {
	t.Helper()
	db, err := Open(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open what was left: %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	// Each question has its own time: there may be much to read, and others to
	// share the machine with.
	var numbers, greatest int64
	ask := func(fn func(c *conn) error) {
		t.Helper()
		if err := db.read(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	ask(func(c *conn) error {
		sound, err := c.value(`PRAGMA integrity_check`)
		if err != nil || sound != "ok" {
			return errors.Join(err, fmt.Errorf("integrity check: %s", sound))
		}
		return nil
	})
	ask(func(c *conn) error {
		_, err := c.query(`SELECT count(DISTINCT number), ifnull(max(number), 0) FROM incident`).one(func(r *row) error {
			numbers, greatest = r.int(), r.int()
			return nil
		})
		return err
	})
	pairs := func(sql string) map[int64]int64 {
		t.Helper()
		found := map[int64]int64{}
		ask(func(c *conn) error {
			return c.query(sql).each(func(r *row) error {
				key := r.int()
				found[key] = r.int()
				return nil
			})
		})
		return found
	}
	requests := pairs(`SELECT id, 1 FROM request`)
	caused := pairs(`SELECT request_id, incident_id FROM event`)
	number := pairs(`SELECT id, number FROM incident`)
	owed := pairs(`SELECT incident_id, 1 FROM delivery`)
	versions := pairs(`SELECT incident_id, 1 FROM incident_version`)
	if numbers != greatest {
		t.Errorf("%d numbers up to %d", numbers, greatest)
	}
	n := 0
	for _, a := range acked {
		incident := caused[int64(a.request)]
		if requests[int64(a.request)] == 0 || owed[incident] == 0 || versions[incident] == 0 || number[incident] != a.number {
			n++
		}
	}
	return n
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var acked []ack
	for round := range 10 {
		more := killAfter(t, dir, 30*time.Millisecond+rand.N(120*time.Millisecond))
		if len(more) == 0 {
			t.Errorf("round %d acknowledged nothing", round)
		}
		acked = append(acked, more...)
		if n := lost(t, dir, acked); n != 0 {
			t.Fatalf("round %d: %d of %d acknowledged requests are lost", round, n, len(acked))
		}
	}
	t.Logf("10 kills, %d acknowledged, 0 lost", len(acked))
}

// killAfter runs a victim, kills it a while after its first acknowledgement,
// and returns what it had acknowledged.
func killAfter(t *testing.T, dir string, wait time.Duration) []ack {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []ack
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var id int64
		var a ack
		if n, _ := fmt.Sscan(lines.Text(), &id, &a.number); n != 2 {
			break // cut off by the kill
		}
		a.request = core.ID(id)
		if len(acked) == 0 {
			time.AfterFunc(wait, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		}
		acked = append(acked, a)
	}
	_ = cmd.Wait() // it was killed
	return acked
}

func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	acked, gone, cuts := cutPower(t, "FULL")
	t.Logf("%d power cuts, %d acknowledged, %d lost", cuts, acked, gone)
	if gone != 0 {
		t.Errorf("%d of %d acknowledged requests are lost", gone, acked)
	}
}

// Without the sync at the end of each commit the test above must fail, or it
// proves nothing.
func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	acked, gone, cuts := cutPower(t, "NORMAL")
	t.Logf("%d power cuts, %d acknowledged, %d lost", cuts, acked, gone)
	if gone == 0 {
		t.Errorf("nothing of %d is lost without syncs", acked)
	}
}

// cutPower stores requests and looks, at random moments, at what a power cut
// would have left.
func cutPower(t *testing.T, synchronous string) (acked, gone, cuts int) {
	d, name := newDisk(t)
	l := newLoad(t, Config{vfs: name, synchronous: synchronous})
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var told []ack
	wait := submit(ctx, l, 8, func(a ack) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, a)
	})
	defer func() {
		cancel()
		wait()
	}()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 24 {
		time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
		dir := t.TempDir()
		known, n := func() (int, int) {
			mu.Lock() // the submitters rest as soon as they are told
			defer mu.Unlock()
			d.cut(t, dir, rng, []float64{0, 0.5, 0.95}[i%3])
			return len(told), lost(t, dir, told)
		}()
		if n > 0 && synchronous == "FULL" {
			t.Errorf("cut %d with seed %d: %d of %d lost", i, seed, n, known)
		}
		acked, gone, cuts = known, gone+n, cuts+1
	}
	return acked, gone, cuts
}
