// SPDX-License-Identifier: MIT

package mpi

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nameSize is NAME of profile.h.
const nameSize = 40

// written are the calls whose wrappers are in special.c.
var written = []string{"Init", "Init_thread", "Finalize", "Abort"}

// wrappers writes a C file with a wrapper for each function, in C and under the
// names of Fortran's three interfaces.
func wrappers(all []prototype) ([]byte, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(p prototype) bool { return slices.Contains(written, p.name) })
	var b bytes.Buffer
	b.WriteString("/* Generated from mpi.h. */\n#include \"wrappers.h\"\n\nconst char *const ensemble_names[] = {\n")
	for _, p := range all {
		if len("MPI_"+p.name) >= nameSize {
			return nil, fmt.Errorf("the name MPI_%s has no place in %d bytes", p.name, nameSize)
		}
		fmt.Fprintf(&b, "\t\"MPI_%s\",\n", p.name)
	}
	fmt.Fprintf(&b, "};\nconst int ensemble_calls = %d;\n", len(all))
	for call, p := range all {
		if err := p.writeC(&b, call); err != nil {
			return nil, err
		}
		if err := p.writeFortran(&b, call); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// writeC writes the wrapper of the C function.
func (p prototype) writeC(b *bytes.Buffer, call int) error {
	declared, passed := []string{}, []string{}
	for i, a := range p.params {
		name := "a" + strconv.Itoa(i)
		declared, passed = append(declared, a.c(name)), append(passed, name)
	}
	if len(declared) == 0 {
		declared = []string{"void"}
	}
	before, after, err := p.told(call, false)
	if err != nil {
		return err
	}
	inner := fmt.Sprintf("PMPI_%s(%s)", p.name, strings.Join(passed, ", "))
	fmt.Fprintf(b, "\nint MPI_%s(%s)\n{\n\tstruct timing t;\n", p.name, strings.Join(declared, ", "))
	fmt.Fprintf(b, "\tif (!ensemble_enter(&t))\n\t\treturn %s;\n%s", inner, before)
	fmt.Fprintf(b, "\tint result = %s;\n\tensemble_leave(&t, %d);\n%s", inner, call, after)
	b.WriteString("\tensemble_done();\n\treturn result;\n}\n")
	return nil
}

// writeFortran writes one function for each name that a Fortran compiler may
// call. All arguments are addresses; the error, which need not be there, comes
// last, and after it the lengths of character arguments. It forwards to the next
// library's function of the same name, since not every MPI has another name for
// it.
func (p prototype) writeFortran(b *bytes.Buffer, call int) error {
	var declared, passed []string
	for i := range p.params {
		declared, passed = append(declared, fmt.Sprintf("void *a%d", i)), append(passed, fmt.Sprintf("a%d", i))
	}
	declared, passed = append(declared, "MPI_Fint *error"), append(passed, "error")
	for i, a := range p.params {
		if a.characters() {
			declared, passed = append(declared, fmt.Sprintf("size_t n%d", i)), append(passed, fmt.Sprintf("n%d", i))
		}
	}
	before, after, err := p.told(call, true)
	if err != nil {
		return err
	}
	list, inner := strings.Join(declared, ", "), "next("+strings.Join(passed, ", ")+")"
	for _, name := range p.fortranNames() {
		fmt.Fprintf(b, "\nvoid %s(%s)\n{\n\tstatic void (*next)(%s);\n\tstruct timing t;\n\tNEXT(next, %q);\n", name, list, list, name)
		fmt.Fprintf(b, "\tif (!ensemble_enter(&t)) {\n\t\t%s;\n\t\treturn;\n\t}\n%s", inner, before)
		fmt.Fprintf(b, "\t%s;\n\tensemble_leave(&t, %d);\n%s\tensemble_done();\n}\n", inner, call, after)
	}
	return nil
}

// fortranNames are those of mpif.h and the module mpi, and of the module mpi_f08
// in Open MPI and in MPICH, as gfortran, ifx and flang write them. Only mpi_f08 has
// large counts, under names that MPICH changed between 4.0 and 4.2.
func (p prototype) fortranNames() []string {
	name, large := strings.CutSuffix(p.name, "_c")
	name = "mpi_" + strings.ToLower(name)
	if large {
		return []string{name + "_f08_large_", name + "_f08ts_large_", name + "_c_f08_", name + "_c_f08ts_"}
	}
	names := []string{name + "_", name + "_f08_", name + "_f08ts_"}
	if slices.Contains(pointing, p.name) {
		names = append(names, name+"_cptr_")
	}
	return names
}

// pointing are the calls that the module mpi has a second time, for an address as
// TYPE(C_PTR).
var pointing = []string{"Alloc_mem", "Win_allocate", "Win_allocate_shared", "Win_shared_query"}

// told gives the statements for what the wrapper tells before the call and after
// it.
func (p prototype) told(call int, fortran bool) (before, after string, err error) {
	t := tellings[strings.TrimSuffix(p.name, "_c")]
	write := func(statement string) string {
		if statement == "" || err != nil {
			return ""
		}
		s := strings.ReplaceAll(statement, "$@", strconv.Itoa(call))
		if fortran {
			s = strings.ReplaceAll(s, "SUM_EACH(", "SUM_EACH_FORTRAN(")
			s = strings.ReplaceAll(s, "$result", "(error ? *error : MPI_SUCCESS)")
		}
		s = strings.ReplaceAll(s, "$result", "result")
		return "\t" + argument.ReplaceAllStringFunc(s, func(s string) string {
			m := argument.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[2]) // digits
			switch {
			case n >= len(p.params):
				err = fmt.Errorf("MPI_%s has %d arguments, want more than %d", p.name, len(p.params), n)
				return ""
			case fortran:
				return p.params[n].fortran("a"+m[2], m[3])
			}
			return m[1] + "a" + m[2] + m[3]
		}) + "\n"
	}
	return write(t.before), write(t.after), err
}

// argument is the number of one in a statement of tellings, with what is done to
// it.
var argument = regexp.MustCompile(`(\*?)\$(\d+)(\[i\])?`)

// handles are the types that Fortran has as numbers.
var handles = map[string]string{"MPI_Request": "PMPI_Request_f2c", "MPI_Datatype": "PMPI_Type_f2c", "MPI_Comm": "PMPI_Comm_f2c"}

// fortran reads an argument by its address: a number, a handle, an array of
// numbers or, with an index, one of an array.
func (p param) fortran(name, index string) string {
	base := p.base()
	convert := handles[base]
	if base == "int" || convert != "" {
		base = "MPI_Fint"
	}
	array := fmt.Sprintf("((const %s *)%s)", base, name)
	switch {
	case index == "" && p.pointer() && (convert == "" || p.array()):
		return array
	case index == "":
		index = "[0]"
	}
	return convert + "(" + array + index + ")"
}
