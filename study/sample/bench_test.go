// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"testing"
)

// BenchmarkCovering makes pairwise arrays of the published spaces; rows stand
// beside PICT's, and are the mean over seeds.
func BenchmarkCovering(b *testing.B) {
	for _, p := range published {
		b.Run(p.name, func(b *testing.B) {
			s := brute{levels: p.levels}.space(b)
			rows, seed := 0, uint64(0)
			for b.Loop() {
				rows += len(covering(b, s, 2, seed))
				seed++
			}
			b.ReportMetric(float64(rows)/float64(seed), "rows")
			b.ReportMetric(float64(p.pict), "pict-rows")
		})
	}
}

func BenchmarkCoveringStrength(b *testing.B) {
	for _, c := range []struct {
		name     string
		space    brute
		strength int
	}{
		{"3-way of 4^10", brute{levels: repeated(4, 10)}, 3},
		{"4-way of 3^10", brute{levels: repeated(3, 10)}, 4},
		{"5-way of 2^15", brute{levels: repeated(2, 15)}, 5},
		{"6-way of 2^12", brute{levels: repeated(2, 12)}, 6},
		{"3-way of 4^10 with constraints", brute{levels: repeated(4, 10), constraints: []Constraint{
			when(0, 0, 1, 2), when(1, 3, 2, 1), sumAtMost(8, 2, 3, 4, 5), sumAtMost(5, 6, 7, 8),
		}}, 3},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := c.space.space(b)
			rows, seed := 0, uint64(0)
			for b.Loop() {
				rows += len(covering(b, s, c.strength, seed))
				seed++
			}
			b.ReportMetric(float64(rows)/float64(seed), "rows")
		})
	}
}

// BenchmarkFull streams a million points, with and without constraints.
func BenchmarkFull(b *testing.B) {
	for _, c := range []struct {
		name  string
		space brute
	}{
		{"10^6", brute{levels: repeated(10, 6)}},
		{"10^7 with constraints", brute{levels: repeated(10, 7), constraints: []Constraint{sumAtMost(12, 0, 1, 2), sumAtMost(9, 4, 6)}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := c.space.space(b)
			points := 0
			for b.Loop() {
				for range Full(b.Context(), s) {
					points++
				}
			}
			b.ReportMetric(float64(points)/b.Elapsed().Seconds(), "points/s")
		})
	}
}

func BenchmarkRandom(b *testing.B) {
	s := brute{levels: repeated(10, 20), constraints: []Constraint{sumAtMost(12, 0, 1, 2), when(3, 3, 4, 4)}}.space(b)
	for b.Loop() {
		if _, err := Random(context.Background(), s, 100, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSobol(b *testing.B) {
	points, err := ScrambledSobol(MaxSobolDims, 1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		for range points {
			if n++; n == 1024 {
				break
			}
		}
	}
}
