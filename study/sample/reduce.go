// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"slices"
)

// A reducer removes rows from a covering array: it takes out the row that is
// missed least and searches for changes of single levels that cover the gaps,
// again and again. The search is the tabu search of Nurmela ("Upper bounds for
// covering arrays by tabu search", Discrete Applied Mathematics 138, 2004): a
// random uncovered tuple is covered by the change that costs least, and a
// level just changed stays for a while. As Lin and others add to it ("TCA: an
// efficient two-mode meta-heuristic algorithm for combinatorial test
// generation", ASE 2015), a change of several levels in a random row is made
// when no single one will do, which constraints require as well.
type reducer struct {
	*tuples
	solver   *solver
	rng      *rng
	feasible bitset
	work     int64 // records looked at

	rows    [][]int
	covers  []uint16 // by tuple: how many rows have it
	missing []int32  // feasible tuples no row has
	place   []int32  // by tuple: its index in missing

	step    int
	changed [][]int // by row and factor: the step of its last change
	want    []int   // the tuple to cover, on its factors
}

// Bounds of the arrays that are reduced.
const (
	maxReducedTuples = 1 << 22 // 6 bytes each
	maxReducedRows   = 1 << 15 // so that covers does not overflow
)

// newReducer returns a reducer of rows that cover all feasible tuples.
func newReducer(x *tuples, s *solver, r *rng, feasible bitset, rows [][]int) *reducer {
	return &reducer{tuples: x, solver: s, rng: r, feasible: feasible, rows: rows}
}

// reduce returns the rows, or fewer that cover all feasible tuples as well. It
// stops at the largest number of feasible tuples of one combination of
// factors, since no covering array has less rows, or after looking at budget
// records.
func (d *reducer) reduce(ctx context.Context, budget int64) ([][]int, error) {
	best, floor := d.rows, d.floor()
	if len(best) <= floor || len(best) > maxReducedRows || d.total > maxReducedTuples {
		return best, nil
	}
	d.start()
	for len(best) > floor && d.work < budget {
		d.removeRow()
		for len(d.missing) > 0 && d.work < budget {
			if d.step&0xff == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			d.improve(ctx)
		}
		if len(d.missing) == 0 {
			best = cloneRows(d.rows)
		}
	}
	return best, ctx.Err()
}

// floor returns the largest number of feasible tuples of one combination.
func (d *reducer) floor() int {
	most := 0
	for c := range d.count() {
		n := 0
		for tuple := d.base[c]; tuple < d.base[c+1]; tuple++ {
			if d.feasible.has(int(tuple)) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// start sets up the state of the search.
func (d *reducer) start() {
	d.covers = make([]uint16, d.total)
	d.place = make([]int32, d.total)
	d.want = make([]int, len(d.levels))
	d.rows = cloneRows(d.rows)
	for tuple := range d.covers {
		if !d.feasible.has(tuple) {
			d.covers[tuple] = 1 // as if some row had it, so that it is never missing
		}
	}
	for _, row := range d.rows {
		d.changed = append(d.changed, make([]int, len(row)))
		for c := range d.count() {
			d.covers[d.at(c, row)]++
		}
	}
}

func cloneRows(rows [][]int) [][]int {
	clones := make([][]int, len(rows))
	for i, row := range rows {
		clones[i] = slices.Clone(row)
	}
	return clones
}

// removeRow removes the row that alone covers the fewest tuples.
func (d *reducer) removeRow() {
	worst, fewest := 0, d.total+1
	for r, row := range d.rows {
		n := 0
		for c := range d.count() {
			if d.covers[d.at(c, row)] == 1 {
				n++
			}
		}
		d.work += int64(d.count())
		if n < fewest {
			worst, fewest = r, n
		}
	}
	for c := range d.count() {
		d.lose(d.at(c, d.rows[worst]))
	}
	d.rows = slices.Delete(d.rows, worst, worst+1)
	d.changed = slices.Delete(d.changed, worst, worst+1)
}

// improve covers a random missing tuple.
func (d *reducer) improve(ctx context.Context) {
	d.step++
	tuple := int(d.missing[d.rng.intN(len(d.missing))])
	c := d.comboOf(tuple)
	want := d.want
	d.put(tuple, c, want)

	d.work += int64(len(d.rows))
	row, factor, least, ties := -1, 0, 0, 0
	for r := range d.rows {
		f, n := d.differs(c, d.rows[r], want)
		if n != 1 || !d.may(r, f, want[f]) {
			continue
		}
		cost := d.cost(d.rows[r], f, want[f])
		if d.step-d.changed[r][f] <= d.tenure() && len(d.missing)+cost > 0 {
			continue
		}
		switch {
		case row < 0 || cost < least:
			row, factor, least, ties = r, f, cost, 1
		case cost == least:
			if ties++; d.rng.intN(ties) == 0 {
				row, factor = r, f
			}
		}
	}
	if row >= 0 {
		d.set(row, factor, want[factor])
		return
	}
	d.overlay(ctx, d.rng.intN(len(d.rows)), c, want)
}

// tenure returns for how many steps a level just changed must stay.
func (d *reducer) tenure() int { return 1 + len(d.rows)/4 }

// differs returns how many levels of combination c differ between row and
// want, and the last factor that does.
func (d *reducer) differs(c int, row, want []int) (factor, n int) {
	for _, f := range d.factors(c) {
		if row[f] != want[f] {
			factor = int(f)
			n++
		}
	}
	return factor, n
}

// may tells whether row r meets all constraints after a change of f.
func (d *reducer) may(r, f, level int) bool {
	row := d.rows[r]
	was := row[f]
	row[f] = level
	ok := d.solver.allowsAt(row, f)
	row[f] = was
	return ok
}

// cost returns by how many tuples the missing ones grow if row changes the
// level of f.
func (d *reducer) cost(row []int, f, level int) int {
	n := 0
	of, width := d.of[f], 2*d.t
	d.work += int64(len(of) / width)
	for ; len(of) > 0; of = of[width:] {
		at := int(of[0])
		for i := 2; i < width; i += 2 {
			at += row[of[i]] * int(of[i+1])
		}
		if d.covers[at+row[f]*int(of[1])] == 1 {
			n++
		}
		if d.covers[at+level*int(of[1])] == 0 {
			n--
		}
	}
	return n
}

// set changes a level of row r.
func (d *reducer) set(r, f, level int) {
	row := d.rows[r]
	d.changed[r][f] = d.step
	of, width := d.of[f], 2*d.t
	d.work += int64(len(of) / width)
	for ; len(of) > 0; of = of[width:] {
		at := int(of[0])
		for i := 2; i < width; i += 2 {
			at += row[of[i]] * int(of[i+1])
		}
		d.lose(at + row[f]*int(of[1]))
		d.win(at + level*int(of[1]))
	}
	row[f] = level
}

// overlay puts the levels that want has on combination c into row r, and
// changes others only where constraints require it. Once ctx is done they need
// not hold.
func (d *reducer) overlay(ctx context.Context, r, c int, want []int) {
	row := unsetRow(len(d.levels))
	for _, f := range d.factors(c) {
		row[f] = want[f]
	}
	for f, l := range row {
		if l >= 0 {
			continue
		}
		row[f] = d.rows[r][f]
		for !d.solver.feasibleAt(ctx, row, f) && ctx.Err() == nil {
			row[f] = d.rng.intN(d.levels[f])
		}
	}
	for f, l := range row {
		if d.rows[r][f] != l {
			d.set(r, f, l)
		}
	}
}

// lose counts one row less that has a tuple.
func (d *reducer) lose(tuple int) {
	if d.covers[tuple]--; d.covers[tuple] == 0 {
		d.place[tuple] = int32(len(d.missing))
		d.missing = append(d.missing, int32(tuple))
	}
}

// win counts one row more that has a tuple.
func (d *reducer) win(tuple int) {
	if d.covers[tuple]++; d.covers[tuple] == 1 {
		at, last := d.place[tuple], d.missing[len(d.missing)-1]
		d.missing[at] = last
		d.place[last] = at
		d.missing = d.missing[:len(d.missing)-1]
	}
}
