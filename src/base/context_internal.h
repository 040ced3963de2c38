/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks and the switch between them; private to base/sync. A context is a place where execution
 * stopped: the stack pointer, everything else lies on the stack. The processors that have their
 * own switch in context.c need some twenty instructions; elsewhere the C library's ucontext does
 * it, with a system call. Address and thread sanitizer are told of each switch.
 *
 * The rounding mode of floating point and the signal mask are the thread's, not the context's.
 */
#ifndef EXTANT_BASE_CONTEXT_INTERNAL_H
#define EXTANT_BASE_CONTEXT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "base/alloc.h"
#include "base/compiler.h"

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(EXTANT_UCONTEXT)
#define CONTEXT_BY_ASSEMBLY 1
#else
#define CONTEXT_BY_ASSEMBLY 0
#include <ucontext.h>
#endif

struct stack {				/* lies at the upper end of its own memory */
	struct stack *next;
	void *memory;			/* the guard page, then the stack */
	size_t memory_bytes;
	void *bottom;			/* the part that is used as stack */
	size_t size_bytes;
};

/* Stacks of ended coroutines, for the next ones. All are of one size. */
struct stack_cache {
	struct stack *free;
	struct arena *arena;
	size_t bytes;
};

struct context {
#if CONTEXT_BY_ASSEMBLY
	void *sp;
#else
	ucontext_t ucontext;
#endif
	struct stack *stack;		/* NULL: the thread's own */
	void (*fn)(void *arg);
	void *arg;
	/* what the sanitizers want to know */
	struct context *switched_from;	/* who switched here last */
	bool exited;
	void *fake_stack;
	const void *bottom;
	size_t size_bytes;
	void *fiber;
};

/* `a`: counts the stacks, which do not lie in it. */
void stack_cache_init(struct stack_cache *c, struct arena *a, size_t bytes);
void stack_cache_fini(struct stack_cache *c);

/* The context of a caller, on the stack it runs on. */
void context_init_native(struct context *c);
/* One that will call fn(arg) on a stack of its own; fn ends in context_exit(). -ENOMEM. */
must_check int context_init(struct context *c, struct stack_cache *stacks, void (*fn)(void *arg),
			    void *arg);
/* Stops `from` here and goes on in `to`. Returns when something switches to `from` again. */
void context_switch(struct context *from, struct context *to);
/* Leaves `from` for good; its stack goes back to the cache. */
__attribute__((noreturn)) void context_exit(struct context *from, struct context *to,
					    struct stack_cache *stacks);
/* Drops a context that never ended. */
void context_fini(struct context *c, struct stack_cache *stacks);

#endif
