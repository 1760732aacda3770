/* Which snapshots changed some weights: from change to change by the index of
 * them, however long the line is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "lineage.h"
#include "log.h"

#define MAX_PATH 8300 /* layer, '/', weight */
#define NEVER	 (-1)

void wanted_free(struct wanted *wanted)
{
	if (wanted)
		free(wanted->weights);
	free(wanted);
}

/* ---- Which weights ---------------------------------------------------------
 */

static bool matches(const char *const *globs, const char *const names[3])
{
	int i;

	for (; *globs; globs++)
		for (i = 0; i < 3; i++)
			if (text_glob(*globs, names[i]))
				return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	const struct wanted_weight *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Each once, by id. */
static void sort(struct wanted *wanted)
{
	size_t i, n = 0;

	if (wanted->n)
		qsort(wanted->weights, wanted->n, sizeof(*wanted->weights),
		      by_id);
	for (i = 0; i < wanted->n; i++)
		if (!n || wanted->weights[n - 1].id != wanted->weights[i].id)
			wanted->weights[n++] = wanted->weights[i];
	wanted->n = n;
}

/* Thousands of tags name the same weights: there is room for twice as many as
 * there are, not for all namings. */
static enum wh_status make_room(struct wanted *wanted, struct wh_error *err)
{
	size_t room = wanted->room ? 2 * wanted->room : 64;
	struct wanted_weight *moved;

	sort(wanted);
	if (wanted->n < wanted->room / 2)
		return WH_OK;
	moved = reallocarray(wanted->weights, room, sizeof(*moved));
	if (!moved)
		return wh_fail_memory(err);
	wanted->weights = moved;
	wanted->room = room;
	return WH_OK;
}

static enum wh_status add(struct wanted *wanted, int64_t id,
			  struct wh_error *err)
{
	if (wanted->n == wanted->room)
		WH_TRY(make_room(wanted, err));
	wanted->weights[wanted->n++] = (struct wanted_weight){id, NEVER};
	return WH_OK;
}

/* By the names of blame. */
static enum wh_status find_by_weight(struct listing *listing,
				     struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	char path[MAX_PATH];
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_WEIGHT_LIST, &stmt, err));
	for (;;) {
		const char *names[3] = {path, NULL, NULL};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		names[1] = column_text_or_empty(stmt, 1);
		names[2] = column_text_or_empty(stmt, 2);
		snprintf(path, sizeof(path), "%s/%s", names[1], names[2]);
		if (matches(listing->options->globs, names))
			WH_TRY(add(listing->wanted, column_integer(stmt, 0),
				   err));
	}
	return WH_OK;
}

/* By the names of ls. */
static enum wh_status find_in_tree(struct listing *listing, int64_t tree,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_WEIGHT_OF_TREE, &stmt, err));
	stmt_integer(stmt, 1, tree);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (matches(listing->options->globs,
			    (const char *[3]){column_text_or_empty(stmt, 1),
					      column_text_or_empty(stmt, 2),
					      column_text_or_empty(stmt, 3)}))
			WH_TRY(add(listing->wanted, column_integer(stmt, 0),
				   err));
	}
	return WH_OK;
}

static enum wh_status find_at_refs(struct listing *listing,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_REF_TREES, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(find_in_tree(listing, column_integer(stmt, 0), err));
	}
	return WH_OK;
}

static enum wh_status find_at_tip(struct listing *listing, int64_t tip,
				  struct wh_error *err)
{
	struct arena arena = {0};
	struct snapshot_row row;
	enum wh_status status =
		snapshot_load(listing->db, tip, &arena, &row, err);

	if (!status)
		status = find_in_tree(listing, row.tree_id, err);
	arena_free(&arena);
	return status;
}

enum wh_status wanted_find(struct listing *listing, int64_t tip,
			   struct wh_error *err)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return wh_fail_memory(err);
	listing->wanted = wanted;
	WH_TRY(find_by_weight(listing, err));
	WH_TRY(find_at_refs(listing, err));
	if (tip)
		WH_TRY(find_at_tip(listing, tip, err));
	sort(wanted);
	return WH_OK;
}

enum wh_status wanted_changed(struct listing *listing, int64_t snapshot,
			      bool *yes, struct wh_error *err)
{
	const struct wanted *wanted = listing->wanted;
	AUTO_STMT *stmt = NULL;
	bool row;

	*yes = false;
	WH_TRY(db_stmt(listing->db, STMT_CHANGE_OF_SNAPSHOT, &stmt, err));
	stmt_integer(stmt, 1, snapshot);
	while (!*yes && wanted->n) {
		struct wanted_weight key = {0};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		key.id = column_integer(stmt, 0);
		*yes = bsearch(&key, wanted->weights, wanted->n, sizeof(key),
			       by_id) != NULL;
	}
	return WH_OK;
}

/* ---- From change to change -------------------------------------------------
 */

static enum wh_status find_change(struct db *db, struct wanted_weight *weight,
				  int64_t line, int64_t generation,
				  struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_CHANGE_BELOW, &stmt, err));
	stmt_integer(stmt, 1, weight->id);
	stmt_integer(stmt, 2, line);
	stmt_integer(stmt, 3, generation);
	WH_TRY(stmt_step(stmt, &row, err));
	weight->newest = row ? column_integer(stmt, 0) : NEVER;
	stmt_reset(stmt);
	return WH_OK;
}

/* Of those whose change was told, or in a new range of all, the one before. */
static enum wh_status advance(struct listing *listing, int64_t line,
			      int64_t told, int64_t generation, int64_t *newest,
			      struct wh_error *err)
{
	struct wanted *wanted = listing->wanted;
	size_t i;

	*newest = NEVER;
	for (i = 0; i < wanted->n; i++) {
		struct wanted_weight *weight = &wanted->weights[i];

		if (weight->newest == told)
			WH_TRY(find_change(listing->db, weight, line,
					   generation, err));
		if (weight->newest > *newest)
			*newest = weight->newest;
	}
	return WH_OK;
}

/* The oldest living snapshot of a range from a generation on; `*id` stays if
 * there is none. */
static enum wh_status find_living(struct db *db,
				  const struct lineage_range *range,
				  int64_t from, int64_t *id,
				  struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_LINEAGE_LIVING, &stmt, err));
	stmt_integer(stmt, 1, range->line);
	stmt_integer(stmt, 2, from);
	stmt_integer(stmt, 3, range->generation);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row)
		*id = column_integer(stmt, 0);
	stmt_reset(stmt);
	return WH_OK;
}

/* `*above` is the oldest living snapshot of the ranges before this one, and
 * `*shown` the one that was told last. */
static enum wh_status walk_range(struct listing *listing,
				 const struct lineage_range *range,
				 int64_t *above, int64_t *shown,
				 struct wh_error *err)
{
	int64_t newest, id;

	WH_TRY(advance(listing, range->line, NEVER, range->generation, &newest,
		       err));
	while (newest != NEVER && !listing->stopped) {
		id = *above;
		WH_TRY(find_living(listing->db, range, newest, &id, err));
		if (id && id != *shown)
			WH_TRY(log_visit(listing, id, err));
		*shown = id;
		WH_TRY(advance(listing, range->line, newest, newest - 1,
			       &newest, err));
	}
	return find_living(listing->db, range, 0, above, err);
}

enum wh_status wanted_walk(struct listing *listing, int64_t tip,
			   struct wh_error *err)
{
	int64_t above = 0, shown = 0;
	struct lineage_range range;

	listing->wanted->leads = true;
	WH_TRY(lineage_of(listing->db, tip, &range, err));
	while (range.line && !listing->stopped) {
		WH_TRY(walk_range(listing, &range, &above, &shown, err));
		WH_TRY(lineage_next(listing->db, &range, err));
	}
	return WH_OK;
}
