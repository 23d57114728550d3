// SPDX-License-Identifier: MIT

package v1alpha1

// The variables by which the operator tells an agent what it is to do. DOCKER_CONFIG names
// the folder of the registry's credentials beside them.
const (
	NamespaceEnv  = "ENSEMBLE_NAMESPACE"
	NameEnv       = "ENSEMBLE_NAME"
	UIDEnv        = "ENSEMBLE_UID"
	UnitEnv       = "ENSEMBLE_UNIT"
	RepositoryEnv = "ENSEMBLE_REPOSITORY"
	InsecureEnv   = "ENSEMBLE_INSECURE" // "true" speaks plain HTTP with the registry
	LayoutEnv     = "ENSEMBLE_LAYOUT"   // a directory to write the bundle to, in the place of a repository
)
