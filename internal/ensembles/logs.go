// SPDX-License-Identifier: MIT

package ensembles

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ErrNoPods says that nothing is there that could say something.
var ErrNoPods = errors.New("there are no pods: they have not come yet, or are gone")

// LogOptions say whose logs are wanted.
type LogOptions struct {
	// Member is one member's; empty is all.
	Member string
	// Brokers wants the brokers of all nodes in the place of the agents.
	Brokers bool
	// Follow goes on until the containers end.
	Follow bool
}

// Line is one line of a log.
type Line struct{ Member, Pod, Text string }

const indexLabel = "batch.kubernetes.io/job-completion-index"

// Logs tells the lines that the agents of an Ensemble wrote, or its brokers, by members and
// nodes; those of several that are followed come as they come. tell is called by one at a
// time. It gives ErrNoPods where there are no pods.
func (c *Client) Logs(ctx context.Context, e *v1alpha1.Ensemble, o LogOptions, tell func(Line)) error {
	of := labels.Set{v1alpha1.EnsembleLabel: string(e.UID)}
	if o.Member != "" {
		of[v1alpha1.MemberLabel] = o.Member
	}
	list, err := c.pods.List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(of).String()})
	if err != nil {
		return fmt.Errorf("listing the pods on %s: %w", c.Where, err)
	}
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		index := p.Labels[indexLabel]
		return p.Labels[v1alpha1.WitnessLabel] != "" || index == "" || !o.Brokers && index != "0"
	})
	if len(pods) == 0 {
		return ErrNoPods
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Labels[v1alpha1.MemberLabel], b.Labels[v1alpha1.MemberLabel]),
			cmp.Compare(len(a.Labels[indexLabel]), len(b.Labels[indexLabel])), cmp.Compare(a.Labels[indexLabel], b.Labels[indexLabel]))
	})
	var one sync.Mutex
	var all sync.WaitGroup
	errs := make([]error, len(pods))
	for i := range pods {
		read := func() {
			errs[i] = c.read(ctx, &pods[i], o, func(l Line) {
				one.Lock()
				defer one.Unlock()
				tell(l)
			})
		}
		if o.Follow {
			all.Go(read)
		} else {
			read()
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// read tells the lines of one container.
func (c *Client) read(ctx context.Context, p *corev1.Pod, o LogOptions, tell func(Line)) error {
	container := "agent"
	if o.Brokers {
		container = p.Spec.Containers[0].Name
	}
	for {
		stream, err := c.pods.GetLogs(p.Name, &corev1.PodLogOptions{Container: container, Follow: o.Follow}).Stream(ctx)
		if o.Follow && apierrors.IsBadRequest(err) { // it has not started yet
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Second):
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the log of %s on %s: %w", p.Name, c.Where, err)
		}
		defer stream.Close()
		lines := bufio.NewReader(stream)
		for {
			text, err := lines.ReadString('\n')
			if text != "" {
				tell(Line{p.Labels[v1alpha1.MemberLabel], p.Name, strings.TrimRight(text, "\r\n")})
			}
			if err != nil {
				return context.Cause(ctx) // a log that breaks off is one whose container ended
			}
		}
	}
}
