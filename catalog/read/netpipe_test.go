// SPDX-License-Identifier: MIT

package read_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
)

const (
	netpipePrinted = `Now starting the main loop
  0:       1 bytes   1000 times -->     41.13 Mbps in       0.19 usec
  1:    2048 bytes   1000 times -->  39021.14 Mbps in      39.27 usec
`
	netpipeFile = `       1 41.131105   0.00000019
    2048 39021.137243   0.00003927
`
)

func TestNetPIPE(t *testing.T) {
	mbps := 0.001048576 // no constant: those multiply exactly
	for _, c := range []struct {
		name, stdout, file string
		bandwidth, latency [][2]float64
		status             read.Status
	}{
		{"what is printed", netpipePrinted, "", [][2]float64{{1, 41.13 * mbps}, {2048, 39021.14 * mbps}}, [][2]float64{{1, 0.19}, {2048, 39.27}}, read.Succeeded},
		{"the file has more digits", netpipePrinted, netpipeFile, [][2]float64{{1, 41.131105 * mbps}, {2048, 39021.137243 * mbps}}, [][2]float64{{1, 0.19}, {2048, 39.27}}, read.Succeeded},
		{"a file that is cut short does not count", netpipePrinted, netpipeFile[:40], [][2]float64{{1, 41.13 * mbps}, {2048, 39021.14 * mbps}}, [][2]float64{{1, 0.19}, {2048, 39.27}}, read.Succeeded},
		{"the file alone", "", netpipeFile, [][2]float64{{1, 41.131105 * mbps}, {2048, 39021.137243 * mbps}}, [][2]float64{{1, 0.19}, {2048, 39.27}}, read.Succeeded},
		{"other lines of numbers and words", "1 2\n1 2 x\n1 inf 2\n4 usec\n  0:       1 bytes   1000 tries -->     41.13 Mbps in       0.19 usec\n", "", nil, nil, read.Failed},
		{"a time that overflows", "1 2 1e308\n", "", nil, nil, read.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{"stdout": {Data: []byte(c.stdout)}}
			if c.file != "" {
				files["np.out"] = &fstest.MapFile{Data: []byte(c.file)}
			}
			got, err := reader(t, "netpipe").ReadFiles(t.Context(), files)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]read.Series{
				"netpipe_bandwidth": {Unit: [2]string{"bytes", "Gbit/s"}, Points: c.bandwidth},
				"netpipe_latency":   {Unit: [2]string{"bytes", "us"}, Points: c.latency},
			}
			if c.bandwidth == nil {
				want = nil
			}
			if d := cmp.Diff(want, got.Series); d != "" || got.Status != c.status {
				t.Errorf("got %s (%s), want %s; -want +got:\n%s", got.Status, got.Reason, c.status, d)
			}
		})
	}
	t.Run("a file of it in place of a log", func(t *testing.T) {
		got := last(t, reader(t, "netpipe"), strings.NewReader(netpipeFile))
		if got.Status != read.Succeeded || len(got.Series["netpipe_latency"].Points) != 2 {
			t.Errorf("got %s and %v, want success and two points", got.Status, got.Series)
		}
	})
}
