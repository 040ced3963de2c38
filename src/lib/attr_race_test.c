/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes that one thread changes while others look, in a threaded mount: what is there all the time is found each
 * time. Afterwards e2fsck finds nothing. Skips where e2fsprogs are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "extant/extant.h"

#define VALUE_BYTES 500
#define CHANGES 10000

struct race {
	struct extant *x;
	atomic_bool done;
	atomic_uint looked, wrong;
};

static char dir[] = "/tmp/extant-attr-race-XXXXXX";

#define ok(call) assert_int_equal(call, 0)

static void image_command(const char *before, const char *after)
{
	char cmd[512];

	(void)snprintf(cmd, sizeof(cmd), "export PATH=$PATH:/sbin:/usr/sbin; %s %s/i %s", before, dir, after);
	ok(system(cmd));
}

static struct extant *open_image(const char *features)
{
	struct extant_options o;
	char command[200], image[256];
	struct extant *x;

	image_command("truncate -s 16M", "");
	(void)snprintf(command, sizeof(command), "mke2fs -q -F -t ext4 %s", features);
	image_command(command, "2> /dev/null");
	extant_options_init(&o);
	o.mode = EXTANT_THREADED;
	(void)snprintf(image, sizeof(image), "%s/i", dir);
	ok(extant_mount(image, &o, &x));
	return x;
}

static void close_image(struct extant *x)
{
	ok(extant_unmount(x));
	image_command("e2fsck -fn", "> /dev/null 2>&1");
}

static void make(struct extant *x, const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	assert_true(fd >= 0);
	ok(extant_close(x, fd));
}

/* Looks again and again until the other is done. */
static pthread_t beside(struct race *r, void *(*fn)(void *))
{
	pthread_t t;

	ok(pthread_create(&t, NULL, fn, r));
	while (!atomic_load(&r->looked))
		usleep(100);
	return t;
}

static void end_race(struct race *r, pthread_t t)
{
	atomic_store(&r->done, true);
	ok(pthread_join(t, NULL));
	assert_int_equal(r->wrong, 0);
}

/* ---- */

static void *look_for_value(void *arg)
{
	char value[VALUE_BYTES];
	struct race *r = arg;

	while (!atomic_load(&r->done)) {
		int n = extant_getxattr(r->x, "/a", "user.v", value, sizeof(value));

		r->wrong += n != VALUE_BYTES || memcmp(value, value + 1, VALUE_BYTES - 1);
		r->looked++;
	}
	return NULL;
}

static void set_value(struct extant *x, const char *path, int byte)
{
	char value[VALUE_BYTES];

	memset(value, byte, sizeof(value));
	ok(extant_setxattr(x, path, "user.v", value, sizeof(value), 0));
}

/* Of two blocks, each of which another file has too, now one is used and now the other. */
static void a_shared_value_stays_found(void **state)
{
	struct race r = { .x = open_image("-I 128") };
	pthread_t t;

	(void)state;
	make(r.x, "/a");
	make(r.x, "/b");
	make(r.x, "/c");
	set_value(r.x, "/b", 'b');
	set_value(r.x, "/c", 'c');
	set_value(r.x, "/a", 'b');
	t = beside(&r, look_for_value);
	for (int i = 0; i < CHANGES; i++)
		set_value(r.x, "/a", i % 2 ? 'b' : 'c');
	end_race(&r, t);
	close_image(r.x);
}

/* ---- */

static void *write_as_somebody(void *arg)
{
	struct extant_identity who = { .uid = 1000, .gid = 1000 };
	struct race *r = arg;
	struct extant *user;
	int fd;

	r->wrong += extant_as(r->x, &who, &user) != 0;
	fd = extant_open(user, "/a", O_WRONLY, 0);
	while (!atomic_load(&r->done)) {
		r->wrong += extant_pwrite(user, fd, "w", 1, 0) != 1;
		r->looked++;
	}
	r->wrong += extant_close(user, fd) != 0;
	extant_as_end(user);
	return NULL;
}

/* A write that ended after the mode was set has taken the bits away, whatever other writes found before. */
static void set_id_bits_fall_each_time(void **state)
{
	struct race r = { .x = open_image("") };
	struct extant_stat st;
	pthread_t t;

	(void)state;
	make(r.x, "/a");
	ok(extant_chown(r.x, "/a", 1000, 1000));
	t = beside(&r, write_as_somebody);
	for (int i = 0; i < CHANGES / 50; i++) {
		unsigned before;

		ok(extant_chmod(r.x, "/a", 04755));
		before = atomic_load(&r.looked);
		while (atomic_load(&r.looked) < before + 2)
			sched_yield();
		ok(extant_stat(r.x, "/a", &st));
		r.wrong += st.mode != 0100755;
	}
	end_race(&r, t);
	close_image(r.x);
}

static int remove_dir(void **state)
{
	char cmd[300];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_value_stays_found),
		cmocka_unit_test(set_id_bits_fall_each_time),
	};

	if (system("PATH=$PATH:/sbin:/usr/sbin; command -v mke2fs >/dev/null && command -v e2fsck >/dev/null"))
		return 77;
	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
