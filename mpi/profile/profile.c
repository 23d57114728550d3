/* SPDX-License-Identifier: MIT
 *
 * The counters of the MPI profiling library. The wrappers, which are generated
 * from the MPI's own header, call it around every call of MPI.
 *
 * Only the outermost call of a thread counts: what an MPI calls of itself is its
 * own matter. Where MPI was asked for MPI_THREAD_MULTIPLE the counters are added
 * to atomically and tables are locked; otherwise MPI allows one thread at a time,
 * and plain additions do.
 */
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PEERS = 1 << 16 };

static struct header *head; /* NULL before the start */
static struct call *calls;
static struct peer *peers;
static int on;       /* whether calls count */
static int multiple; /* MPI_THREAD_MULTIPLE */
static uint64_t user_before, system_before;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int depth __attribute__((tls_model("initial-exec")));

uint64_t ensemble_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add(uint64_t *to, uint64_t x)
{
	if (multiple)
		__atomic_fetch_add(to, x, __ATOMIC_RELAXED);
	else
		*to += x;
}

/* Raises a number that other threads, or other ranks, raise as well. */
static void raise_to(uint64_t *to, uint64_t x)
{
	uint64_t was = __atomic_load_n(to, __ATOMIC_RELAXED);
	while (x > was && !__atomic_compare_exchange_n(to, &was, x, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void most(uint64_t *to, uint64_t x)
{
	if (multiple)
		raise_to(to, x);
	else if (x > *to)
		*to = x;
}

static void hold(void)
{
	if (multiple)
		pthread_mutex_lock(&lock);
}

static void release(void)
{
	if (multiple)
		pthread_mutex_unlock(&lock);
}

/* ensemble_enter says whether the call counts; if so, ensemble_leave follows the
 * call, and ensemble_done all that is told of it. */
int ensemble_enter(struct timing *t)
{
	if (depth || !on)
		return 0;
	depth = 1;
	t->latest = NULL;
	t->begin = ensemble_now();
	return 1;
}

void ensemble_leave(struct timing *t, int call)
{
	struct call *c = &calls[call];
	t->end = ensemble_now();
	add(&c->count, 1);
	add(&c->ns, t->end - t->begin);
	most(&c->max_ns, t->end - t->begin);
	head->last = t->end;
}

void ensemble_done(void)
{
	depth = 0;
}

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
	PMPI_Comm_test_inter(comm, &inter);
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
	if (!multiple && last_known && comm == last_comm)
		return last_known;
	hold();
	PMPI_Comm_get_attr(comm, key, &c, &found);
	if (!found)
		c = ask(comm);
	release();
	if (!c)
		return &none;
	if (!multiple) {
		last_comm = comm;
		last_known = c;
	}
	return c;
}

uint64_t ensemble_size(MPI_Datatype type)
{
	int n = 0;
	if (type == MPI_DATATYPE_NULL || PMPI_Type_size(type, &n) != MPI_SUCCESS || n < 0)
		return 0;
	return (uint64_t)n;
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
 * one clock, and a file that they all map: each writes down when it came, and the
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

/* Maps a file, or gives NULL. */
static void *map(const char *name, int flags, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int error = errno;
	close(fd);
	errno = error;
	return p == MAP_FAILED ? NULL : p;
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
	return map(name, 0, MEETINGS * sizeof(struct meeting));
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
	if (c->size < 2 || c->rank < 0 || multiple)
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
	if (until > t->begin)
		calls[call].wait_ns += until - t->begin;
	calls[call].met_ns += t->end - t->begin;
	calls[call].waits++;
}

void ensemble_child(MPI_Comm parent, MPI_Comm child)
{
	struct comm *p = known(parent);
	uint64_t id = p->id, number = p->children++;
	if (child == MPI_COMM_NULL || !id || multiple)
		return;
	struct comm *c = known(child);
	if (c->rank >= 0 && c->size > 0 && !c->id)
		c->id = mix(mix(id, number), c->world ? (uint64_t)c->world[0] : 0);
}

static int bin(uint64_t bytes)
{
	int i = bytes ? 64 - __builtin_clzll(bytes) : 0;
	return i < BINS ? i : BINS - 1;
}

void ensemble_message(int call, uint64_t bytes)
{
	struct call *c = &calls[call];
	add(&c->messages, 1);
	add(&c->bytes, bytes);
	most(&c->max_bytes, bytes);
	add(&c->bin[bin(bytes)], 1);
}

/* By way and rank 1 and the place in peers, or 0 for none. */
static uint32_t *places;

static void to_peer(enum way way, uint64_t bytes, int world)
{
	uint32_t *place = NULL, at = 0;
	if (world >= 0 && (uint32_t)world < head->size) {
		place = &places[(size_t)way * head->size + (size_t)world];
		at = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	}
	if (place && !at) {
		hold();
		if (!*place && head->peers < head->peers_max) {
			peers[head->peers] = (struct peer){.rank = (uint32_t)world, .way = way};
			__atomic_store_n(place, (uint32_t)++head->peers, __ATOMIC_RELEASE);
		}
		at = *place;
		release();
	}
	if (!at) {
		add(&head->peers_lost, 1);
		return;
	}
	add(&peers[at - 1].messages, 1);
	add(&peers[at - 1].bytes, bytes);
}

static int world_rank(int dest, MPI_Comm comm)
{
	struct comm *c = known(comm);
	if (dest < 0 || dest >= c->size)
		return -1;
	return c->world ? c->world[dest] : dest;
}

void ensemble_send(int call, enum way way, uint64_t bytes, int dest, MPI_Comm comm)
{
	if (dest == MPI_PROC_NULL)
		return;
	ensemble_message(call, bytes);
	to_peer(way, bytes, world_rank(dest, comm));
}

/* Persistent requests, by handle. */
struct request {
	struct request *next;
	MPI_Request request;
	int call, peer;
	uint64_t bytes;
};

enum { CHAINS = 4096, NO_PEER = -2 /* of a collective */ };
static struct request *requests[CHAINS];

static struct request **chain(MPI_Request r)
{
	uint64_t x = 0;
	memcpy(&x, &r, sizeof r < sizeof x ? sizeof r : sizeof x);
	return &requests[x * 0x9E3779B97F4A7C15u >> 52];
}

static void keep(MPI_Request r, int call, uint64_t bytes, int peer)
{
	struct request *q = r == MPI_REQUEST_NULL ? NULL : malloc(sizeof *q);
	if (!q)
		return;
	hold();
	*q = (struct request){*chain(r), r, call, peer, bytes};
	*chain(r) = q;
	release();
}

void ensemble_persistent(int call, uint64_t bytes, int dest, MPI_Comm comm, MPI_Request r)
{
	if (dest != MPI_PROC_NULL)
		keep(r, call, bytes, world_rank(dest, comm));
}

void ensemble_persistent_message(int call, uint64_t bytes, MPI_Request r)
{
	keep(r, call, bytes, NO_PEER);
}

void ensemble_started(MPI_Request r)
{
	struct request q = {.call = -1};
	hold();
	for (struct request *p = *chain(r); p && q.call < 0; p = p->next)
		if (p->request == r)
			q = *p;
	release();
	if (q.call < 0)
		return;
	ensemble_message(q.call, q.bytes);
	if (q.peer != NO_PEER)
		to_peer(WAY_PERSISTENT, q.bytes, q.peer);
}

void ensemble_forget_request(MPI_Request r)
{
	hold();
	struct request **p = chain(r);
	while (*p && (*p)->request != r)
		p = &(*p)->next;
	struct request *gone = *p;
	if (gone)
		*p = gone->next;
	release();
	free(gone);
}

static uint64_t nanoseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

/* What a call costs for being counted: the mean of many, on a slot that is
 * cleared again. */
static void calibrate(void)
{
	enum { TIMES = 2000, CALL = 0 };
	struct timing t;
	uint64_t begin = ensemble_now();
	for (int i = 0; i < TIMES; i++) {
		ensemble_enter(&t);
		ensemble_leave(&t, CALL);
		ensemble_message(CALL, 8);
		ensemble_done();
	}
	head->cost = (ensemble_now() - begin) * 1000 / TIMES;
	memset(&calls[CALL], 0, sizeof calls[CALL]);
}

/* The file of this rank, or NULL. */
static struct header *open_profile(const char *dir, int rank, size_t size)
{
	char name[4096];
	if (snprintf(name, sizeof name, "%s/%d.%ld.mpi", dir, rank, (long)getpid()) >= (int)sizeof name) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return map(name, O_EXCL, size);
}

static void describe(struct header *h, int rank, int size, int level)
{
	char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
	MPI_Comm parent = MPI_COMM_NULL;
	struct timespec wall;
	int n = 0;
	for (int i = 0; i < ensemble_calls; i++)
		strncpy((char *)(h + 1) + (size_t)i * NAME, ensemble_names[i], NAME - 1);
	h->version = 1;
	h->header_size = sizeof *h;
	h->name_size = NAME;
	h->call_size = sizeof *calls;
	h->peer_size = sizeof *peers;
	h->calls = (uint32_t)ensemble_calls;
	h->peers_max = PEERS;
	h->bins = BINS;
	h->rank = (uint32_t)rank;
	h->size = (uint32_t)size;
	h->pid = (uint32_t)getpid();
	h->thread_level = (uint32_t)level;
	PMPI_Comm_get_parent(&parent);
	h->spawned = parent != MPI_COMM_NULL;
	gethostname(h->host, sizeof h->host - 1);
	PMPI_Get_library_version(version, &n);
	snprintf(h->library, sizeof h->library, "%s", version);
	clock_gettime(CLOCK_REALTIME, &wall);
	h->clock = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
}

/* ensemble_start opens the profile, if the environment names a directory for it.
 * A program must not fail for being watched, so what goes wrong is only said. */
void ensemble_start(uint64_t init, int level)
{
	const char *dir = getenv("ENSEMBLE_MPI_PROFILE");
	if (head || !dir || !*dir)
		return;
	depth = 1;
	int rank = 0, size = 1;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	PMPI_Comm_size(MPI_COMM_WORLD, &size);
	size_t slots = sizeof(struct header) + (size_t)ensemble_calls * NAME;
	size_t after = slots + (size_t)ensemble_calls * sizeof(struct call);
	struct header *h = open_profile(dir, rank, after + PEERS * sizeof(struct peer));
	places = h ? calloc(WAYS * (size_t)size, sizeof *places) : NULL;
	if (!places) {
		fprintf(stderr, "ensemble: no MPI profile of rank %d in %s: %s\n", rank, dir, strerror(errno));
		depth = 0;
		return;
	}
	calls = (struct call *)((char *)h + slots);
	peers = (struct peer *)((char *)h + after);
	describe(h, rank, size, level);
	head = h;
	PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, forget, &key, NULL);
	multiple = level == MPI_THREAD_MULTIPLE;
	hall = open_hall(dir);
	known(MPI_COMM_WORLD)->id = mix(1, h->spawned);
	on = 1;
	depth = 0;
	calibrate();
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	user_before = nanoseconds(u.ru_utime);
	system_before = nanoseconds(u.ru_stime);
	h->init = init;
	h->start = h->last = ensemble_now();
	h->state = STATE_RUNNING;
	memcpy(h->magic, "ENSMPI\n", 8); /* last: what has it is whole */
}

static void end(enum state state)
{
	struct rusage u;
	if (!head || head->end)
		return;
	getrusage(RUSAGE_SELF, &u);
	head->user = nanoseconds(u.ru_utime) - user_before;
	head->system = nanoseconds(u.ru_stime) - system_before;
	head->peak = (uint64_t)u.ru_maxrss * 1024;
	head->end = ensemble_now();
	head->state = state;
	on = 0;
}

void ensemble_finish(void)
{
	end(STATE_COMPLETE);
}

void ensemble_abort(int code)
{
	if (head && !head->end)
		head->exit = code;
	end(STATE_ABORTED);
}

void ensemble_switch(int to)
{
	on = head && !head->end && to;
}
