/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rename: an inode's name goes from one entry to another, in one handle, so that a crash leaves the
 * old name or the new one.
 *
 *	plain      the new entry is made, or turned over to the inode (what it led to loses a link, and
 *	           is an orphan if that was the last); then the old entry goes
 *	whiteout   as plain, but the old entry then leads to a device 0:0 made for it
 *	exchange   each entry is turned over to the other's inode
 *
 * A directory that moves says in its `..` where it lies now, and counts as a link of the one above.
 * The caller holds the locks of both directories and of the inodes, and has seen to it that no
 * directory comes to lie in itself.
 */
#include "base/assert.h"
#include "ext4/data.h"
#include "ext4/namei_internal.h"
#include "ext4/verify.h"

/* One of the two names. */
struct end {
	struct ext4_rename_end at;
	struct ext4_dir_place place;	/* of its entry; without a buffer: there is none */
	struct buffer *first;		/* of a directory: the block with its `..` */
	uint32_t dotdot;		/* offset of that */
	bool is_dir;
};

static int end_find(struct end *e, const struct ext4_rename_end *at)
{
	int err;

	e->at = *at;
	e->is_dir = at->inode && EXT4_S_ISDIR(at->inode->mode);
	err = ext4_find_entry(at->dir, at->name, &e->place);
	if (err)
		e->place.buffer = NULL;
	if (err == -ENOENT && !at->inode)
		return 0;
	if (err)
		return err;
	return at->inode ? ext4_check_entry(at->dir, &e->place, at->inode) : -EEXIST;
}

static void end_put(struct end *e)
{
	buffer_put(e->place.buffer);
	buffer_put(e->first);
}

/* ---- steps */

static int credits(const struct ext4_fs *fs)
{
	return 2 * ext4_name_credits(fs) + 8 + 2;
}

/* The entry leads to another inode from now on. */
static int ext4_setent(struct handle *h, struct end *e, const struct inode *inode)
{
	struct ext4_fs *fs = e->at.dir->fs;
	struct buffer *b = e->place.buffer;
	struct ext4_dir_entry_2 *de;
	int err;

	TRACE_SCOPE(fs, ext4_setent);
	err = ext4_journal_get_write_access(fs, h, b);
	if (err)
		return err;
	de = ext4_dir_entry_at(b, e->place.offset);
	de->inode = le32_of(inode->ino);
	de->file_type = ext4_entry_type(fs, inode->mode);
	ext4_dir_touch(e->at.dir);
	err = __ext4_mark_inode_dirty(h, e->at.dir, "ext4_setent");
	return err ? err : ext4_handle_dirty_metadata(fs, h, e->at.dir->ino, b);
}

/* Its `..` is found, and must lead to where it lies. */
static int ext4_rename_dir_prepare(struct handle *h, struct end *e)
{
	struct inode *dir = e->at.inode;
	struct ext4_fs *fs = dir->fs;
	struct ext4_verdict why;
	int err;

	if (!e->is_dir)
		return 0;
	TRACE_SCOPE(fs, ext4_rename_dir_prepare, ext4_get_first_dir_block);
	err = ext4_read_dirblock(dir, 0, &e->first);
	if (err)
		return err;
	if (ext4_verify_dir_dots(&fs->geo, dir->ino, e->first->data, &why))
		return ext4_error(fs, dir->ino, e->first->block, "%s", why.reason);
	e->dotdot = ext4_rec_len(fs, ext4_dir_entry_at(e->first, 0));
	if (le32_get(ext4_dir_entry_at(e->first, e->dotdot)->inode) != e->at.dir->ino)
		return ext4_error(fs, dir->ino, e->first->block,
				  "`..` does not lead to directory %u", e->at.dir->ino);
	return ext4_journal_get_write_access(fs, h, e->first);
}

static int rename_dir_finish(struct handle *h, struct end *e, const struct inode *parent)
{
	if (!e->is_dir)
		return 0;
	ext4_dir_entry_at(e->first, e->dotdot)->inode = le32_of(parent->ino);
	return ext4_handle_dirty_metadata(parent->fs, h, e->at.inode->ino, e->first);
}

/* Of one name all that will change but for a new entry: from here on nothing is left half done. */
static int end_access(struct handle *h, const struct end *e)
{
	int err = ext4_inode_get_write_access(h, e->at.dir);

	if (!err && e->at.inode)
		err = ext4_inode_get_write_access(h, e->at.inode);
	if (!err && e->place.buffer)
		err = ext4_journal_get_write_access(e->at.dir->fs, h, e->place.buffer);
	return err;
}

static int access_both(struct handle *h, const struct end *a, const struct end *b)
{
	int err = end_access(h, a);

	return err ? err : end_access(h, b);
}

static void touch_ctime(struct inode *inode)
{
	ext4_set_links(inode, inode->nlink);
}

/* ---- plain, whiteout */

/* What directories ask for before anything changes. */
static int check_directories(struct handle *h, struct end *from, struct end *to)
{
	int err = 0;

	if (!from->is_dir)
		return 0;
	if (to->at.inode)
		err = ext4_empty_dir(to->at.inode);
	else if (from->at.dir != to->at.dir && ext4_dir_links_are_full(to->at.dir))
		err = -EMLINK;
	return err ? err : ext4_rename_dir_prepare(h, from);
}

/*
 * The new name leads to the inode. *moved: the directory was split, so that old entries are not
 * where they were.
 */
static int put_new_name(struct handle *h, const struct end *from, struct end *to, bool *moved)
{
	uint64_t size = to->at.dir->size;
	int err = to->at.inode ? ext4_setent(h, to, from->at.inode)
			       : ext4_add_entry(h, to->at.dir, to->at.name, from->at.inode);

	*moved = from->at.dir == to->at.dir && to->at.dir->size != size;
	return err;
}

/*
 * A whiteout takes the old entry over before the new one is made, while it is sure to lie where it
 * was found; if there is no room for the new one, it is turned back.
 */
static int put_names(struct handle *h, struct end *from, struct end *to, struct inode *whiteout,
		     bool *moved)
{
	int err = 0;

	if (whiteout) {
		err = ext4_setent(h, from, whiteout);
		if (!err)
			err = __ext4_mark_inode_dirty(h, whiteout, "ext4_rename");
	}
	if (!err)
		err = put_new_name(h, from, to, moved);
	if (err && whiteout)
		ignore_result(ext4_setent(h, from, from->at.inode)); /* the first error is told */
	return err;
}

static int drop_old_name(struct handle *h, struct end *from, bool moved)
{
	int err;

	if (moved) {
		buffer_put(from->place.buffer);
		from->place.buffer = NULL;
		err = ext4_find_entry(from->at.dir, from->at.name, &from->place);
		if (err)
			return err;
	}
	return ext4_delete_entry(h, from->at.dir, &from->place);
}

/* What the new name led to before has a link less; a directory has none left. */
static void unlink_replaced(struct inode *inode)
{
	if (!inode)
		return;
	ext4_drop_links(inode, EXT4_S_ISDIR(inode->mode) ? inode->nlink : 1);
	if (EXT4_S_ISDIR(inode->mode))
		atomic_fetch_or(&inode->state, INODE_DEAD);
}

/* A directory counts where it lies now. */
static int move_dir_links(struct handle *h, struct end *from, struct end *to)
{
	int err = rename_dir_finish(h, from, to->at.dir);

	if (err || !from->is_dir)
		return err;
	ext4_change_dir_links(from->at.dir, -1);
	if (to->at.inode)
		return 0;
	ext4_change_dir_links(to->at.dir, 1);
	return __ext4_mark_inode_dirty(h, to->at.dir, "ext4_rename");
}

static int mark_replaced(struct handle *h, struct inode *inode)
{
	int err = inode ? __ext4_mark_inode_dirty(h, inode, "ext4_rename") : 0;

	return err || !inode || inode->nlink ? err : ext4_orphan_add(h, inode);
}

static int rename_in(struct handle *h, struct end *from, struct end *to, struct inode *whiteout)
{
	bool moved = false;
	int err = check_directories(h, from, to);

	if (!err)
		err = access_both(h, from, to);
	if (!err)
		err = put_names(h, from, to, whiteout, &moved);
	if (err)
		return err;
	touch_ctime(from->at.inode);
	err = __ext4_mark_inode_dirty(h, from->at.inode, "ext4_rename");
	if (!err && !whiteout)
		err = drop_old_name(h, from, moved);
	if (err)
		return err;
	unlink_replaced(to->at.inode);
	ext4_dir_touch(from->at.dir);
	err = move_dir_links(h, from, to);
	if (!err)
		err = __ext4_mark_inode_dirty(h, from->at.dir, "ext4_rename");
	return err ? err : mark_replaced(h, to->at.inode);
}

/* The handle; with a whiteout, that of its inode, which is made in it. */
static int start(const struct end *from, const struct ext4_cred *whiteout_of, struct handle **h,
		 struct inode **whiteout)
{
	struct inode *dir = from->at.dir;
	struct ext4_fs *fs = dir->fs;
	int err;

	if (!whiteout_of)
		return __ext4_journal_start(fs, dir->ino, "ext4_rename", __LINE__, HT_DIR,
					    credits(fs), 0, h);
	err = ext4_new_inode_start_handle(dir, EXT4_S_IFCHR, NULL, 0, whiteout_of, HT_DIR,
					  credits(fs) + EXT4_NAMELESS_CREDITS, whiteout);
	if (!err)
		*h = ext4_journal_current_handle(fs);
	return err;
}

static int rename_found(struct end *from, struct end *to, const struct ext4_cred *whiteout_of)
{
	struct inode *whiteout = NULL;
	struct handle *h;
	int err = start(from, whiteout_of, &h, &whiteout), stop;

	if (err)
		return err;
	err = rename_in(h, from, to, whiteout);
	if (whiteout && err) {
		ext4_undo_new(h, whiteout);
	} else if (whiteout) {
		ext4_inode_unlock_new(whiteout);
		ext4_iput(whiteout);
	}
	ext4_sync_if_asked(h, from->at.dir);
	ext4_sync_if_asked(h, to->at.dir);
	stop = ext4_journal_stop(from->at.dir->fs, h);
	return err ? err : stop;
}

int ext4_rename(const struct ext4_rename_end *old, const struct ext4_rename_end *new,
		const struct ext4_cred *whiteout_of)
{
	struct end from = { 0 }, to = { 0 };
	int err;

	TRACE_SCOPE(old->dir->fs, ext4_rename);
	err = end_find(&from, old);
	if (!err)
		err = end_find(&to, new);
	/* Replaced by a rename: the new content goes out now, lest a crash leave neither. */
	if (!err && new->inode && old->dir->fs->opt.auto_da_alloc)
		ext4_alloc_da_blocks(old->inode);
	if (!err)
		err = rename_found(&from, &to, whiteout_of);
	end_put(&from);
	end_put(&to);
	return err;
}

/* ---- exchange */

static int check_exchange(struct handle *h, struct end *a, struct end *b)
{
	bool counts = a->at.dir != b->at.dir && a->is_dir != b->is_dir;
	int err;

	if (counts && ext4_dir_links_are_full(a->is_dir ? b->at.dir : a->at.dir))
		return -EMLINK;
	err = ext4_rename_dir_prepare(h, a);
	return err ? err : ext4_rename_dir_prepare(h, b);
}

/* A directory went against a file: one more here, one less there. */
static int ext4_update_dir_count(struct handle *h, struct inode *dir, int delta)
{
	TRACE_SCOPE(dir->fs, ext4_update_dir_count);
	ext4_change_dir_links(dir, delta);
	return ext4_mark_inode_dirty(h, dir);
}

static int exchange_links(struct handle *h, const struct end *a, const struct end *b)
{
	int delta = a->is_dir ? -1 : 1, err;

	if (a->at.dir == b->at.dir || a->is_dir == b->is_dir)
		return 0;
	err = ext4_update_dir_count(h, a->at.dir, delta);
	return err ? err : ext4_update_dir_count(h, b->at.dir, -delta);
}

static int exchange_in(struct handle *h, struct end *a, struct end *b)
{
	int err = check_exchange(h, a, b);

	if (!err)
		err = access_both(h, a, b);
	if (!err)
		err = ext4_setent(h, b, a->at.inode);
	if (!err)
		err = ext4_setent(h, a, b->at.inode);
	if (err)
		return err;
	touch_ctime(a->at.inode);
	touch_ctime(b->at.inode);
	err = __ext4_mark_inode_dirty(h, a->at.inode, "ext4_cross_rename");
	if (!err)
		err = __ext4_mark_inode_dirty(h, b->at.inode, "ext4_cross_rename");
	if (!err)
		err = rename_dir_finish(h, a, b->at.dir);
	if (!err)
		err = rename_dir_finish(h, b, a->at.dir);
	return err ? err : exchange_links(h, a, b);
}

int ext4_cross_rename(const struct ext4_rename_end *old, const struct ext4_rename_end *new)
{
	struct ext4_fs *fs = old->dir->fs;
	struct end a = { 0 }, b = { 0 };
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_cross_rename);
	err = end_find(&a, old);
	if (!err)
		err = end_find(&b, new);
	if (!err)
		err = ext4_journal_start(fs, old->dir->ino, HT_DIR, credits(fs) + 8, &h);
	if (!err) {
		err = exchange_in(h, &a, &b);
		ext4_sync_if_asked(h, old->dir);
		ext4_sync_if_asked(h, new->dir);
		stop = ext4_journal_stop(fs, h);
		err = err ? err : stop;
	}
	end_put(&a);
	end_put(&b);
	return err;
}
