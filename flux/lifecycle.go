// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"errors"
	"fmt"
)

// Ready waits until the instance takes jobs: a broker accepts connections before its
// services exist. An instance that fails to start is an error that wraps [ErrLost].
func (c *Client) Ready(ctx context.Context) error {
	if err := c.Call(ctx, "state-machine.wait", nil, nil); err != nil {
		return fmt.Errorf("waiting for the instance: %w", err)
	}
	return nil
}

// shutdownLevel is the level of the log messages that a shutdown tells of, as flux
// shutdown asks for.
const shutdownLevel = 6

// Shutdown ends the instance, as flux shutdown does: what runs in it is cancelled, and
// after that there is no broker any more. It gives nil when it is over.
func (c *Client) Shutdown(ctx context.Context) error {
	s, err := c.Stream(ctx, "shutdown.start", map[string]int{"loglevel": shutdownLevel})
	if err != nil {
		return fmt.Errorf("shutting down the instance: %w", err)
	}
	defer s.Close()
	for {
		_, err := s.Next()
		switch {
		case err == nil: // a line of the log
		case isEnd(err), errors.Is(err, ErrLost) && ctx.Err() == nil: // it is over, and may be faster than its word
			return nil
		default:
			return fmt.Errorf("shutting down the instance: %w", err)
		}
	}
}
