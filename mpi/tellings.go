// SPDX-License-Identifier: MIT

package mpi

import (
	"fmt"
	"strings"
)

// telling is what a wrapper tells of a call beside its time, as statements of C in
// which $2 is the third argument, $@ the call's number and $result what it
// returned.
type telling struct{ before, after string }

// tellings are by the name of the call without MPI_; they hold for the call with
// large counts as well, which has the same arguments.
//
// Bytes are those that the rank hands over. MPI gives no meaning to the send
// arguments of an operation in place, and Fortran does not show that it is one; so
// where it may be one, the receive arguments count, which are the same or, in
// MPI_Alltoallv and MPI_Alltoallw, the same in sum over the ranks.
var tellings = func() map[string]telling {
	t := map[string]telling{
		"Start":        {after: "ensemble_started(*$0);"},
		"Startall":     {after: "for (int i = 0; i < $0; i++) ensemble_started($1[i]);"},
		"Request_free": {before: "ensemble_forget_request(*$0);"}, // the call clears the handle
	}
	after := func(statement string, names ...string) {
		for _, n := range names {
			t[n] = telling{after: statement}
		}
	}
	// Point to point.
	const bytes = "(uint64_t)$1 * ensemble_size($2)"
	after("ensemble_send($@, WAY_BLOCKING, "+bytes+", $3, $5);", "Send", "Bsend", "Ssend", "Rsend")
	after("ensemble_send($@, WAY_IMMEDIATE, "+bytes+", $3, $5);", "Isend", "Ibsend", "Issend", "Irsend")
	after("ensemble_persistent($@, "+bytes+", $3, $5, *$6);", "Send_init", "Bsend_init", "Ssend_init", "Rsend_init")
	after("ensemble_send($@, WAY_BLOCKING, "+bytes+", $3, $10);", "Sendrecv")
	after("ensemble_send($@, WAY_BLOCKING, "+bytes+", $3, $7);", "Sendrecv_replace")
	after("ensemble_send($@, WAY_IMMEDIATE, "+bytes+", $3, $10);", "Isendrecv")
	after("ensemble_send($@, WAY_IMMEDIATE, "+bytes+", $3, $7);", "Isendrecv_replace")
	// Partitioned: the parts of one message.
	after("ensemble_persistent($@, (uint64_t)$1 * (uint64_t)$2 * ensemble_size($3), $4, $6, *$8);", "Psend_init")
	// One-sided.
	after("ensemble_message($@, "+bytes+");", "Put", "Get", "Accumulate", "Rput", "Rget", "Raccumulate")
	after("ensemble_message($@, (uint64_t)$4 * ensemble_size($5));", "Get_accumulate", "Rget_accumulate")
	after("ensemble_message($@, ensemble_size($2));", "Fetch_and_op")
	after("ensemble_message($@, ensemble_size($3));", "Compare_and_swap")
	// Files.
	for _, op := range []string{"read", "write", "iread", "iwrite"} {
		for _, how := range []string{"", "_all", "_shared", "_ordered"} {
			after("ensemble_message($@, (uint64_t)$2 * ensemble_size($3));", "File_"+op+how)
		}
		for _, how := range []string{"_at", "_at_all"} {
			after("ensemble_message($@, (uint64_t)$3 * ensemble_size($4));", "File_"+op+how)
		}
	}
	// Communicators, by the place of the new one.
	for name, child := range map[string]int{
		"Comm_dup": 1, "Comm_dup_with_info": 2, "Comm_split": 3, "Comm_split_type": 4, "Comm_create": 2,
		"Cart_create": 5, "Cart_sub": 2, "Graph_create": 5, "Dist_graph_create": 8, "Dist_graph_create_adjacent": 9,
	} {
		after(fmt.Sprintf("if ($result == MPI_SUCCESS) ensemble_child($0, *$%d);", child), name)
	}
	for _, c := range collectives {
		blocking, persistent := "ensemble_message($@, "+c.bytes+");", "ensemble_persistent_message($@, "+c.bytes+", *$%d);"
		if c.bytes == "" {
			blocking, persistent = "", ""
		}
		if c.when != "" {
			blocking, persistent = "if ("+c.when+") "+blocking, "if ("+c.when+") "+persistent
		}
		t[c.name], t["I"+strings.ToLower(c.name)] = telling{after: blocking}, telling{after: blocking}
		if persistent != "" { // an info comes after the communicator, then the request
			t[c.name+"_init"] = telling{after: fmt.Sprintf(persistent, c.comm+2)}
		}
		if c.meets {
			t[c.name] = telling{
				before: fmt.Sprintf("ensemble_arrive(&t, $%d);", c.comm),
				after:  strings.TrimSpace("ensemble_met(&t, $@); " + blocking),
			}
		}
	}
	return t
}()

// collectives are the collective calls, with the bytes that a rank hands over
// when the condition holds, and the place of the communicator. Those that meet
// let no rank go before all have come.
var collectives = []struct {
	name, when, bytes string
	comm              int
	meets             bool
}{
	{"Barrier", "", "", 0, true},
	{"Bcast", "ensemble_is_root($3, $4)", "(uint64_t)$1 * ensemble_size($2)", 4, false},
	{"Reduce", "", "(uint64_t)$2 * ensemble_size($3)", 6, false},
	{"Allreduce", "", "(uint64_t)$2 * ensemble_size($3)", 5, true},
	{"Scan", "", "(uint64_t)$2 * ensemble_size($3)", 5, false},
	{"Exscan", "", "(uint64_t)$2 * ensemble_size($3)", 5, false},
	{"Reduce_scatter", "", "SUM($2, ensemble_peers($5)) * ensemble_size($3)", 5, true},
	{"Reduce_scatter_block", "", "(uint64_t)$2 * (uint64_t)ensemble_peers($5) * ensemble_size($3)", 5, true},
	{"Gather", "!ensemble_is_root($6, $7)", "(uint64_t)$1 * ensemble_size($2)", 7, false},
	{"Gatherv", "!ensemble_is_root($7, $8)", "(uint64_t)$1 * ensemble_size($2)", 8, false},
	{"Scatter", "ensemble_is_root($6, $7)", "(uint64_t)$1 * (uint64_t)ensemble_peers($7) * ensemble_size($2)", 7, false},
	{"Scatterv", "ensemble_is_root($7, $8)", "SUM($1, ensemble_peers($8)) * ensemble_size($3)", 8, false},
	{"Allgather", "", "(uint64_t)$4 * ensemble_size($5)", 6, true},
	{"Allgatherv", "", "OWN($4, $7) * ensemble_size($6)", 7, true},
	{"Alltoall", "", "(uint64_t)$4 * (uint64_t)ensemble_peers($6) * ensemble_size($5)", 6, true},
	{"Alltoallv", "", "SUM($5, ensemble_peers($8)) * ensemble_size($7)", 8, true},
	{"Alltoallw", "", "SUM_EACH($5, $7, ensemble_peers($8))", 8, true},
	{"Neighbor_allgather", "", "(uint64_t)$1 * (uint64_t)ensemble_outdegree($6) * ensemble_size($2)", 6, false},
	{"Neighbor_allgatherv", "", "(uint64_t)$1 * (uint64_t)ensemble_outdegree($7) * ensemble_size($2)", 7, false},
	{"Neighbor_alltoall", "", "(uint64_t)$1 * (uint64_t)ensemble_outdegree($6) * ensemble_size($2)", 6, false},
	{"Neighbor_alltoallv", "", "SUM($1, ensemble_outdegree($8)) * ensemble_size($3)", 8, false},
	{"Neighbor_alltoallw", "", "SUM_EACH($1, $3, ensemble_outdegree($8))", 8, false},
}
