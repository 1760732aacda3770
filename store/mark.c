#include "mark.h"

#define MAX_DEPTH 1000 /* far above what codecs make */

void marks_free(struct marks *marks)
{
	bitmap_free(&marks->trees);
	bitmap_free(&marks->layers);
	bitmap_free(&marks->templates);
	bitmap_free(&marks->tensors);
	bitmap_free(&marks->storages);
}

/* Bases and contexts, to the end of the chain: along bases by going on, into
 * contexts by going deeper. */
static enum wh_status mark_storage(struct marks *marks, struct db *db,
				   int64_t storage, int depth,
				   struct wh_error *err)
{
	if (depth > MAX_DEPTH)
		return wh_fail(err, WH_ECORRUPT,
			       "a chain of coded tensors is too long");
	while (storage) {
		int64_t base, context;
		struct stmt *stmt;
		bool was;

		WH_TRY(bitmap_set(&marks->storages, storage, &was, err));
		if (was)
			return WH_OK;
		WH_TRY(db_stmt(db, STMT_MARK_STORAGE, &stmt, err));
		stmt_integer(stmt, 1, storage);
		WH_TRY(step_row(stmt, err));
		base = column_integer(stmt, 0);
		context = column_integer(stmt, 1);
		marks->stored_bytes += (uint64_t)column_integer(stmt, 2);
		stmt_reset(stmt);
		WH_TRY(mark_storage(marks, db, context, depth + 1, err));
		storage = base;
	}
	return WH_OK;
}

static enum wh_status mark_tensor(struct marks *marks, struct db *db,
				  int64_t tensor, struct wh_error *err)
{
	struct stmt *stmt;
	int64_t storage;
	bool was;

	WH_TRY(bitmap_set(&marks->tensors, tensor, &was, err));
	if (was)
		return WH_OK;
	marks->n_tensors++;
	WH_TRY(db_stmt(db, STMT_MARK_TENSOR, &stmt, err));
	stmt_integer(stmt, 1, tensor);
	WH_TRY(step_row(stmt, err));
	storage = column_integer(stmt, 0);
	stmt_reset(stmt);
	return mark_storage(marks, db, storage, 0, err);
}

static enum wh_status mark_layer(struct marks *marks, struct db *db,
				 int64_t layer, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool was, row;

	WH_TRY(bitmap_set(&marks->layers, layer, &was, err));
	if (was)
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_MARK_VARIABLES, &stmt, err));
	stmt_integer(stmt, 1, layer);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(mark_tensor(marks, db, column_integer(stmt, 0), err));
	}
	return WH_OK;
}

/* Two tensors that a row names, each or NULL. */
static enum wh_status mark_pair(struct marks *marks, struct db *db,
				enum statement which, int64_t row_id,
				struct wh_error *err)
{
	int64_t tensors[2];
	struct stmt *stmt;
	int i;

	WH_TRY(db_stmt(db, which, &stmt, err));
	stmt_integer(stmt, 1, row_id);
	WH_TRY(step_row(stmt, err));
	tensors[0] = column_integer(stmt, 0);
	tensors[1] = column_integer(stmt, 1);
	stmt_reset(stmt);
	for (i = 0; i < 2; i++)
		if (tensors[i])
			WH_TRY(mark_tensor(marks, db, tensors[i], err));
	return WH_OK;
}

static enum wh_status mark_tree(struct marks *marks, struct db *db,
				int64_t tree, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool was, row;

	WH_TRY(bitmap_set(&marks->trees, tree, &was, err));
	if (was)
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_MARK_LAYERS, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(mark_layer(marks, db, column_integer(stmt, 0), err));
	}
	stmt_reset(stmt);
	return mark_pair(marks, db, STMT_MARK_TEXTS, tree, err);
}

enum wh_status marks_add(struct marks *marks, struct db *db, int64_t tree,
			 int64_t template_id, struct wh_error *err)
{
	bool was = true;

	WH_TRY(mark_tree(marks, db, tree, err));
	if (template_id)
		WH_TRY(bitmap_set(&marks->templates, template_id, &was, err));
	if (was)
		return WH_OK;
	return mark_pair(marks, db, STMT_MARK_TEMPLATE, template_id, err);
}
