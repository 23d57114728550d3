/* SPDX-License-Identifier: MIT
 *
 * Messages: how many of which size, and to whom.
 */
#include "counters.h"

#include <stdlib.h>
#include <string.h>

uint64_t ensemble_size(MPI_Datatype type)
{
	int n = 0;
	MPI_Count large = 0;
	if (type == MPI_DATATYPE_NULL || PMPI_Type_size(type, &n) != MPI_SUCCESS)
		return 0;
	if (n != MPI_UNDEFINED)
		return (uint64_t)n;
	return PMPI_Type_size_x(type, &large) == MPI_SUCCESS && large > 0 ? (uint64_t)large : 0;
}

static int bin(uint64_t bytes)
{
	int i = bytes ? 64 - __builtin_clzll(bytes) : 0;
	return i < BINS ? i : BINS - 1;
}

void ensemble_message(int call, uint64_t bytes)
{
	struct call *c = &ensemble_slots[call];
	add(&c->messages, 1);
	add(&c->bytes, bytes);
	most(&c->max_bytes, bytes);
	add(&c->bin[bin(bytes)], 1);
}

/* By way and rank 1 and the place among the peers, or 0 for none. */
static uint32_t *places;

int ensemble_make_room(uint32_t ranks)
{
	places = calloc((size_t)WAYS * ranks, sizeof *places);
	return places != NULL;
}

static void to_peer(enum way way, uint64_t bytes, int world)
{
	uint32_t *place = NULL, at = 0;
	if (world >= 0 && (uint32_t)world < ensemble_head->size) {
		place = &places[(size_t)way * ensemble_head->size + (size_t)world];
		at = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	}
	if (place && !at) {
		ensemble_hold();
		if (!*place && ensemble_peer_fits()) {
			ensemble_peer_slots[ensemble_head->peers] = (struct peer){.rank = (uint32_t)world, .way = way};
			__atomic_store_n(place, (uint32_t)++ensemble_head->peers, __ATOMIC_RELEASE);
		}
		at = *place;
		ensemble_release();
	}
	if (!at) {
		add(&ensemble_head->peers_lost, 1);
		return;
	}
	add(&ensemble_peer_slots[at - 1].messages, 1);
	add(&ensemble_peer_slots[at - 1].bytes, bytes);
}

void ensemble_send(int call, enum way way, uint64_t bytes, int dest, MPI_Comm comm)
{
	if (dest == MPI_PROC_NULL)
		return;
	ensemble_message(call, bytes);
	to_peer(way, bytes, ensemble_world_rank(dest, comm));
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
	ensemble_hold();
	*q = (struct request){*chain(r), r, call, peer, bytes};
	*chain(r) = q;
	ensemble_release();
}

void ensemble_persistent(int call, uint64_t bytes, int dest, MPI_Comm comm, MPI_Request r)
{
	if (dest != MPI_PROC_NULL)
		keep(r, call, bytes, ensemble_world_rank(dest, comm));
}

void ensemble_persistent_message(int call, uint64_t bytes, MPI_Request r)
{
	keep(r, call, bytes, NO_PEER);
}

void ensemble_started(MPI_Request r)
{
	struct request q = {.call = -1};
	ensemble_hold();
	for (struct request *p = *chain(r); p && q.call < 0; p = p->next)
		if (p->request == r)
			q = *p;
	ensemble_release();
	if (q.call < 0)
		return;
	ensemble_message(q.call, q.bytes);
	if (q.peer != NO_PEER)
		to_peer(WAY_PERSISTENT, q.bytes, q.peer);
}

void ensemble_forget_request(MPI_Request r)
{
	ensemble_hold();
	struct request **p = chain(r);
	while (*p && (*p)->request != r)
		p = &(*p)->next;
	struct request *gone = *p;
	if (gone)
		*p = gone->next;
	ensemble_release();
	free(gone);
}

