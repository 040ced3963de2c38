/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check's frame: the order of its parts, the report, and how blocks are read.
 */
#include "check/check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "check/internal.h"

#define TEXT_MAX 256

/* ---- problems */

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[CHECK_KINDS] = {
		[CHECK_SUPER] = "superblock",
		[CHECK_JOURNAL] = "journal",
		[CHECK_GROUP] = "group descriptor",
		[CHECK_COUNT] = "count",
		[CHECK_BLOCK_BITMAP] = "block bitmap",
		[CHECK_INODE_BITMAP] = "inode bitmap",
		[CHECK_INODE] = "inode",
		[CHECK_MAP] = "block map",
		[CHECK_SHARED] = "shared block",
		[CHECK_DIRECTORY] = "directory",
		[CHECK_HASH_TREE] = "hash tree",
		[CHECK_LINKS] = "links",
		[CHECK_XATTR] = "attributes",
		[CHECK_ORPHAN] = "orphans",
	};

	return kind < CHECK_KINDS ? names[kind] : "unknown";
}

/* Appends to a string in a buffer of fixed size. */
struct line {
	char *buf;
	size_t size, used;
};

printf_like(2, 3) static void append(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->buf + l->used, l->size - l->used, fmt, args);
	va_end(args);
	if (n > 0)
		l->used = min(l->used + (size_t)n, l->size - 1);
}

void check_problem_format(const struct check_problem *p, char *buf, size_t size)
{
	struct line l = { .buf = buf, .size = size };

	if (!size)
		return;
	buf[0] = '\0';
	if (p->group != CHECK_NO_GROUP)
		append(&l, "group %" PRIu32, p->group);
	if (p->ino)
		append(&l, "%sinode %" PRIu32, l.used ? ", " : "", p->ino);
	if (p->block)
		append(&l, "%sblock %" PRIu64, l.used ? ", " : "", p->block);
	append(&l, "%s%s", l.used ? ": " : "", p->text);
}

int check_say(struct check *c, struct place at, const char *fmt, ...)
{
	char text[TEXT_MAX];
	struct check_problem p = {
		.kind = at.kind, .group = at.group, .ino = at.ino, .block = at.block, .text = text
	};
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut when too long */
	va_end(args);
	c->report->problems++;
	c->report->by_kind[at.kind]++;
	if (c->opt->problem)
		c->opt->problem(c->opt->arg, &p);
	return c->opt->problems_max && c->report->problems >= c->opt->problems_max ? -ECANCELED : 0;
}

/* ---- reading and memory */

int check_read(struct check *c, ext4_fsblk_t block, uint8_t *buf)
{
	if (block >= c->geo.blocks_count) /* a verifier let it pass */
		return -EIO;
	return block_read(c->dev, block << c->geo.block_bits, buf, c->geo.block_size);
}

int check_grow(struct check *c, void *array_ptr, size_t *room, size_t need, size_t size)
{
	void **array = array_ptr, *larger;
	size_t want = max(*room * 2, (size_t)16);

	if (need <= *room)
		return 0;
	want = max(want, need);
	larger = arena_realloc(c->arena, *array, want * size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*room = want;
	return 0;
}

static int get_buffers(struct check *c)
{
	uint8_t **const buffers[] = { &c->table_block, &c->bitmap_block, &c->data_block };

	for (size_t i = 0; i < array_size(buffers); i++) {
		*buffers[i] = arena_block_alloc(c->arena, c->geo.block_size);
		if (!*buffers[i])
			return -ENOMEM;
	}
	for (size_t i = 0; i < array_size(c->node_block); i++) {
		c->node_block[i] = arena_block_alloc(c->arena, c->geo.block_size);
		if (!c->node_block[i])
			return -ENOMEM;
	}
	c->groups = arena_zalloc(c->arena, c->geo.groups_count * sizeof(*c->groups));
	return c->groups ? 0 : -ENOMEM;
}

static void release(struct check *c)
{
	for (ext4_group_t g = 0; c->groups && g < c->geo.groups_count; g++) {
		arena_free(c->arena, c->groups[g].claimed);
		arena_free(c->arena, c->groups[g].notes);
	}
	arena_free(c->arena, c->groups);
	arena_free(c->arena, c->dirs);
	arena_free(c->arena, c->xattrs);
	check_dirs_fini(c);
	arena_block_free(c->arena, c->table_block, c->geo.block_size);
	arena_block_free(c->arena, c->bitmap_block, c->geo.block_size);
	arena_block_free(c->arena, c->data_block, c->geo.block_size);
	for (size_t i = 0; i < array_size(c->node_block); i++)
		arena_block_free(c->arena, c->node_block[i], c->geo.block_size);
}

/* ---- the order of things */

static int look_at_everything(struct check *c)
{
	static int (*const parts[])(struct check * c) = {
		get_buffers,  check_groups,  check_super_backups,   check_orphans,
		check_inodes, check_dirs,    check_xattr_refcounts, check_links,
		check_counts, check_journal,
	};
	int err = check_super(c);

	for (size_t i = 0; !err && i < array_size(parts); i++)
		err = parts[i](c);
	return err;
}

int check_image(struct block_device *dev, const struct check_options *opt, struct check_report *out)
{
	struct check c = { .dev = dev, .opt = opt, .report = out, .arena = opt->arena };
	int err;

	*out = (struct check_report){ 0 };
	err = look_at_everything(&c);
	release(&c);
	if (err != -ECANCELED)
		return err;
	out->stopped = true;
	return 0;
}
