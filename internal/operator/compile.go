// SPDX-License-Identifier: MIT

package operator

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	"github.com/converged-computing/ensemble/spec"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
	who := security(m.User)
	app := minicluster.Container{Image: u.Image, RunFlux: true, Security: who, Volumes: map[string]minicluster.Volume{}}
	if len(m.Resources) > 0 {
		app.Resources = minicluster.Resources{Limits: m.Resources, Requests: m.Resources}
	}
	for _, v := range m.Volumes {
		app.Volumes[v.Name] = minicluster.Volume{Path: v.Path, ClaimName: v.Claim, ConfigMapName: v.ConfigMap, SecretName: v.Secret, ReadOnly: v.ReadOnly}
	}
	// Credentials are mounted into the agent's container only.
	to := savingOf(e, s, u.Name)
	agent := minicluster.Container{Name: "agent", Image: agentImage, NoWrapEntrypoint: true, Security: who, Environment: to.env, Volumes: to.volumes}
	mc := minicluster.Spec{
		Size: m.Nodes.Size, Containers: []minicluster.Container{app, agent}, JobLabels: all,
		Flux: minicluster.Flux{Container: minicluster.View{Image: m.View, Security: who}},
		Pod: minicluster.Pod{Labels: pod, Annotations: m.Annotations, NodeSelector: m.NodeSelector,
			ServiceAccountName: agentAccount(name), RuntimeClassName: m.RuntimeClass, Token: true},
	}
	if m.User != 0 {
		mc.Pod.Security = &corev1.PodSecurityContext{FSGroup: &m.User}
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

// security has all containers be one user, and one that is not root have nothing that the
// restricted standard forbids.
func security(user int64) *corev1.SecurityContext {
	who := &corev1.SecurityContext{RunAsUser: &user, RunAsGroup: &user}
	if yes, no := true, false; user != 0 {
		who.RunAsNonRoot, who.AllowPrivilegeEscalation = &yes, &no
		who.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		who.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return who
}

// agentAccount is the service account of the agents of a MiniCluster, and its role.
func agentAccount(cluster string) string { return cluster + "-agent" }

// witnessName is that of the Job that saves what Kubernetes tells of a MiniCluster, and of
// its account and role.
func witnessName(cluster string) string { return cluster + "-witness" }

// belongings are what goes with a MiniCluster, by which the API server finds it: the
// accounts of the agents and of the witness, with what they may do.
func belongings(e *v1alpha1.Ensemble, u *v1alpha1.Unit, c *unstructured.Unstructured) (all []client.Object) {
	ours := v1alpha1.GroupVersion.Group
	own := []rbacv1.PolicyRule{
		{APIGroups: []string{ours}, Resources: []string{"ensembles"}, ResourceNames: []string{e.Name}, Verbs: []string{"get"}},
		{APIGroups: []string{ours}, Resources: []string{"ensembles/status"}, ResourceNames: []string{e.Name}, Verbs: []string{"patch"}},
	}
	list := []string{"list"}
	looks := append(slices.Clone(own),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "events"}, Verbs: list},
		rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: list},
		rbacv1.PolicyRule{APIGroups: []string{minicluster.GroupVersionKind.Group}, Resources: []string{"miniclusters"}, Verbs: list})
	for _, account := range []struct {
		name  string
		also  string // another account with the same role
		rules []rbacv1.PolicyRule
	}{{agentAccount(c.GetName()), u.Member.ServiceAccount, own}, {witnessName(c.GetName()), "", looks}} {
		of := metav1.ObjectMeta{Namespace: e.Namespace, Name: account.name, Labels: c.GetLabels(), OwnerReferences: ownedBy(c)}
		binding := &rbacv1.RoleBinding{ObjectMeta: of, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: of.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.Namespace, Name: of.Name}}}
		if account.also != "" {
			binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: e.Namespace, Name: account.also})
		}
		all = append(all, &corev1.ServiceAccount{ObjectMeta: of}, &rbacv1.Role{ObjectMeta: of, Rules: account.rules}, binding)
	}
	return all
}

// ownedBy has the API server delete what belongs to a MiniCluster when that is gone.
func ownedBy(c *unstructured.Unstructured) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: c.GetAPIVersion(), Kind: c.GetKind(), Name: c.GetName(), UID: c.GetUID()}}
}

// saving is what one who saves something has to know and to have: variables, and where
// credentials or a claim are mounted.
type saving struct {
	env     map[string]string
	volumes map[string]minicluster.Volume
}

func savingOf(e *v1alpha1.Ensemble, s *spec.Ensemble, unit string) saving {
	to := saving{map[string]string{v1alpha1.NamespaceEnv: e.Namespace, v1alpha1.NameEnv: e.Name, v1alpha1.UIDEnv: string(e.UID), v1alpha1.UnitEnv: unit},
		map[string]minicluster.Volume{}}
	a := s.Spec.Archive
	switch {
	case a.Repository != "":
		to.env[v1alpha1.RepositoryEnv] = a.Repository
		if a.Insecure {
			to.env[v1alpha1.InsecureEnv] = "true"
		}
		if a.Secret != "" {
			to.env["DOCKER_CONFIG"] = registryDir
			to.volumes["ensemble-registry"] = minicluster.Volume{Path: registryDir, SecretName: a.Secret,
				Items: map[string]string{corev1.DockerConfigJsonKey: "config.json"}, ReadOnly: true}
		}
	case a.Claim != "":
		to.env[v1alpha1.LayoutEnv] = layoutDir
		to.volumes["ensemble-archive"] = minicluster.Volume{Path: layoutDir, ClaimName: a.Claim}
	}
	return to
}

// witnessOf is the Job that saves what Kubernetes tells of a MiniCluster.
func witnessOf(e *v1alpha1.Ensemble, s *spec.Ensemble, u *v1alpha1.Unit, c *unstructured.Unstructured, image string) *batchv1.Job {
	to, yes, no, none := savingOf(e, s, u.Name), true, false, int64(65532)
	all := map[string]string{v1alpha1.EnsembleLabel: string(e.UID), v1alpha1.MemberLabel: u.Name, v1alpha1.WitnessLabel: c.GetName()}
	run := corev1.Container{Name: "witness", Image: image, Args: []string{"witness"}, TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts:    []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}}
	for _, name := range slices.Sorted(maps.Keys(to.env)) {
		run.Env = append(run.Env, corev1.EnvVar{Name: name, Value: to.env[name]})
	}
	pod := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, ServiceAccountName: witnessName(c.GetName()),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &none, FSGroup: &none, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Volumes:         []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}}
	for _, name := range slices.Sorted(maps.Keys(to.volumes)) {
		v := to.volumes[name]
		volume := corev1.Volume{Name: name}
		if v.SecretName != "" {
			volume.Secret = &corev1.SecretVolumeSource{SecretName: v.SecretName}
			for key, path := range v.Items {
				volume.Secret.Items = append(volume.Secret.Items, corev1.KeyToPath{Key: key, Path: path})
			}
		} else {
			volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.ClaimName}
			who := u.Member.User // the agent's, which wrote there
			p := pod.SecurityContext
			p.RunAsUser, p.RunAsGroup, p.FSGroup, p.RunAsNonRoot = &who, &who, &who, nil
			if who != 0 {
				p.RunAsNonRoot = &yes
			}
		}
		pod.Volumes = append(pod.Volumes, volume)
		run.VolumeMounts = append(run.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: v.Path, ReadOnly: v.ReadOnly})
	}
	pod.Containers = []corev1.Container{run}
	tries, limit := int32(5), int64(witnessPatience.Seconds())
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: witnessName(c.GetName()), Labels: all, OwnerReferences: ownedBy(c)},
		Spec: batchv1.JobSpec{BackoffLimit: &tries, ActiveDeadlineSeconds: &limit, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: all}, Spec: pod}}}
}
