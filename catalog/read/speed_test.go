// SPDX-License-Identifier: MIT

package read_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
)

// repeated gives one text over and over, up to a size, between a head and a
// tail: a log of any length that takes no memory.
func repeated(head, body, tail string, size int) io.Reader {
	times := (size-len(head)-len(tail))/len(body) + 1
	return io.MultiReader(strings.NewReader(head), &again{body: body, left: times}, strings.NewReader(tail))
}

type again struct {
	body string
	at   int
	left int
}

func (a *again) Read(b []byte) (n int, err error) {
	for a.left > 0 && n < len(b) {
		c := copy(b[n:], a.body[a.at:])
		n, a.at = n+c, a.at+c
		if a.at == len(a.body) {
			a.at, a.left = 0, a.left-1
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

var thermo = strings.Repeat("        10   300.76787     -113.28045      806.94581     -111.57901     -1.7014353      2.2461536e+08\n", 500) +
	"WARNING: Bond/react: an atom is missing from its image (src/fix.cpp:99)\n"

const lammpsHead = "LAMMPS (2 Aug 2023)\n  using 1 OpenMP thread(s) per MPI task\n"

const lammpsTail = `Loop time of 12.5 on 8 procs for 100 steps with 32000 atoms

Performance: 691.200 ns/day, 0.035 hours/ns, 8.000 timesteps/s, 256.000 katom-step/s
97.5% CPU use with 8 MPI tasks x 2 OpenMP threads

MPI task timing breakdown:
Section |  min time  |  avg time  |  max time  |%varavg| %total
---------------------------------------------------------------
Pair    | 9.1        | 9.2        | 9.3        |   0.8 | 73.60
Comm    | 1.1        | 1.25       | 1.4        |   2.0 | 10.00

Total wall time: 0:01:05
`

func last(t testing.TB, r *read.Reader, in io.Reader) read.Run {
	var got read.Run
	for run, err := range r.Read(context.Background(), "log", in) {
		if err != nil {
			t.Fatal(err)
		}
		got = run
	}
	return got
}

// kinds are logs by what makes them slow to read. Every body is repeated.
var kinds = []struct{ name, app, head, body, tail string }{
	{"lammps", "lammps", lammpsHead, thermo, lammpsTail},
	{"kripke", "kripke", "LLNL-CODE-775068\n", strings.Repeat("  iter 480: particle count=3.557340e+07, change=0.000000e+00\n", 100), "  Throughput:         1.5e+09 [unknowns/(second/iteration)]\n"},
	{"a flood of warnings", "lammps", lammpsHead, "[1725154215.02] [host:50027:0] ucp_context.c:1234 UCX  WARN  network device 'mlx5_ib0:1' is not available\n", lammpsTail},
	{"a value on every line", "pennant", "", "hydro cycle run time=   8.729889e+01\n", ""},
	{"a table of osu", "osu", osuHead, "1048576               732.97\n", ""},
	{"a wide table of osu", "osu", "# OSU MPI Allreduce Latency Test v5.8\n# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations\n", "65536                  143.70            141.02            147.80        1000\n", ""},
	{"runs of osu", "osu", "", osuHead + strings.Repeat("1048576                77.73\n", 24), ""},
	{"a table of netpipe", "netpipe", "", " 37:  524288 bytes   1000 times -->  74559.44 Mbps in      53.65 usec\n", ""},
	{"magma", "magma", "", "         300    64    64    63     57.85 (   0.33)     ---   (  ---  )     ---\n", ""},
	{"mixbench", "mixbench", "", "          256,    64.250,    2.51, 13690.91,  213.08,  128.250,    4.96, 6934.01,   54.07,   64.250,    3.25, 10565.84,  164.45\n" +
		"          512,   128.250,    4.96, 13856.01,  108.04,  256.250,    9.86, 6972.01,   27.21,  128.250,    6.25, 10994.23,   85.72\n", ""},
	{"attached jobs", "lammps", "", attached(lammpsHead+lammpsTail, "lammps-iter-1", 1700000000, 99, 0), ""},
	{"pods", "lammps", "", script + marked("a-iter-1", lammpsHead+thermo+lammpsTail) + podJob(1, "a-iter-1", 1700000000, 99, 0), ""},
	{"events of a cluster", "k8s-events", "", event("1", `Successfully pulled image "b:1" in 1.5s (2.5s including waiting)`) + "\n", ""},
}

const osuHead = "# OSU MPI Latency Test v7.2\n# Size          Latency (us)\n"

// BenchmarkRead reads logs of 32 MB of every kind, and the largest published log
// of every application and shape, repeated. MB/cpu-s is the speed in time of
// the processor, the best of all rounds, for shared machines are slow at times;
// of-scan is its share of the speed at which the ends of the same lines are
// merely found. One core does it all, so that the garbage collector has no idle
// one to use.
func BenchmarkRead(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) { benchmark(b, k.app, k.head, k.body, k.tail, true) })
	}
	b.Run("published", func(b *testing.B) {
		dir := studies(b)
		largest := map[string]string{}
		size := map[string]int{}
		apps := map[string]string{}
		for file, list := range manifest(b, dir) {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				b.Fatal(err)
			}
			name := list[0].App + " " + list[0].Format
			if len(text) > size[name] && list[0].App != "ensemble" { // JSON, not repeatable
				largest[name], size[name], apps[name] = string(text), len(text), list[0].App
			}
		}
		for _, name := range slices.Sorted(maps.Keys(largest)) {
			b.Run(name, func(b *testing.B) { benchmark(b, apps[name], "", largest[name], "", false) })
		}
	})
}

// BenchmarkPublished reads every published log as it is, each by its reader: the
// mix that users have, small files included. Here a file's set-up counts.
func BenchmarkPublished(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := studies(b)
	type log struct {
		r    *read.Reader
		text []byte
	}
	var logs []log
	readers := map[string]*read.Reader{}
	size := 0
	for file, list := range manifest(b, dir) {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			b.Fatal(err)
		}
		app := list[0].App
		if readers[app] == nil {
			readers[app] = reader(b, app)
		}
		logs = append(logs, log{readers[app], text})
		size += len(text)
	}
	b.SetBytes(int64(size))
	best := math.Inf(1)
	for b.Loop() {
		start := processor(b)
		for _, l := range logs {
			last(b, l.r, bytes.NewReader(l.text))
		}
		best = min(best, processor(b)-start)
	}
	b.ReportMetric(float64(len(logs)), "logs")
	b.ReportMetric(float64(size)/1e6/best, "MB/cpu-s")
}

func benchmark(b *testing.B, app, head, body, tail string, good bool) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := reader(b, app)
	text, err := io.ReadAll(repeated(head, body, tail, 32<<20))
	if err != nil {
		b.Fatal(err)
	}
	scan := math.Inf(1)
	for range 5 {
		start := processor(b)
		for i := 0; i < len(text); i++ {
			i += max(bytes.IndexByte(text[i:], '\n'), 0)
		}
		scan = min(scan, processor(b)-start)
	}
	b.SetBytes(int64(len(text)))
	b.ResetTimer()
	best := math.Inf(1)
	for b.Loop() {
		start := processor(b)
		if got := last(b, r, bytes.NewReader(text)); good && got.Status != read.Succeeded {
			b.Fatalf("got %s: %s", got.Status, got.Reason)
		}
		best = min(best, processor(b)-start)
	}
	b.ReportMetric(float64(len(text))/1e6/best, "MB/cpu-s")
	b.ReportMetric(scan/best, "of-scan")
}

// TestSpeed keeps the promise of 200 MB/s of a core. Time of the processor
// counts, for shared machines stall, and half of the promise fails the test.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second: left out by -short")
	}
	const size = 64 << 20
	r := reader(t, "lammps")
	text, err := io.ReadAll(repeated(lammpsHead, thermo, lammpsTail, size))
	if err != nil {
		t.Fatal(err)
	}
	best := 0.0
	for range 3 {
		start := processor(t)
		last(t, r, bytes.NewReader(text))
		best = max(best, float64(len(text))/1e6/(processor(t)-start))
	}
	t.Logf("%.0f MB/s", best)
	if best < 100 {
		t.Errorf("got %.0f MB/s, want 200", best)
	}
}

// processor gives the time in seconds that this process has computed for.
func processor(t testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// TestMemory reads up to a quarter of a gigabyte of each kind and looks at the
// heap while it goes on.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads half a gigabyte: left out by -short")
	}
	const most = 24 << 20
	for _, c := range []struct {
		size                        int
		name, app, head, body, tail string
		status                      read.Status
	}{
		{256 << 20, "a long log", "lammps", lammpsHead, thermo, lammpsTail, read.Succeeded},
		{256 << 20, "one line without an end", "lammps", lammpsHead, "0123456789abcdef", lammpsTail, read.Incomplete},
		{64 << 20, "a series without an end", "osu", "# OSU MPI Latency Test v7.2\n# Size          Latency (us)\n", "8               732.97\n", "", read.Succeeded},
		{64 << 20, "a value on every line", "stream", "Function      Rate (GiB/s)  Avg time(s)\n", "Triad:        784.9602      0.00191177   0.00191092   0.00191402\n", "", read.Succeeded},
		{64 << 20, "runs without an end", "lammps", "", lammpsHead + lammpsTail, "", read.Succeeded},
		{64 << 20, "an eventlog without an end", "lammps", lammpsHead + lammpsTail + "START OF EVENTLOG\n", `{"timestamp":1.5,"name":"shell.task-exit","context":{"localid":1,"rank":1,"exitcode":0}}` + "\n", "", read.Incomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader(t, c.app)
			w := &watched{r: repeated(c.head, c.body, c.tail, c.size)}
			w.before = heap()
			got := last(t, r, w)
			if got.Status != c.status {
				t.Errorf("got %s (%s), want %s", got.Status, got.Reason, c.status)
			}
			if w.most > most {
				t.Errorf("got %d MiB of heap, want %d at most", w.most>>20, most>>20)
			}
			t.Logf("%d MiB of heap", w.most>>20)
		})
	}
}

// watched looks at the heap now and then while it is read.
type watched struct {
	r            io.Reader
	n            int
	before, most uint64
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if w.n += n; w.n > 16<<20 {
		w.n = 0
		if h := heap(); h > w.before {
			w.most = max(w.most, h-w.before)
		}
	}
	return n, err
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
