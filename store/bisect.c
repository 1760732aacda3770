/* Bisecting: each snapshot follows one other, so what lies between a bad one
 * and a good ancestor is a chain, and the middle of it comes next. */
#include <weighhouse/bisect.h>

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "lineage.h"
#include "snapshot.h"
#include "store.h"

const char *wh_verdict_name(enum wh_verdict verdict)
{
	static const char *const names[] = {"good", "bad", "skip"};
	size_t at = (size_t)verdict;

	return at < sizeof(names) / sizeof(names[0]) ? names[at] : NULL;
}

/* A snapshot that was judged. */
struct judged {
	int64_t id;
	uint8_t sha256[WH_SHA256_SIZE];
	enum wh_verdict verdict;
};

struct bisection {
	struct db *db;
	struct judged *judged; /* the oldest first */
	size_t n_judged, room;
	const struct judged *bad, *good; /* oldest bad, newest good, or NULL */
	int64_t *chain;			 /* from bad's parent to good's child */
	size_t n_chain, chain_room;
};

static void bisection_free(struct bisection *b)
{
	free(b->judged);
	free(b->chain);
}

/* ---- Verdicts --------------------------------------------------------------
 */

static bool read_verdict(const char *text, enum wh_verdict *verdict)
{
	int i;

	for (i = 0; i <= WH_SKIP; i++)
		if (strcmp(text, wh_verdict_name((enum wh_verdict)i)) == 0) {
			*verdict = (enum wh_verdict)i;
			return true;
		}
	return false;
}

static enum wh_status add_judged(struct bisection *b, struct stmt *stmt,
				 struct wh_error *err)
{
	struct judged *one;

	WH_TRY(array_grow(&b->judged, b->n_judged, &b->room, sizeof(*b->judged),
			  err));
	one = &b->judged[b->n_judged++];
	one->id = column_integer(stmt, 0);
	if (!column_digest(stmt, 1, one->sha256) ||
	    !read_verdict(column_text_or_empty(stmt, 2), &one->verdict))
		return wh_fail(err, WH_ECORRUPT,
			       "a verdict of the bisection is damaged");
	return WH_OK;
}

static enum wh_status read_verdicts(struct bisection *b, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(b->db, STMT_BISECT_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(add_judged(b, stmt, err));
	}
	return WH_OK;
}

/* ---- The chain -------------------------------------------------------------
 */

static enum wh_status no_line(const struct judged *a, const char *why,
			      const struct judged *b, struct wh_error *err)
{
	char ids[2][2 * WH_SHA256_SIZE + 1];

	text_hex(a->sha256, sizeof(a->sha256), ids[0]);
	text_hex(b->sha256, sizeof(b->sha256), ids[1]);
	return wh_fail(err, WH_EINVAL, "%s snapshot %.12s %s %s %.12s",
		       wh_verdict_name(a->verdict), ids[0], why,
		       wh_verdict_name(b->verdict), ids[1]);
}

static enum wh_status check_one(struct bisection *b, const struct judged *one,
				struct wh_error *err)
{
	bool before, after;

	if (one->verdict == WH_SKIP || one == b->bad)
		return WH_OK;
	WH_TRY(lineage_contains(b->db, one->id, b->bad->id, &before, err));
	WH_TRY(lineage_contains(b->db, b->bad->id, one->id, &after, err));
	if (one->verdict == WH_BAD)
		return after ? WH_OK
			     : no_line(one, "is on another line than", b->bad,
				       err);
	if (after)
		return no_line(one, "comes after", b->bad, err);
	if (!before)
		return no_line(one, "is no ancestor of", b->bad, err);
	b->good = one; /* the newest comes last */
	return WH_OK;
}

/* Sorted by generation, so the first bad one is the oldest. */
static enum wh_status find_ends(struct bisection *b, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < b->n_judged && !b->bad; i++)
		if (b->judged[i].verdict == WH_BAD)
			b->bad = &b->judged[i];
	for (i = 0; i < b->n_judged; i++) {
		if (b->bad)
			WH_TRY(check_one(b, &b->judged[i], err));
		else if (b->judged[i].verdict == WH_GOOD)
			b->good = &b->judged[i];
	}
	return WH_OK;
}

static enum wh_status add_to_chain(struct bisection *b, int64_t id,
				   struct wh_error *err)
{
	WH_TRY(array_grow(&b->chain, b->n_chain, &b->chain_room,
			  sizeof(*b->chain), err));
	b->chain[b->n_chain++] = id;
	return WH_OK;
}

static enum wh_status find_chain(struct bisection *b, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct walk walk = {0};
	int64_t id;
	bool more;

	memcpy(digest, b->bad->sha256, sizeof(digest));
	for (;;) {
		WH_TRY(walk_step(&walk, digest, err));
		WH_TRY(snapshot_parent(b->db, digest, &more, err));
		if (!more ||
		    memcmp(digest, b->good->sha256, sizeof(digest)) == 0)
			return WH_OK;
		WH_TRY(snapshot_find(b->db, digest, &id, err));
		if (id) /* else gc took it */
			WH_TRY(add_to_chain(b, id, err));
	}
}

/* Nobody can judge what was skipped or forgotten. */
static enum wh_status may_test(struct bisection *b, int64_t id, bool *yes,
			       struct wh_error *err)
{
	struct stmt *stmt;
	size_t i;

	WH_TRY(db_stmt(b->db, STMT_SNAPSHOT_LIVES, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, yes, err));
	stmt_reset(stmt);
	for (i = 0; i < b->n_judged && *yes; i++)
		*yes = b->judged[i].id != id || b->judged[i].verdict != WH_SKIP;
	return WH_OK;
}

/* The one nearest to the middle that can be judged, 0: none. */
static enum wh_status choose(struct bisection *b, int64_t *id,
			     struct wh_error *err)
{
	size_t i, n = b->n_chain, at = n / 2;
	bool found = false;

	for (i = 0; n && i < 2 * n + 2 && !found; i++) {
		size_t away = (i + 1) / 2;

		if (i % 2 ? at + away >= n : away > at)
			continue;
		*id = b->chain[i % 2 ? at + away : at - away];
		WH_TRY(may_test(b, *id, &found, err));
	}
	if (!found)
		*id = 0;
	return WH_OK;
}

/* ---- The state -------------------------------------------------------------
 */

static enum wh_status fill_state(struct bisection *b, struct wh_bisect *out,
				 struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	uint64_t left;
	int64_t id = 0;

	if (b->good)
		text_hex(b->good->sha256, sizeof(digest), out->good);
	if (b->bad)
		text_hex(b->bad->sha256, sizeof(digest), out->bad);
	if (!b->good || !b->bad)
		return WH_OK;
	WH_TRY(find_chain(b, err));
	out->n_left = b->n_chain;
	out->phase = b->n_chain ? WH_BISECT_SKIPPED : WH_BISECT_FOUND;
	WH_TRY(choose(b, &id, err));
	if (!id)
		return WH_OK;
	out->phase = WH_BISECT_TESTS;
	for (left = b->n_chain; left; left /= 2)
		out->n_steps++;
	WH_TRY(snapshot_digest(b->db, id, digest, err));
	text_hex(digest, sizeof(digest), out->candidate);
	return WH_OK;
}

static enum wh_status find_state(struct db *db, struct wh_bisect *out,
				 struct wh_error *err)
{
	struct bisection b = {.db = db};
	struct wh_bisect state = {.phase = WH_BISECT_WAITS};
	enum wh_status status = read_verdicts(&b, err);

	if (!status)
		status = find_ends(&b, err);
	if (!status)
		status = fill_state(&b, &state, err);
	bisection_free(&b);
	if (!status)
		*out = state;
	return status;
}

enum wh_status wh_bisect_state(struct wh_store *store, struct wh_bisect *bisect,
			       struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_read(&tx, store->db, err));
	return find_state(store->db, bisect, err);
}

enum wh_status wh_bisect_judge(struct wh_store *store, const char *revision,
			       enum wh_verdict verdict,
			       struct wh_bisect *bisect, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	int64_t id;

	if (!wh_verdict_name(verdict))
		return wh_fail(err, WH_EINVAL, "there is no verdict %d",
			       (int)verdict);
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(revision_resolve(store->db, revision, &id, err));
	WH_TRY(snapshot_digest(store->db, id, digest, err));
	WH_TRY(db_stmt(store->db, STMT_BISECT_PUT, &stmt, err));
	stmt_blob(stmt, 1, digest, sizeof(digest));
	stmt_text(stmt, 2, wh_verdict_name(verdict));
	WH_TRY(step_done(stmt, err));
	WH_TRY(find_state(store->db, bisect, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_bisect_reset(struct wh_store *store, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(db_stmt(store->db, STMT_BISECT_CLEAR, &stmt, err));
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_bisect_list(struct wh_store *store, wh_verdict_fn *fn,
			      void *arg, struct wh_error *err)
{
	struct bisection b = {.db = store->db};
	char id[2 * WH_SHA256_SIZE + 1];
	enum wh_status status;
	size_t i;

	status = read_verdicts(&b, err);
	for (i = 0; !status && i < b.n_judged; i++) {
		text_hex(b.judged[i].sha256, WH_SHA256_SIZE, id);
		if (fn(arg, id, b.judged[i].verdict))
			break;
	}
	bisection_free(&b);
	return status;
}
