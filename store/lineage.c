#include "lineage.h"

#include "store.h"

static enum wh_status find_range(struct db *db, int64_t snapshot, bool *found,
				 struct lineage_range *range,
				 struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_LINEAGE_GET, &stmt, err));
	stmt_integer(stmt, 1, snapshot);
	WH_TRY(stmt_step(stmt, found, err));
	if (*found) {
		range->line = column_integer(stmt, 0);
		range->generation = column_integer(stmt, 1);
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status is_taken(struct db *db, int64_t line, int64_t generation,
			       bool *taken, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_LINEAGE_AT, &stmt, err));
	stmt_integer(stmt, 1, line);
	stmt_integer(stmt, 2, generation);
	WH_TRY(stmt_step(stmt, taken, err));
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status begin_line(struct db *db, int64_t line,
				 const struct lineage_range *from,
				 struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_LINE_INSERT, &stmt, err));
	stmt_integer(stmt, 1, line);
	if (from) {
		stmt_integer(stmt, 2, from->line);
		stmt_integer(stmt, 3, from->generation);
	}
	return step_done(stmt, err);
}

static enum wh_status choose_line(struct db *db,
				  const struct lineage_member *member,
				  int64_t *line, struct wh_error *err)
{
	struct lineage_range parent;
	bool found = false, taken;

	*line = member->snapshot;
	if (member->parent)
		WH_TRY(find_range(db, member->parent, &found, &parent, err));
	if (!found)
		return begin_line(db, *line, NULL, err);
	WH_TRY(is_taken(db, parent.line, parent.generation + 1, &taken, err));
	if (taken)
		return begin_line(db, *line, &parent, err);
	*line = parent.line;
	return WH_OK;
}

static void bind_trees(struct stmt *stmt, const struct lineage_member *member)
{
	stmt_integer(stmt, 1, member->tree);
	if (member->parent_tree)
		stmt_integer(stmt, 2, member->parent_tree);
}

static enum wh_status note_rows(struct db *db,
				const struct lineage_member *member,
				int64_t line, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_WEIGHT_INSERT_ROWS, &stmt, err));
	WH_TRY(step_rows(stmt, member->weights, err));
	WH_TRY(db_stmt(db, STMT_CHANGE_INSERT_ROWS, &stmt, err));
	stmt_integer(stmt, 2, line);
	stmt_integer(stmt, 3, member->generation);
	stmt_integer(stmt, 4, member->snapshot);
	return step_rows(stmt, member->weights, err);
}

/* Nothing is before it: all that the tree has is new. */
static enum wh_status note_all(struct db *db,
			       const struct lineage_member *member,
			       int64_t line, struct wh_error *err)
{
	struct stmt *stmt;

	if (member->weights)
		return note_rows(db, member, line, err);
	WH_TRY(db_stmt(db, STMT_WEIGHT_INSERT_ALL, &stmt, err));
	stmt_integer(stmt, 1, member->tree);
	WH_TRY(step_done(stmt, err));
	WH_TRY(db_stmt(db, STMT_CHANGE_INSERT_ALL, &stmt, err));
	stmt_integer(stmt, 1, member->tree);
	stmt_integer(stmt, 2, line);
	stmt_integer(stmt, 3, member->generation);
	stmt_integer(stmt, 4, member->snapshot);
	return step_done(stmt, err);
}

static enum wh_status note_changes(struct db *db,
				   const struct lineage_member *member,
				   int64_t line, struct wh_error *err)
{
	struct stmt *stmt;

	if (member->tree == member->parent_tree)
		return WH_OK;
	if (!member->parent_tree)
		return note_all(db, member, line, err);
	WH_TRY(db_stmt(db, STMT_WEIGHT_INSERT_NEW, &stmt, err));
	bind_trees(stmt, member);
	WH_TRY(step_done(stmt, err));
	WH_TRY(db_stmt(db, STMT_CHANGE_INSERT, &stmt, err));
	bind_trees(stmt, member);
	stmt_integer(stmt, 3, line);
	stmt_integer(stmt, 4, member->generation);
	stmt_integer(stmt, 5, member->snapshot);
	return step_done(stmt, err);
}

enum wh_status lineage_add(struct db *db, const struct lineage_member *member,
			   struct wh_error *err)
{
	struct stmt *stmt;
	int64_t line;

	WH_TRY(choose_line(db, member, &line, err));
	WH_TRY(db_stmt(db, STMT_LINEAGE_INSERT, &stmt, err));
	stmt_integer(stmt, 1, member->snapshot);
	stmt_integer(stmt, 2, line);
	stmt_integer(stmt, 3, member->generation);
	WH_TRY(step_done(stmt, err));
	return note_changes(db, member, line, err);
}

enum wh_status lineage_rebuild(struct db *db, struct wh_error *err)
{
	struct lineage_member member = {0};
	struct stmt *stmt;
	bool row;

	for (;;) {
		WH_TRY(db_stmt(db, STMT_LINEAGE_MISSING, &stmt, err));
		stmt_integer(stmt, 1, member.snapshot);
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		member.snapshot = column_integer(stmt, 0);
		member.tree = column_integer(stmt, 1);
		member.generation = column_integer(stmt, 2);
		member.parent = column_integer(stmt, 3);
		member.parent_tree = column_integer(stmt, 4);
		stmt_reset(stmt);
		WH_TRY(lineage_add(db, &member, err));
	}
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status lineage_of(struct db *db, int64_t snapshot,
			  struct lineage_range *range, struct wh_error *err)
{
	bool found;

	WH_TRY(find_range(db, snapshot, &found, range, err));
	if (found)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "a snapshot is in no line");
}

enum wh_status lineage_next(struct db *db, struct lineage_range *range,
			    struct wh_error *err)
{
	int64_t line = range->line;
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_LINE_GET, &stmt, err));
	stmt_integer(stmt, 1, range->line);
	WH_TRY(step_row(stmt, err));
	range->line = column_integer(stmt, 0);
	range->generation = column_integer(stmt, 1);
	stmt_reset(stmt);
	/* A line's id is its first snapshot's, so older ones are smaller. */
	if (range->line >= line)
		return wh_fail(err, WH_ECORRUPT,
			       "lines of snapshots are "
			       "damaged");
	return WH_OK;
}

enum wh_status lineage_version(struct db *db, int64_t weight,
			       struct lineage_range range, int64_t *tensor,
			       struct wh_error *err)
{
	bool row = false;

	*tensor = 0;
	while (range.line && !row) {
		struct stmt *stmt;

		WH_TRY(db_stmt(db, STMT_CHANGE_VERSION, &stmt, err));
		stmt_integer(stmt, 1, weight);
		stmt_integer(stmt, 2, range.line);
		stmt_integer(stmt, 3, range.generation);
		WH_TRY(stmt_step(stmt, &row, err));
		*tensor = row ? column_integer(stmt, 0) : 0;
		stmt_reset(stmt);
		if (!row)
			WH_TRY(lineage_next(db, &range, err));
	}
	return WH_OK;
}

enum wh_status lineage_contains(struct db *db, int64_t ancestor, int64_t of,
				bool *yes, struct wh_error *err)
{
	struct lineage_range wanted, range;

	*yes = false;
	WH_TRY(lineage_of(db, ancestor, &wanted, err));
	WH_TRY(lineage_of(db, of, &range, err));
	while (range.line && range.line != wanted.line)
		WH_TRY(lineage_next(db, &range, err));
	*yes = range.line && wanted.generation <= range.generation;
	return WH_OK;
}
