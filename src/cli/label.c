/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant label, extant uuid: what a file system is called.
 */
#include <ctype.h>
#include <string.h>
#include <sys/random.h>
#include "cli/cli.h"
#include "cli/json.h"

struct name_args {
	const char *options;
	bool json;
};

/* One is asked for, two words set it. */
static enum cli_access access_for(const void *v, int count, char **words)
{
	return count ? CLI_WRITE : CLI_READ;
}

static void show(const struct cli_image *im, const struct name_args *args, const char *key,
		 const char *value)
{
	struct facts f;

	if (!args->json) {
		cli_print_line(value);
		return;
	}
	facts_begin(&f, stdout, true, 1);
	facts_string(&f, "image", im->path);
	facts_string(&f, key, value);
	facts_end(&f);
}

/* ---- label */

static int label_check(const void *v, int count, char **words)
{
	if (count && strlen(words[0]) > EXTANT_LABEL_MAX)
		return cli_usage("%s: a label has %d bytes at most", words[0], EXTANT_LABEL_MAX);
	return CLI_DONE;
}

static int label_on(struct cli_image *im, const void *v, int count, char **words)
{
	char label[EXTANT_LABEL_MAX + 1];
	int err = count ? extant_setlabel(im->x, words[0]) : extant_getlabel(im->x, label);

	if (err)
		return cli_failed(im, "", err, NULL);
	if (!count)
		show(im, v, "label", label);
	return CLI_DONE;
}

static const struct cli_option options[] = {
	CLI_JSON(struct name_args, json),
	CLI_MOUNT_OPTIONS(struct name_args, options),
	{ CLI_END },
};

const struct cli_command cli_label = {
	.name = "label",
	.arguments = "IMAGE [LABEL]",
	.summary = "print or set the label of an image",
	.details =
		"Up to 16 bytes; an empty word takes it away. The copies of the superblock get it "
		"too.",
	.options = options,
	.args_size = sizeof(struct name_args),
	.args_min = 1,
	.args_max = 2,
	.access_for = access_for,
	.check = label_check,
	.on = label_on,
};

/* ---- uuid */

static void uuid_text(const uint8_t uuid[16], char out[37])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = digits[uuid[i] >> 4];
		out[n++] = digits[uuid[i] & 15];
	}
	out[n] = '\0';
}

/* Version 4: all of it at random. */
static bool make_random(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return false;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return true;
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
	char again[37];

	memset(uuid, 0, 16);
	if (!strcmp(text, "clear") || !strcmp(text, "null"))
		return true;
	if (!strcmp(text, "random"))
		return make_random(uuid);
	if (strlen(text) != 36)
		return false;
	for (int i = 0, n = 0; i < 36; i++) {
		if (digit(text[i]) < 0)
			continue;
		if (n < 32)
			uuid[n / 2] = (uint8_t)(uuid[n / 2] | digit(text[i]) << (n % 2 ? 0 : 4));
		n++;
	}
	uuid_text(uuid, again);
	return !strcasecmp(text, again);
}

static int uuid_check(const void *v, int count, char **words)
{
	uint8_t uuid[16];

	if (count && !parse_uuid(words[0], uuid))
		return cli_usage("%s: no UUID; it is xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, random "
				 "or clear",
				 words[0]);
	return CLI_DONE;
}

static int uuid_on(struct cli_image *im, const void *v, int count, char **words)
{
	uint8_t uuid[16];
	char text[37];
	int err;

	if (count && !parse_uuid(words[0], uuid))
		return cli_usage("%s: no UUID", words[0]);
	err = count ? extant_setuuid(im->x, uuid) : extant_getuuid(im->x, uuid);
	if (err)
		return cli_failed(im, "", err,
				  err == -EOPNOTSUPP ? "checksums begin with the UUID; "
						       "tune2fs -O metadata_csum_seed frees it"
						     : NULL);
	uuid_text(uuid, text);
	if (!count)
		show(im, v, "uuid", text);
	return CLI_DONE;
}

const struct cli_command cli_uuid = {
	.name = "uuid",
	.arguments = "IMAGE [UUID]",
	.summary = "print or set the UUID of an image",
	.details = "UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, random, or clear. Where checksums "
		   "begin with\n"
		   "it (metadata_csum or uninit_bg, without metadata_csum_seed) it cannot be set.",
	.options = options,
	.args_size = sizeof(struct name_args),
	.args_min = 1,
	.args_max = 2,
	.access_for = access_for,
	.check = uuid_check,
	.on = uuid_on,
};
