/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goes through the writes in order, see in_place.h. From those into the journal it learns what each transaction made of
 * each block, and when its commit record was written; a revoke forgets the block, which is anybody's from then on. Any
 * other write to a block that the log knows must be one of the committed versions, byte for byte.
 */
#include "in_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jbd2/format.h"
#include "tree.h"

#define VERSIONS_MAX 64			/* of a block; older ones are forgotten */
#define TAGS_MAX 8192

struct version {
	uint64_t hash;
	uint32_t tid;
	bool committed;
};

struct known {
	struct version *versions;	/* VERSIONS_MAX, the latest at next - 1; NULL: never logged, or revoked */
	uint32_t next;
};

struct reader {
	struct in_place *p;
	struct known *blocks;
	uint64_t block_count;
	uint32_t incompat;		/* of the journal superblock */
	uint32_t tid;			/* of the descriptor */
	struct { uint64_t block; bool escaped; } tags[TAGS_MAX];
	uint32_t tag_count, tag_next;	/* blocks that follow the descriptor; those that have come */
};

static uint64_t number_at(const uint8_t *at, bool wide)
{
	uint64_t n = 0;

	for (int i = 0; i < (wide ? 8 : 4); i++)
		n = n << 8 | at[i];
	return n;
}

static int learn(struct reader *r, uint64_t block, const uint8_t *data, bool escaped)
{
	struct known *k = block < r->block_count ? &r->blocks[block] : NULL;
	uint8_t magic[4] = { 0xc0, 0x3b, 0x39, 0x98 };
	uint64_t hash;

	if (!k)
		return 0;
	if (!k->versions)
		k->versions = calloc(VERSIONS_MAX, sizeof(*k->versions));
	if (!k->versions)
		return -ENOMEM;
	hash = tree_mix(TREE_MIX_START, escaped ? magic : data, 4);
	hash = tree_mix(hash, data + 4, r->p->block_size - 4);
	k->versions[k->next++ % VERSIONS_MAX] = (struct version){ hash, r->tid, false };
	return 0;
}

static void forget(struct reader *r, uint64_t block)
{
	if (block >= r->block_count)
		return;
	free(r->blocks[block].versions);
	r->blocks[block] = (struct known){ 0 };
}

/* ---- the journal's own blocks */

static void read_tags(struct reader *r, const uint8_t *b)
{
	bool v3 = r->incompat & JBD2_FEATURE_INCOMPAT_CSUM_V3, wide = r->incompat & JBD2_FEATURE_INCOMPAT_64BIT;
	uint32_t size = v3 ? 16 : (wide ? 12 : 8), at = 12, flags = 0;

	r->tag_count = r->tag_next = 0;
	while (!(flags & JBD2_FLAG_LAST_TAG) && at + size <= r->p->block_size && r->tag_count < TAGS_MAX) {
		uint64_t high = wide ? number_at(b + at + 8, false) : 0;

		flags = v3 ? (uint32_t)number_at(b + at + 4, false) : (uint32_t)(b[at + 6] << 8 | b[at + 7]);
		r->tags[r->tag_count].block = high << 32 | number_at(b + at, false);
		r->tags[r->tag_count++].escaped = flags & JBD2_FLAG_ESCAPE;
		at += size + (flags & JBD2_FLAG_SAME_UUID ? 0 : JBD2_TAG_UUID_SIZE);
	}
}

static void read_revokes(struct reader *r, const uint8_t *b)
{
	bool wide = r->incompat & JBD2_FEATURE_INCOMPAT_64BIT;
	uint32_t used = (uint32_t)number_at(b + 12, false);

	for (uint32_t at = 16; at < used && at < r->p->block_size; at += wide ? 8 : 4)
		forget(r, number_at(b + at, wide));
}

static void read_commit(struct reader *r, uint32_t tid)
{
	for (uint64_t i = 0; i < r->block_count; i++)
		for (uint32_t v = 0; r->blocks[i].versions && v < VERSIONS_MAX; v++)
			r->blocks[i].versions[v].committed |= r->blocks[i].versions[v].tid == tid;
}

static int read_log(struct reader *r, uint64_t block, const uint8_t *b)
{
	uint32_t kind = (uint32_t)number_at(b + 4, false);

	if (block == r->p->journal[0].first)
		return 0;
	if (r->tag_next < r->tag_count) {
		uint32_t n = r->tag_next++;

		return learn(r, r->tags[n].block, b, r->tags[n].escaped);
	}
	if (number_at(b, false) != JBD2_MAGIC_NUMBER)
		return 0;
	r->tid = (uint32_t)number_at(b + 8, false);
	if (kind == JBD2_DESCRIPTOR_BLOCK)
		read_tags(r, b);
	else if (kind == JBD2_REVOKE_BLOCK)
		read_revokes(r, b);
	else if (kind == JBD2_COMMIT_BLOCK)
		read_commit(r, r->tid);
	return 0;
}

/* ---- in place */

static void judge(struct reader *r, uint64_t block, const uint8_t *b)
{
	const struct known *k = &r->blocks[block];
	uint64_t hash = tree_mix(TREE_MIX_START, b, r->p->block_size);

	if (!k->versions || block == (r->p->block_size > 1024 ? 0u : 1u)) /* the superblock is written by itself, too */
		return;
	r->p->checked++;
	for (uint32_t v = 0; v < VERSIONS_MAX; v++)
		if (k->versions[v].committed && k->versions[v].hash == hash)
			return;
	if (!*r->p->broken)
		(void)snprintf(r->p->broken, sizeof(r->p->broken),
			       "block %llu is written in place as no committed transaction made it; the last that logged it is %u",
			       (unsigned long long)block, k->versions[(k->next - 1) % VERSIONS_MAX].tid);
}

static bool in_journal(const struct in_place *p, uint64_t block)
{
	for (int i = 0; i < p->journal_pieces; i++)
		if (block >= p->journal[i].first && block <= p->journal[i].last)
			return true;
	return false;
}

static int read_write(struct reader *r, const struct block_record_entry *e)
{
	struct in_place *p = r->p;
	uint32_t size = p->block_size;
	int err = 0;

	for (uint64_t at = 0; !err && at + size <= e->len; at += size) {
		uint64_t block = (e->offset + at) / size;

		if ((e->offset + at) % size)
			return 0;
		if (in_journal(p, block))
			err = read_log(r, block, e->data + at);
		else if (block < r->block_count)
			judge(r, block, e->data + at);
	}
	return err;
}

bool in_place_parse(struct in_place *p, const char *text)
{
	char *at;

	p->block_size = (uint32_t)strtoul(text, &at, 10);
	for (p->journal_pieces = 0; *at && p->journal_pieces < JOURNAL_PIECES_MAX; p->journal_pieces++) {
		p->journal[p->journal_pieces].first = strtoull(at + 1, &at, 10);
		if (*at != '-')
			return false;
		p->journal[p->journal_pieces].last = strtoull(at + 1, &at, 10);
	}
	return !*at && p->block_size >= 1024 && p->journal_pieces;
}

/* The features that say how tags look; as they are at the end, for the first commit sets them. */
static int read_features(struct reader *r, struct block_device *rec)
{
	uint8_t super[1024];
	int err = block_read(rec, r->p->journal[0].first * r->p->block_size, super, sizeof(super));

	if (!err && number_at(super, false) != JBD2_MAGIC_NUMBER)
		err = -EINVAL;
	r->incompat = (uint32_t)number_at(super + 0x28, false);
	return err;
}

int in_place_check(struct in_place *p, struct block_device *rec)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	if (err)
		return err;
	r->p = p;
	r->block_count = rec->size_bytes / p->block_size;
	r->blocks = calloc(r->block_count, sizeof(*r->blocks));
	err = r->blocks ? read_features(r, rec) : -ENOMEM;
	for (size_t i = 0; !err && i < block_record_count(rec); i++)
		if (block_record_get(rec, i)->kind == RECORD_WRITE)
			err = read_write(r, block_record_get(rec, i));
	for (uint64_t i = 0; r->blocks && i < r->block_count; i++)
		free(r->blocks[i].versions);
	free(r->blocks);
	free(r);
	return err;
}
