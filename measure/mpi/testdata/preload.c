/* SPDX-License-Identifier: MIT
 * Prints what is loaded before the program's own libraries. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	const char *libraries = getenv("LD_PRELOAD");
	puts(libraries ? libraries : "none");
	MPI_Finalize();
}
