/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Crash plans, counted by hand on tiny recordings; and on random ones, compared with the rules said
 * another way: what must be on the medium at a point, what may be, and that nothing else is.
 */
#include "block/testing.h"

#include "base/random.h"
#include "block/crash.h"
#include "block/record.h"

#define SIZE MiB(1)

/* ---- recordings from a line of text: one word an entry */

/*
 * "W10+3" writes sectors 10 to 12, "U" forced, "P" after a flush, "Q" both; "D10+3" discards them,
 * "F" flushes, "M" marks. Sector and count are 0 and 1 when left out.
 */
static struct block_device *record_script(struct arena *a, const char *script)
{
	static uint8_t buf[64 * 512];
	struct block_device *rec;
	unsigned seed = 0;

	assert_int_equal(block_record_create(a, mem_device(a, SIZE), &rec), 0);
	for (const char *word = script; *word;
	     word += strcspn(word, " "), word += strspn(word, " ")) {
		unsigned sector = 0, count = 1;
		unsigned flags = (strchr("UQ", *word) ? BLOCK_FUA : 0u) |
				 (strchr("PQ", *word) ? BLOCK_PREFLUSH : 0u);

		(void)sscanf(word + 1, "%u+%u", &sector, &count);
		pattern_fill(buf, sector * 512, count * 512, ++seed);
		if (*word == 'F')
			assert_int_equal(block_flush(rec), 0);
		else if (*word == 'M')
			assert_int_equal(block_record_mark(rec, "mark"), 0);
		else if (*word == 'D')
			assert_int_equal(block_discard(rec, sector * 512, count * 512), 0);
		else
			assert_int_equal(block_write(rec, sector * 512, buf, count * 512, flags),
					 0);
	}
	return rec;
}

struct planned {
	struct block_device *rec;
	struct crash_plan *plan;
	struct crash_state state;
};

static struct planned plan_script(struct arena *a, const char *script,
				  const struct crash_options *opt)
{
	struct planned p = { .rec = record_script(a, script) };

	assert_int_equal(crash_plan_create(a, p.rec, opt, &p.plan), 0);
	assert_int_equal(crash_state_init(&p.state, p.plan), 0);
	return p;
}

static void plan_close(struct planned *p)
{
	crash_state_fini(&p->state, p->plan);
	crash_plan_destroy(p->plan);
	block_close(p->rec);
}

/* "point/stable/marks: entries", a part of an entry as "7[512,1024)". */
static const char *state_text(const struct planned *p)
{
	static char text[500];
	const struct crash_state *s = &p->state;
	size_t len =
		(size_t)snprintf(text, sizeof(text), "%zu/%zu/%zu:", s->point, s->stable, s->marks);

	for (size_t i = 0; i < s->piece_count; i++) {
		const struct crash_piece *c = &s->pieces[i];
		bool whole = !c->from && c->to == block_record_get(p->rec, c->entry)->len;

		len += (size_t)snprintf(text + len, sizeof(text) - len, " %zu", c->entry);
		if (!whole)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "[%lu,%lu)",
						c->from, c->to);
	}
	return text;
}

static void assert_states(struct arena *a, const char *script, const struct crash_options *opt,
			  const char *const *want)
{
	struct planned p = plan_script(a, script, opt);
	uint64_t count = 0;

	for (; want[count]; count++) {
		assert_true(count < crash_plan_count(p.plan));
		crash_plan_state(p.plan, count, &p.state);
		assert_int_equal(p.state.number, count);
		assert_string_equal(state_text(&p), want[count]);
	}
	assert_int_equal(crash_plan_count(p.plan), count);
	plan_close(&p);
}

/* ---- counted by hand */

static void nothing_recorded(void **state)
{
	static const struct crash_options many = { .random_states = 100 };
	static const char *const none[] = { "0/0/0:", NULL }, *const idle[] = { "3/2/1:", NULL };

	assert_states(*state, "", &many, none);
	assert_states(*state, "F M F", &many, idle);
}

static void every_state_of_a_tiny_recording(void **state)
{
	static const struct crash_options opt = { 0 };
	static const char *const want[] = {
		/* prefixes: before each change, as late as can be; and the end */
		"0/0/0:",
		"1/0/0: 0",
		"3/2/0:",
		"4/2/0: 3",
		"6/2/1: 3 4",
		"7/2/1: 3 4 6",
		"9/7/2: 7",
		/* one lost: 0, 1, 3, 6; the forced ones 4 and 7 cannot be */
		"2/0/0: 1",
		"2/0/0: 0",
		"7/2/1: 4 6",
		"7/2/1: 3 4",
		/* torn, head and tail: 1 at two places, 3 at one, 7 at one while it is under way */
		"2/0/0: 0 1[0,512)",
		"2/0/0: 0 1[512,1536)",
		"2/0/0: 0 1[0,1024)",
		"2/0/0: 0 1[1024,1536)",
		"7/2/1: 3[0,512) 4 6",
		"7/2/1: 3[512,1024) 4 6",
		"8/7/1: 7[0,512)",
		"8/7/1: 7[512,1024)",
		NULL,
	};

	assert_states(*state, "W0 W10+3 F W20+2 U30 M W0 Q40+2 M", &opt, want);
}

static void a_write_that_only_flushes_can_be_lost(void **state)
{
	static const struct crash_options opt = { 0 };
	static const char *const want[] = {
		"0/0/0:",       "1/0/0: 0", "2/1/0: 1", "3/1/0: 1 2",
		/* */ "1/0/0:", "3/1/0: 2", "3/1/0: 1", NULL,
	};

	assert_states(*state, "W0 P1 W2", &opt, want);
}

static void discards_are_there_or_not(void **state)
{
	static const struct crash_options opt = { 0 };
	static const char *const want[] = {
		"0/0/0:", "1/0/0: 0", "3/2/0:", /* */ "2/0/0: 1", "2/0/0: 0", NULL,
	};

	assert_states(*state, "W0 D0+8 F", &opt, want);
}

static void families_have_their_numbers(void **state)
{
	static const struct crash_options opt = { .random_states = 5 };
	struct planned p = plan_script(*state, "W0 W10+3 F W20+2 U30 M W0 Q40+2 M", &opt);
	static const enum crash_family borders[] = { 0, 7, 11, 19 };

	for (unsigned f = 0; f < 4; f++)
		assert_int_equal(crash_plan_first(p.plan, (enum crash_family)f), borders[f]);
	assert_int_equal(crash_plan_count(p.plan), 24);
	for (uint64_t n = 0; n < 24; n++) {
		crash_plan_state(p.plan, n, &p.state);
		assert_int_equal(p.state.family, (n >= 7) + (n >= 11) + (n >= 19));
	}
	plan_close(&p);
}

/* ---- where writes are torn */

static void tears(void **state)
{
	static const struct {
		const char *script;
		uint64_t atomic_offset, atomic_bytes;
		uint32_t tears_max;
		const char *want;	/* heads that are kept */
	} rows[] = {
		{ "W0+8", 0, 0, 0, " 512 1024 1536 2048 2560 3072 3584" },
		{ "W0+8", 1024, 1024, 0, " 512 1024 2048 2560 3072 3584" },
		{ "W0+8", 1024, 512, 0, " 512 1024 1536 2048 2560 3072 3584" },
		{ "W2+2", 1024, 1024, 0, "" },
		{ "W3+2", 1024, 1024, 0, " 512" },
		{ "W1+2", 1024, 1024, 0, " 512" },
		{ "W2+3", 1024, 1024, 0, " 1024" },
		{ "W0+8", 0, 4096, 0, "" },
		{ "W0+8", 512, 1 << 20, 0, " 512" },
		{ "W8+2", 1024, 1024, 0, " 512" },
		{ "W0+2", 4096, 1024, 0, " 512" },
		{ "W0+8", 0, 0, 1, " 2048" },
		{ "W0+8", 0, 0, 2, " 512 3584" },
		{ "W0+8", 0, 0, 3, " 512 2048 3584" },
		{ "W0+8", 1024, 1024, 3, " 512 2048 3584" },
		{ "W0+8", 0, 0, 7, " 512 1024 1536 2048 2560 3072 3584" },
		{ "W0+8", 0, 0, 100, " 512 1024 1536 2048 2560 3072 3584" },
		{ "W0", 0, 0, 0, "" },
		{ "D0+8", 0, 0, 0, "" },
	};

	for (unsigned i = 0; i < array_size(rows); i++) {
		struct crash_options opt = {
			.tears_max = rows[i].tears_max,
			.atomic_offset = rows[i].atomic_offset,
			.atomic_bytes = rows[i].atomic_bytes,
		};
		struct planned p = plan_script(*state, rows[i].script, &opt);
		char heads[200] = "";
		size_t len = 0;

		for (uint64_t n = crash_plan_first(p.plan, CRASH_TORN);
		     n < crash_plan_count(p.plan); n += 2) {
			uint64_t head;

			crash_plan_state(p.plan, n, &p.state);
			head = p.state.pieces[0].to;
			assert_int_equal(p.state.pieces[0].from, 0);
			len += (size_t)snprintf(heads + len, sizeof(heads) - len, " %lu", head);
			crash_plan_state(p.plan, n + 1, &p.state);
			assert_int_equal(p.state.pieces[0].from, head);
		}
		assert_string_equal(heads, rows[i].want);
		plan_close(&p);
	}
}

/* ---- random states */

/* The sets of whole entries (as bits) that random states of a script of one-sector writes show. */
static unsigned sets_seen(struct arena *a, const char *script)
{
	static const struct crash_options opt = { .random_states = 2000, .seed = 5 };
	struct planned p = plan_script(a, script, &opt);
	unsigned seen[32] = { 0 }, count = 0;

	for (uint64_t n = crash_plan_first(p.plan, CRASH_RANDOM); n < crash_plan_count(p.plan);
	     n++) {
		unsigned set = 0;

		crash_plan_state(p.plan, n, &p.state);
		for (size_t i = 0; i < p.state.stable; i++)
			set |= record_is_change(block_record_get(p.rec, i)) ? 1u << i : 0;
		for (size_t i = 0; i < p.state.piece_count; i++)
			set |= 1u << p.state.pieces[i].entry;
		count += !seen[set];
		seen[set] = 1;
	}
	plan_close(&p);
	return count;
}

/* Each legal state comes up, and no other; as many as are counted by hand. */
static void random_states_are_all_that_may_be(void **state)
{
	assert_int_equal(sets_seen(*state, "W0"), 2);
	assert_int_equal(sets_seen(*state, "U0"), 2);
	assert_int_equal(sets_seen(*state, "W0 W1 W2"), 8);
	assert_int_equal(sets_seen(*state, "W0 F W1"), 2 + 2 - 1);	/* -, 0; 0, 01 */
	assert_int_equal(sets_seen(*state, "W0 U1 W2"), 6);	/* -, 0, 1, 01, 12, 012 */
	assert_int_equal(sets_seen(*state, "W0 P1 W2"), 5);	/* -, 0, 01, 02, 012 */
	assert_int_equal(sets_seen(*state, "W0 Q1 W2"), 4);	/* -, 0, 01, 012 */
	assert_int_equal(sets_seen(*state, "U0 U1 U2"), 4);	/* -, 0, 01, 012 */
	assert_int_equal(sets_seen(*state, "W0 W1 F W3 W4"), 4 + 4 - 1);
}

static void numbers_and_seeds_repeat(void **state)
{
	struct crash_options opt = { .random_states = 300, .seed = 1 };
	const char *script = "W0+8 W8+8 U16 W24+8 F W0+8 W3+9 Q50+2 W60+8";
	struct planned a = plan_script(*state, script, &opt), b = plan_script(*state, script, &opt),
		       c;
	unsigned differ = 0;

	opt.seed = 2;
	c = plan_script(*state, script, &opt);
	for (uint64_t n = crash_plan_count(a.plan); n-- > 0;) {
		char text[500];

		crash_plan_state(a.plan, n, &a.state);
		snprintf(text, sizeof(text), "%s", state_text(&a));
		crash_plan_state(b.plan, n, &b.state);
		assert_string_equal(text, state_text(&b));
		crash_plan_state(c.plan, n, &c.state);
		differ += strcmp(text, state_text(&c)) != 0;
	}
	assert_true(differ > 200);
	plan_close(&a);
	plan_close(&b);
	plan_close(&c);
}

/* ---- the rules, said another way */

/*
 * How much of an entry is there: its bytes, summed over its pieces, which do not overlap and rise.
 */
static uint64_t bytes_there(const struct planned *p, size_t entry)
{
	const struct crash_state *s = &p->state;
	const struct block_record_entry *e = block_record_get(p->rec, entry);
	uint64_t sum = 0, end = 0;

	if (entry < s->stable)
		return e->len;
	for (size_t i = 0; i < s->piece_count; i++) {
		const struct crash_piece *c = &s->pieces[i];

		if (c->entry != entry)
			continue;
		assert_true(c->from >= end && c->from < c->to && c->to <= e->len);
		assert_int_equal(c->from % 512 + c->to % 512, 0);
		assert_true(e->kind == RECORD_WRITE || c->to - c->from == e->len);
		end = c->to;
		sum += c->to - c->from;
	}
	return sum;
}

/* Nothing is torn within bytes 1024 to 2047 of the device. */
static void assert_atomic(const struct planned *p)
{
	for (size_t i = 0; i < p->state.piece_count; i++) {
		const struct crash_piece *c = &p->state.pieces[i];
		const struct block_record_entry *e = block_record_get(p->rec, c->entry);
		uint64_t from = e->offset + c->from, to = e->offset + c->to;

		assert_true(!c->from || from <= 1024 || from >= 2048);
		assert_true(c->to == e->len || to <= 1024 || to >= 2048);
	}
}

/*
 * The whole prefix up to the last barrier before the point is there; of what was called since, each
 * forced write is, unless it is the last call; nothing of what was not called yet.
 */
static void assert_legal(const struct planned *p)
{
	const struct crash_state *s = &p->state;
	size_t marks = 0, barrier = 0, last_piece = 0;

	for (size_t i = 0; i < block_record_count(p->rec); i++) {
		const struct block_record_entry *e = block_record_get(p->rec, i);

		if (i < s->point) {
			marks += e->kind == RECORD_MARK;
			barrier = record_is_barrier(e) ? i : barrier;
		} else {
			assert_int_equal(bytes_there(p, i), 0);
		}
	}
	assert_int_equal(s->marks, marks);
	assert_int_equal(s->stable, barrier);
	for (size_t i = barrier; i + 1 < s->point; i++) {
		const struct block_record_entry *e = block_record_get(p->rec, i);

		if (e->flags & BLOCK_FUA)
			assert_int_equal(bytes_there(p, i), e->len);
	}
	for (size_t i = 0; i < s->piece_count; i++) {
		assert_true(s->pieces[i].entry >= last_piece && s->pieces[i].entry >= s->stable);
		last_piece = s->pieces[i].entry;
	}
	assert_atomic(p);
}

/* A script of `count` random words. */
static void random_script(struct random *r, char *script, size_t size, unsigned count)
{
	size_t len = 0;

	script[0] = '\0';
	while (count--)
		len += (size_t)snprintf(script + len, size - len, "%c%u+%u ",
					"WWWWUPQDFM"[random_below(r, 10)], random_below(r, 32),
					1 + random_below(r, 12));
}

static void every_state_is_legal(void **state)
{
	static const struct crash_options opt = {
		.random_states = 200,
		.seed = 9,
		.tears_max = 4,
		.atomic_offset = CRASH_ATOMIC_OFFSET,
		.atomic_bytes = CRASH_ATOMIC_BYTES,
	};
	struct random r;

	random_init_seed(&r, 21);
	for (unsigned round = 0; round < 60; round++) {
		size_t point = 0;
		char script[1000];
		struct planned p;

		random_script(&r, script, sizeof(script), round);
		p = plan_script(*state, script, &opt);
		for (uint64_t n = 0; n < crash_plan_count(p.plan); n++) {
			crash_plan_state(p.plan, n, &p.state);
			assert_legal(&p);
			for (unsigned f = 1; f < 4; f++)
				if (n == crash_plan_first(p.plan, (enum crash_family)f))
					point = 0;
			assert_true(p.state.family == CRASH_RANDOM || p.state.stable >= point);
			point = p.state.stable;		/* within a family, later ones fail later */
		}
		plan_close(&p);
	}
}

static void allocations_may_fail(void **state)
{
	struct block_device *rec = record_script(*state, "W0 F M W1 Q2");
	const struct crash_options opt = { .random_states = 3 };
	struct crash_plan *plan;
	struct crash_state s;

	for (uint64_t nth = 0;; nth++) {
		size_t before = arena_bytes(*state);
		int err;

		arena_fail_at(*state, nth);
		err = crash_plan_create(*state, rec, &opt, &plan);
		if (!err) {
			err = crash_state_init(&s, plan);
			if (!err)
				crash_state_fini(&s, plan);
			crash_plan_destroy(plan);
		}
		assert_int_equal(arena_bytes(*state), before);
		if (!err)
			break;
		assert_int_equal(err, -12);
	}
	crash_plan_destroy(NULL);
	block_close(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(nothing_recorded),
		test_with_arena(every_state_of_a_tiny_recording),
		test_with_arena(a_write_that_only_flushes_can_be_lost),
		test_with_arena(discards_are_there_or_not),
		test_with_arena(families_have_their_numbers),
		test_with_arena(tears),
		test_with_arena(random_states_are_all_that_may_be),
		test_with_arena(numbers_and_seeds_repeat),
		test_with_arena(every_state_is_legal),
		test_with_arena(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
