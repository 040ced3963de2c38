/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes of an inode, wherever they lie (xattr.h).
 *
 * A value goes into the inode's own place, if it fits there, else into the block; it is never in
 * both. A change is made in copies of the two places first; only when it has succeeded there, the
 * block and then the inode are written, in one handle.
 */
#include <string.h>
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/alloc.h"
#include "ext4/disk.h"
#include "ext4/inode_internal.h"
#include "ext4/verify.h"
#include "ext4/xattr_internal.h"

/* ---- the place in the inode */

/* Where it begins in the table's entry: behind the fields. 0: there is none. */
static uint32_t tail_offset(const struct inode *inode)
{
	uint32_t offset = EXT4_GOOD_OLD_INODE_SIZE + inode->extra_isize;
	uint32_t least = sizeof(struct ext4_xattr_ibody_header) + EXT4_XATTR_PAD;

	return inode->extra_isize && offset + least <= inode->fs->geo.inode_size ? offset : 0;
}

/*
 * The inode's entry in the table, with its attributes verified: the block may have been read again
 * since the inode was.
 */
static int read_raw(struct inode *inode, struct buffer **b, const struct ext4_inode **raw)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_verdict why;
	uint32_t offset;
	int err = ext4_get_inode_loc(fs, inode->ino, b, &offset);

	if (err)
		return err;
	*raw = (const void *)((*b)->data + offset);
	if (le16_get((*raw)->i_extra_isize) != inode->extra_isize)
		return ext4_error(fs, inode->ino, (*b)->block, "the inode's size has changed");
	err = ext4_verify_xattr_inode(&fs->geo, *raw, &why);
	return err ? ext4_error_at(fs, __func__, inode->ino, (*b)->block, err, "%s", why.reason) : 0;
}

static bool has_magic(const uint8_t *tail)
{
	return le32_get(((const struct ext4_xattr_ibody_header *)tail)->h_magic) == EXT4_XATTR_MAGIC;
}

static struct xattr_room tail_room(const struct ext4_fs *fs, uint8_t *tail, uint32_t offset)
{
	const uint32_t head = sizeof(struct ext4_xattr_ibody_header);

	return (struct xattr_room){ tail + head, 0, fs->geo.inode_size - offset - head, false };
}

bool ext4_xattr_any(const struct inode *inode)
{
	return inode->file_acl || tail_offset(inode);
}

/* ---- looking: fn over one place, then the other; 1 ends it */

typedef int (*room_fn)(void *arg, const struct xattr_room *room);

static int look_in_inode(struct inode *inode, room_fn fn, void *arg)
{
	uint32_t offset = tail_offset(inode);
	const struct ext4_inode *raw;
	struct xattr_room room;
	autobuffer b = NULL;
	uint8_t *tail;
	int err;

	if (!offset)
		return 0;
	err = read_raw(inode, &b, &raw);
	if (err)
		return err;
	tail = (uint8_t *)raw + offset; /* the room is only read */
	if (!has_magic(tail))
		return 0;
	room = tail_room(inode->fs, tail, offset);
	return fn(arg, &room);
}

static int look_in_block(struct inode *inode, room_fn fn, void *arg)
{
	struct xattr_room room;
	autobuffer b = NULL;
	int err = xattr_block_read(inode, &b);

	if (err || !b)
		return err;
	room = xattr_block_room(inode->fs, b->data);
	return fn(arg, &room);
}

static int look(struct inode *inode, room_fn fn, void *arg)
{
	int err;

	guard_read(&inode->xattr_lock);
	err = look_in_inode(inode, fn, arg);
	return err ? err : look_in_block(inode, fn, arg);
}

struct get {
	const struct ext4_xattr_name *name;
	void *buf;
	size_t size;
	int length;			/* -ENODATA: not found yet */
};

static int get_from(void *arg, const struct xattr_room *room)
{
	struct get *g = arg;
	struct ext4_xattr_entry *e = xattr_room_find(room, g->name);
	size_t len;

	if (!e)
		return 0;
	len = le32_get(e->e_value_size);
	g->length = (int)len;
	if (g->size && len > g->size)
		g->length = -ERANGE;
	else if (g->size && len)
		memcpy(g->buf, xattr_room_value(room, e), len);
	return 1;
}

int ext4_xattr_get(struct inode *inode, const struct ext4_xattr_name *name, void *buf, size_t size)
{
	struct get g = { name, buf, size, -ENODATA };
	int err;

	if (name->len > EXT4_XATTR_NAME_MAX)
		return -ERANGE;
	if (!ext4_xattr_any(inode))
		return -ENODATA;
	err = look(inode, get_from, &g);
	return err < 0 ? err : g.length;
}

struct list_call {
	int (*fn)(void *arg, const struct ext4_xattr_name *name);
	void *arg;
};

static int list_from(void *arg, const struct xattr_room *room)
{
	struct list_call *c = arg;
	int err = 0;

	for (struct ext4_xattr_entry *e = xattr_room_first(room); e && !err;
	     e = xattr_room_next(room, e)) {
		struct ext4_xattr_name name = { e->e_name_index, e->e_name, e->e_name_len };

		err = c->fn(c->arg, &name);
	}
	return err;
}

int ext4_xattr_list(struct inode *inode, int (*fn)(void *arg, const struct ext4_xattr_name *name),
		    void *arg)
{
	struct list_call c = { fn, arg };

	return ext4_xattr_any(inode) ? look(inode, list_from, &c) : 0;
}

/* ---- changing: both places as copies */

struct places {
	uint8_t *tail, *block;
	uint32_t tail_offset;
	struct xattr_room in_inode, in_block;
	bool has_tail, has_block;
	bool tail_changed, block_changed;
};

/* No two values share bytes, or moving one would move the other. */
static int check_overlap(const struct inode *inode, const struct xattr_room *r)
{
	uint8_t taken[EXT4_XATTR_SIZE_MAX / EXT4_XATTR_PAD / 8 + 1] = { 0 };

	for (struct ext4_xattr_entry *e = xattr_room_first(r); e; e = xattr_room_next(r, e)) {
		uint32_t from = le16_get(e->e_value_offs) / EXT4_XATTR_PAD;
		uint32_t len = EXT4_XATTR_ROUND(le32_get(e->e_value_size)) / EXT4_XATTR_PAD;

		if (!len)
			continue;
		if (le16_get(e->e_value_offs) % EXT4_XATTR_PAD || !bitmap_all_zeros(taken, from, len))
			return ext4_error(inode->fs, inode->ino, r->in_block ? inode->file_acl : 0,
					  "values of its attributes meet");
		bitmap_set_range(taken, from, len);
	}
	return 0;
}

static int copy_tail(struct inode *inode, struct places *p)
{
	const struct ext4_inode *raw;
	autobuffer b = NULL;
	int err;

	p->tail_offset = tail_offset(inode);
	if (!p->tail_offset)
		return 0;
	err = read_raw(inode, &b, &raw);
	if (err)
		return err;
	p->has_tail = true;
	p->in_inode = tail_room(inode->fs, p->tail, p->tail_offset);
	if (has_magic((const uint8_t *)raw + p->tail_offset)) {
		memcpy(p->tail, (const uint8_t *)raw + p->tail_offset,
		       inode->fs->geo.inode_size - p->tail_offset);
		return check_overlap(inode, &p->in_inode);
	}
	memset(p->tail, 0, inode->fs->geo.inode_size - p->tail_offset);
	((struct ext4_xattr_ibody_header *)p->tail)->h_magic = le32_of(EXT4_XATTR_MAGIC);
	return 0;
}

static int copy_block(struct inode *inode, struct places *p)
{
	const size_t head = sizeof(struct ext4_xattr_header); /* filled in when it is stored */
	uint32_t size = inode->fs->geo.block_size;
	autobuffer b = NULL;
	int err = xattr_block_read(inode, &b);

	if (err)
		return err;
	p->in_block = xattr_block_room(inode->fs, p->block);
	memset(p->block, 0, b ? head : size);
	if (!b)
		return 0;
	p->has_block = true;
	memcpy(p->block + head, b->data + head, size - head);
	return check_overlap(inode, &p->in_block);
}

static struct ext4_xattr_entry *find_in(bool there, const struct xattr_room *r,
					const struct ext4_xattr_name *name)
{
	return there ? xattr_room_find(r, name) : NULL;
}

static int take_out(struct places *p, struct ext4_xattr_entry *in_inode,
		    struct ext4_xattr_entry *in_block)
{
	if (in_inode)
		xattr_room_take_out(&p->in_inode, in_inode);
	if (in_block)
		xattr_room_take_out(&p->in_block, in_block);
	p->tail_changed |= in_inode != NULL;
	p->block_changed |= in_block != NULL;
	return 0;
}

static int put(struct places *p, const struct ext4_xattr_name *name, const void *value, size_t len)
{
	int err = p->has_tail ? xattr_room_put(&p->in_inode, name, value, len) : -ENOSPC;

	if (!err) {
		p->tail_changed = true;
		return take_out(p, NULL, find_in(p->has_block, &p->in_block, name));
	}
	err = xattr_room_put(&p->in_block, name, value, len);
	if (err)
		return err;
	p->block_changed = true;
	return take_out(p, find_in(p->has_tail, &p->in_inode, name), NULL);
}

/* In the copies. */
static int change(struct places *p, const struct ext4_xattr_name *name, const void *value,
		  size_t len, unsigned flags)
{
	struct ext4_xattr_entry *in_inode = find_in(p->has_tail, &p->in_inode, name);
	struct ext4_xattr_entry *in_block = find_in(p->has_block, &p->in_block, name);

	if (!in_inode && !in_block && flags & EXT4_XATTR_REPLACE)
		return -ENODATA;
	if ((in_inode || in_block) && flags & EXT4_XATTR_CREATE)
		return -EEXIST;
	if (!value)
		return take_out(p, in_inode, in_block);
	if ((in_inode && xattr_room_has_value(&p->in_inode, in_inode, value, len)) ||
	    (in_block && xattr_room_has_value(&p->in_block, in_block, value, len)))
		return 0;
	return put(p, name, value, len);
}

/* The first attribute of a file system that never had one: the superblock says that there are. */
static int want_feature(struct handle *h, struct ext4_fs *fs)
{
	int err;

	if (likely(le32_get(fs->super->s_feature_compat) & EXT4_FEATURE_COMPAT_EXT_ATTR))
		return 0;
	err = ext4_journal_get_write_access(fs, h, fs->super_buffer);
	if (err)
		return err;
	mutex_lock(&fs->super_lock);
	fs->super->s_feature_compat =
		le32_of(le32_get(fs->super->s_feature_compat) | EXT4_FEATURE_COMPAT_EXT_ATTR);
	mutex_unlock(&fs->super_lock);
	return ext4_handle_dirty_metadata(fs, h, 0, fs->super_buffer);
}

static int store(struct handle *h, struct inode *inode, struct places *p)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_time now = ext4_current_time(fs);
	int err = 0;

	if (p->block_changed)
		err = xattr_block_store(h, inode,
					xattr_room_first(&p->in_block) ? p->block : NULL);
	if (!err)
		err = want_feature(h, fs);
	if (err)
		return err;
	attr_write_begin(inode);
	inode->ctime = now;
	attr_write_end(inode);
	return ext4_put_inode_tail(h, inode, p->tail_changed ? p->tail : NULL);
}

static int set_in(struct handle *h, struct inode *inode, struct places *p,
		  const struct ext4_xattr_name *name, const void *value, size_t len, unsigned flags)
{
	int err = copy_tail(inode, p);

	if (!err)
		err = copy_block(inode, p);
	if (!err)
		err = change(p, name, value, len, flags);
	if (!err && (p->tail_changed || p->block_changed))
		err = store(h, inode, p);
	if (!err && (inode->fs->opt.sync || inode->flags & EXT4_SYNC_FL))
		h->sync = true;
	return err;
}

int ext4_xattr_set_handle(struct handle *h, struct inode *inode, const struct ext4_xattr_name *name,
			  const void *value, size_t len, unsigned flags)
{
	struct ext4_fs *fs = inode->fs;
	struct places p = { .has_tail = false };
	uint8_t *copies;
	int err;

	TRACE_SCOPE(fs, ext4_xattr_set_handle);
	if (name->len > EXT4_XATTR_NAME_MAX)
		return -ERANGE;
	copies = arena_alloc(fs->arena, fs->geo.block_size + fs->geo.inode_size);
	if (!copies)
		return -ENOMEM;
	p.block = copies;
	p.tail = copies + fs->geo.block_size;
	rwlock_write(&inode->xattr_lock);
	err = set_in(h, inode, &p, name, value, len, flags);
	rwlock_unwrite(&inode->xattr_lock);
	arena_free(fs->arena, copies);
	return err;
}

int ext4_xattr_set(struct inode *inode, const struct ext4_xattr_name *name, const void *value,
		   size_t len, unsigned flags)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int retries = 0, err, stop;

	TRACE_SCOPE(fs, ext4_xattr_set);
	if (len > EXT4_XATTR_SIZE_MAX)
		return -E2BIG;
	do {
		err = ext4_journal_start(fs, inode->ino, HT_XATTR, ext4_name_credits(fs), &h);
		if (err)
			return err;
		err = ext4_xattr_set_handle(h, inode, name, value, len, flags);
		stop = ext4_journal_stop(fs, h);
		err = err ? err : stop;
	} while (err == -ENOSPC && ext4_should_retry_alloc(fs, &retries));
	return err;
}
