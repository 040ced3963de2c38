/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mount options: Linux's names and meaning, and ours (cache_mb, dialect). One table: it says how an
 * option is read, whether a remount may change it, and of those that are refused why. What is in no
 * table is refused too. docs/mount-options.md lists them all; a test compares.
 *
 * Options that Linux takes and that change nothing here (who reads ahead how far, say) are taken,
 * their values looked at as Linux looks at them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ext4/super.h"

enum option_kind {
	OPT_FLAG,			/* sets; OPT_CLEAR: clears */
	OPT_CLEAR,
	OPT_SWITCH,			/* sets; with =0 clears */
	OPT_NUMBER,
	OPT_WORD,
	OPT_NOTHING,			/* no value; changes nothing */
	OPT_ANY,			/* any value or none; changes nothing */
	OPT_IGNORED_NUMBER,
	OPT_REFUSED,
};

struct option_word {
	const char *word;
	int value;
};

struct option {
	const char *name;
	enum option_kind kind;
	bool live;			/* a remount may change it */
	size_t offset;			/* in struct ext4_options */
	uint64_t most;			/* of a number */
	const struct option_word *words;
	size_t number;			/* OPT_FLAG: with a value, it goes there; 0: it takes none */
	bool (*valid)(uint64_t n);	/* of a number; NULL: up to `most` */
	const char *why;		/* OPT_REFUSED */
};

static const struct option_word data_words[] = {
	{ "ordered", DATA_ORDERED },
	{ "journal", DATA_JOURNAL },
	{ "writeback", DATA_WRITEBACK },
	{ NULL, 0 },
};
static const struct option_word errors_words[] = {
	{ "continue", ERRORS_CONTINUE },
	{ "remount-ro", ERRORS_REMOUNT_RO },
	{ "panic", ERRORS_PANIC },
	{ NULL, 0 },
};
static const struct option_word data_err_words[] = {
	{ "ignore", false },
	{ "abort", true },
	{ NULL, 0 },
};
static const struct option_word dialect_words[] = {
	{ "4.9", DIALECT_4_9 },
	{ "6.18", DIALECT_6_18 },
	{ NULL, 0 },
};

static bool zero_or_power_of_two(uint64_t n)
{
	return n < 1u << 31 && !(n & (n - 1));
}

#define AT(field)	     offsetof(struct ext4_options, field)
#define SET(name, field)     { name, OPT_FLAG, true, AT(field) }
#define CLEAR(name, field)   { name, OPT_CLEAR, true, AT(field) }
#define SWITCH(name, field)  { name, OPT_SWITCH, true, AT(field) }
#define NUMBER(name, field, most)	{ name, OPT_NUMBER, true, AT(field), most }
#define FIXED(name, kind, field)	{ name, kind, false, AT(field) }
#define FIXED_NUMBER(name, field, most) { name, OPT_NUMBER, false, AT(field), most }
#define NOTHING(name)	     { name, OPT_NOTHING }
#define ANY(name)	     { name, OPT_ANY }
#define REFUSED(word, reason) { .name = word, .kind = OPT_REFUSED, .why = reason }

static const struct option options[] = {
	FIXED("ro", OPT_FLAG, read_only),
	FIXED("rw", OPT_CLEAR, read_only),
	FIXED("noload", OPT_FLAG, noload),
	FIXED("norecovery", OPT_FLAG, noload),
	{ "data", OPT_WORD, false, AT(data), 0, data_words },
	{ "errors", OPT_WORD, true, AT(errors), 0, errors_words },
	{ "data_err", OPT_WORD, true, AT(data_err_abort), 0, data_err_words },
	SET("delalloc", delalloc),
	CLEAR("nodelalloc", delalloc),
	SET("dioread_lock", dioread_lock),
	CLEAR("dioread_nolock", dioread_lock),
	SWITCH("barrier", barrier),
	CLEAR("nobarrier", barrier),
	FIXED("journal_checksum", OPT_FLAG, journal_checksum),
	FIXED("nojournal_checksum", OPT_CLEAR, journal_checksum),
	FIXED("journal_async_commit", OPT_FLAG, journal_async_commit),
	{ "init_itable", OPT_FLAG, true, AT(init_itable), INT32_MAX, .number = AT(init_itable_wait) },
	CLEAR("noinit_itable", init_itable),
	SWITCH("auto_da_alloc", auto_da_alloc),
	CLEAR("noauto_da_alloc", auto_da_alloc),
	SET("discard", discard),
	CLEAR("nodiscard", discard),
	SET("minixdf", minixdf),
	CLEAR("bsddf", minixdf),
	SET("sync", sync),
	CLEAR("async", sync),
	SET("dirsync", dirsync),
	SET("noatime", noatime),
	CLEAR("atime", noatime),
	SET("nodiratime", nodiratime),
	CLEAR("diratime", nodiratime),
	CLEAR("relatime", strictatime),
	SET("strictatime", strictatime),
	SET("lazytime", lazytime),
	CLEAR("nolazytime", lazytime),
	SET("grpid", grpid),
	SET("bsdgroups", grpid),
	CLEAR("nogrpid", grpid),
	CLEAR("sysvgroups", grpid),
	SET("nombcache", no_mbcache),
	SET("no_mbcache", no_mbcache),
	FIXED("abort", OPT_FLAG, abort),
	NUMBER("commit", commit_s, INT32_MAX / 1000),
	NUMBER("stripe", stripe, UINT32_MAX),
	NUMBER("max_dir_size_kb", max_dir_size_kb, UINT32_MAX),
	NUMBER("resuid", resuid, INT32_MAX),
	NUMBER("resgid", resgid, INT32_MAX),
	FIXED_NUMBER("sb", sb_block, UINT32_MAX),
	FIXED_NUMBER("cache_mb", cache_mb, 1u << 20),
	{ "dialect", OPT_WORD, false, AT(dialect), 0, dialect_words },

	/* Taken: what they ask for is so, or makes no difference here. */
	{ .name = "inode_readahead_blks", .kind = OPT_IGNORED_NUMBER, .valid = zero_or_power_of_two },
	{ .name = "max_batch_time", .kind = OPT_IGNORED_NUMBER, .most = INT32_MAX },
	{ .name = "min_batch_time", .kind = OPT_IGNORED_NUMBER, .most = INT32_MAX },
	{ .name = "journal_ioprio", .kind = OPT_IGNORED_NUMBER, .most = 7 },
	{ .name = "mb_optimize_scan", .kind = OPT_IGNORED_NUMBER, .most = 1 },
	NOTHING("block_validity"), NOTHING("noblock_validity"),
	NOTHING("prefetch_block_bitmaps"),
	NOTHING("no_prefetch_block_bitmaps"), NOTHING("i_version"), NOTHING("iversion"),
	NOTHING("noiversion"), NOTHING("user_xattr"), NOTHING("acl"), NOTHING("debug"),
	NOTHING("noquota"), NOTHING("warn_on_error"), NOTHING("nowarn_on_error"),
	/* mount(8)'s; who looks at set-id bits and devices is the program. */
	NOTHING("defaults"), NOTHING("suid"), NOTHING("nosuid"), NOTHING("dev"), NOTHING("nodev"),
	NOTHING("exec"), NOTHING("noexec"), NOTHING("silent"), NOTHING("loud"), NOTHING("auto"),
	NOTHING("noauto"), NOTHING("nofail"), NOTHING("_netdev"), NOTHING("user"), NOTHING("users"),
	NOTHING("nouser"), NOTHING("owner"), NOTHING("group"), NOTHING("norelatime"),
	NOTHING("nostrictatime"), NOTHING("nomand"), NOTHING("symfollow"),
	/* Of long ago; Linux takes and forgets them. */
	NOTHING("bh"), NOTHING("nobh"), NOTHING("oldalloc"), NOTHING("orlov"), ANY("check"),
	NOTHING("nocheck"), NOTHING("reservation"), NOTHING("noreservation"),
	NOTHING("mblk_io_submit"), NOTHING("nomblk_io_submit"),

	REFUSED("journal_path", "an external journal is not supported"),
	REFUSED("journal_dev", "an external journal is not supported"),
	REFUSED("quota", "quotas are not kept"),
	REFUSED("usrquota", "quotas are not kept"),
	REFUSED("grpquota", "quotas are not kept"),
	REFUSED("prjquota", "quotas are not kept"),
	REFUSED("usrjquota", "quotas are not kept"),
	REFUSED("grpjquota", "quotas are not kept"),
	REFUSED("jqfmt", "quotas are not kept"),
	REFUSED("nouid32", "owners have 32 bits"),
	REFUSED("nouser_xattr", "today's Linux does not know it either"),
	REFUSED("noacl", "today's Linux does not know it either"),
	REFUSED("dax", "an image is not mapped into memory"),
	REFUSED("inlinecrypt", "encryption is not supported"),
	REFUSED("test_dummy_encryption", "encryption is not supported"),
	REFUSED("mand", "locks are the program's"),
	REFUSED("nosymfollow", "links are followed"),
	REFUSED("context", "labels are not made"),
	REFUSED("fscontext", "labels are not made"),
	REFUSED("defcontext", "labels are not made"),
	REFUSED("rootcontext", "labels are not made"),
	REFUSED("fc_debug_force", "fast commits are not written"),
	REFUSED("fc_debug_max_replay", "fast commits are not written"),
};

void ext4_default_options(struct ext4_options *o)
{
	*o = (struct ext4_options){
		.data = DATA_ORDERED,
		.errors = ERRORS_UNSAID,
		.delalloc = true,
		.barrier = true,
		.init_itable = true,
		.init_itable_wait = 10,
		.auto_da_alloc = true,
		.commit_s = 5,
		.cache_mb = 256,
		.dialect = DIALECT_6_18,
		.resuid = UINT32_MAX,
		.resgid = UINT32_MAX,
	};
}

/* ---- reading them */

static int refuse(char *why, size_t why_len, const char *what, const char *option)
{
	(void)snprintf(why, why_len, "mount option %s: %s", option, what);
	return -EINVAL;
}

static int parse_number(const struct option *def, const char *value, uint32_t *out)
{
	unsigned long long n;
	char *end;

	if (!value || *value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (*end || errno || (def->valid ? !def->valid(n) : n > def->most))
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

static int set_word(const struct option *def, const char *value, struct ext4_options *o)
{
	void *field = (char *)o + def->offset;

	for (const struct option_word *w = def->words; value && w->word; w++) {
		if (strcmp(w->word, value))
			continue;
		if (def->words == data_err_words)
			*(_Atomic bool *)field = w->value;
		else
			*(_Atomic int *)field = w->value;
		return 0;
	}
	return -EINVAL;
}

static int set_flag(const struct option *def, const char *value, struct ext4_options *o)
{
	_Atomic bool *field = (void *)((char *)o + def->offset);
	uint32_t n = 1;

	if (value && def->kind == OPT_FLAG && def->number) {
		if (parse_number(def, value, &n))
			return -EINVAL;
		*(_Atomic uint32_t *)(void *)((char *)o + def->number) = n;
	} else if (value) {
		return -EINVAL;
	}
	*field = def->kind == OPT_FLAG;
	return 0;
}

/* barrier, barrier=0, barrier=1 */
static int set_switch(const struct option *def, const char *value, struct ext4_options *o)
{
	static const struct option any = { .most = UINT32_MAX };
	uint32_t n = 1;

	if (value && parse_number(&any, value, &n))
		return -EINVAL;
	*(_Atomic bool *)(void *)((char *)o + def->offset) = n != 0;
	return 0;
}

static int set_number(const struct option *def, const char *value, struct ext4_options *o)
{
	uint32_t n;
	int err = parse_number(def, value, &n);

	if (!err && def->kind == OPT_NUMBER)
		*(_Atomic uint32_t *)(void *)((char *)o + def->offset) = n;
	return err;
}

static int set_option(const struct option *def, const char *value, struct ext4_options *o)
{
	switch (def->kind) {
	case OPT_FLAG:
	case OPT_CLEAR:
		return set_flag(def, value, o);
	case OPT_SWITCH:
		return set_switch(def, value, o);
	case OPT_NUMBER:
	case OPT_IGNORED_NUMBER:
		return set_number(def, value, o);
	case OPT_WORD:
		return set_word(def, value, o);
	case OPT_NOTHING:
		return value ? -EINVAL : 0;
	default:
		return 0;
	}
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < array_size(options); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}

static int one_option(char *text, struct ext4_options *o, char *why, size_t why_len)
{
	char *value = strchr(text, '=');
	const struct option *def;

	if (value)
		*value++ = '\0';
	def = find(text);
	if (!def)
		return refuse(why, why_len, "not known", text);
	if (def->kind == OPT_REFUSED)
		return refuse(why, why_len, def->why, text);
	if (set_option(def, value, o))
		return refuse(why, why_len, value ? "this value cannot be" : "it needs a value", text);
	if (def->offset == AT(delalloc) && def->kind == OPT_FLAG)
		o->delalloc_said = true;
	return 0;
}

/* What cannot be together. */
static int check_together(const struct ext4_options *o, char *why, size_t why_len)
{
	if (o->noload && !o->read_only)
		return refuse(why, why_len, "the journal can be left out only with ro", "noload");
	if (o->journal_async_commit && o->data == DATA_ORDERED)
		return refuse(why, why_len,
			      "only with data=journal or data=writeback: the commit record does not wait",
			      "journal_async_commit");
	if (o->data == DATA_JOURNAL && o->delalloc && o->delalloc_said)
		return refuse(why, why_len, "not with data=journal", "delalloc");
	return 0;
}

int ext4_parse_options(const char *text, struct ext4_options *o, char *why, size_t why_len)
{
	char buf[1024], *save, *word;
	int err = 0;

	if (strlen(text) >= sizeof(buf))
		return refuse(why, why_len, "too long", "list");
	strcpy(buf, text);
	for (word = strtok_r(buf, ",", &save); word && !err; word = strtok_r(NULL, ",", &save))
		err = one_option(word, o, why, why_len);
	return err ? err : check_together(o, why, why_len);
}

/* ---- remounting */

static bool is_bool(const struct option *def)
{
	return def->kind == OPT_FLAG || def->kind == OPT_CLEAR || def->kind == OPT_SWITCH ||
	       def->words == data_err_words;
}

/* Flags, and everything else: four bytes. */
static uint32_t value_of(const struct option *def, const struct ext4_options *o)
{
	const char *field = (const char *)o + def->offset;

	return is_bool(def) ? *(const _Atomic bool *)(const void *)field
			    : *(const _Atomic uint32_t *)(const void *)field;
}

void ext4_options_take(struct ext4_options *to, const struct ext4_options *from)
{
	for (const struct option *def = options; def < options + array_size(options); def++) {
		char *field = (char *)to + def->offset;

		if (!def->live)
			continue;
		if (is_bool(def))
			*(_Atomic bool *)(void *)field = value_of(def, from);
		else
			*(_Atomic uint32_t *)(void *)field = value_of(def, from);
		if (def->kind == OPT_FLAG && def->number)
			to->init_itable_wait = from->init_itable_wait;
	}
}

const char *ext4_options_fixed_differ(const struct ext4_options *a, const struct ext4_options *b)
{
	for (const struct option *def = options; def < options + array_size(options); def++) {
		bool has_field = def->kind != OPT_NOTHING && def->kind != OPT_ANY &&
				 def->kind != OPT_IGNORED_NUMBER && def->kind != OPT_REFUSED;

		if (has_field && !def->live && def->offset != AT(read_only) &&
		    def->offset != AT(abort) && value_of(def, a) != value_of(def, b))
			return def->name;
	}
	return NULL;
}
