// SPDX-License-Identifier: MIT

// Package flux talks to a Flux broker in pure Go.
package flux
