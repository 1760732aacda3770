#include "tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store.h"

void tensor_shape_text(const struct wh_tensor *tensor,
		       char text[SHAPE_TEXT_SIZE])
{
	size_t used = 0;
	uint32_t i;

	text[used++] = '[';
	for (i = 0; i < tensor->rank; i++) {
		if (i)
			text[used++] = ',';
		used += text_decimal(tensor->shape[i], text + used);
	}
	text[used++] = ']';
	text[used] = '\0';
}

static enum wh_status bad_shape(const char *text, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a stored shape is '%.60s'", text);
}

enum wh_status tensor_parse_shape(const char *text, struct arena *arena,
				  uint32_t *rank, const uint64_t **shape,
				  struct wh_error *err)
{
	uint64_t dims[WH_MAX_RANK], *copy;
	const char *at = text;
	uint32_t n = 0;
	char *end;

	if (*at++ != '[')
		return bad_shape(text, err);
	while (*at != ']') {
		if (n == WH_MAX_RANK || *at < '0' || *at > '9')
			return bad_shape(text, err);
		dims[n++] = strtoull(at, &end, 10);
		at = end;
		if (*at == ',' && at[1] != ']')
			at++;
		else if (*at != ']')
			return bad_shape(text, err);
	}
	if (at[1])
		return bad_shape(text, err);
	copy = arena_alloc(arena, n, sizeof(*copy));
	if (!copy)
		return wh_fail_memory(err);
	if (n)
		memcpy(copy, dims, n * sizeof(*copy));
	*rank = n;
	*shape = copy;
	return WH_OK;
}

enum wh_status tensor_find(struct db *db, const struct wh_tensor *tensor,
			   int64_t *id, struct wh_error *err)
{
	char shape[SHAPE_TEXT_SIZE];
	struct stmt *stmt;

	tensor_shape_text(tensor, shape);
	WH_TRY(db_stmt(db, STMT_TENSOR_FIND, &stmt, err));
	stmt_blob(stmt, 1, tensor->sha256, sizeof(tensor->sha256));
	stmt_text(stmt, 2, wh_dtype_name(tensor->dtype));
	stmt_text(stmt, 3, shape);
	return step_id(stmt, id, err);
}

struct inserting {
	const struct new_tensor *tensors;
	char shape[SHAPE_TEXT_SIZE]; /* of the row under way */
};

static bool fill_tensor(void *arg, uint32_t i, struct row *row)
{
	struct inserting *inserting = arg;
	const struct new_tensor *added = &inserting->tensors[i];
	const struct wh_tensor *tensor = added->tensor;

	tensor_shape_text(tensor, inserting->shape);
	row_integer(row, 1, added->id);
	row_blob(row, 2, tensor->sha256, sizeof(tensor->sha256));
	row_text(row, 3, wh_dtype_name(tensor->dtype));
	row_text(row, 4, inserting->shape);
	row_integer(row, 5, (int64_t)tensor->nbytes);
	row_integer(row, 6, tensor->crc32c);
	row_integer(row, 7, tensor->crc32);
	row_integer(row, 8, added->storage);
	return true;
}

static bool fill_statistics(void *arg, uint32_t i, struct row *row)
{
	struct inserting *inserting = arg;
	const struct new_tensor *added = &inserting->tensors[i];
	const struct wh_statistics *s = &added->tensor->statistics;
	const double figures[] = {s->min, s->max, s->mean, s->std, s->l2};
	int k;

	if (!added->tensor->has_statistics)
		return false;
	row_integer(row, 1, added->id);
	row_integer(row, 2, STATISTICS_VERSION);
	row_integer(row, 3, (int64_t)s->n_elements);
	row_integer(row, 4, (int64_t)s->n_zero);
	row_integer(row, 5, (int64_t)s->n_nan);
	row_integer(row, 6, (int64_t)s->n_inf);
	for (k = 0; k < 5; k++)
		row_real(row, 7 + k, figures[k]); /* NaN becomes NULL */
	return true;
}

enum wh_status tensor_insert(struct db *db, struct new_tensor *tensors,
			     uint32_t n, struct wh_error *err)
{
	struct inserting inserting = {.tensors = tensors};
	struct rows rows = {.n = n, .fill = fill_tensor, .arg = &inserting};
	struct stmt *stmt;
	int64_t first;
	uint32_t i;

	if (!n)
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_TENSOR_LAST, &stmt, err));
	WH_TRY(step_next_id(stmt, n, &first, err));
	for (i = 0; i < n; i++)
		tensors[i].id = first + i;
	WH_TRY(db_stmt(db, STMT_TENSOR_INSERT, &stmt, err));
	WH_TRY(step_rows(stmt, &rows, err));
	WH_TRY(db_stmt(db, STMT_STATISTICS_INSERT, &stmt, err));
	rows.fill = fill_statistics;
	return step_rows(stmt, &rows, err);
}

enum wh_status tensor_locate(struct db *db, int64_t id, int64_t *storage,
			     uint64_t *nbytes, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_TENSOR_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	*nbytes = (uint64_t)column_integer(stmt, 3);
	*storage = column_integer(stmt, 6);
	stmt_reset(stmt);
	return WH_OK;
}

static double figure(struct stmt *stmt, int column)
{
	return column_is_null(stmt, column) ? (double)NAN
					    : column_real(stmt, column);
}

void tensor_statistics_columns(struct stmt *stmt, int column,
			       struct wh_tensor *tensor)
{
	struct wh_statistics *s = &tensor->statistics;

	if (column_is_null(stmt, column))
		return;
	s->n_elements = (uint64_t)column_integer(stmt, column);
	s->n_zero = (uint64_t)column_integer(stmt, column + 1);
	s->n_nan = (uint64_t)column_integer(stmt, column + 2);
	s->n_inf = (uint64_t)column_integer(stmt, column + 3);
	s->min = figure(stmt, column + 4);
	s->max = figure(stmt, column + 5);
	s->mean = figure(stmt, column + 6);
	s->std = figure(stmt, column + 7);
	s->l2 = figure(stmt, column + 8);
	tensor->has_statistics = true;
	tensor->weighed |= WH_STATISTICS;
}

enum wh_status tensor_statistics(struct db *db, int64_t id,
				 struct wh_tensor *tensor, struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_STATISTICS_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row)
		tensor_statistics_columns(stmt, 0, tensor);
	stmt_reset(stmt);
	return WH_OK;
}
