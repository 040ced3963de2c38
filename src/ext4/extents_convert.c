/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unwritten extents: asked for, written, made again.
 *
 * An unwritten extent has blocks that read as zeros. Writing a part of it cuts that part out; small
 * pieces that would be left over are zeroed and written too, so that the tree does not break up
 * into crumbs. The commonest case (data appended to preallocated space) moves the border to the
 * neighbour and inserts nothing.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents_split.h"

#define ZEROOUT_MAX_BYTES 32768u /* so much is rather zeroed than cut off */

/* The first block that is past the end of the file, or past what is being mapped. */
static uint64_t end_of_file(const struct inode *inode, const struct ext4_map *map)
{
	uint32_t block_size = inode->fs->geo.block_size;
	uint64_t end = inode->size / block_size + (inode->size % block_size != 0);

	return max(end, (uint64_t)map->lblk + map->len);
}

/*
 * Not with data=journal: the log may hold what lay in the blocks before they were freed, for there
 * freed data is not revoked (ext4_forget), and a replay would put it over the zeroes.
 */
static bool may_zeroout(const struct inode *inode, const struct ext4_map *map,
			const struct ext_run *r)
{
	if (inode->fs->journal && inode->fs->opt.data == DATA_JOURNAL)
		return false;
	return (uint64_t)r->lblk + r->len <= end_of_file(inode, map);
}

/* ---- written */

/*
 * A part of `r` at its beginning (or end) goes over to the written extent before (behind) it, `len`
 * blocks. False: there is none that takes it.
 */
static bool give_to_previous(struct ext_path *p, const struct ext_run *r,
			     const struct ext4_map *map)
{
	struct ext_step *leaf = &p->step[p->depth];
	struct ext_run part = { r->lblk, map->len, r->pblk, false }, rest = *r, other;

	if (map->lblk != r->lblk || map->len >= r->len || leaf->at == 0)
		return false;
	other = ext_run_at(leaf->header, leaf->at - 1);
	if (!ext4_ext_joinable(&other, &part) || other.len + part.len == EXT4_EXT_INIT_MAX_LEN)
		return false;
	trace(p->inode->fs, ext4_ext_convert_to_initialized_fastpath, p->inode->ino, map->lblk,
	      map->len, r->lblk, r->len, r->pblk, other.lblk, other.len, other.pblk);
	rest.lblk += map->len;
	rest.pblk += map->len;
	rest.len -= map->len;
	other.len += map->len;
	ext4_ext_set_entry(p, p->depth, leaf->at, ext4_ext_leaf_entry(&rest));
	ext4_ext_set_entry(p, p->depth, leaf->at - 1, ext4_ext_leaf_entry(&other));
	return true;
}

static bool give_to_next(struct ext_path *p, const struct ext_run *r, const struct ext4_map *map)
{
	struct ext_step *leaf = &p->step[p->depth];
	uint32_t left = r->len - map->len;
	struct ext_run part = { r->lblk + left, map->len, r->pblk + left, false }, rest = *r, other;

	if (map->lblk != part.lblk || map->len >= r->len ||
	    leaf->at + 1 == ext_entries(leaf->header))
		return false;
	other = ext_run_at(leaf->header, leaf->at + 1);
	if (!ext4_ext_joinable(&part, &other) || other.len + part.len == EXT4_EXT_INIT_MAX_LEN)
		return false;
	trace(p->inode->fs, ext4_ext_convert_to_initialized_fastpath, p->inode->ino, map->lblk,
	      map->len, r->lblk, r->len, r->pblk, other.lblk, other.len, other.pblk);
	rest.len = left;
	part.len += other.len;
	ext4_ext_set_entry(p, p->depth, leaf->at, ext4_ext_leaf_entry(&rest));
	ext4_ext_set_entry(p, p->depth, leaf->at + 1, ext4_ext_leaf_entry(&part));
	return true;
}

/* The extent is small: zeros in all of it, and it is written as a whole. */
static int write_whole(struct handle *h, struct ext_path *p, const struct ext_run *r)
{
	struct ext_run written = *r;
	int at = p->step[p->depth].at;
	int err = ext4_ext_zeroout(p->inode, r);

	if (!err)
		err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	written.unwritten = false;
	ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&written));
	ext4_ext_merge(h, p, at);
	err = __ext4_ext_dirty(h, p, p->depth);
	return err ? err : ext4_zeroout_es(p->inode, r);
}

/*
 * What of the extent is written: the part asked for; with the piece behind it or before it when
 * that is small. The other pieces stay unwritten. `zero` is what needs zeros besides.
 */
static struct ext_run choose_part(const struct ext_run *r, const struct ext4_map *map,
				  uint32_t zero_max, struct ext_run *zero)
{
	uint32_t before = map->lblk - r->lblk, behind = r->len - before - map->len;
	struct ext_run part = { map->lblk, map->len, r->pblk + before, false };

	*zero = (struct ext_run){ 0 };
	if (!zero_max || !behind)
		return part;
	if (map->len + behind <= zero_max) {
		*zero = (struct ext_run){ map->lblk + map->len, behind, part.pblk + map->len,
					  false };
		part.len += behind;
	} else if (before + map->len < zero_max) {
		*zero = (struct ext_run){ r->lblk, before, r->pblk, false };
		part = (struct ext_run){ r->lblk, before + map->len, r->pblk, false };
	}
	return part;
}

/* The part of the unwritten extent taken that `map` asks for becomes written. */
static int ext4_ext_convert_to_initialized(struct handle *h, struct ext_path *p,
					   struct ext4_map *map, uint32_t flags)
{
	struct inode *inode = p->inode;
	struct ext4_fs *fs = inode->fs;
	struct ext_run r, part, zero;
	uint32_t zero_max = 0;
	int err;

	TRACE_SCOPE(fs, ext4_ext_convert_to_initialized);
	ensure(ext4_ext_current(p, &r));
	trace(fs, ext4_ext_convert_to_initialized_enter, inode->ino, map->lblk, map->len, r.lblk,
	      r.len, r.pblk);
	err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	if (give_to_previous(p, &r, map) || give_to_next(p, &r, map))
		return __ext4_ext_dirty(h, p, p->depth);
	if (may_zeroout(inode, map, &r))
		zero_max = ZEROOUT_MAX_BYTES >> fs->geo.block_bits;
	if (r.len <= zero_max)
		return write_whole(h, p, &r);
	part = choose_part(&r, map, zero_max, &zero);
	if (zero.len) {
		err = ext4_ext_zeroout(inode, &zero);
		if (err)
			return err;
	}
	err = ext4_split_extent(h, p, part.lblk, part.len,
				may_zeroout(inode, map, &r) ? SPLIT_MAY_ZEROOUT : 0, flags);
	return err || !zero.len ? err : ext4_zeroout_es(inode, &zero);
}

/* ---- cut, and converted later */

/* `map` of the extent becomes one of its own, as unwritten (or written) as it was. */
static int split_convert_extents(struct handle *h, struct ext_path *p, struct ext4_map *map,
				 uint32_t flags)
{
	struct ext_run r;
	uint32_t how = SPLIT_PART_UNWRITTEN;

	ensure(ext4_ext_current(p, &r));
	if (!(flags & MAP_PRE_IO))
		how |= SPLIT_PART_VALID;
	if (!(flags & MAP_TO_UNWRITTEN) && may_zeroout(p->inode, map, &r))
		how |= SPLIT_MAY_ZEROOUT;
	return ext4_split_extent(h, p, map->lblk, map->len, how, flags | MAP_PRE_IO);
}

/* The extent taken is written (unwritten) from now on. */
static int mark_taken(struct handle *h, struct ext_path *p, bool unwritten)
{
	int at = p->step[p->depth].at, err;
	struct ext_run r;

	err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	ensure(ext4_ext_current(p, &r));
	r.unwritten = unwritten;
	ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&r));
	ext4_ext_merge(h, p, at);
	return __ext4_ext_dirty(h, p, p->depth);
}

/* The extent taken is exactly what `map` asks for afterwards. */
static int isolate(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags)
{
	struct ext_run r;
	int err;

	ensure(ext4_ext_current(p, &r));
	if (r.lblk == map->lblk && r.len <= map->len)
		return 0;
	err = split_convert_extents(h, p, map, flags);
	if (!err)
		err = ext4_ext_find(p, map->lblk, 0);
	if (!err && (!ext4_ext_current(p, &r) || map->lblk - r.lblk >= r.len))
		err = ext4_error(p->inode->fs, p->inode->ino, 0, "extent at %u was lost",
				 map->lblk);
	return err;
}

int ext4_ext_convert_initialized(struct handle *h, struct ext_path *p, struct ext4_map *map,
				 uint32_t flags, uint32_t allocated, ext4_fsblk_t newblock)
{
	int err;

	/* A little room for merging. */
	if (map->len > EXT4_EXT_UNWRITTEN_MAX_LEN)
		map->len = EXT4_EXT_UNWRITTEN_MAX_LEN / 2;
	err = isolate(h, p, map, flags);
	if (!err)
		err = mark_taken(h, p, true);
	if (err)
		return err;
	ext4_update_fsync_trans(h, p->inode, false);
	map->flags |= MAPPED_UNWRITTEN;
	map->pblk = newblock;
	map->len = min(map->len, allocated);
	return (int)map->len;
}

/* ---- what an unwritten extent answers */

static void mapped(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags)
{
	map->flags |= MAPPED_MAPPED;
	if (!(flags & MAP_KEEP_SIZE))
		ext4_ext_check_eofblocks(h, p, map);
}

/* Direct or delayed I/O has written the blocks. */
static int written_by_io(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags,
			 const struct ext_run *part)
{
	int err = 0;

	if (flags & MAP_ZERO)
		err = ext4_ext_zeroout(p->inode, part);
	if (!err)
		err = isolate(h, p, map, flags);
	if (!err)
		err = mark_taken(h, p, false);
	if (err)
		return err;
	ext4_update_fsync_trans(h, p->inode, true);
	mapped(h, p, map, 0);
	return 0;
}

/* The data is about to be written: write-back. */
static int written_now(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags)
{
	struct inode *inode = p->inode;
	int err = ext4_ext_convert_to_initialized(h, p, map, flags);

	if (err)
		return err;
	ext4_update_fsync_trans(h, inode, true);
	map->flags |= MAPPED_NEW;
	if (flags & MAP_DELALLOC)
		ext4_ext_claim_delayed(inode, map->lblk, map->len, false);
	mapped(h, p, map, flags);
	return 0;
}

int ext4_ext_handle_unwritten_extents(struct handle *h, struct ext_path *p, struct ext4_map *map,
				      uint32_t flags, uint32_t allocated, ext4_fsblk_t newblock)
{
	struct ext_run part = { map->lblk, min(allocated, map->len), newblock, true };
	struct inode *inode = p->inode;
	int err = 0;

	TRACE_SCOPE(inode->fs, ext4_ext_handle_unwritten_extents);
	flags |= MAP_METADATA_NOFAIL; /* the data has been promised a place */
	trace(inode->fs, ext4_ext_handle_unwritten_extents, inode->ino, map->lblk, map->pblk,
	      map->len, (int32_t)flags, allocated, newblock);
	map->pblk = newblock;
	map->len = part.len;
	if (flags & MAP_PRE_IO) {
		err = split_convert_extents(h, p, map, flags);
		map->flags |= MAPPED_UNWRITTEN | MAPPED_NEW;
		if (!err)
			mapped(h, p, map, flags);
	} else if (flags & MAP_CONVERT) {
		err = written_by_io(h, p, map, flags, &part);
	} else if (flags & MAP_UNWRIT) { /* asked for again */
		map->flags |= MAPPED_UNWRITTEN;
		mapped(h, p, map, flags);
	} else if (!(flags & MAP_CREATE)) { /* a reader, or a write that will be converted later */
		map->flags |= MAPPED_UNWRITTEN;
	} else {
		err = written_now(h, p, map, flags);
	}
	return err ? err : (int)map->len;
}
