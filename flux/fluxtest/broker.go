// SPDX-License-Identifier: MIT

package fluxtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

// Options say what a broker has.
type Options struct {
	Nodes   int    // 0 stands for 4
	Cores   int    // of each node; 0 stands for 2
	Version string // of flux-core that it claims to be; "" stands for 0.88.0
	Owner   *int   // the user whose instance it is; nil stands for who runs the test
	// Online is how many of the nodes are there at first; 0 stands for all.
	Online int
	// Socket is where it listens; "" stands for a file in a new directory.
	Socket string
	// Run is what the tasks of a job do, nil stands for Command.
	Run Run
	// Annotations has the scheduler tell what it did before alloc, as Fluxion does.
	Annotations bool
	// Validate is how long the first submission takes longer than others.
	Validate time.Duration
}

// Broker is a broker that runs in this process. It is safe for use by several
// goroutines.
type Broker struct {
	opts  Options
	path  string
	dir   string // to be removed, if there is one
	owner int
	ctx   context.Context // of the jobs; its end is the broker's
	stop  context.CancelFunc
	down  chan struct{} // closed, once, by a shutdown
	once  sync.Once
	work  sync.WaitGroup // connections, jobs and timers

	mu        sync.Mutex
	listener  net.Listener // nil while it is lost
	conns     map[*conn]struct{}
	closed    bool
	born      time.Time
	lastID    flux.JobID
	lastTime  float64
	jobs      map[flux.JobID]*job
	order     []*job            // by ID
	watched   map[*job]struct{} // those with watchers
	queue     []*job            // those that wait for resources, next first
	free      []flux.IDSet
	online    int // ranks below it are there
	dying     int // looks at the resources after which the last of them is known to be gone
	drained   map[int]drain
	stopped   bool // the queue is
	listeners []*listener
	waiters   []*request // for any job that is waitable
	faults    []*Fault
	warm      bool // the first submission is over
}

type drain struct {
	since  float64
	reason string
}

// Start starts a broker that ends with the test.
func Start(t testing.TB, opts Options) *Broker {
	t.Helper()
	b, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// New starts a broker.
func New(opts Options) (*Broker, error) {
	if opts.Nodes == 0 {
		opts.Nodes = 4
	}
	if opts.Cores == 0 {
		opts.Cores = 2
	}
	if opts.Version == "" {
		opts.Version = "0.88.0"
	}
	if opts.Run == nil {
		opts.Run = Command
	}
	b := &Broker{opts: opts, path: opts.Socket, owner: os.Getuid(), born: time.Now(), down: make(chan struct{}),
		conns: map[*conn]struct{}{}, jobs: map[flux.JobID]*job{}, watched: map[*job]struct{}{}, drained: map[int]drain{}}
	if opts.Owner != nil {
		b.owner = *opts.Owner
	}
	b.online = opts.Online
	if b.online == 0 {
		b.online = opts.Nodes
	}
	for range opts.Nodes {
		b.free = append(b.free, b.cores())
	}
	if b.path == "" {
		dir, err := os.MkdirTemp("", "fluxtest") // t.TempDir may be too long for a socket
		if err != nil {
			return nil, err
		}
		b.dir, b.path = dir, filepath.Join(dir, "local")
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	if err := b.listen(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// URI is what a client dials.
func (b *Broker) URI() string { return "local://" + b.path }

// Lose makes the broker go away as if it were killed: every connection breaks
// and nobody listens. Its jobs go on, so that Return can be told apart from a
// new broker.
func (b *Broker) Lose() {
	b.mu.Lock()
	l := b.listener
	b.listener = nil
	var conns []*conn
	for c := range b.conns {
		conns = append(conns, c)
	}
	b.drop(func(*request) bool { return true })
	b.mu.Unlock()
	if l != nil {
		l.Close()
	}
	for _, c := range conns {
		c.close()
	}
}

// Return has a lost broker listen again.
func (b *Broker) Return() error { return b.listen() }

// Resize has the first ranks there and the others not. What runs on one that goes is
// lost.
func (b *Broker) Resize(nodes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.online = min(max(nodes, 1), b.opts.Nodes)
	b.dying = 0
	b.fail(b.online)
	b.schedule()
}

// KillLast has the broker of the last rank that is there die. What runs on it is lost at
// once, but that it is gone is known only when the resources were asked for so often:
// until then jobs get it, and are lost.
func (b *Broker) KillLast(looks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dying = looks
	b.fail(b.online - 1)
}

// fail loses what runs on ranks from one on.
func (b *Broker) fail(from int) {
	for _, j := range b.order {
		for _, s := range j.got {
			if j.state == flux.Run && s.rank >= from {
				b.raise(j, "exec", 0, fmt.Sprintf("node failure on %s (rank %d)", b.host(s.rank), s.rank))
				break
			}
		}
	}
}

// Down is closed when the broker was asked to shut down. It answers on, so that what it
// did can be looked at.
func (b *Broker) Down() <-chan struct{} { return b.down }

// Close ends the broker and all that it runs, and waits for it.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.Lose()
	b.stop()
	b.work.Wait()
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

func (b *Broker) listen() error {
	l, err := net.Listen("unix", b.path)
	if err != nil {
		return fmt.Errorf("listening as a broker: %w", err)
	}
	b.mu.Lock()
	if b.closed || b.listener != nil {
		b.mu.Unlock()
		l.Close()
		return errors.New("listening as a broker: it is closed, or listens already")
	}
	b.listener = l
	b.work.Go(func() { b.accept(l) })
	b.mu.Unlock()
	return nil
}

func (b *Broker) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		c := newConn(b, nc)
		b.mu.Lock()
		if b.listener != l { // it was lost meanwhile
			b.mu.Unlock()
			nc.Close()
			return
		}
		b.conns[c] = struct{}{}
		b.work.Go(c.read)
		b.work.Go(c.write)
		b.mu.Unlock()
	}
}

// later does something under the lock, unless the broker is closed before.
func (b *Broker) later(d time.Duration, do func()) {
	b.work.Go(func() {
		select {
		case <-time.After(d):
			b.mu.Lock()
			defer b.mu.Unlock()
			do()
		case <-b.ctx.Done():
		}
	})
}

func (b *Broker) cores() flux.IDSet { return flux.IDRange(0, b.opts.Cores-1) }

func (b *Broker) host(rank int) string { return "node" + strconv.Itoa(rank) }

// now is the time as events have it, and never twice the same.
func (b *Broker) now() time.Time {
	t := time.Now()
	if last := float64(t.UnixMicro()) / 1e6; last > b.lastTime {
		b.lastTime = last
		return t
	}
	b.lastTime += 1e-6
	return time.UnixMicro(int64(b.lastTime*1e6 + 0.5))
}

// newID makes a job ID as Flux does (RFC 19).
func (b *Broker) newID() flux.JobID {
	id := flux.JobID(time.Since(b.born).Milliseconds()) << 24
	if id <= b.lastID {
		id = b.lastID + 1
	}
	b.lastID = id
	return id
}
