/* Revisions: anything that resolves to a snapshot.
 *
 *	HEAD  BRANCH  TAG  HEX(4..64)       a name or an id, in this order
 *	RUN@STEP  BRANCH@{N}                a step of a run, N moves ago
 *	NAME:latest  best:METRIC[:min|max]  the newest of a run, the best
 *	...~N  ...~  ...^  ...^^            N generations up from any of them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "keep.h"
#include "ref.h"
#include "snapshot.h"
#include "store.h"

#define MIN_HEX	      4
#define MAX_SPELLING  1024
#define MAX_CANDIDATE 4

static enum wh_status not_found(const char *revision, struct wh_error *err)
{
	return wh_fail(err, WH_ENOTFOUND, "there is no revision '%s'",
		       revision);
}

/* ---- Names and ids
 * ----------------------------------------------------------- */

static enum wh_status offer_refs(struct db *db, enum ref_kind kind,
				 struct nearest *nearest, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_REF_LIST, &stmt, err));
	stmt_integer(stmt, 1, kind);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		nearest_offer(nearest, column_text_or_empty(stmt, 0));
	}
	return WH_OK;
}

static enum wh_status suggest(struct db *db, const char *name,
			      struct wh_error *err)
{
	struct nearest nearest;

	nearest_begin(&nearest, name);
	nearest_offer(&nearest, "HEAD");
	WH_TRY(offer_refs(db, REF_BRANCH, &nearest, err));
	WH_TRY(offer_refs(db, REF_TAG, &nearest, err));
	if (!*nearest.name)
		return not_found(name, err);
	return wh_fail(err, WH_ENOTFOUND,
		       "there is no revision '%s'; did you mean '%s'?", name,
		       nearest.name);
}

/* The digests that a prefix of hex digits spans. */
static bool span_prefix(const char *hex, uint8_t low[WH_SHA256_SIZE],
			uint8_t high[WH_SHA256_SIZE])
{
	size_t len = strlen(hex);
	char padded[2 * WH_SHA256_SIZE + 1];

	if (len < MIN_HEX || len > 2 * WH_SHA256_SIZE)
		return false;
	memset(padded, '0', sizeof(padded) - 1);
	padded[sizeof(padded) - 1] = '\0';
	memcpy(padded, hex, len);
	if (!text_unhex(padded, low, WH_SHA256_SIZE))
		return false;
	memset(padded + len, 'f', sizeof(padded) - 1 - len);
	return text_unhex(padded, high, WH_SHA256_SIZE);
}

static enum wh_status list_candidates(struct stmt *stmt, const char *hex,
				      const uint8_t *first,
				      struct wh_error *err)
{
	char list[MAX_CANDIDATE * 16 + 8] = "", id[WH_ID_SIZE];
	size_t n = 1;
	bool row = true;

	text_hex(first, WH_SHA256_SIZE, id);
	snprintf(list, sizeof(list), "%.12s", id);
	while (row && n < MAX_CANDIDATE) {
		column_hex(stmt, 1, id);
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 ", %.12s", id);
		n++;
		WH_TRY(stmt_step(stmt, &row, err));
	}
	stmt_reset(stmt);
	return wh_fail(err, WH_ENOTFOUND, "'%s' is ambiguous; candidates: %s%s",
		       hex, list, row ? ", ..." : "");
}

/* An id that gc took is not one that never was. */
static enum wh_status check_tombstones(struct db *db, const uint8_t *low,
				       const uint8_t *high,
				       struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct stmt *stmt;
	bool row, found;
	int64_t id;

	WH_TRY(db_stmt(db, STMT_TOMBSTONE_BY_PREFIX, &stmt, err));
	stmt_blob(stmt, 1, low, WH_SHA256_SIZE);
	stmt_blob(stmt, 2, high, WH_SHA256_SIZE);
	WH_TRY(stmt_step(stmt, &row, err));
	found = row && column_digest(stmt, 0, digest);
	stmt_reset(stmt);
	return found ? snapshot_find_living(db, digest, &id, err) : WH_OK;
}

/* `*id` 0: no snapshot has such an id. */
static enum wh_status resolve_hex(struct db *db, const char *hex, int64_t *id,
				  struct wh_error *err)
{
	uint8_t low[WH_SHA256_SIZE], high[WH_SHA256_SIZE];
	uint8_t first[WH_SHA256_SIZE] = {0};
	AUTO_STMT *stmt = NULL;
	bool row;

	*id = 0;
	if (!span_prefix(hex, low, high))
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_SNAPSHOT_BY_PREFIX, &stmt, err));
	stmt_blob(stmt, 1, low, sizeof(low));
	stmt_blob(stmt, 2, high, sizeof(high));
	WH_TRY(stmt_step(stmt, &row, err));
	if (row) {
		*id = column_integer(stmt, 0);
		column_digest(stmt, 1, first);
		WH_TRY(stmt_step(stmt, &row, err));
		if (row)
			return list_candidates(stmt, hex, first, err);
	}
	stmt_reset(stmt);
	return *id ? WH_OK : check_tombstones(db, low, high, err);
}

static enum wh_status tip_of(const char *branch, int64_t snapshot, int64_t *id,
			     struct wh_error *err)
{
	if (!snapshot)
		return wh_fail(err, WH_ENOTFOUND,
			       "branch '%s' has no snapshot yet", branch);
	*id = snapshot;
	return WH_OK;
}

static enum wh_status resolve_name(struct db *db, const char *name, int64_t *id,
				   struct wh_error *err)
{
	char head[REF_NAME_SIZE];
	int64_t snapshot;
	bool found;

	if (strcmp(name, "HEAD") == 0 || strcmp(name, "@") == 0) {
		WH_TRY(ref_head(db, head, err));
		name = head;
	}
	WH_TRY(ref_get(db, REF_BRANCH, name, &found, &snapshot, err));
	if (found)
		return tip_of(name, snapshot, id, err);
	WH_TRY(ref_get(db, REF_TAG, name, &found, id, err));
	if (found)
		return WH_OK;
	WH_TRY(resolve_hex(db, name, id, err));
	return *id ? WH_OK : suggest(db, name, err);
}

/* ---- best:METRIC, NAME:latest
 * --------------------------------------------------- */

static enum wh_status take_id(struct stmt *stmt, const char *revision,
			      int64_t *id, struct wh_error *err)
{
	WH_TRY(step_id(stmt, id, err));
	return *id ? WH_OK : not_found(revision, err);
}

static enum wh_status no_metric(struct db *db, const char *metric,
				struct wh_error *err)
{
	struct nearest nearest;
	AUTO_STMT *stmt = NULL;
	bool row;

	nearest_begin(&nearest, metric);
	WH_TRY(db_stmt(db, STMT_METRIC_KEYS, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		nearest_offer(&nearest, column_text_or_empty(stmt, 0));
	}
	if (!*nearest.name)
		return wh_fail(err, WH_ENOTFOUND,
			       "no snapshot has a metric '%s'", metric);
	return wh_fail(err, WH_ENOTFOUND,
		       "no snapshot has a metric '%s'; did you mean '%s'?",
		       metric, nearest.name);
}

static enum wh_status resolve_best(struct db *db, char *metric, int64_t *id,
				   struct wh_error *err)
{
	char *way = strrchr(metric, ':');
	bool min = metric_lower_is_better(metric);
	struct stmt *stmt;

	if (way && (strcmp(way, ":min") == 0 || strcmp(way, ":max") == 0)) {
		min = way[2] == 'i';
		*way = '\0';
	}
	WH_TRY(db_stmt(db,
		       min ? STMT_SNAPSHOT_BEST_MIN : STMT_SNAPSHOT_BEST_MAX,
		       &stmt, err));
	stmt_text(stmt, 1, metric);
	WH_TRY(step_id(stmt, id, err));
	return *id ? WH_OK : no_metric(db, metric, err);
}

static enum wh_status resolve_latest(struct db *db, const char *name,
				     int64_t *id, struct wh_error *err)
{
	struct stmt *stmt;
	int64_t snapshot;
	bool found;

	WH_TRY(ref_get(db, REF_BRANCH, name, &found, &snapshot, err));
	if (found && snapshot) {
		*id = snapshot;
		return WH_OK;
	}
	WH_TRY(db_stmt(db, STMT_SNAPSHOT_LATEST_OF_RUN, &stmt, err));
	stmt_text(stmt, 1, name);
	return take_id(stmt, name, id, err);
}

/* ---- RUN@STEP, BRANCH@{N}
 * --------------------------------------------------------- */

static enum wh_status resolve_move(struct db *db, const char *branch,
				   const char *count, int64_t *id,
				   struct wh_error *err)
{
	char digits[24], name[REF_NAME_SIZE];
	uint8_t digest[WH_SHA256_SIZE];
	size_t len = strlen(count);
	struct stmt *stmt;
	bool row, found;
	uint64_t n;

	if (len < 2 || len > sizeof(digits) || count[len - 1] != '}')
		return not_found(branch, err);
	memcpy(digits, count, len - 1);
	digits[len - 1] = '\0';
	if (!text_to_u64(digits, &n) || n > INT64_MAX)
		return not_found(branch, err);
	if (strlen(branch) >= sizeof(name))
		return not_found(branch, err);
	strcpy(name, branch);
	if (!*branch || strcmp(branch, "HEAD") == 0)
		WH_TRY(ref_head(db, name, err));
	WH_TRY(db_stmt(db, STMT_REFLOG_AT, &stmt, err));
	stmt_text(stmt, 1, name);
	stmt_integer(stmt, 2, (int64_t)n);
	WH_TRY(stmt_step(stmt, &row, err));
	found = row && column_digest(stmt, 0, digest);
	stmt_reset(stmt);
	if (!found)
		return wh_fail(err, WH_ENOTFOUND,
			       "branch '%s' has not moved %llu times", name,
			       (unsigned long long)n);
	return snapshot_find_living(db, digest, id, err);
}

/* A step, or where the run has no steps, an epoch. */
static enum wh_status resolve_step(struct db *db, const char *run,
				   const char *step, int64_t *id,
				   struct wh_error *err)
{
	static const enum statement ways[] = {STMT_SNAPSHOT_BY_STEP,
					      STMT_SNAPSHOT_BY_EPOCH};
	enum wh_status status = WH_ENOTFOUND;
	struct stmt *stmt;
	int64_t number;
	int i;

	if (!text_to_i64(step, &number))
		return not_found(run, err);
	for (i = 0; i < 2 && status == WH_ENOTFOUND; i++) {
		WH_TRY(db_stmt(db, ways[i], &stmt, err));
		stmt_text(stmt, 1, run);
		stmt_integer(stmt, 2, number);
		status = take_id(stmt, run, id, NULL);
	}
	if (status == WH_ENOTFOUND)
		return wh_fail(err, WH_ENOTFOUND,
			       "run '%s' has no snapshot at step %lld", run,
			       (long long)number);
	return status;
}

static enum wh_status resolve_base(struct db *db, char *base, int64_t *id,
				   struct wh_error *err)
{
	char *at = strrchr(base, '@');

	if (text_starts(base, "best:"))
		return resolve_best(db, base + 5, id, err);
	if (text_ends(base, ":latest")) {
		base[strlen(base) - strlen(":latest")] = '\0';
		return resolve_latest(db, base, id, err);
	}
	if (at && at[1] == '{') {
		*at = '\0';
		return resolve_move(db, base, at + 2, id, err);
	}
	if (at && at[1]) {
		*at = '\0';
		return resolve_step(db, base, at + 1, id, err);
	}
	return resolve_name(db, base, id, err);
}

/* ---- ~N
 * -----------------------------------------------------------------------------
 */

static enum wh_status go_up(struct db *db, int64_t *id, uint64_t up,
			    const char *revision, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct walk walk = {0};
	bool has_parent;

	WH_TRY(snapshot_digest(db, *id, digest, err));
	for (; up; up--) {
		WH_TRY(walk_step(&walk, digest, err));
		/* Forgotten snapshots count as generations too. */
		WH_TRY(snapshot_parent(db, digest, &has_parent, err));
		if (!has_parent)
			return wh_fail(err, WH_ENOTFOUND,
				       "'%s' is before the first snapshot",
				       revision);
	}
	return snapshot_find_living(db, digest, id, err);
}

/* Cuts off what stands for generations, and counts them. */
static bool cut_generations(char *base, uint64_t *up)
{
	size_t len = strlen(base);
	uint64_t n = 1;
	char *tilde;

	for (*up = 0; len && base[len - 1] == '^'; ++*up)
		base[--len] = '\0';
	tilde = strchr(base, '~');
	if (!tilde)
		return true;
	*tilde = '\0';
	if (tilde[1] && !text_to_u64(tilde + 1, &n))
		return false;
	*up += n;
	return *up >= n;
}

enum wh_status revision_resolve(struct db *db, const char *revision,
				int64_t *id, struct wh_error *err)
{
	char base[MAX_SPELLING];
	uint64_t up;

	if (strlen(revision) >= sizeof(base))
		return not_found("(too long)", err);
	strcpy(base, revision);
	if (!cut_generations(base, &up))
		return not_found(revision, err);
	WH_TRY(resolve_base(db, base, id, err));
	if (!up)
		return snapshot_check_living(db, *id, err);
	return go_up(db, id, up, revision, err);
}

enum wh_status wh_revision_parse(struct wh_store *store, const char *revision,
				 char id[WH_ID_SIZE], struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	enum wh_status status;
	int64_t found;

	WH_TRY(revision_resolve(store->db, revision, &found, err));
	status = snapshot_load(store->db, found, &arena, &row, err);
	if (!status)
		text_hex(row.sha256, sizeof(row.sha256), id);
	arena_free(&arena);
	return status;
}
