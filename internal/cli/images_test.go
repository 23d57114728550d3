// SPDX-License-Identifier: MIT

package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestImagesAreBuiltVerifiedAndRun builds real images, on bases that it makes of the
// distribution's packages, and runs them.
func TestImagesAreBuiltVerifiedAndRun(t *testing.T) {
	t.Parallel()
	switch {
	case testing.Short():
		t.Skip("it takes minutes: left out by -short")
	case runtime.GOARCH != "amd64":
		t.Skip("the script names images for amd64")
	case os.Geteuid() != 0:
		t.Skip("root is needed to make a base")
	}
	for _, program := range []string{"buildah", "mmdebstrap", "mpicc.mpich"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	if err := exec.Command("unshare", "--user", "true").Run(); err != nil {
		t.Skipf("no user namespace can be made, which verification wants: %v", err)
	}
	bases := t.TempDir()
	for _, suite := range []string{"bookworm", "trixie"} {
		var out []byte
		var err error
		for range 3 { // mirrors fail at times; builds on the base try again as well
			out, err = exec.Command("mmdebstrap", "--variant=minbase", `--aptopt=Acquire::Retries "5"`, suite, filepath.Join(bases, suite+".tar")).CombinedOutput()
			if err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("making a base of %s: %v\n%s", suite, err, out)
		}
	}
	archives := httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(archives.Close)
	registry, err := image.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/images",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			storage := filepath.Join(e.WorkDir, "storage.conf")
			e.Setenv("BASES", bases)
			e.Setenv("ARCHIVES", archives.URL)
			e.Setenv("REGISTRY", registry.Address)
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			e.Setenv("CONTAINERS_STORAGE_CONF", storage)
			e.Setenv("HOME", e.WorkDir)
			e.Defer(func() { // what buildah mounted and made
				c := exec.Command("buildah", "rmi", "--all", "--force")
				c.Env = append(os.Environ(), "CONTAINERS_STORAGE_CONF="+storage)
				_ = c.Run()
			})
			return os.WriteFile(storage, fmt.Appendf(nil, "[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n",
				filepath.Join(e.WorkDir, "storage"), filepath.Join(e.WorkDir, "storage-run")), 0o644)
		},
	})
}
