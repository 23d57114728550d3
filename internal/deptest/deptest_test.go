// SPDX-License-Identifier: MIT

package deptest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/converged-computing/ensemble/"

// rules says which packages of the module a package may import. A package that
// is not listed may not exist: add it with its reason.
var rules = []struct {
	pkg     string
	imports []string
	reason  string
}{
	{"spec", nil, "a leaf: every stage reads files, so it can read none of theirs"},
	{"spec/internal/schemagen", []string{"spec"}, "writes the schemas of the types"},
	{"stats", nil, "a leaf: numbers in, numbers out"},
	{"catalog/read", []string{"spec"}, "rules of an application in, values out"},
	{"catalog", []string{"spec", "catalog/read"}, "checks rules when it loads them"},
	{"container/image", nil, "a leaf: a directory of images, whoever built them"},
	{"ensemble", []string{"spec", "stats"}, "pure: what a job is, what can happen to it, and what rules make of that"},
	{"study/sample", nil, "a leaf: points of a space, whatever they mean"},
	{"study", []string{"spec", "catalog", "ensemble", "study/sample"}, "compiles to jobs; runs nothing"},
	{"run", []string{"spec", "ensemble", "catalog/read", "mpi"}, "knows jobs, not where they come from"},
	{"run/runtest", []string{"spec", "ensemble", "run"}, "a fake executor and the tests that every executor passes"},
	{"flux/wire", nil, "a leaf: bytes in, messages out"},
	{"flux", []string{"flux/wire"}, "a leaf but for its messages: a client of any broker, for anybody"},
	{"flux/fluxtest", []string{"flux", "flux/wire"}, "a fake broker, beside what it is a fake for"},
	{"mpi", nil, "a leaf: C sources and how to build them"},
	{"mpi/internal/makempi", []string{"mpi"}, "a main for make"},
	{"container", []string{"spec", "catalog", "mpi", "container/image"}, "the catalog's points in, images out"},
	{"run/local", []string{"spec", "ensemble", "run", "container/image"}, "executors know the driver's side and not one another; this one runs jobs in images"},
	{"run/flux", []string{"spec", "ensemble", "run", "flux"}, "executors know the driver's side and not one another"},
	{"run/sim", []string{"spec", "ensemble", "run"}, "plays jobs by durations that it is given: it needs neither patterns nor a machine"},
	{"measure/mpi", nil, "a leaf: files of ranks in, a profile out"},
	{"measure", []string{"spec", "stats", "ensemble", "catalog/read", "run", "measure/mpi"}, "reads run directories"},
	{"pattern", []string{"spec", "stats", "catalog/read", "ensemble", "measure"}, "fits records, and points from anywhere"},
	{"forecast", []string{"spec", "stats", "ensemble", "run/sim", "measure", "pattern"}, "plays ensembles by patterns, on the simulated member; touches no files"},
	{"archive", []string{"spec", "ensemble", "run", "measure", "container/image"}, "run directories in, bundles out, and back"},
	{"report", []string{"spec", "stats", "catalog/read", "ensemble", "run", "measure", "measure/mpi"}, "shows records"},
	{"api/v1alpha1", []string{"spec"}, "the resource is the file, and how its run stands"},
	{"minicluster", nil, "a leaf: the Flux Operator's resource, for anybody"},
	{"internal/session", []string{"spec", "ensemble", "study", "run", "measure"}, "what the command line and the agent make of a file"},
	{"internal/agent", []string{"spec", "ensemble", "catalog", "study", "flux", "run", "run/flux", "archive", "container/image", "api/v1alpha1", "minicluster", "internal/session"}, "drives a unit from within its MiniCluster"},
	{"internal/witness", []string{"archive", "container/image", "api/v1alpha1", "minicluster"}, "saves what Kubernetes saw"},
	{"internal/operator", []string{"spec", "api/v1alpha1", "minicluster"}, "makes MiniClusters; runs no jobs and speaks to no registry"},
	{"internal/ensembles", []string{"spec", "api/v1alpha1"}, "the command line's door to a cluster"},
	{"internal/kubetest/realagent", []string{"api/v1alpha1", "minicluster", "flux/fluxtest", "internal/agent", "internal/witness", "internal/kubetest"}, "the agent as it is, for tests"},
	{"internal/kubetest", []string{"api/v1alpha1", "minicluster"}, "a real API server for tests"},
	{"internal/registrytest", nil, "a real registry for tests"},
	{"internal/kubetest/assets", []string{"internal/kubetest", "internal/registrytest"}, "a main for make"},
	{"internal/deploy", []string{"api/v1alpha1"}, "manifests of what the code needs"},
	{"internal/deploy/write", []string{"internal/deploy"}, "a main for go generate"},
	{"cmd/ensemble-operator", []string{"internal/operator"}, "a main hands over at once"},
	{"cmd/ensemble-agent", []string{"internal/agent", "internal/witness"}, "a main hands over at once"},
	{"convert", []string{"spec"}, "files in, files out: what others wrote becomes what spec reads"},
	{"internal/cli", []string{"*"}, "last: the door to all of them"},
	{"internal/deptest", nil, "tests only"},
	{"test/e2e", nil, "tests only, of what is installed"},
	{"cmd/ensemble", []string{"internal/cli"}, "a main hands over at once"},
}

// outside says who may import libraries that would spread if anybody could.
var outside = []struct {
	prefix   string
	packages []string
	reason   string
}{
	{"github.com/spf13/", []string{"internal/cli"}, "commands parse; libraries work"},
	{"github.com/vbauerster/mpb", []string{"internal/cli"}, "only the command line draws on terminals"},
	{"gonum.org/", []string{"stats", "study", "study/sample", "pattern", "forecast", "report"}, "numerics have their places"},
	{"golang.org/x/perf", []string{"stats", "report"}, "numerics have their places"},
	{"github.com/goccy/go-yaml", []string{"spec", "internal/cli"}, "files are decoded in one place; listings are written as YAML"},
	{"github.com/santhosh-tekuri/", []string{"spec"}, "files are checked in one place"},
	{"github.com/invopop/", []string{"spec", "spec/internal/schemagen"}, "schemas are made in one place"},
	{"cel.dev/", []string{"study", "catalog/read", "ensemble", "container"}, "constraints are the study's and of the points of images, formulas the catalog's, conditions the rules'"},
	{"github.com/prometheus/procfs", []string{"run", "run/local"}, "the machine is looked at where it is captured and used"},
	{"github.com/google/go-containerregistry", []string{"container/image"}, "images and registries are spoken to in one place"},
	{"oras.land/", []string{"container/image"}, "images and registries are spoken to in one place"},
	{"github.com/klauspost/compress", []string{"container/image", "archive"}, "layers are compressed where they are made"},
	{"k8s.io/", kubernetes, "Kubernetes has its places"},
	{"sigs.k8s.io/", kubernetes, "Kubernetes has its places"},
}

// kubernetes are the packages that know of Kubernetes.
var kubernetes = []string{"api/v1alpha1", "minicluster", "internal/operator", "internal/agent", "internal/witness", "internal/kubetest", "internal/kubetest/realagent", "internal/deploy", "internal/ensembles"}

type listed struct {
	ImportPath string
	Imports    []string
	Name       string
}

func packages(t *testing.T) (all []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Name", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsPointUpstream(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		i := slices.IndexFunc(rules, func(r struct {
			pkg     string
			imports []string
			reason  string
		}) bool {
			return r.pkg == pkg
		})
		if i < 0 {
			t.Errorf("package %s is not in the list of packages: add it with its reason", pkg)
			continue
		}
		for _, imported := range p.Imports {
			if own, ok := strings.CutPrefix(imported, module); ok {
				if !slices.Contains(rules[i].imports, own) && !slices.Contains(rules[i].imports, "*") {
					t.Errorf("%s imports %s; it is %q", pkg, own, rules[i].reason)
				}
				continue
			}
			for _, o := range outside {
				if strings.HasPrefix(imported, o.prefix) && !slices.Contains(o.packages, pkg) {
					t.Errorf("%s imports %s: %s", pkg, imported, o.reason)
				}
			}
		}
	}
}

func TestEveryPackageOfTheListExists(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range packages(t) {
		names = append(names, strings.TrimPrefix(p.ImportPath, module))
	}
	for _, r := range rules {
		if !slices.Contains(names, r.pkg) {
			t.Errorf("package %s of the list does not exist", path.Join(module, r.pkg))
		}
	}
}
