/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mount options: Linux's names and meaning (Documentation/admin-guide/ext4.rst), and ours
 * (cache_mb, dialect). One table; an option that is not in it, or whose value is no good, is
 * refused by name. Options that Linux accepts and that change nothing here (who reads ahead how
 * far, say) are accepted too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ext4/super.h"

enum option_kind { OPT_FLAG, OPT_CLEAR, OPT_NUMBER, OPT_WORD, OPT_NOTHING };

struct option_word {
	const char *word;
	int value;
};

struct option {
	const char *name;
	enum option_kind kind;
	size_t offset;			/* in struct ext4_options */
	uint64_t most;			/* OPT_NUMBER */
	const struct option_word *words;
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
static const struct option_word dialect_words[] = {
	{ "4.9", DIALECT_4_9 },
	{ "6.18", DIALECT_6_18 },
	{ NULL, 0 },
};

#define AT(field) offsetof(struct ext4_options, field)
static const struct option options[] = {
	{ "ro", OPT_FLAG, AT(read_only) },
	{ "rw", OPT_CLEAR, AT(read_only) },
	{ "noload", OPT_FLAG, AT(noload) },
	{ "norecovery", OPT_FLAG, AT(noload) },
	{ "data", OPT_WORD, AT(data), 0, data_words },
	{ "errors", OPT_WORD, AT(errors), 0, errors_words },
	{ "delalloc", OPT_FLAG, AT(delalloc) },
	{ "nodelalloc", OPT_CLEAR, AT(delalloc) },
	{ "dioread_lock", OPT_FLAG, AT(dioread_lock) },
	{ "dioread_nolock", OPT_CLEAR, AT(dioread_lock) },
	{ "barrier", OPT_FLAG, AT(barrier) },
	{ "nobarrier", OPT_CLEAR, AT(barrier) },
	{ "journal_checksum", OPT_FLAG, AT(journal_checksum) },
	{ "nojournal_checksum", OPT_CLEAR, AT(journal_checksum) },
	{ "journal_async_commit", OPT_FLAG, AT(journal_async_commit) },
	{ "init_itable", OPT_FLAG, AT(init_itable) },
	{ "noinit_itable", OPT_CLEAR, AT(init_itable) },
	{ "block_validity", OPT_FLAG, AT(block_validity) },
	{ "noblock_validity", OPT_CLEAR, AT(block_validity) },
	{ "auto_da_alloc", OPT_FLAG, AT(auto_da_alloc) },
	{ "noauto_da_alloc", OPT_CLEAR, AT(auto_da_alloc) },
	{ "discard", OPT_FLAG, AT(discard) },
	{ "nodiscard", OPT_CLEAR, AT(discard) },
	{ "sync", OPT_FLAG, AT(sync) },
	{ "async", OPT_CLEAR, AT(sync) },
	{ "dirsync", OPT_FLAG, AT(dirsync) },
	{ "noatime", OPT_FLAG, AT(noatime) },
	{ "atime", OPT_CLEAR, AT(noatime) },
	{ "nodiratime", OPT_FLAG, AT(nodiratime) },
	{ "diratime", OPT_CLEAR, AT(nodiratime) },
	{ "relatime", OPT_CLEAR, AT(strictatime) },
	{ "strictatime", OPT_FLAG, AT(strictatime) },
	{ "lazytime", OPT_FLAG, AT(lazytime) },
	{ "nolazytime", OPT_CLEAR, AT(lazytime) },
	{ "grpid", OPT_FLAG, AT(grpid) },
	{ "bsdgroups", OPT_FLAG, AT(grpid) },
	{ "nogrpid", OPT_CLEAR, AT(grpid) },
	{ "nombcache", OPT_FLAG, AT(no_mbcache) },
	{ "no_mbcache", OPT_FLAG, AT(no_mbcache) },
	{ "sysvgroups", OPT_CLEAR, AT(grpid) },
	{ "commit", OPT_NUMBER, AT(commit_s), 100000 },
	{ "stripe", OPT_NUMBER, AT(stripe), UINT32_MAX },
	{ "max_batch_time", OPT_NUMBER, AT(max_batch_us), UINT32_MAX },
	{ "min_batch_time", OPT_NUMBER, AT(min_batch_us), UINT32_MAX },
	{ "resuid", OPT_NUMBER, AT(resuid), INT32_MAX },
	{ "resgid", OPT_NUMBER, AT(resgid), INT32_MAX },
	{ "sb", OPT_NUMBER, AT(sb_block), UINT32_MAX },
	{ "cache_mb", OPT_NUMBER, AT(cache_mb), 1u << 20 },
	{ "dialect", OPT_WORD, AT(dialect), 0, dialect_words },
	/* Accepted: what they ask for is so, or makes no difference here. */
	{ "defaults", OPT_NOTHING },
	{ "suid", OPT_NOTHING },
	{ "dev", OPT_NOTHING },
	{ "exec", OPT_NOTHING },
	{ "user_xattr", OPT_NOTHING },
	{ "acl", OPT_NOTHING },
	{ "no_prefetch_block_bitmaps", OPT_NOTHING },
	{ "prefetch_block_bitmaps", OPT_NOTHING },
	{ "inode_readahead_blks", OPT_NUMBER, AT(ignored), UINT32_MAX },
};

void ext4_default_options(struct ext4_options *o)
{
	*o = (struct ext4_options){
		.data = DATA_ORDERED,
		.errors = ERRORS_UNSAID,
		.delalloc = true,
		.barrier = true,
		.init_itable = true,
		.block_validity = true,
		.auto_da_alloc = true,
		.commit_s = 5,
		.max_batch_us = 15000,
		.cache_mb = 256,
		.dialect = DIALECT_6_18,
		.resuid = UINT32_MAX,
		.resgid = UINT32_MAX,
	};
}

static int refuse(char *why, size_t why_len, const char *what, const char *option)
{
	(void)snprintf(why, why_len, "mount option %s: %s", option, what);
	return -EINVAL;
}

static int set_number(const struct option *def, const char *value, void *field)
{
	unsigned long long n;
	char *end;

	if (!value || *value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (*end || errno || n > def->most)
		return -EINVAL;
	*(uint32_t *)field = (uint32_t)n;
	return 0;
}

static int set_word(const struct option *def, const char *value, void *field)
{
	for (const struct option_word *w = def->words; value && w->word; w++)
		if (strcmp(w->word, value) == 0) {
			*(int *)field = w->value;
			return 0;
		}
	return -EINVAL;
}

/* A flag may be written with =1 or =0 too, as Linux takes barrier=1. */
static int set_flag(const struct option *def, const char *value, void *field)
{
	bool on = def->kind == OPT_FLAG;

	if (value && strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	*(bool *)field = value && *value == '0' ? !on : on;
	return 0;
}

static int set_option(const struct option *def, const char *value, struct ext4_options *o)
{
	void *field = (char *)o + def->offset;

	switch (def->kind) {
	case OPT_FLAG:
	case OPT_CLEAR:
		return set_flag(def, value, field);
	case OPT_NUMBER:
		return set_number(def, value, field);
	case OPT_WORD:
		return set_word(def, value, field);
	default:
		return value ? -EINVAL : 0;
	}
}

static int one_option(char *text, struct ext4_options *o, char *why, size_t why_len)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < array_size(options); i++) {
		if (strcmp(options[i].name, text))
			continue;
		if (set_option(&options[i], value, o))
			return refuse(why, why_len,
				      value ? "this value cannot be" : "it needs a value", text);
		return 0;
	}
	return refuse(why, why_len, "not supported", text);
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
	if (!err && o->noload && !o->read_only)
		return refuse(why, why_len, "the journal can be left out only with ro", "noload");
	if (!err && o->journal_async_commit && o->data == DATA_ORDERED)
		return refuse(
			why, why_len,
			"only with data=journal or data=writeback: the commit record does not wait",
			"journal_async_commit");
	return err;
}
