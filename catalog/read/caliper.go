// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// readCaliper reads the table of Caliper's runtime-report (LLNL, version 2) over
// the ranks of a program, wherever it stands in a log:
//
//	Path                Min time/rank Max time/rank Avg time/rank Time %
//	main                     0.000119      0.000155      0.000135  0.017416
//	  MPI_Allreduce          0.009121      0.012345      0.010034  1.289000
//
// Rows are regions, indented below those that they are part of, with exclusive
// times. The run gets main_time, the inclusive average of the region main; mpi_time,
// the sum of the averages of all MPI functions; mpi_percent, the second over the
// first; and the table regions (region, with the path in front, min_s, max_s,
// avg_s). Several tables are added up.
func readCaliper(ctx context.Context, in io.Reader, out *Run) error {
	c := caliperReport{out: out, main: -1, regions: Table{Columns: []string{"region", "min_s", "max_s", "avg_s"}}}
	if err := eachLine(ctx, in, c.line); err != nil {
		return err
	}
	c.finish()
	return nil
}

type caliperReport struct {
	out *Run
	// The columns of regions and of numbers begin at margin and at numbers;
	// columns is how many of these there are, 0 outside of a table.
	margin, numbers, columns int

	regions       Table
	path          []string // the regions around, by depth
	main          int      // the depth of main, where a row is in it, or -1
	row           row
	mainTime, mpi float64
}

// caliperColumn is the heading of a column of numbers.
var caliperColumn = regexp.MustCompile(`[A-Z][a-z]+ time(?:/rank)?(?: \([^)]*\))?|Time(?: %)?(?: \([^)]*\))?`)

func (c *caliperReport) line(b []byte) {
	if i := bytes.Index(b, []byte("Path ")); i >= 0 && bytes.Contains(b, []byte("Avg time/rank")) && len(bytes.TrimSpace(b[:i])) == 0 {
		headings := caliperColumn.FindAllIndex(b, -1)
		c.margin, c.numbers, c.columns = i, headings[0][0], len(headings)
		c.path, c.main = nil, -1
		return
	}
	if c.columns == 0 {
		return
	}
	c.row.cut(b)
	names := len(c.row.cells) - c.columns
	aligned := names > 0 && int(c.row.cells[names-1].to) <= c.numbers && int(c.row.cells[names].from) >= c.numbers
	var x [3]float64 // least, most, mean
	for i := range x {
		v, ok := 0.0, aligned
		if ok {
			v, ok = c.row.number(names + i)
		}
		if !ok || !finite(v) {
			c.columns = 0 // the table is over
			return
		}
		x[i] = v
	}
	first, last := c.row.cells[0], c.row.cells[names-1]
	c.add(string(b[first.from:last.to]), (int(first.from)-c.margin)/2, x)
}

// add takes a region at a depth, with its least, most and mean time in seconds.
func (c *caliperReport) add(name string, depth int, x [3]float64) {
	depth = max(min(depth, len(c.path)), 0)
	c.path = append(c.path[:depth], name)
	if depth <= c.main {
		c.main = -1
	}
	if c.main < 0 && name == "main" {
		c.main = depth
	}
	if c.main >= 0 {
		c.mainTime += x[2]
	}
	if strings.HasPrefix(name, "MPI_") {
		c.mpi += x[2]
	}
	if !c.regions.add(spec.Of(strings.Join(c.path, "/")), spec.Of(x[0]), spec.Of(x[1]), spec.Of(x[2])) {
		c.out.flag("truncated")
	}
}

func (c *caliperReport) finish() {
	out := c.out
	if len(c.regions.Rows) == 0 {
		out.Status, out.Reason = Incomplete, `no table has the columns "Path" and "Avg time/rank", and rows`
		return
	}
	out.Status = Succeeded
	out.Tables = map[string]Table{"regions": c.regions}
	out.metric("mpi_time", c.mpi, "s")
	if c.mainTime > 0 {
		out.metric("main_time", c.mainTime, "s")
		out.metric("mpi_percent", 100*c.mpi/c.mainTime, "%")
	}
}
