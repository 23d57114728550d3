// SPDX-License-Identifier: MIT

package spec

import "cmp"

// Member is a shape of nodes on Kubernetes: a MiniCluster of the Flux Operator is made of
// it for each image that jobs in it want.
type Member struct {
	// Name is unique within the ensemble; names of pods begin with the ensemble's and
	// this one.
	Name string `json:"name" jsonschema:"pattern=^[a-z]([a-z0-9-]{0\\,18}[a-z0-9])?$"`
	// Groups are the groups and sweeps whose jobs run here; the default is all that no
	// other member names.
	Groups []string `json:"groups,omitempty"`
	// Nodes is the number of pods, each on a node of its own if Resources say so.
	Nodes MemberNodes `json:"nodes"`
	// Image is the container image of the applications, and Images those of variants by
	// their names, where they have others.
	Image  string            `json:"image,omitempty"`
	Images map[string]string `json:"images,omitempty"`
	// View is the image that Flux is added from. Its base has to fit the image's.
	View string `json:"view,omitempty"`
	// User is the number of the user, and of the group, that the broker, the jobs and the
	// agent are, who have to be the same one; the default is 0, root. With another one the
	// pods keep to the restricted standard of Kubernetes.
	User int64 `json:"user,omitempty" jsonschema:"minimum=0"`
	// Resources are what each container of an application asks for, which is also its
	// limit, such as cpu: 8, memory: 16Gi.
	Resources map[string]string `json:"resources,omitempty"`
	// NodeSelector, Tolerations, ServiceAccount, RuntimeClass, Labels and Annotations are
	// those of the pods. A queue of Kueue is a label.
	NodeSelector   map[string]string `json:"nodeSelector,omitempty"`
	Tolerations    []Toleration      `json:"tolerations,omitempty"`
	ServiceAccount string            `json:"serviceAccount,omitempty"`
	RuntimeClass   string            `json:"runtimeClass,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	// Volumes are mounted into the containers of the applications.
	Volumes []MemberVolume `json:"volumes,omitempty"`
}

// MemberNodes is how many nodes a member has, and between which numbers rules may change
// it. Min and Max default to Size.
type MemberNodes struct {
	Size int `json:"size" jsonschema:"minimum=1,maximum=100000"`
	Min  int `json:"min,omitempty" jsonschema:"minimum=1"`
	Max  int `json:"max,omitempty" jsonschema:"minimum=1"`
}

// Range gives the numbers of nodes between which rules may change it.
func (n MemberNodes) Range() (least, most int) { return cmp.Or(n.Min, n.Size), cmp.Or(n.Max, n.Size) }

// Toleration is that of a pod, with the meanings of Kubernetes.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty" jsonschema:"enum=Exists,enum=Equal"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty" jsonschema:"enum=NoSchedule,enum=PreferNoSchedule,enum=NoExecute"`
}

// MemberVolume is a claim, a ConfigMap or a secret of the namespace at a path.
type MemberVolume struct {
	Name      string `json:"name" jsonschema:"pattern=^[a-z]([a-z0-9-]{0\\,61}[a-z0-9])?$"`
	Path      string `json:"path" jsonschema:"pattern=^/"`
	Claim     string `json:"claim,omitempty"`
	ConfigMap string `json:"configMap,omitempty"`
	Secret    string `json:"secret,omitempty"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

// Archive is where the bundle of a run on Kubernetes goes.
type Archive struct {
	// Repository is where bundles are pushed, REGISTRY/REPOSITORY; the tag is the
	// ensemble's name and the first digits of its UID, and the member where there are
	// several.
	Repository string `json:"repository,omitempty"`
	// Secret has the credentials of it: one of the type kubernetes.io/dockerconfigjson
	// in the ensemble's namespace.
	Secret string `json:"secret,omitempty"`
	// Insecure speaks HTTP without encryption with the registry.
	Insecure bool `json:"insecure,omitempty"`
	// Claim is a volume claim that the bundle is written to, as an OCI layout, in the
	// place of a repository.
	Claim string `json:"claim,omitempty"`
}

// RetainWhen says after which ends a MiniCluster stays.
type RetainWhen string

// After no end, after one that was no success, after any.
const (
	RetainNever     RetainWhen = "Never"
	RetainOnFailure RetainWhen = "OnFailure"
	RetainAlways    RetainWhen = "Always"
)

// Retain says what stays on Kubernetes when all is saved.
type Retain struct {
	// When is Never by default: all but the Ensemble itself is deleted.
	When RetainWhen `json:"when,omitempty" jsonschema:"enum=Never,enum=OnFailure,enum=Always"`
	// For is how long what is retained stays, and with Ensemble: true how long the
	// Ensemble itself does. The default is for ever.
	For Duration `json:"for,omitempty"`
	// Ensemble has the Ensemble deleted too, when For is over.
	Ensemble bool `json:"ensemble,omitempty"`
}
