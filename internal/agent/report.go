// SPDX-License-Identifier: MIT

package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Cluster is the API server, as far as an agent sees it.
type Cluster interface {
	// Get reads the agent's Ensemble.
	Get(ctx context.Context) (*v1alpha1.Ensemble, error)
	// Report writes the report of a unit into its status.
	Report(ctx context.Context, unit string, r v1alpha1.Report) error
}

// NewCluster makes one of a client, for an Ensemble.
func NewCluster(client dynamic.Interface, namespace, name string) Cluster {
	return kubernetes{client.Resource(v1alpha1.GroupVersion.WithResource("ensembles")).Namespace(namespace), name}
}

type kubernetes struct {
	ensembles dynamic.ResourceInterface
	name      string
}

func (k kubernetes) Get(ctx context.Context) (*v1alpha1.Ensemble, error) {
	u, err := k.ensembles.Get(ctx, k.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	b, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	e := &v1alpha1.Ensemble{}
	return e, json.Unmarshal(b, e)
}

func (k kubernetes) Report(ctx context.Context, unit string, r v1alpha1.Report) error {
	patch, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Ensemble", "metadata": map[string]any{"name": k.name},
		"status": map[string]any{"members": []any{map[string]any{"name": unit, "report": r}}},
	})
	if err != nil {
		return err
	}
	force := true
	_, err = k.ensembles.Patch(ctx, k.name, types.ApplyPatchType, patch, metav1.PatchOptions{FieldManager: "ensemble-agent-" + unit, Force: &force}, "status")
	return err
}

// reportEvery is how often a report that changed is written.
const reportEvery = time.Second

// reporter writes the latest report, not every one.
type reporter struct {
	cluster Cluster
	unit    string
	log     *slog.Logger

	mu      sync.Mutex
	now     v1alpha1.Report
	written v1alpha1.Report
	writing sync.Mutex
	stop    context.CancelFunc
	done    chan struct{}
}

func newReporter(k Cluster, unit, me string, log *slog.Logger) *reporter {
	ctx, stop := context.WithCancel(context.Background())
	r := &reporter{cluster: k, unit: unit, log: log, stop: stop, done: make(chan struct{})}
	r.now.Pod = me
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(reportEvery):
				if err := r.write(ctx); err != nil && ctx.Err() == nil {
					log.Warn("reporting", "error", err)
				}
			}
		}
	}()
	return r
}

// set changes the report.
func (r *reporter) set(change func(*v1alpha1.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	me := r.now.Pod
	change(&r.now)
	r.now.Pod = me
}

// write writes the report, if it changed.
func (r *reporter) write(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	now := r.now
	now.Groups = slices.Clone(now.Groups)
	r.mu.Unlock()
	if reflect.DeepEqual(now, r.written) {
		return nil
	}
	sent := now
	sent.Time = metav1.Now()
	if err := r.cluster.Report(ctx, r.unit, sent); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	r.written = now
	return nil
}

// flush writes the report, for as long as that takes.
func (r *reporter) flush(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := r.write(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.log.Warn("reporting", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (r *reporter) close() {
	r.stop()
	<-r.done
}

// counter counts jobs as they go, by their groups.
type counter struct {
	report *reporter
	jobs   map[string]standing
	groups map[string]*v1alpha1.JobCounts
	all    v1alpha1.JobCounts
}

type standing struct {
	group  string
	status ensemble.Status // of the last attempt; "" is active
}

// newCounter begins with what an earlier agent of the pod did.
func newCounter(dir run.Dir, r *reporter) (*counter, error) {
	c := &counter{report: r, jobs: map[string]standing{}, groups: map[string]*v1alpha1.JobCounts{}}
	err := dir.Events(func(e ensemble.Event) error {
		c.take(e)
		return nil
	})
	c.tell(0)
	return c, err
}

// Event counts an event of the run.
func (c *counter) Event(job *ensemble.Job, e ensemble.Event, s run.Standing) {
	if job != nil && e.Group == "" {
		e.Group = job.Group
	}
	if e.Name == ensemble.Finish && e.Status != ensemble.Succeeded {
		c.report.log.Warn("a job ended without success", "job", e.Job, "attempt", e.Attempt, "group", e.Group, "status", e.Status, "reason", e.Reason, "again", s.Again)
	}
	if c.take(e) {
		c.tell(s.Jobs)
	}
}

// take moves a job from where it was counted to where it is now, and says whether it did.
func (c *counter) take(e ensemble.Event) bool {
	if e.Name != ensemble.Submit && e.Name != ensemble.Finish {
		return false
	}
	j, known := c.jobs[e.Job]
	if known {
		c.count(j, -1)
	}
	if e.Name == ensemble.Submit {
		j = standing{group: cmp.Or(e.Group, j.group)}
	} else {
		j.status = e.Status
	}
	c.jobs[e.Job] = j
	c.count(j, 1)
	return true
}

// count adds n jobs of a standing.
func (c *counter) count(j standing, n int) {
	counts := []*v1alpha1.JobCounts{&c.all}
	if j.group != "" {
		if c.groups[j.group] == nil {
			c.groups[j.group] = &v1alpha1.JobCounts{}
		}
		counts = append(counts, c.groups[j.group])
	}
	for _, to := range counts {
		to.Total += n
		switch j.status {
		case "":
			to.Active += n
		case ensemble.Succeeded:
			to.Succeeded += n
		default:
			to.Failed += n
		}
	}
}

// tell reports the counts; known is how many jobs the driver knows of.
func (c *counter) tell(known int) {
	c.report.set(func(r *v1alpha1.Report) {
		r.Jobs = c.all
		r.Jobs.Total = max(c.all.Total, known)
		r.Groups = make([]v1alpha1.GroupCount, 0, len(c.groups))
		for _, name := range slices.Sorted(maps.Keys(c.groups)) {
			r.Groups = append(r.Groups, v1alpha1.GroupCount{Name: name, JobCounts: *c.groups[name]})
		}
	})
}
