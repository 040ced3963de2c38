/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkreplay - fill a mounted ext4's journal, then shut the file system down.
 *
 * usage: mkreplay DIR FILES ROUNDS
 *
 * Makes FILES empty files in directories of 1000 with a commit after each
 * directory, then ROUNDS times: changes the mode of every file in a scattered
 * order with a commit every 10000, and removes a tenth of the directories (freed
 * directory blocks become revoke records).  A commit is forced by fsync of one
 * file: syncfs would also write the metadata to its home.  Ends with EXT4_IOC_SHUTDOWN and
 * LOGFLUSH, so everything is committed in the journal and little of it is
 * elsewhere.  The file system is useless afterwards until it is replayed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define IOC_SHUTDOWN _IOR('X', 125, uint32_t)
enum { LOGFLUSH = 1, PER = 1000 };

static void die(const char *what)
{
	fprintf(stderr, "mkreplay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void name(char *p, long i)
{
	sprintf(p, "d%04ld/file-with-a-longer-name-%07ld", i / PER, i);
}

static void commit(int root)
{
	static int fd = -1;
	static off_t size;
	if (fd < 0)
		fd = openat(root, "tick", O_CREAT | O_WRONLY, 0644);
	if (fd < 0 || ftruncate(fd, ++size) || fsync(fd))
		die("commit");
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: mkreplay DIR FILES ROUNDS\n");
		return 2;
	}
	int root = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (root < 0)
		die(argv[1]);
	long n = atol(argv[2]), rounds = atol(argv[3]), gone = 0;
	char p[128];
	for (long i = 0; i < n; i++) {
		if (i % PER == 0) {
			sprintf(p, "d%04ld", i / PER);
			if (mkdirat(root, p, 0755))
				die(p);
		}
		name(p, i);
		int fd = openat(root, p, O_CREAT | O_WRONLY, 0644);
		if (fd < 0)
			die(p);
		close(fd);
		if (i % PER == PER - 1)
			commit(root);
	}
	for (long r = 0; r < rounds; r++) {
		for (long k = 0; k < n - gone; k++) {
			long i = gone + k * 7919 % (n - gone);
			name(p, i);
			if (fchmodat(root, p, r & 1 ? 0600 : 0640, 0))
				die(p);
			if (k % 10000 == 9999)
				commit(root);
		}
		for (long end = gone + n / 10 / PER * PER; gone < end; gone++) {
			name(p, gone);
			if (unlinkat(root, p, 0))
				die(p);
			if (gone % PER == PER - 1) {
				sprintf(p, "d%04ld", gone / PER);
				if (unlinkat(root, p, AT_REMOVEDIR))
					die(p);
			}
		}
		commit(root);
	}
	uint32_t flag = LOGFLUSH;
	if (ioctl(root, IOC_SHUTDOWN, &flag))
		die("EXT4_IOC_SHUTDOWN");
	printf("left: %ld files\n", n - gone);
	return 0;
}
