/* SPDX-License-Identifier: MIT
 *
 * What the generated wrappers use.
 */
#include "profile.h"

/* The sum of n counts. */
#define SUM(counts, n)                                              \
	({                                                          \
		uint64_t sum_ = 0;                                  \
		for (int i_ = 0, n_ = (n); i_ < n_; i_++)           \
			sum_ += (uint64_t)(counts)[i_];             \
		sum_;                                               \
	})

/* The bytes of n counts, each of its own type. */
#define SUM_EACH(counts, types, n)                                                             \
	({                                                                                     \
		uint64_t sum_ = 0;                                                             \
		for (int i_ = 0, n_ = (n); i_ < n_; i_++)                                      \
			if ((counts)[i_])                                                      \
				sum_ += (uint64_t)(counts)[i_] * ensemble_size((types)[i_]);   \
		sum_;                                                                          \
	})
#define SUM_EACH_FORTRAN(counts, types, n)                                                                    \
	({                                                                                                    \
		uint64_t sum_ = 0;                                                                            \
		for (int i_ = 0, n_ = (n); i_ < n_; i_++)                                                     \
			if ((counts)[i_])                                                                     \
				sum_ += (uint64_t)(counts)[i_] * ensemble_size(PMPI_Type_f2c((types)[i_]));   \
		sum_;                                                                                         \
	})

/* This rank's own count of one for each. */
#define OWN(counts, comm)                                             \
	({                                                            \
		int own_ = ensemble_self(comm);                       \
		own_ < 0 ? (uint64_t)0 : (uint64_t)(counts)[own_];    \
	})

/* Finds the function that would be called without this library. */
#define NEXT(function, name)                                                                                        \
	do {                                                                                                        \
		if (!__atomic_load_n(&function, __ATOMIC_RELAXED))                                                  \
			__atomic_store_n(&function, (__typeof__(function))dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED); \
	} while (0)
