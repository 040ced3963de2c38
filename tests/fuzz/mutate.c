/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile images (mutate.h). */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/verify.h"
#include "jbd2/layout.h"
#include "mutate.h"

#define DEPTH_MAX 5

static uint64_t below(struct mutation *m, uint64_t n)
{
	return n ? random_u64(&m->random) % n : 0;
}

static int read_block(struct mutation *m, uint64_t block, void *data)
{
	if (block >= m->geo.blocks_count)
		return -EINVAL;
	return block_read(m->cow, block * m->geo.block_size, data, m->geo.block_size);
}

static int write_block(struct mutation *m, uint64_t block, const void *data)
{
	return block_write(m->cow, block * m->geo.block_size, data, m->geo.block_size, 0);
}

/* ---- where the metadata lies: the image is whole here, nothing needs to be doubted */

static void add(struct mutation *m, enum place_kind kind, uint64_t block, uint32_t seed)
{
	if (m->count < PLACES_MAX)
		m->places[m->count++] = (struct place){ kind, block, seed };
}

static enum place_kind kind_of_block(const struct mutation *m, uint32_t ino, const struct ext4_inode *raw, uint64_t lblk)
{
	if (ino == m->geo.journal_inum)
		return lblk ? PLACE_LOG : PLACE_JOURNAL_SUPER;
	if (ino == m->geo.orphan_file_inum)
		return PLACE_ORPHAN;
	return !lblk && le32_get(raw->i_flags) & EXT4_INDEX_FL ? PLACE_DX_ROOT : PLACE_DIR;
}

/* Data of files are not metadata; of the log only what begins as a block of the journal's own, and what follows. */
static void add_data(struct mutation *m, uint32_t ino, const struct ext4_inode *raw, uint32_t seed, uint64_t lblk,
		     uint64_t pblk)
{
	static uint8_t data[65536];
	bool own = ino == m->geo.journal_inum || (ino && ino == m->geo.orphan_file_inum);
	enum place_kind kind;

	if ((!own && !ext4_raw_is(raw, EXT4_S_IFDIR)) || read_block(m, pblk, data))
		return;
	kind = kind_of_block(m, ino, raw, lblk);
	if (kind == PLACE_LOG && !data[0] && !memcmp(data, data + 1, m->geo.block_size - 1))
		return;
	if (kind != PLACE_ORPHAN || lblk < 2)
		add(m, kind, pblk, seed);
}

static void survey_node(struct mutation *m, uint32_t ino, const struct ext4_inode *raw, uint32_t seed,
			const uint8_t *node, int depth)
{
	const struct ext4_extent_header *h = (const void *)node;
	uint8_t *child = depth < DEPTH_MAX ? malloc(m->geo.block_size) : NULL;

	for (uint16_t i = 0; child && i < le16_get(h->eh_entries); i++) {
		const struct ext4_extent *e = (const struct ext4_extent *)(const void *)(h + 1) + i;
		const struct ext4_extent_idx *ix = (const void *)e;

		if (le16_get(h->eh_depth)) {
			add(m, PLACE_EXTENT, ext4_idx_leaf(ix), seed);
			if (!read_block(m, ext4_idx_leaf(ix), child))
				survey_node(m, ino, raw, seed, child, depth + 1);
			continue;
		}
		for (uint32_t b = 0; b < ext4_extent_len(e); b++)
			add_data(m, ino, raw, seed, le32_get(e->ee_block) + b, ext4_extent_start(e) + b);
	}
	free(child);
}

static bool survey_inode(struct mutation *m, uint32_t ino, const struct ext4_inode *raw)
{
	uint32_t seed = ext4_inode_csum_seed(&m->geo, ino, le32_get(raw->i_generation));
	uint64_t acl = ext4_raw_file_acl(&m->geo, raw);

	if (!le16_get(raw->i_mode) || !le16_get(raw->i_links_count))
		return false;
	if (acl)
		add(m, PLACE_XATTR, acl, seed);
	if (le32_get(raw->i_flags) & EXT4_EXTENTS_FL)
		survey_node(m, ino, raw, seed, (const uint8_t *)raw->i_block, 0);
	for (int i = 0; !(le32_get(raw->i_flags) & EXT4_EXTENTS_FL) && ext4_raw_is(raw, EXT4_S_IFDIR) && i < 12; i++)
		if (le32_get(raw->i_block[i]))
			add_data(m, ino, raw, seed, (uint64_t)i, le32_get(raw->i_block[i]));
	return true;
}

static int descriptor(struct mutation *m, ext4_group_t group, struct ext4_descriptor *out)
{
	const struct ext4_geometry *g = &m->geo;
	uint64_t at = (g->super_block + 1) * g->block_size + (uint64_t)group * g->desc_size, sector = at & ~511ull;
	uint8_t bytes[512];
	int err = block_read(m->cow, sector, bytes, sizeof(bytes));

	if (!err)
		ext4_descriptor_read(g, (const void *)(bytes + (at - sector)), out);
	return err;
}

static int survey_group(struct mutation *m, ext4_group_t group)
{
	const struct ext4_geometry *g = &m->geo;
	struct ext4_descriptor d;
	static uint8_t table[65536];
	int err = descriptor(m, group, &d);

	for (uint32_t b = 0; !err && b < g->itable_blocks; b++) {
		uint32_t first = group * g->inodes_per_group + b * g->inodes_per_block + 1;
		bool used = false;

		err = read_block(m, d.inode_table + b, table);
		for (uint32_t i = 0; !err && i < g->inodes_per_block; i++)
			used |= survey_inode(m, first + i, (const void *)(table + (size_t)i * g->inode_size));
		if (used)
			add(m, PLACE_INODES, d.inode_table + b, first);
	}
	return err;
}

static int by_kind(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	return p->block < q->block ? -1 : p->block > q->block;
}

int mutation_survey(struct mutation *m, struct block_device *cow)
{
	struct ext4_super_block sb;
	struct ext4_verdict verdict;
	int err;

	m->cow = cow;
	m->count = 0;
	err = block_read(cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb));
	if (!err)
		err = ext4_geometry_from_super(&sb, cow->size_bytes, &m->geo, &verdict);
	for (ext4_group_t g = 0; !err && g < m->geo.groups_count; g++)
		err = survey_group(m, g);
	qsort(m->places, m->count, sizeof(m->places[0]), by_kind);
	for (uint32_t k = 0, i = 0; k <= PLACE_KINDS; k++) {
		while (i < m->count && m->places[i].kind < k)
			i++;
		m->first_of[k] = i;
	}
	return err;
}

/* ---- changes */

static int change_at(struct mutation *m, uint64_t at, size_t len)
{
	static const uint8_t extremes[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint8_t sector[512];
	uint64_t from = at & ~(uint64_t)511;
	int err = block_read(m->cow, from, sector, sizeof(sector));

	for (size_t i = at - from; !err && len-- && i < sizeof(sector); i++)
		sector[i] = below(m, 2) ? extremes[below(m, sizeof(extremes))] : (uint8_t)random_u64(&m->random);
	return err ? err : block_write(m->cow, from, sector, sizeof(sector), 0);
}

/* Each kind as often as the others; in a block its beginning, where the fields are, more often than the rest. */
static uint64_t choose_surveyed(struct mutation *m)
{
	uint32_t kind = (uint32_t)below(m, PLACE_KINDS), n = m->first_of[kind + 1] - m->first_of[kind];
	const struct place *p = n ? &m->places[m->first_of[kind] + below(m, n)] : &m->places[below(m, m->count)];
	uint64_t room = p->kind != PLACE_INODES && below(m, 2) ? 64 : m->geo.block_size;

	return p->block * m->geo.block_size + below(m, room);
}

/* What the mount looks at first, what was surveyed, or anything. */
static uint64_t choose_place(struct mutation *m, const struct ext4_descriptor *d)
{
	const struct ext4_geometry *g = &m->geo;

	switch (below(m, 8)) {
	case 0: return EXT4_SUPER_OFFSET + below(m, 1024);
	case 1: return (g->super_block + 1) * g->block_size + below(m, (uint64_t)g->groups_count * g->desc_size);
	case 2: return (below(m, 2) ? d->block_bitmap : d->inode_bitmap) * g->block_size + below(m, g->block_size);
	case 3: return below(m, m->cow->size_bytes);
	default: return choose_surveyed(m);
	}
}

/* ---- sums made right */

static int mend_group(struct mutation *m, ext4_group_t group)
{
	const struct ext4_geometry *g = &m->geo;
	uint64_t at = (g->super_block + 1) * g->block_size + (uint64_t)group * g->desc_size;
	uint64_t sector = at & ~(uint64_t)511;
	uint8_t table[512], bitmap[65536];
	struct ext4_group_desc *d = (struct ext4_group_desc *)(void *)(table + (at - sector));
	struct ext4_descriptor where;
	uint32_t sum;

	if (block_read(m->cow, sector, table, sizeof(table)))
		return -EIO;
	ext4_descriptor_read(g, d, &where);
	if (!read_block(m, where.block_bitmap, bitmap)) {
		sum = ext4_block_bitmap_csum(g, bitmap);
		d->bg_block_bitmap_csum_lo = le16_of((uint16_t)sum);
		if (g->desc_size >= 64)
			d->bg_block_bitmap_csum_hi = le16_of((uint16_t)(sum >> 16));
	}
	if (!read_block(m, where.inode_bitmap, bitmap)) {
		sum = ext4_inode_bitmap_csum(g, bitmap);
		d->bg_inode_bitmap_csum_lo = le16_of((uint16_t)sum);
		if (g->desc_size >= 64)
			d->bg_inode_bitmap_csum_hi = le16_of((uint16_t)(sum >> 16));
	}
	ext4_descriptor_csum_set(g, group, d);
	return block_write(m->cow, sector, table, sizeof(table), 0);
}

static int mend_super(struct mutation *m)
{
	struct ext4_super_block sb;
	int err = block_read(m->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb));

	ext4_super_csum_set(&sb);
	return err ? err : block_write(m->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb), 0);
}

/* The tags of a descriptor, from the blocks behind it in the log, which lies in one piece. */
static void mend_tags(struct mutation *m, const struct log_layout *l, uint64_t block, uint8_t *data, uint32_t tid)
{
	static uint8_t copy[65536];
	uint32_t at = sizeof(struct journal_header_s), n = 0;
	struct log_tag tag;

	while (l->sealed && at + log_tag_bytes(l) <= log_payload_end(l)) {
		log_tag_get(l, data + at, &tag);
		if (read_block(m, block + ++n, copy))
			return;
		tag.checksum = log_data_sum(l, tid, copy);
		log_tag_put(l, data + at, &tag);
		at += log_tag_bytes(l) + (tag.flags & JBD2_FLAG_SAME_UUID ? 0 : JBD2_TAG_UUID_SIZE);
		if (tag.flags & JBD2_FLAG_LAST_TAG)
			return;
	}
}

static void mend_log(struct mutation *m, const struct log_layout *l, uint64_t block, uint8_t *data)
{
	const struct journal_header_s *h = (const void *)data;
	const struct commit_header *c = (const void *)data;
	uint32_t tid = be32_get(h->h_sequence);

	switch (log_header_type(data, tid)) {
	case JBD2_DESCRIPTOR_BLOCK:
		mend_tags(m, l, block, data, tid);
		log_block_seal(l, data);
		break;
	case JBD2_REVOKE_BLOCK: log_block_seal(l, data); break;
	case JBD2_COMMIT_BLOCK:
		if (l->sealed)
			log_commit_put(l, data, tid, (int64_t)(be64_get(c->h_commit_sec) % (1ull << 33)) * NSEC_PER_SEC, 0);
		break;
	default: break;
	}
}

static void mend_inodes(const struct ext4_geometry *g, uint32_t first, uint8_t *data)
{
	for (uint32_t i = 0; i < g->inodes_per_block; i++)
		ext4_inode_csum_set(g, first + i, (struct ext4_inode *)(void *)(data + (size_t)i * g->inode_size));
}

static int mend_place(struct mutation *m, const struct log_layout *l, const struct place *p)
{
	static uint8_t data[65536];
	const struct ext4_geometry *g = &m->geo;
	struct journal_superblock_s *js = (void *)data;

	if (read_block(m, p->block, data))
		return -EIO;
	switch (p->kind) {
	case PLACE_INODES: mend_inodes(g, p->seed, data); break;
	case PLACE_EXTENT: ext4_extent_block_csum_set(g, p->seed, data); break;
	case PLACE_DX_ROOT: ext4_dx_csum_set(g, p->seed, data, EXT4_DX_ROOT_ENTRIES); break;
	case PLACE_DIR:
		if (ext4_is_dx_node(g, data))
			ext4_dx_csum_set(g, p->seed, data, EXT4_DX_NODE_ENTRIES);
		else
			ext4_dir_block_csum_set(g, p->seed, data);
		break;
	case PLACE_XATTR: ext4_xattr_block_csum_set(g, p->block, data); break;
	case PLACE_ORPHAN: ext4_orphan_block_csum_set(g, p->seed, p->block, data); break;
	case PLACE_JOURNAL_SUPER: js->s_checksum = be32_of(log_super_sum(js)); break;
	default: mend_log(m, l, p->block, data); break;
	}
	return write_block(m, p->block, data);
}

/* As the journal's superblock says after the changes. */
static void layout_of_log(struct mutation *m, struct log_layout *l)
{
	static uint8_t data[65536];
	uint32_t i = m->first_of[PLACE_JOURNAL_SUPER];

	memset(l, 0, sizeof(*l));
	if (i < m->first_of[PLACE_JOURNAL_SUPER + 1] && !read_block(m, m->places[i].block, data))
		log_layout_init(l, (const void *)data, m->geo.block_size);
}

static int mend_all(struct mutation *m)
{
	struct log_layout l;
	int err = 0;

	layout_of_log(m, &l);
	for (uint32_t i = 0; i < m->count && !err; i++)
		err = mend_place(m, &l, &m->places[i]);
	for (ext4_group_t g = 0; g < m->geo.groups_count && !err; g++)
		err = mend_group(m, g);
	return err ? err : mend_super(m);
}

int mutation_make(struct mutation *m, uint64_t seed)
{
	struct ext4_descriptor d;
	int err;

	block_cow_reset(m->cow);
	random_init_seed(&m->random, seed);
	err = descriptor(m, (ext4_group_t)below(m, m->geo.groups_count), &d);
	for (uint64_t n = 1 + below(m, 8); n && !err; n--)
		err = change_at(m, min(choose_place(m, &d), m->cow->size_bytes - 8), 1 + below(m, 4));
	return err || !(seed & 1) ? err : mend_all(m);
}
