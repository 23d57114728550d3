/* SPDX-License-Identifier: MIT
 *
 * The clock of calls. Of what a call costs for being counted, reading the time
 * twice is nearly all. Where the kernel itself keeps time by the processor's time
 * stamp counter, which then runs at one speed on all cores, a tick is one of that
 * counter, read without a fence: a third of the price of clock_gettime, which reads
 * it behind one. Elsewhere a tick is a nanosecond of CLOCK_MONOTONIC.
 */
#ifndef ENSEMBLE_CLOCK_H
#define ENSEMBLE_CLOCK_H

#include "profile.h"

#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

HIDDEN extern uint64_t ensemble_scale; /* ns of a tick times 2^32, or 0 where ticks are ns */

/* Time by CLOCK_MONOTONIC in ns. */
static inline uint64_t ensemble_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t ticks(void)
{
#ifdef __x86_64__
	if (ensemble_scale)
		return __rdtsc();
#endif
	return ensemble_now();
}

/* The ns between two ticks; 0 where they came out of order. */
static inline uint64_t ns_between(uint64_t from, uint64_t to)
{
	if (to < from)
		return 0;
	return ensemble_scale ? (uint64_t)((unsigned __int128)(to - from) * ensemble_scale >> 32) : to - from;
}

/* Finds the length of a tick from the time since ensemble_begin, for which it
 * waits until that is long enough. */
HIDDEN void ensemble_tune(void);

#endif
