/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New inodes and freed ones. Where a new one goes is Linux's choice (docs/choices.md): files beside
 * their directory, directories spread by what the flex groups hold, the first free bit of the
 * group.
 *
 * The bit is looked for before the handle is started; in the handle it is looked for again, under
 * the group's lock, since another task may have taken it.
 */
#include <string.h>
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/acl.h"
#include "ext4/csum.h"
#include "ext4/hash.h"
#include "ext4/inode_internal.h"
#include "ext4/lazyinit.h"
#include "ext4/xattr.h"

#define NO_GROUP UINT32_MAX

/* ---- which group: directories */

struct averages {
	uint32_t groups;		/* flex groups */
	int64_t free_inodes, free_clusters, dirs;	/* of one */
};

static struct averages average(struct ext4_fs *fs)
{
	uint32_t groups = ((fs->geo.groups_count - 1) >> fs->geo.flex_bits) + 1;

	return (struct averages){ groups, ext4_counter_read(&fs->counters.free_inodes) / groups,
				  ext4_counter_read(&fs->counters.free_clusters) / groups,
				  ext4_counter_read(&fs->counters.dirs) };
}

/* The first group of a flex group that has a free inode. */
static int first_in_flex(struct ext4_fs *fs, uint32_t flex, ext4_group_t *out)
{
	ext4_group_t first = flex << fs->geo.flex_bits;
	ext4_group_t end = min(first + fs->geo.flex_groups, fs->geo.groups_count);
	struct ext4_group *g;

	for (ext4_group_t i = first; i < end; i++) {
		int err = ext4_group_get(fs, i, &g);

		if (err)
			return err;
		if (g->free_inodes) {
			*out = i;
			return 0;
		}
	}
	return -ENOSPC;
}

/*
 * Below the root, or a directory marked so: away from the others, to the emptiest of those above
 * average.
 */
static uint32_t spread(struct ext4_fs *fs, const struct averages *a, uint32_t start)
{
	uint32_t best = NO_GROUP, fewest = UINT32_MAX;

	for (uint32_t i = 0; i < a->groups; i++) {
		uint32_t g = (start + i) % a->groups;
		struct ext4_flex *f = &fs->flex[g];

		if (!f->free_inodes || f->used_dirs >= fewest || f->free_inodes < a->free_inodes ||
		    (int64_t)f->free_clusters < a->free_clusters)
			continue;
		best = g;
		fewest = f->used_dirs;
	}
	return best;
}

/* Elsewhere: near the parent, unless that place is crowded. */
static uint32_t nearby(struct ext4_fs *fs, const struct averages *a, uint32_t start)
{
	int64_t per_group = fs->geo.inodes_per_group, flex = fs->geo.flex_groups;
	int64_t dirs_max = a->dirs / a->groups + per_group * flex / 16;
	int64_t inodes_min = max((int64_t)1, a->free_inodes - per_group * flex / 4);
	int64_t clusters_min = a->free_clusters - (int64_t)fs->geo.blocks_per_group * flex / 4;

	for (uint32_t i = 0; i < a->groups; i++) {
		uint32_t g = (start + i) % a->groups;
		struct ext4_flex *f = &fs->flex[g];

		if (f->used_dirs < dirs_max && f->free_inodes >= inodes_min &&
		    (int64_t)f->free_clusters >= clusters_min)
			return g;
	}
	return NO_GROUP;
}

/*
 * Nothing fits: the first group from the parent's with an average number of free inodes, then with
 * any.
 */
static int any_group(struct ext4_fs *fs, ext4_group_t parent, ext4_group_t *out)
{
	int64_t least = ext4_counter_read(&fs->counters.free_inodes) / fs->geo.groups_count;
	struct ext4_group *g;

	for (int round = 0; round < 2; round++, least = 0)
		for (uint32_t i = 0; i < fs->geo.groups_count; i++) {
			ext4_group_t number = (parent + i) % fs->geo.groups_count;
			int err = ext4_group_get(fs, number, &g);

			if (err)
				return err;
			if (g->free_inodes && g->free_inodes >= least) {
				*out = number;
				return 0;
			}
		}
	return -ENOSPC;
}

static uint32_t hash_of_name(struct ext4_fs *fs, const char *name, size_t len)
{
	struct ext4_dirhash h = { 0, 0 };

	(void)ext4_dirhash(EXT4_HASH_HALF_MD4, fs->geo.hash_seed, name, len,
			   &h); /* a known version */
	return h.hash;
}

/* `top`: below the root or a directory marked so, and with a name. */
static int find_group_orlov(struct inode *dir, bool top, const char *name, size_t len,
			    ext4_group_t *out)
{
	struct ext4_fs *fs = dir->fs;
	struct averages a = average(fs);
	ext4_group_t parent = ext4_group_of_inode(&fs->geo, dir->ino);
	uint32_t start =
		(dir->last_group != NO_GROUP ? dir->last_group : parent) >> fs->geo.flex_bits;
	uint32_t flex = top ? spread(fs, &a, hash_of_name(fs, name, len) % a.groups)
			    : nearby(fs, &a, start);

	TRACE_SCOPE(fs, find_group_orlov);
	if (flex != NO_GROUP && first_in_flex(fs, flex, out) == 0)
		return 0;
	return any_group(fs, parent, out);
}

/* ---- which group: files */

static bool has_inodes_and_blocks(struct ext4_fs *fs, ext4_group_t number)
{
	struct ext4_group *g;

	return ext4_group_get(fs, number, &g) == 0 && g->free_inodes && g->free_clusters;
}

/*
 * Without flex groups: the parent's, else at growing steps from a place that depends on the parent.
 */
static int other_without_flex(struct inode *dir, ext4_group_t parent, ext4_group_t *out)
{
	struct ext4_fs *fs = dir->fs;
	uint32_t groups = fs->geo.groups_count;
	struct ext4_group *g;

	*out = parent;
	if (has_inodes_and_blocks(fs, parent))
		return 0;
	*out = (parent + dir->ino) % groups;
	for (uint32_t step = 1; step < groups; step <<= 1) {
		*out = (*out + step) % groups;
		if (has_inodes_and_blocks(fs, *out))
			return 0;
	}
	for (uint32_t i = 0; i < groups; i++) {
		*out = (parent + i) % groups;
		if (ext4_group_get(fs, *out, &g) == 0 && g->free_inodes)
			return 0;
	}
	return -ENOSPC;
}

static int find_group_other(struct inode *dir, ext4_group_t *out)
{
	struct ext4_fs *fs = dir->fs;
	ext4_group_t parent = ext4_group_of_inode(&fs->geo, dir->ino);

	TRACE_SCOPE(fs, find_group_other);
	if (fs->geo.flex_groups == 1)
		return other_without_flex(dir, parent, out);
	if (first_in_flex(fs, parent >> fs->geo.flex_bits, out) == 0)
		return 0;
	if (dir->last_group != NO_GROUP &&
	    first_in_flex(fs, dir->last_group >> fs->geo.flex_bits, out) == 0)
		return 0;
	return find_group_orlov(dir, false, NULL, 0, out);
}

static int choose_group(struct inode *dir, uint16_t mode, const char *name, size_t len,
			ext4_group_t *out)
{
	bool top = dir->ino == EXT4_ROOT_INO || dir->flags & EXT4_TOPDIR_FL;

	return EXT4_S_ISDIR(mode) ? find_group_orlov(dir, top && name, name, len, out)
				  : find_group_other(dir, out);
}

/* ---- which bit */

/* Reserved numbers are never given away, whatever the bitmap says. */
static uint32_t first_usable(struct ext4_fs *fs, const struct ext4_group *g)
{
	return g->number == 0 ? fs->geo.first_ino - 1 : 0;
}

/* The group's lock held. */
static bool find_bit(struct ext4_fs *fs, struct ext4_group *g, const struct buffer *bits,
		     uint32_t *bit)
{
	uint32_t end = fs->geo.inodes_per_group;

	*bit = bitmap_next_zero(bits->data, end, first_usable(fs, g));
	return *bit < end;
}

static bool has_free_bit(struct ext4_fs *fs, struct ext4_group *g, const struct buffer *bits,
			 uint32_t *bit)
{
	guard(&g->lock);
	return find_bit(fs, g, bits, bit);
}

/* A group in which nothing was allocated yet gets its block bitmap with its first inode. */
static int initialise_block_bitmap(struct ext4_fs *fs, struct handle *h, struct ext4_group *g)
{
	autobuffer bits = NULL;
	int err;

	if (!(g->flags & EXT4_BG_BLOCK_UNINIT))
		return 0;
	err = ext4_read_block_bitmap(fs, g, &bits);
	if (!err)
		err = ext4_journal_get_write_access(fs, h, bits);
	if (err)
		return err;
	mutex_lock(&g->lock);
	if (g->flags & EXT4_BG_BLOCK_UNINIT) {
		g->flags &= (uint16_t)~EXT4_BG_BLOCK_UNINIT;
		ext4_block_bitmap_csum_set(fs, g, bits);
	}
	mutex_unlock(&g->lock);
	return ext4_handle_dirty_metadata(fs, h, 0, bits);
}

/* The numbers of the group after the bit was taken; its lock held. */
static void count_new(struct ext4_fs *fs, struct ext4_group *g, uint32_t bit, bool is_dir)
{
	uint32_t used = bit + 1;

	g->free_inodes--;
	g->used_dirs += is_dir;
	if (g->flags & EXT4_BG_INODE_UNINIT)
		g->flags &= (uint16_t)~EXT4_BG_INODE_UNINIT;
	if (used > fs->geo.inodes_per_group - g->itable_unused)
		g->itable_unused = fs->geo.inodes_per_group - used;
	ext4_counter_add(&fs->counters.free_inodes, -1);
	if (is_dir)
		ext4_counter_add(&fs->counters.dirs, 1);
	ext4_flex_add(fs, g->number, 0, -1, is_dir);
}

/*
 * Takes a free bit of the group in this handle; *bit is the one seen before. -EAGAIN: all are gone
 * meanwhile.
 */
static int take_bit(struct ext4_fs *fs, struct handle *h, struct ext4_group *g, struct buffer *bits,
		    bool is_dir, uint32_t *bit)
{
	int err = ext4_journal_get_write_access(fs, h, bits);

	if (!err)
		err = ext4_group_get_write_access(fs, h, g);
	if (!err)
		err = initialise_block_bitmap(fs, h, g);
	if (err)
		return err;
	guard(&g->lock);
	if (!find_bit(fs, g, bits, bit))
		return -EAGAIN;
	bitmap_set(bits->data, *bit);
	count_new(fs, g, *bit, is_dir);
	ext4_inode_bitmap_csum_set(fs, g, bits);
	err = ext4_handle_dirty_metadata(fs, h, 0, bits);
	return err ? err : ext4_group_dirty(fs, h, g);
}

/* What a new inode is looked for with, and where it was found. */
struct search {
	struct inode *dir;
	uint16_t mode;
	enum ext4_handle_type type;
	int credits;
	struct handle *handle;		/* open once a bit was seen */
	ext4_group_t group;
	uint32_t bit;
};

/* One group: 0, -EAGAIN (it has none), or an error. */
static int search_group(struct search *s)
{
	struct ext4_fs *fs = s->dir->fs;
	struct ext4_group *g;
	autobuffer bits = NULL;
	int err = ext4_group_get(fs, s->group, &g);

	if (err)
		return err;
	if (!g->free_inodes)
		return -EAGAIN;
	ext4_wait_zeroed(fs, g);
	err = ext4_read_inode_bitmap(fs, g, &bits);
	if (err)
		return err == -EFSCORRUPTED || err == -EFSBADCRC ? -EAGAIN : err;
	if (!has_free_bit(fs, g, bits, &s->bit))
		return -EAGAIN;
	if (!s->handle)
		err = __ext4_journal_start_sb(fs, 0, "__ext4_new_inode", __LINE__, s->type,
					      s->credits, 0, &s->handle);
	return err ? err : take_bit(fs, s->handle, g, bits, EXT4_S_ISDIR(s->mode), &s->bit);
}

static int search_groups(struct search *s)
{
	struct ext4_fs *fs = s->dir->fs;
	int err = -EAGAIN;

	for (uint32_t i = 0; i < fs->geo.groups_count && err == -EAGAIN; i++) {
		err = search_group(s);
		if (err == -EAGAIN)
			s->group = (s->group + 1) % fs->geo.groups_count;
	}
	return err == -EAGAIN ? -ENOSPC : err;
}

/* ---- what it begins as */

#define FLAGS_INHERITED \
	(EXT4_SECRM_FL | EXT4_UNRM_FL | EXT4_COMPR_FL | EXT4_SYNC_FL | EXT4_NODUMP_FL | \
	 EXT4_NOATIME_FL | EXT4_NOCOMPR_FL | EXT4_JOURNAL_DATA_FL | EXT4_NOTAIL_FL | \
	 EXT4_DIRSYNC_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL | EXT4_DAX_FL)

static uint32_t inherited_flags(const struct inode *dir, uint16_t mode)
{
	uint32_t flags = dir->flags & FLAGS_INHERITED;

	if (EXT4_S_ISDIR(mode))
		return flags;
	flags &= ~(uint32_t)(EXT4_DIRSYNC_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL);
	return EXT4_S_ISREG(mode) ? flags : flags & (EXT4_NODUMP_FL | EXT4_NOATIME_FL);
}

/*
 * A set-group-id directory (or grpid) gives its group; and the bit, to directories. Who is not of
 * that group makes no program that acts for it.
 */
static void inherit_group(struct inode *i, const struct inode *dir, uint16_t mode,
			  const struct ext4_cred *cred)
{
	bool set_gid = dir->mode & 02000, acts = (mode & 02010) == 02010;

	i->gid = set_gid || dir->fs->opt.grpid ? dir->gid : cred->gid;
	i->mode = mode;
	if (set_gid && EXT4_S_ISDIR(mode))
		i->mode = mode | 02000;
	else if (set_gid && acts && cred->uid && !ext4_in_group(cred, dir->gid))
		i->mode = (uint16_t)(mode & ~02000);
}

static void begin(struct inode *i, const struct inode *dir, uint16_t mode,
		  const struct ext4_cred *cred)
{
	struct ext4_fs *fs = i->fs;

	i->generation = atomic_fetch_add(&fs->next_generation, 1);
	i->csum_seed = ext4_inode_csum_seed(&fs->geo, i->ino, i->generation);
	i->uid = cred->uid;
	inherit_group(i, dir, mode, cred);
	i->nlink = 1;
	i->flags = inherited_flags(dir, mode);
	i->atime = i->mtime = i->ctime = i->crtime = ext4_current_time(fs);
	if (fs->geo.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
		i->extra_isize = fs->geo.want_extra_isize;
	jbd2_inode_init(&i->jinode, i->ino, i);
	atomic_fetch_or(&i->state, INODE_FRESH);
}

static bool uses_extents(const struct inode *i)
{
	return i->fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS &&
	       (EXT4_S_ISREG(i->mode) || EXT4_S_ISDIR(i->mode) || EXT4_S_ISLNK(i->mode));
}

static int write_first(struct handle *h, struct inode *i, struct inode *dir, const struct ext4_cred *cred)
{
	int err = ext4_acl_inherit(h, i, dir, cred);

	if (!err && uses_extents(i)) {
		i->flags |= EXT4_EXTENTS_FL;
		err = ext4_ext_tree_init(h, i);
	}
	return err ? err : __ext4_mark_inode_dirty(h, i, "__ext4_new_inode");
}

/*
 * It has its bit, and cannot be: the bit goes back in the same handle, as if it had been deleted.
 */
static void undo(struct handle *h, struct inode *i)
{
	attr_write_begin(i);
	i->nlink = 0;
	attr_write_end(i);
	ignore_result(ext4_orphan_add(h, i));
	ext4_inode_unlock_new(i);
	ext4_iput(i);
}

int __ext4_new_inode(struct inode *dir, uint16_t mode, const char *name, size_t name_len,
		     const struct ext4_cred *cred, enum ext4_handle_type type, int credits,
		     struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct search s = { .dir = dir, .mode = mode, .type = type, .credits = credits };
	struct inode *i;
	int err;

	TRACE_SCOPE(fs, ext4_new_inode_start_handle, __ext4_new_inode);
	trace(fs, ext4_request_inode, dir->ino, mode);
	err = choose_group(dir, mode, name, name_len, &s.group);
	if (err)
		return err;
	i = ext4_inode_prepare(fs);
	if (!i)
		return -ENOMEM;
	err = search_groups(&s);
	if (!err)
		err = ext4_inode_insert_new(i, s.group * fs->geo.inodes_per_group + s.bit + 1);
	if (err) {
		ext4_inode_unprepare(i);
		goto undo_handle;
	}
	dir->last_group = s.group;
	begin(i, dir, mode, cred);
	err = write_first(s.handle, i, dir, cred);
	if (err) {
		undo(s.handle, i);
		goto undo_handle;
	}
	trace(fs, ext4_allocate_inode, i->ino, dir->ino, mode);
	*out = i;
	return 0;

undo_handle:
	if (s.handle)
		(void)ext4_journal_stop(fs, s.handle);
	return err;
}

/* ---- freeing */

int ext4_free_inode(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	uint32_t bit = (i->ino - 1) % fs->geo.inodes_per_group;
	bool is_dir = EXT4_S_ISDIR(i->mode);
	struct ext4_group *g;
	autobuffer bits = NULL;
	int err;

	TRACE_SCOPE(fs, ext4_free_inode);
	trace(fs, ext4_free_inode, i->ino, i->mode, i->uid, i->gid, i->blocks);
	err = ext4_xattr_delete_inode(h, i);
	/* A block of attributes that is damaged is lost; the inode's number need not be. */
	if (err && err != -EFSCORRUPTED && err != -EFSBADCRC)
		return err;
	ext4_clear_inode(i);
	err = ext4_group_get(fs, ext4_group_of_inode(&fs->geo, i->ino), &g);
	if (!err)
		err = ext4_read_inode_bitmap(fs, g, &bits);
	if (!err)
		err = ext4_journal_get_write_access(fs, h, bits);
	if (!err)
		err = ext4_group_get_write_access(fs, h, g);
	if (err)
		return err;
	guard(&g->lock);
	if (!bitmap_test(bits->data, bit))
		return ext4_error(fs, i->ino, bits->block, "inode is free in its bitmap already");
	bitmap_clear(bits->data, bit);
	g->free_inodes++;
	g->used_dirs -= is_dir && g->used_dirs;
	ext4_counter_add(&fs->counters.free_inodes, 1);
	if (is_dir)
		ext4_counter_add(&fs->counters.dirs, -1);
	ext4_flex_add(fs, g->number, 0, 1, -(int)is_dir);
	ext4_inode_bitmap_csum_set(fs, g, bits);
	err = ext4_handle_dirty_metadata(fs, h, 0, bits);
	return err ? err : ext4_group_dirty(fs, h, g);
}
