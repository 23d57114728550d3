// SPDX-License-Identifier: MIT

// Package deploy writes the manifests that bring the operator to a cluster, from what the
// code itself says it needs: the definition of the resource, the permissions, and the
// Deployment.
//
// The steps: [Objects] gives what there is, in the order in which it has to be made;
// [Files] gives the folder deploy of it, for kustomize and as a chart for Helm, which go
// generate writes and a test holds against.
package deploy

//go:generate go run ./write ../../deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"sigs.k8s.io/yaml"
)

const (
	// Namespace is that of the operator.
	Namespace = "ensemble-system"
	// Name is that of the operator's objects.
	Name = "ensemble-operator"
	// OperatorImage and AgentImage stand for the images; kustomize replaces them.
	OperatorImage = "ghcr.io/converged-computing/ensemble-operator:" + Version
	AgentImage    = "ghcr.io/converged-computing/ensemble-agent:" + Version
	// Version is that of the images.
	Version = "v0.1.0"
)

type object = map[string]any

func named(apiVersion, kind, name string, more object) object {
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"name": name, "labels": object{"app.kubernetes.io/name": Name}}}
	for k, v := range more {
		o[k] = v
	}
	return o
}

func inNamespace(o object) object {
	o["metadata"].(object)["namespace"] = Namespace
	return o
}

func rule(group string, resources []string, verbs ...string) object {
	return object{"apiGroups": []string{group}, "resources": resources, "verbs": verbs}
}

// Rules are what the operator may do, in all namespaces: it reads no secrets, dials no
// pods, and runs nothing but MiniClusters and the Jobs that save what Kubernetes tells.
func Rules() []object {
	return []object{
		rule(v1alpha1.GroupVersion.Group, []string{"ensembles"}, "get", "list", "watch", "patch", "delete"),
		rule(v1alpha1.GroupVersion.Group, []string{"ensembles/status"}, "patch"),
		rule(v1alpha1.GroupVersion.Group, []string{"ensembles/finalizers"}, "update"),
		rule("flux-framework.org", []string{"miniclusters"}, "get", "list", "watch", "create", "patch", "delete"),
		rule("batch", []string{"jobs"}, "get", "list", "watch", "create"),
		rule("", []string{"pods"}, "get", "list", "watch"),
		rule("", []string{"nodes"}, "get"),   // what they are goes into the results
		rule("", []string{"events"}, "list"), // to let witnesses do so
		rule("", []string{"serviceaccounts"}, "create"),
		rule("rbac.authorization.k8s.io", []string{"roles", "rolebindings"}, "create"),
		rule("events.k8s.io", []string{"events"}, "create", "patch"),
	}
}

// LeaseRules are what it may do in its own namespace, to have one of several work.
func LeaseRules() []object {
	return []object{rule("coordination.k8s.io", []string{"leases"}, "get", "create", "update")}
}

// Objects are the manifests, in the order in which they have to be made.
func Objects() ([]object, error) {
	crd, err := v1alpha1.CRD()
	if err != nil {
		return nil, err
	}
	subject := []object{{"kind": "ServiceAccount", "name": Name, "namespace": Namespace}}
	ref := func(kind string) object {
		return object{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": Name}
	}
	const rbac = "rbac.authorization.k8s.io/v1"
	namespace := named("v1", "Namespace", Namespace, nil)
	namespace["metadata"].(object)["labels"].(object)["pod-security.kubernetes.io/enforce"] = "restricted"
	return []object{
		crd,
		namespace,
		inNamespace(named("v1", "ServiceAccount", Name, nil)),
		named(rbac, "ClusterRole", Name, object{"rules": Rules()}),
		named(rbac, "ClusterRoleBinding", Name, object{"roleRef": ref("ClusterRole"), "subjects": subject}),
		inNamespace(named(rbac, "Role", Name, object{"rules": LeaseRules()})),
		inNamespace(named(rbac, "RoleBinding", Name, object{"roleRef": ref("Role"), "subjects": subject})),
		inNamespace(named("apps/v1", "Deployment", Name, object{"spec": deployment()})),
	}, nil
}

func deployment() object {
	labels := object{"app.kubernetes.io/name": Name}
	probe := func(path string) object {
		return object{"httpGet": object{"path": path, "port": "health"}, "periodSeconds": 10}
	}
	return object{
		"replicas": 1,
		"selector": object{"matchLabels": labels},
		"template": object{
			"metadata": object{"labels": labels},
			"spec": object{
				"serviceAccountName": Name,
				"securityContext":    object{"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": object{"type": "RuntimeDefault"}},
				"containers": []object{{
					"name": "operator", "image": OperatorImage,
					"args":            []string{"--agent-image=" + AgentImage, "--metrics=:8080"},
					"ports":           []object{{"name": "health", "containerPort": 8081}, {"name": "metrics", "containerPort": 8080}},
					"livenessProbe":   probe("/healthz"),
					"readinessProbe":  probe("/readyz"),
					"resources":       object{"requests": object{"cpu": "50m", "memory": "128Mi"}, "limits": object{"memory": "512Mi"}},
					"securityContext": object{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": []string{"ALL"}}},
				}},
			},
		},
	}
}

// head stands before what is written.
const head = "# Written by go generate ./internal/deploy; do not change it by hand.\n"

// Files are those of deploy, by their paths in it.
func Files() (map[string][]byte, error) {
	objects, err := Objects()
	if err != nil {
		return nil, err
	}
	files, err := kustomize(objects)
	if err != nil {
		return nil, err
	}
	return files, chart(objects, files)
}

// fileOf is the file that has the objects of a kind.
func fileOf(o object) string {
	switch o["kind"] {
	case "CustomResourceDefinition":
		return "crd.yaml"
	case "Deployment":
		return "operator.yaml"
	case "Namespace":
		return "namespace.yaml"
	}
	return "rbac.yaml"
}

// add writes an object behind those that a file has.
func add(files map[string][]byte, file string, o object) error {
	b, err := yaml.Marshal(o)
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if files[file] == nil {
		files[file] = []byte(head)
	}
	files[file] = append(append(files[file], "---\n"...), b...)
	return nil
}

func kustomize(objects []object) (map[string][]byte, error) {
	files := map[string][]byte{}
	var resources []string
	for _, o := range objects {
		if file := fileOf(o); !slices.Contains(resources, file) {
			resources = append(resources, file)
		}
		if err := add(files, "kustomize/"+fileOf(o), o); err != nil {
			return nil, err
		}
	}
	files["kustomize/kustomization.yaml"] = fmt.Appendf(nil, "%sapiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - %s\n", head, strings.Join(resources, "\n  - "))
	return files, nil
}

// chart adds the chart for Helm. What the release decides is put in the place of what the
// objects have.
func chart(objects []object, files map[string][]byte) error {
	const dir = "helm/ensemble-operator/"
	for _, o := range objects {
		to := dir + "templates/" + fileOf(o)
		switch o["kind"] {
		case "Namespace": // the release has one
			continue
		case "CustomResourceDefinition":
			to = dir + "crds/" + fileOf(o)
		}
		if err := add(files, to, o); err != nil {
			return err
		}
	}
	release := strings.NewReplacer("namespace: "+Namespace+"\n", "namespace: '{{ .Release.Namespace }}'\n", "image: "+OperatorImage+"\n", "image: '{{ .Values.operatorImage }}'\n",
		"- --agent-image="+AgentImage+"\n", "- '--agent-image={{ .Values.agentImage }}'\n", "replicas: 1\n", "replicas: {{ .Values.replicas }}\n")
	for name, b := range files {
		if strings.HasPrefix(name, dir+"templates/") {
			files[name] = []byte(release.Replace(string(b)))
		}
	}
	files[dir+"Chart.yaml"] = fmt.Appendf(nil, "%sapiVersion: v2\nname: ensemble-operator\ndescription: Runs ensembles of HPC applications on Flux, and saves what they leave.\ntype: application\nversion: %s\nappVersion: %s\n",
		head, strings.TrimPrefix(Version, "v"), Version)
	files[dir+"values.yaml"] = fmt.Appendf(nil, "%s# The images of the operator, and of the agent that it puts beside the brokers.\noperatorImage: %s\nagentImage: %s\n# Of several operators one works.\nreplicas: 1\n",
		head, OperatorImage, AgentImage)
	return nil
}
