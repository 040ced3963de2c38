/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of tasks, locks and waiting share: a scheduler of each mode, and tables of cases
 * that run in all of them. Threaded runs have the machine's clock, the others a virtual one.
 */
#ifndef EXTANT_BASE_SYNC_TEST_H
#define EXTANT_BASE_SYNC_TEST_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/sync.h"

struct fixture {
	struct arena *arena;
	struct clock clock;
	struct log log;
	struct sched *sched;
	int assertions;			/* that reached the handler */
	char text[512];			/* of the last one */
};

static inline void remember_assertion(void *arg, const char *text)
{
	struct fixture *f = arg;

	f->assertions++;
	snprintf(f->text, sizeof(f->text), "%s", text);
}

static inline void drop_message(void *arg, enum log_level level, const char *text)
{
}

static inline void fixture_open(struct fixture *f, enum sched_mode mode, uint64_t seed)
{
	struct sched_options opt = {
		.mode = mode,
		.seed = seed,
		.clock = &f->clock,
		.log = &f->log,
	};

	*f = (struct fixture){ .arena = arena_create() };
	assert_non_null(f->arena);
	if (mode == SCHED_THREADED)
		clock_init_real(&f->clock);
	else
		clock_init_virtual(&f->clock, 1500000000 * NSEC_PER_SEC, 4 * NSEC_PER_MSEC);
	assert_int_equal(sched_create(f->arena, &opt, &f->sched), 0);
}

/* From now on a failed assertion poisons instead of stopping the process. */
static inline void fixture_handle_assertions(struct fixture *f)
{
	f->log.assertion_failed = remember_assertion;
	f->log.message = drop_message;
	f->log.arg = f;
}

static inline void fixture_close(struct fixture *f)
{
	sched_destroy(f->sched);
	arena_destroy(f->arena);
}

static inline struct task *enter(struct fixture *f)
{
	struct task *t = task_enter(f->sched, "test");

	assert_non_null(t);
	return t;
}

static inline struct task *spawn(struct fixture *f, const char *name, void (*fn)(void *arg),
				 void *arg)
{
	struct task *t = NULL;

	assert_int_equal(task_spawn(f->sched, name, fn, arg, &t), 0);
	return t;
}

/* One case, in each mode; seeded with several seeds. */
static inline void in_all_modes(void (*run)(struct fixture *f))
{
	static const struct {
		enum sched_mode mode;
		uint64_t seed;
	} ways[] = { { SCHED_THREADED, 0 }, { SCHED_INLINE, 0 },  { SCHED_SEEDED, 1 },
		     { SCHED_SEEDED, 2 },   { SCHED_SEEDED, 3 } };

	for (size_t i = 0; i < array_size(ways); i++) {
		struct fixture f;

		fixture_open(&f, ways[i].mode, ways[i].seed);
		run(&f);
		fixture_close(&f);
	}
}

/* Runs it in a process of its own, which must stop by abort(). `said`: its words on stderr. */
static inline void must_abort(void (*run)(void), char *said, size_t said_bytes)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		run();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + len, said_bytes - 1 - len)) > 0)
		len += (size_t)got;
	said[len] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#endif
