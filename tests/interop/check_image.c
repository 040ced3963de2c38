/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks an image and prints each problem on a line: for tests that hold the check against e2fsck.
 * Usage: check_image [--after-crash] IMAGE. After a crash, once the journal is replayed, the
 * superblock's free counts may be old. Exit status: 0 clean, 4 problems, 8 it could not be checked.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "check/check.h"

static void print_problem(void *arg, const struct check_problem *p)
{
	char text[512];

	(void)arg;
	check_problem_format(p, text, sizeof(text));
	(void)printf("%s: %s\n", check_kind_name(p->kind), text);
}

static int check_file(struct arena *a, const char *path, bool after_crash)
{
	const struct check_options opt = { .arena = a,
					   .problem = print_problem,
					   .totals_may_lag = after_crash };
	struct check_report report;
	struct block_device *dev;
	int err = block_file_open(a, path, true, 0, 0, &dev);

	if (err) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return 8;
	}
	err = check_image(dev, &opt, &report);
	block_close(dev);
	if (err) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return 8;
	}
	(void)printf("%" PRIu64 " problems, %" PRIu64 " inodes, %" PRIu64 " directories, %" PRIu64
		     " orphans, %" PRIu64 " blocks\n",
		     report.problems, report.inodes_used, report.directories, report.orphans,
		     report.blocks_used);
	return report.problems ? 4 : 0;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_create();
	bool after_crash = argc == 3 && !strcmp(argv[1], "--after-crash");
	int status = 8;

	if (argc != 2 + after_crash)
		(void)fprintf(stderr, "usage: check_image [--after-crash] IMAGE\n");
	else if (a)
		status = check_file(a, argv[argc - 1], after_crash);
	if (a)
		arena_destroy(a);
	return status;
}
