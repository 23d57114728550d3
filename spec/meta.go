// SPDX-License-Identifier: MIT

package spec

// APIVersion is the one version of every file that this module reads and
// writes.
const APIVersion = "converged-computing.org/v1alpha1"

// Kind says what a file holds.
type Kind string

// The kinds of file.
const (
	KindApplication Kind = "Application"
	KindStudy       Kind = "Study"
	KindEnsemble    Kind = "Ensemble"
	KindEnvironment Kind = "Environment"
	KindParts       Kind = "Parts"
	KindLock        Kind = "Lock"
)

// Header opens every file.
type Header struct {
	// APIVersion is converged-computing.org/v1alpha1.
	APIVersion string `json:"apiVersion" jsonschema:"enum=converged-computing.org/v1alpha1"`
	// Kind says what the file holds.
	Kind Kind `json:"kind" jsonschema:"enum=Application,enum=Study,enum=Ensemble,enum=Environment,enum=Parts,enum=Lock"`
	// Metadata names the object.
	Metadata Metadata `json:"metadata"`
}

// Metadata names an object.
type Metadata struct {
	// Name is what the command line, records and reports call the object:
	// letters, digits, dots, dashes and underscores, 63 at most.
	Name string `json:"name" jsonschema:"pattern=^[A-Za-z0-9]([A-Za-z0-9._-]{0\\,61}[A-Za-z0-9])?$"`
	// Labels are free key-value pairs that records carry along.
	Labels map[string]string `json:"labels,omitempty"`
}

// An Object is one decoded file: a pointer to Application, Study, Ensemble,
// Environment, Parts or Lock.
type Object interface {
	// Head gives the part that every kind shares.
	Head() *Header
	// Default fills what the file left out.
	Default()
	// Check lists the faults that types and ranges cannot express; the path of
	// each is relative to the document.
	Check() []Fault
}

// Head gives the part that every kind shares.
func (h *Header) Head() *Header { return h }

var (
	_ Object = (*Application)(nil)
	_ Object = (*Study)(nil)
	_ Object = (*Ensemble)(nil)
	_ Object = (*Environment)(nil)
	_ Object = (*Parts)(nil)
	_ Object = (*Lock)(nil)
)
