/* What was published where: rows, written once a publication is complete. */
#include <weighhouse/publication.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/auto.h"
#include "base/text.h"
#include "store.h"

#define DIGEST_SIZE 32

WH_DEFINE_AUTO(db, db_close);

/* Publishing reads the store; its record is the one thing that it writes. A
 * store of an older schema is not migrated for it. */
static enum wh_status open_writer(struct wh_store *store, struct db **own,
				  struct db **db, struct wh_error *err)
{
	if (db_is_older(store->db))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' is of an older version: run 'wh migrate'",
			       db_path(store->db));
	*db = store->db;
	if (db_is_writable(store->db))
		return WH_OK;
	WH_TRY(db_open(db_file(store->db), DB_WRITE, own, err));
	*db = *own;
	return WH_OK;
}

/* `digest` is read when the statement is stepped: it must live till then. */
static enum wh_status bind_digest(struct stmt *stmt, int index, const char *hex,
				  uint8_t digest[DIGEST_SIZE],
				  struct wh_error *err)
{
	if (!hex || !text_unhex(hex, digest, DIGEST_SIZE))
		return wh_fail(err, WH_EINVAL, "'%s' is no digest",
			       hex ? hex : "");
	stmt_blob(stmt, index, digest, DIGEST_SIZE);
	return WH_OK;
}

/* ---- Recording --------------------------------------------------------------
 */

static enum wh_status is_recorded(struct db *db, const char *uuid, bool *yes,
				  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_PUBLICATION_FIND, &stmt, err));
	stmt_text(stmt, 1, uuid);
	WH_TRY(stmt_step(stmt, yes, err));
	stmt_reset(stmt);
	return WH_OK;
}

/* Whether the newest word on each of its aliases says the same already. */
static enum wh_status is_known(struct db *db, const struct wh_publication *p,
			       bool *yes, struct wh_error *err)
{
	uint8_t snapshot[DIGEST_SIZE], manifest[DIGEST_SIZE];
	struct stmt *stmt;
	bool row;
	size_t i;

	*yes = true;
	for (i = 0; i < p->n_aliases && *yes; i++) {
		WH_TRY(db_stmt(db, STMT_PUBLICATION_KNOWN, &stmt, err));
		stmt_text(stmt, 1, p->place);
		WH_TRY(bind_digest(stmt, 2, p->snapshot, snapshot, err));
		WH_TRY(bind_digest(stmt, 3, p->manifest_sha256, manifest, err));
		stmt_text(stmt, 4, p->aliases[i].alias);
		WH_TRY(stmt_step(stmt, &row, err));
		stmt_reset(stmt);
		*yes = row;
	}
	return WH_OK;
}

static enum wh_status insert(struct db *db, const struct wh_publication *p,
			     int64_t *id, struct wh_error *err)
{
	uint8_t snapshot[DIGEST_SIZE], tree[DIGEST_SIZE];
	uint8_t manifest[DIGEST_SIZE];
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_PUBLICATION_INSERT, &stmt, err));
	stmt_text(stmt, 1, p->id);
	stmt_text(stmt, 2, p->place);
	stmt_text(stmt, 3, p->remote);
	WH_TRY(bind_digest(stmt, 4, p->snapshot, snapshot, err));
	WH_TRY(bind_digest(stmt, 5, p->tree, tree, err));
	stmt_text(stmt, 6, p->formats);
	stmt_text(stmt, 7, p->manifest);
	WH_TRY(bind_digest(stmt, 8, p->manifest_sha256, manifest, err));
	stmt_text(stmt, 9, p->who);
	stmt_integer(stmt, 10, p->time);
	return step_insert(stmt, id, err);
}

static enum wh_status insert_files(struct db *db, int64_t id,
				   const struct wh_publication *p,
				   struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	struct stmt *stmt;
	size_t i;

	for (i = 0; i < p->n_files; i++) {
		const struct wh_publication_file *file = &p->files[i];

		WH_TRY(db_stmt(db, STMT_PUBLICATION_FILE_INSERT, &stmt, err));
		stmt_integer(stmt, 1, id);
		stmt_integer(stmt, 2, (int64_t)i);
		stmt_text(stmt, 3, file->path);
		stmt_text(stmt, 4, file->format);
		stmt_integer(stmt, 5, (int64_t)file->size);
		WH_TRY(bind_digest(stmt, 6, file->sha256, digest, err));
		WH_TRY(step_done(stmt, err));
	}
	return WH_OK;
}

static enum wh_status end_alias(struct db *db, const char *place,
				const char *alias, int64_t time, int64_t except,
				struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_PUBLICATION_ALIAS_END, &stmt, err));
	stmt_text(stmt, 1, place);
	stmt_text(stmt, 2, alias);
	stmt_integer(stmt, 3, time);
	stmt_integer(stmt, 4, except);
	return step_done(stmt, err);
}

static enum wh_status insert_aliases(struct db *db, int64_t id,
				     const struct wh_publication *p,
				     struct wh_error *err)
{
	struct stmt *stmt;
	size_t i;

	for (i = 0; i < p->n_aliases; i++) {
		const char *alias = p->aliases[i].alias;

		WH_TRY(db_stmt(db, STMT_PUBLICATION_ALIAS_INSERT, &stmt, err));
		stmt_integer(stmt, 1, id);
		stmt_text(stmt, 2, alias);
		WH_TRY(step_done(stmt, err));
		WH_TRY(end_alias(db, p->place, alias, p->time, id, err));
	}
	return WH_OK;
}

static enum wh_status record(struct db *db, const struct wh_publication *p,
			     struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	bool known;
	int64_t id;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(is_recorded(db, p->id, &known, err));
	if (!known && p->n_aliases)
		WH_TRY(is_known(db, p, &known, err));
	if (known)
		return WH_OK;
	WH_TRY(insert(db, p, &id, err));
	WH_TRY(insert_files(db, id, p, err));
	WH_TRY(insert_aliases(db, id, p, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_publication_record(struct wh_store *store,
				     const struct wh_publication *publication,
				     struct wh_error *err)
{
	wh_auto(db) own = NULL;
	struct db *db = NULL;

	if (!publication->n_files)
		return wh_fail(err, WH_EINVAL,
			       "a publication has at least one file");
	WH_TRY(open_writer(store, &own, &db, err));
	return record(db, publication, err);
}

static enum wh_status end_snapshot(struct db *db, const char *place,
				   const char *snapshot, int64_t time,
				   struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_PUBLICATION_END, &stmt, err));
	stmt_text(stmt, 1, place);
	WH_TRY(bind_digest(stmt, 2, snapshot, digest, err));
	stmt_integer(stmt, 3, time);
	return step_done(stmt, err);
}

static enum wh_status end(struct db *db, const char *place, const char *alias,
			  const char *snapshot, int64_t time,
			  struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_begin(&tx, db, err));
	if (alias)
		WH_TRY(end_alias(db, place, alias, time, 0, err));
	if (snapshot)
		WH_TRY(end_snapshot(db, place, snapshot, time, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_publication_end(struct wh_store *store, const char *place,
				  const char *alias, const char *snapshot,
				  int64_t time, struct wh_error *err)
{
	wh_auto(db) own = NULL;
	struct db *db = NULL;

	WH_TRY(open_writer(store, &own, &db, err));
	return end(db, place, alias, snapshot, time, err);
}

/* ---- Listing ----------------------------------------------------------------
 */

struct listing {
	struct db *db;
	struct arena arena; /* of one row */
	struct wh_publication row;
	struct wh_publication_file *files;
	struct wh_publication_alias *aliases;
	int64_t *ids; /* of all rows */
	size_t max_files, max_aliases, n_ids, max_ids;
	bool failed; /* no memory for a text */
};

static const char *copy(struct listing *listing, struct stmt *stmt, int column)
{
	char *copied = column_copy(stmt, column, &listing->arena);

	listing->failed |= !copied;
	return copied;
}

static enum wh_status load_files(struct listing *listing, int64_t id,
				 struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;
	size_t n = 0;

	WH_TRY(db_stmt(listing->db, STMT_PUBLICATION_FILES, &stmt, err));
	stmt_integer(stmt, 1, id);
	for (;; n++) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(array_grow(&listing->files, n, &listing->max_files,
				  sizeof(*listing->files), err));
		listing->files[n] = (struct wh_publication_file){
			.path = copy(listing, stmt, 0),
			.format = copy(listing, stmt, 1),
			.size = (uint64_t)column_integer(stmt, 2),
			.sha256 = copy(listing, stmt, 3)};
	}
	listing->row.files = listing->files;
	listing->row.n_files = n;
	return WH_OK;
}

static enum wh_status load_aliases(struct listing *listing, int64_t id,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;
	size_t n = 0;

	WH_TRY(db_stmt(listing->db, STMT_PUBLICATION_ALIASES, &stmt, err));
	stmt_integer(stmt, 1, id);
	for (;; n++) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(array_grow(&listing->aliases, n, &listing->max_aliases,
				  sizeof(*listing->aliases), err));
		listing->aliases[n] = (struct wh_publication_alias){
			.alias = copy(listing, stmt, 0),
			.moved = !column_is_null(stmt, 1),
			.ended = column_integer(stmt, 1)};
	}
	listing->row.aliases = listing->aliases;
	listing->row.n_aliases = n;
	return WH_OK;
}

static enum wh_status load(struct listing *listing, int64_t id,
			   struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	AUTO_STMT *stmt = NULL;

	WH_TRY(transaction_read(&tx, listing->db, err));
	WH_TRY(db_stmt(listing->db, STMT_PUBLICATION_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	listing->row = (struct wh_publication){
		.id = copy(listing, stmt, 1),
		.place = copy(listing, stmt, 2),
		.remote = column_is_null(stmt, 3) ? NULL
						  : copy(listing, stmt, 3),
		.snapshot = copy(listing, stmt, 4),
		.tree = copy(listing, stmt, 5),
		.formats = copy(listing, stmt, 6),
		.manifest = copy(listing, stmt, 7),
		.manifest_sha256 = copy(listing, stmt, 8),
		.who = copy(listing, stmt, 9),
		.time = column_integer(stmt, 10),
		.removed = !column_is_null(stmt, 11),
		.ended = column_integer(stmt, 11)};
	WH_TRY(load_files(listing, id, err));
	WH_TRY(load_aliases(listing, id, err));
	return listing->failed ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status list_ids(struct listing *listing, const char *place,
			       struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_PUBLICATION_LIST, &stmt, err));
	stmt_text(stmt, 1, place);
	for (;; listing->n_ids++) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(array_grow(&listing->ids, listing->n_ids,
				  &listing->max_ids, sizeof(*listing->ids),
				  err));
		listing->ids[listing->n_ids] = column_integer(stmt, 0);
	}
	return WH_OK;
}

/* One at a time: who is told may be slow, and must not hold the store. Rows
 * are never deleted. */
static enum wh_status list(struct listing *listing, const char *place,
			   wh_publication_fn *fn, void *arg,
			   struct wh_error *err)
{
	size_t i;
	int stop = 0;

	WH_TRY(list_ids(listing, place, err));
	for (i = 0; i < listing->n_ids && !stop; i++) {
		WH_TRY(load(listing, listing->ids[i], err));
		stop = fn(arg, &listing->row);
		arena_free(&listing->arena);
	}
	return WH_OK;
}

enum wh_status wh_publication_list(struct wh_store *store, const char *place,
				   wh_publication_fn *fn, void *arg,
				   struct wh_error *err)
{
	struct listing listing = {.db = store->db};
	enum wh_status status;

	if (db_is_older(store->db))
		return WH_OK;
	status = list(&listing, place, fn, arg, err);
	arena_free(&listing.arena);
	free(listing.files);
	free(listing.aliases);
	free(listing.ids);
	return status;
}
