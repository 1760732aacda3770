/* Is this a store of ours? Asked before anything in the file is trusted.
 *
 * The header is read as bytes first: offset 0 the magic, 60 user_version, 68
 * application_id, both big-endian (SQLite, "Database File Format", 1.3). Then
 * tables, indexes and triggers must have the very texts that the migrations
 * give: a foreign trigger would run inside our transactions.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

#define HEADER_SIZE	  100
#define AT_USER_VERSION	  60
#define AT_APPLICATION_ID 68

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

enum wh_status db_check_header(const char *path, int *user_version,
			       struct wh_error *err)
{
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t header[HEADER_SIZE];
	ssize_t got;
	uint32_t version;

	if (fd < 0)
		return wh_fail_errno(err, errno, "store '%s'", path);
	got = pread(fd, header, sizeof(header), 0);
	if (got < 0)
		return wh_fail_errno(err, errno, "store '%s'", path);
	if (got < HEADER_SIZE || memcmp(header, "SQLite format 3", 16) != 0)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is not a weighhouse store", path);
	if (get_be32(header + AT_APPLICATION_ID) != DB_APPLICATION_ID)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is an SQLite file of another program",
			       path);
	version = get_be32(header + AT_USER_VERSION);
	if (version > N_MIGRATIONS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' was written by a newer version of "
			       "weighhouse (schema %u; this one knows %d)",
			       path, version, N_MIGRATIONS);
	if (version == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is a store that was never finished", path);
	*user_version = (int)version;
	return WH_OK;
}

/* A fresh database in memory with the schema of that version, and the views of
 * this one. */
static enum wh_status open_model(int user_version, sqlite3 **model,
				 struct wh_error *err)
{
	int i, code = sqlite3_open(":memory:", model);

	for (i = 0; !code && i < user_version; i++)
		code = sqlite3_exec(*model, migrations[i], NULL, NULL, NULL);
	for (i = 0; !code && user_version == N_MIGRATIONS && i < N_VIEWS; i++)
		code = sqlite3_exec(*model, view_texts[i].text, NULL, NULL,
				    NULL);
	if (!code)
		return WH_OK;
	sqlite3_close(*model);
	return wh_fail(err, WH_ENOMEM, "the schema can't be built (%s)",
		       sqlite3_errstr(code));
}

/* The user's are tables `user_*`, which have pages (virtual ones have none),
 * and their indexes. SQLite itself refuses an index whose row says another
 * table than its text. */
#define LIST_SCHEMA                                                            \
	"SELECT type, name, coalesce(sql, '') FROM sqlite_schema "             \
	"WHERE type <> 'view' AND name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' " \
	"AND NOT (type = 'table' AND rootpage > 0 "                            \
	"         AND name LIKE 'user\\_%' ESCAPE '\\') "                      \
	"AND NOT (type = 'index' AND tbl_name LIKE 'user\\_%' ESCAPE '\\') "   \
	"ORDER BY type, name"

#define GET_VIEW                                                               \
	"SELECT type, name, sql FROM sqlite_schema "                           \
	"WHERE type = 'view' AND name = ?1"

static bool rows_equal(sqlite3_stmt *a, sqlite3_stmt *b)
{
	int i;

	for (i = 0; i < 3; i++) {
		const unsigned char *x = sqlite3_column_text(a, i);
		const unsigned char *y = sqlite3_column_text(b, i);

		if (!x || !y || strcmp((const char *)x, (const char *)y) != 0)
			return false;
	}
	return true;
}

static int step_both(sqlite3_stmt *ours, sqlite3_stmt *theirs, bool *equal)
{
	int a, b;

	do {
		a = sqlite3_step(ours);
		b = sqlite3_step(theirs);
		*equal =
			a == b && (a != SQLITE_ROW || rows_equal(ours, theirs));
	} while (*equal && a == SQLITE_ROW);
	return b == SQLITE_ROW ? SQLITE_DONE : b;
}

/* Whether a query gives the same rows on both; `name` is its ?1, or NULL. */
static enum wh_status compare(struct db *db, sqlite3 *model, const char *query,
			      const char *name, bool *equal,
			      struct wh_error *err)
{
	sqlite3_stmt *ours = NULL, *theirs = NULL;
	enum wh_status status = WH_OK;
	int code = sqlite3_prepare_v2(db->handle, query, -1, &theirs, NULL);

	if (!code)
		code = sqlite3_prepare_v2(model, query, -1, &ours, NULL);
	if (!code && name) {
		sqlite3_bind_text(theirs, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(ours, 1, name, -1, SQLITE_STATIC);
	}
	if (!code)
		code = step_both(ours, theirs, equal);
	if (code != SQLITE_OK && code != SQLITE_DONE)
		status = db_failed(db, code, err);
	sqlite3_finalize(ours);
	sqlite3_finalize(theirs);
	return status;
}

static enum wh_status compare_views(struct db *db, sqlite3 *model, bool *equal,
				    struct wh_error *err)
{
	int i;

	*equal = true;
	for (i = 0; i < N_VIEWS && *equal; i++)
		WH_TRY(compare(db, model, GET_VIEW, view_texts[i].name, equal,
			       err));
	return WH_OK;
}

enum wh_status db_check_schema(struct db *db, int user_version, bool *views,
			       struct wh_error *err)
{
	enum wh_status status;
	bool equal = false;
	sqlite3 *model;

	WH_TRY(open_model(user_version, &model, err));
	status = compare(db, model, LIST_SCHEMA, NULL, &equal, err);
	if (!status && !equal)
		status = wh_fail(err, WH_ECORRUPT,
				 "'%s' has a schema that weighhouse did not "
				 "write",
				 db->path);
	if (!status)
		status = compare_views(db, model, views, err);
	sqlite3_close(model);
	return status;
}
