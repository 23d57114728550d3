/* SPDX-License-Identifier: MIT
 *
 * What happens in a program of another MPI than the one that this library was
 * built for. MPIs differ in the types of their handles, so wrappers for one must
 * not stand before the functions of another: the program would crash. They cannot
 * be taken out of a process either. So, before main, the program is started anew
 * without them, in the same process, and a file PID.other beside the profiles says
 * why there is none.
 */
#include "profile.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name of a library other than the one that ours was linked with, that has MPI
 * as well; NULL where there is none. Which one would come first in a look-up
 * depends on how deep they lie, and two are wrong in either order. */
static const char *other_mpi(void *self)
{
	static const char name[] = "PMPI_Init";
	void *ours = dlsym(self, name), *found = dlsym(RTLD_DEFAULT, name);
	struct link_map *m = NULL;
	Dl_info where;
	if (dlinfo(self, RTLD_DI_LINKMAP, &m) != 0)
		return NULL;
	while (m->l_prev)
		m = m->l_prev;
	for (; m && found == ours; m = m->l_next) {
		void *library = *m->l_name ? dlopen(m->l_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
		void *its = library ? dlsym(library, name) : NULL; /* its own or that of a library that it needs */
		if (its)
			found = its;
		if (library)
			dlclose(library);
	}
	if (found == ours)
		return NULL;
	return dladdr(found, &where) ? where.dli_fname : "another MPI";
}

/* Takes a library out of LD_PRELOAD and says whether it was there. */
static int unload(const char *library)
{
	const char *all = getenv("LD_PRELOAD");
	char *list = all ? strdup(all) : NULL, *rest = all ? calloc(1, strlen(all) + 1) : NULL, *at;
	int was = 0;
	for (char *one = list && rest ? strtok_r(list, ": ", &at) : NULL; one; one = strtok_r(NULL, ": ", &at)) {
		if (strcmp(one, library) == 0) {
			was = 1;
			continue;
		}
		if (*rest)
			strcat(rest, ":");
		strcat(rest, one);
	}
	if (was)
		was = (*rest ? setenv("LD_PRELOAD", rest, 1) : unsetenv("LD_PRELOAD")) == 0;
	free(list);
	free(rest);
	return was;
}

/* Leaves word in the directory of profiles and in what the program prints. */
static void refuse(const char *dir, const char *other, const char *library)
{
	char name[4096];
	int fd = -1;
	fprintf(stderr, "ensemble: no MPI profile: the program uses %s, which %s is not built for\n", other, library);
	if (snprintf(name, sizeof name, "%s/%ld.other", dir, (long)getpid()) < (int)sizeof name)
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", other);
	close(fd);
}

__attribute__((constructor)) static void check(int argc, char **argv)
{
	const char *dir = getenv("ENSEMBLE_MPI_PROFILE"), *other;
	Dl_info own;
	void *self = NULL;
	if (dir && *dir && argc > 0 && dladdr((void *)check, &own))
		self = dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	other = self ? other_mpi(self) : NULL;
	if (other) {
		refuse(dir, other, own.dli_fname);
		if (unload(own.dli_fname))
			execv("/proc/self/exe", argv);
		perror("ensemble: starting the program without the MPI profiling library");
	}
	if (self)
		dlclose(self);
}
