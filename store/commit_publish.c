/* All rows of a commit, and the branch's move, in one transaction. */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "canonical.h"
#include "lineage.h"
#include "ref.h"
#include "run.h"
#include "snapshot.h"
#include "tensor.h"

/* From so many on, doing without triggers saves more than preparing the
 * statements anew costs. */
#define MANY_TENSORS 32

/* What publishing finds out on its way, and the canonical text needs. */
struct publication {
	struct commit *commit;
	struct db *db;
	struct content content;
	char branch[REF_NAME_SIZE];
	int64_t run_id, tip, parent_id, parent_tree, snapshot_id;
	int64_t generation, time;
	char run_uuid[37];
	uint8_t parent[WH_SHA256_SIZE], snapshot[WH_SHA256_SIZE];
	bool run_is_new, there_already, buried;
	int64_t same_time; /* of the newest of this name */
};

/* ---- Run, metrics, params
 * ----------------------------------------------------- */

static enum wh_status publish_run(struct publication *pub, struct wh_error *err)
{
	const char *name = pub->commit->options->run;
	struct stmt *stmt;
	bool row;

	name = name ? name : pub->branch;
	WH_TRY(db_stmt(pub->db, STMT_RUN_FIND, &stmt, err));
	stmt_text(stmt, 1, name);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row) {
		pub->run_id = column_integer(stmt, 0);
		snprintf(pub->run_uuid, sizeof(pub->run_uuid), "%s",
			 column_text_or_empty(stmt, 1));
		stmt_reset(stmt);
		return WH_OK;
	}
	WH_TRY(run_make_uuid(pub->run_uuid, err));
	WH_TRY(db_stmt(pub->db, STMT_RUN_INSERT, &stmt, err));
	stmt_text(stmt, 1, pub->run_uuid);
	stmt_text(stmt, 2, name);
	stmt_text(stmt, 3, "running");
	stmt_integer(stmt, 4, pub->time);
	pub->run_is_new = true;
	return step_insert(stmt, &pub->run_id, err);
}

static enum wh_status insert_metric(struct publication *pub,
				    const struct wh_metric *metric,
				    int64_t step, struct wh_error *err)
{
	struct stmt *stmt;
	int64_t seq;

	WH_TRY(db_stmt(pub->db, STMT_METRIC_NEXT, &stmt, err));
	stmt_integer(stmt, 1, pub->run_id);
	stmt_text(stmt, 2, metric->key);
	stmt_integer(stmt, 3, step);
	WH_TRY(step_row(stmt, err));
	seq = column_integer(stmt, 0);
	WH_TRY(step_done(stmt, err));
	WH_TRY(db_stmt(pub->db, STMT_METRIC_INSERT, &stmt, err));
	stmt_integer(stmt, 1, pub->run_id);
	stmt_text(stmt, 2, metric->key);
	stmt_integer(stmt, 3, step);
	stmt_integer(stmt, 4, seq);
	stmt_integer(stmt, 5, pub->time);
	stmt_integer(stmt, 6, metric_class(metric->value));
	if (metric_class(metric->value) == 0)
		stmt_real(stmt, 7, metric->value);
	stmt_integer(stmt, 8, pub->snapshot_id);
	return step_done(stmt, err);
}

/* What no snapshot has becomes its own; what another file's has, also its. */
static enum wh_status adopt_metrics(struct publication *pub, int64_t step,
				    struct wh_error *err)
{
	static const enum statement ways[] = {STMT_METRIC_ADOPT,
					      STMT_METRIC_SHARE};
	struct stmt *stmt;
	int i;

	for (i = 0; i < 2; i++) {
		WH_TRY(db_stmt(pub->db, ways[i], &stmt, err));
		stmt_integer(stmt, 1, pub->run_id);
		stmt_integer(stmt, 2, step);
		stmt_integer(stmt, 3, pub->snapshot_id);
		WH_TRY(step_done(stmt, err));
	}
	return WH_OK;
}

/* What was logged is exact; a name says it rounded. */
static enum wh_status publish_metric(struct publication *pub,
				     const struct wh_metric *metric,
				     int64_t step, struct wh_error *err)
{
	bool adopted = false;
	struct stmt *stmt;

	if (pub->commit->options->adopt) {
		WH_TRY(db_stmt(pub->db, STMT_METRIC_HAS_SNAPSHOT, &stmt, err));
		stmt_integer(stmt, 1, pub->snapshot_id);
		stmt_text(stmt, 2, metric->key);
		WH_TRY(stmt_step(stmt, &adopted, err));
		stmt_reset(stmt);
	}
	return adopted ? WH_OK : insert_metric(pub, metric, step, err);
}

static enum wh_status publish_figures(struct publication *pub,
				      struct wh_error *err)
{
	const struct wh_commit_options *options = pub->commit->options;
	int64_t step = options->has_step    ? options->step
		       : options->has_epoch ? options->epoch
					    : pub->generation;
	struct stmt *stmt;
	size_t i;

	if (options->adopt && (options->has_step || options->has_epoch))
		WH_TRY(adopt_metrics(pub, step, err));
	for (i = 0; i < options->n_metrics; i++)
		WH_TRY(publish_metric(pub, &options->metrics[i], step, err));
	for (i = 0; i < options->n_params; i++) {
		WH_TRY(db_stmt(pub->db, STMT_PARAM_PUT, &stmt, err));
		stmt_integer(stmt, 1, pub->run_id);
		stmt_text(stmt, 2, options->params[i].key);
		stmt_text(stmt, 3, options->params[i].value);
		WH_TRY(step_done(stmt, err));
	}
	return WH_OK;
}

/* ---- The branch
 * ---------------------------------------------------------------- */

/* Which snapshot the new one follows: what was asked for, the branch's tip, or
 * for a new branch HEAD's. */
enum wh_status commit_parent(struct db *db,
			     const struct wh_commit_options *options,
			     char branch[REF_NAME_SIZE], int64_t *tip,
			     int64_t *parent, struct wh_error *err)
{
	char head[REF_NAME_SIZE];
	bool found;

	WH_TRY(ref_head(db, head, err));
	snprintf(branch, REF_NAME_SIZE, "%s",
		 options->branch ? options->branch : head);
	WH_TRY(ref_check_name(branch, err));
	WH_TRY(ref_get(db, REF_BRANCH, branch, &found, tip, err));
	*parent = *tip;
	if (options->parent)
		return revision_resolve(db, options->parent, parent, err);
	if (options->root && *tip)
		return wh_fail(err, WH_EEXISTS,
			       "branch '%s' is there already, and not a root",
			       branch);
	if (!found && !options->root)
		WH_TRY(ref_get(db, REF_BRANCH, head, &found, parent, err));
	return WH_OK;
}

static enum wh_status choose_parent(struct publication *pub,
				    struct wh_error *err)
{
	return commit_parent(pub->db, pub->commit->options, pub->branch,
			     &pub->tip, &pub->parent_id, err);
}

static enum wh_status check_expected(struct publication *pub,
				     struct wh_error *err)
{
	const char *expect = pub->commit->options->expect;
	int64_t id;

	if (!expect)
		return WH_OK;
	WH_TRY(revision_resolve(pub->db, expect, &id, err));
	if (id == pub->tip)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "branch '%s' has moved: its tip is not '%s'",
		       pub->branch, expect);
}

static enum wh_status load_parent(struct publication *pub, struct wh_error *err)
{
	struct snapshot_row row;

	pub->generation = 1;
	if (!pub->parent_id)
		return WH_OK;
	WH_TRY(snapshot_load(pub->db, pub->parent_id, &pub->commit->arena, &row,
			     err));
	memcpy(pub->parent, row.sha256, sizeof(pub->parent));
	pub->generation = row.generation + 1;
	pub->parent_tree = row.tree_id;
	return WH_OK;
}

static struct canonical_snapshot describe(const struct publication *pub)
{
	const struct wh_commit_options *options = pub->commit->options;
	const struct wh_manifest *manifest = &pub->commit->source->manifest;

	return (struct canonical_snapshot){
		.tree = pub->content.tree,
		.parent = pub->parent_id ? pub->parent : NULL,
		.template_ = pub->content.template_id ? pub->content.template_
						      : NULL,
		.template_format = pub->content.template_id
					   ? manifest->template_->format
					   : NULL,
		.time = pub->time,
		.run_uuid = pub->run_uuid,
		.has_step = options->has_step,
		.has_epoch = options->has_epoch,
		.step = options->step,
		.epoch = options->epoch,
		.origin_format = manifest->origin_format,
		.origin_generator = manifest->origin_generator,
		.message = pub->commit->message,
	};
}

static enum wh_status insert_snapshot(struct publication *pub,
				      const struct canonical_snapshot *text,
				      struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(pub->db, STMT_SNAPSHOT_INSERT, &stmt, err));
	stmt_blob(stmt, 1, pub->snapshot, sizeof(pub->snapshot));
	stmt_integer(stmt, 2, pub->content.tree_id);
	stmt_blob(stmt, 3, text->parent, WH_SHA256_SIZE);
	stmt_integer(stmt, 4, pub->generation);
	stmt_integer(stmt, 5, text->time);
	stmt_integer(stmt, 6, pub->run_id);
	if (text->has_step)
		stmt_integer(stmt, 7, text->step);
	if (text->has_epoch)
		stmt_integer(stmt, 8, text->epoch);
	stmt_text(stmt, 9, text->origin_format);
	stmt_text(stmt, 10, text->origin_generator);
	if (pub->content.template_id)
		stmt_integer(stmt, 11, pub->content.template_id);
	stmt_text(stmt, 12, text->message);
	return step_insert(stmt, &pub->snapshot_id, err);
}

/* It may have been forgotten meanwhile. */
static enum wh_status revive(struct publication *pub, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(pub->db, STMT_FORGOTTEN_DELETE, &stmt, err));
	stmt_integer(stmt, 1, pub->snapshot_id);
	return step_done(stmt, err);
}

static enum wh_status digest_with(struct sha256 *hash,
				  const struct canonical_snapshot *text,
				  uint8_t digest[WH_SHA256_SIZE],
				  struct wh_error *err)
{
	struct wh_buf buf = {0};
	enum wh_status status = canonical_snapshot(&buf, text, err);

	if (!status)
		status = sha256_reset(hash, err);
	if (!status)
		status = sha256_update(hash, buf.data, buf.size, err);
	if (!status)
		status = sha256_final(hash, digest, err);
	wh_buf_free(&buf);
	return status;
}

static enum wh_status digest_of(const struct canonical_snapshot *text,
				uint8_t digest[WH_SHA256_SIZE],
				struct wh_error *err)
{
	enum wh_status status;
	struct sha256 *hash;

	WH_TRY(sha256_new(&hash, err));
	status = digest_with(hash, text, digest, err);
	sha256_free(hash);
	return status;
}

static enum wh_status publish_snapshot(struct publication *pub,
				       struct wh_error *err)
{
	struct canonical_snapshot text = describe(pub);

	WH_TRY(digest_of(&text, pub->snapshot, err));
	/* The same commit twice in one second, on another branch. */
	WH_TRY(snapshot_find(pub->db, pub->snapshot, &pub->snapshot_id, err));
	if (pub->snapshot_id)
		return revive(pub, err);
	WH_TRY(insert_snapshot(pub, &text, err));
	return commit_add_lineage(&pub->content,
				  &(struct lineage_member){
					  .snapshot = pub->snapshot_id,
					  .tree = pub->content.tree_id,
					  .generation = pub->generation,
					  .parent = pub->parent_id,
					  .parent_tree = pub->parent_tree,
				  },
				  err);
}

static enum wh_status publish_names(struct publication *pub,
				    struct wh_error *err)
{
	const struct wh_commit_options *options = pub->commit->options;
	int64_t tagged;
	bool found;

	WH_TRY(ref_move(pub->db, REF_BRANCH, pub->branch, pub->tip,
			pub->snapshot_id, "commit", pub->time, err));
	if (!options->tag)
		return WH_OK;
	WH_TRY(ref_check_name(options->tag, err));
	WH_TRY(ref_get(pub->db, REF_TAG, options->tag, &found, &tagged, err));
	if (found)
		return wh_fail(err, WH_EEXISTS, "there is a tag '%s' already",
			       options->tag);
	return ref_move(pub->db, REF_TAG, options->tag, 0, pub->snapshot_id,
			"commit", pub->time, err);
}

/* Whether the newest snapshot of this name, so to speak, has this tree. */
static enum wh_status find_same(struct publication *pub, struct wh_error *err)
{
	const struct wh_commit_options *options = pub->commit->options;
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(pub->db, STMT_SNAPSHOT_SAME, &stmt, err));
	stmt_integer(stmt, 1, pub->run_id);
	if (options->has_step)
		stmt_integer(stmt, 2, options->step);
	if (options->has_epoch)
		stmt_integer(stmt, 3, options->epoch);
	stmt_text(stmt, 4, pub->commit->message);
	WH_TRY(stmt_step(stmt, &row, err));
	pub->there_already =
		row && column_integer(stmt, 2) == pub->content.tree_id;
	pub->same_time = row ? column_integer(stmt, 4) : INT64_MIN;
	if (pub->there_already) {
		pub->snapshot_id = column_integer(stmt, 0);
		column_digest(stmt, 1, pub->snapshot);
		pub->parent_id = column_digest(stmt, 3, pub->parent);
	}
	stmt_reset(stmt);
	return WH_OK;
}

/* A tombstone has a snapshot's digest, and the time and the parent that went
 * into it: so whether it was of this run, step, epoch, message and tree shows
 * by the digest. */
static enum wh_status hold_against(struct publication *pub, struct stmt *stmt,
				   struct sha256 *hash, struct wh_error *err)
{
	struct canonical_snapshot text = describe(pub);
	uint8_t digest[WH_SHA256_SIZE], buried[WH_SHA256_SIZE];
	uint8_t parent[WH_SHA256_SIZE] = {0};

	if (!column_digest(stmt, 0, buried))
		return WH_OK;
	text.parent = column_digest(stmt, 1, parent) ? parent : NULL;
	text.time = column_integer(stmt, 2);
	WH_TRY(digest_with(hash, &text, digest, err));
	if (memcmp(digest, buried, sizeof(digest)) != 0)
		return WH_OK;
	pub->buried = pub->there_already = true;
	pub->parent_id = text.parent != NULL;
	memcpy(pub->parent, parent, sizeof(parent));
	memcpy(pub->snapshot, buried, sizeof(buried));
	return WH_OK;
}

static enum wh_status search_tombstones(struct publication *pub,
					struct sha256 *hash,
					struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(pub->db, STMT_TOMBSTONE_LIST, &stmt, err));
	stmt_integer(stmt, 1, pub->same_time);
	while (!pub->buried) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(hold_against(pub, stmt, hash, err));
	}
	return WH_OK;
}

/* Whether gc took a newer one with this tree; of a run that is new it took
 * none. */
static enum wh_status find_buried(struct publication *pub, struct wh_error *err)
{
	enum wh_status status;
	struct sha256 *hash;

	if (pub->run_is_new)
		return WH_OK;
	WH_TRY(sha256_new(&hash, err));
	status = search_tombstones(pub, hash, err);
	sha256_free(hash);
	return status;
}

static void fill_result(const struct publication *pub)
{
	struct wh_commit_result *result = &pub->commit->result;

	text_hex(pub->snapshot, WH_SHA256_SIZE, result->snapshot);
	text_hex(pub->content.tree, WH_SHA256_SIZE, result->tree);
	result->parent[0] = '\0';
	if (pub->parent_id)
		text_hex(pub->parent, WH_SHA256_SIZE, result->parent);
	memcpy(result->branch, pub->branch, sizeof(pub->branch));
	result->there_already = pub->there_already;
}

/* Nothing of this commit stays: the transaction comes to nothing. */
static void fill_buried(const struct publication *pub)
{
	struct commit *commit = pub->commit;

	commit->buried = true;
	commit->result.n_new_tensors = 0;
	commit->result.stored_bytes = 0;
	fill_result(pub);
}

static enum wh_status publish_history(struct publication *pub,
				      struct wh_error *err)
{
	WH_TRY(choose_parent(pub, err));
	WH_TRY(publish_run(pub, err));
	if (pub->commit->options->once)
		WH_TRY(find_same(pub, err));
	if (pub->there_already)
		return WH_OK;
	WH_TRY(commit_put_template(&pub->content, err));
	if (pub->commit->options->once)
		WH_TRY(find_buried(pub, err));
	if (pub->there_already)
		return WH_OK;
	WH_TRY(check_expected(pub, err));
	WH_TRY(load_parent(pub, err));
	WH_TRY(publish_snapshot(pub, err));
	WH_TRY(publish_figures(pub, err));
	return publish_names(pub, err);
}

static uint32_t count_new(const struct commit *commit)
{
	uint32_t i, n = 0;

	for (i = 0; i < commit->n_items; i++)
		n += commit->items[i].stored || commit->items[i].waits;
	return n;
}

enum wh_status commit_publish(struct commit *commit, bool *again,
			      struct wh_error *err)
{
	const struct wh_commit_options *options = commit->options;
	struct publication pub = {
		.commit = commit,
		.db = commit->store->db,
		.content = {.commit = commit, .db = commit->store->db},
	};
	AUTO_TRANSACTION tx = {0};
	int64_t mark;

	*again = false;
	pub.time = options->has_time ? options->time : ref_now();
	WH_TRY(transaction_begin(&tx, pub.db, err));
	WH_TRY(db_mark(pub.db, &mark, err));
	pub.content.unchanged = mark == commit->mark;
	transaction_trust(&tx, count_new(commit) >= MANY_TENSORS);
	WH_TRY(commit_put_small(commit, tx.trusted, again, err));
	if (!*again)
		WH_TRY(commit_put_content(&pub.content, again, err));
	if (*again)
		return WH_OK;
	/* Triggers count snapshots and sum up metrics. */
	transaction_trust(&tx, false);
	WH_TRY(publish_history(&pub, err));
	if (pub.buried) {
		fill_buried(&pub);
		return WH_OK;
	}
	WH_TRY(lease_end(pub.db, &commit->lease, err));
	WH_TRY(transaction_commit(&tx, err));
	commit->result.stored_bytes += commit->small_stored;
	fill_result(&pub);
	return WH_OK;
}
