// SPDX-License-Identifier: MIT

package runtest_test

import (
	"testing"

	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
)

func TestTheFakeConforms(t *testing.T) {
	t.Parallel()
	runtest.Conform(t, func(*testing.T) run.Executor { return new(runtest.Executor) })
}
