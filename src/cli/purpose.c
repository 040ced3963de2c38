/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a block is for, as far as the layout and the block itself tell: a table of the layout's
 * parts, searched by halves; behind it, what the bytes look like.
 */
#include "cli/examine.h"

#include <stdlib.h>
#include <string.h>
#include "ext4/format.h"
#include "ext4/group.h"

enum part_kind {
	PART_SUPER,
	PART_DESCRIPTORS,
	PART_RESERVED,
	PART_BLOCK_BITMAP,
	PART_INODE_BITMAP,
	PART_INODE_TABLE,
};

struct part {
	uint64_t first, count;
	enum part_kind kind;
	ext4_group_t group;
};

struct cli_block_map {
	const struct ext4_geometry *geo;
	struct part *parts;		/* sorted */
	size_t count, room;
};

/* ---- the table */

static void add(struct cli_block_map *m, enum part_kind kind, ext4_group_t group, uint64_t first,
		uint64_t count)
{
	if (!count)
		return;
	if (m->count == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->parts = cli_realloc(m->parts, m->room * sizeof(m->parts[0]));
	}
	m->parts[m->count++] = (struct part){ first, count, kind, group };
}

static void add_group(struct cli_block_map *m, struct ext4_fs *fs, ext4_group_t g)
{
	uint64_t first = ext4_group_first_block(m->geo, g), end = first;
	uint32_t descriptors = ext4_group_gdt_blocks(m->geo, g);
	struct ext4_descriptor d;

	end += ext4_group_base_meta_blocks(m->geo, g);
	if (ext4_group_has_super(m->geo, g))
		add(m, PART_SUPER, g, first++, 1);
	add(m, PART_DESCRIPTORS, g, first, descriptors);
	first += descriptors;
	if (first < end)
		add(m, PART_RESERVED, g, first, end - first);
	if (ext4_group_descriptor(fs, g, &d))
		return;
	add(m, PART_BLOCK_BITMAP, g, d.block_bitmap, 1);
	add(m, PART_INODE_BITMAP, g, d.inode_bitmap, 1);
	add(m, PART_INODE_TABLE, g, d.inode_table, m->geo->itable_blocks);
}

static int by_first(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

struct cli_block_map *cli_block_map_create(struct cli_examined *e)
{
	struct cli_block_map *m = cli_realloc(NULL, sizeof(*m));

	*m = (struct cli_block_map){ .geo = &e->fs->geo };
	for (ext4_group_t g = 0; g < m->geo->groups_count; g++)
		add_group(m, e->fs, g);
	qsort(m->parts, m->count, sizeof(m->parts[0]), by_first);
	return m;
}

void cli_block_map_destroy(struct cli_block_map *m)
{
	if (m)
		free(m->parts);
	free(m);
}

static const struct part *find(const struct cli_block_map *m, uint64_t block)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->parts[mid].first + m->parts[mid].count <= block)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->count && m->parts[low].first <= block ? &m->parts[low] : NULL;
}

/* ---- what it is for */

static const char *part_text(const struct cli_block_map *m, const struct part *p, uint64_t block,
			     char *buf, size_t size)
{
	static const char *const texts[] = {
		[PART_SUPER] = "superblock",
		[PART_DESCRIPTORS] = "group descriptors",
		[PART_RESERVED] = "kept for more group descriptors",
		[PART_BLOCK_BITMAP] = "block bitmap",
		[PART_INODE_BITMAP] = "inode bitmap",
		[PART_INODE_TABLE] = "inode table",
	};
	uint32_t first = p->group * m->geo->inodes_per_group + 1;

	first += (uint32_t)(block - p->first) * m->geo->inodes_per_block;
	if (p->kind == PART_INODE_TABLE)
		(void)snprintf(buf, size, "inode table: inodes %u to %u", first,
			       first + m->geo->inodes_per_block - 1);
	else if (p->kind == PART_BLOCK_BITMAP || p->kind == PART_INODE_BITMAP)
		(void)snprintf(buf, size, "%s of group %u", texts[p->kind], p->group);
	else
		(void)snprintf(buf, size, "%s%s", texts[p->kind], p->group ? " (a copy)" : "");
	return buf;
}

static bool looks_like_directory(const struct ext4_geometry *geo, const uint8_t *data)
{
	const struct ext4_dir_entry_tail *tail =
		(const void *)(data + geo->block_size - sizeof(*tail));
	const struct ext4_dir_entry_2 *first = (const void *)data;

	if (!le32_get(tail->det_reserved_zero1) && tail->det_reserved_ft == EXT4_FT_DIR_CSUM)
		return true;
	return first->name_len == 1 && first->name[0] == '.';
}

static const char *content_text(const struct ext4_geometry *geo, const uint8_t *data)
{
	if (data && le16_get(((const struct ext4_extent_header *)(const void *)data)->eh_magic) ==
			    EXT4_EXT_MAGIC)
		return "extent tree of a file";
	if (data && looks_like_directory(geo, data))
		return "names of a directory";
	return "block of a file";
}

const char *cli_block_purpose(const struct cli_block_map *m, uint64_t block, const uint8_t *data,
			      char *buf, size_t size)
{
	const struct part *p = find(m, block);

	return p ? part_text(m, p, block, buf, size) : content_text(m->geo, data);
}
