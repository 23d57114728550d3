// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxWait is how long a registry may ask to be left alone before another try.
const maxWait = time.Minute

// RegistryError is what went wrong with a registry. Its text never holds
// credentials, tokens or the query of a URL, and it wraps no error that may: only
// the end of a context.
type RegistryError struct {
	Op     string // pushing, verifying, attaching, …
	Ref    string
	Status int // of HTTP; 0 where there was no answer
	// Problem is what was said, scrubbed.
	Problem string
	cause   error
}

func (e *RegistryError) Error() string {
	text := fmt.Sprintf("%s %s: %s", e.Op, e.Ref, e.Problem)
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += " (log in with podman login or docker login)"
	}
	return text
}

func (e *RegistryError) Unwrap() error { return e.cause }

// session is what one push does with one repository.
type session struct {
	ref     name.Reference
	opts    PushOptions
	secrets *secrets

	mu     sync.Mutex
	pusher *remote.Pusher
	puller *remote.Puller
}

// CheckReference says what is wrong with a reference of something in a registry.
func CheckReference(ref string) error {
	_, err := parseReference(ref)
	return err
}

// Sibling is the reference of a manifest in the repository of another reference.
func Sibling(ref, digest string) (string, error) {
	r, err := parseReference(ref)
	if err != nil {
		return "", err
	}
	return r.Context().Digest(digest).Name(), nil
}

func parseReference(ref string, more ...name.Option) (name.Reference, error) {
	naming := append([]name.Option{name.StrictValidation}, more...)
	if user, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(ref, "https://"), "http://"), "@"); ok && !strings.Contains(user, "/") {
		return nil, errors.New("reading the reference: it holds a user, want REGISTRY/REPOSITORY:TAG (log in with podman login or docker login)")
	}
	r, err := name.ParseReference(ref, naming...)
	if err != nil {
		return nil, fmt.Errorf("reading the reference %q, want REGISTRY/REPOSITORY:TAG: %w", ref, err)
	}
	return r, nil
}

func (o PushOptions) session(ref string) (*session, error) {
	var naming []name.Option
	if o.PlainHTTP {
		naming = append(naming, name.Insecure)
	}
	r, err := parseReference(ref, naming...)
	if err != nil {
		return nil, err
	}
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.Backoff <= 0 {
		o.Backoff = time.Second
	}
	if o.Stall <= 0 {
		o.Stall = 2 * time.Minute
	}
	if o.Jobs <= 0 {
		o.Jobs = 3
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	return &session{ref: r, opts: o, secrets: &secrets{plain: o.PlainHTTP, stall: o.Stall}}, nil
}

// options of the library: it does not retry. Its waits do not end with a context,
// and it decides by what a registry says rather than by the status.
func (s *session) options() []remote.Option {
	return []remote.Option{
		remote.WithAuthFromKeychain(keychain{s.opts.Keychain, s.secrets}),
		remote.WithTransport(s.secrets),
		remote.WithJobs(s.opts.Jobs),
		remote.WithUserAgent("ensemble"),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
		remote.WithNondistributable,
	}
}

func (s *session) push() (p *remote.Pusher, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pusher == nil {
		s.pusher, err = remote.NewPusher(s.options()...)
	}
	return s.pusher, err
}

func (s *session) pull() (p *remote.Puller, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.puller == nil {
		s.puller, err = remote.NewPuller(s.options()...)
	}
	return s.puller, err
}

// forget drops the puller, which keeps the error of its first greeting.
func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puller = nil
}

// do tries something until it is done, or not worth another try.
func (s *session) do(ctx context.Context, op string, f func() error) error {
	wait := s.opts.Backoff
	for attempt := 1; ; attempt++ {
		err := ctx.Err()
		if err == nil {
			err = f()
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || attempt >= s.opts.Attempts || !transient(err) {
			return s.fail(ctx, op, err)
		}
		s.forget()
		select {
		case <-ctx.Done():
			return s.fail(ctx, op, ctx.Err())
		case <-time.After(max(wait/2+rand.N(wait+1), s.secrets.retryAfter())):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

func (s *session) fail(ctx context.Context, op string, err error) error {
	var done *RegistryError
	if errors.As(err, &done) {
		return done
	}
	e := &RegistryError{Op: op, Ref: s.ref.Name(), Problem: s.secrets.scrub(err.Error()), cause: ctx.Err()}
	var answer *transport.Error
	if errors.As(err, &answer) {
		e.Status = answer.StatusCode
	}
	return e
}

// transient says whether another try may succeed: the registry says so by its
// status, or the connection was lost.
func transient(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout, 520, 521, 522, 523, 524: // the last ones are Cloudflare's
			return true
		}
		for _, d := range answer.Errors {
			if d.Code == transport.BlobUploadUnknownErrorCode || d.Code == transport.BlobUploadInvalidErrorCode {
				return true // an upload is begun anew
			}
		}
		return false
	}
	var network net.Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return true
	}
	return errors.As(err, &network) && network.Timeout()
}

// secrets is the way to the registry, and remembers what must not be shown: the
// credentials that went out on it; and how long the registry asks to be left alone.
type secrets struct {
	plain bool
	stall time.Duration
	mu    sync.Mutex
	words map[string]bool
	until time.Time
}

func (s *secrets) RoundTrip(r *http.Request) (*http.Response, error) {
	// The library would fall back to HTTP for private addresses by itself.
	if host := r.URL.Hostname(); r.URL.Scheme == "http" && !s.plain && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("%s is asked for over plain HTTP, which was not allowed", r.URL.Host)
	}
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		s.add(token)
	}
	resp, err := roundTrip(r, s.stall)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		s.mu.Lock()
		s.until = time.Now().Add(askedWait(resp.Header.Get("Retry-After")))
		s.mu.Unlock()
	}
	return resp, err
}

func (s *secrets) retryAfter() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.until)
}

// askedWait reads Retry-After in its form of seconds (RFC 9110, 10.2.3), up to
// maxWait; 0 where it says nothing.
func askedWait(header string) time.Duration {
	n, err := strconv.Atoi(header)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 3600))*time.Second, maxWait)
}

func (s *secrets) add(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words == nil {
		s.words = map[string]bool{}
	}
	for _, w := range words {
		if w != "" {
			s.words[w] = true
		}
	}
}

var inURL = regexp.MustCompile(`(https?://)([^\s/@"']*@)?([^\s?#"']*)([?#][^\s"']*)?`)

// scrub takes secrets out of a text, and out of its URLs the user and the query,
// where registries sign uploads.
func (s *secrets) scrub(text string) string {
	text = inURL.ReplaceAllString(text, "$1$3")
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.words {
		text = strings.ReplaceAll(text, w, "[secret]")
		text = strings.ReplaceAll(text, url.QueryEscape(w), "[secret]")
	}
	return text
}

// keychain tells secrets what is found.
type keychain struct {
	authn.Keychain
	secrets *secrets
}

func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

func (k keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	auth, err := authn.Resolve(ctx, k.Keychain, r)
	if err != nil {
		return nil, err
	}
	c, err := authn.Authorization(ctx, auth)
	if err != nil {
		return nil, err
	}
	k.secrets.add(c.Password, c.Auth, c.IdentityToken, c.RegistryToken)
	if c.Password != "" {
		k.secrets.add(base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password)))
	}
	return auth, nil
}
