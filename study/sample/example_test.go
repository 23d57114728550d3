// SPDX-License-Identifier: MIT

package sample_test

import (
	"context"
	"fmt"

	"github.com/converged-computing/ensemble/study/sample"
)

// Three MPIs, two fabrics and three sizes, of which one MPI lacks a fabric:
// nine rows meet every feasible pair, of fifteen feasible points.
func ExampleCovering() {
	mpi, fabric := 0, 1
	space, err := sample.NewSpace(context.Background(), []int{3, 2, 3}, sample.Constraint{
		Name:    "the last MPI runs on the first fabric only",
		Factors: []int{mpi, fabric},
		Allows:  func(levels []int) bool { return levels[0] < 2 || levels[1] == 0 },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	rows, err := sample.Covering(ctx, space, 2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(rows), "rows")
	cut, err := sample.Coverage(ctx, space, 2, rows[:6])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("the first 6 cover %d of %d pairs\n", cut.Covered, cut.Total)
	// Output:
	// 9 rows
	// the first 6 cover 17 of 20 pairs
}
