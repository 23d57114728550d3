// SPDX-License-Identifier: MIT
//
// stream [ELEMENTS [REPEATS]]: the bandwidth of memory, by four loops over arrays of
// double precision that are far larger than any cache: copy, scale, add and triad, after
// the benchmark of J. McCalpin. Written anew; its numbers are no STREAM results.
//
// A loop's bytes are those that the program reads and writes, without what the machine
// moves besides. The first repeat of each loop does not count. Rates are in GiB/s, of
// 2^30 bytes; the best of each loop is printed, with the mean, least and most time.
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { COPY, SCALE, ADD, TRIAD, LOOPS };

static const char *const name[LOOPS] = {"Copy:", "Scale:", "Add:", "Triad:"};
static const int arrays[LOOPS] = {2, 2, 3, 3};
static const double q = 0.42;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void loop(int which, long n, double *restrict a, double *restrict b, double *restrict c)
{
	switch (which) {
	case COPY:
#pragma omp parallel for
		for (long i = 0; i < n; i++)
			c[i] = a[i];
		break;
	case SCALE:
#pragma omp parallel for
		for (long i = 0; i < n; i++)
			b[i] = q * c[i];
		break;
	case ADD:
#pragma omp parallel for
		for (long i = 0; i < n; i++)
			c[i] = a[i] + b[i];
		break;
	case TRIAD:
#pragma omp parallel for
		for (long i = 0; i < n; i++)
			a[i] = b[i] + q * c[i];
		break;
	}
}

// number reads a whole number of at least least; 0 says that it is none.
static long number(const char *text, long least)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	return errno || *end || end == text || n < least ? 0 : n;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? number(argv[1], 1) : 20000000, repeats = argc > 2 ? number(argv[2], 2) : 10;
	if (!n || !repeats || argc > 3) {
		fprintf(stderr, "usage: stream [ELEMENTS [REPEATS]], REPEATS 2 at least\n");
		return 2;
	}
	double *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b), *c = malloc((size_t)n * sizeof *c);
	if (!a || !b || !c) {
		fprintf(stderr, "stream: no memory for three arrays of %ld elements\n", n);
		return 1;
	}
	int threads = 1;
#ifdef _OPENMP
	threads = omp_get_max_threads();
#endif
	printf("Array size = %ld (elements)\n", n);
	printf("Number of Threads counted = %d\n", threads);
	// Whoever uses a page first has it near.
#pragma omp parallel for
	for (long i = 0; i < n; i++) {
		a[i] = 1;
		b[i] = 2;
		c[i] = 0;
	}
	double sum[LOOPS] = {0}, least[LOOPS] = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX}, most[LOOPS] = {0};
	double wa = 1, wb = 2, wc = 0; // what every element has to be
	for (long r = 0; r < repeats; r++) {
		for (int l = 0; l < LOOPS; l++) {
			double begin = now();
			loop(l, n, a, b, c);
			double took = now() - begin;
			if (r == 0)
				continue;
			sum[l] += took;
			if (took < least[l])
				least[l] = took;
			if (took > most[l])
				most[l] = took;
		}
		wc = wa;
		wb = q * wc;
		wc = wa + wb;
		wa = wb + q * wc;
	}
	printf("Function    Best Rate (GiB/s)     Avg time     Min time     Max time\n");
	for (int l = 0; l < LOOPS; l++)
		printf("%-8s%20.3f %12.6f %12.6f %12.6f\n", name[l],
		       (double)arrays[l] * (double)n * sizeof *a / least[l] / 1073741824.0, sum[l] / (double)(repeats - 1), least[l], most[l]);
	int failed = 0;
	const double *const array[3] = {a, b, c};
	const double want[3] = {wa, wb, wc};
#ifdef BREAK // for a test of the check
	a[n / 2] *= 1.001;
#endif
	for (int k = 0; k < 3; k++)
		for (long i = 0; i < n; i++)
			if (!(fabs(array[k][i] / want[k] - 1) < 1e-13)) {
				printf("Failed Validation on array %c[], element %ld: got %.17g, want %.17g\n", 'a' + k, i, array[k][i], want[k]);
				failed = 1;
				break;
			}
	if (!failed)
		printf("Solution Validates: every element is right\n");
	free(a), free(b), free(c);
	return failed;
}
