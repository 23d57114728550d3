// SPDX-License-Identifier: MIT

package spec

// Application is a file that says what an application is: its parameters, its
// command, how to launch it and how to read its output. Adding one needs no Go.
type Application struct {
	Header
	// Spec is the application itself.
	Spec ApplicationSpec `json:"spec"`
}

// ApplicationSpec is data only: nothing in it is run by a shell.
//
// Command, Prepare, Services, Env and the contents of decks are Go templates
// over the parameters of a trial (".NAME") and over .nodes, .tasks,
// .tasksPerNode, .threads and .coresPerTask, with the arithmetic functions add,
// sub, mul, div, mod, seq, float and min, max. Each element of a command is one
// argument whatever it renders to; an element that renders to nothing is left
// out, so that an optional flag can be written as a condition.
type ApplicationSpec struct {
	// Description says in a sentence or two what the application computes.
	Description string `json:"description"`
	// Homepage is where the application lives.
	Homepage string `json:"homepage,omitempty" jsonschema:"format=uri"`
	// License is the SPDX expression of the application's licence.
	License string `json:"license,omitempty"`
	// Parameters are the typed inputs by name.
	Parameters map[string]Parameter `json:"parameters,omitempty"`
	// Command is the argument vector of one rank; the launcher is put before it.
	Command []string `json:"command,omitempty" jsonschema:"minItems=1"`
	// Prepare are commands run one after another in the job's directory before
	// the application, without the launcher and outside its time.
	Prepare [][]string `json:"prepare,omitempty"`
	// Services run beside the application and end with it.
	Services []Service `json:"services,omitempty"`
	// Env is added to the environment of the command.
	Env map[string]string `json:"env,omitempty"`
	// Ranks says which numbers of ranks the application accepts.
	Ranks Ranks `json:"ranks,omitzero"`
	// Scaling is strong where the problem stays the same as ranks are added,
	// weak where it grows with them. The default is strong.
	Scaling Scaling `json:"scaling,omitempty" jsonschema:"enum=strong,enum=weak"`
	// Decks are the input files, rendered into the job's directory.
	Decks []Deck `json:"decks,omitempty"`
	// Variants are the ways in which the application is provided. An
	// application without one can be parsed but not run.
	Variants []Variant `json:"variants,omitempty"`
	// Containers say how the application gets into images, a recipe for each
	// toolchain.
	Containers []Container `json:"containers,omitempty"`
	// Smallest are the values of parameters with which the application is tried
	// out: the rest have their defaults, and the whole takes seconds.
	Smallest map[string]Value `json:"smallest,omitempty"`
	// Problem is a template that names the problem in records and reports.
	Problem string `json:"problem,omitempty"`
	// Output says how to read what the application prints.
	Output Output `json:"output,omitzero"`
}

// Scaling says what happens to the problem as ranks are added.
type Scaling string

// The two ways to scale.
const (
	ScalingStrong Scaling = "strong"
	ScalingWeak   Scaling = "weak"
)

// Parameter is one typed input of an application.
type Parameter struct {
	// Type is int, float, enum or string.
	Type ParameterType `json:"type" jsonschema:"enum=int,enum=float,enum=enum,enum=string"`
	// Description says what the parameter does.
	Description string `json:"description,omitempty"`
	// Default is used where a study says nothing. Without one a study has to
	// give a value.
	Default *Value `json:"default,omitempty"`
	// Min is the smallest value of an int or a float.
	Min *float64 `json:"min,omitempty"`
	// Max is the largest value of an int or a float.
	Max *float64 `json:"max,omitempty"`
	// Values are the choices of an enum.
	Values []Value `json:"values,omitempty"`
	// Pattern is a regular expression (RE2) that a string has to match as a
	// whole.
	Pattern string `json:"pattern,omitempty" jsonschema:"format=regex"`
	// Unit is the unit of the value, in the symbols of SI or IEC.
	Unit string `json:"unit,omitempty"`
	// Role says what kind of knob the parameter is.
	Role ParameterRole `json:"role,omitempty" jsonschema:"enum=problem-size,enum=process-grid,enum=iterations,enum=algorithm,enum=input,enum=output,enum=system"`
}

// ParameterType is the type of a parameter's values.
type ParameterType string

// The types of parameters.
const (
	TypeInt    ParameterType = "int"
	TypeFloat  ParameterType = "float"
	TypeEnum   ParameterType = "enum"
	TypeString ParameterType = "string"
)

// ParameterRole says what kind of knob a parameter is.
type ParameterRole string

// The roles of parameters.
const (
	RoleProblemSize ParameterRole = "problem-size"
	RoleProcessGrid ParameterRole = "process-grid"
	RoleIterations  ParameterRole = "iterations"
	RoleAlgorithm   ParameterRole = "algorithm"
	RoleInput       ParameterRole = "input"
	RoleOutput      ParameterRole = "output"
	RoleSystem      ParameterRole = "system"
)

// Ranks says which numbers of MPI ranks an application accepts.
type Ranks struct {
	// Accept is any, powers-of-two, squares, cubes, or product: the product of
	// the parameters named in Of. The default is any.
	Accept RankRule `json:"accept,omitempty" jsonschema:"enum=any,enum=powers-of-two,enum=squares,enum=cubes,enum=product"`
	// Of names the parameters whose product is the number of ranks.
	Of []string `json:"of,omitempty"`
	// Min is the smallest number of ranks. The default is 1.
	Min int `json:"min,omitempty" jsonschema:"minimum=1"`
	// Max is the largest number of ranks; none by default.
	Max int `json:"max,omitempty" jsonschema:"minimum=1"`
}

// RankRule names a rule for numbers of ranks.
type RankRule string

// The rules for numbers of ranks.
const (
	RanksAny         RankRule = "any"
	RanksPowersOfTwo RankRule = "powers-of-two"
	RanksSquares     RankRule = "squares"
	RanksCubes       RankRule = "cubes"
	RanksProduct     RankRule = "product"
)

// Deck is one input file.
type Deck struct {
	// Path is where the file is placed, relative to the job's directory.
	Path string `json:"path"`
	// Source is the file's path relative to the application's file; the default
	// is Path.
	Source string `json:"source,omitempty"`
	// Verbatim keeps the content as it is instead of rendering it.
	Verbatim bool `json:"verbatim,omitempty"`
	// Content is the text itself. It is filled in when the application is
	// loaded, so that a resolved file needs no catalog at hand.
	Content string `json:"content,omitempty"`
}

// Service is a process that runs beside the application, a server for a client
// say.
type Service struct {
	// Command is the argument vector.
	Command []string `json:"command" jsonschema:"minItems=1"`
	// Ready is a regular expression (RE2) on the service's output; the
	// application starts when a line matches. Without one it starts at once.
	Ready string `json:"ready,omitempty" jsonschema:"format=regex"`
}

// Variant is one way in which an application is provided.
type Variant struct {
	// Name is unique within the application.
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$"`
	// Packages are the distribution's packages that provide it.
	Packages []string `json:"packages,omitempty"`
	// MPI is the MPI that the program is linked with; none where the
	// application does without and is started once.
	MPI MPI `json:"mpi" jsonschema:"enum=openmpi,enum=mpich,enum=none"`
	// Image is the container image in which everything of the variant is, pinned by its
	// digest: NAME@sha256:HEX.
	Image string `json:"image,omitempty"`
	// Command replaces the application's.
	Command []string `json:"command,omitempty" jsonschema:"minItems=1"`
	// Prepare replaces the application's.
	Prepare [][]string `json:"prepare,omitempty"`
	// Env is added to the application's.
	Env map[string]string `json:"env,omitempty"`
}

// MPI names an implementation of MPI.
type MPI string

// The implementations of MPI.
const (
	OpenMPI MPI = "openmpi"
	MPICH   MPI = "mpich"
	NoMPI   MPI = "none"
)
