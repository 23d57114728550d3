// SPDX-License-Identifier: MIT

package minicluster

import (
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestZ85WritesTheExampleOfItsSpecification(t *testing.T) {
	t.Parallel()
	// ZeroMQ RFC 32, section "Test case".
	if got := z85([]byte{0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B}); got != "HelloWorld" {
		t.Errorf("got %q, want HelloWorld", got)
	}
}

func TestAMiniClusterHasWhatItCannotWorkWithout(t *testing.T) {
	t.Parallel()
	u, err := New("ns", "name", Spec{Size: 2, Containers: []Container{{Image: "app", RunFlux: true}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"spec", "interactive"}, {"spec", "logging", "quiet"}} {
		if v, _, err := unstructured.NestedBool(u.Object, path...); err != nil || !v {
			t.Errorf("%v is %v (%v), want true", path, v, err)
		}
	}
	if v, _, _ := unstructured.NestedString(u.Object, "spec", "flux", "scheduler", "queuePolicy"); v != "easy" {
		t.Errorf("the queue policy is %q, want easy", v)
	}
	if _, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "cleanup"); ok {
		t.Error("cleanup is set")
	}
	cert, _, _ := unstructured.NestedString(u.Object, "spec", "flux", "curveCert")
	form := regexp.MustCompile(`^metadata\n    name = "name"\ncurve\n    public-key = "([^"]{40})"\n    secret-key = "([^"]{40})"\n$`)
	if !form.MatchString(cert) {
		t.Errorf("the certificate is %q", cert)
	}
	other, err := Certificate("name")
	if err != nil || other == cert {
		t.Errorf("a second certificate is the first (%v)", err)
	}
}
