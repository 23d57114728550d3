// SPDX-License-Identifier: MIT

package v1alpha1

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/spec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of the resource, and of the file.
var GroupVersion = schema.GroupVersion{Group: "converged-computing.org", Version: "v1alpha1"}

// AddToScheme registers the resource.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Ensemble{}, &EnsembleList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

const (
	// Finalizer keeps an Ensemble until its results are saved and its cluster is clean.
	Finalizer = "converged-computing.org/ensemble"
	// CancelAnnotation asks for the end of a run; its value is the reason.
	CancelAnnotation = "converged-computing.org/cancel"
	// EnvironmentAnnotation names the environment that the cluster is, where the study
	// names several.
	EnvironmentAnnotation = "converged-computing.org/environment"
	// DiscardAnnotation, with the value "true", has an Ensemble that is being deleted
	// cleaned at once, results that are not saved included.
	DiscardAnnotation = "converged-computing.org/discard-results"
	// EnsembleLabel is on all that the operator makes: the UID of the Ensemble.
	EnsembleLabel = "converged-computing.org/ensemble-uid"
	// WitnessLabel is on the Job that saves what Kubernetes tells of a member, and on its
	// pods; its value is the MiniCluster's name.
	WitnessLabel = "converged-computing.org/witness-of"
	// MemberLabel is on all that belongs to a member: its name in the status.
	MemberLabel = "converged-computing.org/member"
)

// Ensemble is the resource.
type Ensemble struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is that of an Ensemble file, as it came.
	Spec Raw `json:"spec"`
	// Status is how its run stands.
	Status EnsembleStatus `json:"status,omitzero"`
}

// Raw is JSON as it came.
type Raw []byte

// MarshalJSON gives it as it is.
func (r Raw) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy.
func (r *Raw) UnmarshalJSON(b []byte) error {
	*r = slices.Clone(b)
	return nil
}

// Decode reads the spec as the file that it is. The error is a *[spec.FileError], whose
// paths are those of the resource.
func (e *Ensemble) Decode() (*spec.Ensemble, error) {
	doc, err := e.Document()
	if err != nil {
		return nil, err
	}
	return doc.Object.(*spec.Ensemble), nil
}

// Document reads the spec as Decode does, with the places of its fields.
func (e *Ensemble) Document() (*spec.Document, error) {
	file := struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       Raw            `json:"spec"`
	}{spec.APIVersion, string(spec.KindEnsemble), map[string]any{"name": e.Name}, e.Spec}
	b, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of %s: %w", e.Name, err)
	}
	return spec.Decode("ensemble/"+e.Name, b)
}

// EnsembleStatus is how a run stands.
type EnsembleStatus struct {
	// ObservedGeneration is that of the spec which this status is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Phase is the run in a word, for people; programs read Conditions.
	Phase Phase `json:"phase,omitempty"`
	// Since is when it came into this phase.
	Since      *metav1.Time       `json:"since,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Members are those of the spec, one for each image.
	Members []MemberStatus `json:"members,omitempty"`
	// Jobs are the sums over all members.
	Jobs JobCounts `json:"jobs,omitzero"`
	// Nodes is how many nodes all members have now.
	Nodes int `json:"nodes,omitempty"`
	// NodeHours is nodes times hours that members existed.
	NodeHours string `json:"nodeHours,omitempty"` // decimal
	// Start and Completion are when the first member was made, and when the last was
	// done.
	Start      *metav1.Time `json:"start,omitempty"`
	Completion *metav1.Time `json:"completion,omitempty"`
	// Digest is that of the bundle; of several members' of the first. All stand in
	// Members.
	Digest string `json:"digest,omitempty"`
}

// Phase is a run in a word.
type Phase string

// The phases, in their order.
const (
	PhasePending      Phase = "Pending"      // not accepted yet, or suspended, or no room
	PhaseRefused      Phase = "Refused"      // the spec is wrong
	PhaseProvisioning Phase = "Provisioning" // nodes are being made
	PhaseRunning      Phase = "Running"
	PhaseSaving       Phase = "Saving" // all jobs are done, results are on their way
	PhaseCleaning     Phase = "Cleaning"
	PhaseCompleted    Phase = "Completed"
	PhaseFailed       Phase = "Failed"
)

// The types of conditions.
const (
	Accepted    = "Accepted"
	Provisioned = "Provisioned"
	Running     = "Running"
	Completed   = "Completed"
	Archived    = "Archived"
	CleanedUp   = "CleanedUp"
)

// JobCounts are jobs by how they stand.
type JobCounts struct {
	// Total is how many are known so far; with rules it grows.
	Total int `json:"total,omitempty"`
	// Active are those that were submitted and have not ended.
	Active    int `json:"active,omitempty"`
	Succeeded int `json:"succeeded,omitempty"`
	// Failed are those that ended in another way.
	Failed int `json:"failed,omitempty"`
}

// Add adds counts.
func (c *JobCounts) Add(o JobCounts) {
	c.Total, c.Active, c.Succeeded, c.Failed = c.Total+o.Total, c.Active+o.Active, c.Succeeded+o.Succeeded, c.Failed+o.Failed
}

// MemberStatus is how a member stands.
type MemberStatus struct {
	// Name is the member's, with the number of its image where it has several.
	Name string `json:"name"`
	// Image is that of its applications, and Variants those that run in it where the
	// spec names them; Cluster is the name of its MiniCluster, empty as long as there is
	// none.
	Image    string   `json:"image,omitempty"`
	Variants []string `json:"variants,omitempty"`
	Cluster  string   `json:"cluster,omitempty"`
	// ImageDigest is that of the image as nodes have it, sha256:…, which a tag does not
	// tell.
	ImageDigest string `json:"imageDigest,omitempty"`
	// Nodes is how many it has.
	Nodes int         `json:"nodes,omitempty"`
	State MemberState `json:"state,omitempty"`
	// Message says what it waits for or why it failed, and what to do.
	Message string `json:"message,omitempty"`
	// Tries is how often its MiniCluster was made.
	Tries int `json:"tries,omitempty"`
	// Made and Gone frame the time for which its MiniCluster existed.
	Made *metav1.Time `json:"made,omitempty"`
	Gone *metav1.Time `json:"gone,omitempty"`
	// Report is what its agent says.
	Report *Report `json:"report,omitempty"`
	// Hardware is what its nodes are, each kind once.
	Hardware []NodeKind `json:"hardware,omitempty"`
	// Witness is where the events and the pods of the member were saved.
	Witness *Witness `json:"witness,omitempty"`
}

// NodeKind is a kind of nodes, as Kubernetes knows them. Count is of those that were looked
// at, which are no more than 64 of a member.
type NodeKind struct {
	Count        int    `json:"count"`
	Instance     string `json:"instance,omitempty"` // label node.kubernetes.io/instance-type
	Zone         string `json:"zone,omitempty"`     // label topology.kubernetes.io/zone
	Provider     string `json:"provider,omitempty"` // the scheme of its provider ID
	OS           string `json:"os,omitempty"`
	Kernel       string `json:"kernel,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Runtime      string `json:"runtime,omitempty"` // of containers, with its version
	Kubelet      string `json:"kubelet,omitempty"` // version
}

// Witness tells of what Kubernetes told of a member, saved as an artifact that refers to
// the bundle. Nobody but the witness writes it.
type Witness struct {
	Digest string `json:"digest,omitempty"`
	// Objects and Events are how many are in it.
	Objects int         `json:"objects,omitempty"`
	Events  int         `json:"events,omitempty"`
	Time    metav1.Time `json:"time,omitzero"`
}

// MemberState is how a member stands, as the operator sees it.
type MemberState string

// The states of a member.
const (
	MemberWaiting      MemberState = "Waiting" // there is no room within maxNodes
	MemberProvisioning MemberState = "Provisioning"
	MemberRunning      MemberState = "Running"
	MemberSaved        MemberState = "Saved"  // its results are where they should be
	MemberFailed       MemberState = "Failed" // it ended without
	MemberCleaned      MemberState = "Cleaned"
)

// Report is what an agent says of its member. Nobody else writes it.
type Report struct {
	// Pod is the UID of the pod in which the agent is.
	Pod string `json:"pod,omitempty"`
	// State is what it is at.
	State AgentState `json:"state,omitempty"`
	// Outcome is how the run ended, once it did.
	Outcome Outcome `json:"outcome,omitempty"`
	// Message says what goes wrong.
	Message string       `json:"message,omitempty"`
	Jobs    JobCounts    `json:"jobs,omitzero"`
	Groups  []GroupCount `json:"groups,omitempty"`
	// Digest and Reference are those of the bundle that was pushed and verified.
	Digest    string `json:"digest,omitempty"`
	Reference string `json:"reference,omitempty"`
	// Nodes is how many rules ask for; 0 is nothing.
	Nodes int `json:"nodes,omitempty"`
	// Time is when this was so.
	Time metav1.Time `json:"time,omitzero"`
}

// GroupCount are the jobs of one group.
type GroupCount struct {
	Name      string `json:"name"`
	JobCounts `json:",inline"`
}

// AgentState is what an agent is at.
type AgentState string

// The states of an agent, in their order.
const (
	AgentStarting AgentState = "Starting" // waits for Flux
	AgentRunning  AgentState = "Running"
	AgentSaving   AgentState = "Saving"
	AgentSaved    AgentState = "Saved" // pushed and verified
)

// Outcome is how a run ended.
type Outcome string

// The outcomes, which are reasons of the condition Completed.
const (
	OutcomeSucceeded        Outcome = "Succeeded"
	OutcomeJobsFailed       Outcome = "JobsFailed"
	OutcomeDeadlineExceeded Outcome = "DeadlineExceeded"
	OutcomeCancelled        Outcome = "Cancelled"
	OutcomeInstanceLost     Outcome = "InstanceLost"
	OutcomeFailed           Outcome = "Failed" // of the run itself: see the message
)

// EnsembleList is a list of the resource.
type EnsembleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Ensemble `json:"items"`
}

// DeepCopyObject copies.
func (e *Ensemble) DeepCopyObject() runtime.Object { return e.DeepCopy() }

// DeepCopy copies. The bytes of the spec are shared: nobody changes them in place.
func (e *Ensemble) DeepCopy() *Ensemble {
	out := *e
	out.ObjectMeta = *e.ObjectMeta.DeepCopy()
	out.Status = *e.Status.DeepCopy()
	return &out
}

// DeepCopyObject copies.
func (l *EnsembleList) DeepCopyObject() runtime.Object {
	out := *l
	out.ListMeta = *l.ListMeta.DeepCopy()
	out.Items = make([]Ensemble, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopy()
	}
	return &out
}

// DeepCopy copies.
func (s *EnsembleStatus) DeepCopy() *EnsembleStatus {
	out := *s
	out.Conditions = slices.Clone(s.Conditions)
	out.Start, out.Completion, out.Since = s.Start.DeepCopy(), s.Completion.DeepCopy(), s.Since.DeepCopy()
	out.Members = slices.Clone(s.Members)
	for i := range out.Members {
		m := &out.Members[i]
		m.Variants, m.Made, m.Gone = slices.Clone(m.Variants), m.Made.DeepCopy(), m.Gone.DeepCopy()
		if m.Report != nil {
			r := *m.Report
			r.Groups = slices.Clone(r.Groups)
			m.Report = &r
		}
		m.Hardware = slices.Clone(m.Hardware)
		if m.Witness != nil {
			w := *m.Witness
			m.Witness = &w
		}
	}
	return &out
}

// Member finds the status of a member.
func (s *EnsembleStatus) Member(name string) *MemberStatus {
	i := slices.IndexFunc(s.Members, func(m MemberStatus) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Members[i]
}

// Age is how long a member's MiniCluster has existed at a time.
func (m *MemberStatus) Age(now time.Time) time.Duration {
	switch {
	case m.Made == nil:
		return 0
	case m.Gone != nil:
		return m.Gone.Sub(m.Made.Time)
	}
	return now.Sub(m.Made.Time)
}
