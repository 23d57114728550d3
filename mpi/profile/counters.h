/* SPDX-License-Identifier: MIT
 *
 * What the parts of the library share: profile.c begins and ends a profile,
 * comm.c knows communicators and where ranks meet, message.c who sent what.
 */
#ifndef ENSEMBLE_COUNTERS_H
#define ENSEMBLE_COUNTERS_H

#include "profile.h"

HIDDEN extern struct header *ensemble_head; /* NULL before the start */
HIDDEN extern struct call *ensemble_slots;
HIDDEN extern struct peer *ensemble_peer_slots;
HIDDEN extern int ensemble_multiple; /* MPI_THREAD_MULTIPLE */

static inline void add(uint64_t *to, uint64_t x)
{
	if (ensemble_multiple)
		__atomic_fetch_add(to, x, __ATOMIC_RELAXED);
	else
		*to += x;
}

/* Raises a number that other threads, or other ranks, raise as well. */
static inline void raise_to(uint64_t *to, uint64_t x)
{
	uint64_t was = __atomic_load_n(to, __ATOMIC_RELAXED);
	while (x > was && !__atomic_compare_exchange_n(to, &was, x, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static inline void most(uint64_t *to, uint64_t x)
{
	if (ensemble_multiple)
		raise_to(to, x);
	else if (x > *to)
		*to = x;
}

/* Around what only one thread at a time may do. Under them MPI is asked for
 * attributes, groups and sizes, none of which waits for another rank or calls back
 * into this library. */
HIDDEN void ensemble_hold(void);
HIDDEN void ensemble_release(void);

/* Maps a file of zeros, the first part of it allocated on disk: writing to a page
 * that finds no room there would be SIGBUS to the program. NULL, with errno, where
 * that cannot be had. */
HIDDEN void *ensemble_map(const char *name, int flags, size_t size, size_t allocated);
/* Says whether one more peer may be written. */
HIDDEN int ensemble_peer_fits(void);

/* Begins to know communicators; where ranks meet is a file in dir. */
HIDDEN void ensemble_know(const char *dir);
/* The rank in MPI_COMM_WORLD of a rank in a communicator, or -1. */
HIDDEN int ensemble_world_rank(int rank, MPI_Comm);
/* Makes room to find the peers of as many ranks, and says whether there is. */
HIDDEN int ensemble_make_room(uint32_t ranks);

#endif
