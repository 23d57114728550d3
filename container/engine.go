// SPDX-License-Identifier: MIT

package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Engine is a program that builds images.
type Engine struct {
	// Name is buildah, podman, docker or buildctl.
	Name string
	// Program is its path.
	Program string
}

// engines are those that are known, the ones first that need no service.
var engines = []string{"buildah", "podman", "buildctl", "docker"}

// ErrNoEngine says that there is no program that builds images.
var ErrNoEngine = errors.New("no program that builds images is installed")

// FindEngine gives the engine of a name or a path, or the first that is installed where
// the name is empty.
func FindEngine(name string) (Engine, error) {
	candidates := engines
	if name != "" {
		if !slices.Contains(engines, filepath.Base(name)) {
			return Engine{}, fmt.Errorf("got the engine %q, want %s", name, strings.Join(engines, ", "))
		}
		candidates = []string{name}
	}
	for _, c := range candidates {
		if program, err := exec.LookPath(c); err == nil {
			return Engine{filepath.Base(c), program}, nil
		}
	}
	if name != "" {
		return Engine{}, fmt.Errorf("%w: %s is not found", ErrNoEngine, name)
	}
	return Engine{}, fmt.Errorf("%w: want one of %s", ErrNoEngine, strings.Join(engines, ", "))
}

// job is one build that an engine carries out.
type job struct {
	dir    string // the context
	arch   string
	name   string // in the engine's own storage
	layout string // the OCI layout that the image goes to
	ref    string // its name there
	file   string // where an archive may be put; inside a folder that is removed
}

// commands are what the engine runs, one after another; import says that the last one
// leaves an archive in the job's file.
func (e Engine) commands(j job) (all [][]string, imports bool) {
	switch e.Name {
	case "buildah":
		return [][]string{
			{"bud", "--layers", "--force-rm", "--format", "oci", "--network", "host", "--arch", j.arch, "-f", filepath.Join(j.dir, containerfile), "-t", j.name, j.dir},
			{"push", "--format", "oci", "-q", j.name, "oci:" + j.layout + ":" + j.ref},
		}, false
	case "podman":
		return [][]string{
			{"build", "--layers", "--force-rm", "--format", "oci", "--network", "host", "--arch", j.arch, "-f", filepath.Join(j.dir, containerfile), "-t", j.name, j.dir},
			{"push", "--format", "oci", "-q", j.name, "oci:" + j.layout + ":" + j.ref},
		}, false
	case "docker":
		return [][]string{
			{"buildx", "build", "--progress", "plain", "--network", "host", "--platform", "linux/" + j.arch, "-f", filepath.Join(j.dir, containerfile), "--output", "type=oci,dest=" + j.file, j.dir},
		}, true
	default: // buildctl
		return [][]string{
			{"build", "--progress", "plain", "--frontend", "dockerfile.v0", "--local", "context=" + j.dir, "--local", "dockerfile=" + j.dir,
				"--opt", "filename=" + containerfile, "--opt", "platform=linux/" + j.arch,
				"--opt", "force-network-mode=host", "--allow", "network.host", "--output", "type=oci,dest=" + j.file},
		}, true
	}
}

// environment is that of the engine. Unless it says otherwise the steps of a build are
// isolated by chroot: that works as any user, in a container, and without a runtime.
func (e Engine) environment() []string {
	env := os.Environ()
	if os.Getenv("BUILDAH_ISOLATION") == "" {
		env = append(env, "BUILDAH_ISOLATION=chroot")
	}
	return env
}

// stopGrace is how long an engine has to end when it is asked to.
const stopGrace = 10 * time.Second

// run runs one command of the engine and writes what it says.
func (e Engine) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := exec.CommandContext(ctx, e.Program, args...)
	c.Env, c.Stdout, c.Stderr = e.environment(), stdout, stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the whole tree is asked to end
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = stopGrace
	err := c.Run()
	if ctx.Err() != nil {
		if c.Process != nil { // it may not have come to the start
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		}
		return context.Cause(ctx)
	}
	return err
}

// baseDigests are those of the images that a build started from, by the name of the
// base: those of a lock, and of others as far as the engine tells.
func (e Engine) baseDigests(ctx context.Context, p *Point, own map[string]string, lock *Locked) map[string]string {
	format := map[string]string{"buildah": "{{.FromImageDigest}}", "podman": "{{.Digest}}"}[e.Name]
	all := map[string]string{}
	for _, b := range p.usedBases() {
		if lock != nil && lock.Bases[b.Name] != "" && own[b.Name] == "" {
			all[b.Name] = lock.Bases[b.Name]
			continue
		}
		name := cmp.Or(own[b.Name], b.Image)
		if strings.HasPrefix(name, RootFS) || format == "" {
			continue // its own name says which it is; or the engine does not tell
		}
		var out strings.Builder
		if err := e.run(ctx, []string{"inspect", "--type", "image", "--format", format, name}, &out, io.Discard); err != nil {
			continue
		}
		if digest := strings.TrimSpace(out.String()); strings.HasPrefix(digest, "sha256:") {
			all[b.Name] = digest
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
