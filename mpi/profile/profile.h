/* SPDX-License-Identifier: MIT
 *
 * The layout of a profile and what the wrappers need of the library.
 *
 * A profile is one file for each rank, RANK.PID.mpi: a header, the names of the
 * calls of MPI, a slot for each call, then the messages by peer. The file is
 * mapped and shared, so the kernel keeps what was counted however the process
 * ends. Numbers are in the order of the machine's bytes; the header gives the size
 * of every part.
 */
#ifndef ENSEMBLE_PROFILE_H
#define ENSEMBLE_PROFILE_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

enum state { STATE_RUNNING = 1, STATE_COMPLETE = 2, STATE_ABORTED = 3 };

enum { NAME = 40, BINS = 40 }; /* bin 0 holds empty messages, bin i those below 2^i bytes */

struct header {
	char magic[8]; /* "ENSMPI\n" and a zero */
	uint32_t version, header_size, name_size, call_size, peer_size;
	uint32_t calls, peers_max, bins, state;
	uint32_t rank, size, pid, thread_level;
	uint32_t spawned; /* whether another MPI program started this one */
	int32_t exit;     /* the code of MPI_Abort */
	uint32_t tsc;     /* whether times of calls are of the time stamp counter (clock.h) */
	uint64_t peers;        /* in use */
	uint64_t peers_lost;   /* messages to peers that found no room */
	uint64_t clock;        /* when the profile began, in ns since 1970 */
	uint64_t init;         /* MPI_Init called; this and the next three are of the monotonic clock, in ns */
	uint64_t start;        /* MPI_Init returned */
	uint64_t last;         /* the last call returned */
	uint64_t end;          /* MPI_Finalize or MPI_Abort called; 0 before */
	uint64_t cost;         /* what one call costs for being counted, in ps */
	uint64_t user, system; /* the processor's time between start and end, in ns */
	uint64_t peak;         /* resident memory at most, in bytes */
	char host[256];
	char library[1024];
	uint64_t off; /* between start and end or last, when nothing was counted, in ns */
};

struct call {
	uint64_t count, ns, max_ns;
	uint64_t wait_ns, met_ns, waits;     /* waiting, in calls of which it is known, and their ns and count */
	uint64_t messages, bytes, max_bytes; /* that this rank handed over */
	uint64_t bin[BINS];                  /* of messages by size */
};

enum way { WAY_BLOCKING, WAY_IMMEDIATE, WAY_PERSISTENT, WAYS };

struct peer {
	uint32_t rank; /* in MPI_COMM_WORLD */
	uint32_t way;
	uint64_t messages, bytes;
};

/* What a call knows of itself from its begin to its end. */
struct timing {
	uint64_t begin, end; /* in ticks of clock.h */
	/* Where the members of a communicator say when they came, or NULL; and how
	 * many have it mapped, of how many. */
	const uint64_t *latest, *present;
	uint64_t members;
};

#define HIDDEN __attribute__((visibility("hidden")))

/* Of the generated file: the calls by number. */
HIDDEN extern const char *const ensemble_names[];
HIDDEN extern const int ensemble_calls;

HIDDEN int ensemble_enter(struct timing *);
HIDDEN void ensemble_leave(struct timing *, int call);
HIDDEN void ensemble_done(void);

HIDDEN uint64_t ensemble_begin(void); /* called before MPI_Init: the time, in ns */
HIDDEN void ensemble_start(uint64_t init);
HIDDEN void ensemble_finish(void);
HIDDEN void ensemble_abort(int code);
HIDDEN void ensemble_switch(int on);

/* What wrappers tell of a call; bytes are those that this rank hands over. */
HIDDEN void ensemble_message(int call, uint64_t bytes);
HIDDEN void ensemble_send(int call, enum way, uint64_t bytes, int dest, MPI_Comm);
HIDDEN void ensemble_persistent(int call, uint64_t bytes, int dest, MPI_Comm, MPI_Request);
HIDDEN void ensemble_persistent_message(int call, uint64_t bytes, MPI_Request);
HIDDEN void ensemble_started(MPI_Request);
HIDDEN void ensemble_forget_request(MPI_Request);

/* Around a collective call that no rank leaves before all have come. */
HIDDEN void ensemble_arrive(struct timing *, MPI_Comm);
HIDDEN void ensemble_met(struct timing *, int call);
/* A communicator was made of another. */
HIDDEN void ensemble_child(MPI_Comm parent, MPI_Comm child);

HIDDEN uint64_t ensemble_size(MPI_Datatype);
HIDDEN int ensemble_peers(MPI_Comm); /* size of the group that data goes to */
HIDDEN int ensemble_self(MPI_Comm);  /* -1 in an intercommunicator */
HIDDEN int ensemble_is_root(int root, MPI_Comm);
HIDDEN int ensemble_outdegree(MPI_Comm);

#endif
