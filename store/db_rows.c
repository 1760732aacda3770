/* Rows that a statement takes from memory, as SQLite's virtual table wh_rows:
 *
 *	INSERT INTO t(a, b) SELECT c1, c2 FROM temp.wh_rows(?1);
 *
 * A module's own table is of no schema, and found where the one that is named
 * has no such table: the connection's own, "temp", never does, while a user may
 * have made a view of this name.
 *
 * One statement for all of them: to bind, begin and end one for each takes as
 * long as to put a row into a table and an index. A pointer can't be made up
 * in SQL: for whoever names the table otherwise, it is empty.
 */
#include "db_internal.h"

#include <stdlib.h>

#define POINTER_KIND "wh_rows"

enum kind { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT, CELL_BLOB };

struct cell {
	enum kind kind;
	union {
		int64_t integer;
		double real;
		const void *bytes;
	};
	size_t len;
};

struct row {
	struct cell cells[ROW_MAX_CELLS];
};

struct cursor {
	sqlite3_vtab_cursor base;
	const struct rows *rows; /* NULL: there are none */
	uint32_t at;
	struct row row; /* at `at` */
};

void row_integer(struct row *row, int index, int64_t value)
{
	row->cells[index - 1] =
		(struct cell){.kind = CELL_INTEGER, .integer = value};
}

void row_real(struct row *row, int index, double value)
{
	row->cells[index - 1] = (struct cell){.kind = CELL_REAL, .real = value};
}

void row_text(struct row *row, int index, const char *text)
{
	row->cells[index - 1] = (struct cell){
		.kind = text ? CELL_TEXT : CELL_NULL, .bytes = text};
}

void row_blob(struct row *row, int index, const void *bytes, size_t len)
{
	row->cells[index - 1] = (struct cell){
		.kind = CELL_BLOB, .bytes = len ? bytes : "", .len = len};
}

static int connect(sqlite3 *handle, void *aux, int argc,
		   const char *const *argv, sqlite3_vtab **table, char **text)
{
	int code = sqlite3_declare_vtab(
		handle, "CREATE TABLE wh_rows(c1, c2, c3, c4, c5, c6, c7, c8, "
			"c9, c10, c11, rows HIDDEN)");

	(void)aux, (void)argc, (void)argv, (void)text;
	if (code)
		return code;
	*table = sqlite3_malloc(sizeof(**table));
	if (!*table)
		return SQLITE_NOMEM;
	**table = (sqlite3_vtab){0};
	return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* Only by its argument. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	int i;

	(void)table;
	for (i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn != ROW_MAX_CELLS ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
	}
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct cursor *cursor = sqlite3_malloc(sizeof(*cursor));

	(void)table;
	if (!cursor)
		return SQLITE_NOMEM;
	*cursor = (struct cursor){0};
	*out = &cursor->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
	const struct cursor *cursor = (const struct cursor *)base;

	return !cursor->rows || cursor->at >= cursor->rows->n;
}

/* From `at` on. */
static void find_row(struct cursor *cursor)
{
	const struct rows *rows = cursor->rows;

	for (; !at_end(&cursor->base); cursor->at++) {
		cursor->row = (struct row){0};
		if (rows->fill(rows->arg, cursor->at, &cursor->row))
			return;
	}
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *name,
		  int argc, sqlite3_value **argv)
{
	struct cursor *cursor = (struct cursor *)base;

	(void)plan, (void)name;
	cursor->rows =
		argc ? sqlite3_value_pointer(argv[0], POINTER_KIND) : NULL;
	cursor->at = 0;
	find_row(cursor);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	cursor->at++;
	find_row(cursor);
	return SQLITE_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context,
		  int index)
{
	const struct cursor *cursor = (const struct cursor *)base;
	const struct cell *cell;

	if (index >= ROW_MAX_CELLS)
		return SQLITE_OK; /* its argument */
	cell = &cursor->row.cells[index];
	switch (cell->kind) {
	case CELL_NULL:
		break;
	case CELL_INTEGER:
		sqlite3_result_int64(context, cell->integer);
		break;
	case CELL_REAL:
		sqlite3_result_double(context, cell->real);
		break;
	case CELL_TEXT:
		sqlite3_result_text(context, cell->bytes, -1, SQLITE_STATIC);
		break;
	case CELL_BLOB:
		sqlite3_result_blob64(context, cell->bytes, cell->len,
				      SQLITE_STATIC);
		break;
	}
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id)
{
	*id = ((const struct cursor *)base)->at;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = connect,
	.xDisconnect = disconnect,
	.xBestIndex = best_index,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_end,
	.xColumn = column,
	.xRowid = rowid,
};

int db_add_rows(sqlite3 *handle)
{
	return sqlite3_create_module(handle, "wh_rows", &module, NULL);
}

enum wh_status step_rows(struct stmt *stmt, struct rows *rows,
			 struct wh_error *err)
{
	if (!rows->n) {
		stmt_reset(stmt);
		return WH_OK;
	}
	sqlite3_bind_pointer(stmt->handle, 1, rows, POINTER_KIND, NULL);
	return step_done(stmt, err);
}

enum wh_status step_next_id(struct stmt *stmt, uint32_t n, int64_t *first,
			    struct wh_error *err)
{
	int64_t last;

	WH_TRY(step_row(stmt, err));
	last = column_integer(stmt, 0);
	stmt_reset(stmt);
	if (last < 0 || last > INT64_MAX - 1 - n)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s': ids have come to an end", stmt->db->path);
	*first = last + 1;
	return WH_OK;
}
