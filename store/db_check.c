/* Is this a store of ours? Asked before anything in the file is trusted.
 *
 * The header is read as bytes first: offset 0 the magic, 60 user_version, 68
 * application_id, both big-endian (SQLite, "Database File Format", 1.3). Then
 * tables, indexes and triggers must have the very texts that the migrations
 * give: a foreign trigger would run inside our transactions. What they give is
 * found out when the library is built (tools/embed_sql.py).
 */
#include "db_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE	  100
#define AT_USER_VERSION	  60
#define AT_APPLICATION_ID 68

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static enum wh_status no_store(const char *path, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "'%s' is not a weighhouse store",
		       path);
}

enum wh_status db_check_file(const char *path, struct wh_error *err)
{
	struct stat at;

	if (stat(path, &at) || access(path, R_OK))
		return wh_fail_errno(err, errno, "store '%s'", path);
	if (S_ISDIR(at.st_mode))
		return wh_fail_errno(err, EISDIR, "store '%s'", path);
	return S_ISREG(at.st_mode) ? WH_OK : no_store(path, err);
}

/* Through SQLite's own descriptor: closing another one of the same file would
 * drop the POSIX locks that other handles of this process hold on it. */
static enum wh_status read_header(struct db *db, uint8_t header[HEADER_SIZE],
				  struct wh_error *err)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(db->handle, "main",
					SQLITE_FCNTL_FILE_POINTER, &file);

	if (!code && file && file->pMethods)
		code = file->pMethods->xRead(file, header, HEADER_SIZE, 0);
	if (code == SQLITE_IOERR_SHORT_READ)
		return no_store(db->path, err);
	return code ? db_failed(db, code, err) : WH_OK;
}

static enum wh_status check_version(const char *path, uint32_t version,
				    struct wh_error *err)
{
	if (version > N_MIGRATIONS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' was written by a newer version of "
			       "weighhouse (schema %u; this one knows %d)",
			       path, version, N_MIGRATIONS);
	if (version == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is a store that was never finished", path);
	return WH_OK;
}

enum wh_status db_check_header(struct db *db, struct wh_error *err)
{
	uint8_t header[HEADER_SIZE] = {0};

	WH_TRY(read_header(db, header, err));
	if (memcmp(header, "SQLite format 3", 16) != 0)
		return no_store(db->path, err);
	if (get_be32(header + AT_APPLICATION_ID) != DB_APPLICATION_ID)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is an SQLite file of another program",
			       db->path);
	return check_version(db->path, get_be32(header + AT_USER_VERSION), err);
}

/* The user's are tables `user_*`, which have pages (virtual ones have none),
 * and their indexes. SQLite itself refuses an index whose row says another
 * table than its text. */
#define LIST_SCHEMA                                                            \
	"SELECT type, name, coalesce(sql, '') FROM sqlite_schema "             \
	"WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' "                    \
	"AND NOT (type = 'table' AND rootpage > 0 "                            \
	"         AND name LIKE 'user\\_%' ESCAPE '\\') "                      \
	"AND NOT (type = 'index' AND tbl_name LIKE 'user\\_%' ESCAPE '\\') "   \
	"ORDER BY type, name"

static bool is_row(sqlite3_stmt *stmt, const struct schema_row *row)
{
	const char *const expected[] = {row->type, row->name, row->text};
	int i;

	for (i = 0; i < 3; i++) {
		const char *found = (const char *)sqlite3_column_text(stmt, i);

		if (!found || !expected[i] || strcmp(found, expected[i]) != 0)
			return false;
	}
	return true;
}

/* What was met so far of a schema that should be `expected`. */
struct comparison {
	const struct schema *expected;
	bool equal;
	int n, n_views; /* rows; views of ours */
};

static void compare_row(struct comparison *met, sqlite3_stmt *stmt)
{
	const char *type = (const char *)sqlite3_column_text(stmt, 0);
	int i;

	if (!type || strcmp(type, "view") != 0) {
		met->equal = met->equal && met->n < met->expected->n &&
			     is_row(stmt, &met->expected->rows[met->n]);
		met->n++;
		return;
	}
	for (i = 0; i < N_VIEWS; i++)
		met->n_views += is_row(stmt, &schema_views[i]);
}

static enum wh_status compare_schema(struct db *db, struct comparison *met,
				     struct wh_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, LIST_SCHEMA, -1, &stmt, NULL);

	if (!code)
		while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
			compare_row(met, stmt);
	sqlite3_finalize(stmt);
	return code == SQLITE_DONE ? WH_OK : db_failed(db, code, err);
}

enum wh_status db_read_version(struct db *db, struct wh_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1,
				      &stmt, NULL);

	if (!code)
		code = sqlite3_step(stmt);
	db->version = code == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? WH_OK : db_failed(db, code, err);
}

static enum wh_status check_schema(struct db *db, bool *views,
				   struct wh_error *err)
{
	struct comparison met = {.equal = true};

	/* The header may be of a migration that was cut, and that SQLite has
	 * now taken back. */
	WH_TRY(db_read_version(db, err));
	WH_TRY(check_version(db->path, (uint32_t)db->version, err));
	met.expected = &schemas[db->version - 1];
	WH_TRY(compare_schema(db, &met, err));
	if (!met.equal || met.n != met.expected->n)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' has a schema that weighhouse did not "
			       "write",
			       db->path);
	*views = db->version == N_MIGRATIONS && met.n_views == N_VIEWS;
	return WH_OK;
}

/* In one transaction: somebody may be migrating. */
enum wh_status db_check_schema(struct db *db, bool *views, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(db_exec(db, "BEGIN", err));
	status = check_schema(db, views, err);
	sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return status;
}
