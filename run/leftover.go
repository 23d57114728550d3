// SPDX-License-Identifier: MIT

package run

import (
	"os"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// KillMarked kills every process that has a variable of this value in its
// environment, and says how many it killed. It goes on until there is none,
// since they may start others. A process that has dropped its environment, or
// that belongs to another user, is not found.
func KillMarked(variable, value string) (killed int) {
	mark := variable + "=" + value
	for {
		found := 0
		procs, err := procfs.AllProcs()
		if err != nil {
			return killed
		}
		for _, p := range procs {
			if p.PID == os.Getpid() {
				continue
			}
			if env, err := p.Environ(); err != nil || !slices.Contains(env, mark) {
				continue
			}
			if s, err := p.Stat(); err == nil && s.State != "Z" && unix.Kill(p.PID, unix.SIGKILL) == nil {
				found++
			}
		}
		killed += found
		if found == 0 {
			return killed
		}
		time.Sleep(5 * time.Millisecond)
	}
}
