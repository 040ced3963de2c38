/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What strace is to see of a threaded mount (strace.py):
 *
 *	lookups look IMAGE [N]	two threads look up what is cached, N times together
 *	lookups sync IMAGE	a file is written and synced, between two marks in the trace (writes to descriptor 2)
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "extant/extant.h"

struct looker {
	struct extant *x;
	long count;
	int err;
};

static void mark(const char *text)
{
	if (write(2, text, strlen(text)) < 0)
		abort();
}

static void *look(void *arg)
{
	struct looker *l = arg;
	struct extant_stat st;

	for (long i = 0; i < l->count && !l->err; i++)
		l->err = extant_stat(l->x, i % 2 ? "/d/e/file" : "/d/other", &st);
	return NULL;
}

static int make(struct extant *x, const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_WRONLY, 0644);

	return fd < 0 ? fd : extant_close(x, fd);
}

static int look_up(struct extant *x, long count)
{
	struct looker l[2] = { { x, count / 2, 0 }, { x, count / 2, 0 } };
	pthread_t t;

	if (extant_mkdir(x, "/d", 0755) || extant_mkdir(x, "/d/e", 0755) || make(x, "/d/e/file") || make(x, "/d/other"))
		return 1;
	if (extant_sync(x))
		return 1;
	mark("begin\n");
	if (pthread_create(&t, NULL, look, &l[1]))
		return 1;
	look(&l[0]);
	(void)pthread_join(t, NULL);
	mark("end\n");
	return l[0].err || l[1].err;
}

static int sync_one(struct extant *x)
{
	int fd = extant_open(x, "/synced", O_CREAT | O_WRONLY, 0644), err;

	if (fd < 0 || extant_write(x, fd, "content", 7) != 7)
		return 1;
	mark("begin\n");
	err = extant_fsync(x, fd);
	mark("end\n");
	return extant_close(x, fd) || err;
}

int main(int argc, char **argv)
{
	struct extant *x;
	int failed;

	if (argc < 3 || extant_mount(argv[2], NULL, &x))
		return 2;
	failed = strcmp(argv[1], "look") ? sync_one(x) : look_up(x, argc > 3 ? atol(argv[3]) : 1000000);
	return extant_unmount(x) || failed;
}
