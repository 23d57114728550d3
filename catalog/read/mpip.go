// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// readMPIP reads the text report of mpiP (LLNL, versions 3.1 to 3.5):
//
//	@--- MPI Time (seconds) ---------------------------------------------------
//	---------------------------------------------------------------------------
//	Task    AppTime    MPITime     MPI%
//	   0       1.02   0.000514     0.05
//	   *       2.04       0.82    40.04
//
// The run gets mpi_percent from the line of all tasks: the time in MPI, summed
// over the tasks, of the time between MPI_Init and MPI_Finalize, summed over the
// tasks; app_time and mpi_time, the two sums; and the tables ranks (rank,
// app_time_s, mpi_time_s, mpi_percent) and calls (call, site, time_ms,
// app_percent, count), the callsites that took longest.
func readMPIP(ctx context.Context, in io.Reader, out *Run) error {
	p := mpipReport{out: out, ranks: Table{Columns: []string{"rank", "app_time_s", "mpi_time_s", "mpi_percent"}},
		calls: Table{Columns: []string{"call", "site", "time_ms", "app_percent", "count"}}}
	if err := eachLine(ctx, in, p.line); err != nil {
		return err
	}
	p.finish()
	return nil
}

type mpipReport struct {
	out          *Run
	section      string
	ranks, calls Table
	row          row
	found        bool
}

func (p *mpipReport) line(b []byte) {
	if rest, ok := bytes.CutPrefix(b, []byte("@---")); ok {
		name, _, _ := strings.Cut(strings.Trim(string(rest), " -"), " (")
		p.section = name
		return
	}
	if rest, ok := bytes.CutPrefix(b, []byte("@ ")); ok {
		name, value, _ := bytes.Cut(rest, []byte(":"))
		switch string(bytes.TrimSpace(name)) {
		case "Command":
			p.out.Command = clip(value)
		case "MPI Task Assignment":
			p.out.Tasks++
		}
		return
	}
	p.row.cut(b)
	switch p.section {
	case "MPI Time":
		p.time()
	case "Aggregate Time":
		p.call()
	}
}

// time reads the line of a task, or of all.
func (p *mpipReport) time() {
	if len(p.row.cells) != 4 {
		return
	}
	app, ok1 := p.row.number(1)
	mpi, ok2 := p.row.number(2)
	percent, ok3 := p.row.number(3)
	if !ok1 || !ok2 || !ok3 || !finite(app) || !finite(mpi) || !finite(percent) {
		return
	}
	if string(p.row.text(0)) == "*" {
		p.found = true
		p.out.metric("app_time", app, "s")
		p.out.metric("mpi_time", mpi, "s")
		p.out.metric("mpi_percent", percent, "%")
		return
	}
	if rank, ok := p.row.number(0); ok && !p.ranks.add(spec.Of(int(rank)), spec.Of(app), spec.Of(mpi), spec.Of(percent)) {
		p.out.flag("truncated")
	}
}

// call reads the line of a callsite: its name, site, time, shares and, from
// version 3 on, its count.
func (p *mpipReport) call() {
	if len(p.row.cells) < 5 {
		return
	}
	site, ok1 := p.row.number(1)
	time, ok2 := p.row.number(2)
	percent, ok3 := p.row.number(3)
	if !ok1 || !ok2 || !ok3 || !finite(time) || !finite(percent) {
		return
	}
	var count spec.Value
	if n, ok := p.row.number(5 % len(p.row.cells)); ok && len(p.row.cells) > 5 {
		count = spec.Of(int(n))
	}
	if !p.calls.add(spec.Of("MPI_"+string(p.row.text(0))), spec.Of(int(site)), spec.Of(time), spec.Of(percent), count) {
		p.out.flag("truncated")
	}
}

func (p *mpipReport) finish() {
	out := p.out
	if !p.found {
		out.Status, out.Reason = Incomplete, `the report has no line of all tasks under "MPI Time"`
		return
	}
	out.Status = Succeeded
	out.Tables = map[string]Table{"ranks": p.ranks}
	if len(p.calls.Rows) > 0 {
		out.Tables["calls"] = p.calls
	}
}
