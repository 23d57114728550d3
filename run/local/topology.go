// SPDX-License-Identifier: MIT

package local

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// core is one physical core: the processors (hardware threads) of it that this
// process may use.
type core []int

// cores lists the cores that this process may use, in the order of their first
// processors.
func cores() ([]core, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("reading the processors that may be used: %w", err)
	}
	var all []core
	seen := map[int]bool{}
	for cpu := range len(set) * 64 {
		if !set.IsSet(cpu) || seen[cpu] {
			continue
		}
		siblings := []int{cpu}
		path := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu)
		if b, err := os.ReadFile(path); err == nil {
			if list, err := parseCPUList(strings.TrimSpace(string(b))); err == nil {
				siblings = list
			}
		}
		var c core
		for _, s := range siblings {
			if set.IsSet(s) {
				c, seen[s] = append(c, s), true
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// parseCPUList reads the kernel's list format, such as 0-3,8.
func parseCPUList(s string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, dash := strings.Cut(part, "-")
		from, err := strconv.Atoi(lo)
		to := from
		if err == nil && dash {
			to, err = strconv.Atoi(hi)
		}
		if err != nil || to < from || to-from > 1<<16 {
			return nil, fmt.Errorf("got %q, want a list of processors such as 0-3,8", s)
		}
		for i := from; i <= to; i++ {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list, nil
}
