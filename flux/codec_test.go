// SPDX-License-Identifier: MIT

package flux_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/google/go-cmp/cmp"
)

func TestJobIDsOfRFC19(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"6731191091817518", "ƒuZZybuNNy", "fuZZybuNNy", "0x17e9fb8df16c2e", "0017.e9fb.8df1.6c2e",
		"job.0017.e9fb.8df1.6c2e", "reform-remote-galileo--heart-package-academy", " 6731191091817518\n"} {
		if id, err := flux.ParseJobID(form); err != nil || id != 6731191091817518 {
			t.Errorf("%q is read as %d, %v", form, id, err)
		}
	}
	for _, form := range []string{"", "f", "ƒ", "f0", "fO", "-1", "+1", "1.2.3", "1.2.3.x", "00001.2.3.4", "18446744073709551616",
		"fzzzzzzzzzzzz", "one-two-three", "academy-academy-academy--academy-academy-zzz", "amen-amen-amen--amen-amen-amen", "🚹💂🙌😳💱🏃"} {
		if id, err := flux.ParseJobID(form); err == nil {
			t.Errorf("%q is read as %d", form, id)
		}
	}
	if got := flux.JobID(5 << 24).Age(); got != 5*time.Millisecond {
		t.Errorf("an ID of the fifth millisecond is %v old", got)
	}
}

func TestJobIDsInJSONAreSigned(t *testing.T) {
	t.Parallel()
	var ids []flux.JobID
	if err := json.Unmarshal([]byte(`[-1,7,18446744073709551615]`), &ids); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]flux.JobID{flux.AnyJob, 7, flux.AnyJob}, ids); diff != "" {
		t.Error(diff)
	}
	if b, _ := json.Marshal(ids); string(b) != "[-1,7,-1]" {
		t.Errorf("they are written %s", b)
	}
	if err := json.Unmarshal([]byte(`["7"]`), &ids); err == nil {
		t.Error("a string is taken for an ID")
	}
}

func TestSetsOfIDs(t *testing.T) {
	t.Parallel()
	good := []struct {
		text, again string
		ids         []int
	}{
		{"", "", nil},
		{"[]", "", nil},
		{"0", "0", []int{0}},
		{"1-3,5-6,42", "1-3,5-6,42", []int{1, 2, 3, 5, 6, 42}},
		{"[1,2,3]", "1-3", []int{1, 2, 3}},
	}
	for _, c := range good {
		s, err := flux.ParseIDSet(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(c.ids, slices.Collect(s.All())); diff != "" || s.String() != c.again || s.Len() != len(c.ids) {
			t.Errorf("%q is %q, %d ids:\n%s", c.text, s, s.Len(), diff)
		}
		if !flux.IDs(c.ids...).Equal(s) {
			t.Errorf("%v are not %q", c.ids, s)
		}
	}
	for _, text := range []string{"1-", "-1", "a", "01", "3-1", "2,1", "1,1", "[1", "1]", "1,,2", "+1", "4294967295", "1 "} {
		if s, err := flux.ParseIDSet(text); err == nil {
			t.Errorf("%q is read as %q", text, s)
		}
	}
	if s, err := flux.ParseIDSet("0-4294967293"); err != nil || s.Len() != 4294967294 || !s.Contains(77) || s.Contains(4294967294) {
		t.Errorf("a set of billions is %q with %d, %v", s, s.Len(), err)
	}
}

func TestSetsOfIDsAreCombinedAsSetsAre(t *testing.T) {
	t.Parallel()
	const n = 7
	of := func(bits int) (ids []int) {
		for i := range n {
			if bits&(1<<i) != 0 {
				ids = append(ids, i)
			}
		}
		return ids
	}
	for a := range 1 << n {
		for b := range 1 << n {
			s, u := flux.IDs(of(a)...), flux.IDs(of(b)...)
			if !s.Union(u).Equal(flux.IDs(of(a|b)...)) || !s.Intersect(u).Equal(flux.IDs(of(a&b)...)) || !s.Without(u).Equal(flux.IDs(of(a&^b)...)) {
				t.Fatalf("%q and %q: union %q, intersection %q, difference %q", s, u, s.Union(u), s.Intersect(u), s.Without(u))
			}
		}
	}
}

func TestListsOfHosts(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, again, hosts string }{
		{"", "", ""},
		{"foox,fooy,fooz", "foox,fooy,fooz", "foox,fooy,fooz"},
		{"[1-3,5-6]", "[1-3,5-6]", "1,2,3,5,6"},
		{"foo[1-5]", "foo[1-5]", "foo1,foo2,foo3,foo4,foo5"},
		{"foo[0-2]-eth2", "foo[0-2]-eth2", "foo0-eth2,foo1-eth2,foo2-eth2"},
		{"foo1,foo1,foo1", "foo[1,1,1]", "foo1,foo1,foo1"},
		{"[00-2]", "[00-02]", "00,01,02"},
		{"foo[1,1,2,1]", "foo[1,1-2,1]", "foo1,foo1,foo2,foo1"},
		{"a[005,4,11-13]", "a[005,004,011-013]", "a005,a004,a011,a012,a013"},
		{"a[1,02]", "a1,a02", "a1,a02"},
		{"a9,a10,a011", "a[9-10],a011", "a9,a10,a011"},
		{"a09,a10,a1", "a[09-10],a1", "a09,a10,a1"},
		{"vm,vm,vm", "vm,vm,vm", "vm,vm,vm"},
		{"n-[0,2],x,", "n-[0,2],x", "n-0,n-2,x"},
		{"a1[0-1]", "a1[0-1]", "a10,a11"},
		{"a99999999999999999999", "a99999999999999999999", "a99999999999999999999"},
	}
	for _, c := range cases {
		h, err := flux.ParseHostlist(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		got := slices.Collect(h.All())
		if strings.Join(got, ",") != c.hosts || h.String() != c.again || h.Len() != len(got) {
			t.Errorf("%q names %q and is written %q, want %q and %q", c.text, got, h, c.hosts, c.again)
		}
		if again, err := flux.ParseHostlist(h.String()); err != nil || !again.Equal(h) || !flux.Hosts(got...).Equal(h) {
			t.Errorf("%q changes when it is read again: %q, %v", h, again, err)
		}
		for i, host := range got {
			if h.At(i) != host {
				t.Errorf("%q has %q at %d, not %q", c.text, h.At(i), i, host)
			}
		}
	}
	for _, text := range []string{"[]", "foo[]", "foo[", "foo[1,3", "foo[[1,3]", "foo]", "foo[x-y]", "foo[0-1,2--5]", "foo[3-1]",
		"a[0-999999999]", "a[0-9999999],b[0-9999999]", "a b", "a[1]b[2]", "é", "a[1]]"} {
		if h, err := flux.ParseHostlist(text); err == nil {
			t.Errorf("%q is read as %d hosts", text, h.Len())
		}
	}
}

func TestResourcesThatCannotBe(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, text, want string }{
		{"no JSON", `{`, "unexpected end"},
		{"another version", `{"version":2,"execution":{"R_lite":[]}}`, "version 2"},
		{"a rank twice", `{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0"}},{"rank":"1","children":{"core":"1"}}]}}`, "twice"},
		{"no rank", `{"version":1,"execution":{"R_lite":[{"rank":"","children":{"core":"0"}}]}}`, "no rank"},
		{"too few hosts", `{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0"}}],"nodelist":["a"]}}`, "2 ranks and 1 hosts"},
		{"billions of ranks", `{"version":1,"execution":{"R_lite":[{"rank":"0-4294967293","children":{"core":"0"}}]}}`, "more than"},
		{"billions of cores", `{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0-4294967293"}}]}}`, "more than"},
		{"billions of GPUs", `{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0","gpu":"0-4294967293"}}]}}`, "more than"},
		{"no set", `{"version":1,"execution":{"R_lite":[{"rank":"x","children":{"core":"0"}}]}}`, "no id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if r, err := flux.ParseR([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want a word about %q", r, err, c.want)
			}
		})
	}
}

// Every second rank of a large system, each with cores of its own: nothing of it
// goes together.
func TestResourcesOfManyPartsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	const n = 50_000
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,{"rank":"%d","children":{"core":"%d"}}`, 2*i, i)
	}
	r, err := flux.ParseR([]byte(`{"version":1,"execution":{"R_lite":[` + text.String()[1:] + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Nodes() != n || r.Cores() != n {
		t.Errorf("it has %d nodes and %d cores, want %d of each", r.Nodes(), r.Cores(), n)
	}
}

func TestResourcesAreCountedAndTold(t *testing.T) {
	t.Parallel()
	r, err := flux.ParseR([]byte(`{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-3","gpu":"0"}},{"rank":"3","children":{"core":"2"}}],
		"nodelist":["a[0-1]","b"],"properties":{"big":"0-1"},"starttime":1.5,"expiration":0},"scheduling":{"x":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	hosts, _ := r.Hosts()
	if got := r.String(); got != "rank[0-1]/core[0-3],gpu0 rank3/core2" || r.Nodes() != 3 || r.Cores() != 9 || r.GPUs() != 2 || hosts.String() != "a[0-1],b" {
		t.Errorf("%s: %d nodes (%s), %d cores, %d GPUs", got, r.Nodes(), hosts, r.Cores(), r.GPUs())
	}
	if !r.Execution.Properties["big"].Contains(1) || string(r.Scheduling) != `{"x":1}` {
		t.Errorf("properties %v, scheduling %s", r.Execution.Properties, r.Scheduling)
	}
}

func TestLinesThatAreNoEvents(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "x", `{}`, `{"timestamp":1}`, `{"name":"a"}`, `{"timestamp":0,"name":"a"}`, `{"timestamp":-1,"name":"a"}`,
		`{"timestamp":1e300,"name":"a"}`, `{"timestamp":1,"name":""}`, `{"timestamp":1,"name":"a","context":[1]}`, `{"timestamp":1,"name":"a"}{}`} {
		if e, err := flux.ParseEvent([]byte(line)); err == nil {
			t.Errorf("%q is read as %s", line, e)
		}
	}
	events, err := flux.ParseEventlog("{\"timestamp\":1.5,\"name\":\"a\",\"context\":null}\nx\n")
	if err == nil || !strings.Contains(err.Error(), "line 2") || len(events) != 1 || events[0].Context != nil {
		t.Errorf("got %v, %v", events, err)
	}
}

func TestEventsKeepMicrosecondsAndSigns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 6, 1, 2, 345678000, time.UTC)
	e, err := flux.NewEvent(at, "memo", map[string]string{"a": "<&>"})
	if err != nil || !e.Time().Equal(at) || !strings.HasSuffix(e.String(), `"context":{"a":"<&>"}}`) {
		t.Errorf("got %s at %v, %v", e, e.Time(), err)
	}
	if _, err := flux.NewEvent(at, "memo", 3); err == nil {
		t.Error("a number is taken for a context")
	}
}

func TestHowTasksEnd(t *testing.T) {
	t.Parallel()
	for status, want := range map[flux.WaitStatus]struct {
		code int
		sig  syscall.Signal
		text string
	}{
		0:     {0, 0, "exit code 0"},
		768:   {3, 0, "exit code 3"},
		9:     {137, 9, "exit code 137 (killed)"},
		35072: {137, 9, "exit code 137 (killed)"},
		36352: {142, 14, "exit code 142 (alarm clock)"},
		36608: {143, 15, "exit code 143 (terminated)"},
		32512: {127, 0, "exit code 127"},
	} {
		if status.ExitCode() != want.code || status.Signal() != want.sig || status.String() != want.text {
			t.Errorf("%d is %d, %v, %q", int(status), status.ExitCode(), status.Signal(), status)
		}
	}
	if flux.ExitStatus(3) != 768 {
		t.Errorf("exit code 3 is status %d", flux.ExitStatus(3))
	}
}

// TestRecordedJobsEndInactive follows each recorded event log through the states.
func TestRecordedJobsEndInactive(t *testing.T) {
	t.Parallel()
	for name, text := range recorded(t) {
		if !strings.HasPrefix(text, `{"timestamp":`) || !strings.Contains(text, `"submit"`) || !strings.Contains(text, `"clean"`) {
			continue
		}
		events, err := flux.ParseEventlog(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		state, seen := flux.State(0), []string{}
		for _, e := range events {
			if next := state.After(e); next != state {
				state = next
				seen = append(seen, next.String())
			}
		}
		if state != flux.Inactive || seen[0] != "NEW" || seen[1] != "DEPEND" || seen[len(seen)-2] != "CLEANUP" {
			t.Errorf("%s went through %v", name, seen)
		}
	}
}

func FuzzJobID(f *testing.F) {
	for _, s := range []string{"ƒuZZybuNNy", "f1", "0x1", "1.2.3.4", "reform-remote-galileo--heart-package-academy", "12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := flux.ParseJobID(s)
		if err != nil {
			return
		}
		for _, form := range []string{id.String(), id.Plain(), id.Hex(), id.DottedHex(), id.KVS(), id.Words(), id.Decimal()} {
			if again, err := flux.ParseJobID(form); err != nil || again != id {
				t.Errorf("%d printed as %q is read as %d, %v", id, form, again, err)
			}
		}
	})
}

func FuzzIDSet(f *testing.F) {
	f.Add("1-3,5")
	f.Add("[0-4294967293]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := flux.ParseIDSet(text)
		if err != nil {
			return
		}
		if again, err := flux.ParseIDSet(s.String()); err != nil || !again.Equal(s) {
			t.Errorf("%q becomes %q, %v", s, again, err)
		}
	})
}

func FuzzHostlist(f *testing.F) {
	for _, s := range []string{"a[01-10,3]b,c", "a9,a10,a011", "[1]", "a[1,02]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := flux.ParseHostlist(text)
		if err != nil || h.Len() > 10000 {
			return
		}
		again, err := flux.ParseHostlist(h.String())
		if err != nil || !slices.Equal(slices.Collect(h.All()), slices.Collect(again.All())) {
			t.Errorf("%q becomes %q, %v", h, again, err)
		}
		if other := flux.Hosts(slices.Collect(h.All())...); !other.Equal(h) {
			t.Errorf("%q from its names is %q", h, other)
		}
	})
}

func FuzzR(f *testing.F) {
	f.Add([]byte(`{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0-1","gpu":"0"}}],"starttime":0.0,"expiration":0.0,"nodelist":["a[0-3]"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := flux.ParseR(b)
		if err != nil {
			return
		}
		_, _ = r.String(), r.Cores()
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := flux.ParseR(text); err != nil || again.String() != r.String() {
			t.Errorf("%s becomes %v, %v", text, again, err)
		}
	})
}

func FuzzEventlog(f *testing.F) {
	f.Add(`{"timestamp":1795413850.3696561,"name":"exception","context":{"type":"dependency","severity":3,"note":"x","userid":0}}`)
	f.Fuzz(func(t *testing.T, text string) {
		events, _ := flux.ParseEventlog(text)
		state := flux.New
		for _, e := range events {
			state = state.After(e)
			again, err := flux.ParseEvent([]byte(e.String()))
			if err != nil || again.Name != e.Name || again.Timestamp != e.Timestamp || !e.Time().Equal(again.Time()) {
				t.Errorf("%s becomes %s, %v", e, again, err)
			}
		}
	})
}
