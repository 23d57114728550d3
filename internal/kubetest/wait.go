// SPDX-License-Identifier: MIT

package kubetest

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// patience is how long things may take before a test gives up: more than a loaded machine
// needs.
const patience = 2 * time.Minute

// Eventually waits until f gives no error.
func Eventually(t testing.TB, f func() error) {
	t.Helper()
	if err := eventually(t.Context(), f); err != nil {
		t.Fatalf("it did not come to pass: %v", err)
	}
}

func eventually(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
