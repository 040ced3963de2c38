/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant replay: bring what the journal holds into place, and tell what that is.
 *
 * First the log is read and shown; then, unless it is a dry run, the image is mounted and
 * unmounted: a mount replays, finishes what was cut short (deleted files that were still open,
 * truncations) and leaves an empty journal. An image that was unmounted cleanly is left as it is.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/examine.h"
#include "cli/json.h"
#include "lib/lib.h"

struct replay_args {
	const char *options;
	bool dry_run, verbose, json;
};

struct replay {
	const struct replay_args *args;
	struct facts f;
	struct cli_block_map *map;
	struct jbd2_recovery plan;
	bool needed;			/* by the superblock or by the log */
	bool in_transaction;
	tid_t tid;			/* of the transaction being shown */
};

/* ---- transactions, block by block */

static void end_transaction(struct replay *r)
{
	if (r->in_transaction && r->args->json) {
		facts_array_end(&r->f);
		facts_object_end(&r->f);
	}
	r->in_transaction = false;
}

static void begin_transaction(struct replay *r, tid_t tid)
{
	if (r->in_transaction && r->tid == tid)
		return;
	end_transaction(r);
	r->in_transaction = true;
	r->tid = tid;
	if (!r->args->json) {
		printf("  transaction %u\n", tid);
		return;
	}
	facts_object(&r->f, NULL);
	facts_number(&r->f, "tid", tid);
	facts_array(&r->f, "blocks");
}

static int show_block(void *arg, tid_t tid, uint64_t block, const uint8_t *data)
{
	struct replay *r = arg;
	char buf[80];
	const char *purpose = cli_block_purpose(r->map, block, data, buf, sizeof(buf));

	begin_transaction(r, tid);
	if (!r->args->json) {
		printf("    block %-8llu %s\n", (unsigned long long)block, purpose);
		return 0;
	}
	facts_object(&r->f, NULL);
	facts_number(&r->f, "block", block);
	facts_string(&r->f, "purpose", purpose);
	facts_object_end(&r->f);
	return 0;
}

static int show_revoke(void *arg, tid_t tid, uint64_t block)
{
	struct replay *r = arg;

	begin_transaction(r, tid);
	if (!r->args->json) {
		printf("    block %-8llu revoked: freed here, older copies of it are not "
		       "replayed\n",
		       (unsigned long long)block);
		return 0;
	}
	facts_object(&r->f, NULL);
	facts_number(&r->f, "block", block);
	facts_bool(&r->f, "revoked", true);
	facts_object_end(&r->f);
	return 0;
}

static int show_transactions(struct replay *r, struct cli_examined *e)
{
	const struct jbd2_observer o = { show_block, show_revoke, r };
	int err;

	r->map = cli_block_map_create(e);
	if (r->args->json)
		facts_array(&r->f, "log");
	err = jbd2_journal_examine(e->journal, &o);
	end_transaction(r);
	if (r->args->json)
		facts_array_end(&r->f);
	cli_block_map_destroy(r->map);
	return err;
}

/* ---- the plan */

static void put_plan(struct replay *r)
{
	const struct jbd2_recovery *p = &r->plan;

	facts_bool(&r->f, "needed", r->needed);
	facts_number(&r->f, "transactions", p->transactions);
	facts_number(&r->f, "first_tid", p->first_tid);
	facts_number(&r->f, "end_tid", p->end_tid);
	facts_number(&r->f, "blocks", p->blocks_replayed);
	facts_number(&r->f, "revoke_records", p->revoke_records);
	facts_number(&r->f, "blocks_revoked", p->blocks_revoked);
	facts_bool(&r->f, "stopped_at_checksum", p->stopped_at_checksum);
	if (p->stopped_at_checksum) {
		facts_number(&r->f, "stopped_tid", p->stopped_tid);
		facts_number(&r->f, "stopped_log_block", p->stopped_block);
	}
}

static void print_replayed(const struct replay *r, const char *image)
{
	const struct jbd2_recovery *p = &r->plan;
	char range[40];

	(void)snprintf(range, sizeof(range),
		       p->transactions == 1 ? "transaction %u" : "transactions %u to %u",
		       p->first_tid, p->end_tid - 1);
	printf("%s: %s: %llu blocks %s written in place", image, range,
	       (unsigned long long)p->blocks_replayed, r->args->dry_run ? "would be" : "are");
	if (p->blocks_revoked)
		printf(", %llu not: they were revoked", (unsigned long long)p->blocks_revoked);
	putchar('\n');
}

static void print_plan(const struct replay *r, const char *image)
{
	const struct jbd2_recovery *p = &r->plan;

	if (!r->needed)
		printf("%s: nothing to replay: it was unmounted cleanly\n", image);
	else if (p->transactions)
		print_replayed(r, image);
	else
		printf("%s: the log holds no committed transaction\n", image);
	if (p->stopped_at_checksum)
		printf("%s: transaction %u is not what was written (log block %llu): "
		       "it and what follows is left out\n",
		       image, p->stopped_tid, (unsigned long long)p->stopped_block);
}

static int journal_failed(struct cli_examined *e, int err)
{
	cli_error("%s", *e->journal_error ? e->journal_error : *e->error ? e->error : cli_why(err));
	return cli_worse(CLI_DAMAGED, err ? (int)cli_status_of(err) : CLI_DONE);
}

static int plan(void *arg, struct cli_examined *e)
{
	struct replay *r = arg;
	int err = 0;

	if (!e->fs) {
		cli_error("%s", e->error);
		return e->status;
	}
	if (*e->journal_error)
		return journal_failed(e, 0);
	if (e->journal)
		err = jbd2_journal_recover(e->journal, true, &r->plan);
	if (err)
		return journal_failed(e, err);
	r->needed = r->plan.transactions || r->plan.stopped_at_checksum ||
		    e->fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER;
	if (r->args->json)
		put_plan(r);
	else
		print_plan(r, e->path);
	if (e->journal && (r->args->verbose || r->args->json))
		err = show_transactions(r, e);
	return err ? journal_failed(e, err) : CLI_DONE;
}

/* ---- doing it */

static void tell_done(struct replay *r, struct cli_image *im)
{
	const struct ext4_fs *fs = im->x->vfs->fs;

	if (r->args->json) {
		facts_number(&r->f, "orphans_deleted", fs->orphans_deleted);
		facts_number(&r->f, "orphans_truncated", fs->orphans_cut);
		return;
	}
	if (fs->orphans_deleted)
		printf("%s: %u deleted files that were still open are gone now\n", im->path,
		       fs->orphans_deleted);
	if (fs->orphans_cut)
		printf("%s: %u truncations that were cut short are finished\n", im->path,
		       fs->orphans_cut);
}

static int write_it(struct replay *r, const char *image)
{
	struct cli_image im;
	int status = cli_open(&im, image, r->args->options, CLI_WRITE);

	if (status)
		return status;
	tell_done(r, &im);
	status = cli_close(&im, CLI_DONE);
	if (!status && !r->args->json)
		printf("%s: done: everything is in place, and the journal is empty\n", image);
	return status;
}

static int run(const void *v, int count, char **words)
{
	const struct replay_args *args = v;
	struct replay r = { .args = args };
	int status;

	if (args->json) {
		facts_begin(&r.f, stdout, true, 1);
		facts_string(&r.f, "image", words[0]);
		facts_bool(&r.f, "dry_run", args->dry_run);
	}
	status = cli_examine(words[0], args->options, plan, &r);
	if (!status && r.needed && !args->dry_run)
		status = write_it(&r, words[0]);
	if (args->json) {
		facts_bool(&r.f, "replayed", !status && r.needed && !args->dry_run);
		facts_end(&r.f);
	}
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'n', "dry-run", NULL, "tell what would be done, and change nothing",
	  offsetof(struct replay_args, dry_run) },
	{ CLI_FLAG, 'v', "verbose", NULL, "list the blocks of each transaction (--json does)",
	  offsetof(struct replay_args, verbose) },
	CLI_JSON(struct replay_args, json),
	CLI_MOUNT_OPTIONS(struct replay_args, options),
	{ CLI_END },
};

const struct cli_command cli_replay = {
	.name = "replay",
	.arguments = "IMAGE",
	.summary = "recover an image after a crash: replay its journal",
	.details = "Committed transactions are brought into place in their order, without the "
		   "blocks that a\n"
		   "later one freed (revoked). A transaction that was not committed, or is not "
		   "what was\n"
		   "written, ends it. A mount does the same; this one tells what it does.",
	.options = options,
	.args_size = sizeof(struct replay_args),
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
