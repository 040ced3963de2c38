/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages reach the program's callback as one line, cut when they are too long; without one they
 * are dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"

struct seen {
	int count;
	enum log_level level;
	char text[2048];
};

static void remember(void *arg, enum log_level level, const char *text)
{
	struct seen *s = arg;

	s->count++;
	s->level = level;
	strncpy(s->text, text, sizeof(s->text) - 1);
}

static void messages_reach_the_callback(void **state)
{
	struct seen seen = { 0 };
	struct log l = { .message = remember, .arg = &seen };

	log_message(&l, LOG_WARNING, "inode %d: %s", 12, "bad");
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.level, LOG_WARNING);
	assert_string_equal(seen.text, "inode 12: bad");
}

static void long_messages_are_cut(void **state)
{
	struct seen seen = { 0 };
	struct log l = { .message = remember, .arg = &seen };
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_message(&l, LOG_ERROR, "%s", text);
	assert_int_equal(strlen(seen.text), 1023);
}

static void without_a_callback_nothing_happens(void **state)
{
	struct log l = { 0 };

	log_message(&l, LOG_ERROR, "lost");
	log_message(NULL, LOG_ERROR, "lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_reach_the_callback),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(without_a_callback_nothing_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
