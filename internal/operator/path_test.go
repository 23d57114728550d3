// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/kubetest/realagent"
	"github.com/converged-computing/ensemble/internal/registrytest"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// realAgent is the agent as it is.
func realAgent(t *testing.T, change func(*agent.Config)) func(context.Context, *bench, kubetest.Pod) error {
	play := realagent.New(t, change)
	return func(ctx context.Context, b *bench, p kubetest.Pod) error { return play(ctx, b.Cluster, p) }
}

// newRegistry is a real registry on loopback.
func newRegistry(t *testing.T) string { return registrytest.Start(t, "", "").Address }

// bundle brings a member's results here, as ensemble report does.
func bundle(t *testing.T, m *v1alpha1.MemberStatus) (run.Dir, []measure.Record) {
	t.Helper()
	return bundleWith(t, m, nil)
}

func bundleWith(t *testing.T, m *v1alpha1.MemberStatus, keys authn.Keychain) (run.Dir, []measure.Record) {
	t.Helper()
	store, err := image.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Fetch(t.Context(), store, m.Report.Reference, archive.Limits{}, image.PushOptions{Keychain: keys})
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest != m.Report.Digest {
		t.Errorf("the registry has %s, the status %s", a.Digest, m.Report.Digest)
	}
	path := filepath.Join(t.TempDir(), "run")
	if err := archive.Unpack(t.Context(), store, a, path, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	dir, ens, err := run.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var records []measure.Record
	for r, err := range measure.Records(t.Context(), dir, ens) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return dir, records
}

func TestTheWholePathFromOneResourceToSavedResults(t *testing.T) {
	t.Parallel()
	wholePath(t, realagent.New(t, nil))
}

func TestTheWholePathBesideRealBrokers(t *testing.T) {
	t.Parallel()
	wholePath(t, realagent.OnFlux(t, nil))
}

func wholePath(t *testing.T, play func(context.Context, *kubetest.Cluster, kubetest.Pod) error) {
	b := newBench(t, func(ctx context.Context, b *bench, p kubetest.Pod) error { return play(ctx, b.Cluster, p) })
	registry := newRegistry(t)
	b.apply(t, "whole", fmt.Sprintf(`{
		"groups": [
			{"name": "good", "command": ["sh", "-c", "echo hello from $0", "here"], "count": 3},
			{"name": "bad", "command": ["sh", "-c", "exit 3"]}
		],
		"run": {"retries": 0},
		"members": [{"name": "m", "nodes": {"size": 2}, "image": "app"}],
		"archive": {"repository": "%s/lab/runs", "insecure": true}
	}`, registry))
	e := b.wait(t, "whole", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeJobsFailed) || c.Message != "1 of 4 jobs failed" {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	m := e.Status.Member("m")
	if got := fmt.Sprintf("%+v", m.Report.Groups); got != "[{Name:bad JobCounts:{Total:1 Active:0 Succeeded:0 Failed:1}} {Name:good JobCounts:{Total:3 Active:0 Succeeded:3 Failed:0}}]" {
		t.Errorf("the groups are %s", got)
	}
	if e.Status.Phase != v1alpha1.PhaseFailed || e.Status.Digest == "" || e.Status.Digest != m.Report.Digest {
		t.Errorf("the status is %+v", e.Status)
	}
	if left := b.clusters(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	dir, records := bundle(t, m)
	if len(records) != 4 {
		t.Errorf("there are %d records, want 4", len(records))
	}
	for _, r := range records {
		out, err := os.ReadFile(filepath.Join(dir.Attempt(r.Job, r.Attempt), run.StdoutFile))
		if want := map[string]string{"good": "hello from here\n", "bad": ""}[r.Group]; err != nil || string(out) != want {
			t.Errorf("the job %s of %s printed %q (%v)", r.Job, r.Group, out, err)
		}
		if _, digest, _ := strings.Cut(kubetest.ImageID, "@"); r.Image != "app@"+digest {
			t.Errorf("the record names the image %q, want app@%s", r.Image, digest)
		}
	}
	store, err := image.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	k, ok, err := archive.FetchKubernetes(t.Context(), store, m.Report.Reference, m.Report.Digest, image.PushOptions{})
	if err != nil || !ok || k.Digest != m.Witness.Digest || k.Subject.Digest != m.Report.Digest {
		t.Fatalf("what Kubernetes told is %+v, %v (%v), want %+v", k, ok, err, m.Witness)
	}
	if err := archive.UnpackKubernetes(t.Context(), store, k, string(dir)); err != nil {
		t.Fatal(err)
	}
	objects, err := os.ReadFile(filepath.Join(string(dir), archive.KubernetesDir, "objects.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]bool{`"kind":"MiniCluster"`: true, `"kind":"Pod"`: true, `"kind":"Job"`: true, "secret-key": false, "managedFields": false} {
		if strings.Contains(string(objects), what) != want {
			t.Errorf("that the objects have %s is %v: %s", what, !want, objects)
		}
	}
	events, err := os.ReadFile(filepath.Join(string(dir), archive.KubernetesDir, "events.jsonl"))
	if err != nil || !strings.Contains(string(events), `"reason":"JobsFailed"`) {
		t.Errorf("the events are %s (%v)", events, err)
	}
}

func TestRulesGrowAndShrinkAMember(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	registry := newRegistry(t)
	// Two jobs of two nodes each wait for nodes that only come when they are asked for;
	// the last begins when they are given back.
	b.apply(t, "grows", fmt.Sprintf(`{
		"groups": [
			{"name": "small", "command": ["true"]},
			{"name": "large", "command": ["sleep", "0.3"], "count": 2, "nodes": 2, "tasks": 2},
			{"name": "last", "command": ["true"]}
		],
		"rules": [
			{"on": "job-finish", "name": "more", "group": "small", "do": {"grow": "3"}},
			{"on": "metric", "name": "begin", "when": "nodes >= 3", "repetitions": 1, "do": {"submit": "large"}},
			{"on": "metric", "name": "less", "when": "groups.large.finished == 2", "repetitions": 1, "do": {"shrink": "5"}},
			{"on": "metric", "name": "end", "when": "groups.large.finished == 2 && nodes == 1", "repetitions": 1, "do": {"submit": "last"}},
			{"on": "job-finish", "name": "over", "group": "last", "do": {"finish": "success"}}
		],
		"keep": true,
		"maxNodes": 3,
		"members": [{"name": "m", "nodes": {"size": 1, "max": 4}, "image": "app"}],
		"archive": {"repository": "%s/lab/runs", "insecure": true}
	}`, registry))
	e := b.wait(t, "grows", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeSucceeded) {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	dir, _ := bundle(t, e.Status.Member("m"))
	var sizes []int
	if err := dir.Events(func(e ensemble.Event) error {
		if e.Name == ensemble.RunStart || e.Name == ensemble.Resize {
			sizes = append(sizes, e.Nodes)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(sizes) < 3 || sizes[0] != 1 || slices.Max(sizes) != 3 || sizes[len(sizes)-1] != 1 {
		t.Errorf("the member had %v nodes, want 1, 3 and 1", sizes)
	}
}

// TestAnAgentThatIsKilledTwentyTimesSavesOneBundleWithEveryJobOnce kills it while it runs
// jobs, and while it saves: the registry takes nothing until the last kill.
func TestAnAgentThatIsKilledTwentyTimesSavesOneBundleWithEveryJobOnce(t *testing.T) {
	t.Parallel()
	const kills, jobs = 20, 60
	r := registrytest.Start(t, "", "")
	r.Trouble(registrytest.Only(http.MethodPut, "/manifests/", registrytest.Refuse(http.StatusServiceUnavailable, "UNAVAILABLE", "later")))
	left := kills
	random := rand.New(rand.NewPCG(1, 2))
	play := realagent.Killed(t, func() time.Duration {
		if left--; left < 0 {
			r.Trouble(nil)
			return 0
		}
		return time.Duration(100+random.IntN(700)) * time.Millisecond
	})
	b := newBench(t, func(ctx context.Context, b *bench, p kubetest.Pod) error { return play(ctx, b.Cluster, p) })
	done := filepath.Join(t.TempDir(), "done")
	b.apply(t, "killed", fmt.Sprintf(`{
		"groups": [{"name": "g", "command": ["sh", "-c", "sleep 0.1; echo $0 >>%s", "x"], "count": %d}],
		"members": [{"name": "m", "nodes": {"size": 2}, "image": "app"}],
		"archive": {"repository": "%s/lab/runs", "insecure": true}
	}`, done, jobs, r.Address))
	e := b.wait(t, "killed", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeSucceeded) {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	if left >= 0 {
		t.Errorf("it was over %d kills too early", left+1)
	}
	m := e.Status.Member("m")
	if m.Report.Jobs.Succeeded != jobs || m.Report.Jobs.Total != jobs {
		t.Errorf("the counts are %+v, want %d successes", m.Report.Jobs, jobs)
	}
	_, records := bundle(t, m)
	succeeded := map[string]int{}
	for _, r := range records {
		switch r.Status {
		case ensemble.Succeeded:
			if succeeded[r.Job]++; succeeded[r.Job] > 1 {
				t.Errorf("the job %s succeeded more than once", r.Job)
			}
		case ensemble.Lost: // its agent was killed before Flux had it; it never ran
		default:
			t.Errorf("attempt %d of the job %s is %s: %s", r.Attempt, r.Job, r.Status, r.Reason)
		}
	}
	if len(succeeded) != jobs {
		t.Errorf("%d jobs have a record of success, want %d", len(succeeded), jobs)
	}
	lines, err := os.ReadFile(done)
	if got := strings.Count(string(lines), "\n"); err != nil || got != jobs {
		t.Errorf("the work was done %d times (%v), want %d", got, err, jobs)
	}
	tags, err := filepath.Glob(filepath.Join(r.Dir, "docker/registry/v2/repositories/lab/runs/_manifests/tags/killed-*"))
	if err != nil || len(tags) != 1 {
		t.Errorf("the registry has the tags %v (%v), want one", tags, err)
	}
	versions, err := os.ReadDir(filepath.Join(tags[0], "index", "sha256"))
	if err != nil || len(versions) != 1 {
		t.Errorf("the tag had %d values (%v), want one", len(versions), err)
	}
}

func TestResultsGoIntoAClaimAsAnOCILayout(t *testing.T) {
	t.Parallel()
	layout := filepath.Join(t.TempDir(), "claim")
	b := newBench(t, realAgent(t, func(c *agent.Config) {
		if c.Layout == "" || c.Repository != "" {
			t.Errorf("the agent is told of the layout %q and the repository %q", c.Layout, c.Repository)
		}
		c.Layout = layout // where the claim would be mounted
	}))
	b.layout = layout
	b.apply(t, "claimed", `{
		"groups": [{"name": "g", "command": ["true"], "count": 2}],
		"members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}],
		"archive": {"claim": "results"}
	}`)
	e := b.wait(t, "claimed", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	m := e.Status.Member("m")
	store, err := image.Open(layout)
	if err != nil {
		t.Fatal(err)
	}
	name, ok := strings.CutPrefix(m.Report.Reference, "oci:")
	a, err := store.Artifact(name)
	if err != nil || !ok || a.Digest != m.Report.Digest {
		t.Errorf("the claim has %s as %s (%v), want %s", a.Digest, m.Report.Reference, err, m.Report.Digest)
	}
	k, err := store.Artifact(m.Witness.Digest)
	if err != nil || k.Subject.Digest != a.Digest {
		t.Errorf("what Kubernetes told refers to %s (%v), want %s", k.Subject.Digest, err, a.Digest)
	}
}
