/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of directory entries: finding a name, finding room, putting an entry in, taking it out.
 *
 * A block is filled by records that chain through their lengths:
 *
 *	| . | .. | name, rec_len covers the free room behind it | ... | tail with the checksum |
 *
 * An entry that goes leaves its room to the one before it; the first of a block keeps its place
 * with inode 0. Blocks are verified when they enter memory (kinds.c), so the chain is trusted here;
 * the checksum is made when a block leaves.
 *
 * The directory's lock is held: for reading to search, for writing to change.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/csum.h"
#include "ext4/dir_internal.h"
#include "ext4/kinds.h"
#include "ext4/map.h"
#include "ext4/verify.h"

bool ext4_dir_is_indexed(const struct inode *dir)
{
	return dir->flags & EXT4_INDEX_FL &&
	       dir->fs->geo.feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX;
}

static struct buffer_owner owner_of(const struct inode *inode)
{
	return (struct buffer_owner){ inode->ino, inode->csum_seed };
}

/* ---- blocks of a directory */

static void put_and_clear(struct buffer **b)
{
	buffer_put(*b);
	*b = NULL;
}

/* Files whose blocks are read as buffers: directories, and symbolic links. */
static const struct buffer_kind *kind_of(const struct inode *inode, ext4_lblk_t lblk)
{
	if (!EXT4_S_ISDIR(inode->mode))
		return &ext4_kind_symlink;
	return ext4_dir_is_indexed(inode) && !lblk ? &ext4_kind_dx_root : &ext4_kind_dir;
}

/* map->flags tell whether the block is new. */
static int getblk(struct handle *h, struct inode *inode, struct ext4_map *map, bool create,
		  struct buffer **out)
{
	struct ext4_fs *fs = inode->fs;
	struct buffer_owner owner = owner_of(inode);
	int n, err;

	TRACE_SCOPE(fs, ext4_getblk);
	*out = NULL;
	n = ext4_map_blocks(h, inode, map, create ? MAP_CREATE : 0);
	if (n <= 0)
		return n;
	if (!(map->flags & MAPPED_NEW))
		return buffer_get(fs->buffers, map->pblk, out);
	err = buffer_create(fs->buffers, map->pblk, kind_of(inode, map->lblk), &owner, out);
	if (err)
		return err;
	err = ext4_journal_get_create_access(fs, h, *out);
	if (err)
		put_and_clear(out);
	return err;
}

static int bread(struct handle *h, struct inode *inode, struct ext4_map *map, bool create,
		 struct buffer **out)
{
	struct buffer_owner owner = owner_of(inode);
	int err;

	TRACE_SCOPE(inode->fs, ext4_bread);
	err = getblk(h, inode, map, create, out);
	if (err || !*out)
		return err;
	err = buffer_read_held(*out, kind_of(inode, map->lblk), &owner);
	if (err)
		put_and_clear(out);
	return err;
}

int ext4_getblk(struct handle *h, struct inode *inode, ext4_lblk_t lblk, bool create,
		struct buffer **out)
{
	struct ext4_map map = { .lblk = lblk, .len = 1 };

	return getblk(h, inode, &map, create, out);
}

int ext4_bread(struct handle *h, struct inode *inode, ext4_lblk_t lblk, bool create,
	       struct buffer **out)
{
	struct ext4_map map = { .lblk = lblk, .len = 1 };

	return bread(h, inode, &map, create, out);
}

int __ext4_read_dirblock(struct inode *dir, ext4_lblk_t lblk, struct buffer **out)
{
	int err;

	TRACE_SCOPE(dir->fs, ext4_read_dirblock, __ext4_read_dirblock);
	err = ext4_bread(NULL, dir, lblk, false, out);
	if (!err && !*out)
		return ext4_error(dir->fs, dir->ino, 0, "directory has a hole at block %u", lblk);
	return err;
}

/* As large as it may become. */
static bool is_full(const struct inode *dir)
{
	const struct ext4_geometry *geo = &dir->fs->geo;

	return dir->size >> geo->block_bits >= EXT4_MAX_LBLK ||
	       (!(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_LARGEDIR) &&
		dir->size + geo->block_size > INT32_MAX);
}

/* The handle failed between mapping a block and having it: nothing lies behind the end. */
static void take_back(struct handle *h, struct inode *dir, ext4_lblk_t lblk)
{
	int err;

	guard_write(&dir->map_lock);
	err = ext4_es_remove_extent(dir, lblk, UINT32_MAX - lblk);
	if (!err && dir->flags & EXT4_EXTENTS_FL)
		err = ext4_ext_remove_space(h, dir, lblk, EXT4_MAX_LBLK);
	else if (!err)
		err = ext4_ind_remove_space(h, dir, lblk, EXT4_MAX_LBLK);
	if (err && !ext4_writable(dir->fs))
		ignore_result(ext4_error(dir->fs, dir->ino, 0,
					 "block %u behind the directory's end cannot be freed",
					 lblk));
}

/* A block that was there already is none of the directory's: nobody knows what it holds. */
static int append_block(struct handle *h, struct inode *dir, ext4_lblk_t lblk, struct buffer **out)
{
	struct ext4_map map = { .lblk = lblk, .len = 1 };
	int err = bread(h, dir, &map, true, out);

	if (err && err != -ENOSPC)
		take_back(h, dir, lblk);
	if (err || map.flags & MAPPED_NEW)
		return err;
	err = ext4_error(dir->fs, dir->ino, map.pblk, "block %u lies behind the directory's end",
			 lblk);
	put_and_clear(out);
	return err;
}

int ext4_append(struct handle *h, struct inode *dir, ext4_lblk_t *lblk, struct buffer **out)
{
	struct ext4_fs *fs = dir->fs;
	uint32_t limit_kb = fs->opt.max_dir_size_kb;
	int err;

	TRACE_SCOPE(fs, ext4_append);
	*out = NULL;
	if (is_full(dir) || (limit_kb && dir->size >> 10 >= limit_kb))
		return -ENOSPC;
	*lblk = ext4_dir_blocks(dir);
	err = append_block(h, dir, *lblk, out);
	if (err)
		return err;
	attr_write_begin(dir);
	dir->size = dir->disk_size = dir->size + fs->geo.block_size;
	attr_write_end(dir);
	err = ext4_journal_get_write_access(fs, h, *out);
	if (err)
		put_and_clear(out);
	return err;
}

void ext4_dir_init_block(const struct ext4_fs *fs, struct buffer *b)
{
	struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, 0);
	struct ext4_dir_entry_tail *tail;

	memset(b->data, 0, fs->geo.block_size);
	ext4_rec_len_set(fs, de, ext4_dir_space(fs));
	if (!fs->geo.metadata_csum)
		return;
	tail = (void *)(b->data + ext4_dir_space(fs));
	tail->det_rec_len = le16_of(sizeof(*tail));
	tail->det_reserved_ft = EXT4_FT_DIR_CSUM;
}

/* ---- names in a block */

/* The last byte first: names of a directory often begin alike. */
static bool is_name(const struct ext4_dir_entry_2 *de, const struct ext4_name *name)
{
	return de->name_len == name->len && de->name[name->len - 1] == name->bytes[name->len - 1] &&
	       le32_get(de->inode) && !memcmp(de->name, name->bytes, name->len);
}

/* Kept apart from its caller's scope, which would take registers from the loop. */
__attribute__((noinline)) static int search(const struct ext4_fs *fs, const struct buffer *b,
					    const struct ext4_name *name, uint32_t *offset)
{
	uint32_t space = ext4_dir_space(fs);

	for (uint32_t at = 0; at < space; at += ext4_rec_len(fs, ext4_dir_entry_at(b, at)))
		if (is_name(ext4_dir_entry_at(b, at), name)) {
			*offset = at;
			return 0;
		}
	return -ENOENT;
}

int ext4_search_dirblock(struct inode *dir, const struct buffer *b, const struct ext4_name *name,
			 uint32_t *offset)
{
	TRACE_SCOPE(dir->fs, search_dirblock);
	return search(dir->fs, b, name, offset);
}

/* What an entry needs itself; the rest of its record is room. */
static uint32_t used_by(const struct ext4_dir_entry_2 *de)
{
	return le32_get(de->inode) ? ext4_dir_rec_min(de->name_len) : 0;
}

int ext4_find_dest(struct inode *dir, const struct buffer *b, const struct ext4_name *name,
		   uint32_t *offset)
{
	uint32_t space = ext4_dir_space(dir->fs), need = ext4_dir_rec_min((uint32_t)name->len), len;

	for (uint32_t at = 0; at < space; at += len) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, at);

		len = ext4_rec_len(dir->fs, de);
		if (is_name(de, name))
			return -EEXIST;
		if (len >= used_by(de) + need) {
			*offset = at;
			return 0;
		}
	}
	return -ENOSPC;
}

void ext4_insert_dentry(struct ext4_fs *fs, struct buffer *b, uint32_t offset,
			const struct ext4_name *name, uint32_t ino, uint8_t file_type)
{
	struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, offset);
	uint32_t len = ext4_rec_len(fs, de), used = used_by(de);

	if (used) {
		ext4_rec_len_set(fs, de, used);
		de = ext4_dir_entry_at(b, offset + used);
		ext4_rec_len_set(fs, de, len - used);
	}
	de->inode = le32_of(ino);
	de->file_type = file_type;
	de->name_len = (uint8_t)name->len;
	memcpy(de->name, name->bytes, name->len);
}

void ext4_dir_touch(struct inode *dir)
{
	struct ext4_time now = ext4_current_time(dir->fs);

	attr_write_begin(dir);
	dir->mtime = dir->ctime = now;
	dir->version++;
	attr_write_end(dir);
}

int add_dirent_to_buf(struct handle *h, struct inode *dir, struct buffer *b,
		      const struct ext4_name *name, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	uint32_t offset;
	int err;

	TRACE_SCOPE(fs, add_dirent_to_buf);
	err = ext4_find_dest(dir, b, name, &offset);
	if (!err)
		err = ext4_journal_get_write_access(fs, h, b);
	if (err)
		return err;
	ext4_insert_dentry(fs, b, offset, name, inode->ino, ext4_entry_type(fs, inode->mode));
	ext4_dir_touch(dir);
	err = __ext4_mark_inode_dirty(h, dir, "add_dirent_to_buf");
	return err ? err : ext4_handle_dirty_metadata(fs, h, dir->ino, b);
}

/* Nothing of the name is left; 4.9 leaves it where it was. */
static void remove_record(struct ext4_fs *fs, struct ext4_dir_entry_2 *before,
			  struct ext4_dir_entry_2 *de)
{
	uint32_t len = ext4_rec_len(fs, de);

	de->inode = le32_of(0);
	if (before)
		ext4_rec_len_set(fs, before, ext4_rec_len(fs, before) + len);
	if (fs->opt.dialect == DIALECT_4_9)
		return;
	memset(&de->name_len, 0, len - offsetof(struct ext4_dir_entry_2, name_len));
	if (before)
		de->rec_len = le16_of(0);
}

int ext4_delete_entry(struct handle *h, struct inode *dir, const struct ext4_dir_place *place)
{
	struct ext4_fs *fs = dir->fs;
	struct buffer *b = place->buffer;
	struct ext4_dir_entry_2 *before = NULL;
	uint32_t at = 0;
	int err = ext4_journal_get_write_access(fs, h, b);

	if (err)
		return err;
	while (at < place->offset) {
		before = ext4_dir_entry_at(b, at);
		at += ext4_rec_len(fs, before);
	}
	ensure(at == place->offset);
	remove_record(fs, before, ext4_dir_entry_at(b, at));
	attr_write_begin(dir);
	dir->version++;
	attr_write_end(dir);
	return ext4_handle_dirty_metadata(fs, h, dir->ino, b);
}

/* ---- names in a directory */

#define READAHEAD_BLOCKS 8

/*
 * The next blocks are mapped together and asked for before the first is searched: a linear
 * directory is read as it lies.
 */
struct ahead {
	struct buffer *b;		/* NULL: a hole, or err */
	int err;
};

static void read_ahead(struct inode *dir, ext4_lblk_t lblk, ext4_lblk_t count, struct ahead *ahead)
{
	for (ext4_lblk_t i = 0; i < count; i++) {
		struct buffer *b = NULL;

		ahead[i].err = ext4_getblk(NULL, dir, lblk + i, false, &b);
		ahead[i].b = b;
		if (i && b && !(atomic_load(&b->state) & BUFFER_UPTODATE))
			buffer_readahead(dir->fs->buffers, b->block, 1);
	}
}

static int search_one(struct inode *dir, ext4_lblk_t lblk, const struct ahead *known,
		      const struct ext4_name *name, struct ext4_dir_place *out)
{
	struct buffer_owner owner = owner_of(dir);
	int err = known->err;

	if (!err && !known->b)
		return ext4_error(dir->fs, dir->ino, 0, "directory has a hole at block %u", lblk);
	if (!err)
		err = buffer_read_held(known->b, kind_of(dir, lblk), &owner);
	if (!err)
		err = ext4_search_dirblock(dir, known->b, name, &out->offset);
	if (!err)
		out->buffer = buffer_hold(known->b);
	return err;
}

static int find_linear(struct inode *dir, const struct ext4_name *name, struct ext4_dir_place *out)
{
	ext4_lblk_t blocks = (ext4_lblk_t)(dir->size >> dir->fs->geo.block_bits), batch;
	struct ahead ahead[READAHEAD_BLOCKS];
	int err = -ENOENT;

	for (ext4_lblk_t at = 0; at < blocks && err == -ENOENT; at += batch) {
		batch = min(blocks - at, (ext4_lblk_t)READAHEAD_BLOCKS);
		read_ahead(dir, at, batch, ahead);
		for (ext4_lblk_t i = 0; i < batch; i++) {
			if (err == -ENOENT)
				err = search_one(dir, at + i, &ahead[i], name, out);
			buffer_put(ahead[i].b);
		}
	}
	return err;
}

int ext4_find_entry(struct inode *dir, const struct ext4_name *name, struct ext4_dir_place *out)
{
	TRACE_SCOPE(dir->fs, ext4_find_entry);
	if (ext4_dir_is_indexed(dir) && !(name->len <= 2 && name->bytes[0] == '.'))
		return ext4_dx_find_entry(dir, name, out);
	return find_linear(dir, name, out);
}

/* All blocks are full: one more. */
static int add_block(struct handle *h, struct inode *dir, const struct ext4_name *name,
		     struct inode *inode)
{
	ext4_lblk_t lblk;
	struct buffer *b;
	int err = ext4_append(h, dir, &lblk, &b);

	if (err)
		return err;
	ext4_dir_init_block(dir->fs, b);
	err = add_dirent_to_buf(h, dir, b, name, inode);
	buffer_put(b);
	return err;
}

int ext4_add_entry(struct handle *h, struct inode *dir, const struct ext4_name *name,
		   struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	ext4_lblk_t blocks = (ext4_lblk_t)(dir->size >> fs->geo.block_bits);
	int err = ext4_inode_get_write_access(h, dir);

	TRACE_SCOPE(fs, ext4_add_entry);
	if (err)
		return err;
	if (ext4_dir_is_indexed(dir))
		return ext4_dx_add_entry(h, dir, name, inode);
	for (ext4_lblk_t i = 0; i < blocks; i++) {
		autobuffer b = NULL;

		err = ext4_read_dirblock(dir, i, &b);
		if (!err)
			err = add_dirent_to_buf(h, dir, b, name, inode);
		if (err == -ENOSPC && blocks == 1 &&
		    fs->geo.feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX)
			return ext4_make_indexed_dir(h, dir, b, name, inode);
		if (err != -ENOSPC)
			return err;
	}
	return add_block(h, dir, name, inode);
}

static bool is_dot_or_dotdot(const struct ext4_dir_entry_2 *de)
{
	return de->name[0] == '.' &&
	       (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'));
}

/*
 * A root of a tree looks like a block with `.`, and `..` over the rest: the loop sees just those.
 */
static bool only_dots(struct inode *dir, const struct buffer *b)
{
	uint32_t space =
		ext4_dir_is_indexed(dir) ? dir->fs->geo.block_size : ext4_dir_space(dir->fs);

	for (uint32_t at = 0; at < space; at += ext4_rec_len(dir->fs, ext4_dir_entry_at(b, at))) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, at);

		if (!ext4_rec_len(dir->fs, de))
			return true;
		if (le32_get(de->inode) && !is_dot_or_dotdot(de))
			return false;
	}
	return true;
}

int ext4_empty_dir(struct inode *dir)
{
	ext4_lblk_t blocks = (ext4_lblk_t)(dir->size >> dir->fs->geo.block_bits);

	TRACE_SCOPE(dir->fs, ext4_empty_dir);
	for (ext4_lblk_t i = 0; i < blocks; i++) {
		autobuffer b = NULL;
		int err = ext4_read_dirblock(dir, i, &b);

		if (err)
			return err;
		if (!only_dots(dir, b))
			return -ENOTEMPTY;
	}
	return 0;
}
