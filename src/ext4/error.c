/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door for damage, and the mount's messages.
 *
 * Damage is reported in one line (image, inode, block, why), remembered in the superblock (count,
 * first and last place, as e2fsck and the kernel read them), and answered as errors= says: go on;
 * change nothing any more (the journal stops at once, what had not committed is lost, and the next
 * mount replays what had); or be dead, which is a library's panic.
 *
 * Whoever meets damage may hold any lock, so nothing is written here: what is to be remembered is
 * noted in fs->errors_new, and the flusher writes it down (ext4_errors_store), with a handle as any
 * change of the superblock. When the journal has stopped, or there is none, it is written directly:
 * into the superblock as the device has it, for the one in memory may hold what never committed.
 */
#include <stdio.h>
#include <string.h>
#include "ext4/csum.h"
#include "ext4/data.h"
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

/* ---- remembering */

static void note(struct ext4_fs *fs, const struct ext4_error_place *place)
{
	struct ext4_error_record *r = &fs->errors_new;

	guard(&fs->super_lock);
	if (!r->count++)
		r->first = *place;
	r->last = *place;
}

static void put_first(struct ext4_super_block *s, const struct ext4_error_place *p)
{
	s->s_first_error_time = le32_of((uint32_t)p->time_s);
	s->s_first_error_time_hi = (uint8_t)(p->time_s >> 32);
	s->s_first_error_ino = le32_of((uint32_t)p->ino);
	s->s_first_error_block = le64_of(p->block);
	s->s_first_error_line = le32_of(p->line);
	s->s_first_error_errcode = p->code;
	put_name(s->s_first_error_func, p->function);
}

static void put_last(struct ext4_super_block *s, const struct ext4_error_place *p)
{
	s->s_last_error_time = le32_of((uint32_t)p->time_s);
	s->s_last_error_time_hi = (uint8_t)(p->time_s >> 32);
	s->s_last_error_ino = le32_of((uint32_t)p->ino);
	s->s_last_error_block = le64_of(p->block);
	s->s_last_error_line = le32_of(p->line);
	s->s_last_error_errcode = p->code;
	put_name(s->s_last_error_func, p->function);
}

static void put_record(struct ext4_super_block *s, const struct ext4_error_record *r)
{
	s->s_state = le16_of(le16_get(s->s_state) | EXT4_ERROR_FS);
	if (!r->count)
		return;
	if (!le32_get(s->s_error_count))
		put_first(s, &r->first);
	put_last(s, &r->last);
	le32_add(&s->s_error_count, r->count);
}

/* ---- writing it down */

static int store_with_handle(struct ext4_fs *fs, const struct ext4_error_record *r)
{
	struct handle *h;
	int err = ext4_journal_start(fs, 0, HT_MISC, 1, &h), stop;

	if (err)
		return err;
	err = ext4_journal_get_write_access(fs, h, fs->super_buffer);
	if (!err) {
		put_record(fs->super, r);
		err = ext4_handle_dirty_metadata(fs, h, 0, fs->super_buffer);
	}
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* The superblock as it lies on the device, and only what was met. */
static int store_on_device(struct ext4_fs *fs, const struct ext4_error_record *r)
{
	struct ext4_super_block s;
	uint64_t at = fs->geo.super_block ? fs->geo.super_block * fs->geo.block_size
					  : EXT4_SUPER_OFFSET;
	int err = block_read(fs->device, at, &s, sizeof(s));

	if (err)
		return err;
	if (le16_get(s.s_magic) != EXT4_SUPER_MAGIC || !ext4_super_csum_ok(&s))
		return -EFSBADCRC;
	put_record(&s, r);
	ext4_super_csum_set(&s);
	return block_write(fs->device, at, &s, sizeof(s), BLOCK_FUA | BLOCK_META);
}

static int store_in_place(struct ext4_fs *fs, const struct ext4_error_record *r)
{
	mutex_lock(&fs->super_lock);
	put_record(fs->super, r);
	mutex_unlock(&fs->super_lock);
	return ext4_commit_super(fs, true);
}

void ext4_errors_store(struct ext4_fs *fs)
{
	struct ext4_error_record r;
	bool stopped = fs->journal && jbd2_journal_errno(fs->journal);
	int err;

	if (!atomic_load(&fs->errors_pending) || ext4_is_frozen(fs))
		return;
	atomic_store(&fs->errors_pending, false);
	mutex_lock(&fs->super_lock);
	r = fs->errors_new;
	fs->errors_new.count = 0;
	mutex_unlock(&fs->super_lock);
	if (stopped) {
		jbd2_journal_record_abort(fs->journal);
		err = store_on_device(fs, &r);
	} else if (fs->journal && !atomic_load(&fs->read_only_now)) {
		err = store_with_handle(fs, &r);
	} else {
		err = store_in_place(fs, &r); /* no transaction holds it */
	}
	if (err)
		ext4_message(fs, LOG_ERROR, "the superblock does not know of it: error %d", -err);
}

/* ---- kept over a replay */

void ext4_errors_save(const struct ext4_super_block *s, struct ext4_super_errors *out)
{
	memcpy(out->bytes, &s->s_error_count, sizeof(out->bytes));
	out->time_hi[0] = s->s_first_error_time_hi;
	out->time_hi[1] = s->s_last_error_time_hi;
	out->code[0] = s->s_first_error_errcode;
	out->code[1] = s->s_last_error_errcode;
	out->count = le32_get(s->s_error_count);
}

void ext4_errors_restore(struct ext4_super_block *s, const struct ext4_super_errors *saved)
{
	if (saved->count <= le32_get(s->s_error_count))
		return;
	memcpy(&s->s_error_count, saved->bytes, sizeof(saved->bytes));
	s->s_first_error_time_hi = saved->time_hi[0];
	s->s_last_error_time_hi = saved->time_hi[1];
	s->s_first_error_errcode = saved->code[0];
	s->s_last_error_errcode = saved->code[1];
	s->s_state = le16_of(le16_get(s->s_state) | EXT4_ERROR_FS);
}

/* ---- what follows */

void ext4_abort(struct ext4_fs *fs, int err)
{
	atomic_store(&fs->error_seen, true);
	if (fs->journal && jbd2_journal_abort_quietly(fs->journal, err))
		ext4_message(fs, LOG_ERROR, "nothing is changed any more");
	atomic_store(&fs->read_only_now, true);
	atomic_store(&fs->errors_pending, true);
	ext4_flusher_wake_for_errors(fs);
}

static void act(struct ext4_fs *fs)
{
	enum ext4_errors how = fs->opt.errors;

	atomic_store(&fs->error_seen, true);
	atomic_store(&fs->errors_pending, true);
	if (how == ERRORS_PANIC && !atomic_exchange(&fs->shut_down, true))
		ext4_message(fs, LOG_ERROR, "errors=panic: this mount is dead, each call answers EIO");
	if (how == ERRORS_CONTINUE)
		ext4_flusher_wake_for_errors(fs);
	else
		ext4_abort(fs, -EIO);
}

int ext4_error_in(struct ext4_fs *fs, const char *function, uint32_t line, uint64_t ino,
		  uint64_t block, int err, const char *fmt, ...)
{
	struct ext4_error_place place = {
		.time_s = clock_realtime(fs->clock) / NSEC_PER_SEC,
		.ino = ino,
		.block = block,
		.function = function,
		.line = line,
		.code = error_code(err),
	};
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
	trace(fs, ext4_error, function, line);
	if (fs->opt.read_only || !fs->super)
		return err;
	note(fs, &place);
	act(fs);
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
