// SPDX-License-Identifier: MIT

package fluxtest

import (
	"slices"
	"syscall"
	"time"
)

// Fault is something that goes wrong. What is set happens.
type Fault struct {
	Topic string // of the request, such as job-ingest.submit; "" stands for any
	Skip  int    // so many are well before
	Times int    // so many go wrong; 0 stands for 1, below 0 for all

	// In place of carrying a request out:
	Errno  syscall.Errno // refuse it
	Text   string        // with these words
	Silent bool          // say nothing, ever

	// To the answer of a request that is carried out; each answer of a stream counts:
	Delay time.Duration // keep it back, and all that follows on the connection
	Drop  bool          // break the connection instead
	Torn  bool          // send half of it and break the connection
	Raw   []byte        // send this instead
}

// Inject has things go wrong from now on. Of several faults that could strike,
// the first one does.
func (b *Broker) Inject(faults ...Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		b.faults = append(b.faults, &f)
	}
}

// Heal takes back all that Inject did.
func (b *Broker) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

func (f *Fault) refuses() bool { return f.Errno != 0 || f.Silent }

// strike finds the fault that applies now.
func (b *Broker) strike(topic string, refusing bool) *Fault {
	for i, f := range b.faults {
		if f.refuses() != refusing || f.Topic != "" && f.Topic != topic {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times--; f.Times == 0 {
			b.faults = slices.Delete(b.faults, i, i+1)
		}
		return f
	}
	return nil
}

// spoil makes a parcel of an answer.
func (b *Broker) spoil(topic string, answer []byte) parcel {
	f := b.strike(topic, false)
	if f == nil {
		return parcel{bytes: answer}
	}
	p := parcel{bytes: answer, delay: f.Delay, last: f.Drop || f.Torn}
	switch {
	case f.Raw != nil:
		p.bytes = f.Raw
	case f.Torn:
		p.bytes = answer[:len(answer)/2]
	case f.Drop:
		p.bytes = nil
	}
	return p
}
