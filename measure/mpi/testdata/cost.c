/* SPDX-License-Identifier: MIT
 * Prints the time of one call in ns: of MPI_Comm_rank, which does next to nothing,
 * of a sum over one rank, and of a message to itself. The argument is the number of
 * rounds. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int rank, rounds = argc > 1 ? atoi(argv[1]) : 1000000;
	double a = 1, b, t[4];
	MPI_Init(&argc, &argv);
	t[0] = MPI_Wtime();
	for (int i = 0; i < rounds; i++)
		MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	t[1] = MPI_Wtime();
	for (int i = 0; i < rounds; i++)
		MPI_Allreduce(&a, &b, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	t[2] = MPI_Wtime();
	for (int i = 0; i < rounds; i++)
		MPI_Sendrecv(&a, 1, MPI_DOUBLE, 0, 0, &b, 1, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	t[3] = MPI_Wtime();
	printf("rank %.2f\nsum %.2f\nmessage %.2f\n", (t[1] - t[0]) / rounds * 1e9, (t[2] - t[1]) / rounds * 1e9,
	       (t[3] - t[2]) / rounds * 1e9);
	MPI_Finalize();
}
