// SPDX-License-Identifier: MIT

package spec

// Ensemble is a file that holds all that a run needs: a study together with
// the applications it uses, their decks included, so that no catalog has to be
// at hand where it runs.
type Ensemble struct {
	Header
	// Spec is the ensemble itself.
	Spec EnsembleSpec `json:"spec"`
}

// EnsembleSpec is a study with its applications. The study stays unexpanded,
// since file and seed give the same plan everywhere.
type EnsembleSpec struct {
	// Applications are the definitions that the study names, decks included.
	Applications []Application `json:"applications"`
	// Study is what to run.
	Study StudySpec `json:"study"`
}
