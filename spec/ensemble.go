// SPDX-License-Identifier: MIT

package spec

// Ensemble is a file that holds all that a run needs: groups of jobs and the
// rules that steer them, or a study, together with the applications they use,
// their decks included, so that no catalog has to be at hand where it runs.
type Ensemble struct {
	Header
	// Spec is the ensemble itself.
	Spec EnsembleSpec `json:"spec"`
}

// EnsembleSpec is what runs and what steers it. A study stays unexpanded, since
// file and seed give the same plan everywhere.
type EnsembleSpec struct {
	// Description says in a sentence or two what the ensemble is for.
	Description string `json:"description,omitempty"`
	// Applications are the definitions that the study and the groups name, decks
	// included. Those of the catalog need not be given by hand.
	Applications []Application `json:"applications,omitempty"`
	// Study is a study whose trials run, its sweeps being groups.
	Study StudySpec `json:"study,omitzero"`
	// Groups are sets of alike jobs.
	Groups []Group `json:"groups,omitempty"`
	// Rules say what to do when something happens.
	Rules []EnsembleRule `json:"rules,omitempty"`
	// Heartbeat is the interval of the event heartbeat; none by default.
	Heartbeat Duration `json:"heartbeat,omitempty"`
	// Run says how the jobs of groups run.
	Run RunPolicy `json:"run,omitzero"`
	// Limits end the run whatever its rules say.
	Limits Limits `json:"limits,omitzero"`
	// Keep has the run wait for more when nothing runs and no rule can fire but
	// by a heartbeat; it ends by a rule or a limit.
	Keep bool `json:"keep,omitempty"`

	// Members are nodes on Kubernetes; what follows is for runs there too.
	Members []Member `json:"members,omitempty"`
	// MaxNodes is how many nodes all members may have at a time; those for which there
	// is no room wait. The default is no limit.
	MaxNodes int `json:"maxNodes,omitempty" jsonschema:"minimum=1"`
	// Deadline is how long all may take, from the creation of the resource until what
	// ran is being saved; none by default.
	Deadline Duration `json:"deadline,omitempty"`
	// Archive is where results go. Without one they stay in the cluster, which then
	// stays too.
	Archive Archive `json:"archive,omitzero"`
	// Retain says what stays when all is saved.
	Retain Retain `json:"retain,omitzero"`
	// Suspend has nothing started that is not running.
	Suspend bool `json:"suspend,omitempty"`
}
