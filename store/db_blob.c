/* Large values, read into memory of the caller's. A statement's column is a
 * copy in memory of SQLite's own instead, which is found anew for each row. */
#include "db_internal.h"

enum wh_status blob_open(struct db *db, const char *table, const char *column,
			 int64_t id, struct blob *blob, bool *there,
			 struct wh_error *err)
{
	int code;

	WH_TRY(db_check_process(db, err));
	code = sqlite3_blob_open(db->handle, "main", table, column, id, 0,
				 &blob->handle);
	*there = code != SQLITE_ERROR; /* what SQLite says of no such row */
	if (code && *there)
		return db_failed(db, code, err);
	blob->db = db;
	return WH_OK;
}

size_t blob_size(const struct blob *blob)
{
	return (size_t)sqlite3_blob_bytes(blob->handle);
}

enum wh_status blob_read(const struct blob *blob, uint8_t *out,
			 struct wh_error *err)
{
	int n = sqlite3_blob_bytes(blob->handle), code = SQLITE_OK;

	if (n)
		code = sqlite3_blob_read(blob->handle, out, n, 0);
	return code ? db_failed(blob->db, code, err) : WH_OK;
}

void blob_close(struct blob *blob)
{
	sqlite3_blob_close(blob->handle);
	blob->handle = NULL;
}
