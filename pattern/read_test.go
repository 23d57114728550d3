// SPDX-License-Identifier: MIT

package pattern_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	t.Parallel()
	number := func(v float64, unit string) map[string]pattern.Number {
		return map[string]pattern.Number{"loop_time": {Value: v, Unit: unit}}
	}
	tests := []struct {
		name, content string
		want          []pattern.Observation
	}{
		{"columns in any order", "loop_time,nodes,app,tasks\n10.5,4,lammps,64\n5.5,8,lammps,128\n", []pattern.Observation{
			{App: "lammps", Nodes: 4, Tasks: 64, Numbers: number(10.5, "s")},
			{App: "lammps", Nodes: 8, Tasks: 128, Numbers: number(5.5, "s")},
		}},
		{"a unit beside the name", "nodes,loop_time[min]\n4,2\n", []pattern.Observation{{Nodes: 4, Numbers: number(120, "s")}}},
		{"an empty cell", "nodes,loop_time[s],fom\n4,2,\n", []pattern.Observation{{Nodes: 4, Numbers: number(2, "s")}}},
		{"means of runs", "nodes,loop_time,loop_time_sd,loop_time_n\n4,2,0.1,5\n", []pattern.Observation{
			{Nodes: 4, Numbers: map[string]pattern.Number{"loop_time": {Value: 2, Unit: "s", SD: 0.1, N: 5}}},
		}},
		{"records of the records command", "app,nodes,tasks,threads,status,flags,parameter.x,metric.loop_time[s],max_rss[B]\nlammps,1,2,1,succeeded,noisy,'=1,3,1e6\nlammps,1,2,1,failed,,8,,\n", []pattern.Observation{
			{App: "lammps", Nodes: 1, Tasks: 2, Threads: 1, Noisy: true, Parameters: map[string]spec.Value{"x": spec.Of("=1")},
				Numbers: map[string]pattern.Number{"loop_time": {Value: 3, Unit: "s"}, "max_rss": {Value: 1e6, Unit: "B"}}},
		}},
		{"the share of a profile before what the application says", "nodes,mpi_percent,mpi_min_percent,mpi_cost_percent,metric.mpi_percent[%]\n1,12,3,0.1,40\n2,40,,,40\n", []pattern.Observation{
			{Nodes: 1, Numbers: map[string]pattern.Number{"mpi_share": {Value: 12, Unit: "%"}}},
			{Nodes: 2, Numbers: map[string]pattern.Number{"mpi_share": {Value: 40, Unit: "%"}}},
		}},
		{"semicolons, a mark of the byte order, and lines that end as on Windows", "\ufeffnodes;loop_time\r\n4;2.5\r\n", []pattern.Observation{{Nodes: 4, Numbers: number(2.5, "s")}}},
		{"tabs, spaces and a comment", "# of the cluster\nnodes\tloop_time\n 4 \t 2.5 \n", []pattern.Observation{{Nodes: 4, Numbers: number(2.5, "s")}}},
		{"an array of objects", `[{"app":"x","nodes":4,"loop_time":2.5}, {"app":"x","nodes":8,"iteration":1,"loop_time":"1.5"}]`, []pattern.Observation{
			{App: "x", Nodes: 4, Numbers: number(2.5, "s")}, {App: "x", Nodes: 8, Numbers: number(1.5, "s")},
		}},
		{"objects in lines", "{\"tasks\":4,\"loop_time\":2.5}\n{\"tasks\":8,\"loop_time\":1.5}\n", []pattern.Observation{
			{Tasks: 4, Numbers: number(2.5, "s")}, {Tasks: 8, Numbers: number(1.5, "s")},
		}},
		{"a record", `{"app":"x","nodes":4,"tasks":8,"status":"succeeded","metrics":{"loop_time":{"value":250,"unit":"ms"}},"resources":{"max_rss_bytes":7}}`, []pattern.Observation{
			{App: "x", Nodes: 4, Tasks: 8, Numbers: map[string]pattern.Number{"loop_time": {Value: 0.25, Unit: "s"}, "max_rss": {Value: 7, Unit: "B"}}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pattern.Read(strings.NewReader(tt.content), "f", nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b spec.Value) bool { return a == b })); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestReadFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, content, want string }{
		{"an empty file", "", "f:1:1: the file has no records"},
		{"heads alone", "nodes,loop_time\n", "f:1:1: the file has no records"},
		{"no size", "app,loop_time\nx,1\n", "f:1:1: no column nodes or tasks"},
		{"no metric", "app,nodes\nx,1\n", "f:1:1: no column with a metric; want one beside"},
		{"a column that is no metric", "nodes,loop_time,colour\n4,1,red\n", `f:2:5: colour: got "red", want a number; columns that are no metric are "app"`},
		{"a column twice", "nodes,loop_time,nodes\n4,1,4\n", `f:1:17: the column "nodes" is given twice`},
		{"half a node", "nodes,loop_time\n4,1\n0.5,1\n", `f:3:1: nodes: got "0.5", want a whole number of 1 or more`},
		{"a line without a size", "nodes,tasks,loop_time\n,,1\n", "f:2:1: nodes and tasks are missing"},
		{"a line that is too short", "nodes,loop_time\n4\n", "f:2:1: got 1 cells, want 2 as in the first line"},
		{"a quote that does not end", "nodes,loop_time\n4,\"1\n", "f:2:6: extraneous or missing \""},
		{"a deviation without the number of runs", "nodes,loop_time,loop_time_sd\n4,1,0.1\n", "f:2:5: loop_time_sd: a standard deviation wants the number of runs"},
		{"a column by another name", "Nodes,loop_time\n4,1\n", `f:1:1: no column nodes or tasks; want one of them at least, got "Nodes", "loop_time"; did you mean "nodes" by "Nodes"?`},
		{"ranks for tasks", "ranks,loop_time\n4,1\n", `did you mean "tasks" by "ranks"?`},
		{"a comma in a number", "nodes;loop_time\n4;1,5\n", `f:2:3: loop_time: got "1,5", want a number with a point for its fraction`},
		{"a number that is too large to square", "nodes,loop_time\n4,1e200\n", `f:2:3: loop_time: got "1e200", want a number below 1e150 in size`},
		{"more nodes than there are", "nodes,loop_time\n1e12,1\n", `f:2:1: nodes: got "1e12", want 2147483647 at most`},
		{"no number of nodes", "nodes,loop_time\nNaN,1\n", `f:2:1: nodes: got "NaN", want a whole number of 1 or more`},
		{"an object for a number", `{"records":{"nodes":4}}`, "records: got an object, want a number or text"},
		{"a time that is not a number", "nodes,loop_time\n4,NaN\n", `f:2:3: loop_time: got "NaN", want a number`},
		{"JSON that ends", "[{\"nodes\":4,\n\"loop_time\":1", "f:1:2: the file ends too early"},
		{"JSON that is none", "[\n  {nodes: 4}]", "f:2:4: invalid character"},
		{"an object without a metric", "[\n{\"nodes\":4}]", "f:2:1: no metric"},
		{"a list for a number", "[\n{\"nodes\":4,\"loop_time\":[1,2]}]", "f:2:1: loop_time: got a list, want a number or text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := pattern.Read(strings.NewReader(tt.content), "f", nil)
			var fe *spec.FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzRead holds that reading neither panics nor hangs, that what is wrong has a
// line, and that what was read can be grouped, fitted and exported.
func FuzzRead(f *testing.F) {
	f.Add([]byte("app,nodes,tasks,iteration,loop_time\nx,4,64,1,10\nx,8,128,1,6\nx,16,256,1,4\n"))
	f.Add([]byte("nodes,t_time[ms],t_time_sd,t_time_n\n1,2,0.1,5\n"))
	f.Add([]byte(`[{"nodes":4,"t":1},{"nodes":8,"t":"2"}]`))
	f.Add([]byte(`{"app":"x","tasks":8,"status":"succeeded","metrics":{"t":{"value":1,"unit":"%"}}}`))
	f.Add([]byte("[[]]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := pattern.Read(bytes.NewReader(b), "f", nil)
		if err != nil {
			var fe *spec.FileError
			if !errors.As(err, &fe) || len(fe.Faults) == 0 || fe.Faults[0].Line < 1 {
				t.Fatalf("got %v, want a position", err)
			}
			return
		}
		all := pattern.Group(found, nil, pattern.Selection{})
		for i := range all[:min(len(all), 3)] {
			a := all[i].Fit(0).At(64)
			if (a.Prediction == nil) == (a.Refused == "") {
				t.Fatalf("got %+v, want a prediction or a reason", a)
			}
			if p := a.Prediction; p != nil && !(p.Low <= p.Value && p.Value <= p.High) {
				t.Fatalf("got %+v: the value is outside its interval", p)
			}
		}
		if len(all) > 0 {
			if err := pattern.ExtraP(&bytes.Buffer{}, all[:1]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
