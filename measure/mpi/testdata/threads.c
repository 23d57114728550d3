/* SPDX-License-Identifier: MIT
 * Four threads of each rank call MPI at once. */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 2000 };

static void *work(void *comm)
{
	for (int i = 0; i < ROUNDS; i++) {
		double x = i, y;
		MPI_Sendrecv(&x, 1, MPI_DOUBLE, 0, 1, &y, 1, MPI_DOUBLE, 0, 1, *(MPI_Comm *)comm, MPI_STATUS_IGNORE);
		MPI_Allreduce(&x, &y, 1, MPI_DOUBLE, MPI_SUM, *(MPI_Comm *)comm);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int provided;
	pthread_t threads[THREADS];
	MPI_Comm comms[THREADS];
	MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
	if (provided != MPI_THREAD_MULTIPLE) {
		puts("no threads");
		MPI_Finalize();
		return 0;
	}
	for (int i = 0; i < THREADS; i++)
		MPI_Comm_dup(MPI_COMM_SELF, &comms[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, &comms[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	MPI_Finalize();
}
