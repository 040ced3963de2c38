/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time stamps: what an operation moves, it moves to a time between its beginning and its end. When a stamp has been
 * looked at, it is known, and stays so until something moves it.
 */
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))
#define NSEC 1000000000ll

void test_begins(struct test *x)
{
	/* Now and then so much passes that what is old is written back. */
	CALL(x, pass, chance(x, 2) ? (int64_t)below(x, 40) * NSEC : (int64_t)below(x, 12) * 1000000);
	x->begun = CALL(x, earliest);
}

static struct span now(struct test *x)
{
	return (struct span){ x->begun, CALL(x, latest) };
}

void test_stamped(struct test *x, struct node *n)
{
	n->ctime = now(x);
}

void test_touched(struct test *x, struct node *n)
{
	n->mtime = n->ctime = now(x);
}

void test_born(struct test *x, struct node *n, const struct node *dir)
{
	n->atime = n->mtime = n->ctime = now(x);
	acl_inherit(n, dir);
	n->flags = is_reg(n) || is_dir(n) ? dir->flags & FLAG_NODUMP : 0; /* others are not looked at */
}

static const struct span unknown = { INT64_MIN / 2, INT64_MAX };

void test_was_read(const struct node *n)
{
	((struct node *)n)->atime = unknown;
}

void test_forget_stamps(struct node *n)
{
	n->atime = n->mtime = n->ctime = unknown;
}

void test_forget_times(struct test *x)
{
	for (struct node *n = x->tree.nodes; n; n = n->all)
		test_forget_stamps(n);
}

static void time_equals(struct test *x, const char *what, uint64_t ino, struct span *s, const struct extant_time *t)
{
	int64_t got = t->sec * NSEC + t->nsec;

	if (got > s->to || got + x->time_unit <= s->from)
		test_fail(x, "%s of inode %llu is %lld, not between %lld and %lld", what, (unsigned long long)ino,
			  (long long)got, (long long)s->from, (long long)s->to);
	*s = (struct span){ got, got };
}

/* What is known by it is more than before. Links are read by whoever goes through them. */
void test_times_equal(struct test *x, const struct node *n, const struct extant_stat *st)
{
	struct node *known = (struct node *)n;

	if (!is_link(n))
		time_equals(x, "atime", n->ino, &known->atime, &st->atime);
	time_equals(x, "mtime", n->ino, &known->mtime, &st->mtime);
	time_equals(x, "ctime", n->ino, &known->ctime, &st->ctime);
}
