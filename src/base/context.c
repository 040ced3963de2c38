/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch pushes the registers that a function must preserve, stores the stack pointer, loads
 * the other one and pops. A new context's stack is laid out as if it had been switched away from
 * at the first instruction of context_begin, with its context in one of those registers.
 */
#include "base/context_internal.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

#if WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* ---- the sanitizers */

/*
 * The thread sanitizer keeps a call stack for each fiber. Between its switch and ours no function
 * may be entered or left, so what stands there is inlined.
 */
#define in_line static inline __attribute__((always_inline))

in_line void sanitizers_before_switch(struct context *from, struct context *to)
{
	to->switched_from = from;
#if WITH_ASAN
	__sanitizer_start_switch_fiber(from->exited ? NULL : &from->fake_stack, to->bottom,
				       to->size_bytes);
#endif
#if WITH_TSAN
	from->fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* Runs in `c`, first thing after a switch to it. Here we learn what the thread's own stack is. */
static void sanitizers_after_switch(struct context *c)
{
	struct context *from = c->switched_from;

	(void)from;
#if WITH_ASAN
	__sanitizer_finish_switch_fiber(c->fake_stack, &from->bottom, &from->size_bytes);
#endif
#if WITH_TSAN
	if (from->exited)
		__tsan_destroy_fiber(from->fiber);
#endif
}

static void sanitizers_new_context(struct context *c)
{
	c->bottom = c->stack->bottom;
	c->size_bytes = c->stack->size_bytes;
#if WITH_ASAN
	/* Frames that were left without returning have marked parts of it. */
	__asan_unpoison_memory_region(c->bottom, c->size_bytes);
#endif
#if WITH_TSAN
	c->fiber = __tsan_create_fiber(0);
#endif
}

static void sanitizers_drop_context(struct context *c)
{
	(void)c;
#if WITH_TSAN
	__tsan_destroy_fiber(c->fiber);
#endif
}

/* ---- stacks */

void stack_cache_init(struct stack_cache *c, struct arena *a, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	c->free = NULL;
	c->arena = a;
	c->bytes = (bytes + page - 1) / page * page;
}

void stack_cache_fini(struct stack_cache *c)
{
	while (c->free) {
		struct stack *s = c->free;

		c->free = s->next;
		munmap(s->memory, s->memory_bytes);
	}
}

static struct stack *stack_map(struct stack_cache *c)
{
	size_t bytes = c->bytes, guard = (size_t)sysconf(_SC_PAGESIZE);
	size_t memory_bytes = bytes + guard;
	uint8_t *memory;
	struct stack *s;

	if (arena_note_elsewhere(c->arena))
		return NULL;
	memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (mprotect(memory, guard, PROT_NONE)) {
		munmap(memory, memory_bytes);
		return NULL;
	}
	s = (struct stack *)(memory + memory_bytes - sizeof(*s));
	s->memory = memory;
	s->memory_bytes = memory_bytes;
	s->bottom = memory + guard;
	s->size_bytes = bytes - sizeof(*s);
	return s;
}

static struct stack *stack_take(struct stack_cache *c)
{
	struct stack *s = c->free;

	if (!s)
		return stack_map(c);
	c->free = s->next;
	return s;
}

static void stack_give_back(struct stack_cache *c, struct stack *s)
{
	s->next = c->free;
	c->free = s;
}

/* ---- the switch */

static void context_main(struct context *c)
{
	sanitizers_after_switch(c);
	c->fn(c->arg);
	ensure(!"a context's function ends in context_exit()");
}

#if CONTEXT_BY_ASSEMBLY

/* Both are defined below, in assembly. */
__attribute__((visibility("hidden"))) void extant_context_swap(void **save_sp, void *load_sp);
__attribute__((visibility("hidden"))) void extant_context_begin(void);

#if defined(__x86_64__)

__asm__(".text\n"
	".p2align 4\n"
	".globl extant_context_swap\n"
	".hidden extant_context_swap\n"
	".type extant_context_swap, @function\n"
	"extant_context_swap:\n"
	"	.cfi_startproc\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size extant_context_swap, . - extant_context_swap\n"
	".globl extant_context_begin\n"
	".hidden extant_context_begin\n"
	".type extant_context_begin, @function\n"
	"extant_context_begin:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"		/* a debugger stops here */
	"	movq %r13, %rdi\n"
	"	callq *%r12\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size extant_context_begin, . - extant_context_begin\n");

enum { SAVED_R12 = 3, SAVED_R13 = 2, SAVED_RETURN = 6, SAVED_WORDS = 7 };

static void lay_out(struct context *c, uintptr_t top)
{
	/* At context_begin, where nothing is called yet, the stack pointer is a multiple of 16. */
	uintptr_t *frame = (uintptr_t *)((top - 16) & ~(uintptr_t)15) - SAVED_WORDS;

	memset(frame, 0, SAVED_WORDS * sizeof(*frame));
	frame[SAVED_R12] = (uintptr_t)context_main;
	frame[SAVED_R13] = (uintptr_t)c;
	frame[SAVED_RETURN] = (uintptr_t)extant_context_begin;
	c->sp = frame;
}

#else /* aarch64 */

__asm__(".text\n"
	".p2align 4\n"
	".globl extant_context_swap\n"
	".hidden extant_context_swap\n"
	".type extant_context_swap, %function\n"
	"extant_context_swap:\n"
	"	.cfi_startproc\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size extant_context_swap, . - extant_context_swap\n"
	".globl extant_context_begin\n"
	".hidden extant_context_begin\n"
	".type extant_context_begin, %function\n"
	"extant_context_begin:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n"		/* a debugger stops here */
	"	mov x0, x20\n"
	"	blr x19\n"
	"	brk #1\n"
	"	.cfi_endproc\n"
	".size extant_context_begin, . - extant_context_begin\n");

enum { SAVED_X19 = 0, SAVED_X20 = 1, SAVED_X30 = 11, SAVED_WORDS = 20 };

static void lay_out(struct context *c, uintptr_t top)
{
	uintptr_t *frame = (uintptr_t *)(top & ~(uintptr_t)15) - SAVED_WORDS;

	memset(frame, 0, SAVED_WORDS * sizeof(*frame));
	frame[SAVED_X19] = (uintptr_t)context_main;
	frame[SAVED_X20] = (uintptr_t)c;
	frame[SAVED_X30] = (uintptr_t)extant_context_begin;
	c->sp = frame;
}

#endif

in_line void swap(struct context *from, struct context *to)
{
	extant_context_swap(&from->sp, to->sp);
}

static void begin_at_main(struct context *c, const struct stack *s)
{
	lay_out(c, (uintptr_t)s->bottom + s->size_bytes);
}

#else /* ucontext */

/* makecontext() hands over ints only. */
static void ucontext_begin(unsigned int high, unsigned int low)
{
	context_main((struct context *)((uintptr_t)high << 32 | low));
}

in_line void swap(struct context *from, struct context *to)
{
	swapcontext(&from->ucontext, &to->ucontext);
}

static void begin_at_main(struct context *c, const struct stack *s)
{
	uintptr_t p = (uintptr_t)c;

	getcontext(&c->ucontext);
	c->ucontext.uc_stack.ss_sp = s->bottom;
	c->ucontext.uc_stack.ss_size = s->size_bytes;
	c->ucontext.uc_link = NULL;
	makecontext(&c->ucontext, (void (*)(void))ucontext_begin, 2, (unsigned int)(p >> 32),
		    (unsigned int)p);
}

#endif

void context_init_native(struct context *c)
{
	c->stack = NULL;
	c->exited = false;
}

int context_init(struct context *c, struct stack_cache *stacks, void (*fn)(void *arg), void *arg)
{
	struct stack *s = stack_take(stacks);

	if (!s)
		return -ENOMEM;
	*c = (struct context){ .stack = s, .fn = fn, .arg = arg };
	sanitizers_new_context(c);
	begin_at_main(c, s);
	return 0;
}

void context_switch(struct context *from, struct context *to)
{
	sanitizers_before_switch(from, to);
	swap(from, to);
	sanitizers_after_switch(from);
}

void context_exit(struct context *from, struct context *to, struct stack_cache *stacks)
{
	/* Nothing takes a stack from the cache before the switch: it may lie there still in use. */
	stack_give_back(stacks, from->stack);
	from->exited = true;
	sanitizers_before_switch(from, to);
	swap(from, to);
	__builtin_unreachable();
}

void context_fini(struct context *c, struct stack_cache *stacks)
{
	sanitizers_drop_context(c);
	stack_give_back(stacks, c->stack);
}
