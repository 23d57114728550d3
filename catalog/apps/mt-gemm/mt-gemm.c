// SPDX-License-Identifier: MIT
//
// mt-gemm SIZE REPEATS: the product C = A B of square matrices in double precision,
// distributed over MPI ranks.
//
// The ranks form a grid of rows and columns, and each has a block of A, B and C. The
// product goes through the inner dimension in panels (SUMMA: van de Geijn and Watts,
// 1997): the ranks that have a panel of A send it along their row, those that have one
// of B along their column, and each adds the product of both to its block of C. A panel
// never crosses the border of a block, so any number of ranks takes any size.
//
// A(i,k) = i + 1 and B(k,j) = (j + 1) / (k + 1): every element of the product is known,
// (i + 1)(j + 1) H with H the sum of 1 / (k + 1), and is held against it.
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PANEL = 64 }; // columns of A and rows of B that are sent at once

// begin gives the first of n rows that part p of parts has; p + 1 has the next.
static int begin(int n, int parts, int p) { return (int)((long)n * p / parts); }

// owner gives the part that has a row.
static int owner(int n, int parts, int row)
{
	int p = (int)(((long)row * parts) / n);
	while (begin(n, parts, p) > row)
		p--;
	while (begin(n, parts, p + 1) <= row)
		p++;
	return p;
}

// One program for every machine: where the compiler can, it makes a version for each
// vector unit and the loader takes the one that fits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EVERY_MACHINE __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define EVERY_MACHINE
#endif

// multiply adds a (rows x depth) times b (depth x columns) to c. Four rows of c are
// worked on at once, so that each row of b is read once for them.
EVERY_MACHINE static void multiply(int rows, int columns, int depth, const double *restrict a, const double *restrict b, double *restrict c)
{
	int i = 0;
	for (; i + 4 <= rows; i += 4) {
		double *restrict c0 = c + (size_t)i * columns, *restrict c1 = c0 + columns;
		double *restrict c2 = c1 + columns, *restrict c3 = c2 + columns;
		for (int k = 0; k < depth; k++) {
			const double *restrict row = b + (size_t)k * columns;
			double a0 = a[(size_t)i * depth + k], a1 = a[(size_t)(i + 1) * depth + k];
			double a2 = a[(size_t)(i + 2) * depth + k], a3 = a[(size_t)(i + 3) * depth + k];
			for (int j = 0; j < columns; j++) {
				c0[j] += a0 * row[j];
				c1[j] += a1 * row[j];
				c2[j] += a2 * row[j];
				c3[j] += a3 * row[j];
			}
		}
	}
	for (; i < rows; i++)
		for (int k = 0; k < depth; k++) {
			double x = a[(size_t)i * depth + k];
			for (int j = 0; j < columns; j++)
				c[(size_t)i * columns + j] += x * b[(size_t)k * columns + j];
		}
}

// number reads a whole number above zero; 0 says that it is none.
static int number(const char *text)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	return errno || *end || end == text || n < 1 || n > INT_MAX ? 0 : (int)n;
}

static double *allocate(long n)
{
	double *p = calloc(n > 0 ? (size_t)n : 1, sizeof *p);
	if (!p) {
		fprintf(stderr, "mt-gemm: no memory for %ld numbers\n", n);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	return p;
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	int rank, ranks;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	int n = argc == 3 ? number(argv[1]) : 0, repeats = argc == 3 ? number(argv[2]) : 0;
	if (!n || !repeats) {
		if (rank == 0)
			fprintf(stderr, "usage: mt-gemm SIZE REPEATS, both whole numbers above zero\n");
		MPI_Finalize();
		return 2;
	}

	int grid[2] = {0, 0}, ring[2] = {0, 0}, at[2];
	MPI_Dims_create(ranks, 2, grid);
	if (grid[0] > n || grid[1] > n) {
		if (rank == 0)
			fprintf(stderr, "mt-gemm: a size of %d is too small for %d ranks\n", n, ranks);
		MPI_Finalize();
		return 2;
	}
	MPI_Comm all, row, column;
	MPI_Cart_create(MPI_COMM_WORLD, 2, grid, ring, 0, &all);
	MPI_Cart_coords(all, rank, 2, at);
	MPI_Cart_sub(all, (int[]){0, 1}, &row);
	MPI_Cart_sub(all, (int[]){1, 0}, &column);

	int top = begin(n, grid[0], at[0]), rows = begin(n, grid[0], at[0] + 1) - top;
	int left = begin(n, grid[1], at[1]), columns = begin(n, grid[1], at[1] + 1) - left;
	double *a = allocate((long)rows * columns), *b = allocate((long)rows * columns), *c = allocate((long)rows * columns);
	double *sent = allocate((long)rows * PANEL), *received = allocate((long)PANEL * columns);
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < columns; j++) {
			a[(size_t)i * columns + j] = top + i + 1.0;
			b[(size_t)i * columns + j] = (left + j + 1.0) / (top + i + 1.0);
		}

	if (rank == 0) {
		printf("Matrix size input by command line: %d\n", n);
		printf("Repeat multiply %d times.\n", repeats);
		printf("Ranks: %d, as %d x %d\n", ranks, grid[0], grid[1]);
		fflush(stdout);
	}
	double talk = 0;
	MPI_Barrier(all);
	double start = MPI_Wtime();
	for (int r = 0; r < repeats; r++) {
		memset(c, 0, (size_t)rows * columns * sizeof *c);
		for (int k = 0; k < n;) {
			int across = owner(n, grid[1], k), down = owner(n, grid[0], k);
			int end = k + PANEL, border = begin(n, grid[1], across + 1);
			if (end > border)
				end = border;
			if (border = begin(n, grid[0], down + 1), end > border)
				end = border;
			int depth = end - k;
			if (at[1] == across)
				for (int i = 0; i < rows; i++)
					memcpy(sent + (size_t)i * depth, a + (size_t)i * columns + (k - left), depth * sizeof *sent);
			if (at[0] == down)
				memcpy(received, b + (size_t)(k - top) * columns, (size_t)depth * columns * sizeof *received);
			double before = MPI_Wtime();
			MPI_Bcast(sent, rows * depth, MPI_DOUBLE, across, row);
			MPI_Bcast(received, depth * columns, MPI_DOUBLE, down, column);
			talk += MPI_Wtime() - before;
			multiply(rows, columns, depth, sent, received, c);
			k = end;
		}
	}
	double mine[2] = {MPI_Wtime() - start, talk}, longest[2];
	MPI_Reduce(mine, longest, 2, MPI_DOUBLE, MPI_MAX, 0, all);

#ifdef BREAK // for a test of the check: one element of the last rank is wrong
	if (rank == ranks - 1)
		c[(size_t)rows * columns - 1] *= 1.001;
#endif
	double sum = 0, wrong = 0, worst;
	for (int k = n; k > 0; k--)
		sum += 1.0 / k;
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < columns; j++) {
			double want = (top + i + 1.0) * (left + j + 1.0) * sum;
			double off = fabs(c[(size_t)i * columns + j] / want - 1);
			if (!(off <= wrong)) // also where it is not a number
				wrong = isnan(off) ? INFINITY : off;
		}
	MPI_Allreduce(&wrong, &worst, 1, MPI_DOUBLE, MPI_MAX, all);
	// The error of a sum of n products is n units in the last place at most, and about
	// their square root as a rule.
	int failed = worst > 1e-12 * sqrt((double)n) + 1e-13 * n;
	if (rank == 0) {
		double flop = 2.0 * n * n * n * repeats;
		printf("Largest relative error: %.3g\n", worst);
		if (failed)
			printf(" -> Solution check FAILED\n");
		else
			printf(" -> Solution check PASSED successfully.\n");
		printf("Memory for Matrices: %.6f MB\n", 3.0 * n * n * sizeof *c / (1024.0 * 1024.0));
		printf("Communication time: %.6f seconds\n", longest[1]);
		printf("Multiply time: %.6f seconds\n", longest[0]);
		printf("FLOPs computed: %.0f\n", flop);
		printf("GFLOP/s rate: %.6f GF/s\n", flop / longest[0] / 1e9);
	}
	free(a), free(b), free(c), free(sent), free(received);
	MPI_Finalize();
	return failed;
}
