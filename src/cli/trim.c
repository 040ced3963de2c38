/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant trim: free space back to what the image lies on.
 */
#include "cli/cli.h"
#include "cli/json.h"

struct trim_args {
	const char *options, *offset, *length, *minimum;
	bool verbose, json;
};

struct range {
	uint64_t start, length, least;
};

static bool parse_range(const struct trim_args *args, struct range *r)
{
	*r = (struct range){ 0, UINT64_MAX, 0 };
	return (!args->offset || cli_parse_size(args->offset, &r->start)) &&
	       (!args->length || cli_parse_size(args->length, &r->length)) &&
	       (!args->minimum || cli_parse_size(args->minimum, &r->least));
}

static int check(const void *v, int count, char **words)
{
	struct range r;

	return parse_range(v, &r) ? CLI_DONE
				  : cli_usage("-l, -m and --offset take sizes, like 10M");
}

static void print_json(const struct cli_image *im, uint64_t trimmed)
{
	struct facts f;

	facts_begin(&f, stdout, true, 1);
	facts_string(&f, "image", im->path);
	facts_number(&f, "trimmed", trimmed);
	facts_end(&f);
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct trim_args *args = v;
	uint64_t trimmed = 0;
	char text[16];
	struct range r;
	int err;

	(void)parse_range(args, &r); /* checked */
	err = extant_fstrim(im->x, r.start, r.length, r.least, &trimmed);
	if (err)
		return cli_failed(im, "", err,
				  err == -EOPNOTSUPP ? "what it lies on takes no space back"
						     : NULL);
	cli_human(trimmed, text);
	if (args->json)
		print_json(im, trimmed);
	else if (args->verbose)
		printf("%s: %s (%llu bytes) trimmed\n", im->path, text,
		       (unsigned long long)trimmed);
	return CLI_DONE;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'v', "verbose", NULL, "print how much it was",
	  offsetof(struct trim_args, verbose) },
	{ CLI_TEXT, 'm', "minimum", "SIZE", "only where that much is free in a row",
	  offsetof(struct trim_args, minimum) },
	{ CLI_TEXT, 0, "offset", "SIZE", "from there on", offsetof(struct trim_args, offset) },
	{ CLI_TEXT, 'l', "length", "SIZE", "as far as that", offsetof(struct trim_args, length) },
	CLI_JSON(struct trim_args, json),
	CLI_MOUNT_OPTIONS(struct trim_args, options),
	{ CLI_END },
};

const struct cli_command cli_trim = {
	.name = "trim",
	.arguments = "IMAGE",
	.summary = "give the free space of an image back to what it lies on",
	.details = "In an image file, free space becomes a hole; a device is told to discard it.",
	.options = options,
	.args_size = sizeof(struct trim_args),
	.args_min = 1,
	.args_max = 1,
	.access = CLI_WRITE,
	.check = check,
	.on = on,
};
