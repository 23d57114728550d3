// SPDX-License-Identifier: MIT

package spec

import "fmt"

// Default fills what the file left out.
func (a *Application) Default() {
	s := &a.Spec
	setDefault(&s.Scaling, ScalingStrong)
	setDefault(&s.Ranks.Accept, RanksAny)
	setDefault(&s.Ranks.Min, 1)
	for i := range s.Decks {
		setDefault(&s.Decks[i].Source, s.Decks[i].Path)
	}
	for i := range s.Output.Metrics {
		m := &s.Output.Metrics[i]
		setDefault(&m.Role, RoleDetail)
		setDefault(&m.Take, TakeLast)
		setDefault(&m.Scale, 1)
	}
}

// Default fills what the file left out.
func (s *Study) Default() { s.Spec.setDefaults() }

// Default fills what the file left out.
func (e *Ensemble) Default() { e.Spec.setDefaults() }

// Default fills what the file left out.
func (e *Environment) Default() { e.Spec.setDefaults() }

func (s *StudySpec) setDefaults() {
	setDefault(&s.Repetitions, Repetitions{Count: 1})
	setDefault(&s.Order, OrderBlocked)
	for i := range s.Environments {
		s.Environments[i].setDefaults()
	}
	for i := range s.Sweeps {
		w := &s.Sweeps[i]
		if w.Name == "" && len(w.Apps.Values) == 1 {
			w.Name = w.Apps.Values[0].String()
		}
		setDefault(&w.Name, fmt.Sprintf("sweep-%d", i+1))
		setDefault(&w.Repetitions, s.Repetitions)
		setDefault(&w.Sampler.Kind, SampleFull)
		if w.Sampler.Kind == SampleCovering {
			setDefault(&w.Sampler.Strength, 2)
		}
	}
}

func (e *EnvironmentSpec) setDefaults() {
	if e.PricePerNodeHour > 0 {
		setDefault(&e.Currency, "USD")
	}
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
