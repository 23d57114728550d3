// SPDX-License-Identifier: MIT

package fluxtest

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/converged-computing/ensemble/flux"
)

// Run is what the tasks of a job do. It has a goroutine of its own, may take as
// long as it likes, and returns the highest status of the tasks. When the context
// ends the job is cancelled, killed or out of time: what it returns then does not
// count.
type Run func(ctx context.Context, r *Running) flux.WaitStatus

// Running is a job that runs.
type Running struct {
	ID      flux.JobID
	Jobspec *flux.Jobspec

	b    *Broker
	j    *job
	open []task // streams that were not ended
}

// task is a stream of a task.
type task struct {
	name string
	rank int
}

// Tasks is how many tasks the job has.
func (r *Running) Tasks() int {
	if shell := r.Jobspec.Attributes.System.Shell; shell != nil {
		per, _ := shell.Options["per-resource"].(map[string]any)
		n, _ := per["count"].(float64)
		switch per["type"] {
		case "node":
			return int(n) * len(r.j.got)
		case "core":
			cores := 0
			for _, s := range r.j.got {
				cores += s.cores.Len()
			}
			return int(n) * cores
		}
	}
	return r.Jobspec.Shape().Tasks
}

// Hosts are the nodes that the job has.
func (r *Running) Hosts() (hosts []string) {
	for _, s := range r.j.got {
		hosts = append(hosts, r.b.host(s.rank))
	}
	return hosts
}

// Write has a task write to stdout or stderr.
func (r *Running) Write(stream string, rank int, data []byte) {
	context := pairs("stream", stream, "rank", strconv.Itoa(rank), "data", string(data))
	if !utf8.Valid(data) {
		context = pairs("stream", stream, "rank", strconv.Itoa(rank), "encoding", "base64", "data", base64.StdEncoding.EncodeToString(data))
	}
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if t := (task{stream, rank}); !slices.Contains(r.open, t) {
		r.open = append(r.open, t)
	}
	r.b.guest(r.j, "output", "data", context)
}

// Raise raises an exception on the job, as the shell does when a task cannot be
// started. At severity 0 it ends the job with the status that Run returns.
func (r *Running) Raise(kind string, severity int, note string) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.b.post(r.j, "exception", pairs("type", kind, "severity", severity, "note", note, "userid", r.b.owner))
	if severity == 0 && !r.j.ended {
		r.j.ended = true
		r.j.result.Exception = &flux.Exception{Type: kind, Note: note}
	}
}

// Command is the Run of a broker that is not told another. It knows mocked
// execution, true, false, echo, sleep, hostname, cat of files of the job, printf
// of a text, and sh -c of these with ; between them and exit.
func Command(ctx context.Context, r *Running) flux.WaitStatus {
	if exec := r.Jobspec.Attributes.System.Exec; exec != nil {
		if test, ok := exec["test"].(map[string]any); ok {
			return mock(ctx, test)
		}
	}
	n := r.Tasks()
	codes := make([]int, n)
	var tasks sync.WaitGroup
	for rank := range n {
		tasks.Go(func() { codes[rank] = shell(ctx, r, rank, r.Jobspec.Tasks[0].Command) })
	}
	tasks.Wait()
	return flux.ExitStatus(slices.Max(codes))
}

// mock takes as long as the attributes of system.exec.test say.
func mock(ctx context.Context, test map[string]any) flux.WaitStatus {
	text, _ := test["run_duration"].(string)
	d, err := time.ParseDuration(text)
	if err != nil {
		d = 0
	}
	pause(ctx, d)
	status, _ := test["wait_status"].(float64)
	return flux.WaitStatus(status)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// shell runs one command of a task and returns its exit code.
func shell(ctx context.Context, r *Running, rank int, argv []string) int {
	args := make([]string, len(argv))
	for i, a := range argv {
		args[i] = strings.NewReplacer("{{id}}", r.ID.String(), "{{taskid}}", strconv.Itoa(rank), "$FLUX_TASK_RANK", strconv.Itoa(rank)).Replace(a)
	}
	text := strings.Join(args[1:], " ")
	switch args[0] {
	case "true":
		return 0
	case "false":
		return 1
	case "echo":
		r.Write("stdout", rank, []byte(text+"\n"))
	case "printf":
		if s, err := strconv.Unquote(`"` + text + `"`); err == nil {
			text = s
		}
		r.Write("stdout", rank, []byte(text))
	case "hostname":
		r.Write("stdout", rank, []byte(r.Hosts()[rank%len(r.Hosts())]+"\n"))
	case "sleep":
		seconds, _ := strconv.ParseFloat(text, 64)
		pause(ctx, time.Duration(seconds*1e9))
	case "cat":
		f, ok := r.Jobspec.Attributes.System.Files[strings.TrimPrefix(text, "{{tmpdir}}/")]
		if !ok {
			r.Write("stderr", rank, []byte("cat: "+text+": No such file or directory\n"))
			return 1
		}
		r.Write("stdout", rank, f.Data)
	case "sh":
		for line := range strings.SplitSeq(strings.TrimPrefix(text, "-c "), ";") {
			words := strings.Fields(line)
			if len(words) == 2 && words[0] == "exit" {
				code, _ := strconv.Atoi(words[1])
				return code
			}
			if code := shell(ctx, r, rank, words); code != 0 || ctx.Err() != nil {
				return code
			}
		}
	default:
		if rank == 0 {
			r.Raise("exec", 0, fmt.Sprintf("task 0 (host %s): start failed: %s: No such file or directory", r.Hosts()[0], args[0]))
		}
		return 127
	}
	return 0
}
