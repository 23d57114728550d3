! SPDX-License-Identifier: MIT
! Counts of 64 bits, which only mpi_f08 has.
program large
  use mpi_f08
  implicit none
  integer rank
  integer(MPI_COUNT_KIND) :: ten = 10
  double precision x(10), y(10)
  x = 1
  call MPI_Init()
  call MPI_Comm_rank(MPI_COMM_WORLD, rank)
  call MPI_Allreduce(x, y, ten, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD)
  if (rank == 0) then
    call MPI_Send(x, ten, MPI_DOUBLE_PRECISION, 1, 7, MPI_COMM_WORLD)
  else
    call MPI_Recv(y, ten, MPI_DOUBLE_PRECISION, 0, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE)
  end if
  call MPI_Finalize()
end program
