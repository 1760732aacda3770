#include "snapshot.h"

#include <string.h>
#include <time.h>

#include "base/text.h"

static const uint8_t *copy_digest(struct arena *arena, struct stmt *stmt,
				  int column)
{
	uint8_t digest[WH_SHA256_SIZE];

	return column_digest(stmt, column, digest)
		       ? (const uint8_t *)arena_bytes(arena, digest,
						      sizeof(digest))
		       : NULL;
}

static const char *copy_text(struct arena *arena, struct stmt *stmt, int column)
{
	const char *text = column_text(stmt, column);

	return text ? arena_strdup(arena, text) : NULL;
}

static void read_columns(struct stmt *stmt, struct arena *arena,
			 struct snapshot_row *row)
{
	struct canonical_snapshot *text = &row->text;

	text->tree = copy_digest(arena, stmt, 1);
	text->parent = copy_digest(arena, stmt, 2);
	row->generation = column_integer(stmt, 3);
	text->time = column_integer(stmt, 4);
	text->run_uuid = copy_text(arena, stmt, 5);
	text->has_step = !column_is_null(stmt, 6);
	text->step = column_integer(stmt, 6);
	text->has_epoch = !column_is_null(stmt, 7);
	text->epoch = column_integer(stmt, 7);
	text->origin_format = copy_text(arena, stmt, 8);
	text->origin_generator = copy_text(arena, stmt, 9);
	text->template_ = copy_digest(arena, stmt, 10);
	text->template_format = copy_text(arena, stmt, 11);
	text->message = copy_text(arena, stmt, 12);
	row->tree_id = column_integer(stmt, 13);
	row->template_id = column_integer(stmt, 14);
	row->run_id = column_integer(stmt, 15);
	row->run_name = copy_text(arena, stmt, 16);
	row->n_tensors = (uint64_t)column_integer(stmt, 17);
	row->n_layers = (uint64_t)column_integer(stmt, 18);
	row->nbytes = (uint64_t)column_integer(stmt, 19);
}

enum wh_status snapshot_load(struct db *db, int64_t id, struct arena *arena,
			     struct snapshot_row *row, struct wh_error *err)
{
	const uint8_t *sha256;
	struct stmt *stmt;

	memset(row, 0, sizeof(*row));
	WH_TRY(db_stmt(db, STMT_SNAPSHOT_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	row->id = id;
	sha256 = copy_digest(arena, stmt, 0);
	read_columns(stmt, arena, row);
	stmt_reset(stmt);
	/* Else what wasn't copied would look as if it weren't there. */
	if (arena->failed)
		return wh_fail_memory(err);
	if (!sha256 || !row->text.tree || !row->text.run_uuid ||
	    !row->run_name || !row->text.message)
		return wh_fail(err, WH_ECORRUPT, "a snapshot's row is damaged");
	memcpy(row->sha256, sha256, sizeof(row->sha256));
	return WH_OK;
}

enum wh_status snapshot_find(struct db *db, const uint8_t *sha256, int64_t *id,
			     struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_FIND, &stmt, err));
	stmt_blob(stmt, 1, sha256, WH_SHA256_SIZE);
	return step_id(stmt, id, err);
}

enum wh_status snapshot_digest(struct db *db, int64_t id,
			       uint8_t digest[WH_SHA256_SIZE],
			       struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	enum wh_status status = snapshot_load(db, id, &arena, &row, err);

	if (!status)
		memcpy(digest, row.sha256, WH_SHA256_SIZE);
	arena_free(&arena);
	return status;
}

enum wh_status snapshot_parent(struct db *db, uint8_t digest[WH_SHA256_SIZE],
			       bool *has_parent, struct wh_error *err)
{
	static const enum statement ways[] = {STMT_SNAPSHOT_PARENT,
					      STMT_TOMBSTONE_GET};
	struct stmt *stmt;
	bool row = false;
	int i;

	*has_parent = false;
	for (i = 0; i < 2 && !row; i++) {
		WH_TRY(db_stmt(db, ways[i], &stmt, err));
		stmt_blob(stmt, 1, digest, WH_SHA256_SIZE);
		WH_TRY(stmt_step(stmt, &row, err));
		*has_parent = row && column_digest(stmt, 0, digest);
		stmt_reset(stmt);
	}
	return WH_OK;
}

/* Brent's: a mark is left at steps 0, 1, 3, 7, ...; a circle comes back to one
 * of them. */
enum wh_status walk_step(struct walk *walk, const uint8_t *digest,
			 struct wh_error *err)
{
	char id[2 * WH_SHA256_SIZE + 1];

	if (walk->n_steps && memcmp(walk->mark, digest, WH_SHA256_SIZE) == 0) {
		text_hex(digest, WH_SHA256_SIZE, id);
		return wh_fail(err, WH_ECORRUPT,
			       "snapshot %.12s is its own ancestor", id);
	}
	if (walk->n_steps++ == walk->next_mark) {
		memcpy(walk->mark, digest, WH_SHA256_SIZE);
		walk->next_mark = 2 * walk->next_mark + 1;
	}
	return WH_OK;
}

/* ---- Forgotten ones --------------------------------------------------------
 */

static enum wh_status was_forgotten(const uint8_t *digest, int64_t time_s,
				    const char *more, struct wh_error *err)
{
	char id[2 * WH_SHA256_SIZE + 1], day[16] = "";
	time_t when = (time_t)time_s;
	struct tm parts;

	text_hex(digest, WH_SHA256_SIZE, id);
	if (gmtime_r(&when, &parts))
		strftime(day, sizeof(day), "%Y-%m-%d", &parts);
	return wh_fail(err, WH_ENOTFOUND,
		       "snapshot %.12s was forgotten on %s%s", id, day, more);
}

enum wh_status snapshot_check_living(struct db *db, int64_t id,
				     struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];
	struct stmt *stmt;
	int64_t time_s;
	bool row;

	WH_TRY(db_stmt(db, STMT_FORGOTTEN_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, &row, err));
	time_s = row ? column_integer(stmt, 0) : 0;
	stmt_reset(stmt);
	if (!row)
		return WH_OK;
	WH_TRY(snapshot_digest(db, id, digest, err));
	return was_forgotten(digest, time_s,
			     "; 'wh keep --undo' brings it back", err);
}

static enum wh_status find_tombstone(struct db *db, const uint8_t *sha256,
				     struct wh_error *err)
{
	char id[2 * WH_SHA256_SIZE + 1];
	struct stmt *stmt;
	int64_t time_s;
	bool row;

	WH_TRY(db_stmt(db, STMT_TOMBSTONE_GET, &stmt, err));
	stmt_blob(stmt, 1, sha256, WH_SHA256_SIZE);
	WH_TRY(stmt_step(stmt, &row, err));
	time_s = row ? column_integer(stmt, 1) : 0;
	stmt_reset(stmt);
	if (row)
		return was_forgotten(sha256, time_s, "", err);
	text_hex(sha256, WH_SHA256_SIZE, id);
	return wh_fail(err, WH_ENOTFOUND, "there is no snapshot %.12s", id);
}

enum wh_status snapshot_find_living(struct db *db, const uint8_t *sha256,
				    int64_t *id, struct wh_error *err)
{
	int64_t found;

	WH_TRY(snapshot_find(db, sha256, &found, err));
	if (!found)
		return find_tombstone(db, sha256, err);
	WH_TRY(snapshot_check_living(db, found, err));
	*id = found;
	return WH_OK;
}
