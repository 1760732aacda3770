#include "gc.h"

#include "mark.h"
#include "ref.h"

/* What would go: all that marking from the snapshots that stay does not
 * reach. Commits under way are counted as if they were dead. */
static enum wh_status mark_living(struct gc *gc, struct marks *marks,
				  struct wh_error *err)
{
	struct {
		int64_t id, tree, template_id;
		bool goes;
	} batch[256];
	AUTO_STMT *stmt = NULL;
	int64_t above = 0;
	size_t n, i;
	bool row;

	do {
		n = 0;
		WH_TRY(db_stmt(gc->db, STMT_MARK_SNAPSHOTS, &stmt, err));
		stmt_integer(stmt, 1, above);
		while (n < 256) {
			WH_TRY(stmt_step(stmt, &row, err));
			if (!row)
				break;
			batch[n].id = column_integer(stmt, 0);
			batch[n].tree = column_integer(stmt, 1);
			batch[n].template_id = column_integer(stmt, 2);
			batch[n++].goes =
				!column_is_null(stmt, 3) &&
				column_integer(stmt, 3) <= gc->forgotten_by;
		}
		stmt_reset(stmt);
		for (i = 0; i < n; i++) {
			above = batch[i].id;
			gc->result.n_snapshots += batch[i].goes;
			if (!batch[i].goes)
				WH_TRY(marks_add(marks, gc->db, batch[i].tree,
						 batch[i].template_id, err));
		}
	} while (n);
	return WH_OK;
}

static enum wh_status count_unmarked(struct gc *gc, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct marks marks = {0};
	enum wh_status status;
	struct stmt *stmt;

	WH_TRY(transaction_read(&tx, gc->db, err));
	status = mark_living(gc, &marks, err);
	marks_free(&marks);
	if (status)
		return status;
	WH_TRY(db_stmt(gc->db, STMT_MARK_ALL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	gc->result.n_tensors =
		(uint64_t)column_integer(stmt, 0) - marks.n_tensors;
	gc->result.freed_bytes =
		(uint64_t)column_integer(stmt, 1) - marks.stored_bytes;
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status count_all(struct gc *gc, struct wh_error *err)
{
	WH_TRY(count_unmarked(gc, err));
	return gc->options->deep ? gc_deepen(gc, err) : WH_OK;
}

static enum wh_status collect(struct gc *gc, struct wh_error *err)
{
	WH_TRY(gc_end_leases(gc, err));
	WH_TRY(gc_sweep(gc, err));
	if (gc->options->deep)
		WH_TRY(gc_deepen(gc, err));
	if (gc->options->compact)
		return db_compact(gc->db, err);
	return db_give_back(gc->db, err);
}

static enum wh_status count_waiting(struct gc *gc, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(gc->db, STMT_GC_WAITING, &stmt, err));
	stmt_integer(stmt, 1, gc->forgotten_by);
	WH_TRY(step_row(stmt, err));
	gc->result.n_waiting = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status wh_gc(struct wh_store *store,
		     const struct wh_gc_options *options,
		     struct wh_gc_result *result, struct wh_error *err)
{
	static const struct wh_gc_options defaults;
	struct gc gc = {.db = store->db,
			.options = options ? options : &defaults};

	gc.forgotten_by =
		ref_now() -
		(gc.options->has_grace ? gc.options->grace_s : WH_GRACE_S);
	WH_TRY(gc.options->dry_run ? count_all(&gc, err) : collect(&gc, err));
	WH_TRY(count_waiting(&gc, err));
	WH_TRY(db_file_size(gc.db, &gc.result.file_bytes, err));
	if (result)
		*result = gc.result;
	return WH_OK;
}

enum wh_status wh_backup(struct wh_store *store, const char *path,
			 struct wh_error *err)
{
	return db_backup(store->db, path, err);
}
