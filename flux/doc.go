// SPDX-License-Identifier: MIT

// Package flux talks to a Flux broker: in pure Go, over one connection, without
// a process for each job.
//
// The model: a broker listens on a socket that a URI names, local:///PATH. A
// request goes to a service by its topic, such as job-ingest.submit, and has one
// answer, a refusal with an errno, or a stream of answers. A job is what a
// jobspec asks for; it has an ID, a log of events that takes it through its
// states, resources (R) while it runs, and output that is an event log as well.
// The journal is the stream of the events of all jobs.
//
// The steps:
//
//	c, err := flux.DialEnv(ctx)                 // FLUX_URI, or the system's broker
//	js, err := (&flux.Job{Command: ...}).Jobspec()
//	id, err := c.Submit(ctx, flux.Submission{Jobspec: js})
//	result, err := c.Wait(ctx, id)
//
// Many jobs go by [Client.SubmitMany], which sends ahead of the answers, and are
// followed by [Client.Journal]; nothing here polls. What a package like this
// does not know yet is asked for with [Client.Call] and [Client.Stream].
//
// Promises: a [Client] is safe for use by several goroutines. A context that
// ends gives up what was waited for, and nothing else. When the broker goes away
// everything under way ends with [ErrLost]; nothing is tried again unseen, but a
// Journal can go on with another connection ([JournalOptions]). What comes from
// a broker is limited and checked before it is believed.
//
// Streams have connections of their own. On a shared one a reader who is slow,
// or who asks the broker something before he reads on, would have to be buffered
// without limit or hold up the answer that he waits for.
//
// Only the owner of an instance can submit: jobs are signed with mechanism
// "none" (RFC 15), as Flux does without flux-security.
//
// [TriedVersions] are the versions of flux-core that the tests ran against. Not
// here: the key-value store, subscriptions to events, ssh:// URIs, emoji.
package flux
