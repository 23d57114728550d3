// SPDX-License-Identifier: MIT

package image

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestShare(t *testing.T) {
	t.Parallel()
	image := func(digest string, layers ...int64) Image { // a layer is known by its size
		img := Image{Digest: digest}
		for _, n := range layers {
			img.Layers = append(img.Layers, Layer{Digest: fmt.Sprint(n), Size: n})
		}
		return img
	}
	tests := []struct {
		name string
		a, b Image
		want Shared
	}{
		{"the same layers", image("a", 10, 20), image("b", 10, 20), Shared{2, 30, 1, 1, 1}},
		{"nothing in common", image("a", 10), image("b", 20), Shared{}},
		{"one of three layers, 10 of 40 bytes", image("a", 10, 20), image("b", 10, 10, 11), Shared{1, 10, 1. / 3, 10. / 41, 20. / 51}},
		{"no layers", image("a"), image("b"), Shared{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, got := range []Shared{Share(test.a, test.b), Share(test.b, test.a)} {
				if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	a, b, c := image("a", 10, 20), image("b", 10, 30), image("c", 40)
	want := SharedSet{Images: 3, Pairs: 3, MeanJaccardLayers: 1. / 9, MeanJaccardBytes: 1. / 18, MeanShareBytes: 2. / 21, Apart: 110, Together: 100}
	if diff := cmp.Diff(want, ShareAll([]Image{a, b, c, a}), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(SharedSet{Images: 1, Apart: 40, Together: 40}, ShareAll([]Image{c})); diff != "" {
		t.Errorf("set of one (-want +got):\n%s", diff)
	}
}
