/* db.h: the connection to a store's file; alone in knowing SQLite.
 *
 * Statements are named by enum (sql_texts.h, made from sql/queries), prepared
 * once a connection, bound in order, and stepped by verbs that say what their
 * author believes: step_row fails where there is no row, step_done where there
 * is one.
 */
#ifndef WH_STORE_DB_H
#define WH_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "sql_texts.h"
#include <weighhouse/store.h>

struct db;

/* "whst": an SQLite file is a weighhouse store. */
#define DB_APPLICATION_ID 0x77687374

/* config.key of 128 random bits, made with the store and kept by whatever
 * rewrites it. */
#define CONFIG_STORE_ID "id"

enum db_mode { DB_READ, DB_WRITE };

/** Makes an empty store; WH_EEXISTS. */
enum wh_status db_create(const char *path, struct wh_error *err);

/** Opens a store of this version or an older one, which writing brings to this
 *  one and reading leaves as it is: a statement that needs a later table is
 *  WH_EUNSUPPORTED. Hostile files are refused: see db_check.c. */
enum wh_status db_open(const char *path, enum db_mode mode, struct db **db,
		       struct wh_error *err);
void db_close(struct db *db);
/** As it was given, for messages; and the file's own, absolute and without
 *  links. */
const char *db_path(const struct db *db);
const char *db_file(const struct db *db);
bool db_is_writable(const struct db *db);
/** Open for reading, of an older schema. */
bool db_is_older(const struct db *db);

/** Another read connection to the same file. */
enum wh_status db_clone(const struct db *db, struct db **clone,
			struct wh_error *err);

/** WH_EINVAL if the handle came through a fork. */
enum wh_status db_check_process(const struct db *db, struct wh_error *err);

/* ---- Statements ------------------------------------------------------- */

struct stmt; /* borrowed from the connection; reset before it is used again */

/** The statement, reset and unbound. */
enum wh_status db_stmt(struct db *db, enum statement which, struct stmt **stmt,
		       struct wh_error *err);

/* Bound memory must live until the statement is stepped. Out of memory shows
 * at the step. `index` counts from 1. */
void stmt_integer(struct stmt *stmt, int index, int64_t value);
void stmt_real(struct stmt *stmt, int index, double value);
void stmt_text(struct stmt *stmt, int index, const char *text); /* or NULL */
void stmt_blob(struct stmt *stmt, int index, const void *bytes, size_t len);
void stmt_null(struct stmt *stmt, int index);

/** `*row` says whether there is a (further) row. */
enum wh_status stmt_step(struct stmt *stmt, bool *row, struct wh_error *err);
/** There must be a row; else WH_ECORRUPT. */
enum wh_status step_row(struct stmt *stmt, struct wh_error *err);
/** The first column of the row, or 0 where there is none, or NULL; the
 * statement is reset. */
enum wh_status step_id(struct stmt *stmt, int64_t *id, struct wh_error *err);
/** There must be none; the statement is reset. */
enum wh_status step_done(struct stmt *stmt, struct wh_error *err);
/** As step_done; `*id` is the new rowid. */
enum wh_status step_insert(struct stmt *stmt, int64_t *id,
			   struct wh_error *err);
void stmt_reset(struct stmt *stmt);
/** The same where it is gone through to the end of a scope, however that is
 *  left: one in its middle would keep others from writing.
 *	AUTO_STMT *stmt = NULL; */
#define AUTO_STMT struct stmt __attribute__((cleanup(stmt_end)))
void stmt_end(struct stmt **stmt);

int64_t column_integer(struct stmt *stmt, int column);
double column_real(struct stmt *stmt, int column);
bool column_is_null(struct stmt *stmt, int column);
/** Valid until the next step or reset; NULL for NULL. */
const char *column_text(struct stmt *stmt, int column);
/** The same, "" for NULL: of columns that are NOT NULL, which SQLite doesn't
 *  check in a file that somebody made by hand. */
const char *column_text_or_empty(struct stmt *stmt, int column);
/** A copy of that in the arena; NULL: there is no memory left. */
char *column_copy(struct stmt *stmt, int column, struct arena *arena);
const void *column_blob(struct stmt *stmt, int column, size_t *len);
/** False, and the digest as it was, for NULL and for what is no SHA-256. */
bool column_digest(struct stmt *stmt, int column,
		   uint8_t digest[WH_SHA256_SIZE]);
/** Its hex digits, or "". */
bool column_hex(struct stmt *stmt, int column, char hex[WH_ID_SIZE]);

/* ---- Large values (db_blob.c) ------------------------------------------ */

/** A row's value. As long as it is open all that the connection reads is of one
 *  state of the file: no other program commits.
 *	AUTO_BLOB blob = {0}; */
struct blob {
	struct db *db;
	struct sqlite3_blob *handle;
};
#define AUTO_BLOB struct blob __attribute__((cleanup(blob_close)))

/** `*there` is false, and nothing open, where no row has the id. */
enum wh_status blob_open(struct db *db, const char *table, const char *column,
			 int64_t id, struct blob *blob, bool *there,
			 struct wh_error *err);
size_t blob_size(const struct blob *blob);
/** All of it, to `out`. */
enum wh_status blob_read(const struct blob *blob, uint8_t *out,
			 struct wh_error *err);
void blob_close(struct blob *blob);

/** All rows of a statement that binds nothing and whose first `n_columns` are
 *  texts, none of them NULL: one row after the other, in the arena. */
enum wh_status db_texts(struct db *db, enum statement which, int n_columns,
			struct arena *arena, const char *const **texts,
			size_t *n_rows, struct wh_error *err);

/* ---- Rows from memory (db_rows.c) --------------------------------------- */

/** One of many rows that a statement takes from temp.wh_rows(?1), columns c1 to
 *  c11: empty when it is filled. What is set here lives until the next row. */
struct row;
#define ROW_MAX_CELLS 11

void row_integer(struct row *row, int index, int64_t value); /* from 1 */
void row_real(struct row *row, int index, double value);     /* NaN is NULL */
void row_text(struct row *row, int index, const char *text); /* or NULL */
void row_blob(struct row *row, int index, const void *bytes, size_t len);

struct rows {
	uint32_t n;
	/** Called once for each, in order; false: leave it out. */
	bool (*fill)(void *arg, uint32_t i, struct row *row);
	void *arg;
};

/** Runs the statement, whose first parameter is ?1, over all rows. Of many a
 *  failure leaves some: the transaction must come to nothing then. */
enum wh_status step_rows(struct stmt *stmt, struct rows *rows,
			 struct wh_error *err);

/** The first of `n` new ids, by a statement that tells the last one.
 *  WH_ECORRUPT where there are no more. */
enum wh_status step_next_id(struct stmt *stmt, uint32_t n, int64_t *first,
			    struct wh_error *err);

/** What others have committed: while a handle's mark is the same, nobody but
 *  itself has changed the store. Asked within a transaction. */
enum wh_status db_mark(struct db *db, int64_t *mark, struct wh_error *err);
#define MARK_NONE INT64_C(-1) /* no store's */

/** Rows that the last INSERT, UPDATE or DELETE changed. */
int64_t db_changes(struct db *db);

/** Statements that are no queries: pragmas, migrations. One or several. */
enum wh_status db_exec(struct db *db, const char *sql, struct wh_error *err);

/* ---- Transactions ------------------------------------------------------ */

/** A guard that rolls back unless it was committed:
 *	struct transaction tx __attribute__((cleanup(transaction_end))) = {0};
 *	WH_TRY(transaction_begin(&tx, db, err)); ... transaction_commit(&tx) */
struct transaction {
	struct db *db; /* NULL: not open */
	bool trusted;
};
#define AUTO_TRANSACTION                                                       \
	struct transaction __attribute__((cleanup(transaction_end)))

/** Takes the turn lock and begins to write. WH_EINVAL where the store is open
 *  for reading only; WH_EBUSY. */
enum wh_status transaction_begin(struct transaction *tx, struct db *db,
				 struct wh_error *err);
/** A consistent view over several reads. */
enum wh_status transaction_read(struct transaction *tx, struct db *db,
				struct wh_error *err);
/** The same for a batch of chunks, of the very file that is open, also where
 *  its path names another one by now: storages are known by their numbers. */
enum wh_status transaction_batch(struct transaction *tx, struct db *db,
				 struct wh_error *err);
/** From here on no trigger runs, until it is said otherwise or the transaction
 *  ends. For many plain INSERTs of facts, of which the triggers only say once
 *  more what unique keys and the caller have made sure of: they take half of
 *  the time. */
void transaction_trust(struct transaction *tx, bool trusted);
enum wh_status transaction_commit(struct transaction *tx, struct wh_error *err);
void transaction_end(struct transaction *tx);

/** Asks the kernel to begin writing what was appended, every 16 MiB. Only a
 *  hint, within a long transaction; the first call marks the start. */
void db_write_behind(struct db *db);

/** A reader's turn, for a batch of chunks; ends with db_unlock. Never fails:
 *  it only spares readers and writers SQLite's back-off. */
void db_lock_shared(struct db *db);
void db_unlock(struct db *db);

/** Locks a byte of the lock file through a descriptor of its own, until that
 *  is closed or the process ends. */
enum wh_status db_lock_byte(struct db *db, int64_t byte, int *fd,
			    struct wh_error *err);
/** Whether anyone, this process included, has locked it. */
enum wh_status db_test_byte(struct db *db, int64_t byte, bool *locked,
			    struct wh_error *err);

/* ---- The whole file (db_file.c) ----------------------------------------- */

enum wh_status db_file_size(struct db *db, uint64_t *nbytes,
			    struct wh_error *err);
/** Whether SQLite can count the pages of a table: the table dbstat. */
bool db_counts_pages(void);
/** Gives free pages back to the file system if they are a quarter of the file,
 *  in turns of their own. */
enum wh_status db_give_back(struct db *db, struct wh_error *err);
/** Rewrites the file without gaps, with pages of the size that it now merits.
 *  Takes as much room again among the temporary files, and in the journal. */
enum wh_status db_compact(struct db *db, struct wh_error *err);
/** A whole copy at `path`, which must not be there: WH_EEXISTS. */
enum wh_status db_backup(struct db *db, const char *path, struct wh_error *err);

/** Pages of this size, if the store is still empty: VACUUM. */
enum wh_status db_set_page_size(struct db *db, unsigned bytes,
				struct wh_error *err);

/* ---- Free queries (db_query.c) ----------------------------------------- */

/* weighhouse/store.h */
struct wh_cell;
struct wh_sql_options;
typedef int db_row_fn(void *arg, int n_columns, const char *const *names,
		      const struct wh_cell *cells);
/** One read-only statement under an authorizer and a time limit; `options`
 *  NULL: the defaults. */
enum wh_status db_query(struct db *db, const char *sql,
			const struct wh_sql_options *options, db_row_fn *fn,
			void *arg, struct wh_error *err);
/* ---- Pages (db_pages.c) -------------------------------------------------- */

typedef bool db_go_on_fn(void *arg);
struct db_page_check {
	/** Of all tables but the chunks', whose rows are the whole file. */
	bool but_chunks;
	db_go_on_fn *go_on; /* asked ten times a second, or NULL */
	void (*tell)(void *arg, const char *line); /* what is wrong */
	void *arg;
};
/** SQLite's own check of the file's pages. WH_ECANCELLED. */
enum wh_status db_check_pages(struct db *db, const struct db_page_check *how,
			      struct wh_error *err);

#endif
