// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"regexp"
	"strconv"
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
	series  map[string]Series
	primary string
	metrics map[string]Value
	rows    int
	full    bool
	invalid bool
}

type osuColumn struct{ name, slug, unit string }

func newOSUReader() lineReader {
	return &osuReader{series: map[string]Series{}, metrics: map[string]Value{}}
}

var (
	osuTitle   = regexp.MustCompile(`^# OSU (.*?)\s+Test\b`)
	osuDevice  = regexp.MustCompile(`^(MPI|OpenSHMEM|UPC\+\+|UPC|NCCL|RCCL)(?:-[A-Za-z_-]+)?(?:\s|$)`)
	osuBetween = regexp.MustCompile(`\s{2,}|\)\s+`)
	osuUnit    = regexp.MustCompile(`^(.*?)\s*\(([^()]*)\)?$`)
)

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
	if m := osuTitle.FindStringSubmatch(s); m != nil {
		o.name, o.columns = osuName(m[1]), nil
		return
	}
	if kind, ok := strings.CutPrefix(s, "# Datatype: "); ok && o.rows > 0 {
		o.variant = "_" + slug(kind)
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
	for _, c := range osuBetween.Split(s, -1) {
		o.columns = append(o.columns, newOSUColumn(c))
	}
	if sized {
		o.columns = o.columns[1:]
	}
}

// newOSUColumn reads one such as "Min Latency(us", whose parenthesis the split
// took, "Bandwidth (MB/s)" or "Messages/s".
func newOSUColumn(c string) osuColumn {
	if m := osuUnit.FindStringSubmatch(c); m != nil {
		return osuColumn{m[1], slug(m[1]), m[2]}
	}
	switch c {
	case "MB/s":
		return osuColumn{c, "bandwidth", c}
	case "Messages/s":
		return osuColumn{c, "messages", "1/s"}
	case "Iterations":
		return osuColumn{c, "iterations", "count"}
	}
	return osuColumn{c, slug(c), ""}
}

// row takes a line of numbers as wide as the header, or wider by a word such
// as Pass.
func (o *osuReader) row(b []byte) {
	if len(o.columns) == 0 || (b[0] < '0' || b[0] > '9') && b[0] != '.' {
		return
	}
	fields := bytes.Fields(b)
	size := 0.0
	if o.sized {
		x, err := strconv.ParseFloat(string(fields[0]), 64)
		if err != nil || len(fields) < 2 {
			return
		}
		size, fields = x, fields[1:]
	}
	if len(fields) < len(o.columns) {
		return
	}
	for i, f := range fields {
		x, err := strconv.ParseFloat(string(f), 64)
		switch {
		case err != nil && i == 0:
			return // a line of words
		case err != nil:
			o.invalid = o.invalid || string(f) == "Fail"
		case i < len(o.columns):
			o.add(i, size, x)
		}
	}
	o.rows++
}

func (o *osuReader) add(column int, size, x float64) {
	c := o.columns[column]
	if !o.sized {
		o.metrics[c.slug] = Value{x, c.unit}
		return
	}
	name := o.name + o.variant
	if column > 0 {
		name += "_" + strings.TrimSuffix(c.slug, "_latency")
	} else if o.primary == "" {
		o.primary = name
	}
	s := o.series[name]
	s.Unit = [2]string{"bytes", c.unit}
	if o.full = o.full || len(s.Points) >= MaxPoints; !o.full {
		s.Points = append(s.Points, [2]float64{size, x})
	}
	o.series[name] = s
}

func (o *osuReader) finish(r *Run) string {
	for name, v := range o.metrics {
		r.metric(name, v.Value, v.Unit)
	}
	if len(o.series) > 0 {
		r.Series = o.series
	}
	for _, p := range o.series[o.primary].Points {
		for _, at := range []struct {
			size float64
			name string
		}{{8, "at_8B"}, {1 << 20, "at_1MiB"}} {
			if _, done := r.Metrics[at.name]; p[0] == at.size && !done {
				r.metric(at.name, p[1], o.series[o.primary].Unit[1])
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
	if m := osuDevice.FindString(title); m != "" {
		title = title[len(m):]
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

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// slug makes a name of lower-case words joined by underscores.
func slug(s string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(s), "_"), "_")
}
