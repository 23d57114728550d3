/* SPDX-License-Identifier: MIT
 *
 * Communicators, and where the ranks of one node meet.
 */
#include "clock.h"
#include "counters.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is known of a communicator. MPI keeps it as an attribute, so that it goes
 * when the communicator goes, whoever frees that. */
struct comm {
	int size, rank; /* of an intercommunicator the remote group's, and -1 */
	int out;        /* neighbours that data goes to in its topology */
	int *world;     /* ranks in MPI_COMM_WORLD; NULL where they are the same */
	uint64_t id;    /* one number for all members; 0 where none is known */
	uint64_t children, meetings;
	struct meeting *meeting; /* NULL where it has none */
	int sought;              /* whether it was looked for */
};

static int key = MPI_KEYVAL_INVALID;
static MPI_Comm last_comm; /* the one that was asked for last, where last_known is not NULL */
static struct comm *last_known;

static int forget(MPI_Comm comm, int keyval, void *value, void *extra)
{
	(void)comm, (void)keyval, (void)extra;
	struct comm *c = value;
	if (c == last_known)
		last_known = NULL;
	free(c->world);
	free(c);
	return MPI_SUCCESS;
}

static int outdegree(MPI_Comm comm, int rank)
{
	int kind = MPI_UNDEFINED, n = 0, in, weighted;
	PMPI_Topo_test(comm, &kind);
	if (kind == MPI_CART) {
		PMPI_Cartdim_get(comm, &n);
		n *= 2;
	} else if (kind == MPI_GRAPH) {
		PMPI_Graph_neighbors_count(comm, rank, &n);
	} else if (kind == MPI_DIST_GRAPH) {
		PMPI_Dist_graph_neighbors_count(comm, &in, &n, &weighted);
	}
	return n;
}

/* The ranks of a group in MPI_COMM_WORLD, or NULL where they are the same. */
static int *world_ranks(MPI_Group group, int size)
{
	MPI_Group world;
	int same = MPI_UNEQUAL;
	int *own = NULL, *ranks = NULL;
	PMPI_Comm_group(MPI_COMM_WORLD, &world);
	PMPI_Group_compare(group, world, &same);
	if (same != MPI_IDENT) {
		own = malloc((size_t)size * sizeof *own);
		ranks = malloc((size_t)size * sizeof *ranks);
	}
	if (own && ranks) {
		for (int i = 0; i < size; i++)
			own[i] = i;
		PMPI_Group_translate_ranks(group, size, own, world, ranks);
	}
	free(own);
	PMPI_Group_free(&world);
	return ranks;
}

static struct comm *ask(MPI_Comm comm)
{
	MPI_Group group;
	int inter = 0;
	struct comm *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	if (PMPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS) {
		free(c);
		return NULL;
	}
	if (inter) {
		c->rank = -1;
		PMPI_Comm_remote_size(comm, &c->size);
		PMPI_Comm_remote_group(comm, &group);
	} else {
		PMPI_Comm_rank(comm, &c->rank);
		PMPI_Comm_size(comm, &c->size);
		PMPI_Comm_group(comm, &group);
		c->out = outdegree(comm, c->rank);
	}
	c->world = world_ranks(group, c->size);
	PMPI_Group_free(&group);
	PMPI_Comm_set_attr(comm, key, c);
	return c;
}

static struct comm *known(MPI_Comm comm)
{
	static struct comm none = {.rank = -1};
	struct comm *c = NULL;
	int found = 0;
	if (comm == MPI_COMM_NULL)
		return &none;
	if (!ensemble_multiple && last_known && comm == last_comm)
		return last_known;
	ensemble_hold();
	PMPI_Comm_get_attr(comm, key, &c, &found);
	if (!found)
		c = ask(comm);
	ensemble_release();
	if (!c)
		return &none;
	if (!ensemble_multiple) {
		last_comm = comm;
		last_known = c;
	}
	return c;
}

int ensemble_world_rank(int rank, MPI_Comm comm)
{
	struct comm *c = known(comm);
	if (rank < 0 || rank >= c->size)
		return -1;
	return c->world ? c->world[rank] : rank;
}

int ensemble_peers(MPI_Comm comm)
{
	return known(comm)->size;
}

int ensemble_self(MPI_Comm comm)
{
	return known(comm)->rank;
}

int ensemble_outdegree(MPI_Comm comm)
{
	return known(comm)->out;
}

int ensemble_is_root(int root, MPI_Comm comm)
{
	return root == MPI_ROOT || (root >= 0 && root == known(comm)->rank);
}

/* Where ranks of one node meet.
 *
 * In a collective call that no rank leaves before all have come, the time until
 * the last one comes is waiting and the rest is transfer. Ranks on one node have
 * one counter of ticks, and a file that they all map: each writes down when it came, and the
 * latest is known to all when the call returns. That takes no message, so it
 * cannot hang a program of which only a part is profiled. A communicator has the
 * number that follows from its parent's, from how many the parent had before and
 * from who is rank 0 in it, which is one number for all members. */
struct meeting {
	uint64_t id;
	uint64_t present;   /* ranks that have it mapped */
	uint64_t latest[8]; /* of the last calls; times only grow, so none is cleared */
};

enum { MEETINGS = 4096, TRIES = 64 };

static struct meeting *hall; /* all meetings of the node, or NULL */

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * 0x9E3779B97F4A7C15u;
	return (a ^ a >> 29) * 0xBF58476D1CE4E5B9u | 1;
}

/* The file is named after the node's boot, for names of nodes may be the same. */
static struct meeting *open_hall(const char *dir)
{
	char boot[37] = "", name[4096];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, boot, 36);
	close(fd);
	if (n != 36 || snprintf(name, sizeof name, "%s/node.%s", dir, boot) >= (int)sizeof name)
		return NULL;
	return ensemble_map(name, 0, MEETINGS * sizeof(struct meeting), MEETINGS * sizeof(struct meeting));
}

static struct meeting *meeting(struct comm *c)
{
	if (c->sought || !hall || !c->id)
		return c->meeting;
	c->sought = 1;
	for (uint64_t i = 0; i < TRIES && !c->meeting; i++) {
		struct meeting *m = &hall[(c->id + i) % MEETINGS];
		uint64_t id = 0;
		if (__atomic_compare_exchange_n(&m->id, &id, c->id, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) || id == c->id)
			c->meeting = m;
	}
	if (c->meeting)
		__atomic_fetch_add(&c->meeting->present, 1, __ATOMIC_ACQ_REL);
	return c->meeting;
}

void ensemble_arrive(struct timing *t, MPI_Comm comm)
{
	struct comm *c = known(comm);
	if (c->size < 2 || c->rank < 0 || ensemble_multiple)
		return;
	struct meeting *m = meeting(c);
	if (!m)
		return;
	uint64_t *latest = &m->latest[c->meetings++ % 8];
	raise_to(latest, t->begin);
	t->latest = latest;
	t->present = &m->present;
	t->members = (uint64_t)c->size;
}

void ensemble_met(struct timing *t, int call)
{
	/* All have come by now: those that are on this node and profiled are present. */
	if (!t->latest || __atomic_load_n(t->present, __ATOMIC_ACQUIRE) != t->members)
		return;
	uint64_t until = __atomic_load_n(t->latest, __ATOMIC_ACQUIRE);
	if (until > t->end)
		until = t->end;
	ensemble_slots[call].wait_ns += ns_between(t->begin, until);
	ensemble_slots[call].met_ns += ns_between(t->begin, t->end);
	ensemble_slots[call].waits++;
}

void ensemble_child(MPI_Comm parent, MPI_Comm child)
{
	struct comm *p = known(parent);
	uint64_t id = p->id, number = p->children++;
	if (child == MPI_COMM_NULL || !id || ensemble_multiple)
		return;
	struct comm *c = known(child);
	if (c->rank >= 0 && c->size > 0 && !c->id)
		c->id = mix(mix(id, number), c->world ? (uint64_t)c->world[0] : 0);
}

/* Ranks that keep other time, or that another program started, are strangers. */
void ensemble_know(const char *dir)
{
	PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, forget, &key, NULL);
	hall = open_hall(dir);
	known(MPI_COMM_WORLD)->id = mix(1 + ensemble_head->tsc, ensemble_head->spawned);
}
