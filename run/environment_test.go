// SPDX-License-Identifier: MIT

package run

import "testing"

func TestAUserNamespaceIsSeenByItsMap(t *testing.T) {
	t.Parallel()
	for uidMap, want := range map[string]bool{
		"         0          0 4294967295\n":                               false,
		"         0       1000          1\n         1     100000  65536\n": true,
		"         0          0      65536\n":                               true,
	} {
		if got := inUserNamespace(uidMap); got != want {
			t.Errorf("%q is in a user namespace: %v, want %v", uidMap, got, want)
		}
	}
}
