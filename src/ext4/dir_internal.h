/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between dir.c (blocks of entries), dir_index.c and dir_grow.c (hash trees), readdir.c and
 * namei.c. Not for others.
 */
#ifndef EXTANT_EXT4_DIR_INTERNAL_H
#define EXTANT_EXT4_DIR_INTERNAL_H

#include "ext4/disk.h"
#include "ext4/hash.h"
#include "ext4/names.h"

/* Where a name was found, or may be put: a block and an offset in it. */
struct ext4_dir_place {
	struct buffer *buffer;		/* referenced; the holder puts it */
	uint32_t offset;
};

static inline struct ext4_dir_entry_2 *ext4_dir_entry_at(const struct buffer *b, uint32_t offset)
{
	return (struct ext4_dir_entry_2 *)(b->data + offset);
}

/* Bytes of a block that hold entries: all, or up to the tail with the checksum. */
static inline uint32_t ext4_dir_space(const struct ext4_fs *fs)
{
	return fs->geo.block_size - ext4_dir_tail_size(&fs->geo);
}

/* rec_len, with the special forms of 64 KiB blocks. */
static inline uint32_t ext4_rec_len(const struct ext4_fs *fs, const struct ext4_dir_entry_2 *de)
{
	return ext4_rec_len_get(&fs->geo, de->rec_len);
}

static inline void ext4_rec_len_set(const struct ext4_fs *fs, struct ext4_dir_entry_2 *de,
				    uint32_t len)
{
	de->rec_len = ext4_rec_len_of(&fs->geo, len);
}

/* The type an entry shows; 0 where the image does not keep types. */
static inline uint8_t ext4_entry_type(const struct ext4_fs *fs, uint16_t mode)
{
	return fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_FILETYPE
		       ? ext4_file_type_of_mode(mode)
		       : 0;
}

bool ext4_dir_is_indexed(const struct inode *dir);

/* Blocks of the directory: its size is a multiple of them (verified). */
static inline ext4_lblk_t ext4_dir_blocks(const struct inode *dir)
{
	return (ext4_lblk_t)(dir->size >> dir->fs->geo.block_bits);
}

/* Looks for the name in one block of entries; -ENOENT. */
must_check int ext4_search_dirblock(struct inode *dir, const struct buffer *b,
				    const struct ext4_name *name, uint32_t *offset);
/*
 * Room for the name in the block: the offset of the entry that has it behind itself, or -ENOSPC;
 * -EEXIST.
 */
must_check int ext4_find_dest(struct inode *dir, const struct buffer *b,
			      const struct ext4_name *name, uint32_t *offset);
/* Puts the entry behind (or over) the one at `offset`. */
void ext4_insert_dentry(struct ext4_fs *fs, struct buffer *b, uint32_t offset,
			const struct ext4_name *name, uint32_t ino, uint8_t file_type);
/*
 * Access, entry, the directory's stamps {ext4_mark_inode_dirty}, dirty. -ENOSPC:
 * no room here, nothing was changed.
 */
must_check int add_dirent_to_buf(struct handle *h, struct inode *dir, struct buffer *b,
				 const struct ext4_name *name, struct inode *inode);
/* One empty entry over the whole block, and the tail. */
void ext4_dir_init_block(const struct ext4_fs *fs, struct buffer *b);
/*
 * One more block at the end of the directory, with create access, zeroed {ext4_append}. *out NULL
 * on error.
 */
must_check int ext4_append(struct handle *h, struct inode *dir, ext4_lblk_t *lblk,
			   struct buffer **out);
/* The entry goes: joined to the one before it in the block. */
must_check int ext4_delete_entry(struct handle *h, struct inode *dir,
				 const struct ext4_dir_place *place);
/* The entry of a name: 0 and its place, or -ENOENT {ext4_find_entry}. */
must_check int ext4_find_entry(struct inode *dir, const struct ext4_name *name,
			       struct ext4_dir_place *out);
/* A new entry, wherever there is room {ext4_add_entry}. */
must_check int ext4_add_entry(struct handle *h, struct inode *dir, const struct ext4_name *name,
			      struct inode *inode);
/* Only `.` and `..` in it. */
must_check int ext4_empty_dir(struct inode *dir);
/* mtime and ctime of a directory that changed. */
void ext4_dir_touch(struct inode *dir);

/* ---- hash trees: the way through one (dir_index.c) */

/* A node on the way, and which of its entries is followed. */
struct ext4_dx_frame {
	struct buffer *buffer;		/* referenced */
	struct dx_entry *entries;
	uint32_t at;
};

/* From the root to one block of names. */
struct ext4_dx_path {
	struct inode *dir;
	uint8_t hash_version;		/* EXT4_HASH_* of the tree, with its signedness */
	struct ext4_dirhash hash;	/* that was looked for */
	uint32_t depth;			/* frames in use */
	uint32_t leaves_seen;		/* a damaged tree does not lead in circles for ever */
	struct ext4_dx_frame frame[EXT4_HTREE_LEVELS_LARGEDIR];
};

static inline uint32_t ext4_dx_count(const struct dx_entry *entries)
{
	return le16_get(((const struct dx_countlimit *)entries)->count);
}

static inline uint32_t ext4_dx_limit_of(const struct dx_entry *entries)
{
	return le16_get(((const struct dx_countlimit *)entries)->limit);
}

/* The version that names are hashed with where the image says `version`. -EINVAL: not known. */
must_check int ext4_dx_hash(const struct ext4_fs *fs, uint8_t version, const struct ext4_name *name,
			    struct ext4_dirhash *out);
/*
 * The way to the first block that may hold the name, or (name NULL) names of p->hash.hash
 * {dx_probe}. With an error as without, p wants ext4_dx_put.
 */
must_check int ext4_dx_probe(struct inode *dir, const struct ext4_name *name,
			     struct ext4_dx_path *p);
void ext4_dx_put(struct ext4_dx_path *p);
/* The block at its end, read, and no node of the tree. NULL on error. */
must_check int ext4_dx_read_leaf(const struct ext4_dx_path *p, struct buffer **out);
ext4_lblk_t ext4_dx_leaf(const struct ext4_dx_path *p);
/*
 * The lowest hash of the block behind that one; with EXT4_DX_HASH_CONTINUED where the last hash of
 * this one goes on there. UINT32_MAX: this is the last block.
 */
uint32_t ext4_dx_next_hash(const struct ext4_dx_path *p);
/* On to that block; there is one. */
must_check int ext4_dx_next_leaf(struct ext4_dx_path *p);
must_check int ext4_dx_find_entry(struct inode *dir, const struct ext4_name *name,
				  struct ext4_dir_place *out);

/* ---- hash trees: growing (dir_grow.c) */

must_check int ext4_dx_add_entry(struct handle *h, struct inode *dir, const struct ext4_name *name,
				 struct inode *inode);
/*
 * The full first block of a linear directory becomes a tree of one root and two leaves; the name
 * goes in.
 */
must_check int ext4_make_indexed_dir(struct handle *h, struct inode *dir, struct buffer *first,
				     const struct ext4_name *name, struct inode *inode);

#endif
