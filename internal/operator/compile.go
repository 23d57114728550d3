// SPDX-License-Identifier: MIT

package operator

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	"github.com/converged-computing/ensemble/spec"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Where things are in the agent's container.
const (
	registryDir = "/etc/ensemble/registry"
	layoutDir   = "/var/lib/ensemble/archive"
)

// nameLimit leaves room for the number of a pod in a host name of 63 characters.
const nameLimit = 50

// clusterName is that of the MiniCluster of a unit. One that is made again, for another
// Ensemble of the same name too, has another name: what is made under an old one mixes
// with what is still going.
func clusterName(e *v1alpha1.Ensemble, u *v1alpha1.Unit, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", e.UID, u.Name, try))
	name := strings.ReplaceAll(e.Name, ".", "-") + "-" + u.Name
	if len(name) > nameLimit-7 {
		name = strings.TrimRight(name[:nameLimit-7], "-")
	}
	return fmt.Sprintf("%s-%x", name, sum[:3])
}

// labels are on all that the operator makes of an Ensemble.
func labels(e *v1alpha1.Ensemble) map[string]string {
	return map[string]string{v1alpha1.EnsembleLabel: string(e.UID)}
}

// owner has the API server delete what was forgotten, when the Ensemble is gone.
func owner(e *v1alpha1.Ensemble) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Ensemble", Name: e.Name, UID: e.UID, Controller: &yes, BlockOwnerDeletion: &yes}}
}

// cluster compiles a unit to its MiniCluster.
func cluster(e *v1alpha1.Ensemble, s *spec.Ensemble, u *v1alpha1.Unit, name, agentImage string) (*unstructured.Unstructured, error) {
	m := u.Member
	all := labels(e)
	all[v1alpha1.MemberLabel] = u.Name
	pod := maps.Clone(all)
	maps.Copy(pod, m.Labels)
	maps.Copy(pod, all)
	app := minicluster.Container{Image: u.Image, RunFlux: true, Volumes: map[string]minicluster.Volume{}}
	if len(m.Resources) > 0 {
		app.Resources = minicluster.Resources{Limits: m.Resources, Requests: m.Resources}
	}
	for _, v := range m.Volumes {
		app.Volumes[v.Name] = minicluster.Volume{Path: v.Path, ClaimName: v.Claim, ConfigMapName: v.ConfigMap, SecretName: v.Secret, ReadOnly: v.ReadOnly}
	}
	agent := minicluster.Container{Name: "agent", Image: agentImage, NoWrapEntrypoint: true, Environment: map[string]string{
		v1alpha1.NamespaceEnv: e.Namespace, v1alpha1.NameEnv: e.Name, v1alpha1.UIDEnv: string(e.UID), v1alpha1.UnitEnv: u.Name,
	}, Volumes: map[string]minicluster.Volume{}}
	// Credentials are mounted into the agent's container only.
	if a := s.Spec.Archive; a.Repository != "" {
		agent.Environment[v1alpha1.RepositoryEnv] = a.Repository
		if a.Insecure {
			agent.Environment[v1alpha1.InsecureEnv] = "true"
		}
		if a.Secret != "" {
			agent.Environment["DOCKER_CONFIG"] = registryDir
			agent.Volumes["ensemble-registry"] = minicluster.Volume{Path: registryDir, SecretName: a.Secret,
				Items: map[string]string{corev1.DockerConfigJsonKey: "config.json"}, ReadOnly: true}
		}
	} else if a.Claim != "" {
		agent.Environment[v1alpha1.LayoutEnv] = layoutDir
		agent.Volumes["ensemble-archive"] = minicluster.Volume{Path: layoutDir, ClaimName: a.Claim}
	}
	mc := minicluster.Spec{
		Size: m.Nodes.Size, Containers: []minicluster.Container{app, agent}, JobLabels: all,
		Flux: minicluster.Flux{Container: minicluster.View{Image: m.View}},
		Pod: minicluster.Pod{Labels: pod, Annotations: m.Annotations, NodeSelector: m.NodeSelector,
			ServiceAccountName: agentAccount(e), RuntimeClassName: m.RuntimeClass},
	}
	if m.ServiceAccount != "" {
		mc.Pod.ServiceAccountName = m.ServiceAccount
	}
	if _, most := m.Nodes.Range(); most > m.Nodes.Size {
		mc.MaxSize = most
	}
	for _, t := range m.Tolerations {
		mc.Pod.Tolerations = append(mc.Pod.Tolerations, minicluster.Toleration(t))
	}
	c, err := minicluster.New(e.Namespace, name, mc)
	if err != nil {
		return nil, err
	}
	c.SetLabels(all)
	c.SetOwnerReferences(owner(e))
	return c, nil
}

// agentAccount is the service account of an Ensemble's agents.
func agentAccount(e *v1alpha1.Ensemble) string {
	return "ensemble-agent-" + strings.ReplaceAll(e.Name, ".", "-")
}

// permissions are what the agents of an Ensemble may do: read it, and write its status.
func permissions(e *v1alpha1.Ensemble, s *spec.Ensemble) (*corev1.ServiceAccount, *rbacv1.Role, *rbacv1.RoleBinding) {
	of := metav1.ObjectMeta{Namespace: e.Namespace, Name: agentAccount(e), Labels: labels(e), OwnerReferences: owner(e)}
	role := &rbacv1.Role{ObjectMeta: of, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"ensembles"}, ResourceNames: []string{e.Name}, Verbs: []string{"get"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"ensembles/status"}, ResourceNames: []string{e.Name}, Verbs: []string{"patch"}},
	}}
	binding := &rbacv1.RoleBinding{ObjectMeta: of, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: of.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.Namespace, Name: of.Name}}}
	for i := range s.Spec.Members {
		if name := s.Spec.Members[i].ServiceAccount; name != "" {
			binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: e.Namespace, Name: name})
		}
	}
	return &corev1.ServiceAccount{ObjectMeta: of}, role, binding
}
