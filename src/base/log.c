/* SPDX-License-Identifier: BSD-2-Clause */
/* One message is formatted into one line and handed to the program. */
#include "base/log.h"

#include <stdio.h>

#define MESSAGE_MAX 1024

void log_message(const struct log *l, enum log_level level, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	if (!l || !l->message)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	l->message(l->arg, level, text);
}
