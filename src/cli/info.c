/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant info: what the superblock, the journal and the group descriptors say, as they lie on disk.
 *
 * Shows what it can: the superblock also of an image that this version cannot use, the groups also
 * when the journal is damaged. The exit status says that something was wrong all the same.
 */
#include <inttypes.h>
#include <string.h>
#include "cli/examine.h"
#include "cli/json.h"
#include "ext4/disk.h"
#include "ext4/feature.h"
#include "ext4/group.h"

struct info_args {
	const char *options;
	bool summary, json;
};

struct info {
	const struct info_args *args;
	struct facts f;
};

/* ---- helpers */

static void put_uuid(struct facts *f, const char *key, const uint8_t uuid[16])
{
	char text[37];
	char *p = text;

	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			     uuid[i]);
	facts_string(f, key, text);
}

/* 0: never. In text, when it was; in JSON, seconds since 1970. */
static void put_date(struct facts *f, const char *key, le32 low, uint8_t high)
{
	struct extant_time t = { .sec = (int64_t)((uint64_t)high << 32 | le32_get(low)) };
	char text[64];

	if (f->json) {
		facts_signed(f, key, t.sec);
		return;
	}
	cli_time_text(&t, false, text, sizeof(text));
	facts_string(f, key, t.sec ? text : "never");
}

static void put_words(struct facts *f, const char *key, char *words)
{
	char *save, *word;

	facts_array(f, key);
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		facts_string(f, NULL, word);
	facts_array_end(f);
	if (!f->json)
		fputc('\n', f->out);
}

/* ---- the superblock */

static void put_features(struct facts *f, const struct ext4_super_block *s)
{
	char words[1024];

	(void)ext4_feature_names(s, EXT4_FEATURE_WRITE, words, sizeof(words));
	put_words(f, "features", words);
	if (ext4_feature_names(s, EXT4_FEATURE_READ, words, sizeof(words)))
		put_words(f, "features_not_written", words);
	if (ext4_feature_names(s, EXT4_FEATURE_REFUSE, words, sizeof(words)))
		put_words(f, "features_not_supported", words);
}

static const char *errors_text(uint16_t errors)
{
	static const char *const texts[] = { "unsaid", "continue", "remount-ro", "panic" };

	return errors < array_size(texts) ? texts[errors] : "unknown";
}

/* EXT4_ERR_*, spelled as dumpe2fs does. */
static const char *error_kind(uint8_t code)
{
	static const char *const kinds[] = {
		"unsaid",  "UNKNOWN", "EIO",	"ENOMEM", "EFSBADCRC", "EFSCORRUPTED",
		"ENOSPC",  "ENOKEY",  "EROFS",	"EFBIG",  "EEXIST",    "ERANGE",
		"EOVERFLOW", "EBUSY", "ENOTDIR", "ENOTEMPTY", "ESHUTDOWN", "EFAULT",
	};

	return code < array_size(kinds) ? kinds[code] : "UNKNOWN";
}

static void put_state(struct facts *f, const struct ext4_super_block *s)
{
	uint16_t state = le16_get(s->s_state);
	bool recover = ext4_has_incompat(s, EXT4_FEATURE_INCOMPAT_RECOVER);

	facts_string(f, "state",
		     recover ? "in use or not unmounted: the journal is to be replayed"
		     : state & EXT4_VALID_FS ? "clean"
					     : "not unmounted cleanly");
	facts_bool(f, "needs_recovery", recover);
	facts_bool(f, "errors_seen", state & EXT4_ERROR_FS);
	facts_string(f, "on_errors", errors_text(le16_get(s->s_errors)));
	if (!le32_get(s->s_error_count))
		return;
	facts_number(f, "error_count", le32_get(s->s_error_count));
	put_date(f, "first_error", s->s_first_error_time, s->s_first_error_time_hi);
	facts_number(f, "first_error_inode", le32_get(s->s_first_error_ino));
	facts_number(f, "first_error_block", le64_get(s->s_first_error_block));
	facts_bytes(f, "first_error_where", s->s_first_error_func, sizeof(s->s_first_error_func));
	facts_number(f, "first_error_line", le32_get(s->s_first_error_line));
	facts_string(f, "first_error_kind", error_kind(s->s_first_error_errcode));
	put_date(f, "last_error", s->s_last_error_time, s->s_last_error_time_hi);
	facts_number(f, "last_error_inode", le32_get(s->s_last_error_ino));
	facts_number(f, "last_error_block", le64_get(s->s_last_error_block));
	facts_bytes(f, "last_error_where", s->s_last_error_func, sizeof(s->s_last_error_func));
	facts_number(f, "last_error_line", le32_get(s->s_last_error_line));
	facts_string(f, "last_error_kind", error_kind(s->s_last_error_errcode));
}

static void put_counts(struct facts *f, const struct ext4_super_block *s)
{
	uint64_t bits = 10 + (uint64_t)le32_get(s->s_log_block_size);

	facts_number(f, "block_size", bits < 32 ? 1ull << bits : 0);
	facts_number(f, "blocks", ext4_super_blocks_count(s));
	facts_number(f, "reserved_blocks", ext4_super_r_blocks_count(s));
	facts_number(f, "free_blocks", ext4_super_free_blocks_count(s));
	facts_number(f, "inodes", le32_get(s->s_inodes_count));
	facts_number(f, "free_inodes", le32_get(s->s_free_inodes_count));
	facts_number(f, "inode_size", le16_get(s->s_inode_size));
	facts_number(f, "blocks_per_group", le32_get(s->s_blocks_per_group));
	facts_number(f, "inodes_per_group", le32_get(s->s_inodes_per_group));
	if (ext4_has_incompat(s, EXT4_FEATURE_INCOMPAT_FLEX_BG))
		facts_number(f, "groups_per_flex_group", 1ull << (s->s_log_groups_per_flex & 31));
}

static void put_super(struct facts *f, const struct ext4_super_block *s)
{
	facts_object(f, "superblock");
	put_uuid(f, "uuid", s->s_uuid);
	facts_bytes(f, "label", s->s_volume_name, sizeof(s->s_volume_name));
	facts_bytes(f, "last_mounted_on", s->s_last_mounted, sizeof(s->s_last_mounted));
	put_features(f, s);
	put_state(f, s);
	put_counts(f, s);
	put_date(f, "created", s->s_mkfs_time, s->s_mkfs_time_hi);
	put_date(f, "last_mounted", s->s_mtime, s->s_mtime_hi);
	put_date(f, "last_written", s->s_wtime, s->s_wtime_hi);
	put_date(f, "last_checked", s->s_lastcheck, s->s_lastcheck_hi);
	facts_number(f, "mounts_since_check", le16_get(s->s_mnt_count));
	facts_number(f, "journal_inode", le32_get(s->s_journal_inum));
	if (ext4_has_compat(s, EXT4_FEATURE_COMPAT_ORPHAN_FILE))
		facts_number(f, "orphan_file_inode", le32_get(s->s_orphan_file_inum));
	facts_number(f, "first_orphan", le32_get(s->s_last_orphan));
	facts_object_end(f);
}

/* ---- the journal */

static void put_journal_features(struct facts *f, const struct journal_superblock_s *s)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ JBD2_FEATURE_INCOMPAT_REVOKE, "revoke" },
		{ JBD2_FEATURE_INCOMPAT_64BIT, "64bit" },
		{ JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT, "async_commit" },
		{ JBD2_FEATURE_INCOMPAT_CSUM_V2, "checksum_v2" },
		{ JBD2_FEATURE_INCOMPAT_CSUM_V3, "checksum_v3" },
		{ JBD2_FEATURE_INCOMPAT_FAST_COMMIT, "fast_commit" },
	};
	char words[128] = "";

	if (be32_get(s->s_feature_compat) & JBD2_FEATURE_COMPAT_CHECKSUM)
		strcat(words, "checksum_v1 ");
	for (size_t i = 0; i < array_size(names); i++)
		if (be32_get(s->s_feature_incompat) & names[i].bit)
			strcat(strcat(words, names[i].name), " ");
	put_words(f, "features", words);
}

/* What a replay would do. */
static int put_pending(struct info *in, struct cli_examined *e)
{
	struct jbd2_recovery plan;
	int err = jbd2_journal_recover(e->journal, true, &plan);

	if (err) {
		(void)snprintf(e->journal_error, sizeof(e->journal_error), "%s",
			       *e->error ? e->error : cli_why(err));
		return e->status = CLI_DAMAGED;
	}
	facts_number(&in->f, "transactions_to_replay", plan.transactions);
	facts_number(&in->f, "blocks_to_replay", plan.blocks_replayed);
	facts_number(&in->f, "blocks_revoked", plan.blocks_revoked);
	return CLI_DONE;
}

static void put_journal(struct info *in, struct cli_examined *e)
{
	const struct journal_superblock_s *s = jbd2_journal_super(e->journal);
	struct facts *f = &in->f;

	facts_object(f, "journal");
	facts_number(f, "inode", e->fs->geo.journal_inum);
	facts_number(f, "blocks", be32_get(s->s_maxlen));
	put_journal_features(f, s);
	put_uuid(f, "uuid", s->s_uuid);
	facts_number(f, "first_log_block", be32_get(s->s_first));
	facts_bool(f, "empty", !be32_get(s->s_start));
	facts_number(f, "log_begins_at_block", be32_get(s->s_start));
	facts_number(f, "next_transaction", be32_get(s->s_sequence));
	facts_signed(f, "error", (int32_t)be32_get(s->s_errno));
	(void)put_pending(in, e);	/* e has it */
	facts_object_end(f);
}

/* ---- groups */

static void put_flags(struct facts *f, uint16_t flags)
{
	char words[64];

	(void)snprintf(words, sizeof(words), "%s%s%s",
		       flags & EXT4_BG_INODE_UNINIT ? "inode_uninit " : "",
		       flags & EXT4_BG_BLOCK_UNINIT ? "block_uninit " : "",
		       flags & EXT4_BG_INODE_ZEROED ? "itable_zeroed " : "");
	facts_array(f, "flags");
	for (char *save, *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		facts_string(f, NULL, word);
	facts_array_end(f);
}

static int put_group(struct facts *f, struct ext4_fs *fs, ext4_group_t g)
{
	struct ext4_descriptor d;
	int err = ext4_group_descriptor(fs, g, &d);

	if (err)
		return err;
	facts_object(f, NULL);
	facts_number(f, "group", g);
	facts_number(f, "first_block", ext4_group_first_block(&fs->geo, g));
	facts_number(f, "blocks", ext4_group_blocks(&fs->geo, g));
	facts_number(f, "free_blocks", (uint64_t)d.free_clusters * fs->geo.cluster_ratio);
	facts_number(f, "free_inodes", d.free_inodes);
	facts_number(f, "directories", d.used_dirs);
	facts_number(f, "unused_inodes", d.itable_unused);
	facts_number(f, "block_bitmap", d.block_bitmap);
	facts_number(f, "inode_bitmap", d.inode_bitmap);
	facts_number(f, "inode_table", d.inode_table);
	put_flags(f, d.flags);
	facts_object_end(f);
	return 0;
}

static void put_groups(struct info *in, struct cli_examined *e)
{
	int err = 0;

	facts_number(&in->f, "group_count", e->fs->geo.groups_count);
	if (in->args->summary)
		return;
	facts_array(&in->f, "groups");
	for (ext4_group_t g = 0; g < e->fs->geo.groups_count && !err; g++)
		err = put_group(&in->f, e->fs, g);
	facts_array_end(&in->f);
	if (err)
		e->status = CLI_DAMAGED;
}

/* ---- the command */

static int show(void *arg, struct cli_examined *e)
{
	struct info *in = arg;

	if (!e->has_super) {
		cli_error("%s", e->error);
		return e->status;
	}
	facts_begin(&in->f, stdout, in->args->json, 1);
	facts_string(&in->f, "image", e->path);
	put_super(&in->f, &e->raw);
	if (e->journal)
		put_journal(in, e);
	if (e->fs && !in->f.json)
		fputc('\n', stdout);
	if (e->fs)
		put_groups(in, e);
	facts_end(&in->f);
	if (*e->error)
		cli_error("%s", e->error);
	else if (*e->journal_error)
		cli_error("%s", e->journal_error);
	return e->status;
}

static int run(const void *v, int count, char **words)
{
	const struct info_args *args = v;
	struct info in = { .args = args };

	return cli_examine(words[0], args->options, show, &in);
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 's', "summary", NULL, "without the groups",
	  offsetof(struct info_args, summary) },
	CLI_JSON(struct info_args, json),
	CLI_MOUNT_OPTIONS(struct info_args, options),
	{ CLI_END },
};

const struct cli_command cli_info = {
	.name = "info",
	.arguments = "IMAGE",
	.summary = "print what superblock, journal and groups of an image say",
	.details = "As they lie on disk: nothing is replayed first, and nothing is written.",
	.options = options,
	.args_size = sizeof(struct info_args),
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
