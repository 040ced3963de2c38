/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door for damage, and the mount's messages.
 *
 * Damage is reported in one line (image, inode, block, why), remembered in the superblock (count,
 * first and last place, as e2fsck and the kernel read them), and answered as errors= says: go on,
 * change nothing any more, or stop the journal at once.
 */
#include <stdio.h>
#include <string.h>
#include "ext4/super.h"

void ext4_message(struct ext4_fs *fs, enum log_level level, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_message(fs->log, level, "%s: %s", fs->image_name, text);
}

/* The code that Linux writes for an errno. */
static uint8_t error_code(int err)
{
	switch (-err) {
	case EIO:
		return EXT4_ERR_EIO;
	case ENOMEM:
		return EXT4_ERR_ENOMEM;
	case EFSBADCRC:
		return EXT4_ERR_EFSBADCRC;
	case EFSCORRUPTED:
		return EXT4_ERR_EFSCORRUPTED;
	case ENOSPC:
		return EXT4_ERR_ENOSPC;
	case EROFS:
		return EXT4_ERR_EROFS;
	default:
		return EXT4_ERR_UNKNOWN;
	}
}

/* Not terminated when it fills the field. */
static void put_name(char field[32], const char *name)
{
	memset(field, 0, 32);
	memcpy(field, name, strnlen(name, 32));
}

static void remember(struct ext4_fs *fs, const char *function, uint64_t ino, uint64_t block,
		     int err)
{
	struct ext4_super_block *s = fs->super;
	int64_t now = clock_realtime(fs->clock) / NSEC_PER_SEC;

	s->s_state = le16_of(le16_get(s->s_state) | EXT4_ERROR_FS);
	if (!le32_get(s->s_error_count)) {
		s->s_first_error_time = le32_of((uint32_t)now);
		s->s_first_error_time_hi = (uint8_t)(now >> 32);
		s->s_first_error_ino = le32_of((uint32_t)ino);
		s->s_first_error_block = le64_of(block);
		s->s_first_error_errcode = error_code(err);
		put_name(s->s_first_error_func, function);
	}
	s->s_last_error_time = le32_of((uint32_t)now);
	s->s_last_error_time_hi = (uint8_t)(now >> 32);
	s->s_last_error_ino = le32_of((uint32_t)ino);
	s->s_last_error_block = le64_of(block);
	s->s_last_error_errcode = error_code(err);
	put_name(s->s_last_error_func, function);
	le32_add(&s->s_error_count, 1);
}

int ext4_error_at(struct ext4_fs *fs, const char *function, uint64_t ino, uint64_t block, int err,
		  const char *fmt, ...)
{
	char text[300], where[80] = "";
	int n = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ino)
		n = snprintf(where, sizeof(where), "inode %llu: ", (unsigned long long)ino);
	if (block)
		(void)snprintf(where + n, sizeof(where) - (size_t)n,
			       "block %llu: ", (unsigned long long)block);
	ext4_message(fs, LOG_ERROR, "%s%s%s (%s)", where, text,
		     err == -EFSBADCRC ? ": wrong checksum" : "", function);
	trace(fs, ext4_error, function, 0);
	if (fs->opt.read_only || !fs->super)
		return err;
	atomic_store(&fs->error_seen, true);
	mutex_lock(&fs->super_lock);
	remember(fs, function, ino, block, err);
	mutex_unlock(&fs->super_lock);
	if (fs->opt.errors != ERRORS_CONTINUE)
		atomic_store(&fs->read_only_now, true);
	if (fs->opt.errors == ERRORS_PANIC && fs->journal)
		jbd2_journal_abort(fs->journal, err);
	return err;
}

int ext4_writable(struct ext4_fs *fs)
{
	if (unlikely(atomic_load_explicit(&fs->shut_down, memory_order_relaxed)))
		return -EIO;
	if (unlikely(atomic_load_explicit(&fs->read_only_now, memory_order_relaxed)))
		return -EROFS;
	return 0;
}
