/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images for unit tests, made by mke2fs, filled by debugfs and put in order by e2fsck -D, and held
 * in memory. A test whose machine lacks these tools skips (exit 77).
 */
#ifndef EXTANT_EXT4_TEST_IMAGE_H
#define EXTANT_EXT4_TEST_IMAGE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct test_image {
	uint8_t *bytes;			/* private: changes stay in memory */
	size_t size;
};

/* Runs a shell command; its result, or 77 through exit() where the shell does not know it. */
static inline int test_shell(const char *command)
{
	int status = system(command);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		(void)printf("skipped: mke2fs, debugfs and e2fsck are needed\n");
		exit(77);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void test_image_map(struct test_image *img, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	img->size = (size_t)st.st_size;
	img->bytes = mmap(NULL, img->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (img->bytes == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	(void)close(fd);
}

static inline void test_image_unmap(struct test_image *img)
{
	(void)munmap(img->bytes, img->size);
}

/*
 * Makes an image of `size` ("64M") with these options of mke2fs. It holds: /plain, /sparse (many
 * extents or indirect blocks), /attr (attributes in the inode and in a block), /link and /long
 * (symbolic links), /d with `names` entries, sorted into a hash tree where the image has those.
 */
static inline void test_image_make(struct test_image *img, const char *options, const char *size,
				   unsigned names)
{
	static const char script[] =
		"set -e; export PATH=$PATH:/sbin:/usr/sbin LC_ALL=C; cd '%s'\n"
		"mke2fs -q -F -E hash_seed=01020304-0506-0708-090a-0b0c0d0e0f10 %s image %s > log 2>&1\n"
		"printf plain > plain; printf %%0300d 7 > value\n"
		"truncate -s 3M sparse\n"
		"for i in $(seq 0 3 700); do printf x | dd of=sparse bs=4096 seek=$i conv=notrunc status=none; done\n"
		"{ echo 'write plain plain'; echo 'write sparse sparse'; echo 'write plain attr'\n"
		"  echo 'ea_set attr user.small value'; echo 'ea_set -f value attr user.large'\n"
		"  echo 'symlink link target'; printf 'symlink long %%0200d\\n' 5; echo 'mknod pipe p'\n"
		"  echo 'mkdir d'; echo 'cd d'\n"
		"  for i in $(seq %u); do echo \"symlink name-of-some-length-$i x\"; done; } > script\n"
		"debugfs -w -f script image > log 2>&1\n"
		"e2fsck -fyD image > log 2>&1 || [ $? -le 1 ]\n"
		"e2fsck -fn image > log 2>&1\n";
	char dir[] = "/tmp/extant-test-XXXXXX", command[4096];

	if (!mkdtemp(dir)) {
		perror(dir);
		exit(1);
	}
	(void)snprintf(command, sizeof(command), script, dir, options, size, names);
	if (test_shell(command)) {
		(void)printf("making an image failed: %s, see %s\n", options, dir);
		exit(1);
	}
	(void)snprintf(command, sizeof(command), "%s/image", dir);
	test_image_map(img, command);
	(void)snprintf(command, sizeof(command), "rm -r '%s'", dir);
	(void)test_shell(command);
}

#endif
