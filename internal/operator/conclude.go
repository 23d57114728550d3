// SPDX-License-Identifier: MIT

package operator

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sum adds up what members say.
func (d *decision) sum(w *world) {
	s := d.status
	s.Jobs, s.Nodes, s.Digest = v1alpha1.JobCounts{}, 0, ""
	hours := 0.0
	for i := range s.Members {
		m := &s.Members[i]
		s.Nodes += m.Nodes
		hours += float64(max(m.Nodes, sizeOf(w, m.Name))) * m.Age(w.now).Hours()
		if m.Made != nil && (s.Start == nil || m.Made.Before(s.Start)) {
			s.Start = m.Made
		}
		if m.Report == nil {
			continue
		}
		s.Jobs.Add(m.Report.Jobs)
		s.Digest = cmp.Or(s.Digest, m.Report.Digest)
	}
	// Two digits: a status that changes every second would be written every second.
	s.NodeHours = strconv.FormatFloat(hours, 'f', 2, 64)
}

func sizeOf(w *world, unit string) int {
	for i := range w.units {
		if w.units[i].Name == unit {
			return w.units[i].Member.Nodes.Size
		}
	}
	return 0
}

func cancelled(w *world) bool {
	_, ok := w.ensemble.Annotations[v1alpha1.CancelAnnotation]
	return ok
}

// overdue says whether the deadline is over.
func overdue(w *world) bool {
	limit := time.Duration(w.spec.Spec.Deadline)
	return limit > 0 && w.now.Sub(w.ensemble.CreationTimestamp.Time) >= limit
}

// done says whether nothing more comes of a member.
func done(w *world, m *v1alpha1.MemberStatus) bool {
	switch m.State {
	case v1alpha1.MemberSaved, v1alpha1.MemberFailed, v1alpha1.MemberCleaned:
		return true
	case v1alpha1.MemberWaiting:
		return cancelled(w) || overdue(w) || w.ensemble.DeletionTimestamp != nil
	}
	// Without an archive the agent has done all that it can.
	return m.Report != nil && m.Report.State == v1alpha1.AgentSaved
}

// conclude sets the conditions and the phase.
func (d *decision) conclude(w *world, c *conditions) {
	s := d.status
	if limit := time.Duration(w.spec.Spec.Deadline); limit > 0 && !overdue(w) {
		d.sooner(limit - w.now.Sub(w.ensemble.CreationTimestamp.Time))
	}
	var waiting, provisioning, running, saving, saved, over, cleaned int
	var why []string
	for i := range s.Members {
		m := &s.Members[i]
		if m.Message != "" {
			why = append(why, m.Name+": "+m.Message)
		}
		if done(w, m) {
			over++
		}
		switch m.State {
		case v1alpha1.MemberWaiting:
			waiting++
		case v1alpha1.MemberProvisioning:
			provisioning++
		case v1alpha1.MemberRunning:
			running++
			if m.Report != nil && m.Report.State == v1alpha1.AgentSaving {
				saving++
			}
		case v1alpha1.MemberCleaned:
			saved++
			cleaned++
		case v1alpha1.MemberSaved:
			saved++
		}
		if m.State == v1alpha1.MemberFailed && (m.Gone != nil || m.Made == nil) {
			cleaned++
		}
	}
	message := strings.Join(why, "; ")
	all := len(s.Members)
	switch {
	case w.spec.Spec.Suspend && waiting > 0:
		c.set(v1alpha1.Provisioned, false, "Suspended", message)
	case waiting > 0 && over < all:
		c.set(v1alpha1.Provisioned, false, "NoRoom", message)
	case provisioning > 0:
		c.set(v1alpha1.Provisioned, false, troubleReason(s, "Provisioning"), message)
	default:
		c.set(v1alpha1.Provisioned, true, "Provisioned", "")
	}
	c.set(v1alpha1.Running, running > saving, map[bool]string{true: "Running", false: "NotRunning"}[running > saving], "")
	outcome, about := d.outcome(w)
	if over == all {
		if s.Completion == nil {
			now := metav1.NewTime(w.now)
			s.Completion = &now
		}
		c.set(v1alpha1.Completed, true, string(outcome), cmp.Or(about, message))
	} else {
		c.set(v1alpha1.Completed, false, "NotCompleted", message)
	}
	switch {
	case !archived(w):
		c.set(v1alpha1.Archived, false, "NoArchive", "the spec names none: the results stay in the cluster")
	case saved == all:
		c.set(v1alpha1.Archived, true, "Verified", "")
	case over == all:
		c.set(v1alpha1.Archived, false, "Incomplete", fmt.Sprintf("%d of %d members saved their results", saved, all))
	case saving > 0:
		c.set(v1alpha1.Archived, false, "Saving", message)
	default:
		c.set(v1alpha1.Archived, false, "NotYet", "")
	}
	clean := over == all && cleaned == all
	switch {
	case clean:
		c.set(v1alpha1.CleanedUp, true, "CleanedUp", "")
	case over < all:
		c.set(v1alpha1.CleanedUp, false, "NotYet", "")
	case !archived(w) || saved < all:
		c.set(v1alpha1.CleanedUp, false, "NotSaved", "what is not saved stays; delete the Ensemble to have it cleaned")
	case keeping(w, s):
		c.set(v1alpha1.CleanedUp, false, "Retained", "")
	default:
		c.set(v1alpha1.CleanedUp, false, "Cleaning", "")
	}
	switch {
	case over == all && outcome != v1alpha1.OutcomeSucceeded:
		s.Phase = v1alpha1.PhaseFailed
	case over == all && !clean && saved == all && !keeping(w, s):
		s.Phase = v1alpha1.PhaseCleaning
	case over == all:
		s.Phase = v1alpha1.PhaseCompleted
	case running > 0 && saving == running && provisioning+waiting == 0:
		s.Phase = v1alpha1.PhaseSaving
	case running > 0:
		s.Phase = v1alpha1.PhaseRunning
	case provisioning > 0:
		s.Phase = v1alpha1.PhaseProvisioning
	default:
		s.Phase = v1alpha1.PhasePending
	}
}

// troubleReason is why members are not provisioned, where one has a reason.
func troubleReason(s *v1alpha1.EnsembleStatus, otherwise string) string {
	for i := range s.Members {
		reason, _, ok := strings.Cut(s.Members[i].Message, ": ")
		if ok && s.Members[i].State == v1alpha1.MemberProvisioning && !strings.Contains(reason, " ") {
			return reason
		}
	}
	return otherwise
}

// worst orders outcomes: of several members the worst is the ensemble's.
var worst = []v1alpha1.Outcome{v1alpha1.OutcomeSucceeded, v1alpha1.OutcomeJobsFailed, v1alpha1.OutcomeCancelled,
	v1alpha1.OutcomeDeadlineExceeded, v1alpha1.OutcomeFailed, v1alpha1.OutcomeInstanceLost}

// outcome is how the ensemble ended.
func (d *decision) outcome(w *world) (o v1alpha1.Outcome, about string) {
	o = v1alpha1.OutcomeSucceeded
	worse := func(x v1alpha1.Outcome, why string) {
		if slices.Index(worst, x) > slices.Index(worst, o) {
			o, about = x, why
		}
	}
	for i := range d.status.Members {
		m := &d.status.Members[i]
		switch {
		case m.Report != nil && m.Report.Outcome != "":
			worse(m.Report.Outcome, m.Report.Message)
		case m.State == v1alpha1.MemberFailed && m.Report == nil:
			worse(v1alpha1.OutcomeFailed, m.Message)
		case m.State == v1alpha1.MemberFailed:
			worse(v1alpha1.OutcomeInstanceLost, m.Message)
		case m.State == v1alpha1.MemberWaiting && overdue(w):
			worse(v1alpha1.OutcomeDeadlineExceeded, "members never started")
		case m.State == v1alpha1.MemberWaiting && cancelled(w):
			worse(v1alpha1.OutcomeCancelled, w.ensemble.Annotations[v1alpha1.CancelAnnotation])
		case m.State == v1alpha1.MemberWaiting && w.ensemble.DeletionTimestamp != nil:
			worse(v1alpha1.OutcomeCancelled, "the Ensemble was deleted before anything ran")
		}
	}
	if o == v1alpha1.OutcomeJobsFailed && about == "" {
		about = fmt.Sprintf("%d of %d jobs failed", d.status.Jobs.Failed, d.status.Jobs.Total)
	}
	return o, about
}

// conditions sets conditions of one status.
type conditions struct {
	status     *v1alpha1.EnsembleStatus
	generation int64
	now        time.Time
}

func (c *conditions) set(kind string, is bool, reason, message string) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	const most = 32 << 10 // of the message, as the API allows
	if len(message) > most {
		message = message[:most-3] + "..."
	}
	meta.SetStatusCondition(&c.status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: c.generation, LastTransitionTime: metav1.NewTime(c.now)})
}
