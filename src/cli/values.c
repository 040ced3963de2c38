/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers, sizes and times in arguments.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli/cli.h"

bool cli_parse_number(const char *text, uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n > max)
		return false;
	*out = n;
	return true;
}

/* ---- sizes */

/* What a suffix multiplies with; 0: there is no such one. "K" and "KiB": 1024, "KB": 1000. */
static uint64_t unit(const char *suffix)
{
	static const char letters[] = "KMGTPE";
	const char *at = strchr(letters, toupper((unsigned char)*suffix));
	uint64_t base = 1024, n = 1;

	if (!*suffix)
		return 1;
	if (!at)
		return 0;
	if (!strcmp(suffix + 1, "B"))
		base = 1000;
	else if (suffix[1] && strcmp(suffix + 1, "iB") != 0)
		return 0;
	for (; at >= letters; at--)
		n *= base;
	return n;
}

bool cli_parse_size(const char *text, uint64_t *out)
{
	unsigned long long n;
	uint64_t times;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	times = unit(end);
	if (errno || !times || n > INT64_MAX / times)
		return false;
	*out = n * times;
	return true;
}

void cli_human(uint64_t bytes, char buf[16])
{
	static const char letters[] = " KMGTPE";
	unsigned shift = 0, i = 0;
	uint64_t whole, tenths;

	while (i < 6 && bytes > 1023ull << shift) {
		shift += 10;
		i++;
	}
	whole = (bytes >> shift) + !!(bytes & ((1ull << shift) - 1));
	/* Of the unit, rounded up; four bits less of both, so that ten times as much fits. */
	tenths = shift ? (((bytes >> 4) + !!(bytes & 15)) * 10 + (1ull << (shift - 4)) - 1) >>
				 (shift - 4)
		       : 100;
	if (!i || tenths >= 100)
		(void)snprintf(buf, 16, i ? "%u%c" : "%u", (unsigned)whole, letters[i]);
	else
		(void)snprintf(buf, 16, "%u.%u%c", (unsigned)tenths / 10, (unsigned)tenths % 10,
			       letters[i]);
}

/* ---- times */

struct extant_time cli_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (struct extant_time){ t.tv_sec, (uint32_t)t.tv_nsec };
}

/* ".5" and the like; where it ends. */
static const char *fraction(const char *p, uint32_t *nsec)
{
	uint32_t step = 100000000;

	*nsec = 0;
	if (*p != '.' && *p != ',')
		return p;
	for (p++; isdigit((unsigned char)*p); p++, step /= 10)
		*nsec += step * (uint32_t)(*p - '0');
	return p;
}

/* " +0200", "Z", or nothing: the zone of the environment. */
static bool zone(const char *p, struct tm *tm, struct extant_time *out)
{
	int hours, minutes = 0, n = 0;

	while (*p == ' ')
		p++;
	if (!*p) {
		tm->tm_isdst = -1;
		out->sec = mktime(tm);
		return true;
	}
	out->sec = timegm(tm);
	if (!strcmp(p, "Z") || !strcmp(p, "UTC"))
		return true;
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d%n:%2d%n", &hours, &n, &minutes, &n) < 1)
		return false;
	if (n == 2 && p[3] && (sscanf(p + 3, "%2d%n", &minutes, &n) != 1 || p[3 + n]))
		return false;
	out->sec -= (*p == '-' ? -60 : 60) * (60 * hours + minutes);
	return true;
}

static bool date(const char *text, struct extant_time *out)
{
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%d", &tm), *seconds;

	if (!p)
		return false;
	out->nsec = 0;
	if (*p != 'T' && *p != ' ')
		return zone(p, &tm, out);
	p = strptime(p + 1, "%H:%M", &tm);
	if (!p)
		return false;
	seconds = strptime(p, ":%S", &tm);
	if (seconds)
		p = fraction(seconds, &out->nsec);
	return zone(p, &tm, out);
}

bool cli_parse_time(const char *text, struct extant_time *out)
{
	struct extant_time t = { 0 };
	const char *rest;
	char *end;

	if (!strcmp(text, "now")) {
		*out = cli_now();
		return true;
	}
	if (*text == '@') {
		errno = 0;
		t.sec = strtoll(text + 1, &end, 10);
		rest = fraction(end, &t.nsec);
		if (errno || end == text + 1 || *rest)
			return false;
		/* -1.25 lies before -1: the fraction counts forward from the second below. */
		if (text[1] == '-' && t.nsec) {
			t.sec--;
			t.nsec = 1000000000u - t.nsec;
		}
	} else if (!date(text, &t)) {
		return false;
	}
	*out = t;
	return true;
}
