// SPDX-License-Identifier: MIT

package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
)

// longest is the longest wait between two tries.
const longest = 5 * time.Minute

func (a *agent) archives() bool { return a.Repository != "" || a.Layout != "" }

// save packs the run directory and brings it to where it should be, until it is there.
// Nothing is given up: while it fails the MiniCluster stays, and the report says why.
func (a *agent) save(ctx context.Context, e *v1alpha1.Ensemble) error {
	if a.dir == "" { // there was no run
		a.report.set(func(r *v1alpha1.Report) {})
		return nil
	}
	if !a.archives() {
		a.report.set(func(r *v1alpha1.Report) { r.State = v1alpha1.AgentSaved })
		return nil
	}
	wait := a.Retry
	for {
		trying, cancel := a.grace(ctx)
		digest, ref, err := a.try(trying, e)
		cancel()
		if err == nil {
			a.report.set(func(r *v1alpha1.Report) {
				r.State, r.Digest, r.Reference = v1alpha1.AgentSaved, digest, ref
			})
			a.Log.Info("the results are saved", "reference", ref, "digest", digest)
			return nil
		}
		a.Log.Error("saving the results", "error", err)
		a.report.set(func(r *v1alpha1.Report) { r.Message = "saving the results: " + err.Error() })
		if ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

// grace is a context that goes on for a while behind the end of another.
func (a *agent) grace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(a.Grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// try packs and pushes once. What a registry took before is not sent again.
func (a *agent) try(ctx context.Context, e *v1alpha1.Ensemble) (digest, ref string, err error) {
	name := Tag(e, a.Unit)
	if a.Layout != "" {
		store, err := image.Open(a.Layout)
		if err != nil {
			return "", "", err
		}
		b, err := archive.Pack(ctx, store, name, a.dir, a.ens)
		if err == nil {
			_, err = store.Artifact(b.Digest) // it is there, as large as it should be
		}
		return b.Digest, "oci:" + name, err
	}
	store, err := image.Open(filepath.Join(a.Dir, "bundle"))
	if err != nil {
		return "", "", err
	}
	b, err := archive.Pack(ctx, store, name, a.dir, a.ens)
	if err != nil {
		return "", "", err
	}
	ref = a.Repository + ":" + name
	_, err = store.PushArtifact(ctx, b, ref, a.Push)
	return b.Digest, ref, err
}

// Tag is that of the bundle of a unit: the Ensemble's name, the first digits of its UID,
// and the unit.
func Tag(e *v1alpha1.Ensemble, unit string) string {
	uid := string(e.UID)
	if i := strings.IndexByte(uid, '-'); i > 0 {
		uid = uid[:i]
	}
	const most = 128 // of a tag
	tag := fmt.Sprintf("%s-%s-%s", e.Name, uid, unit)
	return strings.TrimLeft(tag[max(0, len(tag)-most):], "-.") // with neither of which one begins
}
