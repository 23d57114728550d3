// SPDX-License-Identifier: MIT

// Package flux runs jobs in a Flux instance.
//
// The model: an attempt is one Flux job, which Flux queues, places, launches and
// ends. The driver submits over one connection and reads Flux's journal of all jobs;
// there is no process for a job and nothing is polled. A job carries in its user
// attributes of which run, job and attempt it is. So a driver that died finds its
// jobs again, and submits none twice. The attributes name the run by a key that is
// drawn when it first comes to Flux and kept in RUN/flux.json.
//
// No shared file system is needed. Decks and the MPI profiling library travel as
// files of the job, into its temporary directory on every node. A task is started
// there by task.sh, which runs the commands before and after the application, once
// on each node, and sends what is to be kept, files and profiles, behind the task's
// own output. Nodes need sh, and for what is to be kept base64, date and gzip.
//
// The steps of an attempt: it is submitted; Flux's journal tells of its events; when
// it is clean its output is read and split into stdout, stderr, files and profiles;
// exit.json is written; then its end is told.
//
// What this executor does not have: services beside the application, samples, and
// the look at other work on the machine. An instance neither grows nor shrinks, unless who
// made it can have it do so: see [Elastic].
package flux
