/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mount as the library holds it, for the files of src/lib and for the command line, which brings its own
 * clock, trace and device.
 */
#ifndef EXTANT_LIB_H
#define EXTANT_LIB_H

#include "extant/extant.h"
#include "vfs/vfs.h"

struct extant {
	struct arena *arena;
	bool own_arena;			/* ends with the mount */
	struct sched *sched;
	struct clock own_clock;
	struct clock *clock;
	struct log log;
	struct extant_options opt;	/* the program's callbacks */
	struct trace *trace;
	struct vfs *vfs;
	struct ext4_cred cred;		/* who acts */
	struct extant *whole;		/* of one for somebody else (extant_as): the mount; NULL: this is it */
	_Atomic int32_t others;		/* those that belong to it */
	char *image;
	char *mount_point;
};

struct lib_mount_args {
	const char *image;
	const struct extant_options *opt;
	struct clock *clock;		/* NULL: as the options say; else outlives the mount */
	struct trace *trace;		/* NULL: none; else outlives the mount */
	struct block_device *device;	/* NULL: the image is opened; else taken over */
	struct arena *arena;		/* NULL: one of its own; else empty again when the mount has ended */
	enum trace_dialect dialect;	/* what the options do not say */
};
must_check int lib_mount(const struct lib_mount_args *args, struct extant **out);

/*
 * Opens an image as the options offset= and partition= say, and takes those two out of the list: `rest` (as long
 * as `options`) has the others. `why`: one line when it fails.
 */
must_check int lib_open_image(struct arena *a, const char *image, const char *options, bool read_only, char *rest,
			      struct block_device **out, char *why, size_t why_len);

#endif
