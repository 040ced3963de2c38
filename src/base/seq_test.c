/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy that the count vouches for is never torn, and never older than the one before. */
#include "base/seq.h"
#include "base/sync_test.h"

struct numbers {
	uint64_t a, b, c;		/* always a, 2a, 3a */
};

struct scene {
	struct mutex lock;
	struct seq seq;
	struct numbers numbers;
	_Atomic int wrong, writers_left;
};

enum { WRITES = 3000 };

static void write_often(void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < WRITES; i++) {
		guard(&s->lock);
		seq_write_begin(&s->seq);
		s->numbers.a++;
		sched_step();
		s->numbers.b += 2;
		s->numbers.c += 3;
		seq_write_end(&s->seq);
	}
	s->writers_left--;
}

racy_reader static void copy(const struct numbers *from, struct numbers *to)
{
	const volatile struct numbers *v = from;

	to->a = v->a;
	sched_step();
	to->b = v->b;
	to->c = v->c;
}

static void read_often(void *arg)
{
	struct scene *s = arg;
	uint64_t last = 0;

	while (s->writers_left) {
		struct numbers n;
		uint32_t seq;

		do {
			seq = seq_read_begin(&s->seq);
			copy(&s->numbers, &n);
		} while (seq_read_again(&s->seq, seq));
		s->wrong += n.b != 2 * n.a || n.c != 3 * n.a || n.a < last;
		last = n.a;
		task_yield();
	}
}

static void copies_are_whole(struct fixture *f)
{
	struct scene s = { .writers_left = 2 };
	struct task *tasks[4];

	mutex_init(&s.lock, RANK_INODE);
	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(f, "task", i % 2 ? write_often : read_often, &s);
	for (int i = 0; i < 4; i++)
		task_join(tasks[i]);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(s.numbers.c, 3 * 2 * WRITES);
	mutex_fini(&s.lock);
}

static void copies(void **state)
{
	in_all_modes(copies_are_whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
