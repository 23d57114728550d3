/* SPDX-License-Identifier: MIT
 * Sleeps for 100 ms while counting is switched off and prints the seconds between
 * MPI_Init and MPI_Finalize. */
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	double begin = MPI_Wtime();
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Pcontrol(0);
	MPI_Barrier(MPI_COMM_WORLD);
	usleep(100000);
	MPI_Pcontrol(1);
	MPI_Barrier(MPI_COMM_WORLD);
	printf("%.9f\n", MPI_Wtime() - begin);
	MPI_Finalize();
}
