/* SPDX-License-Identifier: MIT
 * Sleeps for a second while counting is switched off and prints for how long it was
 * off. */
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Pcontrol(0);
	double begin = MPI_Wtime();
	MPI_Barrier(MPI_COMM_WORLD);
	sleep(1);
	double off = MPI_Wtime() - begin;
	MPI_Pcontrol(1);
	MPI_Barrier(MPI_COMM_WORLD);
	printf("%.9f\n", off);
	MPI_Finalize();
}
