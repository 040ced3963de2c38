/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the compiler offers beyond C17, under names the code can read.
 */
#ifndef EXTANT_BASE_COMPILER_H
#define EXTANT_BASE_COMPILER_H

#include <stddef.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define must_check	__attribute__((warn_unused_result))
/* A result that cannot matter; say why beside it. (gcc does not take a cast to void for an answer.) */
#define ignore_result(call) do { __typeof__(call) ignored_ = (call); (void)ignored_; } while (0)
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cleanup_with(fn) __attribute__((cleanup(fn)))

#define array_size(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#define min(a, b) ({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b); \
		     min_a_ < min_b_ ? min_a_ : min_b_; })
#define max(a, b) ({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b); \
		     max_a_ > max_b_ ? max_a_ : max_b_; })

/* Built with the address or the thread sanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#define WITH_ASAN __has_feature(address_sanitizer)
#define WITH_TSAN __has_feature(thread_sanitizer)
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif
#ifndef WITH_TSAN
#define WITH_TSAN 0
#endif

/*
 * Lock annotations. They name the lock itself (`j->state_lock`, not its address). clang checks them
 * where EXTANT_THREAD_SAFETY is defined, in a build that is only compiled (tests/lint/locks); other
 * compilers read over them.
 */
#if defined(__clang__) && defined(EXTANT_THREAD_SAFETY)
#define THREAD_ATTR(x)	__attribute__((x))
#else
#define THREAD_ATTR(x)
#endif
#define CAPABILITY(name)	THREAD_ATTR(capability(name))
#define GUARDED_BY(lock)	THREAD_ATTR(guarded_by(&lock))
#define REQUIRES(lock)		THREAD_ATTR(requires_capability(&lock))
#define REQUIRES_SHARED(lock)	THREAD_ATTR(requires_shared_capability(&lock))
#define ACQUIRE(lock)		THREAD_ATTR(acquire_capability(&lock))
#define RELEASE(lock)		THREAD_ATTR(release_capability(&lock))
#define TRY_ACQUIRE(lock)	THREAD_ATTR(try_acquire_capability(true, &lock))
#define ACQUIRE_SHARED(lock)	THREAD_ATTR(acquire_shared_capability(&lock))
#define RELEASE_SHARED(lock)	THREAD_ATTR(release_shared_capability(&lock))
#define TRY_ACQUIRE_SHARED(lock) THREAD_ATTR(try_acquire_shared_capability(true, &lock))
#define ASSERT_HELD(lock)	THREAD_ATTR(assert_capability(&lock))
#define ASSERT_HELD_SHARED(lock) THREAD_ATTR(assert_shared_capability(&lock))
#define EXCLUDES(lock)		THREAD_ATTR(locks_excluded(&lock))
/* A function that locks in a way the analysis cannot follow. */
#define UNCHECKED_LOCKING	THREAD_ATTR(no_thread_safety_analysis)

#endif
