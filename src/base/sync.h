/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks, locks, waiting, epochs: one interface, three ways to run (chosen when a mount is opened):
 *
 *   threaded  a task is a thread, a lock is a mutex of the C library
 *   inline    tasks are coroutines in the caller's thread; at a wait the first that can run goes on
 *   seeded    as inline, but the next task is drawn from a seed at each lock, unlock, wait and step
 *
 * Whoever runs code of a mount is a task of its scheduler. Background work is spawned
 * (task_spawn); a caller becomes one for the length of its call (task_enter, task_leave). The
 * current task carries its name, its trace ring, the ranks of the locks it holds and its open
 * handle: nothing else is kept per thread.
 *
 * Rules
 *
 * - Lock ranks only rise (asserted in debug builds; equal ranks only through the _equal calls).
 * - Sleeping happens in wait_event(), task_sleep() and in locks, nowhere else; never inside an
 *   epoch.
 * - In inline and seeded mode one thread at a time is inside a scheduler (asserted). A deadlock
 *   (nobody can run, no deadline is near) is found and reported with what each task waits for.
 * - A failed assertion poisons the scheduler, if the program has a handler for it: see
 *   task_guard().
 *
 * Code outside of any task (set-up before there is a scheduler, a device used alone) may take
 * locks and lets threads exclude each other; it has no ranks, cannot sleep on a waitq and enters
 * no epoch.
 */
#ifndef EXTANT_BASE_SYNC_H
#define EXTANT_BASE_SYNC_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/log.h"

/* lock_ranks.def has the order; locks of RANK_NONE take no part in it. */
enum lock_rank {
	RANK_NONE,
#define RANK(name, held_over_io) name,
#include "base/lock_ranks.def"
#undef RANK
	RANK_COUNT
};

enum sched_mode { SCHED_THREADED, SCHED_INLINE, SCHED_SEEDED };

struct sched;
struct task;
struct trace_ring;

struct sched_options {
	enum sched_mode mode;
	uint64_t seed;			/* of seeded mode */
	struct clock *clock;		/* outlives the scheduler; threaded needs a real one */
	const struct log *log;		/* may be NULL */
	size_t stack_bytes;		/* of a coroutine; 0: 256 KiB */
};

/* 0, or -ENOMEM. */
must_check int sched_create(struct arena *a, const struct sched_options *opt, struct sched **out);
/*
 * All callers have left, all spawned tasks have ended and been joined; what is retired is freed.
 * Of a poisoned scheduler the tasks that are left end here, and what is retired is not freed: it
 * goes with the arena. NULL: nothing.
 */
void sched_destroy(struct sched *s);
enum sched_mode sched_mode(const struct sched *s);
struct clock *sched_clock(const struct sched *s);
struct arena *sched_arena(const struct sched *s);
/* An assertion has failed in one of its tasks. */
bool sched_poisoned(const struct sched *s);

/* ---- tasks */

#define TASK_NAME_MAX 32

/*
 * Upper layers hang what they keep per task on these fields; base only carries them.
 */
struct task {
	char name[TASK_NAME_MAX];	/* Linux's: "jbd2/image-8"; or the program's */
	struct sched *sched;
	uint32_t id;			/* the "pid" of traces; dense, from 1, later used again */
	uint32_t flags;			/* TASK_* */
	bool daemon;			/* spawned for a mount's background work */
	struct trace_ring *ring;	/* trace/: of this id, whose task may change */
	void *handle;			/* jbd2/: the open handle, or NULL */
	const void *actor;		/* vfs/: for whom it acts, or NULL */
	/* base/sync_internal.h has the rest */
};
#define TASK_WRITEBACK	1u	/* frees memory: may use what is set aside, is never throttled */
#define TASK_UNPRIVILEGED 2u	/* acts for a user without the right to reserved blocks */

/* The task that runs now; NULL outside of any. */
struct task *task_current(void);

/* Starts `fn(arg)` as a task. `*out` is to be joined. 0, -ENOMEM or -EAGAIN. */
must_check int task_spawn(struct sched *s, const char *name, void (*fn)(void *arg), void *arg,
			  struct task **out);
/* Waits for its end and frees it. */
void task_join(struct task *t);

/*
 * A caller becomes a task until task_leave(). Cheap: no lock, no allocation but at the first call
 * of a thread. Calls nest over different schedulers (and are no-ops inside a task of the same
 * one): leave in the opposite order. Returns NULL only when memory is out at that first call.
 */
must_check struct task *task_enter(struct sched *s, const char *name);
void task_leave(struct task *t);

/*
 * An assertion that fails in a task calls log->assertion_failed and poisons the scheduler. Then
 * this task, and each other one as soon as it waits, is unwound to its recovery point; the locks
 * they hold stay held. A spawned task ends. A caller comes back to the task_guard() behind its
 * task_enter():
 *
 *	t = task_enter(s, name);
 *	if (task_guard(t)) {		at first: is it poisoned already? later: unwound to here
 *		task_leave(t);
 *		return -EIO;
 *	}
 *
 * The guard holds until the task_leave() of the task_enter() before it, in the function that calls
 * task_leave(). Locals changed behind it are undefined when it comes back. A guard inside the same
 * task's guard does nothing: both frames go at once. A task without one stops the process.
 *
 * A poisoned mount is dropped whole: sched_destroy(), close the device, arena_destroy().
 */
#define task_guard(t) ({ \
	jmp_buf *guard_point_ = task_guard_arm(t); \
	(bool)(sched_poisoned((t)->sched) || (guard_point_ && _setjmp(*guard_point_) != 0)); })
/* NULL: this task has its recovery point further out. */
jmp_buf *task_guard_arm(struct task *t);
/* Enter, guard, fn(arg), leave. What fn returned, -EIO when poisoned, -ENOMEM. */
must_check int task_call(struct sched *s, const char *name, int (*fn)(void *arg), void *arg);

/* Sleeps; with a virtual clock, the time passes at once when nobody else can run before. */
void task_sleep(int64_t ns);
/* Lets others that can run go first. */
void task_yield(void);
/* Lets all other tasks run until each of them waits (inline and seeded); threaded: nothing. */
void sched_settle(struct sched *s);
/* In seeded mode a point where another task may go on; stands beside lock-free steps. */
void sched_step(void);

/* ---- locks */

const char *lock_rank_name(enum lock_rank rank);

/*
 * What is held like a lock but is none (an open handle, the lock bit of a page) has its place in
 * the order too: `what` takes rank `rank` until it is released, in debug builds.
 */
#ifdef EXTANT_SLOW_ASSERTS
void lock_rank_hold(enum lock_rank rank, const void *what);
void lock_rank_hold_equal(enum lock_rank rank, const void *what);
void lock_rank_release(const void *what);
/* Nothing of this rank or a later one is held: the current task may take `rank`. */
void lock_rank_assert_below(enum lock_rank rank);
/* A device is about to be waited for: only what may be held over that is held. */
void lock_rank_assert_io(void);
#else
#define lock_rank_hold(rank, what) ((void)(rank), (void)(what))
#define lock_rank_hold_equal(rank, what) ((void)(rank), (void)(what))
#define lock_rank_release(what) ((void)(what))
#define lock_rank_assert_below(rank) ((void)(rank))
#define lock_rank_assert_io() ((void)0)
#endif

struct CAPABILITY("mutex") mutex {
	pthread_mutex_t thread;		/* threaded, and outside of any task */
	struct task *_Atomic owner;	/* in coroutine modes this is the lock */
	struct list waiters;		/* coroutine modes, first come first */
	uint16_t rank;
};

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRE(*m);
/* A second lock of the rank already held; the caller has an order of its own among them. */
void mutex_lock_equal(struct mutex *m) ACQUIRE(*m);
/* Any rank will do: who does not wait makes no deadlock. */
bool mutex_trylock(struct mutex *m) TRY_ACQUIRE(*m);
void mutex_unlock(struct mutex *m) RELEASE(*m);
/* By the current task. */
void mutex_assert_held(const struct mutex *m) ASSERT_HELD(*m);

static inline void mutex_unlock_scope(struct mutex **m) UNCHECKED_LOCKING
{
	if (*m)
		mutex_unlock(*m);
}
#define GUARD_NAME2(line) guard_##line
#define GUARD_NAME(line) GUARD_NAME2(line)
/* Holds the lock to the end of the block. */
#ifndef EXTANT_THREAD_SAFETY
#define guard(m) \
	cleanup_with(mutex_unlock_scope) struct mutex *GUARD_NAME(__LINE__) = (m); \
	mutex_lock(GUARD_NAME(__LINE__))
#else
/* The analysis sees no cleanups: to it the lock is held to the end of the function. */
void guard_seems_held(struct mutex *m) ASSERT_HELD(*m);
#define guard(m) guard_seems_held(m)
#endif

/* Readers together or one writer alone; a waiting writer goes before later readers. */
struct CAPABILITY("rwlock") rwlock {
	pthread_rwlock_t thread;	/* threaded, and outside of any task */
	struct task *_Atomic writer;
	int holders;			/* coroutine modes: readers inside; -1: a writer */
	uint16_t rank;
	struct list waiters;		/* coroutine modes, first come first */
};

void rwlock_init(struct rwlock *l, enum lock_rank rank);
void rwlock_fini(struct rwlock *l);
void rwlock_read(struct rwlock *l) ACQUIRE_SHARED(*l);
void rwlock_write(struct rwlock *l) ACQUIRE(*l);
void rwlock_write_equal(struct rwlock *l) ACQUIRE(*l);
bool rwlock_tryread(struct rwlock *l) TRY_ACQUIRE_SHARED(*l);
bool rwlock_trywrite(struct rwlock *l) TRY_ACQUIRE(*l);
void rwlock_unread(struct rwlock *l) RELEASE_SHARED(*l);
void rwlock_unwrite(struct rwlock *l) RELEASE(*l);
/* By the current task, for writing. */
void rwlock_assert_written(const struct rwlock *l) ASSERT_HELD(*l);

static inline void rwlock_unread_scope(struct rwlock **l) UNCHECKED_LOCKING
{
	rwlock_unread(*l);
}
static inline void rwlock_unwrite_scope(struct rwlock **l) UNCHECKED_LOCKING
{
	rwlock_unwrite(*l);
}
#ifndef EXTANT_THREAD_SAFETY
#define guard_read(l) \
	cleanup_with(rwlock_unread_scope) struct rwlock *GUARD_NAME(__LINE__) = (l); \
	rwlock_read(GUARD_NAME(__LINE__))
#define guard_write(l) \
	cleanup_with(rwlock_unwrite_scope) struct rwlock *GUARD_NAME(__LINE__) = (l); \
	rwlock_write(GUARD_NAME(__LINE__))
#else
void guard_seems_read(struct rwlock *l) ASSERT_HELD_SHARED(*l);
void guard_seems_written(struct rwlock *l) ASSERT_HELD(*l);
#define guard_read(l) guard_seems_read(l)
#define guard_write(l) guard_seems_written(l)
#endif

/* ---- waiting */

/*
 * A place to wait for a condition that a mutex protects. Who changes the condition wakes, holding
 * the mutex or after it has let go of it.
 */
struct waitq {
	pthread_mutex_t lock;		/* of the list */
	struct list sleepers;		/* first come first */
	_Atomic uint32_t count;
};

void waitq_init(struct waitq *q);
void waitq_fini(struct waitq *q);
void waitq_wake_all(struct waitq *q);
void waitq_wake_one(struct waitq *q);
/*
 * One sleep: gives up `m`, sleeps until woken or `deadline` (monotonic ns), takes `m` again.
 * False: the time came. Nothing of a higher rank than `m` is held. `what` says what for, should
 * nobody wake.
 */
bool waitq_sleep(struct waitq *q, struct mutex *m, int64_t deadline, const char *what) REQUIRES(*m);

/* Waits, holding `m`, until `condition` holds. */
#define wait_event(q, m, condition) \
	do { \
		while (!(condition)) \
			(void)waitq_sleep((q), (m), CLOCK_NEVER, #condition); \
	} while (0)
/* The same up to a deadline; yields whether the condition holds. */
#define wait_event_until(q, m, condition, deadline) ({ \
	bool wait_ok_ = true; \
	while (wait_ok_ && !(condition)) \
		wait_ok_ = waitq_sleep((q), (m), (deadline), #condition); \
	(bool)(wait_ok_ || (condition)); })

/*
 * ---- epochs: what is published may be read without a lock inside one; what is taken out is freed
 * after all have left
 */

/* Nests. Costs a store and a fence; who is inside may take locks but does not sleep. */
void epoch_enter(void);
void epoch_leave(void);
/*
 * Runs `fn(node)` once every task that is inside an epoch now has left it; at the latest in
 * sched_destroy(). `node` lies in the thing to be freed, which nobody can reach any more. May be
 * called holding any lock below RANK_ARENA; so `fn` frees memory and takes no other lock.
 */
struct epoch_node {
	struct epoch_node *next;
	void (*fn)(struct epoch_node *node);
	uint64_t epoch;
};
void epoch_retire(struct epoch_node *node, void (*fn)(struct epoch_node *node));
/* Frees what can be freed now; else that happens once every so many retirements. */
void epoch_reclaim(void);
/* Frees all that is retired now, waiting for those who are inside an epoch. Holding nothing. */
void epoch_drain(void);

static inline void epoch_leave_scope(const int *unused)
{
	(void)unused;
	epoch_leave();
}
#define guard_epoch() \
	cleanup_with(epoch_leave_scope) __attribute__((unused)) const int GUARD_NAME(__LINE__) = \
		(epoch_enter(), 0)

/* ---- counters of waiting, for tests */
struct sched_stats {
	uint64_t lock_waits;		/* locks that were not free */
	uint64_t sleeps;		/* in waitqs and task_sleep() */
	uint64_t switches;		/* of coroutines */
	uint64_t switch_hash;		/* of who was switched to: equal in equal runs */
};
void sched_get_stats(const struct sched *s, struct sched_stats *out);

#endif
