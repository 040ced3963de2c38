/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inodes in memory: one struct inode for each number in use, found through the inode cache
 * (icache.c), read from the inode table (inode.c) and written back into it by
 * ext4_mark_inode_dirty.
 *
 * Attributes are read as a consistent snapshot without a lock: writers hold attr_lock and make
 * `attr_seq` odd around each change (attr_write_begin/end), readers take the copy again if it
 * moved. Attributes are copied into the table's block under attr_lock too.
 *
 * Life: found or loaded with a reference (ext4_iget); names and open files hold references; with
 * the last one dropped and links left it stays cached, on the LRU; with no links left it is evicted
 * at once (ext4_evict_inode: truncated and freed).
 */
#ifndef EXTANT_EXT4_INODE_H
#define EXTANT_EXT4_INODE_H

#include "base/seq.h"
#include "ext4/fs.h"

struct es_tree {			/* extent_status.c */
	struct mutex lock;		/* RANK_EXTENT_STATUS */
	struct rb_tree root;
	struct extent_status *cached;	/* the entry found last */
	struct extent_status *spare;	/* set aside (ext4_es_set_aside) */
	uint32_t count;			/* entries */
	uint32_t delayed;		/* of them, those that memory reclaim must keep */
	bool listed;			/* memory reclaim knows of it */
	struct list link;		/* es_shrinker.c's lock */
};

struct ext4_time {
	int64_t sec;
	uint32_t nsec;
};

struct inode {
	/* constant while it lives */
	struct ext4_fs *fs;
	uint32_t ino;
	uint32_t generation;
	uint32_t csum_seed;

	struct rwlock lock;		/* RANK_INODE: contents and names; readers: read, look-up */
	struct seq attr_seq;

	/*
	 * attributes: changed under attr_lock (RANK_ATTR) and attr_seq; read by ext4_inode_snapshot
	 */
	struct mutex attr_lock;
	uint32_t nlink;
	/* these also read by themselves, anywhere: atomic, sequentially consistent */
	_Atomic uint16_t mode;
	_Atomic uint32_t uid, gid;
	_Atomic uint32_t flags;		/* EXT4_*_FL */
	_Atomic uint64_t size;
	uint64_t blocks;		/* 512-byte units, allocated ones */
	struct ext4_time atime, mtime, ctime, crtime;
	uint32_t rdev_major, rdev_minor;
	uint64_t version;

	/* the map */
	struct rwlock map_lock;		/* RANK_MAP: i_data, extent tree, disk_size */
	le32 i_data[15];		/* i_block as on disk */
	_Atomic uint64_t disk_size;	/* what the inode table says; <= size; as `size` */
	/* Block of attributes, 0: none. Changed under xattr_lock, as an attribute; atomic, as `size`. */
	_Atomic uint64_t file_acl;
	uint16_t extra_isize;
	uint32_t dtime_or_next_orphan;
	struct es_tree es;
	struct rwlock xattr_lock;	/* RANK_XATTR: extended attributes, here and in file_acl */
	const struct ext4_acl *_Atomic acl[2];	/* acl_inode.c: access and default list; published */
	struct mutex reserve_lock;	/* RANK_RESERVE */
	_Atomic uint32_t reserved_blocks; /* delayed, not yet allocated; changed under reserve_lock */
	uint32_t reserved_pointers;	/* promised besides, in a block map; under reserve_lock */
	ext4_lblk_t pointers_first;	/* for the block of pointers that begins here the last time */

	/* allocation */
	struct list preallocations;	/* mb_prealloc.c */
	ext4_group_t last_group;	/* directories: where the last child went; ~0: nowhere yet */

	/* data */
	struct mapping mapping;
	struct rwlock invalidate_lock;	/* RANK_INODE_INVALIDATE */
	struct mutex writeback_lock;	/* RANK_WRITEBACK */
	struct jbd2_inode jinode;
	bool jinode_ready;
	_Atomic tid_t sync_tid, datasync_tid;	/* commit these, and fsync / fdatasync is done */
	_Atomic int32_t writers;	/* open for writing */
	_Atomic uint32_t state;		/* INODE_* */

	struct list orphan;		/* orphan.c */
	uint32_t orphan_slot;		/* in the orphan file */

	/* cache: icache.c */
	_Atomic int32_t refs;
	struct inode *_Atomic hash_next;
	struct list lru, dirty;
	int64_t dirtied_ns;		/* when it became dirty; flusher */
	struct list lazy;		/* lazytime.c's lock; INODE_DIRTY_TIME */
	int64_t lazy_ns;		/* since when */
	struct epoch_node retire;
	void *vfs;			/* vfs/: what it keeps per inode */
};

enum inode_state {
	INODE_NEW = 1u << 0,		/* being made or read; others wait */
	INODE_DIRTY_PAGES = 1u << 1,	/* on the flusher's list */
	INODE_DIRTY_TIME = 1u << 2,	/* lazytime */
	INODE_ORPHAN = 1u << 3,
	INODE_ORPHAN_FILE = 1u << 4,	/* in the orphan file, not the list */
	INODE_DA_CLOSE = 1u << 5,	/* replaced by truncate: written back at close */
	INODE_EVICTING = 1u << 6,
	INODE_DEAD = 1u << 7,		/* a directory removed */
	INODE_BAD = 1u << 8,
	INODE_NO_DELALLOC = 1u << 9,
	INODE_EXT_PRECACHED = 1u << 10,
	INODE_SYNCING = 1u << 11,
	INODE_FRESH = 1u << 12,		/* new: its table entry is zeroed before it is filled */
	INODE_INDEX_FULL = 1u << 13,	/* a directory whose hash tree is full: it was told */
	INODE_LINKABLE = 1u << 14,	/* made without a name (O_TMPFILE), it may get one */
	INODE_NO_PRIVS = 1u << 15,	/* neither set-id bits nor capabilities: nothing to take away */
	INODE_CUT_OWED = 1u << 16,	/* what lies behind the end could not be freed yet */
};

/* mode bits without <sys/stat.h> macros on platforms that lack them */
#define EXT4_S_ISREG(m) (((m)&0xf000) == 0x8000)
#define EXT4_S_ISDIR(m) (((m)&0xf000) == 0x4000)
#define EXT4_S_ISLNK(m) (((m)&0xf000) == 0xa000)

/* Blocks are counted as its own beside that of its attributes. */
static inline bool ext4_has_mapped_blocks(const struct inode *inode)
{
	return inode->blocks > (inode->file_acl ? inode->fs->geo.block_size / 512 : 0);
}

static inline void attr_write_begin(struct inode *inode) ACQUIRE(inode->attr_lock)
{
	mutex_lock(&inode->attr_lock);
	seq_write_begin(&inode->attr_seq);
}
static inline void attr_write_end(struct inode *inode) RELEASE(inode->attr_lock)
{
	seq_write_end(&inode->attr_seq);
	mutex_unlock(&inode->attr_lock);
}

/* `bytes` more (or fewer) are allocated to it. */
static inline void ext4_inode_add_bytes(struct inode *inode, int64_t bytes)
{
	attr_write_begin(inode);
	inode->blocks = (uint64_t)((int64_t)inode->blocks + bytes / 512);
	attr_write_end(inode);
}

struct ext4_attributes {
	uint32_t ino, generation;
	uint16_t mode;
	uint32_t uid, gid, nlink, flags;
	uint64_t size, blocks;
	struct ext4_time atime, mtime, ctime, crtime;
	uint32_t rdev_major, rdev_minor;
};
/* A consistent copy, without a lock. `blocks` counts delayed ones too, as Linux's stat does. */
void ext4_inode_snapshot(struct inode *inode, struct ext4_attributes *out);

/* ---- cache and table (icache.c, inode.c) */

must_check int inode_cache_create(struct ext4_fs *fs);
void inode_cache_destroy(struct ext4_fs *fs);	/* evicts all; nobody holds one */

enum iget_flags {
	IGET_NORMAL = 0,
	IGET_SPECIAL = 1 /* reserved numbers */,
	IGET_HANDLE = 2 /* stale number is no damage: -ESTALE */
};
/*
 * Referenced. Reads and verifies it when it is not in memory {ext4_load_inode when the table block
 * is read}.
 */
must_check int ext4_iget(struct ext4_fs *fs, uint32_t ino, enum iget_flags flags,
			 struct inode **out);
/* In memory and alive, referenced; NULL else. Takes no lock. */
struct inode *ext4_ifind(struct ext4_fs *fs, uint32_t ino);
static inline struct inode *ext4_ihold(struct inode *i)
{
	atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
	return i;
}
/* Another reference, unless it is being evicted; the caller knows that its memory is there. */
bool ext4_itake(struct inode *i);
/*
 * Drops a reference; the last one of an unlinked inode evicts it (starts a handle: hold no lock, no
 * handle unless of the same operation).
 */
void ext4_iput(struct inode *i);
/*
 * A new one, in three steps, for ialloc.c: memory first (NULL: out of it), then, when it has a
 * number, into the cache (waits for an evicted one of that number to be gone), where INODE_NEW
 * keeps others waiting until ext4_inode_unlock_new.
 */
struct inode *ext4_inode_prepare(struct ext4_fs *fs);
void ext4_inode_unprepare(struct inode *i);
must_check int ext4_inode_insert_new(struct inode *i, uint32_t ino);
void ext4_inode_unlock_new(struct inode *i);
/*
 * Calls fn for each inode in memory (referenced meanwhile), in order of becoming known; for sync
 * and umount.
 */
int ext4_inode_for_each(struct ext4_fs *fs, int (*fn)(struct inode *i, void *arg), void *arg);

/*
 * Before an operation changes anything: the block is read and is the handle's, so that marking the
 * inode dirty does not fail when the rest is done.
 */
must_check int ext4_inode_get_write_access(struct handle *h, struct inode *inode);
/*
 * The in-memory inode goes into the table's block, which goes with the handle
 * {ext4_mark_inode_dirty with the caller's name}. The handle has a credit for it.
 */
#define ext4_mark_inode_dirty(h, inode) __ext4_mark_inode_dirty(h, inode, __func__)
must_check int __ext4_mark_inode_dirty(struct handle *h, struct inode *inode, const char *caller);
/* The same without the event: the orphan list, which Linux keeps beside it. */
must_check int ext4_put_inode(struct handle *h, struct inode *inode);
/*
 * The same, and what lies behind the inode's fields becomes `tail` (to the end of its place in the table): its
 * attributes. NULL: they stay.
 */
must_check int ext4_put_inode_tail(struct handle *h, struct inode *inode, const uint8_t *tail);
/*
 * This handle's transaction is the one fsync (and, with `datasync`, fdatasync) of the inode must
 * wait for.
 */
void ext4_update_fsync_trans(struct handle *h, struct inode *inode, bool datasync);
/*
 * A handle of its own (or the open one), for a change of attributes alone (time stamps):
 * ext4_dirty_inode.
 */
int ext4_dirty_inode(struct inode *inode);
/* The buffer of its table block and where in it. */
must_check int ext4_get_inode_loc(struct ext4_fs *fs, uint32_t ino, struct buffer **out,
				  uint32_t *offset);
/*
 * Time stamps. 0: nothing changed (same tick); else the fields are set and the inode must be made
 * dirty.
 */
struct ext4_time ext4_current_time(struct ext4_fs *fs);
/* What of a given time an inode of this file system can keep. */
struct ext4_time ext4_time_kept(const struct ext4_fs *fs, struct ext4_time t);
/* mtime and ctime of a write {file_update_time}. */
int ext4_update_time(struct inode *inode);
/* atime of a read, as relatime, noatime... say. */
void ext4_touch_atime(struct inode *inode);

/* ---- lazytime (lazytime.c) */

must_check int ext4_lazytime_create(struct ext4_fs *fs);
void ext4_lazytime_destroy(struct ext4_fs *fs);
/* Its stamps have moved, in memory alone. */
void ext4_lazytime_note(struct inode *inode);
/* They are written, or of no more interest. */
void ext4_lazytime_forget(struct inode *inode);
/* Writes those of one inode, of all, of those that have waited long enough. */
must_check int ext4_lazytime_write_inode(struct inode *inode);
must_check int ext4_lazytime_write(struct ext4_fs *fs);
must_check int ext4_lazytime_expire(struct ext4_fs *fs);
void ext4_evict_inode(
	struct inode *inode); /* {ext4_evict_inode}: truncate and free, or just drop */

/*
 * Data mode of this inode: data=journal for directories' data, JOURNAL_DATA_FL and the mount
 * option.
 */
bool ext4_should_journal_data(const struct inode *inode);
bool ext4_should_order_data(const struct inode *inode);
/* Credits of one name operation: 24 with extents, 12 with block maps (docs/choices.md). */
int ext4_name_credits(const struct ext4_fs *fs);

struct ext4_setattr {
	uint32_t valid;			/* ATTR_* */
	uint16_t mode;
	uint32_t uid, gid;
	uint64_t size;
	struct ext4_time atime, mtime;
};
enum {
	ATTR_MODE = 1,
	ATTR_UID = 2,
	ATTR_GID = 4,
	ATTR_SIZE = 8,
	ATTR_ATIME = 16,
	ATTR_MTIME = 32,
	ATTR_ATIME_SET = 64,
	ATTR_MTIME_SET = 128,
	ATTR_OPEN = 256 /* O_TRUNC */,
	ATTR_FROM_FD = 512,
	ATTR_CTIME = 1024,		/* if nothing else */
	ATTR_TOUCH = 2048,		/* both times, to now */
	ATTR_TIMES_SET = 4096		/* one of them is the caller's choice */
};
/* With inode->lock for writing. */
must_check int ext4_setattr(struct inode *inode, const struct ext4_setattr *attr);

#endif
