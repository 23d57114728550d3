// SPDX-License-Identifier: MIT

package local_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/run/runtest"
)

// busyboxImage is an image with a shell and small tools, and nothing else.
func busyboxImage(t testing.TB, links ...string) (*image.Store, image.Image) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed: apt-get install busybox-static")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	linked := map[string]string{}
	for i := 0; i < len(links); i += 2 {
		linked[links[i]] = links[i+1]
	}
	for _, dir := range []string{"bin", "etc", "tmp"} {
		if to := linked[dir]; to != "" {
			add(&tar.Header{Name: dir, Typeflag: tar.TypeSymlink, Linkname: to}, nil)
			continue
		}
		add(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	add(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for name := range strings.FieldsSeq(string(out)) {
		if name != "busybox" {
			add(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
		}
	}
	if linked["etc"] == "" {
		add(&tar.Header{Name: "etc/marker", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("of the image\n"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := store.ImportRoot(t.Context(), &b, "busybox:test", image.RootOptions{Architecture: runtime.GOARCH, Env: []string{"PATH=/bin", "OF_IMAGE=yes"}})
	if err != nil {
		t.Fatal(err)
	}
	return store, img
}

// inImages is an executor whose jobs are all in one image.
type inImages struct {
	*local.Executor
	ref string
}

func (x inImages) with(job *ensemble.Job) *ensemble.Job {
	j := *job
	j.Launch.Image = x.ref
	return &j
}

func (x inImages) Check(job *ensemble.Job) error { return x.Executor.Check(x.with(job)) }

func (x inImages) Submit(job *ensemble.Job, attempt int, dir string) error {
	return x.Executor.Submit(x.with(job), attempt, dir)
}

func newInImages(t *testing.T, store *image.Store, img image.Image) inImages {
	t.Helper()
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		t.Fatal(err)
	}
	x.UseImages(t.Context(), func() (*image.Store, error) { return store, nil }, os.Args[0], "enter")
	return inImages{x, img.Name + "@" + img.Digest}
}

func TestTheExecutorConformsWithJobsInImages(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	runtest.Conform(t, func(t *testing.T) run.Executor { return newInImages(t, store, img) })
}

// carryOutIn runs jobs in an image.
func carryOutIn(t *testing.T, x run.Executor, jobs ...*ensemble.Job) run.Dir {
	t.Helper()
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), emptyEnsemble())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&run.Driver{Dir: d, Executor: x}).Run(t.Context(), stream(jobs...)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAJobSeesItsImageAndItsDirectory(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	x := newInImages(t, store, img)
	j := job("j", "sh", "-c", `
		cat /etc/marker deck
		echo changed > /etc/marker
		echo kept > out.txt
		pwd
		echo "$OF_IMAGE $OF_JOB $OMP_NUM_THREADS"
		ls /usr/bin 2>&1
		grep Cpus_allowed_list /proc/self/status`)
	j.Launch.Files = map[string]string{"deck": "of the job\n"}
	j.Launch.Env = []string{"OF_JOB=too"}
	j.Launch.Collect = []string{"out.txt"}
	j.Launch.Prepare = [][]string{{"sh", "-c", "test -e /etc/marker"}}
	j.Launch.Before = [][]string{{"sh", "-c", "! test -e /etc/marker"}} // outside
	d := carryOutIn(t, x, j)
	dir := d.Attempt("j", 1)
	exit := exitOf(t, d, "j", 1)
	if exit.Status != ensemble.Succeeded && exit.Status != ensemble.Failed { // ls fails
		t.Fatalf("got %+v", exit)
	}
	out, err := os.ReadFile(filepath.Join(dir, run.StdoutFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"of the image\nof the job\n", filepath.Join(dir, "work") + "\n", "yes too 1\n", "ls: /usr/bin: No such file"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the job printed %q, which lacks %q", out, want)
		}
	}
	_, list, _ := strings.Cut(string(out), "Cpus_allowed_list:\t")
	if host := allowed(t); strings.TrimSpace(list) != host {
		t.Errorf("the job may use the processors %q, this process %q", strings.TrimSpace(list), host)
	}
	if b, err := os.ReadFile(filepath.Join(dir, run.FilesDir, "out.txt")); err != nil || string(b) != "kept\n" {
		t.Errorf("got the file %q and %v", b, err)
	}
	root, err := store.Unpack(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(root, "etc/marker")); err != nil || string(b) != "of the image\n" {
		t.Errorf("the image has the marker %q and %v: a job changed it", b, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), root) {
		t.Errorf("something is mounted on this machine (%v)", err)
	}
}

// allowed are the processors that this process may use.
func allowed(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(b), "Cpus_allowed_list:\t")
	list, _, _ = strings.Cut(list, "\n")
	return list
}

// TestLinksOfAnImageLeadToItsOwnFiles has images whose folders are links to a folder of
// the machine: nothing may be written there.
func TestLinksOfAnImageLeadToItsOwnFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, link, refused string
	}{
		{"a link in the place of /etc", "etc", ""},
		{"a link on the way to the attempt", "tmp", "cannot be run here: entering the image: mkdir /tmp: file exists"}, // it leads nowhere in the image
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			if c.link == "tmp" && !strings.HasPrefix(outside, "/tmp/") {
				t.Skip("attempts are not below /tmp")
			}
			hosts := filepath.Join(outside, "hosts")
			if err := os.WriteFile(hosts, []byte("mine\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			store, img := busyboxImage(t, c.link, outside)
			x, j := newInImages(t, store, img), job("j", "sh", "-c", "echo written > here")
			if c.refused != "" {
				if err := x.Check(j); err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("got %v, want that it %s", err, c.refused)
				}
			} else if exit := exitOf(t, carryOutIn(t, x, j), "j", 1); exit.Status != ensemble.Succeeded {
				t.Errorf("got %s (%s), want success", exit.Status, exit.Reason)
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
				t.Errorf("the folder of the machine has %v (%v), want hosts alone", entries, err)
			}
			if b, err := os.ReadFile(hosts); err != nil || string(b) != "mine\n" {
				t.Errorf("a file of the machine holds %q (%v) now", b, err)
			}
		})
	}
}

func TestWhatEndsInAnImageIsARecord(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	for _, c := range []struct {
		name   string
		argv   []string
		limit  time.Duration
		status ensemble.Status
		code   int
	}{
		{"a failure has its exit code", []string{"sh", "-c", "exit 3"}, 0, ensemble.Failed, 3},
		{"a command that the image lacks is not found", []string{"no-such-program"}, 0, ensemble.Failed, 127},
		{"one that takes too long is ended", []string{"sh", "-c", "sleep 600 & sleep 600"}, 300 * time.Millisecond, ensemble.Timeout, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := job("j", c.argv...)
			j.Policy.Timeout = c.limit
			d := carryOutIn(t, newInImages(t, store, img), j)
			exit := exitOf(t, d, "j", 1)
			if exit.Status != c.status {
				t.Errorf("got %s (%s), want %s", exit.Status, exit.Reason, c.status)
			}
			if c.code >= 0 && (exit.ExitCode == nil || *exit.ExitCode != c.code) {
				t.Errorf("got the exit code %v, want %d", exit.ExitCode, c.code)
			}
			if n := run.KillMarked("ENSEMBLE_ATTEMPT", d.Attempt("j", 1)); n > 0 {
				t.Errorf("%d processes were left", n)
			}
		})
	}
}

func TestAnImageThatIsNotHereIsMissing(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	x := newInImages(t, store, img)
	x.ref = "busybox:other@sha256:" + strings.Repeat("0", 64)
	var missing *run.MissingError
	if err := x.Check(job("j", "true")); !errors.As(err, &missing) || !strings.Contains(missing.Hint, "ensemble containers build busybox:other") {
		t.Errorf("got %v, want a missing image and how to get it", err)
	}
}

func TestAPullThatHangsCanBeEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	store, err := image.Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		t.Fatal(err)
	}
	x.UseImages(ctx, func() (*image.Store, error) { return store, nil }, os.Args[0], "enter")
	j := job("j", "true")
	j.Launch.Image = strings.TrimPrefix(hangs.URL, "http://") + "/some/image@sha256:" + strings.Repeat("0", 64)
	if err := x.Check(j); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

// TestAMachineWithoutNamespacesIsToldBeforeAnyJob runs itself in a user namespace where no
// others can be made.
func TestAMachineWithoutNamespacesIsToldBeforeAnyJob(t *testing.T) {
	t.Parallel()
	const limit = "/proc/sys/user/max_mnt_namespaces"
	if err := exec.Command("unshare", "--user", "true").Run(); err != nil {
		t.Skipf("no user namespace can be made: %v", err)
	}
	if os.Getenv("ENSEMBLE_TEST_LIMITED") == "" {
		c := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		c.Env = append(os.Environ(), "ENSEMBLE_TEST_LIMITED=yes")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}}
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("in a user namespace: %v\n%s", err, out)
		}
		return
	}
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		t.Skip(err)
	}
	store, img := busyboxImage(t)
	var missing *run.MissingError
	if err := newInImages(t, store, img).Check(job("j", "true")); !errors.As(err, &missing) || !strings.Contains(missing.Hint, "max_user_namespaces") {
		t.Errorf("got %v, want that namespaces are missing", err)
	}
}

func TestADamagedImageIsNotRun(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	blob := filepath.Join(store.Dir(), "blobs", strings.Replace(img.Layers[0].Digest, ":", "/", 1))
	b, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := errors.Join(os.Chmod(blob, 0o644), os.WriteFile(blob, b, 0o644)); err != nil {
		t.Fatal(err)
	}
	var damaged *image.DamagedError
	if err := newInImages(t, store, img).Check(job("j", "true")); !errors.As(err, &damaged) {
		t.Errorf("got %v, want that it is damaged", err)
	}
}

// TestAnyUserRunsACommandInAnImage goes through a user namespace, as users other than
// root do.
func TestAnyUserRunsACommandInAnImage(t *testing.T) {
	t.Parallel()
	store, img := busyboxImage(t)
	x := newInImages(t, store, img)
	out, err := x.InImage(t.Context(), x.ref, t.TempDir(), 4321, "sh", "-c", "id -u; echo written > file; cat file")
	var missing *run.MissingError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil || out != "4321\nwritten\n" {
		t.Errorf("got %q and %v", out, err)
	}
}

// BenchmarkEnter measures what an image costs a command, beside the command alone.
func BenchmarkEnter(b *testing.B) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		b.Skip("busybox is not installed: apt-get install busybox-static")
	}
	var alone, inside time.Duration
	store, img := busyboxImage(b)
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		b.Fatal(err)
	}
	x.UseImages(b.Context(), func() (*image.Store, error) { return store, nil }, os.Args[0], "enter")
	dir := b.TempDir()
	for b.Loop() {
		begin := time.Now()
		if err := exec.Command(busybox, "true").Run(); err != nil {
			b.Fatal(err)
		}
		alone += time.Since(begin)
		begin = time.Now()
		if out, err := x.InImage(context.Background(), img.Name+"@"+img.Digest, dir, os.Geteuid(), "true"); err != nil {
			b.Fatal(err, out)
		}
		inside += time.Since(begin)
	}
	b.ReportMetric(float64(inside.Microseconds())/float64(b.N)/1e3, "ms/inside")
	b.ReportMetric(float64(alone.Microseconds())/float64(b.N)/1e3, "ms/alone")
}
