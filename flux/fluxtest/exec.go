// SPDX-License-Identifier: MIT

package fluxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

// Exec is a Run that executes the tasks on this machine, each node with a temporary
// directory of its own and the files of the job in it. Tasks have the variables of
// Flux that scripts read; FLUX_JOB_ID is not there, since MPIs would look for the PMI of
// Flux. What is left of the job when its time is over is killed.
func Exec(ctx context.Context, r *Running) flux.WaitStatus {
	spec := r.Jobspec
	if spec.Attributes.System.Exec != nil {
		return Command(ctx, r)
	}
	top, err := os.MkdirTemp("", "fluxtest-job")
	if err != nil {
		r.Raise("exec", 0, err.Error())
		return flux.ExitStatus(1)
	}
	defer os.RemoveAll(top)
	hosts, tasks := r.Hosts(), r.Tasks()
	statuses := make([]int, tasks)
	var work sync.WaitGroup
	for rank := range tasks {
		node, local := place(spec, rank, tasks, len(hosts))
		tmp := filepath.Join(top, strconv.Itoa(node))
		if local == 0 {
			if err := stage(tmp, spec); err != nil {
				r.Raise("exec", 0, err.Error())
				return flux.ExitStatus(1)
			}
		}
		cmd := exec.Command(spec.Tasks[0].Command[0])
		replace := strings.NewReplacer("{{id}}", r.ID.Plain(), "{{taskid}}", strconv.Itoa(rank), "{{tmpdir}}", tmp)
		cmd.Args = nil
		for _, arg := range spec.Tasks[0].Command {
			cmd.Args = append(cmd.Args, replace.Replace(arg))
		}
		for name, value := range spec.Attributes.System.Environment {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, "FLUX_JOB_TMPDIR="+tmp, "FLUX_TASK_RANK="+strconv.Itoa(rank), "FLUX_TASK_LOCAL_ID="+strconv.Itoa(local),
			"FLUX_JOB_SIZE="+strconv.Itoa(tasks), "FLUX_JOB_NNODES="+strconv.Itoa(len(hosts)))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Dir = spec.Attributes.System.Dir
		work.Go(func() { statuses[rank] = execute(ctx, r, rank, cmd) })
	}
	work.Wait()
	return flux.ExitStatus(slices.Max(statuses))
}

// place says on which node a task is, and which of its tasks it is there.
func place(spec *flux.Jobspec, rank, tasks, nodes int) (node, local int) {
	if s := spec.Attributes.System.Shell; s != nil {
		if m, _ := s.Options["taskmap"].(map[string]any); m["scheme"] == "cyclic" {
			return rank % nodes, rank / nodes
		}
	}
	each, more := tasks/nodes, tasks%nodes
	if rank < more*(each+1) {
		return rank / (each + 1), rank % (each + 1)
	}
	rank -= more * (each + 1)
	return more + rank/each, rank % each
}

// stage makes the temporary directory of a node.
func stage(tmp string, spec *flux.Jobspec) error {
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return err
	}
	for name, f := range spec.Attributes.System.Files {
		path := filepath.Join(tmp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		mode := f.Mode.Perm()
		if mode == 0 {
			mode = 0o600
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			return err
		}
	}
	return nil
}

// execute runs one task to its end and returns its exit code, of which a signal is 128
// more than its number.
func execute(ctx context.Context, r *Running, rank int, cmd *exec.Cmd) int {
	var copies sync.WaitGroup
	for _, stream := range []string{"stdout", "stderr"} {
		read, write, err := os.Pipe()
		if err != nil {
			r.Raise("exec", 0, err.Error())
			return 1
		}
		defer write.Close()
		if stream == "stdout" {
			cmd.Stdout = write
		} else {
			cmd.Stderr = write
		}
		copies.Go(func() {
			defer read.Close()
			for in := bufio.NewReader(read); ; {
				line, err := in.ReadBytes('\n') // Flux hands lines on as well
				if len(line) > 0 {
					r.Write(stream, rank, line)
				}
				if err != nil {
					return
				}
			}
		})
	}
	if err := cmd.Start(); err != nil {
		r.Raise("exec", 0, fmt.Sprintf("task %d (host %s): start failed: %v", rank, r.Hosts()[0], err))
		closeAll(cmd.Stdout, cmd.Stderr)
		copies.Wait()
		return 127
	}
	closeAll(cmd.Stdout, cmd.Stderr)
	stop := context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		time.Sleep(time.Second)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	err := cmd.Wait()
	stop()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	copies.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return 1
	}
}

func closeAll(files ...io.Writer) {
	for _, f := range files {
		f.(io.Closer).Close()
	}
}
