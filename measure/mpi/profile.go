// SPDX-License-Identifier: MIT

// Package mpi reads what MPI cost an application: the profiles that the MPI
// profiling library leaves, one file for each rank, as one Profile of the job.
//
// A file may be of a rank that is still running or that was killed: whatever was
// counted until then is in it, and the rank is marked incomplete.
package mpi

import "time"

// Profile is what the ranks of one job did, in the order of their ranks.
type Profile struct{ Ranks []Rank }

// State says how far a rank came.
type State string

// The states of a rank.
const (
	// Complete ranks called MPI_Finalize.
	Complete State = "complete"
	// Aborted ranks called MPI_Abort.
	Aborted State = "aborted"
	// Incomplete ranks did neither: they were killed, crashed or still run.
	Incomplete State = "incomplete"
)

// Rank is what one rank counted.
type Rank struct {
	// Rank is the number in MPI_COMM_WORLD, Size the number of ranks in it.
	Rank, Size int
	// Host is the node's name.
	Host string
	// Library is MPI's own description.
	Library string
	// ThreadLevel is what MPI_Init_thread provided, from 0 for
	// MPI_THREAD_SINGLE to 3 for MPI_THREAD_MULTIPLE.
	ThreadLevel int
	// Spawned says that another MPI program started this one.
	Spawned bool
	State   State
	// Began is when MPI_Init returned.
	Began time.Time
	// App is the time from the return of MPI_Init to the call of MPI_Finalize,
	// or of a rank that did not come there to the end of its last call of MPI.
	App time.Duration
	// User and System are the processor's time in App; Peak is the resident
	// memory at most, in bytes. They are 0 for an incomplete rank.
	User, System time.Duration
	Peak         uint64
	// Cost is what one call costs for being counted.
	Cost time.Duration
	// Calls are those that were made, in the order of their names.
	Calls []Call
	// Peers are the ranks that this one sent to, in the order of the first
	// message.
	Peers []Peer
	// Lost counts the messages to peers that found no room.
	Lost uint64
}

// Call is what one function of MPI took in one rank.
type Call struct {
	Name          string
	Count         uint64
	Time, Longest time.Duration
	// Waits are the collective calls, of Count, for which it is known when the
	// last rank came, Met their part of Time and Wait that until it came.
	Waits     uint64
	Met, Wait time.Duration
	// Messages are what the rank handed over, Bytes their sum, Largest the
	// largest. Bins counts them by size: first the empty ones; bin i those of at
	// least 2^(i-1) and below 2^i bytes.
	Messages, Bytes, Largest uint64
	Bins                     []uint64
}

// Way is how a message was sent.
type Way string

// The ways of sending.
const (
	Blocking   Way = "blocking"
	Immediate  Way = "immediate"
	Persistent Way = "persistent"
)

// Peer is what a rank sent to another, point to point.
type Peer struct {
	// Rank is the receiver's in MPI_COMM_WORLD.
	Rank            int
	Way             Way
	Messages, Bytes uint64
}

// MPI is the time in calls of MPI.
func (r *Rank) MPI() (t time.Duration) {
	for i := range r.Calls {
		t += r.Calls[i].Time
	}
	return t
}
