/* Queries of users: one statement, reading only, in bounded time.
 *
 * Rows are spooled to a temporary file before the first is handed out: a
 * reader that pauses, a pager say, must not hold the file against writers.
 */
#include "db_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weighhouse/store.h>

#define TIME_LIMIT_S  60
#define MAX_RESULT    ((uint64_t)1 << 30) /* bytes of a spooled result */
#define STEPS_A_CHECK 100000
#define MAX_COLUMNS   200

static int allow_reading(void *arg, int action, const char *a, const char *b,
			 const char *c, const char *d)
{
	(void)arg, (void)a, (void)c, (void)d;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b && strcmp(b, "load_extension") == 0 ? SQLITE_DENY
							     : SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

/* A query as it runs. */
struct query {
	struct db *db;
	const struct wh_sql_options *options;
	FILE *spool;
	unsigned limit_s;
	time_t end;
	bool late; /* its time was over */
};

static int must_end(void *arg)
{
	struct query *query = arg;
	const struct wh_sql_options *options = query->options;

	query->late = time(NULL) > query->end;
	return query->late ||
	       (options->progress &&
		!options->progress(options->progress_arg, "querying", 0, 0));
}

static enum wh_status query_failed(const struct query *query, int code,
				   struct wh_error *err)
{
	if (code == SQLITE_INTERRUPT && query->late)
		return wh_fail(err, WH_EIO, "the query took more than %u s",
			       query->limit_s);
	if (code == SQLITE_INTERRUPT)
		return wh_fail(err, WH_ECANCELLED, "the query was cancelled");
	if (code == SQLITE_AUTH)
		return wh_fail(err, WH_EINVAL,
			       "only queries that read are allowed");
	if ((code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_TOOBIG)
		return wh_fail(err, WH_EINVAL, "%s",
			       sqlite3_errmsg(query->db->handle));
	return db_failed(query->db, code, err);
}

static enum wh_status prepare(const struct query *query, const char *sql,
			      sqlite3_stmt **stmt, struct wh_error *err)
{
	const char *rest = "";
	int code = sqlite3_prepare_v2(query->db->handle, sql, -1, stmt, &rest);

	if (code)
		return query_failed(query, code, err);
	if (!*stmt)
		return wh_fail(err, WH_EINVAL, "there is no query");
	if (rest[strspn(rest, " \t\r\n;")] || !sqlite3_stmt_readonly(*stmt) ||
	    sqlite3_column_count(*stmt) > MAX_COLUMNS)
		return wh_fail(err, WH_EINVAL,
			       "only one query that reads is allowed");
	return WH_OK;
}

static bool spool_cell(FILE *spool, sqlite3_stmt *stmt, int column)
{
	struct wh_cell cell = {0};
	const void *bytes;

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		cell.kind = WH_CELL_INTEGER;
		cell.integer = sqlite3_column_int64(stmt, column);
		break;
	case SQLITE_FLOAT:
		cell.kind = WH_CELL_REAL;
		cell.real = sqlite3_column_double(stmt, column);
		break;
	case SQLITE_NULL:
		cell.kind = WH_CELL_NULL;
		break;
	default:
		cell.kind = sqlite3_column_type(stmt, column) == SQLITE_BLOB
				    ? WH_CELL_BLOB
				    : WH_CELL_TEXT;
		bytes = cell.kind == WH_CELL_BLOB
				? sqlite3_column_blob(stmt, column)
				: sqlite3_column_text(stmt, column);
		cell.size = (size_t)sqlite3_column_bytes(stmt, column);
		return fwrite(&cell, sizeof(cell), 1, spool) == 1 &&
		       fwrite(bytes ? bytes : "", 1, cell.size, spool) ==
			       cell.size;
	}
	return fwrite(&cell, sizeof(cell), 1, spool) == 1;
}

static enum wh_status spool_rows(const struct query *query, sqlite3_stmt *stmt,
				 uint64_t *n_rows, struct wh_error *err)
{
	int n = sqlite3_column_count(stmt), code, i;

	*n_rows = 0;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (i = 0; i < n; i++)
			if (!spool_cell(query->spool, stmt, i))
				return wh_fail(err, WH_EIO,
					       "the result can't be spooled");
		++*n_rows;
		if (ftello(query->spool) > (off_t)MAX_RESULT)
			return wh_fail(err, WH_EIO,
				       "the result is larger than 1 GiB");
	}
	if (code != SQLITE_DONE)
		return query_failed(query, code, err);
	if (fflush(query->spool) || fseek(query->spool, 0, SEEK_SET))
		return wh_fail(err, WH_EIO, "the result can't be spooled");
	return WH_OK;
}

static bool read_cell(FILE *spool, struct wh_cell *cell, char **text)
{
	char *moved;

	if (fread(cell, sizeof(*cell), 1, spool) != 1)
		return false;
	if (cell->kind != WH_CELL_TEXT && cell->kind != WH_CELL_BLOB)
		return true;
	moved = realloc(*text, cell->size + 1);
	if (!moved)
		return false;
	*text = moved;
	if (fread(moved, 1, cell->size, spool) != cell->size)
		return false;
	moved[cell->size] = '\0';
	cell->text = moved;
	return true;
}

static enum wh_status hand_out(FILE *spool, int n, uint64_t n_rows,
			       const char *const *names, db_row_fn *fn,
			       void *arg, struct wh_error *err)
{
	struct wh_cell cells[MAX_COLUMNS];
	char *texts[MAX_COLUMNS] = {0};
	enum wh_status status = WH_OK;
	int i, stop = fn(arg, n, names, NULL);

	for (; n_rows && !stop && !status; n_rows--) {
		for (i = 0; i < n && !status; i++)
			if (!read_cell(spool, &cells[i], &texts[i]))
				status = wh_fail(err, WH_EIO,
						 "the result can't be read "
						 "back");
		if (!status)
			stop = fn(arg, n, names, cells);
	}
	for (i = 0; i < n; i++)
		free(texts[i]);
	return status;
}

/* Who gets the rows may use the store: it isn't bound as the query was. */
static enum wh_status hand_out_spooled(const struct query *query,
				       sqlite3_stmt *stmt, uint64_t n_rows,
				       db_row_fn *fn, void *arg,
				       struct wh_error *err)
{
	const char *names[MAX_COLUMNS];
	int i, n = sqlite3_column_count(stmt);

	for (i = 0; i < n; i++)
		names[i] = sqlite3_column_name(stmt, i);
	return hand_out(query->spool, n, n_rows, names, fn, arg, err);
}

static enum wh_status open_spool(struct query *query, struct wh_error *err)
{
	query->spool = tmpfile();
	if (query->spool)
		return WH_OK;
	return wh_fail(err, WH_EIO, "no temporary file can be made");
}

enum wh_status db_query(struct db *db, const char *sql,
			const struct wh_sql_options *options, db_row_fn *fn,
			void *arg, struct wh_error *err)
{
	static const struct wh_sql_options defaults;
	struct query query = {.db = db,
			      .options = options ? options : &defaults};
	sqlite3_stmt *stmt = NULL;
	enum wh_status status;
	uint64_t n_rows = 0;

	query.limit_s = query.options->time_limit_s
				? query.options->time_limit_s
				: TIME_LIMIT_S;
	query.end = time(NULL) + (time_t)query.limit_s;
	WH_TRY(db_check_process(db, err));
	WH_TRY(open_spool(&query, err));
	sqlite3_set_authorizer(db->handle, allow_reading, NULL);
	sqlite3_progress_handler(db->handle, STEPS_A_CHECK, must_end, &query);
	status = prepare(&query, sql, &stmt, err);
	if (!status)
		status = spool_rows(&query, stmt, &n_rows, err);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	sqlite3_set_authorizer(db->handle, NULL, NULL);
	if (!status)
		status = hand_out_spooled(&query, stmt, n_rows, fn, arg, err);
	sqlite3_finalize(stmt);
	fclose(query.spool);
	return status;
}
