#include "ref.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/text.h"
#include "keep.h"
#include "snapshot.h"
#include "store.h"

#define DEFAULT_BRANCH "main"

static bool is_hex(const char *name)
{
	return strspn(name, "0123456789abcdef") == strlen(name);
}

static const char *why_bad(const char *name)
{
	size_t len = strlen(name);
	const char *at;

	if (len == 0)
		return "it is empty";
	if (len >= REF_NAME_SIZE)
		return "it is longer than 255 bytes";
	if (!text_is_name(name, len))
		return "it is not valid UTF-8";
	if (name[0] == '-' || name[0] == '/' || name[len - 1] == '/' ||
	    name[len - 1] == '.')
		return "it begins or ends with a mark";
	if (strstr(name, "..") || strstr(name, "//"))
		return "it holds '..' or '//'";
	if (strcmp(name, "HEAD") == 0)
		return "HEAD means the branch that is switched to";
	if (len >= 4 && len <= 64 && is_hex(name))
		return "it reads as a snapshot's id";
	for (at = name; *at; at++)
		if ((unsigned char)*at <= 0x20 || *at == 0x7f ||
		    strchr("~^:?*[\\@{", *at))
			return "it holds a blank or one of ~^:?*[\\@{";
	return NULL;
}

enum wh_status ref_check_name(const char *name, struct wh_error *err)
{
	const char *why = why_bad(name);

	if (!why)
		return WH_OK;
	return wh_fail(err, WH_EINVAL, "'%s' can't be a name: %s", name, why);
}

enum wh_status ref_get(struct db *db, enum ref_kind kind, const char *name,
		       bool *found, int64_t *snapshot, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_REF_GET, &stmt, err));
	stmt_integer(stmt, 1, kind);
	stmt_text(stmt, 2, name);
	WH_TRY(stmt_step(stmt, found, err));
	*snapshot = *found ? column_integer(stmt, 0) : 0;
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status put(struct db *db, enum ref_kind kind, const char *name,
			  int64_t snapshot, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_REF_PUT, &stmt, err));
	stmt_integer(stmt, 1, kind);
	stmt_text(stmt, 2, name);
	if (snapshot)
		stmt_integer(stmt, 3, snapshot);
	return step_done(stmt, err);
}

static enum wh_status load_digest(struct db *db, int64_t snapshot,
				  uint8_t digest[WH_SHA256_SIZE],
				  struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	enum wh_status status = WH_OK;

	if (snapshot)
		status = snapshot_load(db, snapshot, &arena, &row, err);
	if (snapshot && !status)
		memcpy(digest, row.sha256, WH_SHA256_SIZE);
	arena_free(&arena);
	return status;
}

static enum wh_status note_move(struct db *db, const char *branch, int64_t from,
				int64_t to, const char *why, int64_t time,
				struct wh_error *err)
{
	uint8_t digests[2][WH_SHA256_SIZE];
	struct stmt *stmt;

	WH_TRY(load_digest(db, from, digests[0], err));
	WH_TRY(load_digest(db, to, digests[1], err));
	WH_TRY(db_stmt(db, STMT_REFLOG_INSERT, &stmt, err));
	stmt_text(stmt, 1, branch);
	if (from)
		stmt_blob(stmt, 2, digests[0], WH_SHA256_SIZE);
	if (to)
		stmt_blob(stmt, 3, digests[1], WH_SHA256_SIZE);
	stmt_text(stmt, 4, why);
	stmt_integer(stmt, 5, time);
	return step_done(stmt, err);
}

enum wh_status ref_move(struct db *db, enum ref_kind kind, const char *name,
			int64_t from, int64_t to, const char *why, int64_t time,
			struct wh_error *err)
{
	WH_TRY(put(db, kind, name, to, err));
	if (kind != REF_BRANCH)
		return WH_OK;
	return note_move(db, name, from, to, why, time, err);
}

static enum wh_status set_head(struct db *db, const char *branch,
			       struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_CONFIG_SET, &stmt, err));
	stmt_text(stmt, 1, "head");
	stmt_text(stmt, 2, branch);
	return step_done(stmt, err);
}

enum wh_status ref_head(struct db *db, char branch[REF_NAME_SIZE],
			struct wh_error *err)
{
	const char *name = DEFAULT_BRANCH;
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_CONFIG_GET, &stmt, err));
	stmt_text(stmt, 1, "head");
	WH_TRY(stmt_step(stmt, &row, err));
	if (row && column_text(stmt, 0))
		name = column_text(stmt, 0);
	if (strlen(name) >= REF_NAME_SIZE)
		name = DEFAULT_BRANCH;
	strcpy(branch, name);
	stmt_reset(stmt);
	return WH_OK;
}

int64_t ref_now(void)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	int64_t time_s;

	if (fixed && text_to_i64(fixed, &time_s))
		return time_s;
	return (int64_t)time(NULL);
}

/* ---- Public ----------------------------------------------------------------
 */

enum wh_status wh_head(struct wh_store *store, char branch[256],
		       struct wh_error *err)
{
	return ref_head(store->db, branch, err);
}

struct refs {
	struct arena arena;
	struct wh_ref *refs;
	size_t n, room;
};

static enum wh_status keep_ref(struct refs *all, struct stmt *stmt,
			       const char *head, struct wh_error *err)
{
	struct wh_ref *ref;

	WH_TRY(array_grow(&all->refs, all->n, &all->room, sizeof(*all->refs),
			  err));
	ref = &all->refs[all->n++];
	memset(ref, 0, sizeof(*ref));
	ref->name = column_copy(stmt, 0, &all->arena);
	if (!ref->name)
		return wh_fail_memory(err);
	column_hex(stmt, 1, ref->snapshot);
	ref->head = head && strcmp(ref->name, head) == 0;
	return WH_OK;
}

static enum wh_status read_refs(struct db *db, enum ref_kind kind,
				struct refs *all, struct wh_error *err)
{
	char head[REF_NAME_SIZE];
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(ref_head(db, head, err));
	WH_TRY(db_stmt(db, STMT_REF_LIST, &stmt, err));
	stmt_integer(stmt, 1, kind);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(keep_ref(all, stmt, kind == REF_BRANCH ? head : NULL,
				err));
	}
	return WH_OK;
}

/* All are read before the first is handed out: who gets them may be slow, and
 * may use the store. */
static enum wh_status list(struct wh_store *store, enum ref_kind kind,
			   wh_ref_fn *fn, void *arg, struct wh_error *err)
{
	struct refs all = {0};
	enum wh_status status = read_refs(store->db, kind, &all, err);
	size_t i;

	for (i = 0; !status && i < all.n; i++)
		if (fn(arg, &all.refs[i]))
			break;
	free(all.refs);
	arena_free(&all.arena);
	return status;
}

enum wh_status wh_branch_list(struct wh_store *store, wh_ref_fn *fn, void *arg,
			      struct wh_error *err)
{
	return list(store, REF_BRANCH, fn, arg, err);
}

enum wh_status wh_tag_list(struct wh_store *store, wh_ref_fn *fn, void *arg,
			   struct wh_error *err)
{
	return list(store, REF_TAG, fn, arg, err);
}

static enum wh_status create(struct wh_store *store, enum ref_kind kind,
			     const char *name, const char *revision, bool force,
			     struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	int64_t from, to;
	bool found;

	WH_TRY(ref_check_name(name, err));
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(revision_resolve(store->db, revision ? revision : "HEAD", &to,
				err));
	WH_TRY(ref_get(store->db, kind, name, &found, &from, err));
	if (found && !force)
		return wh_fail(err, WH_EEXISTS, "there is a %s '%s' already",
			       kind == REF_TAG ? "tag" : "branch", name);
	WH_TRY(ref_move(store->db, kind, name, from, to, "branch", ref_now(),
			err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_branch_create(struct wh_store *store, const char *name,
				const char *revision, bool force,
				struct wh_error *err)
{
	return create(store, REF_BRANCH, name, revision, force, err);
}

enum wh_status wh_tag_create(struct wh_store *store, const char *name,
			     const char *revision, bool force,
			     struct wh_error *err)
{
	return create(store, REF_TAG, name, revision, force, err);
}

static enum wh_status delete_row(struct db *db, enum ref_kind kind,
				 const char *name, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_REF_DELETE, &stmt, err));
	stmt_integer(stmt, 1, kind);
	stmt_text(stmt, 2, name);
	return step_done(stmt, err);
}

enum wh_status ref_require(struct db *db, enum ref_kind kind, const char *name,
			   int64_t *snapshot, struct wh_error *err)
{
	bool found;

	WH_TRY(ref_get(db, kind, name, &found, snapshot, err));
	if (found)
		return WH_OK;
	return wh_fail(err, WH_ENOTFOUND, "there is no %s '%s'",
		       kind == REF_TAG ? "tag" : "branch", name);
}

enum wh_status wh_branch_delete(struct wh_store *store, const char *name,
				struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	char head[REF_NAME_SIZE];
	int64_t from;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_require(store->db, REF_BRANCH, name, &from, err));
	WH_TRY(ref_head(store->db, head, err));
	if (strcmp(head, name) == 0)
		return wh_fail(err, WH_EINVAL,
			       "branch '%s' is switched to; switch to another "
			       "one first",
			       name);
	WH_TRY(note_move(store->db, name, from, 0, "branch deleted", ref_now(),
			 err));
	WH_TRY(delete_row(store->db, REF_BRANCH, name, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_tag_delete(struct wh_store *store, const char *name,
			     struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	int64_t from;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_require(store->db, REF_TAG, name, &from, err));
	WH_TRY(delete_row(store->db, REF_TAG, name, err));
	return transaction_commit(&tx, err);
}

/* What is said of the branch by its name goes along: its moves, its policy,
 * and the rules that publish it. */
static enum wh_status rename_in(struct db *db, const char *from, const char *to,
				struct wh_error *err)
{
	static const enum statement by_name[] = {STMT_REFLOG_RENAME,
						 STMT_PUBLISH_RULE_RENAME};
	struct stmt *stmt;
	size_t i;

	for (i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++) {
		WH_TRY(db_stmt(db, by_name[i], &stmt, err));
		stmt_text(stmt, 1, from);
		stmt_text(stmt, 2, to);
		WH_TRY(step_done(stmt, err));
	}
	return policy_rename_branch(db, from, to, err);
}

enum wh_status wh_branch_rename(struct wh_store *store, const char *from,
				const char *to, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	char head[REF_NAME_SIZE];
	int64_t snapshot, other;
	bool found;

	WH_TRY(ref_check_name(to, err));
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_require(store->db, REF_BRANCH, from, &snapshot, err));
	WH_TRY(ref_get(store->db, REF_BRANCH, to, &found, &other, err));
	if (found)
		return wh_fail(err, WH_EEXISTS,
			       "there is a branch '%s' already", to);
	WH_TRY(delete_row(store->db, REF_BRANCH, from, err));
	WH_TRY(put(store->db, REF_BRANCH, to, snapshot, err));
	WH_TRY(rename_in(store->db, from, to, err));
	WH_TRY(ref_head(store->db, head, err));
	if (strcmp(head, from) == 0)
		WH_TRY(set_head(store->db, to, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_switch(struct wh_store *store, const char *branch,
			 struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	char head[REF_NAME_SIZE];
	int64_t from, to;
	bool found;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_require(store->db, REF_BRANCH, branch, &to, err));
	WH_TRY(ref_head(store->db, head, err));
	WH_TRY(ref_get(store->db, REF_BRANCH, head, &found, &from, err));
	WH_TRY(set_head(store->db, branch, err));
	/* Under a name that no branch can have. */
	WH_TRY(note_move(store->db, "HEAD", from, to, "switch", ref_now(),
			 err));
	return transaction_commit(&tx, err);
}

enum wh_status ref_branch_or_head(struct db *db, const char *branch,
				  char name[REF_NAME_SIZE],
				  struct wh_error *err)
{
	if (!branch)
		return ref_head(db, name, err);
	WH_TRY(ref_check_name(branch, err));
	strcpy(name, branch);
	return WH_OK;
}

enum wh_status ref_fill_move(struct db *db, int64_t from, int64_t to,
			     struct wh_move *move, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];

	memset(move, 0, sizeof(*move));
	WH_TRY(load_digest(db, from, digest, err));
	if (from)
		text_hex(digest, sizeof(digest), move->from);
	WH_TRY(load_digest(db, to, digest, err));
	if (to)
		text_hex(digest, sizeof(digest), move->to);
	return WH_OK;
}

/* ---- The reflog -----------------------------------------------------------
 */

#define MOVES 64 /* of a batch; the queries' LIMIT */

struct moves {
	struct arena arena;
	struct wh_reflog_entry entries[MOVES];
	size_t n;
	int64_t below;
};

static enum wh_status copy_move(struct moves *moves, struct stmt *stmt,
				struct wh_error *err)
{
	struct wh_reflog_entry *entry = &moves->entries[moves->n];

	moves->below = column_integer(stmt, 0);
	entry->branch = column_copy(stmt, 1, &moves->arena);
	column_hex(stmt, 2, entry->from);
	column_hex(stmt, 3, entry->to);
	entry->why = column_copy(stmt, 4, &moves->arena);
	entry->time = column_integer(stmt, 5);
	if (!entry->branch || !entry->why)
		return wh_fail_memory(err);
	moves->n++;
	return WH_OK;
}

static enum wh_status read_moves(struct db *db, const char *branch,
				 struct moves *moves, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	moves->n = 0;
	WH_TRY(db_stmt(db,
		       branch ? STMT_REFLOG_BATCH_OF_BRANCH : STMT_REFLOG_BATCH,
		       &stmt, err));
	stmt_integer(stmt, 1, moves->below);
	if (branch)
		stmt_text(stmt, 2, branch);
	while (moves->n < MOVES) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(copy_move(moves, stmt, err));
	}
	return WH_OK;
}

/* In batches: who prints them may be slow, and must not hold the store. */
enum wh_status wh_reflog(struct wh_store *store, const char *branch,
			 wh_reflog_fn *fn, void *arg, struct wh_error *err)
{
	struct moves moves = {.below = INT64_MAX};
	enum wh_status status;
	bool stop = false;
	size_t i;

	do {
		status = read_moves(store->db, branch, &moves, err);
		for (i = 0; !status && i < moves.n && !stop; i++)
			stop = fn(arg, &moves.entries[i]);
		arena_free(&moves.arena);
	} while (!status && !stop && moves.n == MOVES);
	return status;
}
