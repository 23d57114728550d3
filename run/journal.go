// SPDX-License-Identifier: MIT

package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"golang.org/x/sys/unix"
)

// syncInterval is how long an event may wait for the fsync that it shares with
// its neighbours.
const syncInterval = 20 * time.Millisecond

// ErrLocked says that another driver works in the run directory.
var ErrLocked = errors.New("another driver works in this run directory")

// ErrOtherRules says that a run cannot go on since its rules decide otherwise now.
var ErrOtherRules = errors.New("the rules are not those that the run began with")

// StorageError says that what has to be kept could not be written. The journal
// is readable up to the last event before it.
type StorageError struct {
	Path string
	Err  error
}

func (e *StorageError) Error() string {
	hint := ""
	if errors.Is(e.Err, unix.ENOSPC) || errors.Is(e.Err, unix.EDQUOT) {
		hint = "; free some space and go on with --resume"
	}
	return fmt.Sprintf("writing %s: %v%s", e.Path, e.Err, hint)
}

func (e *StorageError) Unwrap() error { return e.Err }

// BrokenError says that a journal holds what no driver writes into one.
type BrokenError struct {
	Path string
	Line int
	Err  error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%s:%d: %v; the journal is damaged: put back a copy of it, or begin a new run in another --dir", e.Path, e.Line, e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Journal is the append-only file of events. It is safe for use by several
// goroutines.
type Journal struct {
	path string
	file *os.File

	mu      sync.Mutex
	size    int64 // bytes of whole events
	err     error // the first failure; nothing is written after it
	closed  bool
	dirty   chan struct{}
	synced  *sync.Cond
	durable int64
	hurry   chan struct{} // closed by Close: an fsync need not wait for company
	done    chan struct{}
}

// OpenJournal locks and replays a journal, creating it where there is none, and
// gives each event to replay. A torn last line, as a crash leaves one, is cut
// off; a broken line before it is a *BrokenError.
func OpenJournal(path string, replay func(ensemble.Event) error) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrLocked)
		}
		return nil, fmt.Errorf("locking %s: %w%s", path, err, lockHint(err))
	}
	size, err := ReadJournal(f, path, replay)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err == nil && size == 0 {
		err = syncDir(filepath.Dir(path)) // the file may be new
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	j := &Journal{path: path, file: f, size: size, durable: size,
		dirty: make(chan struct{}, 1), hurry: make(chan struct{}), done: make(chan struct{})}
	j.synced = sync.NewCond(&j.mu)
	go j.syncLoop()
	return j, nil
}

// lockWait is how long a lock may take to be free. A driver that is killed while
// it starts a process leaves a child that holds all its files, the locked one
// too, until it executes its own program.
const lockWait = 2 * time.Second

func lock(f *os.File) error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		again := errors.Is(err, unix.EWOULDBLOCK) && time.Since(begin) < lockWait
		if !again && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// lockHint tells what to do where a file system has no locks.
func lockHint(err error) string {
	for _, no := range []error{unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOLCK, unix.EINVAL} {
		if errors.Is(err, no) {
			return "; its file system has no locks: put the run directory on another one (--dir)"
		}
	}
	return ""
}

// ReadJournal gives each event of a journal to replay and returns how many
// bytes whole events take. A torn last line is left out. A line that is no event,
// or an event that replay refuses with an *ensemble.EventError, is a *BrokenError.
func ReadJournal(r io.Reader, path string, replay func(ensemble.Event) error) (size int64, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	for line := 1; ; line++ {
		text, err := br.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return size, fmt.Errorf("reading %s: %w", path, err)
		}
		torn := err == io.EOF // also when the text is empty
		if torn {
			return size, nil
		}
		var e ensemble.Event
		if err := json.Unmarshal(text, &e); err != nil {
			if _, err := br.Peek(1); err == io.EOF {
				return size, nil // a last line whose blocks did not all reach the disk
			}
			return size, &BrokenError{path, line, fmt.Errorf("the event cannot be read: %w", err)}
		}
		if err := replay(e); err != nil {
			var cannot *ensemble.EventError
			if errors.As(err, &cannot) {
				return size, &BrokenError{path, line, err}
			}
			return size, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		size += int64(len(text))
	}
}

// Append writes events in order. It returns once they are with the kernel,
// where they outlive the process; Sync waits for the disk. The error is a
// *StorageError, and the file then ends with the last event that was written
// whole.
func (j *Journal) Append(events ...ensemble.Event) error {
	var b bytes.Buffer
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return fmt.Errorf("appending to %s: %w", j.path, os.ErrClosed)
	}
	if j.err != nil {
		return j.err
	}
	n, err := j.file.Write(b.Bytes())
	if err != nil {
		if n > 0 { // cut the torn part off; a reader would drop it all the same
			if terr := j.file.Truncate(j.size); terr == nil {
				_, _ = j.file.Seek(j.size, io.SeekStart)
			}
		}
		j.fail(err)
		return j.err
	}
	j.size += int64(n)
	select {
	case j.dirty <- struct{}{}:
	default:
	}
	return nil
}

// fail keeps the first failure and wakes who waits for the disk.
func (j *Journal) fail(err error) {
	if j.err == nil {
		j.err = &StorageError{Path: j.path, Err: err}
	}
	j.synced.Broadcast()
}

// Sync returns once every event appended before it is on disk.
func (j *Journal) Sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for want := j.size; j.durable < want && j.err == nil; {
		j.synced.Wait()
	}
	return j.err
}

// syncLoop runs one fsync for all events that came since the last one.
func (j *Journal) syncLoop() {
	defer close(j.done)
	for range j.dirty {
		j.mu.Lock()
		upTo := j.size
		j.mu.Unlock()
		err := j.file.Sync()
		j.mu.Lock()
		if err != nil {
			j.fail(err)
		} else {
			j.durable = upTo
			j.synced.Broadcast()
		}
		j.mu.Unlock()
		select {
		case <-time.After(syncInterval):
		case <-j.hurry:
		}
	}
}

// Close waits for the disk, releases the lock and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return fmt.Errorf("closing %s: %w", j.path, os.ErrClosed)
	}
	j.closed = true // Append sends under the mutex, and no more from here
	close(j.hurry)
	close(j.dirty)
	j.mu.Unlock()
	<-j.done
	return errors.Join(j.err, j.file.Close()) // nobody writes j.err any more
}
