/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal alone, on the image of a real file system, for the judges of journal_vs_linux.py:
 *
 *	journal_tool IMAGE BLOCK_SIZE MAP recover
 *	journal_tool IMAGE BLOCK_SIZE MAP plan
 *	journal_tool IMAGE BLOCK_SIZE MAP write SUM 32|64 sync|async SEED FIRST COUNT EXPECTED
 *
 * MAP is a file with the journal's blocks, in order, separated by blanks. `write` commits transactions
 * that change and revoke the blocks FIRST.. (nobody uses them), some of which look like the journal's
 * own, and stops with the log full of them and nothing in place; EXPECTED gets what they must be once the
 * log is replayed. SUM is none, v1, v2 or v3. Exit status: 0, or 1 and the error on stderr.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "base/random.h"
#include "block/device.h"
#include "jbd2/format.h"
#include "jbd2/jbd2.h"

struct tool {
	struct arena *arena;
	struct clock clock;
	struct log log;
	struct sched *sched;
	struct budget *budget;
	struct block_device *device;
	struct buffer_cache *buffers;
	struct journal *journal;
	uint64_t *map, map_count;
	uint32_t block_size;
};

static int map_log_block(void *user, uint64_t lblk, uint64_t *pblk)
{
	const struct tool *t = user;

	if (lblk >= t->map_count)
		return -EIO;
	*pblk = t->map[lblk];
	return 0;
}

static void say(void *arg, enum log_level level, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static void read_map(struct tool *t, const char *path)
{
	FILE *f = fopen(path, "r");
	uint64_t room = 0;

	if (!f)
		exit(2);
	while (1) {
		if (t->map_count == room) {
			room = room ? room * 2 : 1024;
			t->map = realloc(t->map, room * sizeof(*t->map));
		}
		if (fscanf(f, "%" SCNu64, &t->map[t->map_count]) != 1)
			break;
		t->map_count++;
	}
	fclose(f);
}

static int open_journal(struct tool *t, bool async)
{
	static const struct journal_ops ops = { .map_log_block = map_log_block };
	struct journal_options opt = {
		.arena = t->arena,
		.sched = t->sched,
		.clock = &t->clock,
		.log = &t->log,
		.trace = trace_none(),
		.buffers = t->buffers,
		.device = t->device,
		.device_name = "jbd2/image",
		.ops = &ops,
		.user = t,
		.log_blocks = t->map_count,
		.commit_interval_ns = CLOCK_NEVER,
		.barrier = true,
		.async_commit = async,
	};

	return jbd2_journal_open(&opt, &t->journal);
}

static int open_tool(struct tool *t, const char *image)
{
	struct sched_options so = { .mode = SCHED_INLINE, .clock = &t->clock, .log = &t->log };
	struct buffer_cache_options bo = { .block_size = t->block_size, .user = t };
	int err;

	t->arena = arena_create();
	t->log.message = say;
	clock_init_virtual(&t->clock, 1700000000 * NSEC_PER_SEC, 0);
	err = sched_create(t->arena, &so, &t->sched);
	if (!err)
		err = budget_create(t->arena, (size_t)64 << 20, &t->budget);
	if (!err)
		err = block_file_open(t->arena, image, false, 0, 0, &t->device);
	if (err)
		return err;
	bo.arena = t->arena;
	bo.budget = t->budget;
	bo.device = t->device;
	bo.block_count = t->device->size_bytes / t->block_size;
	return buffer_cache_create(&bo, &t->buffers);
}

/* ---- recover */

static int recover(struct tool *t, bool plan_only)
{
	struct jbd2_recovery r;
	int err = open_journal(t, false), e;

	if (err)
		return err;
	err = jbd2_journal_recover(t->journal, plan_only, &r);
	printf("first %u end %u transactions %" PRIu64 " replayed %" PRIu64 " records %" PRIu64
	       " revoked %" PRIu64 " stopped %d\n",
	       r.first_tid, r.end_tid, r.transactions, r.blocks_replayed, r.revoke_records,
	       r.blocks_revoked, r.stopped_at_checksum);
	e = jbd2_journal_destroy(t->journal);
	return err ? err : e;
}

/* ---- write */

struct writing {
	struct tool *t;
	struct random random;
	uint64_t first;
	uint32_t count;
	uint8_t *original, *expected;
};

static uint8_t *bytes_of(const struct writing *w, uint8_t *p, uint32_t i)
{
	return p + (size_t)i * w->t->block_size;
}

static int change(struct writing *w, struct handle *h, uint32_t i)
{
	struct tool *t = w->t;
	be32 magic = be32_of(JBD2_MAGIC_NUMBER);
	autobuffer b = NULL;
	int err = buffer_read(t->buffers, w->first + i, NULL, NULL, &b);

	if (!err)
		err = jbd2_journal_get_write_access(h, b);
	if (err)
		return err;
	random_bytes(&w->random, b->data, t->block_size);
	if (random_below(&w->random, 4) == 0)
		memcpy(b->data, &magic, sizeof(magic));
	memcpy(bytes_of(w, w->expected, i), b->data, t->block_size);
	return jbd2_journal_dirty_metadata(h, b);
}

static int revoke(struct writing *w, struct handle *h, uint32_t i)
{
	int err = jbd2_journal_revoke(h, w->first + i, NULL);

	if (err)
		return err;
	buffer_forget(w->t->buffers, w->first + i);
	memcpy(bytes_of(w, w->expected, i), bytes_of(w, w->original, i), w->t->block_size);
	return 0;
}

static int one_handle(struct writing *w)
{
	uint32_t n = 1 + random_below(&w->random, 20), i;
	struct handle *h;
	int err = jbd2__journal_start(w->t->journal, (int)n, 0, 1, 1, &h), e;

	if (err)
		return err;
	for (i = 0; i < n && !err; i++) {
		uint32_t block = random_below(&w->random, w->count);

		err = random_below(&w->random, 5) ? change(w, h, block) : revoke(w, h, block);
	}
	e = jbd2_journal_stop(h);
	return err ? err : e;
}

#define COMMITS_MAX 100

/* Until half of the log is used, so that nothing need be written in place; few blocks never fill it. */
static int fill_log(struct writing *w)
{
	struct journal_facts facts;
	int err;

	do {
		err = one_handle(w);
		if (!err && random_below(&w->random, 6) == 0)
			err = jbd2_journal_force_commit(w->t->journal);
		jbd2_journal_facts(w->t->journal, &facts);
	} while (!err && facts.free_blocks > facts.log_blocks / 2 && facts.commits < COMMITS_MAX);
	return err ? err : jbd2_journal_force_commit(w->t->journal);
}

static enum journal_csum sum_of(const char *name)
{
	if (!strcmp(name, "v1"))
		return JOURNAL_CSUM_V1;
	if (!strcmp(name, "v2"))
		return JOURNAL_CSUM_V2;
	return !strcmp(name, "v3") ? JOURNAL_CSUM_V3 : JOURNAL_CSUM_NONE;
}

static int save(const struct writing *w, const char *path)
{
	FILE *f = fopen(path, "w");
	size_t bytes = (size_t)w->count * w->t->block_size;
	bool done = f && fwrite(w->expected, 1, bytes, f) == bytes;

	return f && !fclose(f) && done ? 0 : -EIO;
}

static int write_log(struct tool *t, char **args)
{
	struct writing w = { .t = t };
	size_t bytes;
	int err = open_journal(t, !strcmp(args[2], "async"));

	if (!err)
		err = jbd2_journal_load(t->journal, sum_of(args[0]), !strcmp(args[1], "64"));
	if (err)
		return err;
	random_init_seed(&w.random, strtoull(args[3], NULL, 0));
	w.first = strtoull(args[4], NULL, 0);
	w.count = (uint32_t)strtoul(args[5], NULL, 0);
	bytes = (size_t)w.count * t->block_size;
	w.original = malloc(bytes);
	w.expected = malloc(bytes);
	err = block_read(t->device, w.first * t->block_size, w.original, bytes);
	memcpy(w.expected, w.original, bytes);
	if (!err)
		err = fill_log(&w);
	jbd2_journal_abort(t->journal, -ESHUTDOWN);
	if (jbd2_journal_destroy(t->journal) != -ESHUTDOWN)
		err = -EIO;
	if (!err)
		err = save(&w, args[6]);
	free(w.original);
	free(w.expected);
	return err;
}

static void close_tool(struct tool *t, struct task *self)
{
	buffer_cache_destroy(t->buffers);
	block_close(t->device);
	if (self)
		task_leave(self);
	budget_destroy(t->budget);
	sched_destroy(t->sched);
	arena_destroy(t->arena);
	free(t->map);
}

int main(int argc, char **argv)
{
	struct tool t = { 0 };
	struct task *self;
	int err;

	if (argc < 5)
		return 2;
	t.block_size = (uint32_t)strtoul(argv[2], NULL, 0);
	read_map(&t, argv[3]);
	err = open_tool(&t, argv[1]);
	self = err ? NULL : task_enter(t.sched, "tool");
	if (!err && !self)
		err = -ENOMEM;
	if (!err && !strcmp(argv[4], "write") && argc == 12)
		err = write_log(&t, argv + 5);
	else if (!err)
		err = recover(&t, !strcmp(argv[4], "plan"));
	if (err)
		fprintf(stderr, "journal_tool: error %d: %s\n", -err, strerror(-err));
	close_tool(&t, self);
	return err != 0;
}
