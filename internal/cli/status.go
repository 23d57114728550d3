// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// jobStatus is one row of status.
type jobStatus struct {
	Job     string    `json:"job"`
	Group   string    `json:"group,omitempty"`
	App     string    `json:"app,omitempty"`
	Variant string    `json:"variant,omitempty"`
	Tasks   int       `json:"tasks,omitempty"`
	Attempt int       `json:"attempt"`
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason,omitempty"`
	// Simulated says that nothing was executed.
	Simulated bool `json:"simulated,omitempty"`
}

// decision is one that the rules or the limits of a run made.
type decision struct {
	Time   time.Time `json:"time"`
	Rule   string    `json:"rule,omitempty"`
	Action string    `json:"action"`
	// Why is what the file says of when the rule is carried out.
	Why string `json:"why,omitempty"`
}

func newStatus(e *env) *cobra.Command {
	var format string
	var kube kubeFlags
	c := &cobra.Command{
		Use:   "status RUN|ensemble/NAME",
		Short: "Show how the jobs of a run stand, also while it goes on",
		Long: `Show how the jobs of a run stand, also while it goes on, and what its rules decided;
or how the members of an Ensemble on Kubernetes stand.

CSV has the jobs only.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if name, ok := strings.CutPrefix(args[0], resourcePrefix); ok && !isDirectory(args[0]) {
				return e.resourceStatus(c.Context(), kube, name, format)
			}
			dir, ens, err := run.Open(args[0])
			if err != nil {
				return input(err)
			}
			jobs, decisions, err := statusOf(dir, ens)
			if err != nil {
				return err
			}
			x, err := simulationOf(dir)
			if err != nil {
				return input(err)
			}
			flags := ""
			if x != nil {
				flags = run.Simulated
				for i := range jobs {
					jobs[i].Simulated = true
				}
				e.say("%s is a rehearsal: its times are simulated", args[0])
			}
			l := &listing{header: []string{"job", "app", "variant", "tasks", "attempt", "state", "since", "flags", "reason"}, value: map[string]any{"jobs": jobs, "decisions": decisions}}
			for _, j := range jobs {
				l.rows = append(l.rows, []string{j.Job, cmp.Or(j.App, j.Group), j.Variant, count(j.Tasks), count(j.Attempt), j.State,
					j.Since.Local().Format(time.DateTime), flags, j.Reason})
			}
			if err := l.write(e.stdout, format); err != nil || format != formats[0] || len(decisions) == 0 {
				return err
			}
			l = &listing{header: []string{"time", "rule", "action", "why"}}
			for _, d := range decisions {
				l.rows = append(l.rows, []string{d.Time.Local().Format(time.DateTime), d.Rule, d.Action, d.Why})
			}
			fmt.Fprintln(e.stdout)
			return l.write(e.stdout, format)
		},
	}
	outputFlag(c, &format)
	kube.add(c)
	return c
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// statusOf gives the last known state of every job that was submitted, in the
// order of their first submission, and what was decided.
func statusOf(dir run.Dir, ens *spec.Ensemble) ([]jobStatus, []decision, error) {
	jobs, decisions := []jobStatus{}, []decision{}
	at := map[string]int{}
	err := dir.Events(func(ev ensemble.Event) error {
		if ev.Name == ensemble.Decide {
			decisions = append(decisions, decision{ev.Time, ev.Rule, ev.Note, whyOf(ens, ev.Rule)})
		}
		if ev.Job == "" || ev.Name == ensemble.Omit {
			return nil
		}
		i, ok := at[ev.Job]
		if !ok {
			i = len(jobs)
			at[ev.Job] = i
			jobs = append(jobs, jobStatus{Job: ev.Job})
			var job ensemble.Job
			if err := run.ReadJSON(dir.Attempt(ev.Job, ev.Attempt)+"/"+run.JobFile, &job); err == nil {
				jobs[i].Group = job.Group
				jobs[i].App, jobs[i].Variant, jobs[i].Tasks = job.App, job.Variant, job.Shape.Tasks
			}
		}
		j := &jobs[i]
		j.Attempt, j.Since, j.Reason = ev.Attempt, ev.Time, ev.Reason
		switch ev.Name {
		case ensemble.Submit:
			j.State = "queued"
		case ensemble.Wait:
			j.State, j.Reason = "waiting", ev.Note
		case ensemble.Start:
			j.State = "running"
		case ensemble.Finish:
			j.State = string(ev.Status)
		default:
			return fmt.Errorf("unknown event %q", ev.Name)
		}
		return nil
	})
	return jobs, decisions, err
}

// whyOf says when a rule is carried out, in the words of its file.
func whyOf(ens *spec.Ensemble, rule string) string {
	for i := range ens.Spec.Rules {
		r := &ens.Spec.Rules[i]
		if r.Name != rule {
			continue
		}
		why := "on " + string(r.On)
		if r.Group != "" {
			why += " of " + r.Group
		}
		if r.When != "" {
			why += " when " + strings.Join(strings.Fields(r.When), " ")
		}
		return why
	}
	return ""
}
