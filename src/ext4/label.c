/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file system is called: its label and its UUID, in the superblock and in each copy of it.
 *
 * Each superblock is changed with a handle of its own, the one in use first: after a crash it has
 * the old name or the new one, and copies may lag behind. A copy that is no superblock is left
 * alone. The checksums of group descriptors begin with the UUID, and so do all others without a
 * seed of their own; where there are such the UUID stays what it is.
 */
#include "ext4/whole.h"

#include <string.h>
#include "ext4/csum.h"
#include "ext4/feature.h"
#include "ext4/kinds.h"

typedef void change_fn(struct ext4_super_block *s, const uint8_t value[16]);

static void set_label(struct ext4_super_block *s, const uint8_t value[16])
{
	memcpy(s->s_volume_name, value, sizeof(s->s_volume_name));
}

static void set_uuid(struct ext4_super_block *s, const uint8_t value[16])
{
	memcpy(s->s_uuid, value, sizeof(s->s_uuid));
}

/* `s` lies in `b`. */
static int change(struct ext4_fs *fs, struct buffer *b, struct ext4_super_block *s, change_fn *fn,
		  const uint8_t value[16])
{
	struct handle *h;
	int err = ext4_journal_start(fs, 0, HT_MISC, 1, &h), stop;

	if (err)
		return err;
	err = ext4_journal_get_write_access(fs, h, b);
	if (!err) {
		mutex_lock(&fs->super_lock);
		fn(s, value);
		ext4_super_csum_set(s); /* a copy is known by it, also before it is written */
		mutex_unlock(&fs->super_lock);
		err = ext4_handle_dirty_metadata(fs, h, 0, b);
	}
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

static int change_copy(struct ext4_fs *fs, ext4_group_t group, change_fn *fn,
		       const uint8_t value[16])
{
	struct ext4_super_block *s;
	autobuffer b = NULL;
	int err = buffer_read(fs->buffers, ext4_group_first_block(&fs->geo, group),
			      &ext4_kind_super, NULL, &b);

	if (err)
		return err;
	s = (void *)b->data;
	if (le16_get(s->s_magic) != EXT4_SUPER_MAGIC || !ext4_super_csum_ok(s)) {
		ext4_message(fs, LOG_WARNING, "the superblock's copy in group %u is none", group);
		return 0;
	}
	return change(fs, b, s, fn, value);
}

static int change_all(struct ext4_fs *fs, change_fn *fn, const uint8_t value[16])
{
	int err = ext4_writable(fs);

	if (!err)
		err = change(fs, fs->super_buffer, fs->super, fn, value);
	for (ext4_group_t g = 1; g < fs->geo.groups_count && !err; g++)
		if (ext4_group_has_super(&fs->geo, g) &&
		    ext4_group_first_block(&fs->geo, g) != fs->geo.super_block)
			err = change_copy(fs, g, fn, value);
	return err;
}

void ext4_get_label(struct ext4_fs *fs, char label[EXT4_LABEL_MAX + 1])
{
	mutex_lock(&fs->super_lock);
	memcpy(label, fs->super->s_volume_name, EXT4_LABEL_MAX);
	mutex_unlock(&fs->super_lock);
	label[EXT4_LABEL_MAX] = '\0';
}

int ext4_set_label(struct ext4_fs *fs, const char *label)
{
	uint8_t value[EXT4_LABEL_MAX] = { 0 };
	size_t len = strlen(label);

	if (len > sizeof(value))
		return -EINVAL;
	memcpy(value, label, len);
	return change_all(fs, set_label, value);
}

void ext4_get_uuid(struct ext4_fs *fs, uint8_t uuid[16])
{
	mutex_lock(&fs->super_lock);
	memcpy(uuid, fs->super->s_uuid, 16);
	mutex_unlock(&fs->super_lock);
}

int ext4_set_uuid(struct ext4_fs *fs, const uint8_t uuid[16])
{
	const struct ext4_super_block *s = fs->super;

	if ((ext4_has_group_csum(s) || ext4_has_metadata_csum(s)) &&
	    !ext4_has_incompat(s, EXT4_FEATURE_INCOMPAT_CSUM_SEED))
		return -EOPNOTSUPP;
	if (ext4_has_compat(s, EXT4_FEATURE_COMPAT_STABLE_INODES))
		return -EOPNOTSUPP;
	return change_all(fs, set_uuid, uuid);
}
