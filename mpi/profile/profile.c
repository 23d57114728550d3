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
#include "clock.h"
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct header *ensemble_head;
struct call *ensemble_slots;
struct peer *ensemble_peer_slots;
int ensemble_multiple;

static int on;             /* whether calls count */
static uint64_t start;     /* as head->start, in ticks */
static uint64_t off_since; /* when they ceased to, where they do not */
static uint64_t user_before, system_before;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int depth __attribute__((tls_model("initial-exec")));

void ensemble_hold(void)
{
	if (ensemble_multiple)
		pthread_mutex_lock(&lock);
}

void ensemble_release(void)
{
	if (ensemble_multiple)
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
	t->begin = ticks();
	return 1;
}

void ensemble_leave(struct timing *t, int call)
{
	struct call *c = &ensemble_slots[call];
	t->end = ticks();
	uint64_t ns = ns_between(t->begin, t->end);
	add(&c->count, 1);
	add(&c->ns, ns);
	most(&c->max_ns, ns);
	most(&ensemble_head->last, ensemble_head->start + ns_between(start, t->end));
}

void ensemble_done(void)
{
	depth = 0;
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
	ensemble_head->cost = (ensemble_now() - begin) * 1000 / TIMES;
	memset(&ensemble_slots[CALL], 0, sizeof ensemble_slots[CALL]);
}

/* Has a part of a file on disk. Not posix_fallocate, which writes zeros where a
 * file system has no call for it, over what others have written meanwhile. */
static int allocate(int fd, size_t from, size_t size)
{
	return fallocate(fd, 0, (off_t)from, (off_t)size) == 0 || errno == EOPNOTSUPP;
}

void *ensemble_map(const char *name, int flags, size_t size, size_t allocated)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0 && allocate(fd, 0, allocated))
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int error = errno;
	close(fd);
	errno = error;
	return p == MAP_FAILED ? NULL : p;
}

enum { PEERS = 1 << 16 /* at most */, MORE = 1024 };

static char file[4096];      /* of this rank */
static uint64_t peers_ready; /* that are on disk */

/* The file is opened anew, for a program may close what it did not open. */
int ensemble_peer_fits(void)
{
	struct header *h = ensemble_head;
	if (h->peers < peers_ready)
		return 1;
	if (h->peers >= h->peers_max)
		return 0;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size_t from = (size_t)((char *)&ensemble_peer_slots[peers_ready] - (char *)h);
	if (allocate(fd, from, MORE * sizeof *ensemble_peer_slots))
		peers_ready += MORE;
	close(fd);
	return h->peers < peers_ready;
}

static void describe(struct header *h, int rank, int size, uint32_t peers_max)
{
	char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
	MPI_Comm parent = MPI_COMM_NULL;
	struct timespec wall;
	int n = 0, level = MPI_THREAD_SINGLE;
	for (int i = 0; i < ensemble_calls; i++)
		strncpy((char *)(h + 1) + (size_t)i * NAME, ensemble_names[i], NAME - 1);
	h->version = 2;
	h->header_size = sizeof *h;
	h->name_size = NAME;
	h->call_size = sizeof *ensemble_slots;
	h->peer_size = sizeof *ensemble_peer_slots;
	h->calls = (uint32_t)ensemble_calls;
	h->peers_max = peers_max;
	h->bins = BINS;
	h->rank = (uint32_t)rank;
	h->size = (uint32_t)size;
	h->pid = (uint32_t)getpid();
	PMPI_Query_thread(&level);
	h->thread_level = (uint32_t)level;
	h->tsc = ensemble_scale != 0;
	PMPI_Comm_get_parent(&parent);
	h->spawned = parent != MPI_COMM_NULL;
	gethostname(h->host, sizeof h->host - 1);
	PMPI_Get_library_version(version, &n);
	snprintf(h->library, sizeof h->library, "%s", version);
	clock_gettime(CLOCK_REALTIME, &wall);
	h->clock = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
}

/* open_counters makes the profile of this rank, and says whether it could. */
static int open_counters(const char *dir)
{
	int rank = 0, size = 1;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	PMPI_Comm_size(MPI_COMM_WORLD, &size);
	size_t slots = sizeof(struct header) + (size_t)ensemble_calls * NAME;
	size_t after = slots + (size_t)ensemble_calls * sizeof(struct call);
	uint32_t most_peers = size < PEERS / WAYS ? WAYS * (uint32_t)size : PEERS;
	struct header *h = NULL;
	if (snprintf(file, sizeof file, "%s/%d.%ld.mpi", dir, rank, (long)getpid()) >= (int)sizeof file)
		errno = ENAMETOOLONG;
	else /* with room for the peers that are allocated at a time behind the last */
		h = ensemble_map(file, O_EXCL, after + (most_peers + MORE) * sizeof(struct peer), after);
	if (!h || !ensemble_make_room((uint32_t)size)) {
		fprintf(stderr, "ensemble: no MPI profile of rank %d in %s: %s\n", rank, dir, strerror(errno));
		return 0;
	}
	ensemble_slots = (struct call *)((char *)h + slots);
	ensemble_peer_slots = (struct peer *)((char *)h + after);
	describe(h, rank, size, most_peers);
	ensemble_multiple = h->thread_level == MPI_THREAD_MULTIPLE;
	ensemble_head = h;
	return 1;
}

/* ensemble_start begins the profile, if the environment names a directory for it.
 * A program must not fail for being watched, so what goes wrong is only said. */
void ensemble_start(uint64_t init)
{
	const char *dir = getenv("ENSEMBLE_MPI_PROFILE");
	if (ensemble_head || !dir || !*dir)
		return;
	depth = 1;
	ensemble_tune();
	int open = open_counters(dir);
	if (open)
		ensemble_know(dir);
	depth = 0;
	if (!open)
		return;
	on = 1;
	calibrate();
	struct header *h = ensemble_head;
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	user_before = nanoseconds(u.ru_utime);
	system_before = nanoseconds(u.ru_stime);
	h->init = init;
	h->start = h->last = ensemble_now();
	start = ticks();
	h->state = STATE_RUNNING;
	/* The magic is last in memory too: what has it is whole. */
	uint64_t magic;
	memcpy(&magic, "ENSMPI\n", 8);
	__atomic_store_n((uint64_t *)h->magic, magic, __ATOMIC_RELEASE);
}

void ensemble_switch(int to)
{
	struct header *h = ensemble_head;
	if (!h || h->end || !to == !on)
		return;
	uint64_t now = ensemble_now();
	if (to) {
		h->off += now - off_since;
		h->last = now;
	} else {
		off_since = now;
	}
	on = to != 0;
}

static void end(enum state state)
{
	struct header *h = ensemble_head;
	struct rusage u;
	if (!h || h->end)
		return;
	ensemble_switch(1);
	getrusage(RUSAGE_SELF, &u);
	h->user = nanoseconds(u.ru_utime) - user_before;
	h->system = nanoseconds(u.ru_stime) - system_before;
	h->peak = (uint64_t)u.ru_maxrss * 1024;
	h->end = ensemble_now();
	h->state = state;
	on = 0;
}

void ensemble_finish(void)
{
	end(STATE_COMPLETE);
}

void ensemble_abort(int code)
{
	if (ensemble_head && !ensemble_head->end)
		ensemble_head->exit = code;
	end(STATE_ABORTED);
}
