/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant getfattr, extant setfattr: extended attributes.
 */
#include "cli/xattr.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "cli/encode.h"
#include "cli/json.h"
#include "cli/walk.h"

/* ---- reading them */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **xattr_names(struct cli_image *im, const char *path, bool follow, size_t *count, int *err)
{
	char *list = cli_realloc(NULL, XATTR_NAMES_MAX), **names, *text;
	int n = follow ? extant_listxattr(im->x, path, list, XATTR_NAMES_MAX)
		       : extant_llistxattr(im->x, path, list, XATTR_NAMES_MAX);

	*count = 0;
	*err = n < 0 ? n : 0;
	if (n < 0) {
		free(list);
		return NULL;
	}
	/* The list and its names lie in one piece. A name has two characters at least, with its end. */
	names = cli_realloc(NULL, ((size_t)n / 2 + 1) * sizeof(*names) + (size_t)n);
	text = (char *)(names + n / 2 + 1);
	memcpy(text, list, (size_t)n);
	free(list);
	for (char *p = text; p < text + n; p += strlen(p) + 1)
		names[(*count)++] = p;
	qsort(names, *count, sizeof(*names), by_bytes);
	return names;
}

unsigned char *xattr_value(struct cli_image *im, const char *path, const char *name, bool follow,
			   size_t *size, int *err)
{
	unsigned char *value = cli_realloc(NULL, XATTR_VALUE_MAX);
	int n = follow ? extant_getxattr(im->x, path, name, value, XATTR_VALUE_MAX)
		       : extant_lgetxattr(im->x, path, name, value, XATTR_VALUE_MAX);

	*err = n < 0 ? n : 0;
	*size = n < 0 ? 0 : (size_t)n;
	if (n >= 0)
		return value;
	free(value);
	return NULL;
}

/* ---- getfattr */

struct getfattr_args {
	const char *options, *name, *pattern, *encoding;
	bool dump, link, recursive, only_values, json;
};

struct reading {
	const struct getfattr_args *args;
	enum encoding how;
	regex_t pattern;
	bool all;
	struct facts *facts;
};

static bool is_wanted(const struct reading *r, const char *name)
{
	if (r->args->name)
		return !strcmp(name, r->args->name);
	return r->all || !regexec(&r->pattern, name, 0, NULL, 0);
}

static void tell(struct facts *f, const char *name, const unsigned char *value, size_t size)
{
	char *base64 = encode_base64(value, size);

	facts_object(f, NULL);
	facts_string(f, "name", name);
	facts_number(f, "size", size);
	if (encode_is_text(value, size))
		facts_bytes(f, "text", (const char *)value, size);
	facts_string(f, "base64", base64);
	facts_object_end(f);
	free(base64);
}

static int show(struct reading *r, struct cli_image *im, const char *path, const char *name)
{
	bool with_value = r->args->dump || r->args->name || r->args->only_values || r->facts;
	unsigned char *value;
	size_t size;
	int err;

	if (!with_value) {
		cli_print_line(name);
		return CLI_DONE;
	}
	value = xattr_value(im, path, name, !r->args->link, &size, &err);
	if (!value)
		return cli_failed(im, path, err, NULL);
	if (r->facts) {
		tell(r->facts, name, value, size);
	} else if (r->args->only_values) {
		fwrite(value, 1, size, stdout);
	} else {
		cli_print_name(name);
		putchar('=');
		encode_print(stdout, r->how, value, size);
		putchar('\n');
	}
	free(value);
	return CLI_DONE;
}

static void begin_file(struct reading *r, const char *path)
{
	if (r->facts) {
		facts_object(r->facts, NULL);
		facts_string(r->facts, "path", path);
		facts_array(r->facts, "attributes");
	} else if (!r->args->only_values) {
		fputs("# file: ", stdout);
		cli_print_line(path);
	}
}

static void end_file(struct reading *r)
{
	if (r->facts) {
		facts_array_end(r->facts);
		facts_object_end(r->facts);
	} else if (!r->args->only_values) {
		putchar('\n');
	}
}

static int read_file(struct walk *w, const char *path, const struct extant_stat *st,
		     enum walk_when when)
{
	struct reading *r = w->arg;
	int status = CLI_DONE, err;
	bool begun = false;
	size_t count;
	char **names;

	if (when == WALK_AFTER)
		return CLI_DONE;
	names = xattr_names(w->im, path, !r->args->link, &count, &err);
	if (!names)
		return cli_failed(w->im, path, err, NULL);
	for (size_t i = 0; i < count; i++) {
		if (!is_wanted(r, names[i]))
			continue;
		if (!begun)
			begin_file(r, path);
		begun = true;
		status = cli_worse(status, show(r, w->im, path, names[i]));
	}
	free(names);
	if (begun)
		end_file(r);
	else if (r->args->name && !w->depth)
		return cli_failed(w->im, path, -ENODATA, NULL);
	return status;
}

static int set_up(struct reading *r, const struct getfattr_args *args)
{
	const char *pattern = args->pattern ? args->pattern : "^user\\.";

	r->args = args;
	r->all = !strcmp(pattern, "-");
	if (!encode_parse(args->encoding, &r->how))
		return cli_usage("-e %s: it is text, hex or base64", args->encoding);
	if (regcomp(&r->pattern, r->all ? "" : pattern, REG_EXTENDED | REG_NOSUB))
		return cli_usage("-m %s: no regular expression", pattern);
	return CLI_DONE;
}

static int getfattr_check(const void *v, int count, char **words)
{
	struct reading r = { 0 };
	int status = set_up(&r, v);

	if (!status)
		regfree(&r.pattern);
	return status;
}

static int getfattr_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct getfattr_args *args = v;
	struct facts facts;
	struct reading r = { .facts = args->json ? &facts : NULL };
	struct walk w = { .im = im,
			  .file = read_file,
			  .arg = &r,
			  .flat = !args->recursive,
			  .follow_first = !args->link };
	int status = set_up(&r, args);

	if (status)
		return status;
	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, walk_tree(&w, words[i]));
	if (args->json) {
		facts_array_end(&facts);
		facts_end(&facts);
	}
	regfree(&r.pattern);
	return status;
}

static const struct cli_option getfattr_options[] = {
	{ CLI_FLAG, 'd', "dump", NULL, "values too", offsetof(struct getfattr_args, dump) },
	{ CLI_TEXT, 'n', "name", "NAME", "that one, with its value",
	  offsetof(struct getfattr_args, name) },
	{ CLI_TEXT, 'm', "match", "PATTERN",
	  "those whose names match it (^user\\.); -: all of them",
	  offsetof(struct getfattr_args, pattern) },
	{ CLI_TEXT, 'e', "encoding", "KIND", "text, hex or base64",
	  offsetof(struct getfattr_args, encoding) },
	{ CLI_FLAG, 'h', "no-dereference", NULL, "of a symbolic link itself",
	  offsetof(struct getfattr_args, link) },
	{ CLI_FLAG, 'R', "recursive", NULL, "and what is in directories",
	  offsetof(struct getfattr_args, recursive) },
	{ CLI_FLAG, 0, "only-values", NULL, "values as they are, without names",
	  offsetof(struct getfattr_args, only_values) },
	{ CLI_IGNORED, 0, "absolute-names", NULL, "paths as they were given, which is always so",
	  0 },
	CLI_JSON(struct getfattr_args, json),
	CLI_MOUNT_OPTIONS(struct getfattr_args, options),
	{ CLI_END },
};

const struct cli_command cli_getfattr = {
	.name = "getfattr",
	.arguments = "IMAGE PATH...",
	.summary = "print extended attributes of files of an image",
	.options = getfattr_options,
	.args_size = sizeof(struct getfattr_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.check = getfattr_check,
	.on = getfattr_on,
};

/* ---- setfattr */

struct setfattr_args {
	const char *options, *name, *value, *removed, *restore;
	bool link;
};

static int setfattr_check(const void *v, int count, char **words)
{
	const struct setfattr_args *args = v;
	unsigned char *value;
	size_t size;

	if (!!args->name + !!args->removed + !!args->restore != 1)
		return cli_usage("it needs -n NAME, -x NAME or --restore FILE");
	if (!args->restore && !count)
		return cli_usage("it needs PATH...");
	if (args->value && !args->name)
		return cli_usage("-v goes with -n NAME");
	value = encode_read(args->value ? args->value : "", &size);
	free(value);
	return value ? CLI_DONE : cli_usage("-v %s: no value", args->value);
}

static int set_one(struct cli_image *im, const char *path, const char *name, const char *text,
		   bool link)
{
	unsigned char *value;
	size_t size;
	int err = -EINVAL;

	value = encode_read(text, &size);
	if (value)
		err = link ? extant_lsetxattr(im->x, path, name, value, size, 0)
			   : extant_setxattr(im->x, path, name, value, size, 0);
	free(value);
	return err ? cli_failed(im, path, err,
				err == -EOPNOTSUPP
					? "names begin with user., trusted., security. or "
					  "system.posix_acl_"
					: NULL)
		   : CLI_DONE;
}

static int remove_one(struct cli_image *im, const char *path, const char *name, bool link)
{
	int err = link ? extant_lremovexattr(im->x, path, name)
		       : extant_removexattr(im->x, path, name);

	return err ? cli_failed(im, path, err, NULL) : CLI_DONE;
}

/* What getfattr -d printed: "# file: PATH", then a name and a value in each line. */
static int restore_lines(struct cli_image *im, FILE *from, bool link)
{
	char *line = NULL, *path = NULL, *equals;
	int status = CLI_DONE;
	size_t room = 0;

	while (!cli_interrupted() && getline(&line, &room, from) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "# file: ", 8)) {
			free(path);
			path = cli_at(im, line + 8);
			continue;
		}
		equals = strchr(line, '=');
		if (!*line || *line == '#' || !path || !equals)
			continue;
		*equals = '\0';
		status = cli_worse(status, set_one(im, path, line, equals + 1, link));
	}
	free(path);
	free(line);
	return status;
}

static int restore(struct cli_image *im, const char *name, bool link)
{
	bool from_stdin = !strcmp(name, "-");
	FILE *from = from_stdin ? stdin : fopen(name, "re");
	int status;

	if (from_stdin && im->from_stdin)
		return cli_usage("-: standard input has the commands");
	if (!from)
		return cli_host_failed(name, errno);
	status = restore_lines(im, from, link);
	if (!from_stdin)
		(void)fclose(from); /* only read */
	return status;
}

static int setfattr_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct setfattr_args *args = v;
	int status = CLI_DONE;

	if (args->restore)
		status = restore(im, args->restore, args->link);
	for (int i = 0; i < count && !args->restore && !cli_interrupted(); i++)
		status = cli_worse(
			status, args->name ? set_one(im, words[i], args->name,
						     args->value ? args->value : "", args->link)
					   : remove_one(im, words[i], args->removed, args->link));
	return status;
}

static const struct cli_option setfattr_options[] = {
	{ CLI_TEXT, 'n', "name", "NAME", "set that one", offsetof(struct setfattr_args, name) },
	{ CLI_TEXT, 'v', "value", "VALUE",
	  "to that: as it is, \"quoted\", 0x and hex digits, 0s and base64",
	  offsetof(struct setfattr_args, value) },
	{ CLI_TEXT, 'x', "remove", "NAME", "remove that one",
	  offsetof(struct setfattr_args, removed) },
	{ CLI_TEXT, 0, "restore", "FILE", "what getfattr -d has printed there; -: standard input",
	  offsetof(struct setfattr_args, restore) },
	{ CLI_FLAG, 'h', "no-dereference", NULL, "of a symbolic link itself",
	  offsetof(struct setfattr_args, link) },
	CLI_MOUNT_OPTIONS(struct setfattr_args, options),
	{ CLI_END },
};

const struct cli_command cli_setfattr = {
	.name = "setfattr",
	.arguments = "IMAGE PATH...",
	.summary = "set and remove extended attributes of files of an image",
	.options = setfattr_options,
	.args_size = sizeof(struct setfattr_args),
	.args_min = 1,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = setfattr_check,
	.on = setfattr_on,
};
