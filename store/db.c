/* The connection: settings, statements, verbs, transactions.
 *
 * Settings and their measured reasons stand in README.md, "The file".
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

#define BUSY_MS 10000 /* for foreign programs: ours take turns by lock */
#define MAX_LENGTH                                                             \
	(64 << 20) /* bytes of a value that a file may make us                 \
		      allocate */
#define MAX_SQL	      (1 << 20)
#define MAX_VARIABLES 100

/* Counted where they happen: getpid() is a system call, and every statement
 * asks. */
static unsigned forks;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
	forks++;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

enum wh_status db_failed(struct db *db, int code, struct wh_error *err)
{
	const char *path = db ? db->path : "store";

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return wh_fail_memory(err);
	case SQLITE_FULL:
		return wh_fail(err, WH_EIO, "'%s': No space left on device",
			       path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return wh_fail(err, WH_EBUSY,
			       "'%s' is in use by another program", path);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return wh_fail(err, WH_EIO,
			       code == SQLITE_READONLY_ROLLBACK
				       ? "'%s-journal' was left by a crash: "
					 "use the store once where both can be "
					 "written, which rolls it back"
				       : "'%s' can't be written",
			       path);
	case SQLITE_CANTOPEN:
		return wh_fail(err, WH_EIO, "'%s' can't be opened", path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return wh_fail(err, WH_ECORRUPT, "'%s' is damaged (%s)", path,
			       sqlite3_errstr(code));
	case SQLITE_IOERR:
		return wh_fail(err, WH_EIO, "'%s': %s", path,
			       code == SQLITE_IOERR_WRITE ||
					       code == SQLITE_IOERR_FSYNC
				       ? "it can't be written (disk error)"
				       : "disk error");
	default:
		return wh_fail(err, WH_ECORRUPT, "'%s': %s", path,
			       db && db->handle ? sqlite3_errmsg(db->handle)
						: sqlite3_errstr(code));
	}
}

static enum wh_status configure(struct db *db, struct wh_error *err)
{
	sqlite3 *handle = db->handle;
	int ignored;

	sqlite3_extended_result_codes(handle, 1);
	sqlite3_busy_timeout(handle, BUSY_MS);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &ignored);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0,
			  &ignored);
	sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, MAX_LENGTH);
	sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL);
	sqlite3_limit(handle, SQLITE_LIMIT_VARIABLE_NUMBER, MAX_VARIABLES);
	sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
	if (db_add_rows(handle))
		return wh_fail_memory(err);
	return db_exec(db,
		       DB_CACHE_SIZE "PRAGMA secure_delete = OFF;"
				     "PRAGMA temp_store = MEMORY;"
				     "PRAGMA cell_size_check = ON;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA synchronous = EXTRA;",
		       err);
}

/* Beside the file itself, where SQLite makes its journals: a store that is
 * called by a link, too, has one lock file. */
char *db_name_lock(const char *path)
{
	char *whole wh_free_auto = realpath(path, NULL);
	char *name;

	return asprintf(&name, "%s-lock", whole ? whole : path) < 0 ? NULL
								    : name;
}

/* What a relative path means stays the file that it meant when it was opened,
 * wherever the process goes. */
static enum wh_status name_files(struct db *db, const char *path,
				 struct wh_error *err)
{
	db->path = strdup(path);
	if (!db->path)
		return wh_fail_memory(err);
	db->file = realpath(path, NULL);
	if (!db->file)
		return wh_fail_errno(err, errno, "store '%s'", path);
	db->lock_path = db_name_lock(db->file);
	return db->lock_path ? WH_OK : wh_fail_memory(err);
}

static enum wh_status open_handle(struct db *db, int flags,
				  struct wh_error *err)
{
	int code = sqlite3_open_v2(
		db->file, &db->handle,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	return code ? db_failed(db, code, err) : WH_OK;
}

enum wh_status db_connect(const char *path, int flags, bool check,
			  struct db **out, struct wh_error *err)
{
	struct db *db = calloc(1, sizeof(*db));
	enum wh_status status;

	if (!db)
		return wh_fail_memory(err);
	pthread_once(&watch_once, watch_forks);
	db->forks = forks;
	db->lock_fd = -1;
	db->data_fd = -1;
	status = name_files(db, path, err);
	if (!status)
		status = open_handle(db, flags, err);
	if (!status && check)
		status = db_check_header(db, err);
	if (!status)
		status = configure(db, err);
	if (status) {
		db_close(db);
		return status;
	}
	*out = db;
	return WH_OK;
}

void db_close(struct db *db)
{
	int i;

	if (!db)
		return;
	for (i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(db->statements[i].handle);
	/* After a fork the file descriptors' locks are the parent's. */
	if (db->forks == forks)
		sqlite3_close(db->handle);
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	free(db->path);
	free(db->file);
	free(db->lock_path);
	free(db);
}

const char *db_path(const struct db *db)
{
	return db->path;
}

const char *db_file(const struct db *db)
{
	return db->file;
}

bool db_is_writable(const struct db *db)
{
	return db->writable;
}

bool db_is_older(const struct db *db)
{
	return db->version < N_MIGRATIONS;
}

enum wh_status db_check_process(const struct db *db, struct wh_error *err)
{
	if (db->forks == forks)
		return WH_OK;
	return wh_fail(err, WH_EINVAL,
		       "'%s' was opened before a fork; open it again",
		       db->path);
}

enum wh_status db_exec(struct db *db, const char *sql, struct wh_error *err)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return code ? db_failed(db, code, err) : WH_OK;
}

/* A reader of an older store meets a table that came later. */
static enum wh_status prepare_failed(struct db *db, int code,
				     struct wh_error *err)
{
	if ((code & 0xff) == SQLITE_ERROR && db->version < N_MIGRATIONS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' is of an older version: run 'wh migrate'",
			       db->path);
	return db_failed(db, code, err);
}

enum wh_status db_stmt(struct db *db, enum statement which, struct stmt **out,
		       struct wh_error *err)
{
	struct stmt *stmt = &db->statements[which];
	int code;

	WH_TRY(db_check_process(db, err));
	if (!stmt->handle) {
		code = sqlite3_prepare_v3(
			db->handle, statement_texts[which].text, -1,
			SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
		if (code)
			return prepare_failed(db, code, err);
		stmt->db = db;
	}
	sqlite3_reset(stmt->handle);
	sqlite3_clear_bindings(stmt->handle);
	*out = stmt;
	return WH_OK;
}

void stmt_integer(struct stmt *stmt, int index, int64_t value)
{
	sqlite3_bind_int64(stmt->handle, index, value);
}

void stmt_real(struct stmt *stmt, int index, double value)
{
	sqlite3_bind_double(stmt->handle, index, value);
}

void stmt_text(struct stmt *stmt, int index, const char *text)
{
	sqlite3_bind_text(stmt->handle, index, text, -1, SQLITE_STATIC);
}

void stmt_blob(struct stmt *stmt, int index, const void *bytes, size_t len)
{
	/* A NULL pointer would bind NULL: an empty blob is one of length 0. */
	sqlite3_bind_blob64(stmt->handle, index, len ? bytes : "", len,
			    SQLITE_STATIC);
}

void stmt_null(struct stmt *stmt, int index)
{
	sqlite3_bind_null(stmt->handle, index);
}

enum wh_status stmt_step(struct stmt *stmt, bool *row, struct wh_error *err)
{
	int code = sqlite3_step(stmt->handle);

	if (code == SQLITE_ROW || code == SQLITE_DONE) {
		*row = code == SQLITE_ROW;
		return WH_OK;
	}
	db_failed(stmt->db, code, err);
	sqlite3_reset(stmt->handle);
	return db_failed(stmt->db, code, NULL);
}

enum wh_status step_row(struct stmt *stmt, struct wh_error *err)
{
	bool row = false;

	WH_TRY(stmt_step(stmt, &row, err));
	if (row)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "'%s': a row is missing",
		       stmt->db->path);
}

enum wh_status step_id(struct stmt *stmt, int64_t *id, struct wh_error *err)
{
	bool row = false;

	WH_TRY(stmt_step(stmt, &row, err));
	*id = row ? column_integer(stmt, 0) : 0;
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status step_done(struct stmt *stmt, struct wh_error *err)
{
	bool row = false;

	WH_TRY(stmt_step(stmt, &row, err));
	stmt_reset(stmt);
	if (!row)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "'%s': a row too many",
		       stmt->db->path);
}

enum wh_status step_insert(struct stmt *stmt, int64_t *id, struct wh_error *err)
{
	WH_TRY(step_done(stmt, err));
	*id = sqlite3_last_insert_rowid(stmt->db->handle);
	return WH_OK;
}

void stmt_reset(struct stmt *stmt)
{
	sqlite3_reset(stmt->handle);
}

void stmt_end(struct stmt **stmt)
{
	if (*stmt)
		stmt_reset(*stmt);
}

int64_t column_integer(struct stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt->handle, column);
}

double column_real(struct stmt *stmt, int column)
{
	return sqlite3_column_double(stmt->handle, column);
}

bool column_is_null(struct stmt *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

const char *column_text(struct stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt->handle, column);
}

const char *column_text_or_empty(struct stmt *stmt, int column)
{
	const char *text = column_text(stmt, column);

	return text ? text : "";
}

char *column_copy(struct stmt *stmt, int column, struct arena *arena)
{
	return arena_strdup(arena, column_text_or_empty(stmt, column));
}

const void *column_blob(struct stmt *stmt, int column, size_t *len)
{
	const void *bytes = sqlite3_column_blob(stmt->handle, column);

	*len = (size_t)sqlite3_column_bytes(stmt->handle, column);
	return bytes;
}

bool column_digest(struct stmt *stmt, int column,
		   uint8_t digest[WH_SHA256_SIZE])
{
	size_t len;
	const void *bytes = column_blob(stmt, column, &len);

	if (!bytes || len != WH_SHA256_SIZE)
		return false;
	memcpy(digest, bytes, len);
	return true;
}

bool column_hex(struct stmt *stmt, int column, char hex[WH_ID_SIZE])
{
	uint8_t digest[WH_SHA256_SIZE];
	bool there = column_digest(stmt, column, digest);

	hex[0] = '\0';
	if (there)
		text_hex(digest, sizeof(digest), hex);
	return there;
}

static enum wh_status copy_texts(struct stmt *stmt, int n_columns,
				 struct arena *arena, const char **texts,
				 struct wh_error *err)
{
	int i;

	for (i = 0; i < n_columns; i++) {
		texts[i] = column_copy(stmt, i, arena);
		if (!texts[i])
			return wh_fail_memory(err);
	}
	return WH_OK;
}

enum wh_status db_texts(struct db *db, enum statement which, int n_columns,
			struct arena *arena, const char *const **texts,
			size_t *n_rows, struct wh_error *err)
{
	const size_t width = (size_t)n_columns;
	AUTO_STMT *stmt = NULL;
	size_t n = 0, room = 0;
	void *rows = NULL;
	bool row = false;

	WH_TRY(db_stmt(db, which, &stmt, err));
	for (;; n++) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!arena_grow(arena, &rows, n, &room, width * sizeof(*texts)))
			return wh_fail_memory(err);
		WH_TRY(copy_texts(stmt, n_columns, arena,
				  (const char **)rows + n * width, err));
	}
	*texts = rows;
	*n_rows = n;
	return WH_OK;
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

enum wh_status transaction_begin(struct transaction *tx, struct db *db,
				 struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(db_check_process(db, err));
	if (!db->writable)
		return wh_fail(err, WH_EIO, "'%s' can't be written", db->path);
	WH_TRY(db_lock(db, err));
	status = db_exec(db, "BEGIN IMMEDIATE", err);
	if (status) {
		db_unlock(db);
		return status;
	}
	tx->db = db;
	return WH_OK;
}

static enum wh_status begin_reading(struct transaction *tx, struct db *db,
				    bool follow, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(db_check_process(db, err));
	/* A read within a write sees the same anyway. */
	if (!sqlite3_get_autocommit(db->handle))
		return WH_OK;
	/* Before SQLite's lock: a reader that held that one and waited for its
	 * turn would stop a writer that has the turn and waits for readers. */
	db_lock_shared(db);
	if (follow)
		db_follow(db);
	status = db_exec(db, "BEGIN", err);
	if (status) {
		db_unlock(db);
		return status;
	}
	tx->db = db;
	return WH_OK;
}

enum wh_status transaction_read(struct transaction *tx, struct db *db,
				struct wh_error *err)
{
	return begin_reading(tx, db, true, err);
}

enum wh_status transaction_batch(struct transaction *tx, struct db *db,
				 struct wh_error *err)
{
	return begin_reading(tx, db, false, err);
}

/* SQLite looks for triggers when a statement is prepared, and prepares all
 * anew where this changes. */
void transaction_trust(struct transaction *tx, bool trusted)
{
	int ignored;

	if (tx->db && tx->trusted != trusted)
		sqlite3_db_config(tx->db->handle,
				  SQLITE_DBCONFIG_ENABLE_TRIGGER, !trusted,
				  &ignored);
	tx->trusted = trusted;
}

enum wh_status transaction_commit(struct transaction *tx, struct wh_error *err)
{
	struct db *db = tx->db;
	enum wh_status status = db_exec(db, "COMMIT", err);

	if (status)
		return status; /* the guard rolls back */
	transaction_trust(tx, false);
	tx->db = NULL;
	db_unlock(db);
	return WH_OK;
}

void transaction_end(struct transaction *tx)
{
	if (!tx->db)
		return;
	transaction_trust(tx, false);
	/* May already have been rolled back by the error itself. */
	if (!sqlite3_get_autocommit(tx->db->handle))
		sqlite3_exec(tx->db->handle, "ROLLBACK", NULL, NULL, NULL);
	db_unlock(tx->db);
	tx->db = NULL;
}
