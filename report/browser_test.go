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
	// Cells and Shades are those of communication matrices, cell by cell and as a
	// path for each shade.
	Cells, Shades int
	// Wide is by how many pixels the page is wider than its window.
	Wide int
	// Hidden are the elements with text that take no room.
	Hidden []string
	// Outside are the elements that stick out of the window and cannot be scrolled
	// to, Small the texts of a figure that are too small to be read, Faint those
	// on the page whose contrast is below that of WCAG 2.2, level AA.
	Outside, Small, Faint []string
	// Shade is the least contrast between a shade of a matrix and the next, or the
	// card.
	Shade  float64
	Styled bool
	Title  string
}

const look = `(() => {
	const channels = color => { const c = color.match(/[\d.]+/g).map(Number); return c.length > 3 && c[3] === 0 ? null : c; };
	const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
	const behind = e => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c) return c; } return [255, 255, 255]; };
	const open = e => !e.closest("details:not([open])") && e.getClientRects().length;
	const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
	const texts = [...document.querySelectorAll("body *")].filter(e => own(e) && open(e) && !e.closest(".skip, caption, title, desc"));
	const inSVG = e => e instanceof SVGElement;
	const color = e => channels(getComputedStyle(e)[inSVG(e) ? "fill" : "color"]);
	const heat = document.querySelector("ul.key.heat");
	const shades = heat ? [behind(heat)].concat([...heat.querySelectorAll(".cell")].map(e => channels(getComputedStyle(e).fill))) : [];
	const steps = shades.slice(1).map((c, i) => contrast(c, shades[i]));
	return {
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
	cells: document.querySelectorAll("svg.heat rect.cell").length,
	shades: document.querySelectorAll("svg.heat path.cells").length,
	outside: [...document.querySelectorAll("h1,h2,h3,h4,p,li,dd,summary,svg.chart:not(.wide),.scroll")].filter(e => open(e) && !e.closest(".scroll:not(:scope)") && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.className + " " + e.textContent.slice(0, 40)),
	small: texts.filter(e => inSVG(e) && !matchMedia("print").matches && parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a < 10).map(e => e.textContent),
	faint: texts.filter(e => color(e) && contrast(color(e), behind(e.closest("svg")?.parentElement ?? e)) < 4.5).map(e => e.className + " " + e.textContent),
	shade: steps.length ? Math.min(...steps) : 0,
	};
})()`

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
		{"profiles, wide and light", profiledStudy(), 1280, "light", profiledSeen},
		{"profiles, wide and dark", profiledStudy(), 1280, "dark", profiledSeen},
		{"profiles, on a tablet and light", profiledStudy(), 800, "light", profiledSeen},
		{"profiles, on a phone and light", profiledStudy(), 390, "light", profiledSeen},
		{"profiles, on a phone and dark", profiledStudy(), 390, "dark", profiledSeen},
		{"profiles, on paper", profiledStudy(), 720, "print", profiledSeen},
		{"everything that happens, on paper", rich(), 720, "print", richSeen},
		{"nothing at all", nil, 390, "dark", seen{Names: []string{"No results", "Methods"}, Styled: true, Title: meta().Title}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.t = t
			_, path := page(t, test.records)
			b.open(path, test.width, test.scheme)
			var got seen
			b.evaluate(look, &got)
			if got.Shade != 0 && got.Shade < 1.25 {
				t.Errorf("two shades that are next to each other have a contrast of %.2f, want 1.25 or more", got.Shade)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(seen{}, "Shade")); diff != "" {
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

var profiledSeen = seen{
	Charts: 8, Figures: 7, Styled: true, Title: meta().Title, Jobs: 32, Marks: 40,
	Cells: 70, Shades: 4, // of 16 ranks, and of 512
	Names: []string{"lammps", "Timeline", "Methods"},
}
