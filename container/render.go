// SPDX-License-Identifier: MIT

package container

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/mpi"
	"github.com/converged-computing/ensemble/spec"
)

// Where things are in every image.
const (
	// WorkDir is where the decks are and where the default command runs; any user may
	// write there.
	WorkDir = "/work"
	// ViewDir is where the Flux Operator's script puts the programs of the Flux view,
	// whose links lead there, as whatever user the container has.
	ViewDir = "/opt/software"
	// PackageList lists the packages of the image, a line each: name, version and
	// architecture with tabs between them, in order of the bytes.
	PackageList = "/opt/ensemble/share/packages"
	// Library is the MPI profiling library.
	Library = "/opt/ensemble/lib/libensemble-mpi.so"
	// Oras is the program that pushes and pulls artifacts.
	Oras = "/opt/ensemble/bin/oras"
	// UserID is the default user. Any other may take its place.
	UserID = 10001

	containerfile = "Containerfile"
)

// Context is the folder that an image is built in.
type Context struct {
	// Files are its files by path; Containerfile is one of them. Root file systems are
	// not among them.
	Files map[string][]byte
}

// Digest is that of all files and their names, in hexadecimal.
func (c *Context) Digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		fmt.Fprintf(h, "%s %d\n", name, len(c.Files[name]))
		h.Write(c.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// RenderOptions say what an image is made from beside its point.
type RenderOptions struct {
	// Bases are images to start from in place of the parts' own, by the name of the
	// base. [RootFS] and a digest stand for a root file system in a tar archive, which
	// is put into the context as [RootFSFile].
	Bases map[string]string
	// Lock is what an earlier build resolved; nil takes what there is.
	Lock *Locked
}

// Render writes how the image of a point is made. The same point and options give the
// same bytes. What images share comes first, so that its layers are the same.
func Render(p *Point, o RenderOptions) (*Context, error) {
	r := &renderer{point: p, options: o, files: map[string][]byte{}}
	if err := r.image(); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", p.Name(), err)
	}
	r.files[containerfile] = []byte(r.text.String())
	return &Context{Files: r.files}, nil
}

type renderer struct {
	point   *Point
	options RenderOptions
	text    strings.Builder
	files   map[string][]byte
}

func (r *renderer) line(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

// comment begins a stage.
func (r *renderer) comment(format string, args ...any) {
	fmt.Fprintf(&r.text, "\n# %s\n", strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

// run writes lines of shell that run one after another, the first that fails being the
// last.
func (r *renderer) run(lines ...string) {
	r.line("RUN set -eu; \\\n    %s", strings.Join(lines, "; \\\n    "))
}

// image writes all stages.
func (r *renderer) image() error {
	p := r.point
	r.line("# %s: %s on %s", p.Name(), p.App.Metadata.Name, strings.Join(strings.Fields(p.Base.Description), " "))
	r.line("# Written by: ensemble containers render %s", p.Name())
	r.foreignBases()
	r.base()
	if err := r.building(); err != nil {
		return err
	}
	return r.final()
}

// from is the image that a base starts from.
func (r *renderer) from(b *spec.Base) string {
	if own := r.options.Bases[b.Name]; own != "" {
		return own
	}
	if l := r.options.Lock; l != nil && l.Bases[b.Name] != "" {
		name, _, _ := strings.Cut(b.Image, "@")
		return name + "@" + l.Bases[b.Name]
	}
	return b.Image
}

// stage begins a stage on one before it, and start on an image.
func (r *renderer) stage(from, name string) { r.line("FROM %s AS %s", from, name) }
func (r *renderer) start(b *spec.Base, name string) {
	from := r.from(b)
	if !strings.HasPrefix(from, RootFS) {
		r.line("FROM --platform=linux/%s %s AS %s", r.point.Arch, from, name)
		return
	}
	r.line("FROM scratch AS %s", name)
	r.line("ADD %s /", RootFSFile(b.Name, from))
	r.line("CMD [\"/bin/sh\"]")
}

// RootFS begins what stands for a root file system; its SHA-256 in hexadecimal follows.
const RootFS = "rootfs@sha256:"

// RootFSFile is where in the context the root file system of a base is.
func RootFSFile(base, rootfs string) string {
	return "bases/" + base + "-" + strings.TrimPrefix(rootfs, RootFS)[:12] + ".tar"
}

// install installs packages of a base.
func (r *renderer) install(b *spec.Base, packages []string, more ...string) {
	if len(packages) == 0 {
		return
	}
	packages = slices.Sorted(slices.Values(packages))
	list := strings.Join(slices.Compact(packages), " ")
	if b.Family == spec.FamilyRHEL {
		r.run(append([]string{
			"dnf -y -q --setopt=install_weak_deps=False --setopt=tsflags=nodocs install " + list,
			"dnf -q clean all",
			"rm -rf /var/cache/dnf /var/log/dnf*"}, more...)...)
		return
	}
	r.run(append([]string{
		"export DEBIAN_FRONTEND=noninteractive",
		"apt-get -q -o Acquire::Retries=5 update",
		"apt-get -q -y -o Acquire::Retries=5 install --no-install-recommends " + list,
		"rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log"}, more...)...)
}

// common are what every image has, by family.
var common = map[spec.Family][]string{
	spec.FamilyDebian: {"ca-certificates", "findutils", "hostname"},
	spec.FamilyRHEL:   {"ca-certificates", "findutils", "hostname", "shadow-utils"},
}

// base writes the stage that all others of the point's base stand on.
func (r *renderer) base() {
	p := r.point
	r.comment("What all images of this base have.")
	r.start(p.Base, "base")
	if l := r.options.Lock; l != nil && p.Base.Family == spec.FamilyDebian {
		r.files["lock/pins"] = l.pins()
		r.line("COPY lock/pins /etc/apt/preferences.d/ensemble")
	}
	if p.Base.Family == spec.FamilyDebian {
		// Licences stay. In one image of the catalog documents were half of the bytes.
		r.run(`printf 'path-exclude=/usr/share/%s/*\n' doc man info locale javascript > /etc/dpkg/dpkg.cfg.d/ensemble`,
			`printf 'path-include=/usr/share/doc/*/copyright\n' >> /etc/dpkg/dpkg.cfg.d/ensemble`)
	}
	r.install(p.Base, common[p.Base.Family],
		fmt.Sprintf("groupadd -g %d ensemble", UserID),
		fmt.Sprintf("useradd -u %d -g %d -d %s -M -s /bin/sh ensemble", UserID, UserID, WorkDir),
		"mkdir -p "+WorkDir+" "+ViewDir+" "+path.Dir(PackageList),
		"chmod 1777 "+WorkDir+" "+ViewDir)
	r.line(`ENV HOME="%s" LANG="C.UTF-8" PATH="%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"`, WorkDir, path.Dir(Oras))
}

// foreignBases writes stages of other bases, on which some parts are built whatever
// the point's.
func (r *renderer) foreignBases() {
	var done []string
	for _, part := range r.point.parts() {
		b := r.point.builtOn(part)
		if b == r.point.Base || slices.Contains(done, b.Name) || len(part.Build.Run) == 0 {
			continue
		}
		done = append(done, b.Name)
		r.comment("Where parts are built that are the same for every base.")
		r.start(b, "base-"+b.Name)
	}
}

// building writes the stages that compile, of which images get the results only.
func (r *renderer) building() error {
	p := r.point
	if !r.compiles() {
		return r.tools()
	}
	r.comment("The toolchain %s.", p.Toolchain.Name)
	r.stage("base", "toolchain")
	r.install(p.Base, packagesOn(p.Toolchain.Packages, p.Base))
	if len(p.Fabric.Build.Run) > 0 {
		if err := r.part(p.Fabric, "fabric", "toolchain", nil); err != nil {
			return err
		}
	}
	if len(p.MPI.Build.Run) > 0 {
		if err := r.part(p.MPI, "mpi", "toolchain", func() {
			r.copies(p.Fabric, "fabric")
			r.env(p.Fabric.Env)
			if c := p.Fabric.Configure[p.MPI.MPI]; c != "" {
				r.line("ENV CONFIGURE=%s", quote(c))
			} else {
				r.line(`ENV CONFIGURE=""`)
			}
		}); err != nil {
			return err
		}
	}
	r.comment("What compiles with %s.", p.MPI.Name)
	r.stage("toolchain", "compile")
	if len(p.MPI.Build.Run) == 0 {
		r.install(p.Base, packagesOn(p.MPI.Build.Packages, p.Base))
	}
	for _, part := range []*spec.Part{p.Fabric, p.MPI} {
		r.copies(part, map[*spec.Part]string{p.Fabric: "fabric", p.MPI: "mpi"}[part])
		r.env(part.Env)
	}
	if len(p.specs()) > 0 {
		if err := r.specs(); err != nil {
			return err
		}
	}
	for _, l := range p.usedLibraries() {
		if len(l.Build.Run) > 0 {
			if err := r.part(l, "library-"+l.Name, "compile", nil); err != nil {
				return err
			}
		}
	}
	if err := r.tools(); err != nil {
		return err
	}
	if len(p.Recipe.Build.Run) == 0 {
		return nil
	}
	r.comment("The application.")
	r.stage("compile", "application")
	for _, l := range p.usedLibraries() {
		r.copies(l, "library-"+l.Name)
		r.env(l.Env)
	}
	return r.recipe(&p.Recipe.Build, p.Base)
}

// compiles says whether anything is compiled on the point's own base.
func (r *renderer) compiles() bool {
	p := r.point
	if len(p.Recipe.Build.Run) > 0 || len(p.specs()) > 0 {
		return true
	}
	for _, part := range p.parts()[1:] { // the toolchain is not a reason for itself
		if len(part.Build.Run) > 0 && part.Base == "" {
			return true
		}
	}
	return false
}

// tools writes the stages of builders and tools.
func (r *renderer) tools() error {
	for _, part := range slices.Concat(r.point.Builders, r.point.Tools) {
		if len(part.Build.Run) == 0 {
			continue
		}
		from := "compile"
		switch b := r.point.builtOn(part); {
		case b != r.point.Base:
			from = "base-" + b.Name
		case part.Base != "":
			from = "base"
		}
		if err := r.part(part, "part-"+part.Name, from, nil); err != nil {
			return err
		}
	}
	return nil
}

// part writes the stage that builds a part.
func (r *renderer) part(part *spec.Part, name, from string, before func()) error {
	title := part.Name
	if part.Version != "" && !strings.HasSuffix(part.Name, part.Version) {
		title += " " + part.Version
	}
	r.comment("%s: %s", title, strings.Join(strings.Fields(part.Description), " "))
	r.stage(from, name)
	if before != nil {
		before()
	}
	return r.recipe(&part.Build, r.point.builtOn(part))
}

// recipe writes how something is built in the present stage.
func (r *renderer) recipe(b *spec.Recipe, base *spec.Base) error {
	p := r.point
	for _, part := range slices.Concat(p.Builders, p.Libraries) {
		if !slices.Contains(b.Needs, part.Name) {
			continue
		}
		stage := "part-" + part.Name
		if slices.Contains(p.Libraries, part) {
			if stage = "library-" + part.Name; !slices.Contains(p.usedLibraries(), part) {
				return fmt.Errorf("the library %q is needed to build, but the recipe does not name it under libraries", part.Name)
			}
		}
		r.copies(part, stage)
		r.env(part.Env)
	}
	r.install(base, packagesOn(b.Packages, base))
	r.line("WORKDIR /src")
	for _, s := range b.Sources {
		if err := r.source(s); err != nil {
			return err
		}
	}
	r.run(b.Run...)
	return nil
}

// source puts one source below /src.
func (r *renderer) source(s spec.Source) error {
	switch {
	case s.File != "":
		content, err := r.deck(s.File)
		if err != nil {
			return err
		}
		name := "sources/" + s.Name + "/" + path.Base(s.File)
		r.files[name] = content
		b, err := json.Marshal([]string{name, "/src/" + s.Name + "/"}) // whatever is in the name
		if err != nil {
			return err
		}
		r.line("COPY %s", b)
	case s.Embedded != "":
		if err := r.embedded(s.Name); err != nil {
			return err
		}
		r.line("COPY sources/%s /src/%s", s.Name, s.Name)
	case s.Commit != "":
		lines := []string{
			fmt.Sprintf("mkdir %s", s.Name),
			fmt.Sprintf("cd %s", s.Name),
			"git init -q",
			"git fetch -q --depth 1 " + word(s.URL) + " " + s.Commit,
			"git checkout -q FETCH_HEAD",
		}
		if s.Submodules {
			lines = append(lines, "git submodule -q update --init --recursive --depth 1")
		}
		r.run(lines...)
	default:
		archive := s.Name + ".tar"
		r.run(
			"curl -fsSL --retry 3 -o "+archive+" "+word(s.URL),
			checksum(s, archive),
			"mkdir "+s.Name,
			"tar -xf "+archive+" -C "+s.Name+" --strip-components 1 --no-same-owner",
			"rm "+archive)
	}
	return nil
}

// checksum holds an archive against its digest.
func checksum(s spec.Source, archive string) string {
	if s.SHA512 != "" {
		return fmt.Sprintf("echo '%s  %s' | sha512sum -c -", s.SHA512, archive)
	}
	return fmt.Sprintf("echo '%s  %s' | sha256sum -c -", s.SHA256, archive)
}

// deck gives a file of the application as it is.
func (r *renderer) deck(file string) ([]byte, error) {
	for _, d := range r.point.App.Spec.Decks {
		if d.Path == file {
			return []byte(d.Content), nil
		}
	}
	return nil, fmt.Errorf("the application has no deck %q", file)
}

// embedded writes the source of the profiling library.
func (r *renderer) embedded(name string) error {
	files, err := mpi.Sources()
	if err != nil {
		return err
	}
	for file, content := range files {
		r.files[path.Join("sources", name, file)] = content
	}
	return nil
}

// copies takes what a part's stage leaves.
func (r *renderer) copies(part *spec.Part, stage string) {
	if len(part.Build.Run) == 0 {
		return
	}
	for _, c := range part.Copy {
		r.line("COPY --from=%s %s %s", stage, c, c)
	}
}

// env sets variables.
func (r *renderer) env(all map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r.line("ENV %s=%s", name, quote(all[name]))
	}
}

// quote writes a value for ENV, in which the builder still fills in variables.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\r", " ").Replace(value) + `"`
}

// literal writes a value in which nothing is filled in.
func literal(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", " ", "\r", " ").Replace(value) + `"`
}

// word writes one word of a shell.
func word(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// final writes the image itself, what is shared first.
func (r *renderer) final() error {
	p := r.point
	r.comment("The image.")
	r.line("FROM base")
	r.install(p.Base, slices.Concat(packagesOn(p.MPI.Packages, p.Base), packagesOn(p.Fabric.Packages, p.Base)))
	for _, part := range []*spec.Part{p.Fabric, p.MPI} {
		r.copies(part, map[*spec.Part]string{p.Fabric: "fabric", p.MPI: "mpi"}[part])
		r.env(part.Env)
	}
	for _, part := range p.Tools {
		r.install(p.Base, packagesOn(part.Packages, p.Base))
		r.copies(part, "part-"+part.Name)
		r.env(part.Env)
	}
	for _, l := range p.usedLibraries() {
		r.install(p.Base, packagesOn(l.Packages, p.Base))
		r.copies(l, "library-"+l.Name)
		r.env(l.Env)
	}
	r.install(p.Base, packagesOn(p.Recipe.Packages, p.Base))
	if len(p.specs()) > 0 {
		r.copies(p.Toolchain, "compile")
	}
	if len(p.Recipe.Build.Run) > 0 {
		for _, c := range p.Recipe.Copy {
			r.line("COPY --from=application %s %s", c, c)
		}
	}
	r.env(p.Recipe.Env)
	r.packageList()
	decks, command, err := r.deckFiles()
	if err != nil {
		return err
	}
	r.line("WORKDIR %s", WorkDir)
	r.line("USER %d:%d", UserID, UserID)
	labels := r.labels()
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, name+"="+literal(labels[name]))
	}
	r.line("LABEL %s", strings.Join(texts, " \\\n    "))
	if decks {
		r.line("COPY decks/ %s/", WorkDir)
	}
	b, err := json.Marshal(append([]string{}, command...)) // [] takes the base's away
	if err != nil {
		return err
	}
	r.line("CMD %s", b)
	return nil
}

// packageList has the image say what is in it, and holds it against a lock.
func (r *renderer) packageList() {
	list := `dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n'`
	if r.point.Base.Family == spec.FamilyRHEL {
		list = `rpm -qa --qf '%{NAME}\t%{EVR}\t%{ARCH}\n' | grep -v '^gpg-pubkey'` // keys are listed as packages
	}
	lines := []string{list + " | LC_ALL=C sort > " + PackageList}
	if l := r.options.Lock; l != nil {
		r.files["lock/packages"] = l.list()
		r.line("COPY lock/packages %s.locked", PackageList)
		lines = append(lines, fmt.Sprintf(`test "$(cat %s)" = "$(cat %s.locked)" || { echo "these packages are not those of the lock file:" >&2; grep -vxFf %s.locked %s >&2 || true; exit 1; }`, PackageList, PackageList, PackageList, PackageList))
	}
	r.run(lines...)
}

// deckFiles writes the decks as the defaults of the parameters make them, and gives
// the command that uses them.
func (r *renderer) deckFiles() (any bool, command []string, err error) {
	rendered, err := r.point.defaults()
	if err != nil || rendered == nil {
		return false, nil, err
	}
	for name, content := range rendered.Files {
		r.files["decks/"+name] = []byte(content)
	}
	command, err = r.point.Command()
	return len(rendered.Files) > 0, command, err
}

// defaults are the application's command and files with the defaults of its parameters,
// on as few ranks as it takes; nil where not all parameters have a default.
func (p *Point) defaults() (*catalog.Rendered, error) {
	parameters, err := catalog.Parameters(p.App, nil)
	if err != nil {
		return nil, nil
	}
	n := p.fewest()
	return catalog.Render(p.App, p.AsVariant(""), catalog.Config{
		Nodes: 1, Tasks: n, TasksPerNode: n, Threads: 1, CoresPerTask: 1, Parameters: ranks(p.App, parameters, n)})
}

// fewest is the smallest number of ranks that the application takes.
func (p *Point) fewest() int { return max(1, p.App.Spec.Ranks.Min) }

// launchers start ranks in images; MPICH's has a name that no other MPI has.
var launchers = map[spec.MPI]string{spec.OpenMPI: "mpirun", spec.MPICH: "mpiexec.hydra"}

// Command is the default command of the point's image: the application with the defaults
// of its parameters. It is empty where that could not work by itself: where a parameter has no
// default, or another program has to run beside it.
func (p *Point) Command() ([]string, error) {
	rendered, err := p.defaults()
	if err != nil || rendered == nil || len(p.App.Spec.Services) > 0 {
		return nil, err
	}
	if n := p.fewest(); n > 1 && launchers[p.MPI.MPI] != "" {
		return append([]string{launchers[p.MPI.MPI], "-n", strconv.Itoa(n)}, rendered.Command...), nil
	}
	return rendered.Command, nil
}

// specs writes the stage in which Spack installs everything at once.
func (r *renderer) specs() error {
	p := r.point
	var b strings.Builder
	b.WriteString("spack:\n  specs:\n")
	for _, s := range p.specs() {
		fmt.Fprintf(&b, "    - '%s'\n", strings.ReplaceAll(s, "'", "''"))
	}
	b.WriteString("  concretizer:\n    unify: true\n  config:\n    install_tree: /opt/spack/software\n  view: /opt/spack/view\n")
	r.files["spack.yaml"] = []byte(b.String())
	r.line("COPY spack.yaml /src/spack.yaml")
	return r.recipe(&p.Toolchain.Build, p.Base)
}

// specs are all that Spack installs, the MPI first.
func (p *Point) specs() []string {
	if len(p.Recipe.Specs) == 0 {
		return nil
	}
	return slices.Concat(p.MPI.Specs, p.Fabric.Specs, p.Recipe.Specs)
}
