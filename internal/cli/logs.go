// SPDX-License-Identifier: MIT

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/internal/ensembles"
	"github.com/spf13/cobra"
)

func newLogs(e *env) *cobra.Command {
	var kube kubeFlags
	var o ensembles.LogOptions
	c := &cobra.Command{
		Use:   "logs ensemble/NAME",
		Short: "Show what the agents of a run on Kubernetes say",
		Long: `Show what the agents of a run on Kubernetes say, or with --brokers the brokers of all
nodes. What the jobs printed is in the run's results: ensemble pull brings these.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, ok := strings.CutPrefix(args[0], resourcePrefix)
			if !ok || name == "" {
				return input(fmt.Errorf("got %q, want ensemble/NAME; a run in a directory has its logs there, below jobs", args[0]))
			}
			k, err := kube.dial()
			if err != nil {
				return err
			}
			of, err := k.Get(c.Context(), name)
			if err != nil {
				return clusterFault(err)
			}
			if o.Member != "" && of.Status.Member(o.Member) == nil {
				return input(fmt.Errorf("%s has no member %q yet", args[0], o.Member))
			}
			err = k.Logs(c.Context(), of, o, func(l ensembles.Line) {
				if o.Brokers {
					fmt.Fprintf(e.stdout, "%s: ", l.Pod)
				} else if len(of.Status.Members) > 1 {
					fmt.Fprintf(e.stdout, "%s: ", l.Member)
				}
				fmt.Fprintln(e.stdout, readable(l.Text))
			})
			if errors.Is(err, ensembles.ErrNoPods) {
				s := ensembles.StandingOf(of)
				err = fmt.Errorf("%w; %s: %s", err, args[0], s.Line)
				for i := range of.Status.Members {
					if r := of.Status.Members[i].Report; r != nil && r.Reference != "" {
						err = fmt.Errorf("%w\nits results are here: ensemble pull %s DIR", err, r.Reference)
					}
				}
				return input(err)
			}
			return clusterFault(err)
		},
	}
	kube.add(c)
	c.Flags().BoolVarP(&o.Follow, "follow", "f", false, "go on as long as it runs")
	c.Flags().BoolVar(&o.Brokers, "brokers", false, "the brokers of all nodes")
	c.Flags().StringVar(&o.Member, "member", "", "those of the member `NAME` only")
	return c
}

// readable makes text of a line that is JSON for other programs.
func readable(line string) string {
	var of map[string]any
	if json.Unmarshal([]byte(line), &of) != nil || of["msg"] == nil {
		return line
	}
	var b strings.Builder
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(of["time"])); err == nil {
		fmt.Fprintf(&b, "%s ", at.Local().Format(time.TimeOnly))
	}
	fmt.Fprintf(&b, "%v %v", of["level"], of["msg"])
	for _, key := range slices.Sorted(maps.Keys(of)) {
		if key == "time" || key == "level" || key == "msg" {
			continue
		}
		if text := fmt.Sprint(of[key]); strings.ContainsAny(text, " \"=") || text == "" {
			fmt.Fprintf(&b, " %s=%q", key, text)
		} else {
			fmt.Fprintf(&b, " %s=%s", key, text)
		}
	}
	return b.String()
}
