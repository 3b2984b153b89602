package cgroup

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// leafName is the cgroup that the gateway itself moves to.
	leafName = "gateway"
	// folderPrefix begins the name of each gateway's folder.
	folderPrefix = "bellcrank-plugins-"
	// togetherNice weighs all plugins together against the gateway: when both
	// want the processor, the gateway has three quarters of it.
	togetherNice = 5
)

// Tree is what a gateway was given.
type Tree struct {
	mode        Mode
	folder      string // empty: nothing
	controllers []string
	missing     []error
	lock        *os.File // of the folder; others see by it that its gateway lives
	removals    sync.WaitGroup

	mu   sync.Mutex
	made uint64 // groups
}

// Open finds out what was given and what can be had of it, and makes it ready:
// it moves the gateway into a leaf if controllers ask for that, and takes away
// what gateways that have died have left. A tree that has nothing says why.
func Open(cfg Config) *Tree {
	t := &Tree{mode: cfg.Mode}
	if cfg.Mode == Off {
		t.missing = []error{errOff}
		return t
	}
	if err := t.open(cfg); err != nil {
		t.missing = append(t.missing, err)
		t.abandon()
	}
	return t
}

func (t *Tree) open(cfg Config) error {
	proc := cmp.Or(cfg.Proc, "/proc")
	cgroups, err := os.ReadFile(filepath.Join(proc, "self/cgroup"))
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "self/mountinfo"))
	if err != nil {
		return err
	}
	p, err := locate(string(cgroups), string(mounts))
	if err != nil {
		return err
	}
	d, err := delegated(p, cfg.Mode == Required)
	if err != nil {
		return err
	}
	sweep(d.own)
	t.enable(d)
	if err := t.makeFolder(d.own); err != nil {
		return err
	}
	if slices.Contains(t.controllers, CPU) {
		if err := write(t.folder, "cpu.weight", weight(togetherNice)); err != nil {
			return err
		}
	}
	return t.try()
}

// try starts nothing in a group: whether the kernel would is known by the error.
func (t *Tree) try() error {
	g, err := t.group("trial", Limits{})
	if err != nil {
		return err
	}
	defer g.End()
	attributes := &os.ProcAttr{Sys: &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.Dir().Fd())}}
	if _, err = os.StartProcess("", nil, attributes); errors.Is(err, fs.ErrNotExist) {
		return nil // it came as far as to the file that isn't there
	}
	return fmt.Errorf("no process can be started in a cgroup: %w", err)
}

// delegation is a cgroup that is ours to divide.
type delegation struct {
	own string
	// whole: the other processes in it are ours to move, too.
	whole bool
}

// delegated finds the cgroup that we were given: the one that we are in, or the
// one above if we are in a leaf of it already. taken: we may take our own
// without having been given it.
func delegated(p place, taken bool) (delegation, error) {
	own, top := p.dir(), p.top
	above := filepath.Dir(own)
	hasAbove := p.path != "/"
	switch {
	case marked(own):
	case hasAbove && marked(above) && isLeafOf(above, own), hasAbove && filepath.Base(own) == leafName:
		own, top = above, filepath.Dir(p.path) == "/"
	}
	d := delegation{own: own}
	switch {
	case isHostRoot(own) && !taken:
		return d, errors.New("the gateway is in the root of the host's hierarchy, which is nobody's to divide")
	case marked(own), taken:
		d.whole = true
	case top:
		d.whole = os.Getpid() == 1 || os.Getppid() == 1 // what the container is there for
	case os.Geteuid() == 0:
		// Root can write everywhere, which says nothing.
		return d, fmt.Errorf("nothing says that %s is ours to divide: a systemd unit says so with Delegate=", own)
	case inDelegation(p.mount, own):
		return d, fmt.Errorf("%s is another manager's to divide: a systemd unit gives it with Delegate=", own)
	}
	for _, file := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if err := unix.Faccessat(unix.AT_FDCWD, filepath.Join(own, file), unix.W_OK, unix.AT_EACCESS); err != nil {
			return d, &fs.PathError{Op: "write to", Path: filepath.Join(own, file), Err: err}
		}
	}
	return d, nil
}

// isLeafOf reports whether a cgroup was made for the gateway in what it was
// given, as with DelegateSubgroup=: nothing but that and ours is there. A user's
// own systemd keeps more than that in what it was given.
func isLeafOf(above, leaf string) bool {
	entries, err := os.ReadDir(above)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		name := e.Name()
		return e.IsDir() && name != filepath.Base(leaf) && name != ".control" && !strings.HasPrefix(name, folderPrefix)
	})
}

// marked reports whether systemd says that a cgroup was given away.
func marked(dir string) bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		var value [8]byte
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// isHostRoot reports whether a cgroup is the root of the host's hierarchy: it
// alone has no events.
func isHostRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.events"))
	return errors.Is(err, fs.ErrNotExist)
}

// inDelegation reports whether somebody was given a cgroup further up, such as
// a user's own systemd, and so keeps this one in order.
func inDelegation(mount, dir string) bool {
	for dir != mount && dir != "/" {
		dir = filepath.Dir(dir)
		if marked(dir) {
			return true
		}
	}
	return false
}

// enable turns on the controllers for what is below. What fails is noted.
func (t *Tree) enable(d delegation) {
	has := words(d.own, "cgroup.controllers")
	var turnOn []string
	for _, c := range wanted {
		if slices.Contains(has, c) {
			turnOn = append(turnOn, c)
		} else {
			t.missing = append(t.missing, fmt.Errorf("%s has no %s controller", d.own, c))
		}
	}
	if len(turnOn) == 0 {
		return
	}
	if err := d.settle(); err != nil {
		t.missing = append(t.missing, err)
		return
	}
	t.controllers = t.turnOn(d.own, turnOn)
}

// turnOn turns controllers on for what is below a cgroup, and returns those
// that are.
func (t *Tree) turnOn(dir string, controllers []string) []string {
	var on []string
	for _, c := range controllers {
		if err := write(dir, "cgroup.subtree_control", "+"+c); err != nil {
			t.missing = append(t.missing, fmt.Errorf("%s controller: %w", c, err))
			continue
		}
		on = append(on, c)
	}
	return on
}

// settle moves us into a leaf, and the other processes if they are ours: where
// controllers are on for what is below, no process may be. The root of the
// host's hierarchy alone may hold both.
func (d delegation) settle() error {
	pids := words(d.own, "cgroup.procs")
	if len(pids) == 0 || isHostRoot(d.own) {
		return nil
	}
	if us := strconv.Itoa(os.Getpid()); !d.whole && !slices.Equal(pids, []string{us}) {
		return fmt.Errorf("processes other than the gateway are in %s: %v", d.own, pids)
	}
	if slices.Contains(pids, "0") {
		return fmt.Errorf("processes that can't be seen from here are in %s", d.own)
	}
	leaf := filepath.Join(d.own, leafName)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// They may start others meanwhile.
	const rounds = 100
	for range rounds {
		for _, pid := range pids {
			if err := write(leaf, "cgroup.procs", pid); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("process %s: %w", pid, err)
			}
		}
		if pids = words(d.own, "cgroup.procs"); len(pids) == 0 {
			return nil
		}
	}
	return fmt.Errorf("processes are started in %s all the time", d.own)
}

// makeFolder makes our folder, locks it, and turns the controllers on in it.
func (t *Tree) makeFolder(own string) error {
	const tries = 10 // another gateway that begins may take the new folder for a leftover
	for range tries {
		folder := filepath.Join(own, folderPrefix+rand.Text())
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		lock, err := lockFolder(folder)
		if err != nil {
			_ = os.Remove(folder)
			continue
		}
		t.folder, t.lock = folder, lock
		t.controllers = t.turnOn(folder, t.controllers)
		return nil
	}
	return fmt.Errorf("others remove our folders in %s", own)
}

// lockFolder locks a folder that is still where it was.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		var held, there os.FileInfo
		if held, err = f.Stat(); err == nil {
			there, err = os.Stat(folder)
		}
		if err == nil && !os.SameFile(held, there) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep takes away the folders whose gateway has died: nobody holds their lock.
func sweep(own string) {
	leftovers, _ := filepath.Glob(filepath.Join(own, folderPrefix+"*"))
	for _, folder := range leftovers {
		if lock, err := lockFolder(folder); err == nil {
			_ = takeAway(folder) // the next gateway tries again
			lock.Close()
		}
	}
}

// Close ends whatever is left in the groups and takes them away. The gateway
// stays in its leaf.
func (t *Tree) Close() error {
	if t == nil || t.folder == "" {
		return nil
	}
	t.removals.Wait()
	err := takeAway(t.folder)
	t.lock.Close()
	return err
}

// abandon leaves a tree that has nothing.
func (t *Tree) abandon() {
	if t.folder != "" {
		t.removals.Wait()
		_ = takeAway(t.folder)
		t.lock.Close()
	}
	t.folder, t.controllers = "", nil
}

// words reads a file that lists words; one that can't be read has none.
func words(dir, file string) []string {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil
	}
	return strings.Fields(string(content))
}

// write sets a file of the kernel's.
func write(dir, file string, value any) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, value)
	return errors.Join(err, f.Close())
}
