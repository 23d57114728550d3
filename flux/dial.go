// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// connect opens a connection and waits to be let in.
func connect(ctx context.Context, uri, path string) (net.Conn, error) {
	conn, err := dialSocket(ctx, path)
	if err != nil {
		hint := ""
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
			hint = "; no broker is running there"
		}
		return nil, fmt.Errorf("connecting to the broker at %s: %w%s", uri, err, hint)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	var in [1]byte
	_, err = io.ReadFull(conn, in[:])
	if !stop() { // the deadline is or will be in the past
		err = context.Cause(ctx)
	}
	if err == nil && in[0] != 0 {
		err = fmt.Errorf("it lets nobody in: %w", syscall.Errno(in[0]))
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting to the broker at %s: %w", uri, err)
	}
	return conn, nil
}

// dialSocket connects. The queue in front of a broker holds five, and Linux
// tells who finds it full to come again.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		conn, err := d.DialContext(ctx, "unix", path)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
