! SPDX-License-Identifier: MIT
program calls
  use mpi
  implicit none
  integer ierr, rank, i, z(8), w(8), counts(2), places(2)
  integer comm, req
  double precision x(10), y(10)
  include "calls.f90.inc"
