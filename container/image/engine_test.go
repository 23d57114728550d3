// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// engine runs buildah with a storage of its own, or skips the test.
func engine(t *testing.T) func(stdin string, args ...string) string {
	t.Helper()
	buildah, err := exec.LookPath("buildah")
	if err != nil {
		t.Skip("buildah is not installed")
	}
	dir := t.TempDir()
	first := []string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run")}
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), buildah, append(first, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		}
		return strings.TrimSpace(stdout.String())
	}
	probe := exec.CommandContext(t.Context(), buildah, append(first, "from", "scratch")...)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("buildah cannot be used here: %v\n%s", err, out)
	}
	return run
}

func TestAnImageThatBuildahWroteIsRead(t *testing.T) {
	t.Parallel()
	buildah := engine(t)
	ctx := t.Context()
	s := open(t)
	mine := dummy(t, s, 1)
	const name = "lammps:debian-debian12-openmpi4-none-amd64"
	container := buildah("", "from", "scratch")
	root := t.TempDir()
	for path, content := range map[string]string{"etc/os-release": "debian", "etc/old": "old"} {
		if err := writeTree(root, path, content); err != nil {
			t.Fatal(err)
		}
	}
	buildah("", "copy", container, root, "/")
	buildah("", "config", "--user", "flux", "--label", "a=b", "--cmd", "lmp -in x", "--workingdir", "/work", container)
	id := buildah("", "commit", "--quiet", "--format", "oci", container, name)

	unlock, err := s.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	buildah("", "push", "--quiet", id, "oci:"+s.Dir()+":"+name)
	unlock()

	img, err := s.Image(name)
	if err != nil {
		t.Fatal(err)
	}
	if img.User != "flux" || img.Labels["a"] != "b" || strings.Join(img.Cmd, " ") != "lmp -in x" || img.WorkingDir != "/work" || "sha256:"+id != img.Config {
		t.Errorf("image %s is %+v", id, img)
	}
	if b, err := s.ReadFile(ctx, img, "/etc/os-release"); err != nil || string(b) != "debian" {
		t.Errorf("read %q, %v", b, err)
	}
	images, err := s.Images()
	if err != nil || len(images) != 2 || images[0].Digest != mine.Digest {
		t.Errorf("the store has %v, %v", images, err)
	}
	if p, err := s.Prune(ctx, 0); err != nil || p.Blobs != 0 {
		t.Errorf("pruned %+v, %v", p, err)
	}
	reg := newRegistry(t, true)
	if _, err := s.Push(ctx, img, reg.ref("lammps:1"), quick()); err != nil {
		t.Error(err)
	}
	// A layout tarball of buildah is what docker buildx and buildctl write too.
	archive := filepath.Join(t.TempDir(), "x.tar")
	buildah("", "push", "--quiet", id, "oci-archive:"+archive+":"+name)
	imported, err := importFile(t, open(t), archive, "imported:1")
	if err != nil || imported.Config != img.Config {
		t.Errorf("imported %+v, %v, want the config %s", imported, err, img.Config)
	}
}

func TestBuildahReadsImagesOfTheStore(t *testing.T) {
	t.Parallel()
	buildah := engine(t)
	// It makes a repository of the path, which has to be in lower case.
	dir, err := os.MkdirTemp("", "ensemble-image-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	img := dummy(t, s, 1)
	root, err := s.ImportRoot(t.Context(), bytes.NewReader(tarOf(t, file{"etc/", ""}, file{"etc/os-release", "debian"})), "base:mine", RootOptions{Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range []Image{img, root} {
		id := buildah("", "pull", "--quiet", "oci:"+s.Dir()+":"+img.Name)
		if "sha256:"+id != img.Config {
			t.Errorf("buildah pulled %s, want %s", id, img.Config)
		}
		if got := buildah("", "inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}} {{.OCIv1.Config.Labels}}", id); !strings.HasPrefix(got, img.Architecture) {
			t.Errorf("buildah says %q of %+v", got, img)
		}
	}
}
