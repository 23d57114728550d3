// SPDX-License-Identifier: MIT

// Package ensembles is the command line's door to Ensembles on a Kubernetes cluster.
//
// The steps:
//
//	c, err := ensembles.Dial(context, namespace)
//	e, err := c.Create(ctx, ensemble)
//	e, err = c.Get(ctx, name)
//	err = c.Logs(ctx, e, ensembles.LogOptions{}, func(l ensembles.Line) { … })
//	err = c.Annotate(ctx, name, v1alpha1.CancelAnnotation, "enough seen")
package ensembles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/spec"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNotFound says that there is no Ensemble of a name.
var ErrNotFound = errors.New("there is no such Ensemble")

// ErrExists says that there is one already.
var ErrExists = errors.New("there is an Ensemble of that name already")

// InvalidError says that the cluster refuses an Ensemble, and why.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return e.Reason }

// ErrNoDefinition says that the cluster does not know Ensembles.
var ErrNoDefinition = errors.New("the cluster does not know Ensembles: kubectl apply -k deploy/kustomize")

// Client speaks with one cluster about one namespace.
type Client struct {
	// Where names the cluster and the namespace.
	Where     string
	ensembles dynamic.ResourceInterface
	pods      corev1.PodInterface
	namespace string
}

// Dial readies a client, as kubectl would: KUBECONFIG or ~/.kube/config, or the account of
// the pod that this runs in. Empty names are its defaults. Nothing is asked yet.
func Dial(context, namespace string) (*Client, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(),
		&clientcmd.ConfigOverrides{CurrentContext: context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, err
		}
	}
	return open(config, namespace)
}

func open(config *rest.Config, namespace string) (*Client, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	core, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Client{Where: fmt.Sprintf("%s, namespace %s", config.Host, namespace), namespace: namespace, pods: core.Pods(namespace),
		ensembles: client.Resource(v1alpha1.GroupVersion.WithResource("ensembles")).Namespace(namespace)}, nil
}

// resourceName is what Kubernetes takes for a name.
var resourceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// Create makes an Ensemble of a resolved one. environment names the one that the cluster
// is, where its study names several.
func (c *Client) Create(ctx context.Context, e *spec.Ensemble, environment string) (*v1alpha1.Ensemble, error) {
	if !resourceName.MatchString(e.Metadata.Name) {
		return nil, &InvalidError{fmt.Sprintf("metadata.name: got %q; on Kubernetes want lower case letters, digits, dots and dashes, 63 at most", e.Metadata.Name)}
	}
	raw, err := json.Marshal(e.Spec)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(&v1alpha1.Ensemble{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Ensemble"},
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: e.Metadata.Name}, Spec: raw})
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(b); err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(u.Object, "status")
	if environment != "" {
		u.SetAnnotations(map[string]string{v1alpha1.EnvironmentAnnotation: environment})
	}
	got, err := c.ensembles.Create(ctx, u, metav1.CreateOptions{FieldManager: "ensemble", FieldValidation: metav1.FieldValidationStrict})
	return c.result(got, err)
}

// Get reads an Ensemble.
func (c *Client) Get(ctx context.Context, name string) (*v1alpha1.Ensemble, error) {
	return c.result(c.ensembles.Get(ctx, name, metav1.GetOptions{}))
}

// Annotate gives an Ensemble an annotation.
func (c *Client) Annotate(ctx context.Context, name, key, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return err
	}
	_, err = c.result(c.ensembles.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "ensemble"}))
	return err
}

// result reads what the API server gives.
func (c *Client) result(u *unstructured.Unstructured, err error) (*v1alpha1.Ensemble, error) {
	var status apierrors.APIStatus
	switch {
	case err == nil:
	case apierrors.IsAlreadyExists(err):
		return nil, fmt.Errorf("%w on %s", ErrExists, c.Where)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return nil, &InvalidError{err.Error()}
	case apierrors.IsNotFound(err) && errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == ""):
		return nil, fmt.Errorf("%w (%s)", ErrNoDefinition, c.Where)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%w on %s", ErrNotFound, c.Where)
	default:
		return nil, fmt.Errorf("asking %s: %w", c.Where, err)
	}
	b, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	e := &v1alpha1.Ensemble{}
	return e, json.Unmarshal(b, e)
}
