/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block of attributes. It says how many inodes use it (1 to EXT4_XATTR_REFCOUNT_MAX), and as
 * long as it is more than one, nobody changes it: who wants other attributes gets another block.
 *
 *	new content	is in a block that may be shared	-> one more uses that one
 *			the inode's block is its alone		-> changed in place
 *			else					-> a new block
 *	what the inode used before				-> one less uses it; the last frees it
 *
 * All of a block's bytes but the count change only while a single inode uses it, under that inode's
 * xattr_lock. The count, and the step from "alone" to "changed", are under the block's lock
 * (xattr_cache.c); a block leaves the cache before it is changed or freed, so that nobody can begin
 * to share it then.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/disk.h"
#include "ext4/kinds.h"
#include "ext4/xattr_internal.h"

static struct ext4_xattr_header *header_of(const struct buffer *b)
{
	return (void *)b->data;
}

static int read_block(struct ext4_fs *fs, ext4_fsblk_t block, struct buffer **out)
{
	struct buffer_owner owner = { 0, fs->geo.csum_seed };

	return buffer_read(fs->buffers, block, &ext4_kind_xattr, &owner, out);
}

int xattr_block_read(struct inode *inode, struct buffer **out)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	*out = NULL;
	if (!inode->file_acl)
		return 0;
	if (!ext4_inode_block_valid(fs, inode->ino, inode->file_acl, 1))
		return ext4_error(fs, inode->ino, inode->file_acl,
				  "its block of attributes is not a file's");
	err = read_block(fs, inode->file_acl, out);
	if (!err && le32_get(header_of(*out)->h_hash)) {
		guard(xattr_cache_block_lock(fs, inode->file_acl));
		if (le32_get(header_of(*out)->h_refcount) < EXT4_XATTR_REFCOUNT_MAX)
			xattr_cache_add(fs, le32_get(header_of(*out)->h_hash), inode->file_acl);
	}
	return err;
}

static void set_block(struct inode *inode, ext4_fsblk_t block)
{
	attr_write_begin(inode);
	inode->file_acl = block;
	attr_write_end(inode);
}

/* It counts as the inode's, or not any more. */
static int account(struct inode *inode, int blocks)
{
	ext4_inode_add_bytes(inode, (int64_t)blocks * inode->fs->geo.block_size);
	return ext4_dirty_inode(inode);
}

/* ---- one user less */

static int lose_user(struct handle *h, struct inode *inode, struct buffer *b)
{
	struct ext4_xattr_header *hdr = header_of(b);
	struct ext4_fs *fs = inode->fs;
	uint32_t users = le32_get(hdr->h_refcount);
	int err = ext4_journal_get_write_access(fs, h, b);

	if (err)
		return err;
	hdr->h_refcount = le32_of(users - 1);
	err = ext4_handle_dirty_metadata(fs, h, inode->ino, b);
	if (!err && users == EXT4_XATTR_REFCOUNT_MAX)
		xattr_cache_add(fs, le32_get(hdr->h_hash), b->block);
	return err;
}

/* Drops the caller's reference of the buffer. */
static int release_block(struct handle *h, struct inode *inode, struct buffer *b)
{
	struct ext4_fs *fs = inode->fs;
	struct mutex *lock = xattr_cache_block_lock(fs, b->block);
	ext4_fsblk_t block = b->block;
	bool last;
	int err = 0;

	TRACE_SCOPE(fs, ext4_xattr_release_block);
	mutex_lock(lock);
	last = le32_get(header_of(b)->h_refcount) <= 1;
	if (last)
		xattr_cache_remove(fs, le32_get(header_of(b)->h_hash), block);
	else
		err = lose_user(h, inode, b);
	mutex_unlock(lock);
	buffer_put(b);
	if (err)
		return err;
	return last ? ext4_free_blocks(h, inode, block, 1, FREE_METADATA | FREE_FORGET)
		    : account(inode, -1);
}

/* Takes it back: the inode uses the block no longer, which it has just begun to use. */
static void give_up(struct handle *h, struct inode *inode, ext4_fsblk_t block)
{
	struct buffer *b;
	int err = read_block(inode->fs, block, &b);

	if (!err)
		err = release_block(h, inode, b);
	ignore_result(err); /* the first error is the one to be told */
}

/* ---- one user more */

static bool same_content(const struct ext4_fs *fs, const struct buffer *b, const uint8_t *content)
{
	const size_t head = sizeof(struct ext4_xattr_header);

	return !memcmp(b->data + head, content + head, fs->geo.block_size - head);
}

/* *out: the block, one more of whose users the inode is; untouched: it cannot be shared. */
static int try_share(struct handle *h, struct inode *inode, ext4_fsblk_t block,
		     const uint8_t *content, ext4_fsblk_t *out)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t hash = le32_get(((const struct ext4_xattr_header *)content)->h_hash), users;
	autobuffer b = NULL;
	int err;

	guard(xattr_cache_block_lock(fs, block));
	/* It may have been freed since it was found, and be something else now. */
	if (xattr_cache_next(fs, hash, block - 1) != block)
		return 0;
	if (read_block(fs, block, &b)) { /* of no use to anybody new; whose it is will be told */
		xattr_cache_remove(fs, hash, block);
		return 0;
	}
	users = le32_get(header_of(b)->h_refcount);
	if (users >= EXT4_XATTR_REFCOUNT_MAX || le32_get(header_of(b)->h_hash) != hash ||
	    !same_content(fs, b, content))
		return 0;
	err = ext4_journal_get_write_access(fs, h, b);
	if (err)
		return err;
	header_of(b)->h_refcount = le32_of(users + 1);
	if (users + 1 == EXT4_XATTR_REFCOUNT_MAX)
		xattr_cache_remove(fs, hash, block);
	*out = block;
	return ext4_handle_dirty_metadata(fs, h, inode->ino, b);
}

static int share(struct handle *h, struct inode *inode, const uint8_t *content, ext4_fsblk_t *out)
{
	uint32_t hash = le32_get(((const struct ext4_xattr_header *)content)->h_hash);
	ext4_fsblk_t block = 0;
	int err = 0;

	while (!err && !*out && (block = xattr_cache_next(inode->fs, hash, block)) != 0)
		if (block != inode->file_acl)
			err = try_share(h, inode, block, content, out);
	if (err || !*out)
		return err;
	err = account(inode, 1);
	if (err)
		give_up(h, inode, *out);
	return err;
}

/* ---- its own block */

/* *done: the block was the inode's alone, and has the new content. */
static int change_in_place(struct handle *h, struct inode *inode, struct buffer *b,
			   const uint8_t *content, bool *done)
{
	const size_t head = sizeof(struct ext4_xattr_header);
	struct ext4_fs *fs = inode->fs;
	int err;

	guard(xattr_cache_block_lock(fs, b->block));
	if (le32_get(header_of(b)->h_refcount) > 1)
		return 0;
	err = ext4_journal_get_write_access(fs, h, b);
	if (err)
		return err;
	xattr_cache_remove(fs, le32_get(header_of(b)->h_hash), b->block);
	header_of(b)->h_hash = ((const struct ext4_xattr_header *)content)->h_hash;
	memcpy(b->data + head, content + head, fs->geo.block_size - head);
	xattr_cache_add(fs, le32_get(header_of(b)->h_hash), b->block);
	*done = true;
	return ext4_handle_dirty_metadata(fs, h, inode->ino, b);
}

/* A block map's pointers have 32 bits; the inode's own field would have more. */
static int new_block(struct handle *h, struct inode *inode, const uint8_t *content,
		     ext4_fsblk_t *out)
{
	struct ext4_fs *fs = inode->fs;
	struct buffer_owner owner = { 0, fs->geo.csum_seed };
	ext4_fsblk_t goal = ext4_group_first_block(&fs->geo,
						   ext4_group_of_inode(&fs->geo, inode->ino));
	autobuffer b = NULL;
	int err = ext4_new_meta_blocks(h, inode, goal, 0, NULL, out);

	if (err)
		return err;
	err = buffer_create(fs->buffers, *out, &ext4_kind_xattr, &owner, &b);
	if (!err)
		err = ext4_journal_get_create_access(fs, h, b);
	if (err) {
		ignore_result(ext4_free_blocks(h, inode, *out, 1, FREE_METADATA));
		return err;
	}
	memcpy(b->data, content, fs->geo.block_size);
	err = ext4_handle_dirty_metadata(fs, h, inode->ino, b);
	if (!err)
		xattr_cache_add(fs, le32_get(header_of(b)->h_hash), *out);
	return err;
}

/* ---- the change */

static void fill_header(uint8_t *content)
{
	struct ext4_xattr_header *hdr = (void *)content;

	*hdr = (struct ext4_xattr_header){ .h_magic = le32_of(EXT4_XATTR_MAGIC),
					   .h_refcount = le32_of(1),
					   .h_blocks = le32_of(1) };
	hdr->h_hash = le32_of(ext4_xattr_hash_block(content));
}

/*
 * It uses `block` (0: none) from now on, and `old` no longer; the caller's reference of that is dropped. The table never
 * names a block that is free: what was freed in this handle is named no more when the inode is written next.
 * If the old one cannot be let go, all is as it was.
 */
static int replace_block(struct handle *h, struct inode *inode, struct buffer *old, ext4_fsblk_t block)
{
	ext4_fsblk_t before = inode->file_acl;
	int err;

	set_block(inode, block);
	if (!old)
		return 0;
	err = release_block(h, inode, old);
	if (!err)
		return 0;
	set_block(inode, before);
	if (block)
		give_up(h, inode, block);
	return err;
}

int xattr_block_store(struct handle *h, struct inode *inode, uint8_t *content)
{
	struct buffer *old;
	ext4_fsblk_t block = 0;
	bool done = false;
	int err = xattr_block_read(inode, &old);

	TRACE_SCOPE(inode->fs, ext4_xattr_block_set);
	if (err)
		return err;
	if (content) {
		fill_header(content);
		err = share(h, inode, content, &block);
		if (!err && !block && old)
			err = change_in_place(h, inode, old, content, &done);
		if (!err && !block && !done)
			err = new_block(h, inode, content, &block);
	}
	if (!err && !done)
		return replace_block(h, inode, old, block);
	buffer_put(old);
	return err;
}

int ext4_xattr_delete_inode(struct handle *h, struct inode *inode)
{
	struct buffer *b;
	int err;

	TRACE_SCOPE(inode->fs, ext4_xattr_delete_inode);
	guard_write(&inode->xattr_lock);
	err = xattr_block_read(inode, &b);
	return err || !b ? err : replace_block(h, inode, b, 0);
}
