// SPDX-License-Identifier: MIT

package study

import (
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/spec"
)

func TestTheRepetitionsThatAreProfiled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy spec.RunPolicy
		mpi    spec.MPI
		want   []int // of ten
	}{
		{"none by default", spec.RunPolicy{}, spec.OpenMPI, nil},
		{"none where a sweep says so", spec.RunPolicy{Profile: spec.ProfileNone}, spec.OpenMPI, nil},
		{"all where no share is given", spec.RunPolicy{Profile: spec.ProfileMPI}, spec.OpenMPI, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"half of them, in turn", spec.RunPolicy{Profile: spec.ProfileMPI, ProfileShare: 0.5}, spec.MPICH, []int{2, 4, 6, 8, 10}},
		{"a third, spread", spec.RunPolicy{Profile: spec.ProfileMPI, ProfileShare: 1.0 / 3}, spec.MPICH, []int{3, 6, 9}},
		{"a small share needs many repetitions", spec.RunPolicy{Profile: spec.ProfileMPI, ProfileShare: 0.1}, spec.MPICH, []int{10}},
		{"none of an application without MPI", spec.RunPolicy{Profile: spec.ProfileMPI}, spec.NoMPI, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for n := 1; n <= 10; n++ {
				if profileOf(c.policy, c.mpi, n) == spec.ProfileMPI {
					got = append(got, n)
				}
			}
			if !slices.Equal(c.want, got) {
				t.Errorf("got the repetitions %v, want %v", got, c.want)
			}
		})
	}
}
