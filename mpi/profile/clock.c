/* SPDX-License-Identifier: MIT
 *
 * How long a tick of the time stamp counter is.
 */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

uint64_t ensemble_scale;

#ifdef __x86_64__
#include <cpuid.h>

/* The counter and the clock at one moment. */
static struct moment {
	uint64_t ticks, ns;
} first;

/* Of a few readings the one that was least disturbed. */
static struct moment moment(void)
{
	struct moment best = {0, 0};
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < 5; i++) {
		uint64_t before = __rdtsc(), ns = ensemble_now(), after = __rdtsc();
		if (after - before < least) {
			least = after - before;
			best = (struct moment){before + least / 2, ns};
		}
	}
	return best;
}

/* Whether the counter is of one speed and the kernel keeps time by it. */
static int trusted(void)
{
	unsigned a, b, c, d = 0;
	char source[5] = "";
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1 << 8))
		return 0;
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, source, 4);
	close(fd);
	return n == 4 && memcmp(source, "tsc\n", 4) == 0;
}

uint64_t ensemble_begin(void)
{
	first = moment();
	return first.ns;
}

void ensemble_tune(void)
{
	/* Moments are known to some 50 ns: of 5 ms that is a hundred-thousandth. */
	enum { LONG = 5000000 };
	if (!trusted())
		return;
	struct moment last = moment();
	while (last.ns - first.ns < LONG)
		last = moment();
	if (last.ticks > first.ticks)
		ensemble_scale = (uint64_t)(((unsigned __int128)(last.ns - first.ns) << 32) / (last.ticks - first.ticks));
}

#else

uint64_t ensemble_begin(void)
{
	return ensemble_now();
}

void ensemble_tune(void)
{
}

#endif
