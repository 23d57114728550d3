// SPDX-License-Identifier: MIT

package container_test

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/container"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func matrix(t testing.TB, catalogs ...string) *container.Matrix {
	t.Helper()
	c, err := catalog.Load(catalogs...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := container.NewMatrix(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func render(t testing.TB, p *container.Point, o container.RenderOptions) *container.Context {
	t.Helper()
	c, err := container.Render(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryPointIsAContainerfileThatHoldsItsPromises has BuildKit's own parser read
// every point, and looks for what no image may have.
func TestEveryPointIsAContainerfileThatHoldsItsPromises(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	for i := range m.Points {
		p := &m.Points[i]
		files := render(t, p, container.RenderOptions{}).Files
		result, err := parser.Parse(bytes.NewReader(files["Containerfile"]))
		if err != nil {
			t.Errorf("%s: %v", p.Name(), err)
			continue
		}
		if len(result.Warnings) > 0 {
			t.Errorf("%s: %v", p.Name(), result.Warnings)
		}
		stages, _, err := instructions.Parse(result.AST, nil)
		if err != nil {
			t.Errorf("%s: %v", p.Name(), err)
			continue
		}
		for _, problem := range lint(stages, files) {
			t.Errorf("%s: %s", p.Name(), problem)
		}
	}
	t.Logf("%d points, %d excluded", len(m.Points), len(m.Excluded))
}

var version = regexp.MustCompile(`:[^:@/]*[0-9][^:@/]*$`)

// lint lists what is wrong with an image beyond its form.
func lint(stages []instructions.Stage, files map[string][]byte) (problems []string) {
	known := map[string]bool{}
	for i, s := range stages {
		if !known[s.BaseName] && !version.MatchString(s.BaseName) {
			problems = append(problems, "starts from "+s.BaseName+", which is neither a stage nor an image with a version")
		}
		for _, c := range s.Commands {
			switch c := c.(type) {
			case *instructions.CopyCommand:
				if c.From != "" && !known[c.From] {
					problems = append(problems, "copies from the stage "+c.From+", which is not there yet")
				}
				for _, source := range c.SourcePaths {
					if c.From == "" && !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(f string) bool { return f == source || strings.HasPrefix(f, strings.TrimSuffix(source, "/")+"/") }) {
						problems = append(problems, "copies "+source+", which is not in the context")
					}
				}
			case *instructions.AddCommand, *instructions.ExposeCommand, *instructions.VolumeCommand, *instructions.EntrypointCommand:
				problems = append(problems, "has "+c.Name())
			}
		}
		if s.Name != "" {
			known[s.Name] = true
		}
		if last := i == len(stages)-1; last {
			problems = append(problems, lintImage(s)...)
		}
	}
	text := string(files["Containerfile"])
	for _, word := range []string{"sshd", "openssh-server", "ssh-keygen", "id_rsa", "munge.key", ":latest", "<no value>", "StrictHostKeyChecking", "git clone"} {
		if strings.Contains(text, word) {
			problems = append(problems, "has "+word)
		}
	}
	return problems
}

// lintImage looks at the last stage.
func lintImage(s instructions.Stage) (problems []string) {
	user, command, workdir, labels := "", false, "", map[string]string{}
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.CmdCommand:
			command = !c.PrependShell
		case *instructions.WorkdirCommand:
			workdir = c.Path
		case *instructions.LabelCommand:
			for _, l := range c.Labels {
				labels[l.Key] = l.Value
			}
		case *instructions.RunCommand:
			if user != "" {
				problems = append(problems, "runs something as the user of the image")
			}
		}
	}
	if user != "10001:10001" {
		problems = append(problems, "has the user "+user)
	}
	if !command {
		problems = append(problems, "has no default command that is no shell's")
	}
	if workdir != container.WorkDir {
		problems = append(problems, "works in "+workdir)
	}
	for _, want := range []string{container.LabelPoint, container.LabelMPI, container.LabelView, "org.opencontainers.image.title", "org.opencontainers.image.licenses"} {
		if labels[want] == "" {
			problems = append(problems, "has no label "+want)
		}
	}
	return problems
}

func TestRenderingTwiceGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	a, b := matrix(t), matrix(t)
	for i := range a.Points {
		first, second := render(t, &a.Points[i], container.RenderOptions{}), render(t, &b.Points[i], container.RenderOptions{})
		if first.Digest() != second.Digest() {
			t.Errorf("%s: %s", a.Points[i].Name(), cmp.Diff(first.Files, second.Files))
		}
	}
}

func TestWhatImagesShareComesFirst(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	final := func(name string) []string {
		p, err := m.Point(name)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(render(t, p, container.RenderOptions{}).Files["Containerfile"]), "\nFROM base\n")
		return strings.Split(text, "\n")
	}
	a, b := final("lammps:aws-ubuntu22.04-openmpi4.1.2-efa-amd64"), final("osu:aws-ubuntu22.04-openmpi4.1.2-efa-amd64")
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	shared := strings.Join(a[:same], "\n")
	for _, want := range []string{"ibverbs-providers", "/opt/libfabric", "/opt/openmpi", "/opt/ensemble/bin/oras", "libensemble-mpi.so", "libgfortran5"} {
		if !strings.Contains(shared, want) {
			t.Errorf("%s is not in the part that both images begin with:\n%s", want, shared)
		}
	}
	if rest := strings.Join(a[same:], "\n"); !strings.Contains(rest, "/opt/lammps") {
		t.Errorf("the application is not behind it:\n%s", rest)
	}
}

func TestAChangedDeckChangesNothingBeforeItsLayer(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	p, err := m.Point("lammps:debian-debian12-openmpi4-none-amd64")
	if err != nil {
		t.Fatal(err)
	}
	before := render(t, p, container.RenderOptions{})
	app := *p.App
	app.Spec.Decks = slices.Clone(app.Spec.Decks)
	app.Spec.Decks[0].Content += "# a remark\n"
	changed := *p
	changed.App = &app
	after := render(t, &changed, container.RenderOptions{})
	var differ []string
	for name := range before.Files {
		if !bytes.Equal(before.Files[name], after.Files[name]) {
			differ = append(differ, name)
		}
	}
	if want := []string{"decks/in.lj"}; !slices.Equal(differ, want) {
		t.Errorf("the files %q differ, want %q", differ, want)
	}
	text := string(after.Files["Containerfile"])
	if i := strings.Index(text, "\nCOPY decks/"); i < 0 || strings.Contains(text[i:], "\nRUN") || strings.Contains(text[i+1:], "\nCOPY --from") {
		t.Error("something is made behind the decks")
	}
	if before.Digest() == after.Digest() {
		t.Error("the digests are the same")
	}
}

func TestALockPinsEveryPackageAndTheBase(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	p, err := m.Point("netpipe:debian-debian12-mpich4-none-amd64")
	if err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + strings.Repeat("ab", 32)
	files := render(t, p, container.RenderOptions{Lock: &container.Locked{
		Bases:    map[string]string{"debian12": digest},
		Packages: []container.Package{{Name: "mpich", Version: "4.0.2-3", Architecture: "amd64"}, {Name: "libc6", Version: "2.36-9", Architecture: "amd64"}},
	}}).Files
	for name, want := range map[string]string{
		"lock/pins":     "Package: mpich\nPin: version 4.0.2-3\nPin-Priority: 1001\n",
		"lock/packages": "libc6\t2.36-9\tamd64\nmpich\t4.0.2-3\tamd64\n",
		"Containerfile": "FROM --platform=linux/amd64 " + p.Base.Image + "@" + digest + " AS base\n",
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s has no %q:\n%s", path.Base(name), want, files[name])
		}
	}
}

func TestWhatMakesNoSenseIsSaid(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	for _, test := range []struct{ name, point, want string }{
		{"a point that a constraint excludes has its reason", "lammps:aws-ubuntu22.04-openmpi4.1.2-none-amd64", "leaves the adapter idle"},
		{"a package that a base lacks is named", "lammps:debian-debian13-openmpi4-none-amd64", "openmpi4 is not packaged for debian13"},
		{"an unknown part has its neighbour", "lammps:debian-debian12-openmpi-none-amd64", `unknown MPI "openmpi"`},
		{"an unknown base too", "lammps:debian-debian11-openmpi4-none-amd64", `unknown base "debian11"`},
		{"an unknown application", "lamps:debian-debian12-openmpi4-none-amd64", `unknown application "lamps"`},
		{"a tag of another form", "lammps:debian12", "want lammps:PLATFORM-BASE-MPI-FABRIC-ARCHITECTURE"},
		{"an application without a recipe", "chatterbug", "has no recipe"},
		{"what a platform does not combine", "lammps:debian-rocky9-openmpi4-none-amd64", "is not in the matrix"},
		{"a pattern without points", "lammps:*riscv*", "no point is like"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			points, err := m.Select(test.point)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d points and %v, want an error with %q", len(points), err, test.want)
			}
		})
	}
}

func TestPatternsSelectPointsInOrder(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	points, err := m.Select("netpipe:*debian12*amd64", "mt-gemm:debian-debian12-mpich4-none-amd64", "netpipe:debian-debian12-mpich4-*-amd64")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range points {
		got = append(got, p.Name())
	}
	want := []string{"mt-gemm:debian-debian12-mpich4-none-amd64", "netpipe:debian-debian12-openmpi4-none-amd64", "netpipe:debian-debian12-mpich4-none-amd64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestThePageListsEveryPoint(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	points, err := m.Select()
	if err != nil {
		t.Fatal(err)
	}
	page, err := container.IndexPage(points)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(page, []byte(`/Containerfile">`)); got != len(points) {
		t.Errorf("the page has %d points, want %d", got, len(points))
	}
}

// BenchmarkRender renders all points of the catalog, with their digests.
func BenchmarkRender(b *testing.B) {
	m := matrix(b)
	for b.Loop() {
		for i := range m.Points {
			if render(b, &m.Points[i], container.RenderOptions{}).Digest() == "" {
				b.Fatal("no digest")
			}
		}
	}
	b.ReportMetric(float64(len(m.Points)), "points")
}
