// SPDX-License-Identifier: MIT

package spec

// Parts is a file of what container images are composed of. An image is a point:
// one application on one base, with one MPI and one fabric, for one architecture,
// made by one toolchain. Everything in it but the application is a part that
// applications share.
type Parts struct {
	Header
	// Spec is the parts themselves.
	Spec PartsSpec `json:"spec"`
}

// PartsSpec is the parts, each list in the order in which pages show it.
type PartsSpec struct {
	// Bases are the distributions that images start from.
	Bases []Base `json:"bases" jsonschema:"minItems=1"`
	// Toolchains compile; nothing of them is in an image.
	Toolchains []Part `json:"toolchains" jsonschema:"minItems=1"`
	// MPIs are the implementations of MPI.
	MPIs []Part `json:"mpis" jsonschema:"minItems=1"`
	// Fabrics are what MPI talks through.
	Fabrics []Part `json:"fabrics" jsonschema:"minItems=1"`
	// Builders are parts that only builds use, those that name them.
	Builders []Part `json:"builders,omitempty"`
	// Tools are in every image, in this order.
	Tools []Part `json:"tools,omitempty"`
	// Libraries are parts that only some applications name.
	Libraries []Part `json:"libraries,omitempty"`
	// Platforms name the sets whose points are the matrix.
	Platforms []Platform `json:"platforms" jsonschema:"minItems=1"`
	// Constraints say which points of the sets make no sense.
	Constraints []PointConstraint `json:"constraints,omitempty"`
}

// Family says how a distribution installs packages.
type Family string

// The families of distributions.
const (
	FamilyDebian Family = "debian" // apt-get
	FamilyRHEL   Family = "rhel"   // dnf
)

// Base is a distribution that images start from.
type Base struct {
	// Name is what points call it: letters, digits and dots, as debian12.
	Name string `json:"name" jsonschema:"pattern=^[a-z][a-z0-9.]*$"`
	// Description says in a sentence what it is.
	Description string `json:"description,omitempty"`
	// Image is the reference to start from, with a tag that says a version. A lock
	// file adds its digest.
	Image string `json:"image"`
	// Family is debian or rhel.
	Family Family `json:"family" jsonschema:"enum=debian,enum=rhel"`
	// Libc is the version of its GNU C library.
	Libc string `json:"libc" jsonschema:"pattern=^[0-9]+\\.[0-9]+$"`
	// View is the image with which the Flux Operator adds Flux on the fly.
	View View `json:"view"`
}

// View is an image that holds Flux and is mounted beside an application's.
type View struct {
	// Images are the view's references by architecture.
	Images map[string]string `json:"images"`
	// Libc is the version of the GNU C library that the view was built on; the
	// base's has to be as new.
	Libc string `json:"libc" jsonschema:"pattern=^[0-9]+\\.[0-9]+$"`
	// Programs are those of the application's image that the view's entry script
	// calls.
	Programs []string `json:"programs,omitempty"`
}

// Part is what several images have in common.
type Part struct {
	// Name is what points and recipes call it: letters, digits and dots.
	Name string `json:"name" jsonschema:"pattern=^[a-z][a-z0-9.]*$"`
	// Description says in a sentence what it is for.
	Description string `json:"description,omitempty"`
	// Homepage is where it lives.
	Homepage string `json:"homepage,omitempty" jsonschema:"format=uri"`
	// License is the SPDX expression of its licence.
	License string `json:"license,omitempty"`
	// Version is that of what Build makes; that of packages is known when an image
	// is built.
	Version string `json:"version,omitempty"`
	// MPI is the implementation that an MPI part is.
	MPI MPI `json:"mpi,omitempty" jsonschema:"enum=openmpi,enum=mpich,enum=none"`
	// When is a condition like those of constraints: where it is not met the part is
	// left out.
	When string `json:"when,omitempty"`
	// Base is where Build works; the default is the point's own base.
	Base string `json:"base,omitempty"`
	// Packages are in the image.
	Packages Packages `json:"packages,omitempty"`
	// Build makes what no package has. It happens in a stage of its own, of which
	// the image gets only Copy.
	Build Recipe `json:"build,omitzero"`
	// Copy are the absolute paths that Build leaves for the image, at the same
	// place there.
	Copy []string `json:"copy,omitempty"`
	// Configure are what an MPI's configure is told of a fabric, by the MPI's
	// implementation. The MPI's Run has them in the variable CONFIGURE.
	Configure map[MPI]string `json:"configure,omitempty"`
	// Specs are what Spack installs for the part.
	Specs []string `json:"specs,omitempty"`
	// Env is set in the image.
	Env map[string]string `json:"env,omitempty"`
}

// Packages are names of packages by base or by family; a base's stand in for its
// family's. Where neither is given the part is not to be had from packages there.
type Packages map[string][]string

// Recipe makes something from its sources.
type Recipe struct {
	// Packages are those that are needed to build, beside the toolchain's.
	Packages Packages `json:"packages,omitempty"`
	// Needs are builders and libraries, by name, that the build has at hand.
	Needs []string `json:"needs,omitempty"`
	// Sources are unpacked into folders of their names below /src.
	Sources []Source `json:"sources,omitempty"`
	// Run are lines of shell. They run one after another in one shell, from /src,
	// and the first that fails ends the build.
	Run []string `json:"run,omitempty"`
}

// Source is something to build, pinned by a digest.
type Source struct {
	// Name is the folder below /src.
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9._-]*$"`
	// URL is that of a tar archive, whose first folder is stripped, or of a Git
	// repository where Commit is given.
	URL string `json:"url,omitempty" jsonschema:"format=uri"`
	// SHA256 or SHA512 is the archive's checksum in hexadecimal.
	SHA256 string `json:"sha256,omitempty" jsonschema:"pattern=^[0-9a-f]{64}$"`
	SHA512 string `json:"sha512,omitempty" jsonschema:"pattern=^[0-9a-f]{128}$"`
	// Commit is the commit of the repository.
	Commit string `json:"commit,omitempty" jsonschema:"pattern=^[0-9a-f]{40}$"`
	// Submodules brings the repository's submodules, at the commits that it names.
	Submodules bool `json:"submodules,omitempty"`
	// File is the path of one of the application's decks instead.
	File string `json:"file,omitempty"`
	// Embedded is a source that this module carries: profile, the MPI profiling
	// library.
	Embedded string `json:"embedded,omitempty" jsonschema:"enum=profile"`
}

// Platform names the points of one kind of place.
type Platform struct {
	// Name begins the names of its points: letters and digits.
	Name string `json:"name" jsonschema:"pattern=^[a-z][a-z0-9]*$"`
	// Description says in a sentence what it is for.
	Description string `json:"description,omitempty"`
	// Toolchain says which of an application's recipes it takes.
	Toolchain string `json:"toolchain"`
	// Bases, MPIs, Fabrics and Architectures are combined, each with each.
	Bases         []string `json:"bases" jsonschema:"minItems=1"`
	MPIs          []string `json:"mpis" jsonschema:"minItems=1"`
	Fabrics       []string `json:"fabrics" jsonschema:"minItems=1"`
	Architectures []string `json:"architectures" jsonschema:"minItems=1,enum=amd64,enum=arm64"`
}

// PointConstraint excludes points.
type PointConstraint struct {
	// Require is a condition in CEL that points have to meet. It knows app,
	// platform, toolchain, base, family, mpi (the part), implementation (openmpi,
	// mpich or none), fabric and arch, each a string.
	Require string `json:"require"`
	// Reason says why the others make no sense.
	Reason string `json:"reason"`
}

// Container says how an application gets into images with one toolchain.
type Container struct {
	// Toolchain is the one that the recipe is for.
	Toolchain string `json:"toolchain"`
	// MPIs limits the recipe to some MPIs, by the names of parts or of
	// implementations; the default is none for an application whose variants are all
	// without an MPI, and all but none for others.
	MPIs []string `json:"mpis,omitempty"`
	// Variant is the variant that gives command, environment and what prepares; the
	// default is the application itself.
	Variant string `json:"variant,omitempty"`
	// Version is that of what Build makes.
	Version string `json:"version,omitempty"`
	// Libraries are shared parts that the image has below the application, by name.
	Libraries []string `json:"libraries,omitempty"`
	// Packages are in the image.
	Packages Packages `json:"packages,omitempty"`
	// Build makes what no package has, in a stage of its own.
	Build Recipe `json:"build,omitzero"`
	// Copy are the absolute paths that Build leaves for the image.
	Copy []string `json:"copy,omitempty"`
	// Specs are what Spack installs.
	Specs []string `json:"specs,omitempty"`
	// Env is set in the image.
	Env map[string]string `json:"env,omitempty"`
	// Command and Prepare replace those of the variant or the application.
	Command []string   `json:"command,omitempty" jsonschema:"minItems=1"`
	Prepare [][]string `json:"prepare,omitempty"`
	// Constraints exclude further points.
	Constraints []PointConstraint `json:"constraints,omitempty"`
}
