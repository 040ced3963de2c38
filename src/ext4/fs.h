/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct ext4_fs: one mounted file system, and what hangs from it. Everything of a mount can be
 * reached from here; nothing is global.
 */
#ifndef EXTANT_EXT4_FS_H
#define EXTANT_EXT4_FS_H

#include <stdatomic.h>
#include "base/errors.h"
#include "base/gate.h"
#include "base/random.h"
#include "base/rbtree.h"
#include "base/sync.h"
#include "cache/buffer.h"
#include "cache/page.h"
#include "ext4/format.h"
#include "ext4/geometry.h"
#include "jbd2/jbd2.h"
#include "trace/trace.h"

enum ext4_data_mode { DATA_ORDERED, DATA_JOURNAL, DATA_WRITEBACK };
enum ext4_errors {
	ERRORS_UNSAID,
	ERRORS_CONTINUE,
	ERRORS_REMOUNT_RO,
	ERRORS_PANIC
}; /* unsaid: the superblock's */

/*
 * Mount options (options.c; docs/mount-options.md). Numbers are uint32_t, flags bool. Those that a
 * remount may change are atomic: whoever runs meanwhile sees the old or the new one.
 */
struct ext4_options {
	bool read_only;			/* as mounted; fs->read_only_now is what holds */
	bool noload;			/* look at it without replaying the journal */
	enum ext4_data_mode data;
	_Atomic enum ext4_errors errors;
	_Atomic bool delalloc;		/* on unless nodelalloc or data=journal */
	bool delalloc_said;		/* with data=journal that is refused */
	_Atomic bool dioread_lock;	/* 6.18: no unwritten extents for buffered writes */
	_Atomic bool barrier;
	bool journal_checksum, journal_async_commit;
	_Atomic bool data_err_abort;	/* ordered data that fails to be written stops the journal */
	_Atomic bool init_itable;	/* lazy initialisation of inode tables */
	_Atomic uint32_t init_itable_wait; /* it rests so many times as long as a group took */
	_Atomic bool auto_da_alloc;	/* replace by truncate or rename writes back at once */
	_Atomic bool discard;
	_Atomic bool minixdf;		/* statfs counts the layout's own blocks too */
	_Atomic bool sync, dirsync, noatime, nodiratime, strictatime, lazytime;
	_Atomic bool grpid;
	_Atomic bool no_mbcache;	/* inodes share no blocks of attributes */
	bool abort;			/* stops everything, as damage with errors=remount-ro does */
	_Atomic uint32_t commit_s;	/* 0: the default */
	_Atomic uint32_t stripe;
	_Atomic uint32_t max_dir_size_kb; /* 0: no limit */
	uint32_t sb_block;		/* 0: the primary superblock */
	uint32_t cache_mb;
	enum trace_dialect dialect;
	_Atomic uint32_t resuid, resgid; /* UINT32_MAX: the superblock's */
};

/* Of each group; made when it is first looked at. */
struct ext4_group {
	struct mutex lock;			/* RANK_GROUP: bitmaps, descriptor, buddy, and all below */
	ext4_group_t number;			/* constant */
	ext4_fsblk_t block_bitmap, inode_bitmap, inode_table;	/* constant */
	/* from the descriptor; the descriptor's bytes follow them (ext4_group_dirty) */
	/* written under the lock; who looks for a group reads them without, relaxed: a hint */
	_Atomic uint32_t free_clusters, free_inodes;
	uint32_t used_dirs, itable_unused;
	_Atomic uint16_t flags;			/* EXT4_BG_*: written under the lock */
	atomic_bool zeroing;			/* lazyinit.c: no new inode now; fs->zeroed wakes */
	atomic_bool block_bitmap_bad, inode_bitmap_bad;	/* damaged: nothing is taken from it */
	struct mb_group *_Atomic mb;		/* mballoc.c: buddy and free extents; NULL: not loaded */
};

/*
 * A counter read coarsely: what is added gathers in `share` and moves to `whole` once it is
 * COUNTER_BATCH or more. Cheap readers see `whole` alone, as the kernel's readers of a per-CPU
 * counter do: what is delayed, where directories go, follows from the coarse value. Who must be
 * exact takes the sum.
 */
struct ext4_counter {
	_Atomic int64_t whole, share;
};
#define COUNTER_BATCH 32

void ext4_counter_set(struct ext4_counter *c, int64_t value);
void ext4_counter_add(struct ext4_counter *c, int64_t delta);
int64_t ext4_counter_read(const struct ext4_counter *c);	/* coarse, not below 0 */
int64_t ext4_counter_sum(const struct ext4_counter *c);		/* exact */

/* Free, delayed and reserved clusters of the whole (reserve.c). */
struct ext4_counters {
	struct ext4_counter free_clusters;
	struct ext4_counter dirty_clusters;	/* promised to delayed writes */
	struct ext4_counter free_inodes;
	struct ext4_counter dirs;
	_Atomic int64_t
		reserved_clusters; /* held back for metadata of delayed writes: min(2 %, 4096) */
	_Atomic int64_t pending_clusters;	/* freed, and to be had when their transaction has committed */
};

/* What a flex group adds up to, for the choice of inodes. */
struct ext4_flex {
	_Atomic uint64_t free_clusters;
	_Atomic uint32_t free_inodes, used_dirs;
};

/* Where an error was met, as the superblock remembers it. */
struct ext4_error_place {
	int64_t time_s;
	uint64_t ino, block;
	const char *function;			/* lives for ever */
	uint32_t line;
	uint8_t code;				/* EXT4_ERR_* */
};
struct ext4_error_record {
	uint32_t count;				/* 0: the others mean nothing */
	struct ext4_error_place first, last;
};

struct ext4_fs {
	struct trace *trace;
	struct arena *arena;
	struct sched *sched;
	struct clock *clock;
	const struct log *log;
	struct random random;
	const char *image_name;			/* for messages */
	char device_name[TASK_NAME_MAX - 8];	/* for task names: "7:0" or the image's last part */
	struct block_device *device;
	struct budget *budget;
	struct buffer_cache *buffers;
	struct page_cache *pages;
	struct journal *journal;		/* NULL: none (ext2), or read only with noload */
	struct inode *journal_inode;		/* referenced while there is a journal */
	struct held_map *journal_map;		/* journal_map.c */
	char journal_name[TASK_NAME_MAX];	/* of its commit task: "jbd2/DEVICE-8" */
	struct ext4_options opt;
	struct ext4_geometry geo;		/* constant while mounted */

	struct buffer *super_buffer;		/* holds the primary superblock */
	struct ext4_super_block *super;		/* in it */
	struct mutex super_lock;		/* RANK_SUPER: fields of the superblock */

	struct buffer *_Atomic *gdt;		/* geo.gdt_blocks, each NULL until needed (group.c) */
	struct ext4_group *_Atomic *groups;	/* geo.groups_count, each published once */
	struct mutex groups_lock;		/* RANK_SUPER: making one */
	struct ext4_flex *flex;
	struct ext4_counters counters;

	struct inode_cache *inodes;		/* icache.c */
	struct es_shrinker *es_shrinker;	/* es_shrinker.c: extent status that can be given back */
	struct mballoc *mb;			/* mballoc.c */
	struct ext4_xattr_cache *xattr_cache;	/* xattr_cache.c: blocks of attributes that can be shared */
	struct orphans *orphans;		/* orphan.c */
	struct system_zones *zones;		/* zones.c: blocks that are the file system's own */
	struct lazytimes *lazytimes;		/* lazytime.c: inodes whose stamps are not written yet */
	struct flusher *flusher;		/* flusher.c: the task that writes back */
	struct waitq zeroed;			/* a group is zeroed; with its lock */
	struct lazyinit *lazyinit;		/* lazyinit.c; NULL: nothing to do */
	struct buffer_kinds *kinds;

	_Atomic uint32_t next_generation;
	_Atomic bool shut_down;			/* after shutdown: everything answers EIO */
	_Atomic bool read_only_now;		/* by option, or after an error */
	_Atomic bool error_seen;
	struct ext4_error_record errors_new;	/* error.c: not yet in the superblock; super_lock */
	_Atomic bool errors_pending;		/* there are some; or an abort is to be written down */
	struct mutex life_lock;			/* RANK_MOUNT: freeze, thaw, remount, shutdown: one at a time */
	struct gate changes;			/* shut while frozen: who changes something enters (freeze.c) */
	struct gate unjournaled;		/* the same for handles, where there is no journal to keep them out */
	struct mutex unjournaled_lock;		/* RANK_CHECKPOINT: who shuts and opens it */
	bool frozen, handles_kept_out;		/* life_lock */
	_Atomic uint32_t pages_lent;		/* to be stored into (fault.c): not frozen while there are */
	const char *mount_point;		/* what the first open writes into the superblock; or NULL */
	bool was_clean;				/* the superblock said so at the mount */
	bool orphans_done;			/* the orphan file was empty at the end */
	_Atomic bool
		mount_point_stored; /* the first open of a mount writes it into the superblock */
	struct mutex orphan_lock;		/* RANK_ORPHAN */
	/* what the mount's recovery did; constant after it */
	struct jbd2_recovery recovered;
	uint32_t orphans_cut, orphans_deleted;
};

struct inode;

/* ---- errors: one door */

struct inode;
/*
 * Damage: reports it (image, inode, block, why), marks the superblock, and acts as errors= says.
 * Yields -EFSCORRUPTED. `inode` may be NULL, `block` 0 when there is none.
 */
#define ext4_error(fs, ino, block, ...) \
	ext4_error_at(fs, __func__, ino, block, -EFSCORRUPTED, __VA_ARGS__)
#define ext4_error_csum(fs, ino, block, ...) \
	ext4_error_at(fs, __func__, ino, block, -EFSBADCRC, __VA_ARGS__)
#define ext4_error_at(fs, function, ino, block, err, ...) \
	ext4_error_in(fs, function, __LINE__, ino, block, err, __VA_ARGS__)
printf_like(7, 8) int ext4_error_in(struct ext4_fs *fs, const char *function, uint32_t line,
				    uint64_t ino, uint64_t block, int err, const char *fmt, ...);
printf_like(3, 4) void ext4_message(struct ext4_fs *fs, enum log_level level, const char *fmt, ...);
/*
 * What was met since the last time goes into the superblock on disk: with a handle, or, where the
 * journal is not there or has stopped, directly. The flusher's; holding nothing.
 */
void ext4_errors_store(struct ext4_fs *fs);
/*
 * As damage with errors=remount-ro, without any: nothing changes from now on. Any lock may be held.
 */
void ext4_abort(struct ext4_fs *fs, int err);
/* -EIO after shutdown, -EROFS when read only; 0 else. Asked before each change. */
int ext4_writable(struct ext4_fs *fs);

/* ---- handles (handle.c): the journal's, with ext4's events, and none where there is no journal */

enum ext4_handle_type {			/* numbers as the events print them */
			HT_MISC = 0,
			HT_INODE = 1,
			HT_WRITE_PAGE = 2,
			HT_MAP_BLOCKS = 3,
			HT_DIR = 4,
			HT_TRUNCATE = 5,
			HT_QUOTA = 6,
			HT_RESIZE = 7,
			HT_MIGRATE = 8,
			HT_MOVE_EXTENTS = 9,
			HT_XATTR = 10,
			HT_EXT_CONVERT = 11,
};

/*
 * ext4_journal_start -> __ext4_journal_start -> __ext4_journal_start_sb {ext4_journal_start} ->
 * jbd2__journal_start {jbd2_handle_start}. `ino` is 0 where the dialect's event has none.
 */
#define ext4_journal_start(fs, ino, type, blocks, out) \
	__ext4_journal_start(fs, ino, __func__, __LINE__, type, blocks, 0, out)
#define ext4_journal_start_with_reserve(fs, ino, type, blocks, reserve, out) \
	__ext4_journal_start(fs, ino, __func__, __LINE__, type, blocks, reserve, out)
must_check int __ext4_journal_start(struct ext4_fs *fs, uint64_t ino, const char *caller, int line,
				    enum ext4_handle_type type, int blocks, int reserve,
				    struct handle **out);
must_check int __ext4_journal_start_sb(struct ext4_fs *fs, uint64_t ino, const char *caller,
				       int line, enum ext4_handle_type type, int blocks,
				       int reserve, struct handle **out);
#define ext4_journal_stop(fs, h) __ext4_journal_stop(fs, h, __func__, __LINE__)
int __ext4_journal_stop(struct ext4_fs *fs, struct handle *h, const char *caller, int line);
/*
 * The handle just started by a callee of ours (ext4_new_inode starts the one ext4_create goes on
 * with).
 */
struct handle *ext4_journal_current_handle(struct ext4_fs *fs);
/*
 * What removes blocks or an inode and fails is tried once more for want of memory; and, without a journal, in
 * any case: there are no orphans, and nobody else would do it.
 */
static inline bool ext4_is_tried_again(const struct ext4_fs *fs, int err)
{
	return err == -ENOMEM || (err && !fs->journal);
}
/* What handles changed is in place; a journal is empty then. Holding none. */
must_check int ext4_write_in_place(struct ext4_fs *fs);
/* Without a journal: writes what handles changed in place, between handles. Holding none. */
must_check int ext4_write_unjournaled(struct ext4_fs *fs);
/* Credits at least `need`: 0, or 1 when the handle must be restarted, or an error. */
must_check int ext4_journal_ensure_credits(struct ext4_fs *fs, struct handle *h, int need,
					   int extend_by);

/* Room for `count` revokes: the same. */
must_check int ext4_journal_ensure_revokes(struct handle *h, uint32_t count);

/* Access to and dirtying of buffers; without a journal the buffer is marked dirty. */
must_check int ext4_journal_get_write_access(struct ext4_fs *fs, struct handle *h,
					     struct buffer *b);
must_check int ext4_journal_get_create_access(struct ext4_fs *fs, struct handle *h,
					      struct buffer *b);
must_check int ext4_handle_dirty_metadata(struct ext4_fs *fs, struct handle *h, uint64_t ino,
					  struct buffer *b);
/* A block of `ino` is freed: forgotten, or revoked when it is metadata {ext4_forget}. */
must_check int ext4_forget(struct ext4_fs *fs, struct handle *h, bool is_metadata,
			   struct inode *inode, struct buffer *b, ext4_fsblk_t block);
/* True when that revokes. */
bool ext4_forget_revokes(const struct inode *inode, bool is_metadata);

/* ---- groups (group.c) */

/*
 * Published once, constant place. -EFSCORRUPTED when its descriptor is bad. May read the
 * descriptor's block.
 */
must_check int ext4_group_get(struct ext4_fs *fs, ext4_group_t number, struct ext4_group **out);
/*
 * The group's numbers go into its descriptor, which goes with the handle: write access first, then
 * (locked) changes, then dirty.
 */
must_check int ext4_group_get_write_access(struct ext4_fs *fs, struct handle *h,
					   struct ext4_group *g);
must_check int ext4_group_dirty(struct ext4_fs *fs, struct handle *h, struct ext4_group *g)
	REQUIRES(g->lock);
/*
 * Bitmaps, read, verified, and made when the group is uninitialised. The events of the first load
 * fire here.
 */
must_check int ext4_read_block_bitmap(struct ext4_fs *fs, struct ext4_group *g,
				      struct buffer **out);
must_check int ext4_read_inode_bitmap(struct ext4_fs *fs, struct ext4_group *g,
				      struct buffer **out);
/* Their checksums into the descriptor. */
void ext4_block_bitmap_csum_set(struct ext4_fs *fs, struct ext4_group *g,
				const struct buffer *bitmap) REQUIRES(g->lock);
void ext4_inode_bitmap_csum_set(struct ext4_fs *fs, struct ext4_group *g,
				const struct buffer *bitmap) REQUIRES(g->lock);

/* Changes of a group's numbers, for the choice of inodes. */
void ext4_flex_add(struct ext4_fs *fs, ext4_group_t group, int64_t clusters, int inodes, int dirs);

/* ---- zones (zones.c): no file may map these blocks */

must_check int ext4_zones_create(struct ext4_fs *fs);
/* The journal file's blocks too, once its inode is known. */
must_check int ext4_zones_add_journal(struct ext4_fs *fs, struct inode *journal);
void ext4_zones_destroy(struct ext4_fs *fs);
/*
 * True when [block, block + count) lies in the file system and touches none of its own blocks
 * (journal blocks only by inode 8).
 */
bool ext4_inode_block_valid(struct ext4_fs *fs, uint64_t ino, ext4_fsblk_t block, uint64_t count);

/* ---- free space (reserve.c) */

/* Claims delayed clusters: -ENOSPC when free - dirty - reserved does not have them. */
must_check int ext4_claim_free_clusters(struct ext4_fs *fs, int64_t clusters, unsigned alloc_flags);
bool ext4_has_free_clusters(struct ext4_fs *fs, int64_t clusters, unsigned alloc_flags);
/*
 * After -ENOSPC: may it go better now? Waits for the commit that gives freed blocks back, where there are some; a
 * few times at most (`retries` begins as 0).
 */
bool ext4_should_retry_alloc(struct ext4_fs *fs, int *retries);
/* True: a new write should not be delayed (space is short); wakes the flusher before. */
bool ext4_nonda_switch(struct ext4_fs *fs);

/* ---- mount (super.c) */

struct ext4_mount_args {
	struct arena *arena;
	struct sched *sched;
	struct clock *clock;
	const struct log *log;
	struct trace *trace;
	struct block_device *device;	/* closed by ext4_unmount, and by a failed ext4_mount */
	const char *image_name;
	const struct ext4_options *opt;
	const char *mount_point;	/* remembered in the superblock; NULL: not */
	uint64_t seed;			/* of its random numbers; 0: the system's */
};

/*
 * Mounts: reads and verifies, replays the journal (read_only: into a copy-on-write overlay), cleans
 * orphans, starts the background tasks. Damage: -EFSCORRUPTED/-EFSBADCRC with a message, nothing
 * written.
 */
must_check int ext4_mount(const struct ext4_mount_args *args, struct ext4_fs **out);
/*
 * Looks at an image without mounting it: superblock and descriptors are read and verified, nothing
 * is replayed or written, no file can be opened; the journal is there after ext4_journal_open().
 * For who shows facts. Ended by ext4_unmount.
 */
must_check int ext4_examine(const struct ext4_mount_args *args, struct ext4_fs **out);
/*
 * Writes everything, empties the journal, marks it clean. The first error; the mount is gone in any
 * case.
 */
int ext4_unmount(struct ext4_fs *fs);
/*
 * (remount.c) Other options, all of them; -EINVAL: one that a mount keeps for its life; -EBUSY: it
 * is frozen. Read-only: everything is
 * written first and the image is clean; the caller has seen to it that no file is open for writing
 * and none that is open has lost its last name. -EROFS: it cannot be writable.
 */
must_check int ext4_remount(struct ext4_fs *fs, const struct ext4_options *opt);
bool ext4_is_read_only(struct ext4_fs *fs);

/* ---- freeze.c */

/*
 * What changes a file system is between these two: a call that creates, writes, truncates, renames,
 * sets attributes. It waits while the file system is frozen. Calls do not nest in each other.
 */
must_check int ext4_begin_change(struct ext4_fs *fs, unsigned *at);
void ext4_end_change(struct ext4_fs *fs, unsigned at);
static inline bool ext4_is_frozen(const struct ext4_fs *fs)
{
	return gate_is_shut(&fs->changes);
}
/*
 * Waits until all changes are made, writes everything, empties the journal; from then on the image
 * is as after an unmount and nothing writes to it, until the thaw. Changes wait; reading goes on.
 * -EBUSY: it is frozen, or pages are lent (pages_lent). An error leaves it as it was.
 */
must_check int ext4_freeze(struct ext4_fs *fs);
/* -EINVAL: it is not frozen. */
must_check int ext4_thaw(struct ext4_fs *fs);
/*
 * The end of all writing: every call answers -EIO from now on. DEFAULT: after all was written, as
 * by a freeze; LOGFLUSH: after the running transaction was committed; NOLOGFLUSH: at once.
 */
enum ext4_shutdown { SHUTDOWN_DEFAULT, SHUTDOWN_LOGFLUSH, SHUTDOWN_NOLOGFLUSH };
int ext4_shutdown(struct ext4_fs *fs, enum ext4_shutdown how);

/* ---- sync (mount.c) */

/*
 * Starts the commit of what is running {ext4_sync_fs}; `wait`: until it is stable, and the device
 * is flushed.
 */
must_check int ext4_sync_fs(struct ext4_fs *fs, bool wait);
/* syncfs: all data written, the transaction committed, its blocks in place, the device flushed. */
must_check int ext4_sync_filesystem(struct ext4_fs *fs);
/* Over what `opt` has; `why`: one line that names the option that is refused. */
must_check int ext4_parse_options(const char *text, struct ext4_options *opt, char *why,
				  size_t why_len);
/* What a remount may change, from one to the other. */
void ext4_options_take(struct ext4_options *to, const struct ext4_options *from);
/* Of those that it may not change, one that differs; NULL: none. */
const char *ext4_options_fixed_differ(const struct ext4_options *a, const struct ext4_options *b);
void ext4_default_options(struct ext4_options *opt);

struct ext4_statfs {
	uint32_t block_size;
	uint64_t blocks, free, available, files, files_free;
	uint64_t fsid;			/* both halves of the UUID, one over the other */
};
void ext4_statfs(struct ext4_fs *fs, struct ext4_statfs *out);

#endif
