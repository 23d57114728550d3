/* SPDX-License-Identifier: MIT
 *
 * Wrappers of the calls between which a profile lies.
 */
#include "wrappers.h"

int MPI_Init(int *argc, char ***argv)
{
	uint64_t begin = ensemble_begin();
	int result = PMPI_Init(argc, argv);
	if (result == MPI_SUCCESS)
		ensemble_start(begin);
	return result;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
	uint64_t begin = ensemble_begin();
	int result = PMPI_Init_thread(argc, argv, required, provided);
	if (result == MPI_SUCCESS)
		ensemble_start(begin);
	return result;
}

int MPI_Finalize(void)
{
	ensemble_finish();
	return PMPI_Finalize();
}

int MPI_Abort(MPI_Comm comm, int code)
{
	ensemble_abort(code);
	return PMPI_Abort(comm, code);
}

int MPI_Pcontrol(const int level, ...)
{
	ensemble_switch(level != 0);
	return MPI_SUCCESS;
}

/* The same for Fortran, under its three names. MPICH's Fortran calls the C
 * functions, and then a start is the second of two and does nothing. */
#define FORTRAN(suffix)                                                                        \
	void mpi_init_##suffix(MPI_Fint *error)                                                \
	{                                                                                      \
		static void (*next)(MPI_Fint *);                                               \
		uint64_t begin = ensemble_begin();                                             \
		NEXT(next, "mpi_init_" #suffix);                                               \
		next(error);                                                                   \
		ensemble_start(begin);                                                         \
	}                                                                                      \
	void mpi_init_thread_##suffix(MPI_Fint *required, MPI_Fint *provided, MPI_Fint *error) \
	{                                                                                      \
		static void (*next)(MPI_Fint *, MPI_Fint *, MPI_Fint *);                       \
		uint64_t begin = ensemble_begin();                                             \
		NEXT(next, "mpi_init_thread_" #suffix);                                        \
		next(required, provided, error);                                               \
		ensemble_start(begin);                                                         \
	}                                                                                      \
	void mpi_finalize_##suffix(MPI_Fint *error)                                            \
	{                                                                                      \
		static void (*next)(MPI_Fint *);                                               \
		NEXT(next, "mpi_finalize_" #suffix);                                           \
		ensemble_finish();                                                             \
		next(error);                                                                   \
	}                                                                                      \
	void mpi_abort_##suffix(MPI_Fint *comm, MPI_Fint *code, MPI_Fint *error)               \
	{                                                                                      \
		static void (*next)(MPI_Fint *, MPI_Fint *, MPI_Fint *);                       \
		NEXT(next, "mpi_abort_" #suffix);                                              \
		ensemble_abort(*code);                                                         \
		next(comm, code, error);                                                       \
	}                                                                                      \
	void mpi_pcontrol_##suffix(MPI_Fint *level)                                            \
	{                                                                                      \
		ensemble_switch(*level != 0);                                                  \
	}

FORTRAN()
FORTRAN(f08_)
FORTRAN(f08ts_)
