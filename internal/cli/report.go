// SPDX-License-Identifier: MIT

package cli

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newReport(e *env) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "report RUN|REF...",
		Short: "Show what runs amount to: scaling, figures of merit, failures",
		Long: `Show what runs amount to: strong scaling for each application and variant with
95 % intervals, speed-up, efficiency, figures of merit, the launcher's overhead,
outliers and noise, and failures with their reasons. A run is its directory, or the
reference of a bundle in a registry.

-o html is one page with figures that needs no network.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			g, err := e.gather(c.Context(), args)
			if err != nil {
				return err
			}
			r := report.Build(g.records, g.apps, report.Options{})
			w := bufio.NewWriter(e.stdout)
			if err := g.write(w, r, format, terminalWidth(e.stdout)); err != nil {
				return err
			}
			return w.Flush()
		},
	}
	outputFlag(c, &format, "html")
	e.registryFlags(c)
	return c
}

// gathered is what several run directories hold together.
type gathered struct {
	names    []string
	about    []string
	records  []measure.Record
	apps     map[string]*spec.Application
	machines []report.Machine
}

// gather reads run directories; of an application that several have, the last
// definition says how to show it.
func (e *env) gather(ctx context.Context, paths []string) (*gathered, error) {
	g := &gathered{apps: map[string]*spec.Application{}}
	for _, path := range paths {
		dir, ens, err := e.openRun(ctx, path)
		if err != nil {
			return nil, err
		}
		records, err := allRecords(ctx, dir, ens)
		if err != nil {
			return nil, err
		}
		g.records = append(g.records, records...)
		g.names = append(g.names, ens.Metadata.Name)
		if d := cmp.Or(ens.Spec.Description, ens.Spec.Study.Description); d != "" {
			g.about = append(g.about, d)
		}
		maps.Copy(g.apps, appsByName(ens))
		sessions, err := dir.Environments()
		if err != nil {
			return nil, err
		}
		if len(sessions) > 0 {
			g.machines = append(g.machines, machine(records, sessions[len(sessions)-1]))
		}
	}
	return g, nil
}

func appsByName(e *spec.Ensemble) map[string]*spec.Application {
	apps := map[string]*spec.Application{}
	for i := range e.Spec.Applications {
		apps[e.Spec.Applications[i].Metadata.Name] = &e.Spec.Applications[i]
	}
	return apps
}

// machine is the environment of a run as its last session found it.
func machine(records []measure.Record, m run.Environment) report.Machine {
	name := ""
	if len(records) > 0 {
		name = records[0].Environment
	}
	return report.Machine{
		Name: name, Hostname: m.Hostname, OS: m.OS, Kernel: m.Kernel, Architecture: m.Architecture,
		CPU: m.CPU, Processors: m.Processors, Cores: m.Cores, MemoryBytes: m.MemoryBytes,
		MPI: m.MPI, Packages: m.Packages,
	}
}

// terminalWidth is that of a terminal in characters, no more than lines of text
// are read with ease, and 0 for anything else.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return min(int(size.Col), 160)
}

// write writes a report in a format; text has lines of at most width characters.
func (g *gathered) write(w io.Writer, r *report.Report, format string, width int) error {
	switch format {
	case "html":
		return report.HTML(w, r, report.Meta{
			Title: strings.Join(g.names, ", "), Description: strings.Join(g.about, " "),
			Generated: time.Now(), Generator: "ensemble " + session.Version(), Machines: g.machines,
		})
	case "csv":
		return report.CSV(w, r)
	case "table":
		return report.Text(w, r, report.TextOptions{Width: width})
	default:
		return (&listing{value: r}).write(w, format)
	}
}
