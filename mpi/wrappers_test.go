// SPDX-License-Identifier: MIT

package mpi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// header is a preprocessed mpi.h in the manner of both MPIs, filled up with
// functions without meaning.
func header() string {
	var b strings.Builder
	b.WriteString(`__attribute__((visibility("default"))) int MPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest,
                             int tag, MPI_Comm comm);
int MPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
    __attribute__((__pointer_with_type_tag__(1,3)));
int PMPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm);
double MPI_Wtime(void);
int MPI_Finalized( int *flag );
int MPI_Pcontrol(const int level, ...);
int MPI_Comm_c2f(MPI_Comm comm);
int MPI_T_finalize(void);
int MPI_Group_range_incl(MPI_Group group, int n, int ranges[][3], MPI_Group *newgroup);
int MPI_Comm_set_name(MPI_Comm comm, const char *comm_name);
int MPI_Startall(int count, MPI_Request array_of_requests[]);
int MPI_Alltoallw(const void *sendbuf, const int sendcounts[], const int sdispls[], const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], const int rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm);
int MPI_Init(int *argc, char ***argv);
typedef int (MPI_Datarep_extent_function)(MPI_Datatype datatype, MPI_Aint *, void *);
`)
	for i := range 100 {
		fmt.Fprintf(&b, "int MPI_Other_%d(void);\n", i)
	}
	return b.String()
}

func TestPrototypesOfAHeader(t *testing.T) {
	t.Parallel()
	all, err := parsePrototypes(header())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]param{}
	for _, p := range all {
		if !strings.HasPrefix(p.name, "Other_") {
			got[p.name] = p.params
		}
	}
	want := map[string][]param{
		"Send":             {"const void *", "int", "MPI_Datatype", "int", "int", "MPI_Comm"},
		"Finalized":        {"int *"},
		"Group_range_incl": {"MPI_Group", "int", "int [][3]", "MPI_Group *"},
		"Comm_set_name":    {"MPI_Comm", "const char *"},
		"Startall":         {"int", "MPI_Request []"},
		"Alltoallw": {"const void *", "const int []", "const int []", "const MPI_Datatype []",
			"void *", "const int []", "const int []", "const MPI_Datatype []", "MPI_Comm"},
		"Init": {"int *", "char ***"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestAHeaderWithoutPrototypesIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "int MPI_Send(int count);", strings.Replace(header(), "int *flag", "*", 1)} {
		if all, err := parsePrototypes(text); err == nil {
			t.Errorf("got %d functions of %.40q, want an error", len(all), text)
		}
	}
}

func TestWrappers(t *testing.T) {
	t.Parallel()
	all, err := parsePrototypes(header())
	if err != nil {
		t.Fatal(err)
	}
	text, err := wrappers(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"a call in C is told by its arguments", `
int MPI_Send(const void * a0, int a1, MPI_Datatype a2, int a3, int a4, MPI_Comm a5)
{
	struct timing t;
	if (!ensemble_enter(&t))
		return PMPI_Send(a0, a1, a2, a3, a4, a5);
	int result = PMPI_Send(a0, a1, a2, a3, a4, a5);
	ensemble_leave(&t, 0);
	ensemble_send(0, WAY_BLOCKING, (uint64_t)a1 * ensemble_size(a2), a3, a5);
	ensemble_done();
	return result;
}
`},
		{"Fortran passes addresses, and handles as numbers", `
void mpi_startall_(void *a0, void *a1, MPI_Fint *error)
{
	static void (*next)(void *a0, void *a1, MPI_Fint *error);
	struct timing t;
	NEXT(next, "mpi_startall_");
	if (!ensemble_enter(&t)) {
		next(a0, a1, error);
		return;
	}
	next(a0, a1, error);
	ensemble_leave(&t, 4);
	for (int i = 0; i < (((const MPI_Fint *)a0)[0]); i++) ensemble_started(PMPI_Request_f2c(((const MPI_Fint *)a1)[i]));
	ensemble_done();
}
`},
		{"Fortran passes the lengths of texts behind the error", `
void mpi_comm_set_name_f08_(void *a0, void *a1, MPI_Fint *error, size_t n1)
`},
		{"an operation that all meet in is told of before too", `
	ensemble_arrive(&t, PMPI_Comm_f2c(((const MPI_Fint *)a8)[0]));
	next(a0, a1, a2, a3, a4, a5, a6, a7, a8, error);
	ensemble_leave(&t, 5);
	ensemble_met(&t, 5); ensemble_message(5, SUM_EACH_FORTRAN(((const MPI_Fint *)a5), ((const MPI_Fint *)a7), ensemble_peers(PMPI_Comm_f2c(((const MPI_Fint *)a8)[0]))));
`},
	} {
		if !strings.Contains(string(text), c.want) {
			t.Errorf("%s: want %s", c.name, c.want)
		}
	}
	if strings.Contains(string(text), "MPI_Init(") {
		t.Error("MPI_Init is wrapped twice")
	}
}

func TestAPrototypeOfAnotherMPIIsRefused(t *testing.T) {
	t.Parallel()
	_, err := wrappers([]prototype{{name: "Send", params: []param{"const void *", "int"}}})
	if err == nil || err.Error() != "MPI_Send has 2 arguments, want more than 5" {
		t.Errorf("got %v", err)
	}
}
