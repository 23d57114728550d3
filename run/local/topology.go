// SPDX-License-Identifier: MIT

package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// core is one physical core.
type core struct {
	// CPUs are the processors (hardware threads) of it that this process may use.
	CPUs []int `json:"cpus"`
	// Socket and NUMA are where it is.
	Socket int `json:"socket"`
	NUMA   int `json:"numa"`
}

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
		siblings, err := readCPUList(cpuPath(cpu, "topology/thread_siblings_list"))
		if err != nil {
			siblings = []int{cpu}
		}
		c := core{Socket: socketOf(cpu), NUMA: numaOf(cpu)}
		for _, s := range siblings {
			if set.IsSet(s) {
				c.CPUs, seen[s] = append(c.CPUs, s), true
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// online counts the processors of the machine; 0 where that is not known.
func online() int {
	list, err := readCPUList("/sys/devices/system/cpu/online")
	if err != nil {
		return 0
	}
	return len(list)
}

// processors lists those of some cores.
func processors(cores []core) (all []int) {
	for _, c := range cores {
		all = append(all, c.CPUs...)
	}
	return all
}

func cpuPath(cpu int, name string) string {
	return fmt.Sprintf("/sys/devices/system/cpu/cpu%d/%s", cpu, name)
}

// socketOf gives the socket of a processor, and 0 where that is not known.
func socketOf(cpu int) int {
	b, _ := os.ReadFile(cpuPath(cpu, "topology/physical_package_id"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

// numaOf gives the NUMA node of a processor, and 0 where that is not known: the
// kernel shows it as a link named nodeN.
func numaOf(cpu int) int {
	names, _ := filepath.Glob(cpuPath(cpu, "node[0-9]*"))
	if len(names) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(names[0]), "node"))
	return n
}

func readCPUList(path string) ([]int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseCPUList(strings.TrimSpace(string(b)))
}

// formatCPUList writes the kernel's list format, ranges included.
func formatCPUList(cpus []int) string {
	cpus = slices.Compact(slices.Sorted(slices.Values(cpus)))
	var parts []string
	for i := 0; i < len(cpus); {
		end := i
		for end+1 < len(cpus) && cpus[end+1] == cpus[end]+1 {
			end++
		}
		part := strconv.Itoa(cpus[i])
		if end > i {
			part += "-" + strconv.Itoa(cpus[end])
		}
		parts, i = append(parts, part), end+1
	}
	return strings.Join(parts, ",")
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
