// SPDX-License-Identifier: MIT

package local

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/run"
	"github.com/prometheus/procfs"
)

// userHZ is the unit of times in /proc/PID/stat, in ticks a second: the value
// that Linux has shown to programs on every architecture since 2.6.
const userHZ = 100

// cpu gives what the tree used so far: what was reaped and what lives.
func (t *tree) cpu() usage {
	u := t.reaped()
	for _, p := range descendants(os.Getpid(), nil) {
		u.user += ticks(int(p.UTime) + p.CUTime)
		u.system += ticks(int(p.STime) + p.CSTime)
	}
	return u
}

func ticks(n int) time.Duration { return time.Duration(n) * time.Second / userHZ }

func (u usage) total() time.Duration { return u.user + u.system }

// sample records the use of the machine at intervals until the function that it
// gives is called.
func (s *supervisor) sample() (stop func() error) {
	if s.job.Policy.Sample <= 0 {
		return func() error { return nil }
	}
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.samples(quit) }()
	return func() error {
		close(quit)
		return <-done
	}
}

func (s *supervisor) samples(quit <-chan struct{}) (err error) {
	f, err := create(filepath.Join(s.dir, run.SamplesFile), os.O_WRONLY)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	enc := json.NewEncoder(w)
	tick := time.NewTicker(s.job.Policy.Sample)
	defer tick.Stop()
	rx0, tx0 := network()
	cpu0 := s.tree.cpu().total()
	read0, write0 := storage(os.Getpid())
	cpu := 0.0
	for {
		x := s.now()
		rx, tx := network()
		x.ReceivedBytes, x.SentBytes = rx-rx0, tx-tx0
		// A process that ends between two looks is missing for one sample.
		cpu = max(cpu, x.CPUSeconds-cpu0.Seconds())
		x.CPUSeconds = cpu
		// What a process has transferred goes to the one that waits for its end, so
		// that of those that are gone is found here.
		read, write := storage(os.Getpid())
		x.ReadBytes += read - read0
		x.WriteBytes += write - write0
		if err := enc.Encode(x); err != nil {
			return err
		}
		select {
		case <-quit:
			return nil
		case <-tick.C:
		}
	}
}

// now adds up what the processes of the job use.
func (s *supervisor) now() run.Sample {
	x := run.Sample{Seconds: time.Since(s.exit.Start).Seconds()}
	for _, p := range descendants(os.Getpid(), nil) {
		x.Processes++
		x.RSSBytes += int64(p.ResidentMemory())
		read, write := storage(p.PID)
		x.ReadBytes += read
		x.WriteBytes += write
	}
	x.CPUSeconds = s.tree.cpu().total().Seconds()
	return x
}

// storage gives the bytes that a process read from and wrote to storage; nothing
// for one that ended.
func storage(pid int) (read, write int64) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0
	}
	io, err := p.IO()
	if err != nil {
		return 0, 0
	}
	return int64(io.ReadBytes), int64(io.WriteBytes)
}

// network gives the bytes that all interfaces received and sent so far.
func network() (rx, tx int64) {
	self, err := procfs.Self()
	if err != nil {
		return 0, 0
	}
	dev, err := self.NetDev()
	if err != nil {
		return 0, 0
	}
	for _, d := range dev {
		rx += int64(d.RxBytes)
		tx += int64(d.TxBytes)
	}
	return rx, tx
}
