// SPDX-License-Identifier: MIT

package spec

// Environment is a file that declares a place to run in.
type Environment struct {
	Header
	// Spec is the environment itself.
	Spec EnvironmentSpec `json:"spec"`
}

// EnvironmentSpec is what is declared of an environment; what is found there
// when something runs is captured beside it.
type EnvironmentSpec struct {
	// Description says in a sentence what the place is.
	Description string `json:"description,omitempty"`
	// Cloud is the provider, none for a machine of one's own.
	Cloud string `json:"cloud,omitempty"`
	// Instance is the provider's name of the node type.
	Instance string `json:"instance,omitempty"`
	// Network is the fabric between nodes.
	Network string `json:"network,omitempty"`
	// Kubernetes is the flavour of Kubernetes, where there is one.
	Kubernetes string `json:"kubernetes,omitempty"`
	// On is how runs get there: local is this machine, flux the Flux instance at URI or
	// around the command, kubernetes the cluster of Context and Namespace. Where every
	// environment of a study says it, one command runs the study in each.
	On string `json:"on,omitempty" jsonschema:"enum=local,enum=flux,enum=kubernetes"`
	// URI is that of a Flux instance, as flux uri gives it.
	URI string `json:"uri,omitempty"`
	// Context and Namespace are those of kubeconfig; the defaults are its own.
	Context   string `json:"context,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Labels are further key-value pairs that records carry along.
	Labels map[string]string `json:"labels,omitempty"`
	// Nodes is how many nodes there are.
	Nodes int `json:"nodes,omitempty" jsonschema:"minimum=1"`
	// CoresPerNode is how many cores one node has.
	CoresPerNode int `json:"coresPerNode,omitempty" jsonschema:"minimum=1"`
	// PricePerNodeHour is what one node costs in an hour, in Currency.
	PricePerNodeHour float64 `json:"pricePerNodeHour,omitempty" jsonschema:"minimum=0"`
	// Currency is the ISO 4217 code of the price. The default is USD.
	Currency string `json:"currency,omitempty" jsonschema:"pattern=^[A-Z]{3}$"`
}

// NamedEnvironment is an environment inside another file.
type NamedEnvironment struct {
	// Name is what axes and records call it.
	Name            string `json:"name" jsonschema:"pattern=^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"`
	EnvironmentSpec `json:",inline"`
}
