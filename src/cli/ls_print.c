/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant ls: how names and attributes are printed, one in a line.
 */
#include "cli/ls.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct widths {
	int ino, blocks, links, uid, gid, size;
};

static int digits(uint64_t n)
{
	return snprintf(NULL, 0, "%llu", (unsigned long long)n);
}

static bool is_device(const struct extant_stat *st)
{
	return S_ISCHR(st->mode) || S_ISBLK(st->mode);
}

static int size_digits(const struct ls_args *args, const struct extant_stat *st)
{
	char text[16];

	if (is_device(st))
		return digits(st->rdev_major) + 2 + digits(st->rdev_minor);
	if (!args->human)
		return digits(st->size);
	cli_human(st->size, text);
	return (int)strlen(text);
}

static void widen(struct widths *w, const struct ls_args *args, const struct ls_entry *e)
{
	w->ino = max(w->ino, digits(e->ino));
	if (!e->known)
		return;
	w->blocks = max(w->blocks, digits(e->st.blocks / 2));
	w->links = max(w->links, digits(e->st.nlink));
	w->uid = max(w->uid, digits(e->st.uid));
	w->gid = max(w->gid, digits(e->st.gid));
	w->size = max(w->size, size_digits(args, &e->st));
}

const struct extant_time *ls_time(const struct ls_args *args, const struct extant_stat *st)
{
	if (args->access_time)
		return &st->atime;
	return args->change_time ? &st->ctime : &st->mtime;
}

bool ls_needs_attributes(const struct ls_args *args)
{
	return args->details || args->blocks || args->classify || args->by_time || args->by_size;
}

/* ---- text */

static void print_details(const struct ls_args *args, const struct extant_stat *st,
			  const struct widths *w)
{
	char mode[11], date[64], size[16];

	cli_mode_text(st->mode, mode);
	cli_time_text(ls_time(args, st), args->full_time, date, sizeof(date));
	printf("%s %*u %*u %*u ", mode, w->links, st->nlink, w->uid, st->uid, w->gid, st->gid);
	if (is_device(st)) {
		printf("%*u, %u ", w->size - digits(st->rdev_minor) - 2, st->rdev_major,
		       st->rdev_minor);
	} else if (args->human) {
		cli_human(st->size, size);
		printf("%*s ", w->size, size);
	} else {
		printf("%*llu ", w->size, (unsigned long long)st->size);
	}
	printf("%s ", date);
}

/* What -F and -p put behind a name; 0: nothing. */
static char mark(const struct ls_args *args, const struct ls_entry *e)
{
	static const char marks[] = { [DT_FIFO] = '|', [DT_SOCK] = '=', [DT_LNK] = '@' };

	if (e->type == DT_DIR)
		return args->classify || args->slashes ? '/' : 0;
	if (!args->classify)
		return 0;
	if (e->type == DT_REG)
		return e->known && e->st.mode & 0111 ? '*' : 0;
	if (e->type == DT_LNK && args->details)
		return 0; /* where it leads stands behind it */
	return e->type < sizeof(marks) ? marks[e->type] : 0;
}

/* Where a link leads, "" for all else; terminated. */
static void read_target(struct cli_image *im, const char *dir, const struct ls_entry *e,
			char buf[4096])
{
	char *path = *dir ? cli_join(dir, e->name) : cli_strdup(e->name);
	int n = e->known && S_ISLNK(e->st.mode) ? extant_readlink(im->x, path, buf, 4095) : 0;

	buf[n > 0 ? n : 0] = '\0';
	free(path);
}

static void print_text(const struct ls_args *args, const struct ls_entry *e, const struct widths *w,
		       const char *target)
{
	char behind = mark(args, e);

	if (args->inodes)
		printf("%*u ", w->ino, e->ino);
	if (args->blocks)
		printf("%*llu ", w->blocks, e->known ? (unsigned long long)e->st.blocks / 2 : 0ull);
	if (args->details && e->known)
		print_details(args, &e->st, w);
	cli_print_name(e->name);
	if (behind)
		putchar(behind);
	if (args->details && *target) {
		fputs(" -> ", stdout);
		cli_print_name(target);
	}
	putchar('\n');
}

/* ---- JSON */

static const char *type_of_entry(uint8_t type)
{
	static const uint8_t of[] = { DT_REG, DT_DIR, DT_LNK, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK };

	for (size_t i = 0; i < array_size(of); i++)
		if (of[i] == type)
			return cli_type_text(DTTOIF(type));
	return "unknown";
}

static void print_json(struct facts *f, const struct ls_entry *e, const char *target)
{
	facts_object(f, NULL);
	facts_string(f, "name", e->name);
	facts_number(f, "ino", e->ino);
	facts_string(f, "type", e->known ? cli_type_text(e->st.mode) : type_of_entry(e->type));
	if (e->known) {
		facts_number(f, "mode", e->st.mode);
		facts_number(f, "nlink", e->st.nlink);
		facts_number(f, "uid", e->st.uid);
		facts_number(f, "gid", e->st.gid);
		facts_number(f, "size", e->st.size);
		facts_number(f, "sectors", e->st.blocks);
		facts_time(f, "mtime", e->st.mtime.sec, e->st.mtime.nsec);
	}
	if (e->known && is_device(&e->st)) {
		facts_number(f, "rdev_major", e->st.rdev_major);
		facts_number(f, "rdev_minor", e->st.rdev_minor);
	}
	if (*target)
		facts_string(f, "target", target);
	facts_object_end(f);
}

void ls_print(struct cli_image *im, const struct ls_args *args, struct facts *f,
	      const struct ls_list *list)
{
	struct widths w = { 1, 1, 1, 1, 1, 1 };
	char target[4096];

	for (size_t i = 0; i < list->count; i++)
		widen(&w, args, &list->items[i]);
	for (size_t i = 0; i < list->count; i++) {
		read_target(im, list->dir, &list->items[i], target);
		if (f)
			print_json(f, &list->items[i], target);
		else
			print_text(args, &list->items[i], &w, target);
	}
}
