/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls on the file system as a whole. They are the administrator's: -EPERM for anybody else. Linux
 * 4.9 has no fsmap, no checkpoint, and sets no label.
 */
#include "vfs/internal.h"

static int must_be_root(const struct vfs *v)
{
	return vfs_is_root(v) ? 0 : -EPERM;
}

int vfs_freeze(struct vfs *v)
{
	int err = must_be_root(v);

	return err ? err : ext4_freeze(v->fs);
}

int vfs_thaw(struct vfs *v)
{
	int err = must_be_root(v);

	return err ? err : ext4_thaw(v->fs);
}

int vfs_shutdown(struct vfs *v, enum ext4_shutdown how)
{
	int err = must_be_root(v);

	return err ? err : ext4_shutdown(v->fs, how);
}

int vfs_checkpoint(struct vfs *v, uint32_t flags)
{
	int err = must_be_root(v);

	if (v->fs->opt.dialect == DIALECT_4_9)
		return -ENOTTY;
	return err ? err : ext4_checkpoint(v->fs, flags);
}

int vfs_fstrim(struct vfs *v, uint64_t start, uint64_t len, uint64_t least, uint64_t *trimmed)
{
	int err = must_be_root(v);

	TRACE_SCOPE(v->fs, ext4_ioctl);
	return err ? err : ext4_trim_fs(v->fs, start, len, least, trimmed);
}

int vfs_fsmap(struct vfs *v, uint64_t low, uint64_t high, ext4_mapping_fn fn, void *arg)
{
	int err = must_be_root(v);

	if (v->fs->opt.dialect == DIALECT_4_9)
		return -ENOTTY;
	return err ? err : ext4_fsmap(v->fs, low, high, fn, arg);
}

/* Who may name it, begins; 0: ext4_end_change follows. */
static int begin_naming(struct vfs *v, unsigned *at)
{
	int err = must_be_root(v);

	if (v->fs->opt.dialect == DIALECT_4_9)
		return -ENOTTY;
	return err ? err : ext4_begin_change(v->fs, at);
}

int vfs_setlabel(struct vfs *v, const char *label)
{
	unsigned at;
	int err = begin_naming(v, &at);

	if (err)
		return err;
	err = ext4_set_label(v->fs, label);
	ext4_end_change(v->fs, at);
	return err;
}

int vfs_setuuid(struct vfs *v, const uint8_t uuid[16])
{
	unsigned at;
	int err = begin_naming(v, &at);

	if (err)
		return err;
	err = ext4_set_uuid(v->fs, uuid);
	ext4_end_change(v->fs, at);
	return err;
}

int vfs_getlabel(struct vfs *v, char label[EXT4_LABEL_MAX + 1])
{
	ext4_get_label(v->fs, label);
	return 0;
}

int vfs_getuuid(struct vfs *v, uint8_t uuid[16])
{
	ext4_get_uuid(v->fs, uuid);
	return 0;
}
