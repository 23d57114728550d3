// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func meta() report.Meta {
	return report.Meta{
		Title: "Strong scaling of LAMMPS and friends", Description: "Two MPIs from the distribution, on a laptop and on eight nodes.",
		Generated: began.Add(48 * time.Hour), Generator: "ensemble v0.1.0",
		Machines: []report.Machine{{
			Name: "laptop", Hostname: "nuc", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-amd64", Architecture: "amd64",
			CPU: "Intel(R) Core(TM) i7-1260P", Processors: 16, Cores: 16, MemoryBytes: 32 << 30,
			MPI:      map[string]string{"openmpi": "mpirun (Open MPI) 4.1.4", "mpich": "HYDRA build details: Version: 4.0.2"},
			Packages: map[string]string{"lammps": "20220106.git7586adbb6a+ds1-2", "hpcc": "1.5.0-3"},
		}},
	}
}

// page renders records and gives the page and the file that holds it.
func page(t *testing.T, records []measure.Record) (string, string) {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, report.Build(records, apps(), report.Options{}), meta()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return b.String(), path
}

// seen is what a browser made of a page.
type seen struct {
	Charts, Figures, Scripts, Images int
	Names                            []string
	Marks, Jobs                      int
	// Wide is by how many pixels the page is wider than its window.
	Wide int
	// Hidden are the elements with text that take no room.
	Hidden []string
	Styled bool
	Title  string
}

const look = `({
	charts: document.querySelectorAll("svg.chart").length,
	figures: document.querySelectorAll("figure").length,
	scripts: document.scripts.length,
	images: document.images.length,
	names: [...document.querySelectorAll("section.card > h2")].map(e => e.textContent),
	marks: document.querySelectorAll("svg.chart path.mark").length,
	jobs: document.querySelectorAll("#timeline .box > rect.job").length,
	wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
	hidden: [...document.querySelectorAll("h1,h2,h3,td,figcaption,dd")].filter(e => e.textContent && !e.closest("details") && !e.getClientRects().length).map(e => e.textContent),
	styled: getComputedStyle(document.querySelector(".card")).scrollMarginTop === "12px",
	title: document.title,
})`

func TestPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	for _, test := range []struct {
		name    string
		records []measure.Record
		width   int
		scheme  string // or print
		want    seen
	}{
		{"everything that happens, wide and light", rich(), 1280, "light", richSeen},
		{"everything that happens, wide and dark", rich(), 1280, "dark", richSeen},
		{"everything that happens, on a phone and light", rich(), 390, "light", richSeen},
		{"everything that happens, on a phone and dark", rich(), 390, "dark", richSeen},
		{"the usual demonstration", demo(), 1280, "light", demoSeen},
		{"everything that happens, on paper", rich(), 720, "print", richSeen},
		{"nothing at all", nil, 390, "dark", seen{Names: []string{"No results", "Methods"}, Styled: true, Title: meta().Title}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.t = t
			_, path := page(t, test.records)
			b.open(path, test.width, test.scheme)
			var got seen
			b.evaluate(look, &got)
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the page in the browser (-want +got):\n%s", diff)
			}
			for _, c := range b.complaints() {
				t.Errorf("the browser says: %s", c)
			}
			b.screenshot(strings.NewReplacer(" ", "-", ",", "").Replace(test.name), test.width)
		})
	}
	t.Run("the test itself sees messages, requests and what the policy stops", func(t *testing.T) {
		b.t = t
		good, _ := page(t, demo())
		bad := strings.Replace(good, "</main>", `<img src="https://example.invalid/x.png"><script>console.log("hello")</script></main>`, 1)
		path := filepath.Join(t.TempDir(), "bad.html")
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		b.open(path, 1280, "light")
		all := strings.Join(b.complaints(), "\n")
		for _, want := range []string{"img-src", "script"} {
			if !strings.Contains(all, want) {
				t.Errorf("a page that loads a picture and runs a script gives no complaint about %s:\n%s", want, all)
			}
		}
		open := strings.Replace(bad, "Content-Security-Policy", "X", 1)
		if err := os.WriteFile(path, []byte(open), 0o644); err != nil {
			t.Fatal(err)
		}
		b.open(path, 1280, "light")
		all = strings.Join(b.complaints(), "\n")
		for _, want := range []string{"example.invalid", "hello"} {
			if !strings.Contains(all, want) {
				t.Errorf("without the policy there is no complaint about %s:\n%s", want, all)
			}
		}
	})
}

var richSeen = seen{
	Charts: 17, Figures: 16, Styled: true, Title: meta().Title, Jobs: 95, Marks: 111,
	Names: []string{hostileName, "hpcc", "lammps", "minife", "netpipe", "Timeline", "Failures", "Noise and outliers", "Methods"},
}

var demoSeen = seen{
	Charts: 5, Figures: 4, Styled: true, Title: meta().Title, Jobs: 6, Marks: 8,
	Names: []string{"lammps", "Timeline", "Methods"},
}
