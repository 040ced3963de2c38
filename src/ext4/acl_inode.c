/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lists of rights of an inode (acl.h).
 *
 * A list is looked up at every step of every path, so it is read once and published in the inode:
 * read inside an epoch without a lock, replaced under inode->lock. NULL means that it was not read
 * yet, `no_list` that there is none.
 */
#include "base/assert.h"
#include "ext4/acl.h"
#include "ext4/xattr.h"

static const struct ext4_acl no_list;

static const struct ext4_xattr_name names[ACL_KINDS] = {
	[ACL_KIND_ACCESS] = { EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, "", 0 },
	[ACL_KIND_DEFAULT] = { EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT, "", 0 },
};

static void list_free(struct epoch_node *node)
{
	ext4_acl_free(container_of(node, struct ext4_acl, retire));
}

/* Takes the list over. */
static void publish(struct inode *inode, enum ext4_acl_kind kind, const struct ext4_acl *acl)
{
	const struct ext4_acl *old = atomic_exchange(&inode->acl[kind], acl);

	if (old && old != &no_list)
		epoch_retire(&((struct ext4_acl *)old)->retire, list_free);
}

void ext4_acl_forget(struct inode *inode)
{
	for (int kind = 0; kind < ACL_KINDS; kind++) {
		const struct ext4_acl *acl = atomic_load(&inode->acl[kind]);

		if (acl != &no_list)
			ext4_acl_free((struct ext4_acl *)acl);
	}
}

int ext4_acl_peek(struct inode *inode, enum ext4_acl_kind kind, const struct ext4_acl **out)
{
	const struct ext4_acl *acl = atomic_load_explicit(&inode->acl[kind], memory_order_acquire);

	if (!acl && ext4_xattr_any(inode))
		return -EAGAIN;
	*out = acl == &no_list ? NULL : acl;
	return 0;
}

/* Out of the table or the block; NULL: none. */
static int read_list(struct inode *inode, enum ext4_acl_kind kind, struct ext4_acl **out)
{
	struct arena *a = inode->fs->arena;
	int len = ext4_xattr_get(inode, &names[kind], NULL, 0), err;
	uint8_t *value;

	*out = NULL;
	if (len < 0)
		return len == -ENODATA ? 0 : len;
	value = arena_alloc(a, (size_t)len + 1);
	if (!value)
		return -ENOMEM;
	/* It may have become longer meanwhile: the caller comes again. */
	err = ext4_xattr_get(inode, &names[kind], value, (size_t)len + 1);
	if (err >= 0)
		err = ext4_acl_from_disk(a, value, (size_t)err, out);
	else if (err == -ENODATA)
		err = 0;
	arena_free(a, value);
	if (err == -EFSCORRUPTED)
		return ext4_error(inode->fs, inode->ino, inode->file_acl, "its list of rights is none");
	return err;
}

/*
 * What was read is published only if nobody has set another list since: who sets one publishes it,
 * and here only NULL is replaced.
 */
int ext4_acl_load(struct inode *inode, enum ext4_acl_kind kind)
{
	const struct ext4_acl *unknown = NULL;
	struct ext4_acl *acl;
	int err;

	do
		err = read_list(inode, kind, &acl);
	while (err == -ERANGE);
	if (err)
		return err;
	if (!atomic_compare_exchange_strong(&inode->acl[kind], &unknown, acl ? acl : &no_list))
		ext4_acl_free(acl);
	return 0;
}

int ext4_acl_get(struct inode *inode, enum ext4_acl_kind kind, struct ext4_acl **out)
{
	const struct ext4_acl *acl;
	int err;

	*out = NULL;
	for (;;) {
		epoch_enter();
		err = ext4_acl_peek(inode, kind, &acl);
		if (!err && acl) {
			*out = ext4_acl_copy(acl);
			err = *out ? 0 : -ENOMEM;
		}
		epoch_leave();
		if (err != -EAGAIN)
			return err;
		err = ext4_acl_load(inode, kind);
		if (err)
			return err;
	}
}

/* ---- changes */

static int write_list(struct handle *h, struct inode *inode, enum ext4_acl_kind kind,
		      const struct ext4_acl *acl)
{
	size_t len = acl ? ext4_acl_disk_size(acl) : 0;
	struct ext4_acl *kept = acl ? ext4_acl_copy(acl) : NULL;
	uint8_t *value = acl ? arena_alloc(inode->fs->arena, len) : NULL;
	int err = -ENOMEM;

	if (!acl || (value && kept)) {
		if (acl)
			ext4_acl_to_disk(acl, value);
		err = ext4_xattr_set_handle(h, inode, &names[kind], value, len, 0);
	}
	if (!err) {
		publish(inode, kind, kept ? kept : &no_list);
		kept = NULL;
	}
	ext4_acl_free(kept);
	arena_free(inode->fs->arena, value);
	return err;
}

static int set_in(struct handle *h, struct inode *inode, enum ext4_acl_kind kind,
		  const struct ext4_acl *acl, const uint16_t *mode)
{
	struct ext4_time now = ext4_current_time(inode->fs);
	int err = write_list(h, inode, kind, acl);

	if (err || !mode)
		return err;
	attr_write_begin(inode);
	inode->mode = *mode;
	inode->ctime = now;
	attr_write_end(inode);
	return __ext4_mark_inode_dirty(h, inode, "ext4_set_acl");
}

/* `mode` NULL: as it is. */
static int ext4_set_acl(struct inode *inode, enum ext4_acl_kind kind, const struct ext4_acl *acl,
			const uint16_t *mode)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int retries = 0, err, stop;

	TRACE_SCOPE(fs, ext4_set_acl);
	do {
		err = ext4_journal_start(fs, inode->ino, HT_XATTR, ext4_name_credits(fs), &h);
		if (err)
			return err;
		err = set_in(h, inode, kind, acl, mode);
		stop = ext4_journal_stop(fs, h);
		err = err ? err : stop;
	} while (err == -ENOSPC && ext4_should_retry_alloc(fs, &retries));
	return err;
}

int ext4_acl_set(struct inode *inode, enum ext4_acl_kind kind, const struct ext4_acl *acl,
		 bool drop_sgid)
{
	uint16_t mode = inode->mode;

	if (kind == ACL_KIND_DEFAULT)
		return ext4_set_acl(inode, kind, acl, NULL);
	if (!acl)
		return ext4_set_acl(inode, kind, NULL, NULL);
	if (ext4_acl_to_mode(acl, &mode))
		acl = NULL;
	if (drop_sgid)
		mode = (uint16_t)(mode & ~02000);
	return ext4_set_acl(inode, kind, acl, &mode);
}

int ext4_acl_follow_mode(struct inode *inode)
{
	struct ext4_acl *acl;
	int err;

	if (EXT4_S_ISLNK(inode->mode))
		return 0;
	err = ext4_acl_get(inode, ACL_KIND_ACCESS, &acl);
	if (err || !acl)
		return err;
	ext4_acl_chmod(acl, inode->mode);
	err = ext4_set_acl(inode, ACL_KIND_ACCESS, acl, NULL);
	ext4_acl_free(acl);
	return err;
}

/* ---- new inodes */

static void set_mode(struct inode *inode, uint16_t mode)
{
	attr_write_begin(inode);
	inode->mode = mode;
	attr_write_end(inode);
}

int ext4_acl_inherit(struct handle *h, struct inode *inode, struct inode *dir,
		     const struct ext4_cred *cred)
{
	uint16_t mode = inode->mode;
	struct ext4_acl *acl;
	bool plain;
	int err;

	if (EXT4_S_ISLNK(mode))
		return 0;
	err = ext4_acl_get(dir, ACL_KIND_DEFAULT, &acl);
	if (err)
		return err;
	if (!acl) {
		set_mode(inode, (uint16_t)(mode & ~cred->umask));
		return 0;
	}
	err = ext4_put_inode(h, inode); /* its place in the table is made before lists go there */
	if (!err && EXT4_S_ISDIR(mode))
		err = write_list(h, inode, ACL_KIND_DEFAULT, acl);
	plain = ext4_acl_restrict(acl, &mode);
	set_mode(inode, mode);
	if (!err && !plain)
		err = write_list(h, inode, ACL_KIND_ACCESS, acl);
	ext4_acl_free(acl);
	return err;
}
