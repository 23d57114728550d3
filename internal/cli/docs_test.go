// SPDX-License-Identifier: MIT

package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// blocks gives the code blocks of a language in a Markdown file.
func blocks(t *testing.T, file, language string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range re.FindAllStringSubmatch(string(b), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return all
}

// copied gives a directory with copies of trees of the project, for commands that
// leave something behind.
func copied(t *testing.T, trees ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, tree := range trees {
		if err := os.CopyFS(filepath.Join(dir, tree), os.DirFS(filepath.Join("..", "..", tree))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCommandsOfTheReadmeWork runs them one after another in a copy of what
// they name. make is left to the end-to-end tests: this runs under it.
func TestCommandsOfTheReadmeWork(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("lmp"); err != nil {
		t.Skip("lmp is not installed: apt-get install lammps")
	}
	dir, n := copied(t, "examples", "catalog/testdata"), 0
	for _, block := range blocks(t, "../../README.md", "sh") {
		for line := range strings.Lines(block) {
			if strings.HasPrefix(line, "make ") || strings.HasPrefix(line, "export PATH=") {
				continue
			}
			n++
			cmd := exec.Command("sh", "-e", "-c", line)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, out)
			}
		}
	}
	t.Logf("%d commands ran", n)
}

func TestCommandsOfTheDocumentsWork(t *testing.T) {
	t.Parallel()
	dir := copied(t, "examples", "catalog/read/testdata")
	for _, document := range []string{"patterns", "profiles", "ensembles", "ensemble-python", "forecasts", "containers"} {
		for _, block := range blocks(t, "../../docs/"+document+".md", "sh") {
			for line := range strings.Lines(block) {
				cmd := exec.Command("sh", "-e", "-c", line)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", strings.TrimSpace(line), err, out)
				}
			}
		}
	}
}

// TestCommandsOfTheFluxDocumentWork runs them against a broker that executes on this
// machine. What wants a cluster is no sh block.
func TestCommandsOfTheFluxDocumentWork(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("lmp"); err != nil {
		t.Skip("lmp is not installed: apt-get install lammps")
	}
	broker := fluxtest.Start(t, fluxtest.Options{Nodes: 1, Run: fluxtest.Exec})
	dir := copied(t, "examples")
	for _, block := range blocks(t, "../../docs/flux.md", "sh") {
		for line := range strings.Lines(block) {
			cmd := exec.Command("sh", "-e", "-c", line)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), flux.URIEnv+"="+broker.URI())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", strings.TrimSpace(line), err, out)
			}
		}
	}
}

// TestTheDocumentShowsWhatAFileBecomes converts the example before and wants the
// one after.
func TestTheDocumentShowsWhatAFileBecomes(t *testing.T) {
	t.Parallel()
	examples := blocks(t, "../../docs/ensemble-python.md", "yaml")
	file := filepath.Join(t.TempDir(), "hello-world.yaml")
	write(t, file, examples[0])
	got, err := exec.Command("ensemble", "convert", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(examples[1], string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilesInTheDocumentsAreValid(t *testing.T) {
	t.Parallel()
	for _, block := range blocks(t, "../../docs/files.md", "yaml") {
		doc, err := spec.Decode("docs/files.md", []byte(block))
		if err != nil {
			t.Error(err)
			continue
		}
		if doc.Object.Head().Kind != spec.KindStudy {
			continue
		}
		file := filepath.Join(t.TempDir(), "study.yaml")
		write(t, file, block)
		if out, err := exec.Command("ensemble", "plan", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
