/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks. A thread takes the C library's; a coroutine, which runs alone, needs only to note who
 * holds it and who waits. Both leave the other's fields as they are, so that a lock may be made
 * before it is known who will use it.
 *
 * A thread that has to wait does so in slices, between which it looks whether its scheduler was
 * poisoned: whoever holds the lock may never let go of it then. A coroutine that lets go hands
 * the lock to the first waiter at once, so nobody is overtaken.
 */
#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/sync_internal.h"

#define SLICE_MS	100

static struct timespec slice_end(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += SLICE_MS * NSEC_PER_MSEC;
	if (ts.tv_nsec >= NSEC_PER_SEC) {
		ts.tv_sec++;
		ts.tv_nsec -= NSEC_PER_SEC;
	}
	return ts;
}

/* `lock` is one of the C library's timed calls. */
#define LOCK_IN_SLICES(t, lock, object) \
	do { \
		struct timespec end_ = slice_end(); \
		int err_ = lock((object), &end_); \
		if (!err_) \
			break; \
		ensure(err_ == ETIMEDOUT); \
		if (t) \
			unwind_if_poisoned(t); \
	} while (1)

static void note_lock_wait(struct task_slot *t)
{
	if (t)
		counter_add(&t->lock_waits);
}

static bool is_coroutine(const struct task_slot *t)
{
	return t && t->coroutine;
}

/* sched_step(), where the task is known already. */
static void step(struct task_slot *t)
{
	if (t && t->seeded)
		(void)coroutine_yield(t);
}

/* Waits in `waiters` until the lock is handed over. */
static void wait_for_lock(struct task_slot *t, struct list *waiters, uint16_t rank)
{
	note_lock_wait(t);
	task_block_prepare(t, lock_rank_name(rank));
	list_add_tail(waiters, &t->wait_link);
	task_block(t, CLOCK_NEVER);
	unwind_if_poisoned(t);
}

/* ---- mutex */

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	pthread_mutex_init(&m->thread, NULL);
	atomic_init(&m->owner, NULL);
	list_init(&m->waiters);
	m->rank = (uint16_t)rank;
}

void mutex_fini(struct mutex *m)
{
	pthread_mutex_destroy(&m->thread);
}

static void set_owner(struct mutex *m, struct task_slot *t)
{
	atomic_store_explicit(&m->owner, (struct task *)t, memory_order_relaxed);
}

static void coroutine_mutex_lock(struct mutex *m, struct task_slot *t)
{
	step(t);
	if (!mutex_owner(m)) {
		set_owner(m, t);
		return;
	}
	t->waits_mutex = m;
	wait_for_lock(t, &m->waiters, m->rank);
	ensure(mutex_owner(m) == &t->task);
}

static void coroutine_mutex_unlock(struct mutex *m)
{
	struct task_slot *next = list_first(&m->waiters, struct task_slot, wait_link);

	set_owner(m, next);
	if (!next)
		return;
	list_remove(&next->wait_link);
	task_unblock(next);
}

static void thread_mutex_lock(struct mutex *m, struct task_slot *t)
{
	if (pthread_mutex_trylock(&m->thread)) {
		note_lock_wait(t);
		LOCK_IN_SLICES(t, pthread_mutex_timedlock, &m->thread);
	}
	ensure(!mutex_owner(m));	/* else a coroutine has it: this thread is lost */
	set_owner(m, t);
}

static void lock_mutex(struct mutex *m, bool equal_allowed) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	rank_check(t, m->rank, equal_allowed);
	if (is_coroutine(t))
		coroutine_mutex_lock(m, t);
	else
		thread_mutex_lock(m, t);
	rank_push(t, m->rank, m);
}

void mutex_lock(struct mutex *m) UNCHECKED_LOCKING
{
	lock_mutex(m, false);
}

void mutex_lock_equal(struct mutex *m) UNCHECKED_LOCKING
{
	lock_mutex(m, true);
}

bool mutex_trylock(struct mutex *m) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	if (is_coroutine(t)) {
		step(t);
		if (mutex_owner(m))
			return false;
	} else if (pthread_mutex_trylock(&m->thread)) {
		return false;
	}
	set_owner(m, t);
	rank_push(t, m->rank, m);
	return true;
}

void mutex_release(struct mutex *m, struct task_slot *t)
{
	ensure(mutex_owner(m) == (struct task *)t);
	rank_pop(t, m);
	if (is_coroutine(t)) {
		coroutine_mutex_unlock(m);
		return;
	}
	set_owner(m, NULL);
	pthread_mutex_unlock(&m->thread);
}

void mutex_unlock(struct mutex *m) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	mutex_release(m, t);
	step(t);
}

void mutex_assert_held(const struct mutex *m) UNCHECKED_LOCKING
{
	ensure(mutex_owner(m) == task_current());
}

/* ---- rwlock */

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&l->thread, &attr);
	pthread_rwlockattr_destroy(&attr);
	atomic_init(&l->writer, NULL);
	l->holders = 0;
	list_init(&l->waiters);
	l->rank = (uint16_t)rank;
}

void rwlock_fini(struct rwlock *l)
{
	pthread_rwlock_destroy(&l->thread);
}

static void set_writer(struct rwlock *l, struct task_slot *t)
{
	atomic_store_explicit(&l->writer, (struct task *)t, memory_order_relaxed);
}

/* Who waits goes before who comes: so a waiting writer is not starved by readers. */
static bool coroutine_try_share(struct rwlock *l)
{
	if (l->holders < 0 || !list_empty(&l->waiters))
		return false;
	l->holders++;
	return true;
}

static bool coroutine_try_own(struct rwlock *l)
{
	if (l->holders != 0)
		return false;
	l->holders = -1;
	return true;
}

static void coroutine_read(struct rwlock *l, struct task_slot *t)
{
	step(t);
	if (coroutine_try_share(l))
		return;
	t->wants_write = false;
	wait_for_lock(t, &l->waiters, l->rank);
}

static void coroutine_write(struct rwlock *l, struct task_slot *t)
{
	step(t);
	if (coroutine_try_own(l))
		return;
	t->wants_write = true;
	wait_for_lock(t, &l->waiters, l->rank);
}

/* Hands the lock to the first writer, or to all readers before the next writer. */
static void coroutine_hand_over(struct rwlock *l)
{
	struct task_slot *next;

	while ((next = list_first(&l->waiters, struct task_slot, wait_link)) != NULL) {
		if (next->wants_write ? l->holders != 0 : l->holders < 0)
			return;
		l->holders += next->wants_write ? -1 : 1;
		list_remove(&next->wait_link);
		task_unblock(next);
	}
}

static void thread_read(struct rwlock *l, struct task_slot *t)
{
	if (pthread_rwlock_tryrdlock(&l->thread)) {
		note_lock_wait(t);
		LOCK_IN_SLICES(t, pthread_rwlock_timedrdlock, &l->thread);
	}
	ensure(!l->holders);		/* else coroutines hold it, see thread_mutex_lock */
}

static void thread_write(struct rwlock *l, struct task_slot *t)
{
	if (pthread_rwlock_trywrlock(&l->thread)) {
		note_lock_wait(t);
		LOCK_IN_SLICES(t, pthread_rwlock_timedwrlock, &l->thread);
	}
	ensure(!l->holders);
}

void rwlock_read(struct rwlock *l) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	rank_check(t, l->rank, false);
	if (is_coroutine(t))
		coroutine_read(l, t);
	else
		thread_read(l, t);
	rank_push(t, l->rank, l);
}

static void lock_for_writing(struct rwlock *l, bool equal_allowed)
{
	struct task_slot *t = current_slot();

	rank_check(t, l->rank, equal_allowed);
	if (is_coroutine(t))
		coroutine_write(l, t);
	else
		thread_write(l, t);
	set_writer(l, t);
	rank_push(t, l->rank, l);
}

void rwlock_write(struct rwlock *l) UNCHECKED_LOCKING
{
	lock_for_writing(l, false);
}

void rwlock_write_equal(struct rwlock *l) UNCHECKED_LOCKING
{
	lock_for_writing(l, true);
}

bool rwlock_tryread(struct rwlock *l) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();
	bool got;

	if (is_coroutine(t)) {
		step(t);
		got = coroutine_try_share(l);
	} else {
		got = pthread_rwlock_tryrdlock(&l->thread) == 0;
	}
	if (got)
		rank_push(t, l->rank, l);
	return got;
}

bool rwlock_trywrite(struct rwlock *l) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();
	bool got;

	if (is_coroutine(t)) {
		step(t);
		got = coroutine_try_own(l);
	} else {
		got = pthread_rwlock_trywrlock(&l->thread) == 0;
	}
	if (got) {
		set_writer(l, t);
		rank_push(t, l->rank, l);
	}
	return got;
}

void rwlock_unread(struct rwlock *l) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	rank_pop(t, l);
	if (!is_coroutine(t)) {
		pthread_rwlock_unlock(&l->thread);
		return;
	}
	ensure(l->holders > 0);
	l->holders--;
	coroutine_hand_over(l);
	step(t);
}

void rwlock_unwrite(struct rwlock *l) UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();

	rwlock_assert_written(l);
	rank_pop(t, l);
	set_writer(l, NULL);
	if (!is_coroutine(t)) {
		pthread_rwlock_unlock(&l->thread);
		return;
	}
	l->holders = 0;
	coroutine_hand_over(l);
	step(t);
}

void rwlock_assert_written(const struct rwlock *l) UNCHECKED_LOCKING
{
	ensure(atomic_load_explicit(&l->writer, memory_order_relaxed) == task_current());
}
