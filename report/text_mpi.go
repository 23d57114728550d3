// SPDX-License-Identifier: MIT

package report

// mpiLegend says what the columns about MPI are.
const mpiLegend = "Profiles of MPI: \"in MPI\" is of the time between MPI_Init and MPI_Finalize over all ranks, the median of n trials; " +
	"\"uneven\" how much longer than the mean rank the busiest computes; \"wait\" the part of collective calls until the last rank came; \"cost\" what counting took of the time."

// mpi shows what the ranks of a series did in MPI.
func (p *printer) mpi(s *Series) {
	fields := shareFields(s)
	if len(fields) == 0 {
		return
	}
	p.WriteByte('\n')
	p.fields(fields, 4)
	for _, note := range shareNotes(s) {
		p.note(4, 2, "! "+plain(note))
	}
	if s.Profile == nil {
		return
	}
	if calls := callFields(s.Profile.Summary); len(calls) > 0 {
		p.note(4, 2, plain("calls on "+s.Profile.place()+", of trial "+shortID(s.Profile.Trial)+":"))
		p.fields(calls, 6)
	}
}

func (p *printer) fields(fields []*field, indent int) {
	var columns []column
	keys := 0
	for _, f := range fields {
		columns = append(columns, f.column())
		columns[len(columns)-1].apart = f.apart
		if f.key {
			keys++
		}
	}
	p.table(columns, keys, indent)
}
