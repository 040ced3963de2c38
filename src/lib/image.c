/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening an image: a file or device, or the part of it that offset= or partition= name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "lib/lib.h"

struct place {
	uint64_t offset, size;
	unsigned partition;		/* 0: none */
};

static int number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return *text < '0' || *text > '9' || *end || errno ? -EINVAL : 0;
}

static bool is_option(const char *word, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) || word[n] != '=')
		return false;
	*value = word + n + 1;
	return true;
}

/* The two options are taken out, the rest is handed on as it is. */
static int split(const char *options, char *rest, struct place *p, char *why, size_t why_len)
{
	char buf[1024], *save, *word;
	const char *value;
	uint64_t n;

	*rest = '\0';
	if (strlen(options) >= sizeof(buf))
		return snprintf(why, why_len, "mount options: too long"), -EINVAL;
	strcpy(buf, options);
	for (word = strtok_r(buf, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		bool is_offset = is_option(word, "offset", &value);

		if (!is_offset && !is_option(word, "partition", &value)) {
			strcat(*rest ? strcat(rest, ",") : rest, word);
			continue;
		}
		if (number(value, &n) || (!is_offset && (!n || n > 1024)))
			return snprintf(why, why_len, "mount option %s: no such place", word),
			       -EINVAL;
		if (is_offset)
			p->offset = n;
		else
			p->partition = (unsigned)n;
	}
	return 0;
}

static int find_partition(struct arena *a, const char *image, struct place *p, char *why,
			  size_t why_len)
{
	struct block_device *disk;
	int err = block_file_open_why(a, image, true, p->offset, 0, &disk, why);
	uint64_t offset;

	if (err)
		return err;
	err = block_partition_find(disk, p->partition, &offset, &p->size);
	block_close(disk);
	if (err)
		(void)snprintf(why, why_len,
			       err == -ENODATA  ? "no partition table"
			       : err == -ENOENT ? "partition %u: there is none"
						: "partition %u: the partition table is damaged",
			       p->partition);
	else
		p->offset += offset;
	return err;
}

int lib_open_image(struct arena *a, const char *image, const char *options, bool read_only,
		   char *rest, struct block_device **out, char *why, size_t why_len)
{
	struct place p = { 0 };
	char reason[BLOCK_WHY_MAX] = "";
	int err = split(options, rest, &p, why, why_len);

	if (!err && p.partition)
		err = find_partition(a, image, &p, why, why_len);
	if (err)
		return err;
	err = block_file_open_why(a, image, read_only, p.offset, p.size, out, reason);
	if (err)
		(void)snprintf(why, why_len, "%s", *reason ? reason : strerror(-err));
	return err;
}
