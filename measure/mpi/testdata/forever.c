/* SPDX-License-Identifier: MIT
 * Calls MPI until it is killed, or, with an argument, ends one rank after that
 * many rounds by MPI_Abort (1), a signal (2) or exit (3). */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int rank, size;
	double x = 1, y;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (long i = 0;; i++) {
		MPI_Allreduce(&x, &y, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
		MPI_Sendrecv(&x, 1, MPI_DOUBLE, (rank + 1) % size, 0, &y, 1, MPI_DOUBLE, (rank + size - 1) % size, 0,
			     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (argc < 2 || rank || i < 1000)
			continue;
		switch (atoi(argv[1])) {
		case 1:
			MPI_Abort(MPI_COMM_WORLD, 3);
			break;
		case 2:
			raise(SIGSEGV);
			break;
		default:
			_Exit(4);
		}
	}
}
