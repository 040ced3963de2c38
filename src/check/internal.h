/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the check share. They run in the order of check.c's list; each notes what it
 * finds for those that follow:
 *
 *	super     the geometry
 *	group     where everything lies; claims what belongs to the layout
 *	orphan    which inodes are allowed to have no links
 *	inode     types, links and maps; claims blocks; notes directories and attribute blocks
 *	dir       names: which inodes they lead to
 *	links     names against link counts, the tree of directories
 *	count     claims against bitmaps and counts
 *
 * Functions yield 0 or a negative errno that ends the check (I/O, memory, -ECANCELED after too many
 * problems); what is wrong with the image is reported through check_say and no error.
 */
#ifndef EXTANT_CHECK_INTERNAL_H
#define EXTANT_CHECK_INTERNAL_H

#include "base/errors.h"
#include "check/check.h"
#include "ext4/disk.h"
#include "ext4/verify.h"

enum note_flags {
	NOTE_LIVE = 1u << 0,		/* in use: has links, or is an orphan */
	NOTE_ORPHAN = 1u << 1,
	NOTE_MAP_BAD = 1u << 2,		/* its blocks are not all known */
	NOTE_INDEX = 1u << 3,		/* directory with a hash tree */
};

struct inode_note {
	uint16_t links;			/* as the inode says */
	uint16_t found;			/* names that lead to it, at most 65535 */
	uint8_t type;			/* EXT4_FT_* */
	uint8_t flags;
};

struct dir_note {			/* ascending by ino */
	uint32_t ino;
	uint32_t dotdot;		/* 0: unknown */
	uint32_t parent;		/* the directory that names it; 0: none yet */
	uint32_t seen;			/* links.c: the walk that came by */
};

struct check_group {
	struct ext4_descriptor d;
	bool usable;			/* the places in it are valid */
	uint8_t *claimed;		/* a bit a cluster; NULL: nothing is */
	struct inode_note *notes;	/* inodes_per_group; NULL: none noted */
	uint32_t inodes_used, dirs;
};

struct xattr_note {
	uint64_t block;			/* 0: empty */
	uint32_t refcount, found;
};

struct check {
	struct block_device *dev;
	const struct check_options *opt;
	struct check_report *report;
	struct arena *arena;
	struct ext4_super_block super;
	struct ext4_geometry geo;
	struct ext4_geometry lenient;	/* the same, without checksums */
	struct check_group *groups;
	bool blocks_unknown;		/* some map could not be followed */
	uint8_t *table_block;		/* buffers of a block: of the inode table, */
	uint8_t *bitmap_block;
	uint8_t *data_block;		/* of a directory or attributes, */
	uint8_t *node_block[EXT4_EXT_MAX_DEPTH + 1];	/* of a map, by level */
	struct dir_note *dirs;
	size_t dirs_count, dirs_room;
	struct xattr_note *xattrs;	/* open addressing; a power of two */
	size_t xattrs_count, xattrs_room;
	struct dir_blocks *dir_blocks;	/* dir.c's, kept from one directory to the next */
};

/* ---- check.c: reporting and reading */

struct place {
	enum check_kind kind;
	uint32_t group, ino;
	uint64_t block;
};
#define AT(k)			((struct place){.kind = (k), .group = CHECK_NO_GROUP})
#define AT_GROUP(k, g)		((struct place){.kind = (k), .group = (g)})
#define AT_INODE(k, i)		((struct place){.kind = (k), .group = CHECK_NO_GROUP, .ino = (i)})
#define AT_BLOCK(k, i, b) \
	((struct place){.kind = (k), .group = CHECK_NO_GROUP, .ino = (i), .block = (b)})

/* A problem. 0, or -ECANCELED when there have been enough. */
printf_like(3, 4) must_check int check_say(struct check *c, struct place at, const char *fmt, ...);
/* One block into `buf`. */
must_check int check_read(struct check *c, ext4_fsblk_t block, uint8_t *buf);
/* An array of `*room` elements of `size` bytes gets room for `need`. */
must_check int check_grow(struct check *c, void *array_ptr, size_t *room, size_t need, size_t size);

/* ---- claim.c: who uses which block */

/*
 * Blocks that `at.ino` (0: the layout) uses. What is claimed already is shared, and reported. With
 * bigalloc the unit is the cluster: one that the same map claimed just before is not claimed again.
 */
struct claim {
	struct place at;
	ext4_fsblk_t block;
	uint64_t len;
	bool quiet;			/* shared or not, nothing is reported */
	uint64_t *last_cluster;		/* of the same map; NULL: there is none */
	uint64_t fresh_blocks;		/* out: in clusters that nothing had claimed */
	bool shared;			/* out */
};
must_check int check_claim(struct check *c, struct claim *claim);

/* ---- super.c, group.c, journal.c */

must_check int check_super(struct check *c);
must_check int check_super_backups(struct check *c);
must_check int check_groups(struct check *c);
must_check int check_counts(struct check *c);
must_check int check_journal(struct check *c);

/* ---- inode.c */

must_check int check_inodes(struct check *c);
/*
 * The bytes of an inode into `raw` (geo.inode_size of them). *raw is all zeros where its group is
 * not usable.
 */
must_check int check_inode_read(struct check *c, uint32_t ino, struct ext4_inode *raw);
/* NULL: nothing is known of it. */
struct inode_note *check_note(struct check *c, uint32_t ino);
/* Makes it. */
must_check int check_note_make(struct check *c, uint32_t ino, struct inode_note **out);
/* Reachable by no name: reserved ones, the orphan file, quota files. */
bool check_is_hidden(const struct check *c, uint32_t ino);

/* ---- map.c: the blocks of an inode, in order */

struct map_walk {
	struct check *c;
	uint32_t ino;
	const struct ext4_inode *raw;	/* verified */
	bool claim;			/* claims and reports; else says nothing, leaves out what is bad */
	uint64_t nodes_max;		/* without claims: gives up after so many; 0: never */
	/* Data blocks; may be NULL. */
	int (*blocks)(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
		      bool unwritten);
	void *arg;
	/* out */
	bool bad;			/* not everything could be followed */
	uint64_t blocks_count;		/* clusters claimed, in blocks; map blocks included */
	int64_t last_lblk, last_written_lblk;	/* -1: none */
	/* map.c's */
	uint64_t nodes;
	uint32_t seed;
	uint64_t last_cluster;
};
must_check int check_map(struct map_walk *w);

/* ---- resize.c, xattr.c, orphan.c, dir.c, links.c */

/* Inode 7: the reserved descriptor blocks. */
must_check int check_resize_inode(struct check *c, const struct ext4_inode *raw);
/* Attributes of an inode; an attribute block is claimed with the first that refers to it. */
must_check int check_xattrs(struct check *c, uint32_t ino, const struct ext4_inode *raw);
must_check int check_xattr_refcounts(struct check *c);
/* Lists and files of orphans: notes them. */
must_check int check_orphans(struct check *c);
must_check int check_dirs(struct check *c);
void check_dirs_fini(struct check *c);
must_check int check_links(struct check *c);
/* The directory's note; NULL: no such directory. */
struct dir_note *check_dir_note(struct check *c, uint32_t ino);

#endif
