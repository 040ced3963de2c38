/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files behind base/sync.h share.
 *
 *   task.c       slots, the current task, enter and leave, spawn and join
 *   thread.c     how a task of a threaded scheduler waits and is woken
 *   coroutine.c  the ready queue, timers, who runs next, deadlocks
 *   context.c    stacks and the switch between them
 *   lock.c       mutex, rwlock        rank.c   the order of locks
 *   waitq.c      waitq, task_sleep    epoch.c  readers and retirement
 *   poison.c     recovery points      sched.c  create, destroy, counters
 *
 * A task lies in a slot of its scheduler. Slots are claimed with one compare-and-swap, never
 * move, and live as long as the scheduler: whoever looks at all tasks (epochs, poison, counters)
 * walks the slots without a lock.
 *
 * Blocking is one pair of calls in all modes: task_block() until task_unblock(), a deadline, or the
 * scheduler's poisoning. What a task waits in (a lock's waiters, a waitq) is linked by `wait_link`.
 */
#ifndef EXTANT_BASE_SYNC_INTERNAL_H
#define EXTANT_BASE_SYNC_INTERNAL_H

#include "base/context_internal.h"
#include "base/random.h"
#include "base/sync.h"

#define CACHE_LINE	64
#define HELD_MAX	24	/* locks of one task at a time */
#define SLOTS_A_CHUNK	8
#define VISITOR_SLOT	(SLOTS_A_CHUNK - 1)	/* in the first chunk */

struct held_lock {
	const void *lock;
	uint16_t rank;
};

struct task_slot {
	struct task task;		/* first: a task is its slot */
	_Atomic uint32_t busy;		/* claimed */
	bool coroutine;			/* of an inline or seeded scheduler */
	bool seeded;
	bool guarded;			/* `recovery` is set */
	uint32_t depth;			/* task_enter calls inside one another */
	uint32_t guarded_depth;
	struct task *outer;		/* current before task_enter; of another scheduler */

	_Alignas(CACHE_LINE) _Atomic uint64_t epoch;	/* when it entered; 0: outside */
	uint32_t epoch_depth;

	/* counters: written by the task, read by anybody */
	_Atomic uint64_t lock_waits;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t switches;

	/* waiting */
	struct list wait_link;		/* in a lock's waiters or a waitq; empty: in none */
	const char *waits_for;		/* NULL: does not wait */
	const struct mutex *waits_mutex;	/* coroutine: whose holder it waits for, or NULL */
	bool wants_write;		/* in an rwlock's waiters */

	/* threaded */
	pthread_mutex_t park_lock;
	pthread_cond_t park_cond;
	bool unparked;			/* under park_lock */
	pthread_t thread;		/* of a spawned task */

	/* coroutine */
	struct context context;
	struct list ready_link;		/* in sched->ready */
	struct list timer_link;		/* in sched->timers, by deadline */
	int64_t deadline;

	/* spawned */
	void (*fn)(void *arg);
	void *arg;
	struct list joiners;		/* coroutine mode */
	bool done;

	jmp_buf recovery;
#ifdef EXTANT_SLOW_ASSERTS
	struct held_lock held[HELD_MAX];
	int held_count;
#endif
};

struct slot_chunk {
	struct slot_chunk *_Atomic next;
	void *memory;			/* what the arena gave; the chunk is aligned inside it */
	_Alignas(CACHE_LINE) struct task_slot slots[SLOTS_A_CHUNK];
};

struct sched {
	/* constant after sched_create */
	void *memory;			/* what the arena gave; this is aligned inside it */
	enum sched_mode mode;
	bool coroutine;			/* inline or seeded */
	struct arena *arena;
	struct clock *clock;
	const struct log *log;
	size_t stack_bytes;
	struct slot_chunk *first_chunk;

	_Atomic uint32_t last_id;
	_Atomic bool failing;		/* the first failed assertion sets it */
	_Atomic bool poisoned;

	/* coroutine modes: owned by the thread that is inside */
	_Atomic uintptr_t inside_thread;	/* 0: none */
	uint32_t inside_count;			/* callers inside, all of that thread */
	struct list ready;			/* first come first */
	uint32_t ready_count;
	struct list timers;			/* earliest first */
	struct stack_cache stacks;
	struct random random;			/* seeded mode */
	uint64_t switch_hash;

	/* epoch.c */
	_Alignas(CACHE_LINE) _Atomic uint64_t epoch;	/* read by all, moved by who reclaims */
	_Alignas(CACHE_LINE) pthread_mutex_t retire_lock;
	/* under retire_lock: */
	struct epoch_node *retired_first;	/* oldest first */
	struct epoch_node *retired_last;
	uint32_t retired_count;
	uint32_t reclaim_at;	/* when so many are retired */
};

static inline struct task_slot *slot_of(struct task *t)
{
	return (struct task_slot *)t;
}

/* The current task's slot; NULL outside of any task. */
static inline struct task_slot *current_slot(void)
{
	return slot_of(task_current());
}

/* `p`, moved up to the next cache line. */
static inline void *cache_line_up(void *p)
{
	return (void *)(((uintptr_t)p + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

static inline struct task *mutex_owner(const struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed);
}

/* A counter with one writer. */
static inline void counter_add(_Atomic uint64_t *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* ---- task.c */

void task_set_current(struct task *t);
/* Runs the function of a spawned task, or gets back here when the task is unwound. */
void task_run(struct task_slot *t);
/* All slots, free ones among them: `for (t = slot_next(s, NULL); t; t = slot_next(s, t))`. */
struct task_slot *slot_next(const struct sched *s, const struct task_slot *t);
must_check int slots_init(struct sched *s);
void slots_fini(struct sched *s);
/*
 * A caller outside of `s` becomes a task of it for a moment, to join, settle or destroy. Its slot
 * is set aside, so that this cannot fail. NULL: it was inside already.
 */
struct task *enter_as_visitor(struct sched *s);

/* ---- blocking: one of thread.c and coroutine.c does it */

/* Before the task can be seen by who wakes it. */
void task_block_prepare(struct task_slot *t, const char *waits_for);
/* Returns when unblocked, at `deadline` (monotonic ns), or when the scheduler is poisoned. */
void task_block(struct task_slot *t, int64_t deadline);
void task_unblock(struct task_slot *t);

int thread_spawn(struct task_slot *t);
void thread_join(struct task_slot *t);
void thread_block(struct task_slot *t, int64_t deadline);
void thread_unblock(struct task_slot *t);

/* One thread at a time is inside of a coroutine scheduler. */
void coroutine_enter(struct sched *s);
void coroutine_leave(struct sched *s);
int coroutine_spawn(struct task_slot *t);
void coroutine_join(struct task_slot *t);
void coroutine_block(struct task_slot *t, int64_t deadline);
void coroutine_unblock(struct task_slot *t);
/* Behind all others that can run (inline), or drawn (seeded). False: there was nobody else. */
bool coroutine_yield(struct task_slot *t);

/* ---- lock.c */

/* mutex_unlock() without the step of seeded mode behind it. */
void mutex_release(struct mutex *m, struct task_slot *t);

/* ---- rank.c: nothing in release builds; `t` may be NULL */

#ifdef EXTANT_SLOW_ASSERTS
void rank_check(const struct task_slot *t, enum lock_rank rank, bool equal_allowed);
/* Nothing but `lock` itself is held of this rank or above it. */
void rank_check_highest(const struct task_slot *t, enum lock_rank rank, const void *lock);
void rank_push(struct task_slot *t, enum lock_rank rank, const void *lock);
void rank_pop(struct task_slot *t, const void *lock);
void rank_check_none(const struct task_slot *t);
void rank_forget_all(struct task_slot *t);
#else
static inline void rank_check(const struct task_slot *t, enum lock_rank rank, bool equal_allowed)
{
	(void)t, (void)rank, (void)equal_allowed;
}
static inline void rank_check_highest(const struct task_slot *t, enum lock_rank rank,
				      const void *lock)
{
	(void)t, (void)rank, (void)lock;
}
static inline void rank_push(struct task_slot *t, enum lock_rank rank, const void *lock)
{
	(void)t, (void)rank, (void)lock;
}
static inline void rank_pop(struct task_slot *t, const void *lock)
{
	(void)t, (void)lock;
}
static inline void rank_check_none(const struct task_slot *t)
{
	(void)t;
}
static inline void rank_forget_all(struct task_slot *t)
{
	(void)t;
}
#endif

/* ---- epoch.c */

void epoch_init(struct sched *s);
/* Runs all that is left, unless poisoned. */
void epoch_fini(struct sched *s);

/* ---- poison.c */

/* A message through the log, or to stderr when there is no log. */
printf_like(2, 3) void sched_report(const struct sched *s, const char *fmt, ...);
/* Calls the program's handler, the first time, and poisons; without a handler the process stops. */
void sched_fail(struct sched *s, const char *file, int line, const char *condition);
/* Back to the task's recovery point; without one the process stops. */
__attribute__((noreturn)) void task_unwind(struct task_slot *t);
/* At a point where a task may be unwound: does it if its scheduler is poisoned. */
static inline void unwind_if_poisoned(struct task_slot *t)
{
	if (unlikely(atomic_load_explicit(&t->task.sched->poisoned, memory_order_acquire)))
		task_unwind(t);
}

#endif
