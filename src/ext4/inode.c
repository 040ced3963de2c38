/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inodes and the inode table: reading one out of its block, putting one back into it, time stamps.
 *
 * ext4_mark_inode_dirty is the one way back: it takes write access to the table's block, copies the
 * attributes in under attr_lock, with the checksum, and hands the block to the journal. Nothing of
 * an inode is "dirty in memory" after that, so an idle inode can be dropped at any time.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/inode_internal.h"
#include "ext4/kinds.h"
#include "ext4/verify.h"

/* ---- where it lies */

/*
 * True when no inode but `ino` of its table block is in use: then there is nothing worth reading.
 */
static bool alone_in_block(struct ext4_fs *fs, struct ext4_group *g, uint32_t ino)
{
	uint32_t index = (ino - 1) % fs->geo.inodes_per_group;
	uint32_t first = index - index % fs->geo.inodes_per_block;
	struct buffer *bits = buffer_find(fs->buffers, g->inode_bitmap);
	bool alone = bits && atomic_load(&bits->state) & BUFFER_UPTODATE;

	for (uint32_t i = first; alone && i < first + fs->geo.inodes_per_block; i++)
		alone = i == index || !(bits->data[i / 8] >> i % 8 & 1);
	buffer_put(bits);
	return alone;
}

/*
 * The table block of a new inode, made instead of read where nothing in it is in use. Two new inodes of one block
 * may come at once: the group's lock lets one make it. *out NULL: it must be read.
 */
static int table_block_create(struct ext4_fs *fs, struct ext4_group *g, uint32_t ino, ext4_fsblk_t block,
			      struct buffer **out)
{
	struct buffer_owner owner = { 0, fs->geo.csum_seed };

	guard(&g->lock);
	*out = buffer_find(fs->buffers, block);
	if (*out && atomic_load_explicit(&(*out)->state, memory_order_acquire) & BUFFER_UPTODATE)
		return 0;
	buffer_put(*out);
	*out = NULL;
	if (!alone_in_block(fs, g, ino))
		return 0;
	return buffer_create(fs->buffers, block, &ext4_kind_inode_table, &owner, out);
}

static int inode_loc(struct ext4_fs *fs, uint32_t ino, bool fresh, struct buffer **out,
		     uint32_t *offset)
{
	struct buffer_owner owner = { 0, fs->geo.csum_seed };
	struct ext4_group *g;
	uint32_t index = (ino - 1) % fs->geo.inodes_per_group;
	ext4_fsblk_t block;
	struct buffer *b;
	int err = ext4_group_get(fs, ext4_group_of_inode(&fs->geo, ino), &g);

	TRACE_SCOPE(fs, __ext4_get_inode_loc);
	if (err)
		return err;
	block = g->inode_table + index / fs->geo.inodes_per_block;
	*offset = index % fs->geo.inodes_per_block * fs->geo.inode_size;
	b = buffer_find(fs->buffers, block);
	if (b && atomic_load_explicit(&b->state, memory_order_acquire) & BUFFER_UPTODATE) {
		*out = b;
		return 0;
	}
	buffer_put(b);
	if (fresh) {
		err = table_block_create(fs, g, ino, block, out);
		if (err || *out)
			return err;
	}
	trace(fs, ext4_load_inode, ino);
	return buffer_read(fs->buffers, block, &ext4_kind_inode_table, &owner, out);
}

int ext4_get_inode_loc(struct ext4_fs *fs, uint32_t ino, struct buffer **out, uint32_t *offset)
{
	return inode_loc(fs, ino, false, out, offset);
}

/* ---- times: 34 bits of signed seconds and 30 of nanoseconds, or 32 bits of seconds alone */

static bool has_extra(const struct inode *i, size_t end)
{
	return i->fs->geo.inode_size > EXT4_GOOD_OLD_INODE_SIZE &&
	       EXT4_GOOD_OLD_INODE_SIZE + i->extra_isize >= end;
}
#define HAS_FIELD(i, field) \
	has_extra(i, offsetof(struct ext4_inode, field) + sizeof(((struct ext4_inode *)0)->field))

static struct ext4_time time_from_disk(le32 sec, uint32_t extra)
{
	return (struct ext4_time){ (int32_t)le32_get(sec) + ((int64_t)(extra & 3) << 32),
				   min(extra >> 2, 999999999u) };
}

static uint32_t time_extra(struct ext4_time t)
{
	return (uint32_t)((t.sec - (int32_t)t.sec) >> 32 & 3) | t.nsec << 2;
}

/* ---- out of the table */

static uint64_t blocks_from_disk(const struct ext4_fs *fs, const struct ext4_inode *raw)
{
	uint64_t n = le32_get(raw->i_blocks_lo);

	if (!(fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE))
		return n;
	n |= (uint64_t)le16_get(raw->l_i_blocks_high) << 32;
	return le32_get(raw->i_flags) & EXT4_HUGE_FILE_FL ? n << (fs->geo.block_bits - 9) : n;
}

static void times_from_disk(struct inode *i, const struct ext4_inode *raw)
{
	i->ctime = time_from_disk(raw->i_ctime,
				  HAS_FIELD(i, i_ctime_extra) ? le32_get(raw->i_ctime_extra) : 0);
	i->mtime = time_from_disk(raw->i_mtime,
				  HAS_FIELD(i, i_mtime_extra) ? le32_get(raw->i_mtime_extra) : 0);
	i->atime = time_from_disk(raw->i_atime,
				  HAS_FIELD(i, i_atime_extra) ? le32_get(raw->i_atime_extra) : 0);
	if (HAS_FIELD(i, i_crtime))
		i->crtime = time_from_disk(raw->i_crtime, HAS_FIELD(i, i_crtime_extra)
								  ? le32_get(raw->i_crtime_extra)
								  : 0);
}

/* Devices: the old form (8 and 8 bits) in the first word, else the new one in the second. */
static void rdev_from_disk(struct inode *i)
{
	uint32_t old = le32_get(i->i_data[0]), now = le32_get(i->i_data[1]);

	if (old) {
		i->rdev_major = old >> 8 & 0xff;
		i->rdev_minor = old & 0xff;
	} else {
		i->rdev_major = now >> 8 & 0xfff;
		i->rdev_minor = (now & 0xff) | (now >> 12 & 0xfff00);
	}
}

static void from_disk(struct inode *i, const struct ext4_inode *raw)
{
	struct ext4_fs *fs = i->fs;

	i->generation = le32_get(raw->i_generation);
	i->csum_seed = ext4_inode_csum_seed(&fs->geo, i->ino, i->generation);
	i->mode = le16_get(raw->i_mode);
	i->uid = le16_get(raw->i_uid) | (uint32_t)le16_get(raw->l_i_uid_high) << 16;
	i->gid = le16_get(raw->i_gid) | (uint32_t)le16_get(raw->l_i_gid_high) << 16;
	i->nlink = le16_get(raw->i_links_count);
	i->flags = le32_get(raw->i_flags);
	i->size = le32_get(raw->i_size_lo);
	if (EXT4_S_ISREG(i->mode) || EXT4_S_ISDIR(i->mode))
		i->size |= (uint64_t)le32_get(raw->i_size_high) << 32;
	i->disk_size = i->size;
	i->blocks = blocks_from_disk(fs, raw);
	i->file_acl = ext4_raw_file_acl(&fs->geo, raw);
	i->dtime_or_next_orphan = le32_get(raw->i_dtime);
	memcpy(i->i_data, raw->i_block, sizeof(i->i_data));
	if (fs->geo.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
		i->extra_isize = le16_get(raw->i_extra_isize);
	i->version = le32_get(raw->l_i_version);
	if (HAS_FIELD(i, i_version_hi))
		i->version |= (uint64_t)le32_get(raw->i_version_hi) << 32;
	times_from_disk(i, raw);
	if ((i->mode & EXT4_S_IFMT) == EXT4_S_IFCHR || (i->mode & EXT4_S_IFMT) == EXT4_S_IFBLK)
		rdev_from_disk(i);
}

int ext4_inode_load(struct inode *i, enum iget_flags flags)
{
	struct ext4_fs *fs = i->fs;
	struct ext4_verdict why = { 0 };
	const struct ext4_inode *raw;
	uint32_t offset;
	autobuffer b = NULL;
	int err = inode_loc(fs, i->ino, false, &b, &offset);

	if (err)
		return err;
	raw = (const void *)(b->data + offset);
	if (!le16_get(raw->i_links_count) && (!le16_get(raw->i_mode) || flags == IGET_HANDLE))
		return flags == IGET_HANDLE || flags == IGET_SPECIAL
			       ? -ESTALE
			       : ext4_error(fs, i->ino, b->block,
					    "a name leads to an inode that is free");
	err = ext4_verify_inode(&fs->geo, i->ino, raw, &why);
	if (err)
		return ext4_error_at(fs, __func__, i->ino, b->block, err, "%s", why.reason);
	from_disk(i, raw);
	jbd2_inode_init(&i->jinode, i->ino, i);
	return i->flags & EXT4_EXTENTS_FL ? ext4_ext_check_root(i) : 0;
}

int ext4_inode_usable(struct inode *i, enum iget_flags flags)
{
	if (i->nlink || flags == IGET_SPECIAL)
		return 0;
	ext4_iput(i);
	return -ESTALE;
}

void ext4_inode_forget(struct inode *i)
{
	ext4_flusher_forget(i);
	ext4_lazytime_forget(i);
	ext4_es_clear(i);
	if (i->fs->journal)
		jbd2_journal_release_inode(i->fs->journal, &i->jinode);
}

/* ---- into the table */

static void blocks_to_disk(struct inode *i, struct ext4_inode *raw)
{
	uint64_t n = i->blocks;
	bool huge = n >> 48;

	if (huge != !!(i->flags & EXT4_HUGE_FILE_FL))
		i->flags ^= EXT4_HUGE_FILE_FL;
	if (huge)
		n >>= i->fs->geo.block_bits - 9;
	raw->i_blocks_lo = le32_of((uint32_t)n);
	raw->l_i_blocks_high = le16_of((uint16_t)(n >> 32));
}

static void times_to_disk(const struct inode *i, struct ext4_inode *raw)
{
	raw->i_ctime = le32_of((uint32_t)i->ctime.sec);
	raw->i_mtime = le32_of((uint32_t)i->mtime.sec);
	raw->i_atime = le32_of((uint32_t)i->atime.sec);
	if (HAS_FIELD(i, i_ctime_extra))
		raw->i_ctime_extra = le32_of(time_extra(i->ctime));
	if (HAS_FIELD(i, i_mtime_extra))
		raw->i_mtime_extra = le32_of(time_extra(i->mtime));
	if (HAS_FIELD(i, i_atime_extra))
		raw->i_atime_extra = le32_of(time_extra(i->atime));
	if (HAS_FIELD(i, i_crtime_extra)) {
		raw->i_crtime = le32_of((uint32_t)i->crtime.sec);
		raw->i_crtime_extra = le32_of(time_extra(i->crtime));
	}
}

static void to_disk(struct inode *i, struct ext4_inode *raw)
{
	blocks_to_disk(i, raw);
	raw->i_mode = le16_of(i->mode);
	raw->i_uid = le16_of((uint16_t)i->uid);
	raw->i_gid = le16_of((uint16_t)i->gid);
	raw->l_i_uid_high = le16_of((uint16_t)(i->uid >> 16));
	raw->l_i_gid_high = le16_of((uint16_t)(i->gid >> 16));
	raw->i_links_count = le16_of((uint16_t)i->nlink);
	raw->i_flags = le32_of(i->flags);
	raw->i_size_lo = le32_of((uint32_t)i->disk_size);
	raw->i_size_high = le32_of((uint32_t)(i->disk_size >> 32));
	raw->i_dtime = le32_of(i->dtime_or_next_orphan);
	raw->i_generation = le32_of(i->generation);
	raw->i_file_acl_lo = le32_of((uint32_t)i->file_acl);
	raw->l_i_file_acl_high = le16_of((uint16_t)(i->file_acl >> 32)); /* 0 without 64bit */
	memcpy(raw->i_block, i->i_data, sizeof(i->i_data));
	raw->l_i_version = le32_of((uint32_t)i->version);
	if (HAS_FIELD(i, i_version_hi))
		raw->i_version_hi = le32_of((uint32_t)(i->version >> 32));
	times_to_disk(i, raw);
}

/*
 * Copies it in, and `tail` (or NULL) behind its fields; true when its size on disk changed, which fdatasync must
 * see.
 */
static bool fill_raw(struct inode *i, struct ext4_inode *raw, const uint8_t *tail)
{
	struct ext4_fs *fs = i->fs;
	uint64_t old_size;

	guard(&i->attr_lock);
	old_size = le32_get(raw->i_size_lo) | (uint64_t)le32_get(raw->i_size_high) << 32;
	if (atomic_load_explicit(&i->state, memory_order_relaxed) & INODE_FRESH) {
		memset(raw, 0, fs->geo.inode_size);
		if (fs->geo.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
			raw->i_extra_isize = le16_of(i->extra_isize);
		atomic_fetch_and(&i->state, ~INODE_FRESH);
	}
	to_disk(i, raw);
	if (tail) {
		uint32_t at = EXT4_GOOD_OLD_INODE_SIZE + i->extra_isize;

		memcpy((uint8_t *)raw + at, tail, fs->geo.inode_size - at);
	}
	ext4_inode_csum_set(&fs->geo, i->ino, raw);
	return old_size != i->disk_size;
}

void ext4_update_fsync_trans(struct handle *h, struct inode *i, bool datasync)
{
	tid_t tid;

	if (!h->journal)
		return;
	tid = handle_tid(h);
	atomic_store_explicit(&i->sync_tid, tid, memory_order_relaxed);
	if (datasync)
		atomic_store_explicit(&i->datasync_tid, tid, memory_order_relaxed);
}

/* Files that come to be above 2 GiB want the feature that says so; who makes them larger has a credit for it. */
static int want_large_file(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	int err;

	if (likely(i->disk_size <= 0x7fffffff) || !EXT4_S_ISREG(i->mode) ||
	    le32_get(fs->super->s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_LARGE_FILE)
		return 0;
	err = ext4_journal_get_write_access(fs, h, fs->super_buffer);
	if (err)
		return err;
	mutex_lock(&fs->super_lock);
	fs->super->s_feature_ro_compat = le32_of(le32_get(fs->super->s_feature_ro_compat) |
						 EXT4_FEATURE_RO_COMPAT_LARGE_FILE);
	mutex_unlock(&fs->super_lock);
	return ext4_handle_dirty_metadata(fs, h, 0, fs->super_buffer);
}

/* Its place in the table; the block is the handle's. */
static int ext4_reserve_inode_write(struct handle *h, struct inode *i, struct buffer **b,
				    uint32_t *offset)
{
	int err = inode_loc(i->fs, i->ino, atomic_load(&i->state) & INODE_FRESH, b, offset);

	return err ? err : ext4_journal_get_write_access(i->fs, h, *b);
}

int ext4_inode_get_write_access(struct handle *h, struct inode *i)
{
	uint32_t offset;
	autobuffer b = NULL;

	return ext4_reserve_inode_write(h, i, &b, &offset);
}

int ext4_put_inode_tail(struct handle *h, struct inode *i, const uint8_t *tail)
{
	struct ext4_fs *fs = i->fs;
	uint32_t offset;
	autobuffer b = NULL;
	bool resized;
	int err = ext4_reserve_inode_write(h, i, &b, &offset);

	if (err)
		return err;
	/* An fsync that finds no stamps to write must know which commit has them: that comes first. */
	ext4_update_fsync_trans(h, i, false);
	ext4_lazytime_forget(i);
	resized = fill_raw(i, (void *)(b->data + offset), tail);
	err = ext4_handle_dirty_metadata(fs, h, i->ino, b);
	if (err || !resized)
		return err;
	ext4_update_fsync_trans(h, i, true);
	return want_large_file(h, i);
}

int ext4_put_inode(struct handle *h, struct inode *i)
{
	return ext4_put_inode_tail(h, i, NULL);
}

int __ext4_mark_inode_dirty(struct handle *h, struct inode *i, const char *caller)
{
	TRACE_SCOPE(i->fs, ext4_mark_inode_dirty);
	trace(i->fs, ext4_mark_inode_dirty, i->ino, caller);
	return ext4_put_inode(h, i);
}

int ext4_dirty_inode(struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_dirty_inode);
	err = ext4_journal_start(fs, i->ino, HT_INODE, 2, &h);
	if (err)
		return err;
	err = ext4_mark_inode_dirty(h, i);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* ---- attributes */

/* The copy may be torn by a writer: then it is taken again. */
racy_reader static void copy_attributes(const struct inode *i, struct ext4_attributes *out)
{
	const volatile struct inode *v = i;

	out->ino = v->ino;
	out->generation = v->generation;
	out->mode = v->mode;
	out->uid = v->uid;
	out->gid = v->gid;
	out->nlink = v->nlink;
	out->flags = v->flags;
	out->size = v->size;
	out->blocks = v->blocks + ((uint64_t)v->reserved_blocks << (v->fs->geo.block_bits - 9));
	out->atime.sec = v->atime.sec;
	out->atime.nsec = v->atime.nsec;
	out->mtime.sec = v->mtime.sec;
	out->mtime.nsec = v->mtime.nsec;
	out->ctime.sec = v->ctime.sec;
	out->ctime.nsec = v->ctime.nsec;
	out->crtime.sec = v->crtime.sec;
	out->crtime.nsec = v->crtime.nsec;
	out->rdev_major = v->rdev_major;
	out->rdev_minor = v->rdev_minor;
}

void ext4_inode_snapshot(struct inode *i, struct ext4_attributes *out)
{
	uint32_t seq;

	do {
		seq = seq_read_begin(&i->attr_seq);
		copy_attributes(i, out);
	} while (seq_read_again(&i->attr_seq, seq));
}

struct ext4_time ext4_current_time(struct ext4_fs *fs)
{
	int64_t ns = clock_stamp(fs->clock);

	return ext4_time_kept(fs, (struct ext4_time){ ns / NSEC_PER_SEC, (uint32_t)(ns % NSEC_PER_SEC) });
}

/* Small inodes have 32 bits of seconds, the others two more, and nanoseconds. */
struct ext4_time ext4_time_kept(const struct ext4_fs *fs, struct ext4_time t)
{
	bool small = fs->geo.inode_size == EXT4_GOOD_OLD_INODE_SIZE;
	int64_t last = INT32_MAX + (small ? 0 : 3ll << 32);

	if (t.sec < INT32_MIN)
		return (struct ext4_time){ INT32_MIN, 0 };
	if (t.sec >= last)
		return (struct ext4_time){ last, 0 };
	return (struct ext4_time){ t.sec, small ? 0 : t.nsec };
}

static bool same_time(struct ext4_time a, struct ext4_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

struct stamps {
	struct ext4_time atime, mtime, ctime;
};

/* The copy may be torn by a writer: then it is taken again. */
racy_reader static void copy_stamps(const struct inode *i, struct stamps *out)
{
	const volatile struct inode *v = i;

	out->atime.sec = v->atime.sec;
	out->atime.nsec = v->atime.nsec;
	out->mtime.sec = v->mtime.sec;
	out->mtime.nsec = v->mtime.nsec;
	out->ctime.sec = v->ctime.sec;
	out->ctime.nsec = v->ctime.nsec;
}

static struct stamps stamps_of(struct inode *i)
{
	struct stamps s;
	uint32_t seq;

	do {
		seq = seq_read_begin(&i->attr_seq);
		copy_stamps(i, &s);
	} while (seq_read_again(&i->attr_seq, seq));
	return s;
}

static int stamps_moved(struct inode *i)
{
	if (!i->fs->opt.lazytime)
		return ext4_dirty_inode(i);
	ext4_lazytime_note(i);
	return 0;
}

int ext4_update_time(struct inode *i)
{
	struct ext4_time now = ext4_current_time(i->fs);
	struct stamps s = stamps_of(i);

	TRACE_SCOPE(i->fs, file_update_time);
	if (same_time(s.mtime, now) && same_time(s.ctime, now))
		return 0;
	attr_write_begin(i);
	i->mtime = i->ctime = now;
	attr_write_end(i);
	return stamps_moved(i);
}

static bool time_before(struct ext4_time a, struct ext4_time b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec);
}

/* relatime: when it is not newer than the last change, or a day old. */
static bool atime_is_due(struct inode *i, struct ext4_time now)
{
	const struct ext4_options *o = &i->fs->opt;
	struct stamps s;

	if (o->noatime || i->flags & EXT4_NOATIME_FL || (o->nodiratime && EXT4_S_ISDIR(i->mode)))
		return false;
	s = stamps_of(i);
	if (same_time(s.atime, now))
		return false;
	return o->strictatime || !time_before(s.mtime, s.atime) ||
	       !time_before(s.ctime, s.atime) || now.sec - s.atime.sec >= 24 * 60 * 60;
}

void ext4_touch_atime(struct inode *i)
{
	struct ext4_time now = ext4_current_time(i->fs);

	if (ext4_writable(i->fs) || ext4_is_frozen(i->fs) || !atime_is_due(i, now))
		return;
	TRACE_SCOPE(i->fs, touch_atime);
	attr_write_begin(i);
	i->atime = now;
	attr_write_end(i);
	(void)stamps_moved(i); /* a stamp that is lost is no error of a read */
}

/* ---- how its data is kept */

bool ext4_should_journal_data(const struct inode *i)
{
	if (!i->fs->journal)
		return false;
	return !EXT4_S_ISREG(i->mode) || i->flags & EXT4_JOURNAL_DATA_FL ||
	       i->fs->opt.data == DATA_JOURNAL;
}

bool ext4_should_order_data(const struct inode *i)
{
	return i->fs->journal && !ext4_should_journal_data(i) && i->fs->opt.data == DATA_ORDERED;
}

int ext4_name_credits(const struct ext4_fs *fs)
{
	bool extents = fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS;

	/* data block + attributes - 2; choices.md */
	return (extents ? 20 : 8) + 6 - 2;
}
