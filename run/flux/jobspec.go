// SPDX-License-Identifier: MIT

package flux

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// taskScript starts tasks that need more than a directory.
//
//go:embed task.sh
var taskScript []byte

// inDirectory starts all other tasks.
const inDirectory = `cd "$FLUX_JOB_TMPDIR" && exec "$@"`

// elsewhere starts a command that works in a directory of its own.
const elsewhere = `cd "$0" && exec "$@"`

// machine is what the instance has.
type machine struct {
	nodes int
	cores int // of the largest node
	all   int // cores of all nodes
}

// look asks what the instance has. Nodes that are down now may be back later.
func look(ctx context.Context, c *flux.Client) (m machine, err error) {
	s, err := c.SchedStatus(ctx)
	if err != nil {
		return m, err
	}
	for _, lite := range s.All.Execution.Lite {
		n, cores := lite.Ranks.Len(), lite.Children.Cores.Len()
		m.nodes, m.all, m.cores = m.nodes+n, m.all+n*cores, max(m.cores, cores)
	}
	return m, nil
}

// Instance is what the instance says of itself.
func (x *Executor) Instance() *run.FluxInstance {
	i := x.client.Info()
	return &run.FluxInstance{Version: i.Version, Nodes: x.machine.nodes, Cores: x.machine.all, Hosts: i.Hosts.String(), Level: i.Level}
}

// Nodes is how many nodes the instance has.
func (x *Executor) Nodes() int { return x.machine.nodes }

// Cores is how many cores the instance has, on all of its nodes.
func (x *Executor) Cores() int { return x.machine.all }

// Check says why Flux never can run the job.
func (x *Executor) Check(job *ensemble.Job) error {
	name, s := "job "+job.ID, job.Shape
	if job.App != "" {
		name = strings.TrimSpace(job.App + " " + job.Variant)
	} else if job.Group != "" {
		name = "group " + job.Group
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(name+" "+format, args...)) }
	nodes, of := x.machine.nodes, "the Flux instance"
	if job.Partition > 0 {
		nodes, of = job.Partition, "its partition"
		if job.Partition > x.machine.nodes {
			bad("asks for a partition of %d nodes; the Flux instance has %d", job.Partition, x.machine.nodes)
		}
		if !run.HasProgram("flux", run.Path(nil)) {
			errs = append(errs, &run.MissingError{Program: "flux", Of: "partition", Hint: "put it on the PATH: it starts the instance of the group"})
		}
	}
	perNode := s.Tasks / s.Nodes * s.CoresPerTask
	switch {
	case s.Nodes > nodes:
		bad("asks for %d nodes; %s has %d", s.Nodes, of, nodes)
	case s.Tasks%s.Nodes != 0:
		bad("asks for %d tasks on %d nodes, want as many on each", s.Tasks, s.Nodes)
	case perNode > x.machine.cores && !job.Policy.Oversubscribe:
		bad("asks for %d cores on a node; the nodes of the Flux instance have %d: take fewer, or allow it with oversubscribe: true", perNode, x.machine.cores)
	}
	if job.Launch.Image != "" && !x.options.Image {
		bad("is to run in the image %s: in Flux the image is the member's; run it on local", job.Launch.Image)
	}
	if len(job.Launch.Services) > 0 {
		bad("has services beside the application, which are not run in Flux: run it on local")
	}
	if _, err := mapping(s.MapBy); err != nil {
		bad("%v", err)
	}
	if _, err := x.preload(job); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// mapping gives Flux's task map of a study's mapBy.
func mapping(by string) (string, error) {
	switch by {
	case "", "core", "slot":
		return "", nil // block
	case "node":
		return "cyclic", nil
	}
	return "", fmt.Errorf("maps ranks by %s, which Flux cannot: want core, slot or node", by)
}

// preload gives the profiling library that a job asks for, packed as a file of the
// job. It is empty where none is asked for, or the image has it.
func (x *Executor) preload(job *ensemble.Job) (flux.File, error) {
	if job.Launch.Profile != spec.ProfileMPI || x.options.Image {
		return flux.File{}, nil
	}
	if f, ok := x.preloads[job.Launch.MPI]; ok {
		return f, nil
	}
	path, err := run.ProfilingLibrary(job.Launch.MPI)
	if err != nil {
		return flux.File{}, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return flux.File{}, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		return flux.File{}, err
	}
	x.preloads[job.Launch.MPI] = flux.File{Data: packed.Bytes()}
	return x.preloads[job.Launch.MPI], nil
}

// jobspec makes what is submitted for an attempt.
func (x *Executor) jobspec(job *ensemble.Job, t tag) (*flux.Jobspec, error) {
	l, s := &job.Launch, job.Shape
	taskMap, err := mapping(s.MapBy)
	if err != nil {
		return nil, err
	}
	files, err := x.files(job)
	if err != nil {
		return nil, err
	}
	j := flux.Job{
		Nodes: s.Nodes, Tasks: s.Tasks, CoresPerTask: s.CoresPerTask, Exclusive: !job.Policy.Shared,
		TimeLimit: job.Policy.Timeout, TaskMap: taskMap, Files: files, Name: cmp.Or(job.Group, job.App),
		Env: map[string]string{}, User: map[string]any{"ensemble": t}, Dir: "/", Shell: map[string]any{},
	}
	if job.Policy.Oversubscribe { // whole nodes, however many cores they have
		j.Exclusive, j.CoresPerTask, j.Tasks, j.TasksPerNode = true, 0, 0, s.Tasks/s.Nodes
	}
	switch s.BindTo {
	case "":
	case "none":
		j.CPUAffinity = "off"
	default: // Flux binds to the cores of the task and knows no sockets
		j.CPUAffinity = "per-task"
	}
	if l.MPI == spec.NoMPI {
		j.Shell["exit-timeout"] = "none" // tasks of a plain command end when they like
	}
	for name, value := range x.env {
		j.Env[name] = value
	}
	j.Env["OMP_NUM_THREADS"] = strconv.Itoa(s.Threads)
	for _, v := range l.Env {
		name, value, _ := strings.Cut(v, "=")
		j.Env[name] = value
	}
	command := l.Command
	if l.Workdir != "" {
		command = append([]string{"sh", "-c", elsewhere, l.Workdir}, command...)
	}
	if files == nil {
		j.Command = append([]string{"sh", "-c", inDirectory, "sh"}, command...)
	} else {
		j.Command = append([]string{"sh", "{{tmpdir}}/ensemble/task.sh", t.mark(), strconv.Itoa(s.Tasks / s.Nodes)}, command...)
	}
	if x.options.Mock != nil {
		j.Mock = x.options.Mock(job)
	}
	return j.Jobspec()
}

// mark tells the task's output from what task.sh sends behind it. The key of the run
// makes it one that no output has by chance.
func (t tag) mark() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", t.Run, t.Job, t.Attempt))
	return hex.EncodeToString(sum[:12])
}

// files are those that travel with a job; nil where it needs none and its tasks can
// be executed as they are.
func (x *Executor) files(job *ensemble.Job) (map[string]flux.File, error) {
	l := &job.Launch
	library, err := x.preload(job)
	if err != nil {
		return nil, err
	}
	inImage := ""
	if x.options.Image && l.Profile == spec.ProfileMPI {
		inImage = run.ImageLibrary + "\n"
	}
	if len(l.Files)+len(l.Before)+len(l.Prepare)+len(l.After)+len(l.Collect)+len(library.Data)+len(inImage) == 0 {
		return nil, nil
	}
	files := map[string]flux.File{"ensemble/task.sh": {Data: taskScript}}
	add := func(name, text string) {
		if text != "" {
			files["ensemble/"+name] = flux.File{Data: []byte(text)}
		}
	}
	var before, after, collect strings.Builder
	steps(&before, "before", l.Before, true)
	steps(&before, "prepare", l.Prepare, true)
	steps(&after, "after", l.After, false)
	for _, pattern := range l.Collect {
		fmt.Fprintf(&collect, "collect %s\n", quote(pattern))
	}
	add("before.sh", before.String())
	add("after.sh", after.String())
	add("collect.sh", collect.String())
	add("library", inImage)
	if len(library.Data) > 0 {
		files["ensemble/profile.so.gz"] = library
	}
	for name, text := range l.Files {
		files[path.Join("work", name)] = flux.File{Mode: 0o644, Data: []byte(text)}
	}
	return files, nil
}

// steps writes commands for task.sh, one a line; strict ends at the first that fails.
func steps(b *strings.Builder, name string, commands [][]string, strict bool) {
	for i, argv := range commands {
		fmt.Fprintf(b, "step %s %d", name, i)
		for _, arg := range argv {
			b.WriteString(" " + quote(arg))
		}
		if strict {
			b.WriteString(" || exit 1")
		}
		b.WriteString("\n")
	}
}

// quote makes one word of a text, in which no shell finds anything to interpret.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// foreign are the prefixes of variables that tell a process of which job of Flux,
// Slurm or an MPI it is: they would mislead the jobs of this instance.
var foreign = []string{"FLUX_", "SLURM_", "PMI_", "PMIX_", "PALS_", "OMPI_COMM_", "OMPI_UNIVERSE_", "PRTE_", "MPIR_", "HYDRA_"}

// environ is what jobs have of this process's environment, as with flux submit.
func environ() map[string]string {
	env := map[string]string{}
next:
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		for _, prefix := range foreign {
			if strings.HasPrefix(name, prefix) {
				continue next
			}
		}
		env[name] = value
	}
	return env
}
