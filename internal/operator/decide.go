// SPDX-License-Identifier: MIT

package operator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/spec"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// imagePatience is how long an image may fail to come before its member is given up:
	// registries fail for minutes.
	imagePatience = 10 * time.Minute
	// deleteGrace is how long an Ensemble that is being deleted has to save its results.
	deleteGrace = time.Hour
	// witnessPatience is how long saving what Kubernetes tells may take. It is of use,
	// but nodes cost money.
	witnessPatience = 10 * time.Minute
	// tries is how often a member is made whose nodes never came up.
	maxTries = 3
)

// world is what a decision is made of.
type world struct {
	ensemble *v1alpha1.Ensemble
	// spec is decoded; nil where that failed, and then fault says why.
	spec  *spec.Ensemble
	fault error
	units []v1alpha1.Unit
	// seen is what exists of each unit, by its name.
	seen map[string]observed
	now  time.Time
}

// unit finds a unit.
func (w *world) unit(name string) *v1alpha1.Unit {
	i := slices.IndexFunc(w.units, func(u v1alpha1.Unit) bool { return u.Name == name })
	return &w.units[i]
}

// observed is what exists of a unit.
type observed struct {
	cluster  string // the MiniCluster's name; empty where there is none
	made     time.Time
	deleting bool
	// lingering is one of which only pods are left, on their way out.
	lingering bool
	size      int
	// ended says that its Job is over, and how.
	ended string // "", "Complete" or "Failed"
	// trouble keeps its pods from starting.
	trouble *trouble
	// hardware is what its nodes are, where all its pods have one.
	hardware []v1alpha1.NodeKind
	// images are the digests that its pods have of the application's image: one, unless
	// the tag was moved.
	images []string
	// witness is the Job that saves what Kubernetes tells; nil is none yet.
	witness *witnessJob
}

// witnessJob is how it stands.
type witnessJob struct {
	made   time.Time
	failed bool
	said   string // at the end of a pod that failed
}

// trouble is why pods do not start.
type trouble struct {
	reason  string // Unschedulable, PodsRefused, ImageError, ContainerError, AgentError
	message string
	since   time.Time
}

// decision is what to do.
type decision struct {
	finalize   *bool // add the finalizer, or take it away
	create     []string
	witness    []string // units whose events are to be saved
	resize     map[string]int
	remove     []string // MiniClusters of units
	status     *v1alpha1.EnsembleStatus
	deleteSelf bool
	events     []event
	// again is when to look again without being told; 0 is when told.
	again time.Duration
}

// event is one for people.
type event struct {
	warning         bool
	reason, message string
}

func (d *decision) sooner(t time.Duration) {
	if t > 0 && (d.again == 0 || t < d.again) {
		d.again = max(t, time.Second)
	}
}

// decide says what to do. It changes nothing.
func decide(w *world) decision {
	d := decision{status: w.ensemble.Status.DeepCopy(), resize: map[string]int{}}
	c := &conditions{status: d.status, generation: w.ensemble.Generation, now: w.now}
	d.status.ObservedGeneration = w.ensemble.Generation
	deleting := w.ensemble.DeletionTimestamp != nil
	if !deleting && !slices.Contains(w.ensemble.Finalizers, v1alpha1.Finalizer) {
		yes := true
		d.finalize = &yes
	}
	if w.spec == nil {
		d.refuse(w, c, "Invalid", w.fault.Error())
		return d
	}
	if why := spanning(w); why != "" {
		d.refuse(w, c, "RulesSpanMembers", why)
		return d
	}
	c.set(v1alpha1.Accepted, true, "Accepted", "")
	for _, u := range w.units {
		if d.status.Member(u.Name) == nil {
			d.status.Members = append(d.status.Members, v1alpha1.MemberStatus{Name: u.Name, Image: u.Image, Variants: u.Variants, State: v1alpha1.MemberWaiting})
		}
	}
	d.members(w)
	d.admit(w)
	d.sum(w)
	d.conclude(w, c)
	if deleting {
		d.release(w)
	} else {
		d.expire(w)
	}
	d.tell(w)
	return d
}

// refuse is of a spec that nothing can be made of.
func (d *decision) refuse(w *world, c *conditions, reason, why string) {
	c.set(v1alpha1.Accepted, false, reason, why)
	d.status.Phase = v1alpha1.PhaseRefused
	if w.ensemble.DeletionTimestamp != nil {
		for name, o := range w.seen {
			if o.cluster != "" && !o.deleting && !o.lingering {
				d.remove = append(d.remove, name)
			}
		}
		slices.Sort(d.remove)
		if len(w.seen) == 0 {
			no := false
			d.finalize = &no
		}
	}
	d.tell(w)
}

// spanning says which rule is about groups of several units: each has an agent of its
// own, which knows of its jobs alone.
func spanning(w *world) string {
	if len(w.units) < 2 || len(w.spec.Spec.Rules) == 0 {
		return ""
	}
	return fmt.Sprintf("an ensemble with rules runs in one member with one image, and this one has %d: want one, or no rules", len(w.units))
}

// members says how each member stands, by what exists and what its agent reports.
func (d *decision) members(w *world) {
	for i := range w.units {
		u := &w.units[i]
		m, o := d.status.Member(u.Name), w.seen[u.Name]
		m.Nodes = o.size
		if len(o.hardware) > 0 {
			m.Hardware = o.hardware
		}
		d.image(m, o.images)
		if o.cluster != "" && m.Made == nil { // it was made, and then the status could not be written
			made := metav1.NewTime(o.made)
			m.Cluster, m.Made, m.Tries = o.cluster, &made, m.Tries+1
			d.create = append(d.create, u.Name) // what belongs to it may be missing
		}
		switch {
		case o.cluster == "" && m.Made != nil && m.Gone == nil:
			now := metav1.NewTime(w.now)
			m.Gone = &now
			if saved(w, m) {
				m.State, m.Message = v1alpha1.MemberCleaned, ""
			} else if m.State == v1alpha1.MemberProvisioning && m.Report == nil && m.Tries < maxTries {
				m.State, m.Made, m.Gone, m.Cluster = v1alpha1.MemberWaiting, nil, nil, "" // nothing of it ever ran
			} else if m.State != v1alpha1.MemberFailed {
				m.State = v1alpha1.MemberFailed
				m.Message = "the MiniCluster was deleted before its results were saved"
			}
		case o.cluster == "":
		case o.deleting, o.lingering:
		case saved(w, m):
			m.State, m.Message = v1alpha1.MemberSaved, ""
			if witnessed := d.witnessed(w, u, m, &o); witnessed && !retained(w, m) {
				d.remove = append(d.remove, u.Name)
				if m.Message != "" {
					d.events = append(d.events, event{true, "EventsNotSaved", m.Name + ": " + m.Message})
				}
			}
		case m.State == v1alpha1.MemberFailed:
		case o.ended != "":
			m.State = v1alpha1.MemberFailed
			m.Message = cmp.Or(lost(m), "the MiniCluster ended before its agent had saved the results")
		case o.trouble != nil:
			d.troubled(w, u, m, o.trouble)
		case m.Report != nil && m.Report.State != v1alpha1.AgentStarting:
			m.State, m.Message = v1alpha1.MemberRunning, m.Report.Message
		default:
			m.State, m.Message = v1alpha1.MemberProvisioning, ""
			d.sooner(podsPatience)
		}
	}
}

// image notes what the nodes have of a member's image, and says so where they differ.
func (d *decision) image(m *v1alpha1.MemberStatus, images []string) {
	if m.ImageDigest != "" || len(images) == 0 {
		return
	}
	m.ImageDigest = images[0]
	if len(images) > 1 {
		d.events = append(d.events, event{true, "ImagesDiffer", fmt.Sprintf("%s: nodes have different images of the name %s: %s; name it with a digest", m.Name, m.Image, strings.Join(images, ", "))})
	}
}

// witnessed says whether what Kubernetes tells of a member is saved, or is not going to
// be; if not, it has it saved.
func (d *decision) witnessed(w *world, u *v1alpha1.Unit, m *v1alpha1.MemberStatus, o *observed) bool {
	if m.Witness != nil && m.Witness.Digest != "" {
		return true
	}
	if o.witness == nil {
		d.witness = append(d.witness, u.Name)
		d.sooner(witnessPatience)
		return false
	}
	left := witnessPatience - w.now.Sub(o.witness.made)
	if left > 0 && !o.witness.failed {
		d.sooner(left)
		return false
	}
	why := o.witness.said
	if why == "" && o.witness.failed {
		why = "the Job " + witnessName(o.cluster) + " failed"
	} else if why == "" {
		why = fmt.Sprintf("it took longer than %v", witnessPatience)
	}
	m.Message = "what Kubernetes tells of it could not be saved: " + why
	return true
}

// lost says what the report tells of the end.
func lost(m *v1alpha1.MemberStatus) string {
	if m.Report == nil || m.Report.Message == "" {
		return ""
	}
	return "the MiniCluster ended before its agent had saved the results: " + m.Report.Message
}

// troubled is of a member whose pods do not start.
func (d *decision) troubled(w *world, u *v1alpha1.Unit, m *v1alpha1.MemberStatus, t *trouble) {
	if m.Report == nil {
		m.State = v1alpha1.MemberProvisioning
	}
	m.Message = t.reason + ": " + t.message
	if t.reason == "Unschedulable" || t.reason == "PodsRefused" {
		return // nodes or room may come; the deadline ends it
	}
	if left := imagePatience - w.now.Sub(t.since); left > 0 {
		d.sooner(left)
		return
	}
	if m.Report != nil {
		return // something ran: its agent decides
	}
	if m.Tries >= maxTries || t.reason == "ImageError" {
		m.State = v1alpha1.MemberFailed
		return
	}
	d.remove = append(d.remove, u.Name) // and made again
}

// saved says whether the results of a member are where they should be. Without an archive
// nowhere is where they should be but the cluster.
func saved(w *world, m *v1alpha1.MemberStatus) bool {
	return m.Report != nil && m.Report.State == v1alpha1.AgentSaved && m.Report.Digest != "" && archived(w)
}

func archived(w *world) bool {
	return w.spec.Spec.Archive.Repository != "" || w.spec.Spec.Archive.Claim != ""
}

// retained says whether a MiniCluster stays although its results are saved.
func retained(w *world, m *v1alpha1.MemberStatus) bool {
	r := w.spec.Spec.Retain
	if w.ensemble.DeletionTimestamp != nil {
		return false
	}
	if r.For > 0 && w.ensemble.Status.Completion != nil && w.now.Sub(w.ensemble.Status.Completion.Time) >= time.Duration(r.For) {
		return false
	}
	switch r.When {
	case spec.RetainAlways:
		return true
	case spec.RetainOnFailure:
		return m.Report.Outcome != v1alpha1.OutcomeSucceeded
	}
	return false
}

// keeping says whether a MiniCluster stays although all is saved.
func keeping(w *world, s *v1alpha1.EnsembleStatus) bool {
	return slices.ContainsFunc(s.Members, func(m v1alpha1.MemberStatus) bool { return m.State == v1alpha1.MemberSaved && retained(w, &m) })
}

// admit makes members for which there is room, in their order: none overtakes one that
// waits, so that large ones get their turn.
func (d *decision) admit(w *world) {
	if w.spec.Spec.Suspend || w.ensemble.DeletionTimestamp != nil || cancelled(w) || overdue(w) {
		return
	}
	used := 0
	for _, o := range w.seen {
		used += o.size
	}
	for i := range w.units {
		u := &w.units[i]
		m, size := d.status.Member(u.Name), u.Member.Nodes.Size
		if m.State != v1alpha1.MemberWaiting {
			continue
		}
		if most := w.spec.Spec.MaxNodes; most > 0 && used+size > most {
			m.Message = fmt.Sprintf("waits for room: it wants %d nodes, and %d of %d are in use", size, used, most)
			break
		}
		used += size
		now := metav1.NewTime(w.now)
		m.State, m.Message, m.Nodes, m.Made, m.Tries = v1alpha1.MemberProvisioning, "", size, &now, m.Tries+1
		m.Cluster = clusterName(w.ensemble, u, m.Tries)
		d.create = append(d.create, u.Name)
	}
	d.grow(w, used)
}

// grow changes members to the number of nodes that their rules ask for, within their
// limits and the ensemble's.
func (d *decision) grow(w *world, used int) {
	for i := range w.units {
		u := &w.units[i]
		m, o := d.status.Member(u.Name), w.seen[u.Name]
		if m.State != v1alpha1.MemberRunning || m.Report == nil || m.Report.Nodes == 0 || o.cluster == "" || o.lingering {
			continue
		}
		least, most := u.Member.Nodes.Range()
		want := min(max(m.Report.Nodes, least), most)
		if most := w.spec.Spec.MaxNodes; most > 0 {
			want = min(want, max(o.size, most-used+o.size))
		}
		if want != o.size {
			d.resize[u.Name] = want
			used += want - o.size
			m.Nodes = want
		}
	}
}

// release lets go of an Ensemble that is being deleted, once its results are saved, or
// may be lost.
func (d *decision) release(w *world) {
	discard := w.ensemble.Annotations[v1alpha1.DiscardAnnotation] == "true"
	left := deleteGrace - w.now.Sub(w.ensemble.DeletionTimestamp.Time)
	exists := false
	for i := range w.units {
		u := &w.units[i]
		m, o := d.status.Member(u.Name), w.seen[u.Name]
		if o.cluster == "" || o.lingering { // pods of a node that died may never go
			continue
		}
		exists = true
		if o.deleting || slices.Contains(d.remove, u.Name) {
			continue
		}
		nothing := m.Report == nil || m.Report.State == "" || m.Report.State == v1alpha1.AgentStarting
		switch {
		case discard, nothing, m.State == v1alpha1.MemberFailed, !archived(w), left <= 0:
			d.remove = append(d.remove, u.Name)
			if left <= 0 && !saved(w, m) && !nothing {
				d.events = append(d.events, event{true, "ResultsLost", fmt.Sprintf("%s was not saved within %v of the deletion", u.Name, deleteGrace)})
			}
		default:
			d.sooner(left)
		}
	}
	if !exists {
		no := false
		d.finalize = &no
	}
}

// expire deletes an Ensemble whose time is over.
func (d *decision) expire(w *world) {
	r := w.spec.Spec.Retain
	if d.status.Completion == nil || r.For == 0 {
		return
	}
	left := time.Duration(r.For) - w.now.Sub(d.status.Completion.Time)
	if left > 0 {
		d.sooner(left)
		return
	}
	d.deleteSelf = r.Ensemble && len(d.remove) == 0
}

// meaning is what an event says whose condition has nothing to add to its reason.
var meaning = map[string]string{
	"Accepted":     "the spec can be carried out",
	"Provisioning": "waits for its nodes",
	"Provisioned":  "all members have their nodes",
	"Running":      "jobs run",
	"NotRunning":   "no jobs run",
	"Succeeded":    "all jobs succeeded",
	"Saving":       "the results are being saved",
	"Verified":     "all bundles are where they should be, and verified",
	"Cleaning":     "what is not needed any more is deleted",
	"CleanedUp":    "only the Ensemble is left",
	"Retained":     "the MiniClusters stay, as the spec says",
	"NotSaved":     "the MiniClusters stay: their results are not saved",
}

// tell makes events of conditions that changed, and notes since when the phase is.
func (d *decision) tell(w *world) {
	if d.status.Phase != w.ensemble.Status.Phase {
		now := metav1.NewTime(w.now)
		d.status.Since = &now
	}
	for _, c := range d.status.Conditions {
		before := meta.FindStatusCondition(w.ensemble.Status.Conditions, c.Type)
		if before != nil && before.Status == c.Status && before.Reason == c.Reason {
			continue
		}
		if before == nil && c.Status == metav1.ConditionFalse && (c.Reason == "NotYet" || c.Reason == "NotCompleted" || c.Reason == "NotRunning" || c.Reason == "NoArchive") {
			continue
		}
		bad := c.Type == v1alpha1.Accepted && c.Status == metav1.ConditionFalse || c.Type == v1alpha1.Completed && c.Status == metav1.ConditionTrue && c.Reason != string(v1alpha1.OutcomeSucceeded) ||
			c.Type == v1alpha1.Provisioned && c.Status == metav1.ConditionFalse && c.Reason != "Provisioning"
		d.events = append(d.events, event{bad, c.Reason, cmp.Or(c.Message, meaning[c.Reason], c.Type+" is "+string(c.Status))})
	}
}
