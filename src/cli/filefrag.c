/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant filefrag: in how many pieces a file lies in the image, and where.
 */
#include <fcntl.h>
#include <linux/fiemap.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/json.h"

struct filefrag_args {
	const char *options;
	bool verbose, bytes, json;
};

struct pieces {
	const struct filefrag_args *args;
	struct facts *facts;
	uint64_t unit; /* what -v counts in */
	uint64_t count, extents; /* count: neighbours on disk are one piece */
	uint64_t end; /* where the last one ends on disk */
};

/* Names of the flags, as filefrag -v has them. */
static void flags_text(uint32_t flags, char *buf, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ FIEMAP_EXTENT_LAST, "last" },
		{ FIEMAP_EXTENT_UNKNOWN, "unknown_loc" },
		{ FIEMAP_EXTENT_DELALLOC, "delalloc" },
		{ FIEMAP_EXTENT_ENCODED, "encoded" },
		{ FIEMAP_EXTENT_NOT_ALIGNED, "not_aligned" },
		{ FIEMAP_EXTENT_DATA_INLINE, "inline" },
		{ FIEMAP_EXTENT_UNWRITTEN, "unwritten" },
		{ FIEMAP_EXTENT_MERGED, "merged" },
		{ FIEMAP_EXTENT_SHARED, "shared" },
	};
	size_t n = 0;

	*buf = '\0';
	for (size_t i = 0; i < array_size(names); i++)
		if (flags & names[i].flag && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "," : "",
					      names[i].text);
}

static void print_extent(const struct pieces *p, const struct extant_extent *e)
{
	unsigned long long logical = e->logical / p->unit, length = e->length / p->unit;
	unsigned long long physical = e->physical / p->unit;
	char flags[80];

	flags_text(e->flags, flags, sizeof(flags));
	printf("%4llu: %8llu..%8llu: %10llu..%10llu: %6llu: %s\n", (unsigned long long)p->extents,
	       logical, logical + length - 1, physical, physical + length - 1, length, flags);
}

static void tell_extent(struct facts *f, const struct extant_extent *e)
{
	char flags[80];

	flags_text(e->flags, flags, sizeof(flags));
	facts_object(f, NULL);
	facts_number(f, "logical", e->logical);
	facts_number(f, "physical", e->physical);
	facts_number(f, "length", e->length);
	facts_string(f, "flags", flags);
	facts_object_end(f);
}

static int on_extent(void *arg, const struct extant_extent *e)
{
	struct pieces *p = arg;

	if (p->facts)
		tell_extent(p->facts, e);
	else if (p->args->verbose)
		print_extent(p, e);
	p->count += !p->extents || e->physical != p->end;
	p->end = e->physical + e->length;
	p->extents++;
	return 0;
}

static void begin(struct pieces *p, const char *path, const struct extant_stat *st)
{
	if (p->facts) {
		facts_object(p->facts, NULL);
		facts_string(p->facts, "path", path);
		facts_number(p->facts, "size", st->size);
		facts_array(p->facts, "extents");
	} else if (p->args->verbose) {
		printf("File size of %s is %llu (%llu block%s of %u bytes)\n", path,
		       (unsigned long long)st->size,
		       (unsigned long long)((st->size + st->blksize - 1) / st->blksize),
		       st->size > st->blksize ? "s" : "", st->blksize);
		puts(" ext:     logical_offset:        physical_offset: length: flags:");
	}
}

static void end(struct pieces *p, const char *path)
{
	if (p->facts) {
		facts_array_end(p->facts);
		facts_number(p->facts, "pieces", p->count);
		facts_object_end(p->facts);
		return;
	}
	cli_print_name(path);
	printf(": %llu extent%s found\n", (unsigned long long)p->count, p->count == 1 ? "" : "s");
}

static int show_one(struct cli_image *im, const char *path, const struct filefrag_args *args,
		    struct facts *facts)
{
	struct pieces p = { .args = args, .facts = facts };
	int fd = extant_open(im->x, path, O_RDONLY, 0), err;
	struct extant_stat st;

	if (fd < 0)
		return cli_failed(im, path, fd, NULL);
	err = extant_fstat(im->x, fd, &st);
	if (!err) {
		p.unit = args->bytes ? 1 : st.blksize;
		begin(&p, path, &st);
		err = extant_fiemap(im->x, fd, on_extent, &p);
		end(&p, path);
	}
	extant_close(im->x, fd);
	return err ? cli_failed(im, path, err, NULL) : CLI_DONE;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct filefrag_args *args = v;
	int status = CLI_DONE;
	struct facts facts;

	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status =
			cli_worse(status, show_one(im, words[i], args, args->json ? &facts : NULL));
	if (args->json) {
		facts_array_end(&facts);
		facts_end(&facts);
	}
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'v', "verbose", NULL, "where each extent lies, in blocks",
	  offsetof(struct filefrag_args, verbose) },
	{ CLI_FLAG, 'b', NULL, NULL, "in bytes instead", offsetof(struct filefrag_args, bytes) },
	{ CLI_IGNORED, 'e', NULL, NULL, "as extents, which is always so", 0 },
	CLI_JSON(struct filefrag_args, json),
	CLI_MOUNT_OPTIONS(struct filefrag_args, options),
	{ CLI_END },
};

const struct cli_command cli_filefrag = {
	.name = "filefrag",
	.arguments = "IMAGE PATH...",
	.summary = "print in how many pieces files of an image lie",
	.options = options,
	.args_size = sizeof(struct filefrag_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.on = on,
};
