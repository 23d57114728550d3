// SPDX-License-Identifier: MIT

// Package local runs jobs on this machine.
//
// The model: the machine has cores; a job takes as many as it asks for, or all
// of them where it is not shared. Each attempt has a supervisor, a process of
// its own that outlives the driver. It owns the tree of processes of the job
// (as their subreaper), starts the commands around the application, launches
// the application with the launcher of the MPI that it is linked with, watches
// the time, kills whatever is left, saves the files asked for, and writes
// exit.json. A job whose exit.json is written is finished.
//
// The supervisor is pinned to the attempt's cores and all that it starts inherits
// that. Ranks that are to be bound get a list of processors from place, since
// launchers count from the machine's first core; only Open MPI's mpirun places
// the ranks of a job that has the whole machine.
//
// A supervisor holds a lock on ATTEMPT/lock as long as it lives. The driver
// takes the lock before it starts the supervisor, which inherits it, so there
// is no moment at which an attempt runs and its lock is free. Whoever gets the
// lock knows that the supervisor is gone: exit.json then says how the attempt
// ended, and where there is none the attempt is lost. What a lost attempt left
// running is found by the variable ENSEMBLE_ATTEMPT in its environment, and
// killed.
package local
