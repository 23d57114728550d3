// SPDX-License-Identifier: MIT

package sample

import "testing"

func TestFieldsObeyTheLaws(t *testing.T) {
	for _, q := range []int{2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 32, 49} {
		f, ok := newField(q)
		if !ok {
			t.Fatalf("no field of %d", q)
		}
		for a := range q {
			inverse := false
			for b := range q {
				inverse = inverse || f.mul[a][b] == 1
				if f.sum[a][b] != f.sum[b][a] || f.mul[a][b] != f.mul[b][a] {
					t.Fatalf("GF(%d): %d and %d do not commute", q, a, b)
				}
				for c := range q {
					if f.mul[a][f.sum[b][c]] != f.sum[f.mul[a][b]][f.mul[a][c]] {
						t.Fatalf("GF(%d): %d(%d+%d) does not distribute", q, a, b, c)
					}
					if f.mul[a][f.mul[b][c]] != f.mul[f.mul[a][b]][c] {
						t.Fatalf("GF(%d): %d*%d*%d does not associate", q, a, b, c)
					}
				}
			}
			if a > 0 && !inverse {
				t.Fatalf("GF(%d): %d has no inverse", q, a)
			}
		}
	}
	for _, q := range []int{0, 1, 6, 10, 12, 36} {
		if _, ok := newField(q); ok {
			t.Errorf("a field of %d", q)
		}
	}
}

func TestArraysCoverEveryTuple(t *testing.T) {
	tests := []struct {
		name               string
		q, strength, times int
		rows, columns      int
	}{
		{"orthogonal, two levels", 2, 2, 0, 4, 3},
		{"orthogonal, three levels", 3, 2, 0, 9, 4},
		{"orthogonal, strength one", 5, 1, 0, 5, 6},
		{"orthogonal, strength three", 4, 3, 0, 64, 5},
		{"orthogonal, strength four", 5, 4, 0, 625, 6},
		{"multiplied once", 3, 2, 1, 15, 13},
		{"multiplied twice", 3, 2, 2, 21, 40},
		{"multiplied, two levels", 2, 2, 3, 10, 31},
		{"multiplied, four levels", 4, 2, 1, 28, 21},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, _ := newField(test.q)
			rows := f.orthogonal(test.strength)
			for range test.times {
				rows = f.multiplied(rows)
			}
			if len(rows) != test.rows || len(rows[0]) != test.columns {
				t.Errorf("%d rows of %d, want %d of %d", len(rows), len(rows[0]), test.rows, test.columns)
			}
			for _, columns := range subsets(test.columns, test.strength) {
				seen := map[int]bool{}
				for _, row := range rows {
					n := 0
					for _, c := range columns {
						n = n*test.q + row[c]
					}
					seen[n] = true
				}
				want := 1
				for range columns {
					want *= test.q
				}
				if len(seen) != want {
					t.Fatalf("columns %v have %d tuples, want %d", columns, len(seen), want)
				}
			}
		})
	}
}
