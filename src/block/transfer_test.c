/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transfer reaches its end through calls that are cut short at every possible byte, are
 * interrupted, or take only so many pieces; and it ends with the error when one fails.
 */
#include "block/testing.h"

#include <errno.h>
#include <limits.h>
#include "block/transfer.h"

/* A file in memory whose calls move at most `step` bytes; every `trip`th call is interrupted. */
static struct {
	uint8_t bytes[4096];
	size_t step;
	int trip, calls, most_pieces;
	int fail_errno;			/* of a call beyond byte `fail_from` */
	off_t fail_from, end;
} file;

static ssize_t some_bytes(const struct iovec *iov, int count, off_t pos, bool out)
{
	size_t n = 0;

	file.most_pieces = max(file.most_pieces, count);
	if (file.trip && ++file.calls % file.trip == 0) {
		errno = EINTR;
		return -1;
	}
	if (file.fail_errno && pos >= file.fail_from) {
		errno = file.fail_errno;
		return -1;
	}
	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < iov[i].iov_len; j++, n++) {
			uint8_t *mine = &file.bytes[pos + (off_t)n];
			uint8_t *theirs = (uint8_t *)iov[i].iov_base + j;

			if (n == file.step || pos + (off_t)n >= file.end)
				return (ssize_t)n;
			*(out ? mine : theirs) = *(out ? theirs : mine);
		}
	return (ssize_t)n;
}

static ssize_t fake_pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
	assert_int_equal(fd, 7);
	return some_bytes(iov, count, pos, true);
}

static ssize_t fake_preadv(int fd, const struct iovec *iov, int count, off_t pos)
{
	return some_bytes(iov, count, pos, false);
}

static void file_reset(size_t step)
{
	memset(&file, 0, sizeof(file));
	file.step = step;
	file.end = sizeof(file.bytes);
}

static void every_cut_is_survived(void **state)
{
	uint8_t in[100], out[100];
	const struct iovec to[] = {
		{in, 0},      {in, 1},       {in + 1, 30},  {in + 31, 0},
		{in + 31, 0}, {in + 31, 69}, {in + 100, 0},
	};
	const struct iovec from[] = { { out, 64 }, { out + 64, 0 }, { out + 64, 36 } };

	for (size_t step = 1; step <= 101; step++) {
		for (int trip = 0; trip < 4; trip = trip ? trip + 1 : 2) {
			file_reset(step);
			file.trip = trip;
			pattern_fill(out, 0, sizeof(out), (unsigned)step);
			memset(in, 0, sizeof(in));
			assert_int_equal(transfer_whole(7, from, 3, 11, fake_pwritev), 0);
			assert_memory_equal(file.bytes + 11, out, sizeof(out));
			assert_int_equal(file.bytes[10], 0);
			assert_int_equal(file.bytes[111], 0);
			assert_int_equal(transfer_whole(7, to, 7, 11, fake_preadv), 0);
			assert_memory_equal(in, out, sizeof(in));
		}
	}
}

static void nothing_is_nothing(void **state)
{
	const struct iovec empty[] = { { NULL, 0 }, { NULL, 0 } };

	file_reset(100);
	file.fail_errno = EIO;
	assert_int_equal(transfer_whole(7, empty, 2, 0, fake_pwritev), 0);
	assert_int_equal(transfer_whole(7, empty, 0, 0, fake_pwritev), 0);
}

static void an_error_ends_it(void **state)
{
	uint8_t out[100] = { 0 };
	const struct iovec from[] = { { out, 50 }, { out, 50 } };

	file_reset(40);
	file.fail_errno = ENOSPC;
	file.fail_from = 80;
	assert_int_equal(transfer_whole(7, from, 2, 0, fake_pwritev), -ENOSPC);
}

static void the_end_of_the_file_is_an_error(void **state)
{
	uint8_t in[100];
	const struct iovec to = { in, 100 };

	file_reset(1000);
	assert_int_equal(transfer_whole(7, &to, 1, sizeof(file.bytes) - 99, fake_preadv), -EIO);
	assert_int_equal(transfer_whole(7, &to, 1, sizeof(file.bytes) - 100, fake_preadv), 0);
}

static void runs_of_pieces_are_as_long_as_allowed(void **state)
{
	static struct iovec from[3 * IOV_MAX];
	static uint8_t byte = 5;

	for (int i = 0; i < 3 * IOV_MAX; i++)
		from[i] = (struct iovec){ &byte, 1 };
	file_reset(SIZE_MAX);
	assert_int_equal(transfer_whole(7, from, 3 * IOV_MAX, 0, fake_pwritev), 0);
	assert_int_equal(file.most_pieces, IOV_MAX);
	assert_int_equal(file.bytes[3 * IOV_MAX - 1], 5);
	assert_int_equal(file.bytes[3 * IOV_MAX], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_is_survived),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(an_error_ends_it),
		cmocka_unit_test(the_end_of_the_file_is_an_error),
		cmocka_unit_test(runs_of_pieces_are_as_long_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
