// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// tree owns the processes of one attempt. It is the subreaper of all of them:
// whatever a process leaves behind becomes a child of this one. Starting is
// done from one goroutine that is locked to its thread, since the kernel ties
// the death signal of a child to the thread that made it.
type tree struct {
	mu      sync.Mutex
	waiting map[int]chan end // by pid
	more    *sync.Cond       // signalled when a process was started
	empty   *sync.Cond       // signalled when there is none
	alone   bool             // there is none: the kernel said so, and none was started since
	used    usage            // of all that was reaped
}

// end is how a process ended.
type end struct {
	status unix.WaitStatus
	usage  usage
	at     time.Time
}

// usage is what wait4 says of a process and the descendants it waited for.
type usage struct {
	user, system time.Duration
	maxRSS       int64 // bytes
}

func newTree() (*tree, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("becoming the subreaper: %w", err)
	}
	t := &tree{waiting: map[int]chan end{}}
	t.more, t.empty = sync.NewCond(&t.mu), sync.NewCond(&t.mu)
	go t.reap()
	return t, nil
}

// start starts a process; sys is what is special of it beside its group. A command that
// is not found is an error that wraps exec.ErrNotFound or fs.ErrNotExist.
func (t *tree) start(argv []string, dir string, env []string, stdout, stderr *os.File, sys *syscall.SysProcAttr) (pid int, done <-chan end, err error) {
	path := argv[0]
	if !strings.Contains(path, "/") {
		if path, err = exec.LookPath(path); err != nil {
			return 0, nil, err
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	sys.Setpgid, sys.Pdeathsig = true, syscall.SIGKILL
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir: dir, Env: env, Files: []*os.File{null, stdout, stderr}, Sys: sys,
	})
	if err != nil {
		return 0, nil, err
	}
	pid = p.Pid
	_ = p.Release() // reaped by reap
	ch := make(chan end, 1)
	t.waiting[pid], t.alone = ch, false
	t.more.Signal()
	return pid, ch, nil
}

// reap waits for every process, adopted ones included.
func (t *tree) reap() {
	for {
		var status unix.WaitStatus
		var ru unix.Rusage
		pid, err := unix.Wait4(-1, &status, unix.WALL, &ru)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			// No child is left, and so no descendant either, since orphans would be
			// children of this process. One that waits was started since.
			t.mu.Lock()
			for len(t.waiting) == 0 {
				t.alone = true
				t.empty.Broadcast()
				t.more.Wait()
			}
			t.mu.Unlock()
			continue
		case err != nil:
			panic(fmt.Sprintf("waiting for a process: %v", err)) // no other error is documented
		}
		u := usage{
			user:   time.Duration(ru.Utime.Nano()),
			system: time.Duration(ru.Stime.Nano()),
			maxRSS: ru.Maxrss << 10,
		}
		t.mu.Lock()
		t.used.add(u)
		if ch := t.waiting[pid]; ch != nil {
			delete(t.waiting, pid)
			ch <- end{status: status, usage: u, at: time.Now()}
		}
		t.mu.Unlock()
	}
}

func (u *usage) add(v usage) {
	u.user += v.user
	u.system += v.system
	u.maxRSS = max(u.maxRSS, v.maxRSS)
}

// reaped gives the use of all processes that ended so far.
func (t *tree) reaped() usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used
}

// resetPeak forgets the largest resident set, so that the next one is that of
// what follows.
func (t *tree) resetPeak() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used.maxRSS = 0
}

// signal sends a signal to every process of the tree.
func (t *tree) signal(s unix.Signal) {
	for _, p := range descendants(os.Getpid(), nil) {
		_ = unix.Kill(p.PID, s)
	}
}

// clear ends every process that is left: it asks, waits for grace, and then
// kills until none is left. It believes the kernel and not a list of processes,
// which can miss one that was made while the list was.
func (t *tree) clear(grace time.Duration) {
	gone := make(chan struct{})
	go func() {
		t.mu.Lock()
		for !t.alone {
			t.empty.Wait()
		}
		t.mu.Unlock()
		close(gone)
	}()
	select {
	case <-gone: // as a rule
		return
	case <-time.After(time.Millisecond):
	}
	t.signal(unix.SIGTERM)
	for wait := grace; ; wait = 10 * time.Millisecond {
		select {
		case <-gone:
			return
		case <-time.After(wait):
			t.signal(unix.SIGKILL)
		}
	}
}

// process names a process for good: the kernel gives its ID to another one later.
type process struct {
	pid   int
	start uint64 // in ticks since boot
}

// living lists the processes of the tree.
func (t *tree) living() map[process]bool {
	all := map[process]bool{}
	for _, p := range descendants(os.Getpid(), nil) {
		all[process{p.PID, p.Starttime}] = true
	}
	return all
}

// leftBeside counts the processes that live beside some and what those started.
// It looks again for grace as long as there are any.
func (t *tree) leftBeside(some map[process]bool, grace time.Duration) int {
	for over := time.Now().Add(grace); ; time.Sleep(5 * time.Millisecond) {
		left := len(descendants(os.Getpid(), some))
		if left == 0 || time.Now().After(over) {
			return left
		}
	}
}

// descendants lists the living processes below one, zombies left out. Those of
// without are left out with all that is below them.
func descendants(pid int, without map[process]bool) []procfs.ProcStat {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	children := map[int][]procfs.ProcStat{}
	for _, p := range procs {
		if s, err := p.Stat(); err == nil {
			children[s.PPID] = append(children[s.PPID], s)
		}
	}
	var all []procfs.ProcStat
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		for _, c := range children[queue[0]] {
			if without[process{c.PID, c.Starttime}] {
				continue
			}
			queue = append(queue, c.PID)
			if c.State != "Z" && c.State != "X" {
				all = append(all, c)
			}
		}
	}
	return all
}

// attemptVariable marks every process of an attempt.
const attemptVariable = "ENSEMBLE_ATTEMPT"
