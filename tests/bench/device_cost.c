/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the file device costs beside the system calls it is made of: `device_cost [DIR [MIB]]`. Both
 * write the same file, in turns; the best of nine rounds counts, by the wall and by the processor's
 * time. Nothing may be lost: a ratio below 0.97 on an idle machine is worth a look.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "block/device.h"

#define PIECES_MAX 256
#define PIECE	   4096u

struct bench {
	char path[4096];
	uint64_t size;
	struct arena *arena;
	struct block_device *device;
	int raw;
	struct iovec iov[PIECES_MAX];
};

static double now(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* ---- the whole file in order, `pieces` of 4 KiB a call, stable at the end */

static void raw_sequential(struct bench *b, int pieces)
{
	size_t step = (size_t)pieces * PIECE;

	for (uint64_t pos = 0; pos < b->size; pos += step)
		must(pwritev(b->raw, b->iov, pieces, (off_t)pos) == (ssize_t)step, "pwritev");
	must(!fdatasync(b->raw), "fdatasync");
}

static void device_sequential(struct bench *b, int pieces)
{
	size_t step = (size_t)pieces * PIECE;

	for (uint64_t pos = 0; pos < b->size; pos += step) {
		const struct block_io io = { .offset = pos, .iov = b->iov, .iov_count = pieces };

		must(!block_writev(b->device, &io), "write");
	}
	must(!block_flush(b->device), "flush");
}

/* ---- `count` appends of 4 KiB, each stable before the next */

static void raw_forced(struct bench *b, int count)
{
	for (int i = 0; i < count; i++) {
		must(pwritev(b->raw, b->iov, 1, (off_t)i * PIECE) == PIECE, "pwritev");
		must(!fdatasync(b->raw), "fdatasync");
	}
}

static void device_forced(struct bench *b, int count)
{
	for (int i = 0; i < count; i++)
		must(!block_write(b->device, (uint64_t)i * PIECE, b->iov[0].iov_base, PIECE,
				  BLOCK_FUA), "write");
}

/* ---- comparing */

struct cost {
	double wall, cpu;
};

static void measure(struct bench *b, void (*run)(struct bench *b, int n), int n, struct cost *best)
{
	double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	run(b, n);
	best->wall = min(best->wall, now(CLOCK_MONOTONIC) - wall);
	best->cpu = min(best->cpu, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

struct contest {
	const char *name, *unit;
	void (*raw)(struct bench *b, int n);
	void (*device)(struct bench *b, int n);
	int n;
};

static void compare(struct bench *b, const struct contest *c, double work)
{
	struct cost raw = { 1e9, 1e9 }, device = { 1e9, 1e9 };

	for (int round = 0; round < 9; round++) {
		measure(b, c->raw, c->n, &raw);
		measure(b, c->device, c->n, &device);
	}
	printf("%-26s %10.0f %10.0f %-8s %6.3f %6.3f\n", c->name, work / raw.wall,
	       work / device.wall, c->unit, raw.wall / device.wall, raw.cpu / device.cpu);
}

static void prepare(struct bench *b, const char *dir)
{
	static uint8_t bytes[PIECES_MAX * PIECE];
	int fd;

	memset(bytes, 0x5a, sizeof(bytes));
	for (unsigned i = 0; i < PIECES_MAX; i++)
		b->iov[i] = (struct iovec){ .iov_base = bytes + i * PIECE, .iov_len = PIECE };
	b->arena = arena_create();
	must(b->arena, "arena");
	snprintf(b->path, sizeof(b->path), "%s/device-cost-XXXXXX", dir);
	fd = mkstemp(b->path);
	must(fd >= 0 && !ftruncate(fd, (off_t)b->size), "file");
	close(fd);
	must(!block_file_open(b->arena, b->path, false, 0, 0, &b->device), "device");
	b->raw = open(b->path, O_RDWR);
	must(b->raw >= 0, "open");
	raw_sequential(b, PIECES_MAX);		/* the host has its blocks before the first round */
}

int main(int argc, char **argv)
{
	static const struct contest contests[] = {
		{ "sequential, 4 KiB a call", "MiB/s", raw_sequential, device_sequential, 1 },
		{ "sequential, 64 KiB a call", "MiB/s", raw_sequential, device_sequential, 16 },
		{ "sequential, 1 MiB a call", "MiB/s", raw_sequential, device_sequential, 256 },
		{ "4 KiB, each one stable", "calls/s", raw_forced, device_forced, 500 },
	};
	uint64_t mib = argc > 2 ? strtoull(argv[2], NULL, 0) : 256;
	struct bench b = { .size = mib << 20 };

	prepare(&b, argc > 1 ? argv[1] : "/tmp");
	printf("%-26s %10s %10s %-8s %6s %6s\n", "", "raw", "device", "", "ratio", "cpu");
	for (unsigned i = 0; i < array_size(contests); i++)
		compare(&b, &contests[i],
			contests[i].raw == raw_forced ? contests[i].n : (double)mib);
	unlink(b.path);
	block_close(b.device);
	arena_destroy(b.arena);
	return 0;
}
