/* SPDX-License-Identifier: BSD-2-Clause */
/* One big file, in order and at random; and a file of which every other block is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsbench.h"

static const char *big_path(const struct spec *s)
{
	static char path[80];
	snprintf(path, sizeof(path), "/%s", arg_str(s, "file", "big"));
	return path;
}

/* What there is to read: a limit may have cut the writing. */
static uint64_t big_len(const struct spec *s, uint64_t bs)
{
	uint64_t len = arg(s, "mb", 1024) << 20;
	struct fsb_stat st;
	if (CALL(O->stat(FS, big_path(s), &st)) == 0 && st.size < len)
		len = st.size / bs * bs;
	return len < bs ? bs : len;
}

void w_seqwrite(const struct spec *s)
{
	uint64_t len = arg(s, "mb", 1024) << 20, bs = arg(s, "bs", 131072);
	char *buf = noise(bs);
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "seqwrite"));
	if (!failed(&p, CALL(O->open(FS, big_path(s), O_RDWR | O_CREAT, &h)))) {
		for (uint64_t o = 0; o < len && more(&p); o += bs) {
			stamp(buf, bs, 7, o);
			ssize_t w = CALL(O->pwrite(FS, h, buf, bs, o));
			if (!failed(&p, w)) {
				p.bad += (size_t)w != bs;
				p.bytes += (size_t)w;
			}
			p.ops++;
		}
		failed(&p, CALL(O->fsync(FS, h)));
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
}

void w_seqread(const struct spec *s)
{
	uint64_t bs = arg(s, "bs", 131072), len = big_len(s, bs);
	char *buf = xalloc(bs);
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "seqread"));
	if (!failed(&p, CALL(O->open(FS, big_path(s), O_RDONLY, &h)))) {
		for (uint64_t o = 0; o < len && more(&p); o += bs) {
			ssize_t r = CALL(O->pread(FS, h, buf, bs, o));
			if (!failed(&p, r)) {
				p.bad += (size_t)r != bs || check(buf, (size_t)r, 7, o);
				p.bytes += (size_t)r;
			}
			p.ops++;
		}
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
}

static void w_rand(const struct spec *s, int writing)
{
	uint64_t bs = arg(s, "bs", BLK), len = big_len(s, bs);
	uint64_t ops = arg(s, "ops", 100000);
	struct rng r = { arg(s, "seed", 2) << 32 };
	char *buf = noise(bs);
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", writing ? "randwrite" : "randread"));
	if (!failed(&p, CALL(O->open(FS, big_path(s), writing ? O_RDWR : O_RDONLY, &h)))) {
		for (uint64_t i = 0; i < ops && more(&p); i++) {
			uint64_t o = rnd(&r) % (len / bs) * bs;
			ssize_t n;
			if (writing) {
				stamp(buf, bs, 7, o);
				n = CALL(O->pwrite(FS, h, buf, bs, o));
			} else {
				n = CALL(O->pread(FS, h, buf, bs, o));
			}
			if (!failed(&p, n)) {
				p.bad += (size_t)n != bs || (!writing && check(buf, bs, 7, o));
				p.bytes += (size_t)n;
			}
			p.ops++;
		}
		if (writing)
			failed(&p, CALL(O->fsync(FS, h)));
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
}

void w_randwrite(const struct spec *s)
{
	w_rand(s, 1);
}
void w_randread(const struct spec *s)
{
	w_rand(s, 0);
}

/* --------------------------------------------------------- fragmented files */

/* Every other 4 KiB block of a file, so every block is an extent. */
void w_frag(const struct spec *s)
{
	uint64_t len = arg(s, "mb", 400) << 20;
	char *buf = noise(BLK);
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "frag_write"));
	if (!failed(&p, CALL(O->open(FS, "/frag", O_RDWR | O_CREAT, &h)))) {
		for (uint64_t o = 0; o < len && more(&p); o += 2 * BLK) {
			stamp(buf, BLK, 9, o);
			ssize_t w = CALL(O->pwrite(FS, h, buf, BLK, o));
			if (!failed(&p, w))
				p.bad += w != BLK;
			p.bytes += BLK;
			p.ops++;
		}
		failed(&p, CALL(O->fsync(FS, h)));
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
	last_frag = p.ops;
}

static uint64_t frag_blocks(const struct spec *s)
{
	return arg(s, "n", last_frag ? last_frag : arg(s, "mb", 400) << 7);
}

void w_fragmap(const struct spec *s)
{
	uint64_t want = frag_blocks(s);
	void *h;
	if (!O->extents) {
		unsupported("frag_map");
		return;
	}
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "frag_map"));
	if (!failed(&p, CALL(O->open(FS, "/frag", O_RDONLY, &h)))) {
		uint64_t n = 0;
		failed(&p, CALL(O->extents(FS, h, &n)));
		p.ops = n;
		p.bad = n != want;
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
}

void w_fragread(const struct spec *s)
{
	uint64_t n = frag_blocks(s);
	uint64_t len = n * 2 * BLK - BLK;	/* the last hole is not there */
	enum { BS = 131072 };
	char *buf = xalloc(BS);
	static const char zero[BLK];
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "frag_read"));
	if (!failed(&p, CALL(O->open(FS, "/frag", O_RDONLY, &h)))) {
		for (uint64_t o = 0; o < len && more(&p); o += BS) {
			size_t ask = len - o < BS ? (size_t)(len - o) : BS;
			ssize_t r = CALL(O->pread(FS, h, buf, ask, o));
			if (failed(&p, r))
				continue;
			p.bad += (size_t)r != ask;
			for (size_t k = 0; k < (size_t)r; k += BLK)
				p.bad += k / BLK % 2 ? memcmp(buf + k, zero, BLK) != 0
						     : check(buf + k, BLK, 9, o + k) != 0;
			p.bytes += (size_t)r;
			p.ops++;
		}
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
}
