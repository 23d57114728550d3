// SPDX-License-Identifier: MIT

package image

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Scratch is a registry on the loopback interface that keeps what it is sent in memory
// until it is closed: for a look whether something can be pushed and pulled.
type Scratch struct {
	// Address is its host and port; it speaks plain HTTP.
	Address string
	server  *http.Server
}

// NewScratch starts one.
func NewScratch() (*Scratch, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	s := &Scratch{Address: l.Addr().String(), server: &http.Server{
		Handler: registry.New(registry.Logger(quiet), registry.WithReferrersSupport(true)), ErrorLog: quiet, ReadHeaderTimeout: time.Minute}}
	go s.server.Serve(l) // ends with Close
	return s, nil
}

// Close ends it.
func (s *Scratch) Close() error { return s.server.Close() }
