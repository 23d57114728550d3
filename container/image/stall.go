// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// stallError is of a request in which nothing moved for a while. As a timeout it is worth
// another try.
type stallError struct{ limit time.Duration }

func (e stallError) Error() string   { return fmt.Sprintf("the registry did nothing for %v", e.limit) }
func (e stallError) Timeout() bool   { return true }
func (e stallError) Temporary() bool { return true }

// roundTrip is one request, given up when nothing moves for limit, up or down: how long
// all of it takes depends on its size.
func roundTrip(r *http.Request, limit time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	w := &watch{limit: limit, cancel: cancel}
	w.timer = time.AfterFunc(limit, func() {
		w.stalled.Store(true)
		cancel()
	})
	r = r.WithContext(ctx)
	if r.Body != nil {
		r.Body = moving{r.Body, w, false}
	}
	resp, err := remote.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.end()
		return nil, w.say(err)
	}
	resp.Body = moving{resp.Body, w, true}
	return resp, nil
}

// watch ends a request when nothing moves.
type watch struct {
	limit   time.Duration
	timer   *time.Timer
	cancel  context.CancelFunc
	stalled atomic.Bool
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel()
}

// say is the reason of an error.
func (w *watch) say(err error) error {
	if w.stalled.Load() {
		return stallError{w.limit}
	}
	return err
}

// moving is a body that is being sent or received.
type moving struct {
	io.ReadCloser
	*watch
	last bool // the request is over with it
}

func (m moving) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	if n > 0 && !m.stalled.Load() {
		m.timer.Reset(m.limit)
	}
	if err != nil && err != io.EOF {
		err = m.say(err)
	}
	return n, err
}

func (m moving) Close() error {
	err := m.ReadCloser.Close()
	if m.last {
		m.end()
	}
	return err
}
