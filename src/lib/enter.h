/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a public call comes in: as a task of the mount's scheduler that acts for its user, and, when it changes something,
 * through the gate that a freeze shuts. Not for others.
 */
#ifndef EXTANT_LIB_ENTER_H
#define EXTANT_LIB_ENTER_H

#include "lib/lib.h"

/*
 * `call` is an expression of one function call. Nothing of this frame changes between the guard and
 * the result, so that the way back from an unwound call finds it as it was.
 */
#define ENTER(x, call) \
	({ \
		struct task *task_ = task_enter((x)->sched, "app"); \
		const void *actor_ = task_ ? task_->actor : NULL; \
		int64_t result_; \
		if (!task_) \
			result_ = -ENOMEM; \
		else if (task_guard(task_)) \
			result_ = -EIO; \
		else { \
			vfs_act_for((x)->vfs, &(x)->cred); \
			result_ = (call); \
		} \
		if (task_) { \
			task_->actor = actor_; \
			task_->flags &= ~TASK_UNPRIVILEGED; \
			task_leave(task_); \
		} \
		result_; \
	})

/* The same for a call that changes the file system: it waits while that is frozen. */
#define CHANGE(x, call) \
	ENTER(x, ({ \
		      struct ext4_fs *fs_ = (x)->vfs->fs; \
		      unsigned at_; \
		      int64_t changed_ = ext4_begin_change(fs_, &at_); \
		      if (!changed_) { \
			      changed_ = (call); \
			      ext4_end_change(fs_, at_); \
		      } \
		      changed_; \
	      }))

#endif
