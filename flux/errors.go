// SPDX-License-Identifier: MIT

package flux

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrLost says that the broker went away: it was shut down or killed, or its
// node was lost. Everything that was under way ends with it.
var ErrLost = errors.New("the broker is lost")

// ErrClosed says that the client, or the stream, was closed on this side.
var ErrClosed = errors.New("the connection to the broker is closed")

// Error is an answer of the broker that says no.
type Error struct {
	Topic string        // what was asked
	Errno syscall.Errno // errors.Is finds it
	Text  string        // what the broker said, if it said anything
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("asking for %s: %v", e.Topic, e.Errno)
	}
	return fmt.Sprintf("asking for %s: %s (%v)", e.Topic, e.Text, e.Errno)
}

func (e *Error) Unwrap() error { return e.Errno }

// VersionError says that a broker is older than what this package needs.
type VersionError struct {
	Version string // the broker's
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the broker is of flux-core %s, and %s or newer is needed", e.Version, MinVersion)
}

// lost is the error of a connection that broke.
func lost(uri string, cause error) error {
	return fmt.Errorf("%w (%s): %w", ErrLost, uri, cause)
}
