/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages and failed assertions. A mount's messages go to a callback of the embedding program's,
 * never to its stderr. One message is one line: what, where (image, inode, block), why, what to do.
 */
#ifndef EXTANT_BASE_LOG_H
#define EXTANT_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO };

struct log {
	void (*message)(void *arg, enum log_level level, const char *text);	/* NULL: dropped */
	/*
	 * Called when an assertion of ours fails in a task of this mount. It may return: then the
	 * mount is poisoned and everything on it answers EIO. NULL: the process stops.
	 */
	void (*assertion_failed)(void *arg, const char *text);
	void *arg;
};

printf_like(3, 4) void log_message(const struct log *l, enum log_level level, const char *fmt, ...);

#endif
