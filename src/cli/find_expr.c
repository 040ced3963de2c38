/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expressions of extant find (find.h): those of find(1) that a file system can answer. A recursive
 * descent: or, and, not, brackets, tests. A test is a line of a table: its name, how its argument is
 * read, and the function that answers.
 */
#include "cli/find.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum argument { NOTHING, TEXT, COUNT, SIZE, TYPES, MODE, PATH, TIME, LEVEL };

struct find_node;
typedef bool test_fn(struct find *f, struct find_file *file, const struct find_node *n);

struct test {
	const char *name;
	enum argument argument;
	test_fn *matches; /* NULL: it is no test but a setting */
	int64_t unit; /* of the number; for times: seconds */
};

enum { TEST, AND, OR, NOT };

struct find_node {
	int kind;
	struct find_node *left, *right;
	const struct test *test;
	const char *text;
	char sign; /* of the number: '+' more, '-' less, 0 exactly */
	int64_t number;
	uint32_t mode;
	struct extant_time time;
};

/* ---- what a file is asked */

static bool compare(const struct find_node *n, int64_t value)
{
	if (n->sign == '+')
		return value > n->number;
	return n->sign == '-' ? value < n->number : value == n->number;
}

static bool name_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return !fnmatch(n->text, cli_basename(file->path), 0);
}

static bool name_is_any_case(struct find *f, struct find_file *file, const struct find_node *n)
{
	return !fnmatch(n->text, cli_basename(file->path), FNM_CASEFOLD);
}

static bool path_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return !fnmatch(n->text, file->path, 0);
}

static bool path_is_any_case(struct find *f, struct find_file *file, const struct find_node *n)
{
	return !fnmatch(n->text, file->path, FNM_CASEFOLD);
}

static bool link_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	char target[4096];
	int len;

	if (!S_ISLNK(file->st->mode))
		return false;
	len = extant_readlink(f->im->x, file->path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	return len > 0 && !fnmatch(n->text, target, 0);
}

static bool type_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	char mode[11];

	cli_mode_text(file->st->mode, mode);
	return strchr(n->text, mode[0] == '-' ? 'f' : mode[0]) != NULL;
}

/* Rounded up to whole units, as find(1) has it: -size -1M is an empty file. */
static bool size_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	uint64_t unit = n->mode;

	return compare(n, (int64_t)(file->st->size / unit + !!(file->st->size % unit)));
}

static bool is_empty(struct find *f, struct find_file *file, const struct find_node *n)
{
	struct cli_names names;
	bool empty;

	if (S_ISREG(file->st->mode))
		return !file->st->size;
	if (!S_ISDIR(file->st->mode))
		return false;
	empty = !cli_list(f->im, file->path, &names) && names.count <= 2;
	cli_names_free(&names);
	return empty;
}

static bool mode_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	uint32_t mode = file->st->mode & 07777;

	if (n->sign == '-')
		return (mode & n->mode) == n->mode;
	return n->sign == '/' ? !n->mode || (mode & n->mode) : mode == n->mode;
}

static bool uid_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return compare(n, file->st->uid);
}

static bool gid_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return compare(n, file->st->gid);
}

static bool links_are(struct find *f, struct find_file *file, const struct find_node *n)
{
	return compare(n, file->st->nlink);
}

static bool inum_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return compare(n, (int64_t)file->st->ino);
}

static bool age_is(const struct find *f, const struct find_node *n, const struct extant_time *t)
{
	return compare(n, (f->now.sec - t->sec) / n->test->unit);
}

static bool mtime_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return age_is(f, n, &file->st->mtime);
}

static bool atime_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return age_is(f, n, &file->st->atime);
}

static bool ctime_is(struct find *f, struct find_file *file, const struct find_node *n)
{
	return age_is(f, n, &file->st->ctime);
}

static bool is_newer(struct find *f, struct find_file *file, const struct find_node *n)
{
	const struct extant_time *t = &file->st->mtime;

	return t->sec > n->time.sec || (t->sec == n->time.sec && t->nsec > n->time.nsec);
}

static bool is_same(struct find *f, struct find_file *file, const struct find_node *n)
{
	return (int64_t)file->st->ino == n->number;
}

static bool yes(struct find *f, struct find_file *file, const struct find_node *n)
{
	return true;
}

static bool no(struct find *f, struct find_file *file, const struct find_node *n)
{
	return false;
}

/* ---- what is done with it */

static bool print(struct find *f, struct find_file *file, const struct find_node *n)
{
	find_print(f, file);
	return true;
}

static bool print0(struct find *f, struct find_file *file, const struct find_node *n)
{
	fputs(file->path, stdout);
	putchar('\0');
	return true;
}

static bool list(struct find *f, struct find_file *file, const struct find_node *n)
{
	char mode[11], date[64];

	cli_mode_text(file->st->mode, mode);
	cli_time_text(&file->st->mtime, false, date, sizeof(date));
	printf("%9llu %6llu %s %3u %u %u %12llu %s ", (unsigned long long)file->st->ino,
	       (unsigned long long)file->st->blocks / 2, mode, file->st->nlink, file->st->uid,
	       file->st->gid, (unsigned long long)file->st->size, date);
	cli_print_line(file->path);
	return true;
}

static bool erase(struct find *f, struct find_file *file, const struct find_node *n)
{
	int err = S_ISDIR(file->st->mode) ? extant_rmdir(f->im->x, file->path)
					  : extant_unlink(f->im->x, file->path);

	if (err)
		f->status = cli_worse(f->status, cli_failed(f->im, file->path, err, NULL));
	return !err;
}

static bool prune(struct find *f, struct find_file *file, const struct find_node *n)
{
	file->prune = true;
	return true;
}

static bool quit(struct find *f, struct find_file *file, const struct find_node *n)
{
	f->quit = true;
	return true;
}

#define DAY 86400

static const struct test tests[] = {
	{ "-name", TEXT, name_is },
	{ "-iname", TEXT, name_is_any_case },
	{ "-path", TEXT, path_is },
	{ "-ipath", TEXT, path_is_any_case },
	{ "-wholename", TEXT, path_is },
	{ "-lname", TEXT, link_is },
	{ "-type", TYPES, type_is },
	{ "-size", SIZE, size_is },
	{ "-empty", NOTHING, is_empty },
	{ "-perm", MODE, mode_is },
	{ "-uid", COUNT, uid_is },
	{ "-user", COUNT, uid_is },
	{ "-gid", COUNT, gid_is },
	{ "-group", COUNT, gid_is },
	{ "-links", COUNT, links_are },
	{ "-inum", COUNT, inum_is },
	{ "-mtime", COUNT, mtime_is, DAY },
	{ "-mmin", COUNT, mtime_is, 60 },
	{ "-atime", COUNT, atime_is, DAY },
	{ "-amin", COUNT, atime_is, 60 },
	{ "-ctime", COUNT, ctime_is, DAY },
	{ "-cmin", COUNT, ctime_is, 60 },
	{ "-newer", PATH, is_newer },
	{ "-newermt", TIME, is_newer },
	{ "-samefile", PATH, is_same },
	{ "-true", NOTHING, yes },
	{ "-false", NOTHING, no },
	{ "-prune", NOTHING, prune },
	{ "-print", NOTHING, print },
	{ "-print0", NOTHING, print0 },
	{ "-ls", NOTHING, list },
	{ "-delete", NOTHING, erase },
	{ "-quit", NOTHING, quit },
	{ "-depth", NOTHING },
	{ "-d", NOTHING },
	{ "-xdev", NOTHING },
	{ "-mount", NOTHING },
	{ "-maxdepth", LEVEL },
	{ "-mindepth", LEVEL },
};

/* ---- words */

struct parser {
	struct find *f;
	struct cli_image *im; /* NULL: only checked */
	char **words;
	int count, at;
	bool wrong; /* reported */
};

static struct find_node *any(struct parser *p);

static struct find_node *node(int kind, struct find_node *left, struct find_node *right)
{
	struct find_node *n = cli_realloc(NULL, sizeof(*n));

	*n = (struct find_node){ .kind = kind, .left = left, .right = right };
	return n;
}

static void free_node(struct find_node *n)
{
	if (!n)
		return;
	free_node(n->left);
	free_node(n->right);
	free(n);
}

static bool next_is(const struct parser *p, const char *a, const char *b)
{
	return p->at < p->count && (!strcmp(p->words[p->at], a) || !strcmp(p->words[p->at], b));
}

static void wrong(struct parser *p, const char *what, const char *why)
{
	if (!p->wrong)
		(void)cli_usage("%s: %s", what, why);
	p->wrong = true;
}

/* "+3", "-3", "3", and root for 0. */
static bool read_count(struct find_node *n, const char *text, uint64_t max)
{
	uint64_t value;

	if (*text == '+' || *text == '-')
		n->sign = *text++;
	if (!strcmp(text, "root"))
		text = "0";
	if (!cli_parse_number(text, max, &value))
		return false;
	n->number = (int64_t)value;
	return true;
}

/* A count of blocks of 512 bytes, or with c, w, b, k, M, G of that; the unit goes to `mode`. */
static bool read_size(struct find_node *n, const char *text)
{
	static const struct {
		char letter;
		uint32_t unit;
	} units[] = { { 'c', 1 },       { 'w', 2 },       { 'b', 512 },    { 'k', 1 << 10 },
		      { 'K', 1 << 10 }, { 'M', 1 << 20 }, { 'G', 1 << 30 } };
	char digits[24];
	size_t len = strlen(text);

	n->mode = 512;
	for (size_t i = 0; len && i < array_size(units); i++) {
		if (text[len - 1] != units[i].letter)
			continue;
		n->mode = units[i].unit;
		len--;
		break;
	}
	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return read_count(n, digits, INT64_MAX);
}

static bool read_mode(struct find_node *n, const char *text)
{
	if (*text == '-' || *text == '/')
		n->sign = *text++;
	return cli_parse_mode(text, 0, false, &n->mode);
}

/* The file that -newer and -samefile name. */
static bool look_at(struct parser *p, struct find_node *n, const char *word)
{
	struct extant_stat st;
	char *path;
	int err;

	if (!p->im)
		return true;
	path = cli_at(p->im, word);
	err = extant_stat(p->im->x, path, &st);
	if (err)
		p->f->status = cli_failed(p->im, path, err, NULL);
	free(path);
	if (err)
		p->wrong = true;
	n->time = st.mtime;
	n->number = (int64_t)st.ino;
	return !err;
}

static bool read_argument(struct parser *p, struct find_node *n, const char *word)
{
	n->text = word;
	switch (n->test->argument) {
	case TYPES:
		return *word && strspn(word, "fdlcbps,") == strlen(word);
	case COUNT:
		return read_count(n, word, INT64_MAX);
	case LEVEL:
		return read_count(n, word, 10000) && !n->sign;
	case SIZE:
		return read_size(n, word);
	case MODE:
		return read_mode(n, word);
	case PATH:
		return look_at(p, n, word);
	case TIME:
		return cli_parse_time(word, &n->time);
	default:
		return true;
	}
}

/* -maxdepth and the like hold for the whole, wherever they stand. */
static void note(struct find *f, const struct find_node *n)
{
	test_fn *m = n->test->matches;

	f->acts |= m == print || m == print0 || m == list || m == erase || m == quit;
	f->after |= m == erase || !strcmp(n->test->name, "-depth") || !strcmp(n->test->name, "-d");
	if (!strcmp(n->test->name, "-maxdepth"))
		f->depth_max = (int)n->number;
	if (!strcmp(n->test->name, "-mindepth"))
		f->depth_min = (int)n->number;
}

static const struct test *find_test(const char *name)
{
	for (size_t i = 0; i < array_size(tests); i++)
		if (!strcmp(tests[i].name, name))
			return &tests[i];
	return NULL;
}

static struct find_node *one(struct parser *p)
{
	const char *word = p->at < p->count ? p->words[p->at++] : NULL;
	const struct test *t = word ? find_test(word) : NULL;
	struct find_node *n;

	if (!word)
		wrong(p, "the expression", "it ends too early");
	else if (!t)
		wrong(p, word, "find knows no such test");
	else if (t->argument != NOTHING && p->at == p->count)
		wrong(p, word, "it needs an argument");
	if (p->wrong)
		return NULL;
	n = node(TEST, NULL, NULL);
	n->test = t;
	if (t->argument != NOTHING && !read_argument(p, n, p->words[p->at++]))
		wrong(p, p->words[p->at - 1], word);
	note(p->f, n);
	return n;
}

static struct find_node *negated(struct parser *p)
{
	struct find_node *n;

	if (next_is(p, "!", "-not")) {
		p->at++;
		return node(NOT, negated(p), NULL);
	}
	if (!next_is(p, "(", "("))
		return one(p);
	p->at++;
	n = any(p);
	if (!next_is(p, ")", ")"))
		wrong(p, "(", "it is not closed");
	p->at++;
	return n;
}

static struct find_node *all(struct parser *p)
{
	struct find_node *n = negated(p);

	while (!p->wrong && p->at < p->count && !next_is(p, "-o", "-or") && !next_is(p, ")", ")")) {
		if (next_is(p, "-a", "-and"))
			p->at++;
		n = node(AND, n, negated(p));
	}
	return n;
}

static struct find_node *any(struct parser *p)
{
	struct find_node *n = all(p);

	while (!p->wrong && next_is(p, "-o", "-or")) {
		p->at++;
		n = node(OR, n, all(p));
	}
	return n;
}

int find_parse(struct find *f, struct cli_image *im, int count, char **words)
{
	struct parser p = { .f = f, .im = im, .words = words, .count = count };

	f->depth_min = f->depth_max = -1;
	if (count)
		f->root = any(&p);
	if (!p.wrong && p.at < p.count)
		wrong(&p, words[p.at], "it stands where nothing may stand");
	if (!p.wrong)
		return CLI_DONE;
	find_free(f);
	return f->status ? f->status : CLI_USAGE;
}

void find_free(struct find *f)
{
	free_node(f->root);
	f->root = NULL;
}

static bool ask(struct find *f, struct find_file *file, const struct find_node *n)
{
	switch (n->kind) {
	case AND:
		return ask(f, file, n->left) && ask(f, file, n->right);
	case OR:
		return ask(f, file, n->left) || ask(f, file, n->right);
	case NOT:
		return !ask(f, file, n->left);
	default:
		return !n->test->matches || n->test->matches(f, file, n);
	}
}

bool find_matches(struct find *f, struct find_file *file)
{
	return !f->root || ask(f, file, f->root);
}
