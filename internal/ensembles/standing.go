// SPDX-License-Identifier: MIT

package ensembles

import (
	"fmt"
	"strings"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Standing is how an Ensemble stands.
type Standing struct {
	// Line says it in a line.
	Line string
	// Refused says why the operator takes it for wrong; empty where it does not.
	Refused string
	// Over says that nothing more comes of it: it is completed, saved where it is to be,
	// and cleaned up as far as it is to be.
	Over bool
	// Outcome and Message say how it ended, once it did.
	Outcome v1alpha1.Outcome
	Message string
}

// StandingOf reads a status.
func StandingOf(e *v1alpha1.Ensemble) (s Standing) {
	st := &e.Status
	words := []string{string(st.Phase)}
	if st.Phase == "" {
		words[0] = "waits for the operator"
	}
	if j := st.Jobs; j.Total > 0 {
		words = append(words, fmt.Sprintf("%d of %d jobs done", j.Succeeded+j.Failed, j.Total))
		if j.Failed > 0 {
			words = append(words, fmt.Sprintf("%d failed", j.Failed))
		}
	}
	condition := func(kind string) *metav1.Condition { return meta.FindStatusCondition(st.Conditions, kind) }
	if c := condition(v1alpha1.Accepted); c != nil && c.Status == metav1.ConditionFalse {
		s.Refused = c.Message
	}
	for _, kind := range []string{v1alpha1.Provisioned, v1alpha1.Archived} {
		if c := condition(kind); c != nil && c.Status == metav1.ConditionFalse && c.Message != "" && (kind == v1alpha1.Provisioned || c.Reason == "Saving") {
			words = append(words, c.Message)
		}
	}
	s.Line = strings.Join(words, ", ")
	if c := condition(v1alpha1.Completed); c != nil && c.Status == metav1.ConditionTrue {
		s.Outcome, s.Message = v1alpha1.Outcome(c.Reason), c.Message
		if c := condition(v1alpha1.CleanedUp); c != nil && (c.Status == metav1.ConditionTrue || c.Reason == "Retained" || c.Reason == "NotSaved") {
			s.Over = true
		}
	}
	return s
}
