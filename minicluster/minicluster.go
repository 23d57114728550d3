// SPDX-License-Identifier: MIT

// Package minicluster is the Flux Operator's resource as far as this project writes it,
// and what is known of how it behaves.
//
// The model: a [MiniCluster] is an indexed Job of pods, each with a Flux broker that is
// added to the application's image when the pod starts, from a view. The first pod has the
// lead broker. Beside the application's container there may be others, such as an agent.
//
// What was seen of it (Flux Operator of mid 2026, flux-core 0.88, Kubernetes 1.35) and is
// built on here:
//
//   - Its status tells nothing: it is ready at once, and never finished. What counts are
//     the Job, the pods, and what the agent says.
//   - Exit codes tell nothing: a script masks them. That the main container ends without
//     the agent having asked for it is a failure.
//   - Without a certificate the brokers fail, and the Job is Complete all the same.
//   - With more than one container one has to be marked as the one that runs Flux.
//   - A container beside it has no arguments: it is configured by its environment.
//   - One that ends makes its pod not ready, and the others' names vanish: on every pod
//     it has to live until the main container ends.
//   - With the default queue policy a job that needs nodes which are not there yet is
//     refused; with easy it waits.
//   - Cleanup deletes pods and logs within a second of the end: it is never set. Nor is a
//     deadline, which does the same.
//   - What is made again under an old name mixes with what is still going.
package minicluster

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersionKind is that of the resource.
var GroupVersionKind = schema.GroupVersionKind{Group: "flux-framework.org", Version: "v1alpha2", Kind: "MiniCluster"}

const (
	// Socket is that of the broker, in every pod.
	Socket = "/mnt/flux/config/run/flux/local"
	// CompleteFile marks the end of the main container, where it comes to its own end.
	CompleteFile = "/mnt/flux/flux-operator-complete.txt"
	// IndexEnv is the number of a pod, in every container; 0 has the lead broker.
	IndexEnv = "JOB_COMPLETION_INDEX"
	// JobNameLabel is on the pods: the name of the MiniCluster, which is that of its Job.
	JobNameLabel = "batch.kubernetes.io/job-name"
)

// Spec is that of a MiniCluster.
type Spec struct {
	Size        int               `json:"size"`
	MaxSize     int               `json:"maxSize,omitempty"`
	Interactive bool              `json:"interactive"`
	Flux        Flux              `json:"flux"`
	Logging     Logging           `json:"logging"`
	Containers  []Container       `json:"containers"`
	Pod         Pod               `json:"pod,omitzero"`
	JobLabels   map[string]string `json:"jobLabels,omitempty"`
	Network     Network           `json:"network"`
}

// Flux is how Flux is added.
type Flux struct {
	Container View      `json:"container,omitzero"`
	CurveCert string    `json:"curveCert"`
	Scheduler Scheduler `json:"scheduler"`
}

// View is the image that Flux comes from.
type View struct {
	Image    string                  `json:"image,omitempty"`
	Security *corev1.SecurityContext `json:"securityContext,omitempty"`
}

// Scheduler is Fluxion's.
type Scheduler struct {
	QueuePolicy string `json:"queuePolicy"`
}

// Logging is what the scripts print.
type Logging struct {
	Quiet bool `json:"quiet"`
}

// Network is the headless service.
type Network struct {
	HeadlessName string `json:"headlessName"`
}

// Container is one of the pods' containers.
type Container struct {
	Name             string            `json:"name,omitempty"`
	Image            string            `json:"image"`
	RunFlux          bool              `json:"runFlux,omitempty"`
	NoWrapEntrypoint bool              `json:"noWrapEntrypoint,omitempty"`
	Environment      map[string]string `json:"environment,omitempty"`
	Volumes          map[string]Volume `json:"volumes,omitempty"`
	Resources        Resources         `json:"resources,omitzero"`
	// Security says who the processes are, which in all containers has to be the same user:
	// a broker serves no other, and the image's own user is not the view's.
	Security *corev1.SecurityContext `json:"securityContext,omitempty"`
}

// Volume is one that exists.
type Volume struct {
	Path          string            `json:"path,omitempty"`
	ClaimName     string            `json:"claimName,omitempty"`
	ConfigMapName string            `json:"configMapName,omitempty"`
	SecretName    string            `json:"secretName,omitempty"`
	Items         map[string]string `json:"items,omitempty"`
	ReadOnly      bool              `json:"readOnly,omitempty"`
}

// Resources are those of a container.
type Resources struct {
	Limits   map[string]string `json:"limits,omitempty"`
	Requests map[string]string `json:"requests,omitempty"`
}

// Pod is what all pods have.
type Pod struct {
	Labels             map[string]string `json:"labels,omitempty"`
	Annotations        map[string]string `json:"annotations,omitempty"`
	NodeSelector       map[string]string `json:"nodeSelector,omitempty"`
	ServiceAccountName string            `json:"serviceAccountName,omitempty"`
	RuntimeClassName   string            `json:"runtimeClassName,omitempty"`
	Tolerations        []Toleration      `json:"tolerations,omitempty"`
	// Token has the account's token mounted, which pods of the Flux Operator otherwise do
	// not have, whatever the account says.
	Token bool `json:"automountServiceAccountToken,omitempty"`
	// Security: of it the Flux Operator passes FSGroup on.
	Security *corev1.PodSecurityContext `json:"securityContext,omitempty"`
}

// Toleration is that of a pod.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
}

// New makes the resource. What has to be so for it to work at all is set: interactive, a
// certificate, quiet logs, the queue policy, a service of its own name.
func New(namespace, name string, s Spec) (*unstructured.Unstructured, error) {
	cert, err := Certificate(name)
	if err != nil {
		return nil, err
	}
	s.Interactive, s.Logging.Quiet = true, true
	s.Flux.CurveCert, s.Flux.Scheduler.QueuePolicy = cert, "easy"
	s.Network.HeadlessName = name
	of, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&s)
	if err != nil {
		return nil, fmt.Errorf("writing the MiniCluster %s: %w", name, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": of}}
	u.SetGroupVersionKind(GroupVersionKind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u, nil
}

// Certificate makes a new key pair in the form of CZMQ's certificates, which brokers of
// one instance share: X25519 (RFC 7748), written in Z85 (ZeroMQ RFC 32).
func Certificate(name string) (string, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("making a certificate: %w", err)
	}
	return fmt.Sprintf("metadata\n    name = %q\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
		name, z85(key.PublicKey().Bytes()), z85(key.Bytes())), nil
}

const z85Digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// z85 writes bytes, a multiple of four, in base 85.
func z85(b []byte) string {
	out := make([]byte, 0, len(b)*5/4)
	for ; len(b) >= 4; b = b[4:] {
		n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		var five [5]byte
		for i := 4; i >= 0; i-- {
			five[i] = z85Digits[n%85]
			n /= 85
		}
		out = append(out, five[:]...)
	}
	return string(out)
}
