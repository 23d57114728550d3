/* SPDX-License-Identifier: MIT
 * A few of each kind of call on two ranks; the Fortran programs make the same. */
#include <mpi.h>

int main(int argc, char **argv)
{
	int rank, z[8] = {0}, w[8], counts[2] = {1, 1}, places[2] = {0, 1};
	double x[10] = {0}, y[10];
	MPI_Comm comm;
	MPI_Request req;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Comm_set_name(comm, "a name");
	for (int i = 0; i < 5; i++) {
		MPI_Barrier(comm);
		MPI_Bcast(x, 10, MPI_DOUBLE, 0, comm);
		MPI_Reduce(x, y, 10, MPI_DOUBLE, MPI_SUM, 0, comm);
		MPI_Allreduce(x, y, 10, MPI_DOUBLE, MPI_SUM, comm);
		MPI_Allreduce(MPI_IN_PLACE, y, 10, MPI_DOUBLE, MPI_MAX, comm);
		MPI_Gather(z, 1, MPI_INT, w, 1, MPI_INT, 0, comm);
		MPI_Scatter(z, 1, MPI_INT, w, 1, MPI_INT, 0, comm);
		MPI_Allgather(z, 1, MPI_INT, w, 1, MPI_INT, comm);
		MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, w, counts, places, MPI_INT, comm);
		MPI_Alltoall(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, z, 2, MPI_INT, comm);
		MPI_Alltoallv(z, counts, places, MPI_INT, w, counts, places, MPI_INT, comm);
		if (rank == 0) {
			MPI_Send(x, 10, MPI_DOUBLE, 1, 7, comm);
			MPI_Isend(x, 10, MPI_DOUBLE, 1, 8, comm, &req);
			MPI_Wait(&req, MPI_STATUS_IGNORE);
		} else {
			MPI_Recv(y, 10, MPI_DOUBLE, 0, 7, comm, MPI_STATUS_IGNORE);
			MPI_Recv(y, 10, MPI_DOUBLE, 0, 8, comm, MPI_STATUS_IGNORE);
		}
		MPI_Sendrecv(x, 5, MPI_DOUBLE, 1 - rank, 9, y, 5, MPI_DOUBLE, 1 - rank, 9, comm, MPI_STATUS_IGNORE);
	}
	if (rank == 0) {
		MPI_Send_init(x, 10, MPI_DOUBLE, 1, 10, comm, &req);
		for (int i = 0; i < 3; i++) {
			MPI_Start(&req);
			MPI_Wait(&req, MPI_STATUS_IGNORE);
		}
		MPI_Request_free(&req);
	} else {
		for (int i = 0; i < 3; i++)
			MPI_Recv(y, 10, MPI_DOUBLE, 0, 10, comm, MPI_STATUS_IGNORE);
	}
	MPI_Comm_free(&comm);
	MPI_Finalize();
}
