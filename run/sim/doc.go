// SPDX-License-Identifier: MIT

// Package sim plays jobs on simulated nodes, so that an ensemble can be rehearsed
// and forecast in seconds.
//
// The model: a [Cluster] has nodes with cores and a queue before them. A [Job] asks
// for nodes or cores and says what will become of it: how long it runs, how it ends,
// and what launching and cleaning up take. Time is virtual and passes from one
// [Event] to the next:
//
//	submit ──▶ alloc ──▶ start ──▶ finish ──▶ free
//	   waiting   launching  running   cleaning up
//
// [Cluster.Play] streams jobs through: one is taken when its time comes and
// forgotten when it ends, so that memory holds what waits and what runs. The same
// jobs give the same events; nothing is drawn by chance, and no machine's time is
// looked at. What is drawn is drawn ahead, by a [Model] or a [Draw], from a seed and
// the job alone, so that it does not depend on the order in which jobs run.
//
// [Executor] puts a cluster under the driver of package run: the same journal, run
// directory, rules and resumption, with virtual times.
//
// What is simulated, as Flux does it:
//
//   - first come first served by urgency, and easy backfill by time limits, each as
//     flux-core and as flux-sched does it ([Scheduler]). Those of flux-core 0.88.0
//     were recorded, and the simulation comes to the same: testdata has what they
//     made of 200 jobs;
//   - which nodes a job gets, among them how sched-simple deals the tasks of a job to
//     nodes that others use, too. The nodes of a published batch come out the same;
//   - nodes that come and go, and jobs that are lost with them;
//   - the time limit of a job, which counts from its allocation.
//
// What is not:
//
//   - the time that the scheduler and the start of a job take by themselves. It
//     belongs into the overhead of the jobs;
//   - sockets, GPUs and other things below or beside cores, and the network;
//   - jobs that slow one another down;
//   - queues of several names, accounts, fair shares, and priorities that change by
//     themselves;
//   - a node that fails to boot, or is drained by hand.
package sim
