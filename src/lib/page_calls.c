/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls on pages of files. A struct extant_page is a struct vfs_page.
 *
 * Only handing out waits for a thaw: as long as a page is out there is no freeze.
 */
#include "lib/enter.h"

_Static_assert(EXTANT_PAGE_WRITE == VFS_PAGE_WRITE && EXTANT_PAGE_RANDOM == VFS_PAGE_RANDOM &&
		       EXTANT_PAGE_SEQUENTIAL == VFS_PAGE_SEQUENTIAL, "the same flags");

uint32_t extant_page_size(struct extant *x)
{
	return page_size(x->vfs->fs->pages);
}

static int64_t get_to_store(struct extant *x, int fd, int64_t offset, size_t len, int flags, struct vfs_page **page,
			    void **data)
{
	return CHANGE(x, vfs_page_get(x->vfs, fd, offset, len, flags, page, data));
}

int64_t extant_page_get(struct extant *x, int fd, int64_t offset, size_t len, int flags, struct extant_page **page,
			void **data)
{
	struct vfs_page **out = (struct vfs_page **)page;

	if (flags & EXTANT_PAGE_WRITE)
		return get_to_store(x, fd, offset, len, flags, out, data);
	return ENTER(x, vfs_page_get(x->vfs, fd, offset, len, flags, out, data));
}

int extant_page_put(struct extant *x, struct extant_page *page, bool dirty)
{
	return (int)ENTER(x, vfs_page_put(x->vfs, (struct vfs_page *)page, dirty));
}

int extant_msync(struct extant *x, int fd, int64_t offset, int64_t len, int flags)
{
	return (int)ENTER(x, vfs_msync(x->vfs, fd, offset, len, flags));
}
