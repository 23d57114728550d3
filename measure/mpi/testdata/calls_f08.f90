! SPDX-License-Identifier: MIT
program calls
  use mpi_f08
  implicit none
  integer ierr, rank, i, z(8), w(8), counts(2), places(2)
  type(MPI_Comm) comm
  type(MPI_Request) req
  double precision x(10), y(10)
  include "calls.f90.inc"
