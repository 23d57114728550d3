// SPDX-License-Identifier: MIT

package run

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Environment is the machine as found when a session began. What cannot be
// found out is left out.
type Environment struct {
	Time         time.Time `json:"time"`
	Hostname     string    `json:"hostname,omitempty"`
	OS           string    `json:"os,omitempty"`     // as /etc/os-release names it
	Kernel       string    `json:"kernel,omitempty"` // release
	Architecture string    `json:"architecture"`     // as Go names it
	CPU          string    `json:"cpu,omitempty"`    // model
	Processors   int       `json:"processors"`       // of the machine, hardware threads
	Cores        int       `json:"cores"`            // that jobs may use
	MemoryBytes  int64     `json:"memory_bytes,omitempty"`
	// UserNamespace says that processes run in a user namespace that is not the machine's
	// first, as in user-space Kubernetes and rootless containers.
	UserNamespace bool `json:"user_namespace,omitempty"`
	// Nodes are the nodes of Kubernetes that the run has, each kind once.
	Nodes []NodeKind `json:"nodes,omitempty"`
	// Flux is the instance that jobs run in, where they do.
	Flux *FluxInstance `json:"flux,omitempty"`
	// LoadAverage is that of the last minute.
	LoadAverage float64 `json:"load_average"`
	// MPI are the versions of the launchers by the MPI's name.
	MPI map[string]string `json:"mpi,omitempty"`
	// Packages are the versions of the packages that the run uses.
	Packages map[string]string `json:"packages,omitempty"`
}

// FluxInstance is what a Flux instance says of itself.
type FluxInstance struct {
	Version string `json:"version"` // of flux-core
	Nodes   int    `json:"nodes"`
	Cores   int    `json:"cores"` // of all nodes
	Hosts   string `json:"hosts"` // RFC 29
	Level   int    `json:"level"` // instances around it
}

// NodeKind is a kind of nodes, as Kubernetes knows them.
type NodeKind struct {
	Count        int    `json:"count"`
	Instance     string `json:"instance,omitempty"`
	Zone         string `json:"zone,omitempty"`
	Provider     string `json:"provider,omitempty"`
	OS           string `json:"os,omitempty"`
	Kernel       string `json:"kernel,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Runtime      string `json:"runtime,omitempty"`
	Kubelet      string `json:"kubelet,omitempty"`
}

// Capture finds out about this machine. packages are those of interest; cores
// is what the executor has.
func Capture(ctx context.Context, packages []string, cores int) Environment {
	e := Environment{Time: time.Now().UTC(), Architecture: runtime.GOARCH, Cores: cores}
	e.Hostname, _ = os.Hostname()
	e.OS = osName()
	if b, err := os.ReadFile("/proc/self/uid_map"); err == nil {
		e.UserNamespace = inUserNamespace(string(b))
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if p, err := procfs.NewDefaultFS(); err == nil {
		if cpus, err := p.CPUInfo(); err == nil && len(cpus) > 0 {
			e.CPU, e.Processors = cpus[0].ModelName, len(cpus)
		}
		if m, err := p.Meminfo(); err == nil && m.MemTotalBytes != nil {
			e.MemoryBytes = int64(*m.MemTotalBytes)
		}
		if l, err := p.LoadAvg(); err == nil {
			e.LoadAverage = l.Load1
		}
	}
	e.MPI = versions(ctx, map[string][]string{
		"openmpi": {"mpirun.openmpi", "--version"},
		"mpich":   {"mpiexec.mpich", "--version"},
	})
	e.Packages = packageVersions(ctx, packages)
	return e
}

// appendEnvironment adds what a session found to the run directory: a run that
// goes on elsewhere, or after an upgrade, shows it.
func (d Dir) appendEnvironment(e Environment) error {
	all, err := d.Environments()
	if err != nil {
		return err
	}
	return WriteJSON(d.path(EnvironmentFile), append(all, e))
}

// Environments gives what each session found, in order.
func (d Dir) Environments() (all []Environment, err error) {
	err = ReadJSON(d.path(EnvironmentFile), &all)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return all, err
}

// inUserNamespace reads uid_map (user_namespaces(7)): that of the first namespace maps all
// IDs to themselves.
func inUserNamespace(uidMap string) bool {
	return !slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
}

func osName() string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return ""
}

// versions asks programs for their versions: the first line that has a digit.
func versions(ctx context.Context, programs map[string][]string) map[string]string {
	found := map[string]string{}
	for name, argv := range programs {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
		cancel()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			if strings.ContainsAny(line, "0123456789") {
				found[name] = strings.Join(strings.Fields(line), " ")
				break
			}
		}
	}
	return found
}

// packageVersions asks the distribution for the versions of packages.
func packageVersions(ctx context.Context, packages []string) map[string]string {
	if len(packages) == 0 {
		return nil
	}
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	args := append([]string{"--show", "--showformat", "${Package}\t${Version}\n", "--"}, packages...)
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	if err != nil && len(out) == 0 {
		return nil
	}
	found := map[string]string{}
	for line := range bytes.Lines(out) {
		if name, version, ok := strings.Cut(strings.TrimSpace(string(line)), "\t"); ok && version != "" {
			found[name] = version
		}
	}
	return found
}
