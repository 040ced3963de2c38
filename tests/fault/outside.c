/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts from outside (outside.h). A run is inline: one thread. */
#include "outside.h"
#include <sys/mman.h>
#include "base/errors.h"
#include "block/filter.h"

static const struct arena *watched;
static uint64_t allocations;

void outside_watch(const struct arena *a)
{
	watched = a;
	allocations = 0;
}

uint64_t outside_allocations(void)
{
	return allocations;
}

static void *counted(const struct arena *a, void *p)
{
	allocations += p && a == watched;
	return p;
}

/* ---- what the linker puts between */

#define WRAP(result, name, parameters, ...) \
	result __real_##name parameters; \
	result __wrap_##name parameters; \
	result __wrap_##name parameters \
	{ \
		return counted(a, __real_##name(__VA_ARGS__)); \
	}

WRAP(void *, arena_alloc, (struct arena *a, size_t size), a, size)
WRAP(void *, arena_zalloc, (struct arena *a, size_t size), a, size)
WRAP(void *, arena_realloc, (struct arena *a, void *p, size_t size), a, p, size)
WRAP(char *, arena_strdup, (struct arena *a, const char *s), a, s)
WRAP(void *, arena_block_alloc, (struct arena *a, size_t size), a, size)
WRAP(void *, arena_block_alloc_sided, (struct arena *a, size_t size, uint32_t side_bits, void **side), a, size,
     side_bits, side)

/* Stacks: the one thing that does not come from the arena; counted whoever asks for one. */
void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *p = __real_mmap64(at, len, prot, flags, fd, offset);

	allocations += p != MAP_FAILED;
	return p;
}

/* ---- the device */

struct outside_device {
	struct block_filter filter;
	uint64_t calls;
};

static struct outside_device *count(struct block_device *d)
{
	struct outside_device *o = container_of(d, struct outside_device, filter.dev);

	o->calls++;
	return o;
}

static int outside_read(struct block_device *d, const struct block_io *io)
{
	return block_readv(count(d)->filter.lower, io);
}

static int outside_write(struct block_device *d, const struct block_io *io)
{
	return block_writev(count(d)->filter.lower, io);
}

static int outside_flush(struct block_device *d)
{
	return block_flush(count(d)->filter.lower);
}

static int outside_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	return block_discard(count(d)->filter.lower, offset, len);
}

static const struct block_ops outside_ops = {
	.read = outside_read,
	.write = outside_write,
	.flush = outside_flush,
	.discard = outside_discard,
	.close = filter_close,
};

int outside_device_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct outside_device *o = filter_alloc(a, sizeof(*o), &outside_ops, lower);

	if (!o)
		return -ENOMEM;
	*out = &o->filter.dev;
	return 0;
}

uint64_t outside_device_calls(const struct block_device *d)
{
	return container_of(d, const struct outside_device, filter.dev)->calls;
}
