// SPDX-License-Identifier: MIT

// Package mpi holds what lives inside MPI programs, in C, and builds it with the
// compiler wrappers of the MPIs that a machine has.
//
// The profiling library is loaded before a program's own libraries (LD_PRELOAD)
// and stands in for every call of MPI, in C and in Fortran's three interfaces. It
// is made of two parts: counters, written by hand in profile/, and one wrapper for
// each call, generated from the prototypes in the MPI's own header, so that each
// MPI gets the calls that it has. With the environment variable
// ENSEMBLE_MPI_PROFILE naming a directory, each rank leaves a file there, in a
// form that profile/profile.h describes and package measure/mpi reads.
//
// The steps of [Build]: the header is preprocessed; its prototypes are read; the
// wrappers are written; the library is compiled. What is built is kept by a
// digest of all that went into it.
package mpi
