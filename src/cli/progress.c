/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Progress of a copy: one line on stderr, only where that is a terminal, from the second second on.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "cli/cli.h"

#define FIRST_NS 1000000000ll /* what ends sooner shows nothing */
#define STEP_NS  200000000ll

static struct {
	bool asked, wanted; /* whether stderr is a terminal */
	bool shown;
	int64_t began_ns, last_ns;
	uint64_t bytes, files;
	const char *what; /* only to see that it is another */
} progress;

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static bool wanted(void)
{
	if (!progress.asked) {
		progress.asked = true;
		progress.wanted = isatty(STDERR_FILENO);
		progress.began_ns = now_ns();
	}
	return progress.wanted;
}

static void print(const char *what)
{
	char done[16], name[49];
	size_t n = 0;

	for (; what[n] && n + 1 < sizeof(name); n++)
		name[n] = (unsigned char)what[n] < 0x20 || what[n] == 0x7f ? '?' : what[n];
	name[n] = '\0';
	cli_human(progress.bytes, done);
	fprintf(stderr, "\r\033[K%s, file %llu: %s", done, (unsigned long long)progress.files,
		name);
	fflush(stderr);
	progress.shown = true;
}

void cli_progress(const char *what, uint64_t bytes)
{
	int64_t now;

	if (!wanted())
		return;
	progress.bytes += bytes;
	progress.files += what != progress.what;
	progress.what = what;
	now = now_ns();
	if (now - progress.began_ns < FIRST_NS || now - progress.last_ns < STEP_NS)
		return;
	progress.last_ns = now;
	print(what);
}

void cli_progress_clear(void)
{
	if (progress.shown)
		fputs("\r\033[K", stderr);
	progress.shown = false;
}
