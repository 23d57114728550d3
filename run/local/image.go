// SPDX-License-Identifier: MIT

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"golang.org/x/sys/unix"
)

// Jobs with an image run in its files and on this machine: as most runtimes of HPC do,
// a job has a mount namespace of its own in which the unpacked image is the root, with
// the machine's /proc, /sys and /dev and the attempt's directory in it, and everything
// else is the machine's: processes, network, users, shared memory. So ranks are bound,
// counted and ended like any others, and nothing outlives them. What is written beside
// the attempt's directory is gone with the job. No engine and no root is needed, only
// user namespaces where the user is not root.

// imagePath is where programs of an image are that does not say so itself, as with
// engines.
const imagePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ImageLaunchers are the launchers of MPIs in images. MPICH's is called by a name that no
// other MPI has: distributions install a second MPI beside it for some applications.
var ImageLaunchers = map[spec.MPI]string{spec.OpenMPI: "mpirun", spec.MPICH: "mpiexec.hydra"}

// images has what jobs in images need.
type images struct {
	ctx   context.Context              // ends what is pulled and unpacked
	open  func() (*image.Store, error) // opens the store, when the first job has an image
	store *image.Store
	enter []string             // argv of a process that calls Enter
	found map[string]foundRoot // by reference
}

// foundRoot is an image that is unpacked.
type foundRoot struct {
	dir string
	env []string
}

// UseImages has the executor run jobs in images of a store, which is opened when the
// first job has one. enter is the command line, without arguments of its own, of a
// process that calls [Enter]. The end of ctx ends what is being pulled or unpacked.
func (x *Executor) UseImages(ctx context.Context, open func() (*image.Store, error), enter ...string) {
	x.images = images{ctx: ctx, open: open, enter: enter, found: map[string]foundRoot{}}
}

// find unpacks the image of a reference, pulls it where the store does not have it, and
// tries whether this machine lets its jobs in.
func (i *images) find(ref string) (foundRoot, error) {
	if r, ok := i.found[ref]; ok {
		return r, nil
	}
	name, _, _ := strings.Cut(ref, "@")
	if i.open == nil {
		return foundRoot{}, fmt.Errorf("the image %s cannot be run: there is no store of images", ref)
	}
	if i.store == nil {
		store, err := i.open()
		if err != nil {
			return foundRoot{}, err
		}
		i.store = store
	}
	img, err := i.store.Find(i.ctx, ref)
	if errors.Is(err, image.ErrNotFound) {
		return foundRoot{}, &run.MissingError{Program: "the image " + ref, Hint: "build it with: ensemble containers build " + name}
	}
	if err != nil {
		return foundRoot{}, err
	}
	if img.Architecture != "" && img.Architecture != runtime.GOARCH {
		return foundRoot{}, fmt.Errorf("the image %s is for %s; this machine is %s", name, img.Architecture, runtime.GOARCH)
	}
	dir, err := i.store.Unpack(i.ctx, img)
	if err != nil {
		return foundRoot{}, err
	}
	if err := i.mayEnter(dir); err != nil {
		return foundRoot{}, fmt.Errorf("the image %s cannot be run here: %w", name, err)
	}
	r := foundRoot{dir, img.Env}
	i.found[ref] = r
	return r, nil
}

// mayEnter enters an image once, without a command: a machine that forbids it says so
// before any job.
func (i *images) mayEnter(root string) error {
	work, err := os.MkdirTemp("", "ensemble-enter-")
	if err != nil {
		return err
	}
	defer os.Remove(work)
	c := exec.CommandContext(i.ctx, i.enter[0], append(slices.Clone(i.enter[1:]), root, work, work)...)
	c.SysProcAttr = namespaces(os.Geteuid())
	out, err := c.CombinedOutput()
	if err == nil || i.ctx.Err() != nil {
		return context.Cause(i.ctx)
	}
	return cmp.Or(refused(err), errors.New(cmp.Or(strings.TrimSpace(string(out)), err.Error())))
}

// refused is the error of a machine on which a process cannot have its own namespaces,
// where that is why a command did not run.
func refused(err error) error {
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) {
		return nil
	}
	return &run.MissingError{Program: "a namespace for what runs in images",
		Hint: fmt.Sprintf("this machine refuses it (%v): allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone), or run natively", err)}
}

// inImage decides how a job with an image is run.
func (x *Executor) inImage(job *ensemble.Job, p *plan) error {
	r, err := x.images.find(job.Launch.Image)
	if err != nil {
		return err
	}
	p.Root, p.Env, p.Enter = r.dir, r.env, x.images.enter
	p.Launcher = ImageLaunchers[job.Launch.MPI]
	if job.Launch.Profile == spec.ProfileMPI {
		p.Preload = run.ImageLibrary
	}
	return nil
}

// Enter is the body of the process that becomes one of a job in an image. It is in a
// mount namespace of its own. The arguments are the folder of the image, the attempt's
// directory, the directory to work in, and the command. It returns only if it fails, or
// if there is no command, when the image was only tried.
func Enter(args []string) error {
	if len(args) < 3 {
		return errors.New("want ROOT ATTEMPT WORKDIR [COMMAND]")
	}
	root, attempt, work, argv := args[0], args[1], args[2], args[3:]
	runtime.LockOSThread() // namespaces and roots are the thread's
	if err := mountImage(root, attempt); err != nil {
		return fmt.Errorf("entering the image: %w", err)
	}
	if err := os.Chdir(work); err != nil {
		return fmt.Errorf("entering the image: %w", err)
	}
	if len(argv) == 0 {
		return nil
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%q is not found in the image", argv[0])
	}
	return fmt.Errorf("starting %q in the image: %w", argv[0], syscall.Exec(path, argv, os.Environ()))
}

// mountImage makes an image the root of this process.
func mountImage(root, attempt string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	staging := filepath.Join(filepath.Dir(root), image.MountPoint)
	if err := unix.Mount("tmpfs", staging, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mounting a tmpfs: %w", err)
	}
	at := filepath.Join(staging, "root")
	upper, scratch := filepath.Join(staging, "upper"), filepath.Join(staging, "scratch")
	for _, dir := range []string{at, upper, scratch} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", escape.Replace(root), escape.Replace(upper), escape.Replace(scratch))
	if os.Geteuid() != 0 || insideUserNamespace() {
		options += ",userxattr"
	}
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting the overlay: %w", err)
	}
	// What comes from the machine is taken before the image becomes the root, and put in
	// place after it: a link in the image then leads to the image's own files only.
	dirs := []string{"/proc", "/sys", "/dev", attempt}
	trees := make([]int, len(dirs))
	for i, dir := range dirs {
		tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("taking %s: %w", dir, err)
		}
		trees[i] = tree
	}
	files := map[string][]byte{}
	for _, file := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if content, err := os.ReadFile(file); err == nil {
			files[file] = content
		}
	}
	if err := unix.Chroot(at); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for i, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.MoveMount(trees[i], "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	for file, content := range files {
		if os.MkdirAll(filepath.Dir(file), 0o755) != nil {
			continue // the image has no such folder and a link in its place
		}
		_ = os.Remove(file) // it may be a link to what is not there
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// insideUserNamespace says whether this process is in a user namespace of its own.
func insideUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && len(strings.Fields(string(text))) == 3 && strings.Fields(string(text))[2] != "4294967295"
}

// entering is what stands before a command of a job in an image, and the namespaces of
// its process.
func (s *supervisor) entering(work string) ([]string, *syscall.SysProcAttr) {
	argv := append([]string{}, s.plan.Enter...)
	return append(argv, s.plan.Root, s.dir, work), namespaces(os.Geteuid())
}

// InImage runs one command in an image, in an empty folder that is its own, and gives
// what it prints. With a user other than this one's the command is in a user namespace
// where this user is called that. The error is an *[exec.ExitError] where the command
// fails, and a *[run.MissingError] where the machine refuses the namespaces.
func (x *Executor) InImage(ctx context.Context, ref, folder string, user int, argv ...string) (string, error) {
	r, err := x.images.find(ref)
	if err != nil {
		return "", err
	}
	line := append(append([]string{}, x.images.enter...), r.dir, folder, folder)
	c := exec.CommandContext(ctx, line[0], append(line[1:], argv...)...)
	c.Env = once(append([]string{imagePath}, r.env...))
	c.SysProcAttr = namespaces(user)
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return string(out), cmp.Or(refused(err), err)
}

// namespaces are those of a process that enters an image, as a user.
func namespaces(user int) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if user == 0 && os.Geteuid() == 0 {
		return sys
	}
	sys.Cloneflags |= unix.CLONE_NEWUSER
	sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}}
	sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}}
	// Another user than root keeps none of them over execve.
	sys.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_DAC_OVERRIDE}
	return sys
}
