// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"slices"
	"strings"
)

// osuReader reads the OSU micro-benchmarks: a title, a line of columns, then a
// row for each message size.
//
//	# OSU MPI Allreduce Latency Test v5.8
//	# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
//	4                      43.70             41.02             47.80        1000
//
// The first column after the size is the series that carries the benchmark's
// name (osu_allreduce); each further column is one more (osu_allreduce_min).
// Its values at 8 bytes and 1 MiB are the metrics at_8B and at_1MiB. A
// benchmark without sizes, such as the barrier, gives metrics named after the
// columns (avg_latency).
type osuReader struct {
	name    string // osu_allreduce
	variant string // a suffix where one test prints several tables
	columns []osuColumn
	sized   bool
	series  map[string]*Series
	primary string
	metrics map[string]Value
	cells   row
	rows    int
	full    bool
	invalid bool
}

type osuColumn struct {
	name, slug, unit string
	series           *Series // nil until the table's first row
}

func newOSUReader() lineReader {
	return &osuReader{series: map[string]*Series{}, metrics: map[string]Value{}}
}

// osuDevices are the libraries with which a title begins; MPI-CUDA is one of MPI.
var osuDevices = []string{"MPI", "OpenSHMEM", "UPC++", "UPC", "NCCL", "RCCL"}

func (o *osuReader) line(b []byte) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return
	}
	if b[0] != '#' {
		o.row(b)
		return
	}
	s := string(b)
	if title, ok := strings.CutPrefix(s, "# OSU "); ok {
		if title, _, ok = strings.Cut(title, " Test"); ok {
			o.name, o.columns = osuName(strings.TrimSpace(title)), nil
			return
		}
	}
	if kind, ok := strings.CutPrefix(s, "# Datatype: "); ok && o.rows > 0 {
		o.variant = "_" + slug(kind)
		for i := range o.columns {
			o.columns[i].series = nil
		}
		return
	}
	o.header(strings.TrimSpace(strings.TrimLeft(s, "#")))
}

// header reads the names and units of columns; other comments have none.
func (o *osuReader) header(s string) {
	sized := strings.HasPrefix(s, "Size ") || strings.HasPrefix(s, "Size\t")
	if !sized && !strings.Contains(s, "Latency(") && !strings.Contains(s, "Latency (") {
		return
	}
	o.sized, o.columns = sized, nil
	// Two spaces are between columns, or one that follows a unit.
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\t", "  "), ") ", ")  ")
	for c := range strings.SplitSeq(s, "  ") {
		if c = strings.TrimSpace(c); c != "" {
			o.columns = append(o.columns, newOSUColumn(c))
		}
	}
	if sized {
		o.columns = o.columns[1:]
	}
}

// newOSUColumn reads one such as "Min Latency(us)", "Bandwidth (MB/s)" or
// "Messages/s".
func newOSUColumn(c string) osuColumn {
	if name, unit, ok := strings.Cut(c, "("); ok {
		name = strings.TrimSpace(name)
		return osuColumn{name: name, slug: slug(name), unit: strings.TrimSuffix(unit, ")")}
	}
	switch c {
	case "MB/s":
		return osuColumn{name: c, slug: "bandwidth", unit: c}
	case "Messages/s":
		return osuColumn{name: c, slug: "messages", unit: "1/s"}
	case "Iterations":
		return osuColumn{name: c, slug: "iterations", unit: "count"}
	}
	return osuColumn{name: c, slug: slug(c)}
}

// row takes a line of numbers as wide as the header, or wider by a word such
// as Pass.
func (o *osuReader) row(b []byte) {
	if len(o.columns) == 0 || (b[0] < '0' || b[0] > '9') && b[0] != '.' {
		return
	}
	o.cells.cut(b)
	first, size := 0, 0.0
	if o.sized {
		x, ok := o.cells.number(0)
		if !ok {
			return
		}
		first, size = 1, x
	}
	if n := len(o.cells.cells) - first; n == 0 || n < len(o.columns) {
		return
	}
	for i := range len(o.cells.cells) - first {
		switch x, ok := o.cells.number(first + i); {
		case !ok && i == 0:
			return // a line of words
		case !ok:
			o.invalid = o.invalid || string(o.cells.text(first+i)) == "Fail"
		case i < len(o.columns):
			o.add(i, size, x)
		}
	}
	o.rows++
}

func (o *osuReader) add(column int, size, x float64) {
	c := &o.columns[column]
	if !o.sized {
		o.metrics[c.slug] = Value{x, c.unit}
		return
	}
	if c.series == nil {
		c.series = o.open(column)
	}
	if o.full = o.full || len(c.series.Points) >= MaxPoints; !o.full {
		c.series.Points = append(c.series.Points, [2]float64{size, x})
	}
}

// open gives the series of a column.
func (o *osuReader) open(column int) *Series {
	c := o.columns[column]
	name := o.name + o.variant
	if column > 0 {
		name += "_" + strings.TrimSuffix(c.slug, "_latency")
	} else if o.primary == "" {
		o.primary = name
	}
	s := o.series[name]
	if s == nil {
		s = &Series{}
		o.series[name] = s
	}
	s.Unit = [2]string{"bytes", c.unit}
	return s
}

func (o *osuReader) finish(r *Run) string {
	for name, v := range o.metrics {
		r.metric(name, v.Value, v.Unit)
	}
	for name, s := range o.series {
		r.series(name, *s)
	}
	primary := r.Series[o.primary]
	for _, p := range primary.Points {
		for _, at := range []struct {
			size float64
			name string
		}{{8, "at_8B"}, {1 << 20, "at_1MiB"}} {
			if p[0] != at.size {
				continue
			}
			if _, done := r.Metrics[at.name]; !done {
				r.metric(at.name, p[1], primary.Unit[1])
			}
		}
	}
	if r.Problem == "" {
		r.Problem = o.name
	}
	if o.full {
		r.flag("truncated")
	}
	switch {
	case o.invalid:
		return "the validation failed"
	case o.rows == 0 && len(r.Metrics) == 0:
		return "no row of results"
	}
	return ""
}

// osuNames are the benchmarks whose names do not follow from their titles.
var osuNames = map[string]string{
	"latency":                           "latency",
	"bandwidth":                         "bw",
	"bi_directional_bandwidth":          "bibw",
	"multiple_bandwidth_message_rate":   "mbw_mr",
	"multi_latency":                     "multi_lat",
	"multi_threaded_latency":            "latency_mt",
	"multi_process_latency":             "latency_mp",
	"all_to_all_personalized_exchange":  "alltoall",
	"all_to_allv_personalized_exchange": "alltoallv",
	"all_to_allw_personalized_exchange": "alltoallw",
	"alltoall_personalized_exchange":    "alltoall",
	"alltoallv_personalized_exchange":   "alltoallv",
	"alltoallw_personalized_exchange":   "alltoallw",
	"broadcast":                         "bcast",
	"hello_world":                       "hello",
	"mpi_put_latency":                   "put_latency",
	"mpi_put_bandwidth":                 "put_bw",
	"mpi_put_bi_directional_bandwidth":  "put_bibw",
	"mpi_get_latency":                   "get_latency",
	"mpi_get_bandwidth":                 "get_bw",
	"mpi_accumulate_latency":            "acc_latency",
	"mpi_get_accumulate_latency":        "get_acc_latency",
	"mpi_fetch_and_op_latency":          "fop_latency",
	"mpi_compare_and_swap_latency":      "cas_latency",
}

// osuName gives the program's name for its title: "MPI Allreduce Latency" is
// osu_allreduce, "MPI Non-blocking Allreduce Latency" is osu_iallreduce.
func osuName(title string) string {
	word, rest, _ := strings.Cut(title, " ")
	if device, _, _ := strings.Cut(word, "-"); slices.Contains(osuDevices, device) {
		title = rest
	}
	s := slug(title)
	if n, ok := osuNames[s]; ok {
		return "osu_" + n
	}
	s = strings.TrimSuffix(s, "_latency")
	prefix := "osu_"
	if rest, ok := strings.CutPrefix(s, "non_blocking_"); ok {
		prefix, s = "osu_i", rest
	}
	if n, ok := osuNames[s]; ok {
		s = n
	}
	return prefix + s
}

// slug makes a name of lower-case words joined by underscores.
func slug(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z':
			b = append(b, c|' ')
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '_':
			b = append(b, '_')
		}
	}
	return strings.Trim(string(b), "_")
}
