/* SPDX-License-Identifier: MIT
 * A share of time in MPI that is known by construction: rank 0 sleeps for 50 ms,
 * all others compute for 10 ms, then all meet; so that on an idle machine the
 * others wait for 40 ms of 50. Each rank prints what its own clock says: its
 * number, the seconds in MPI_Barrier, of these the seconds until the last rank
 * came, and the seconds in all. With an argument the ranks meet in a communicator
 * made of a split. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void compute(double seconds)
{
	volatile double x = 1;
	for (double start = now(); now() - start < seconds;)
		for (int i = 0; i < 1000; i++)
			x *= 1.0000001;
}

int main(int argc, char **argv)
{
	int rank, size;
	double begin[ROUNDS], end[ROUNDS], *all, in_mpi = 0, waiting = 0;
	MPI_Comm comm = MPI_COMM_WORLD;
	MPI_Init(&argc, &argv);
	double start = now();
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (argc > 1)
		MPI_Comm_split(MPI_COMM_WORLD, 7, -rank, &comm);
	MPI_Pcontrol(0); /* until all are there */
	MPI_Barrier(comm);
	MPI_Pcontrol(1);
	for (int i = 0; i < ROUNDS; i++) {
		if (rank == 0)
			usleep(50000);
		else
			compute(0.010);
		begin[i] = now();
		MPI_Barrier(comm);
		end[i] = now();
	}
	double total = now() - start;
	all = malloc(sizeof *all * ROUNDS * (size_t)size);
	MPI_Pcontrol(0);
	MPI_Allgather(begin, ROUNDS, MPI_DOUBLE, all, ROUNDS, MPI_DOUBLE, MPI_COMM_WORLD);
	for (int i = 0; i < ROUNDS; i++) {
		double last = begin[i];
		for (int r = 0; r < size; r++)
			if (all[r * ROUNDS + i] > last)
				last = all[r * ROUNDS + i];
		in_mpi += end[i] - begin[i];
		waiting += (last < end[i] ? last : end[i]) - begin[i];
	}
	printf("own %d %.9f %.9f %.9f\n", rank, in_mpi, waiting, total);
	MPI_Finalize();
}
