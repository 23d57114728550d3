// SPDX-License-Identifier: MIT

// Package fluxtest is a Flux broker for tests: it listens on a real socket and
// speaks what a client hears from flux-core 0.88, without Flux.
//
// The model: a [Broker] has nodes with cores, a queue that is served first come
// first served by urgency, and jobs. A job goes through the events of RFC 21, in
// the order and with the contexts that a real broker was recorded with. What its
// tasks do is a Go function, [Options.Run]; without one a few commands are
// known (true, false, echo, sleep, sh -c of those), jobs with mocked execution
// take their time, and any other command is not found.
//
// The steps: [Start] in a test, or [New]; hand [Broker.URI] to a client; break
// things with [Broker.Inject], [Broker.Lose] and [Broker.Return].
//
// Not there: the key-value store, queues with names, GPUs, constraints, guests,
// and nested instances.
package fluxtest
