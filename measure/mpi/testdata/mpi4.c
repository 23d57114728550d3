/* SPDX-License-Identifier: MIT
 * Calls that came with MPI 4, on two ranks: exchanges that do not block, a message
 * in parts, a sum that is set up once, and a session beside it all. */
#include <mpi.h>

int main(int argc, char **argv)
{
	int rank, other;
	double x[10] = {0}, y[10];
	MPI_Request r;
	MPI_Session session;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	other = 1 - rank;
	MPI_Isendrecv(x, 5, MPI_DOUBLE, other, 1, y, 5, MPI_DOUBLE, other, 1, MPI_COMM_WORLD, &r);
	MPI_Wait(&r, MPI_STATUS_IGNORE);
	MPI_Isendrecv_replace(x, 5, MPI_DOUBLE, other, 2, other, 2, MPI_COMM_WORLD, &r);
	MPI_Wait(&r, MPI_STATUS_IGNORE);
	if (rank == 0)
		MPI_Psend_init(x, 2, 5, MPI_DOUBLE, 1, 3, MPI_COMM_WORLD, MPI_INFO_NULL, &r);
	else
		MPI_Precv_init(x, 2, 5, MPI_DOUBLE, 0, 3, MPI_COMM_WORLD, MPI_INFO_NULL, &r);
	for (int i = 0; i < 3; i++) {
		MPI_Start(&r);
		for (int part = 0; part < 2 && rank == 0; part++)
			MPI_Pready(part, r);
		MPI_Wait(&r, MPI_STATUS_IGNORE);
	}
	MPI_Request_free(&r);
	MPI_Allreduce_init(x, y, 10, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, MPI_INFO_NULL, &r);
	for (int i = 0; i < 4; i++) {
		MPI_Start(&r);
		MPI_Wait(&r, MPI_STATUS_IGNORE);
	}
	MPI_Request_free(&r);
	if (MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session) == MPI_SUCCESS)
		MPI_Session_finalize(&session);
	MPI_Finalize();
}
