// SPDX-License-Identifier: MIT

// Package container makes images of applications: it knows which there can be,
// writes how each is made, has them made, and looks at what came of it.
//
// The model: an image is a [Point] of a matrix. A point is one application on one
// base, with one MPI and one fabric, for one architecture; a platform says which of
// these are combined and by which toolchain. What applications share are parts,
// what one adds is its recipe; both are data of the catalog. Points that make no
// sense are excluded, each with its reason.
//
// The steps: [NewMatrix] lists the points; [Render] writes the Containerfile and the
// folder that it is built in, always to the same bytes; [Builder] has a program build
// it and puts the image into the store (package image); [Verify] runs it and looks
// whether it is what it is said to be.
package container
