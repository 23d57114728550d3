// SPDX-License-Identifier: MIT

package container_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/container/image"
)

func TestWhatAnImageSaysOfItselfIsHeldAgainstItsPoint(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	p, err := m.Point("netpipe:debian-debian12-mpich4-none-amd64")
	if err != nil {
		t.Fatal(err)
	}
	good := image.Image{Architecture: "amd64", User: "10001:10001", Labels: map[string]string{container.LabelPoint: p.Name()}}
	if good.Cmd, err = p.Command(); err != nil || len(good.Cmd) == 0 {
		t.Fatalf("the point has the default command %q (%v)", good.Cmd, err)
	}
	libc := func(version string) *container.Build {
		return &container.Build{Resolved: container.Locked{Packages: []container.Package{{Name: "libc6", Version: version, Architecture: "amd64"}}}}
	}
	for _, test := range []struct {
		name   string
		change func(*image.Image)
		build  *container.Build
		fails  string
	}{
		{"one that is right passes", func(*image.Image) {}, libc("2.36-9+deb12u14"), ""},
		{"a C library as new as the view's passes", func(*image.Image) {}, libc("2:2.35-1"), ""},
		{"root fails", func(i *image.Image) { i.User = "0:0" }, libc("2.36"), "not root"},
		{"no user is root", func(i *image.Image) { i.User = "" }, libc("2.36"), "not root"},
		{"another architecture fails", func(i *image.Image) { i.Architecture = "arm64" }, libc("2.36"), "architecture"},
		{"another point's label fails", func(i *image.Image) { i.Labels = nil }, libc("2.36"), "labels"},
		{"without a command it fails", func(i *image.Image) { i.Cmd = nil }, libc("2.36"), "default command"},
		{"with the command of its base it fails", func(i *image.Image) { i.Cmd = []string{"bash"} }, libc("2.36"), "default command"},
		{"a C library older than the view's fails", func(*image.Image) {}, libc("2.31-13"), "Flux view's C library"},
		{"without a C library it fails", func(*image.Image) {}, &container.Build{}, "Flux view's C library"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i := good
			test.change(&i)
			var failed []string
			for _, c := range container.Inspect(p, i, test.build) {
				if !c.Passed {
					failed = append(failed, c.Name)
				}
			}
			if got := strings.Join(failed, ", "); got != test.fails {
				t.Errorf("failed %q, want %q", got, test.fails)
			}
		})
	}
}

func TestTheLauncherTellsWhichMPIItIs(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	const openmpi = "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n"
	const mpich = "HYDRA build details:\n    Version:                                 4.0.2\n    Release Date:                            Thu Apr  7 12:34:45 CDT 2022\n"
	for _, test := range []struct {
		name, point, text string
		want              bool
	}{
		{"Open MPI 4 is that", "netpipe:debian-debian12-openmpi4-none-amd64", openmpi, true},
		{"and not MPICH", "netpipe:debian-debian12-mpich4-none-amd64", openmpi, false},
		{"and not Open MPI 5", "netpipe:debian-debian13-openmpi5-none-amd64", openmpi, false},
		{"and not 4.1.2", "osu:aws-ubuntu22.04-openmpi4.1.2-efa-amd64", openmpi, false},
		{"4.1.2 is 4.1.2", "osu:aws-ubuntu22.04-openmpi4.1.2-efa-amd64", strings.ReplaceAll(openmpi, "4.1.4", "4.1.2"), true},
		{"MPICH 4 is that", "netpipe:debian-debian12-mpich4-none-amd64", mpich, true},
		{"what is no launcher is none", "netpipe:debian-debian12-mpich4-none-amd64", "sh: mpiexec: not found", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := m.Point(test.point)
			if err != nil {
				t.Fatal(err)
			}
			if c := container.MPIVersion(p, test.text); c.Passed != test.want {
				t.Errorf("got %+v, want %v", c, test.want)
			}
		})
	}
}

func TestPackageListsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"two fields": "a\t1\n", "an empty name": "\t1\tamd64\n", "nothing": ""} {
		if got, err := container.ParsePackages(text); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func FuzzParsePackages(f *testing.F) {
	f.Add("libc6\t2.36-9\tamd64\nmpich\t4.0.2-3\tamd64\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := container.ParsePackages(text)
		if err == nil && len(all) != strings.Count(strings.TrimSuffix(text, "\n"), "\n")+1 {
			t.Errorf("got %d packages of %q", len(all), text)
		}
	})
}

// TestABillOfMaterialsNamesPackagesAndSources holds it against the fields that SPDX 2.3
// requires.
func TestABillOfMaterialsNamesPackagesAndSources(t *testing.T) {
	t.Parallel()
	m := matrix(t)
	p, err := m.Point("lammps:aws-ubuntu22.04-openmpi4.1.2-efa-amd64")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(container.SBOM(p, &container.Build{
		Digest: "sha256:" + strings.Repeat("ab", 32), Built: time.Unix(1, 0),
		Resolved: container.Locked{Packages: []container.Package{{Name: "libc6", Version: "2.35-0ubuntu3", Architecture: "amd64"}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		SPDXVersion, DataLicense, SPDXID, Name, DocumentNamespace string
		Packages                                                  []struct{ SPDXID, Name, DownloadLocation string }
		Relationships                                             []struct{ SpdxElementID, RelationshipType, RelatedSpdxElement string }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || doc.SPDXID != "SPDXRef-DOCUMENT" || doc.DataLicense == "" || doc.Name == "" || doc.DocumentNamespace == "" {
		t.Errorf("the head of the document lacks something: %s", text[:200])
	}
	ids, names := map[string]bool{"SPDXRef-DOCUMENT": true}, map[string]bool{}
	for _, x := range doc.Packages {
		if ids[x.SPDXID] || x.Name == "" || x.DownloadLocation == "" {
			t.Errorf("the package %+v is not one of its own", x)
		}
		ids[x.SPDXID], names[x.Name] = true, true
	}
	for _, want := range []string{p.Name(), "libc6", "lammps", "openmpi", "libfabric"} {
		if !names[want] {
			t.Errorf("%s is not in it", want)
		}
	}
	for _, r := range doc.Relationships {
		if !ids[r.SpdxElementID] || !ids[r.RelatedSpdxElement] {
			t.Errorf("the relation %+v is of something that is not in it", r)
		}
	}
}
