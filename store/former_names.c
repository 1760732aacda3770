#include "former_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/auto.h"
#include "core/renumbered.h"
#include "lineage.h"

/* Weights that one of two snapshots lacks. */
struct weights {
	int64_t *ids;
	const char **paths; /* LAYER/WEIGHT */
	size_t n, ids_room, paths_room;
};

struct change_of {
	struct db *db;
	struct arena arena; /* of the paths */
	struct weights gone, here;
	struct lineage_range before; /* the snapshot */
};

static void change_free(struct change_of *change)
{
	free(change->gone.ids);
	free(change->gone.paths);
	free(change->here.ids);
	free(change->here.paths);
	arena_free(&change->arena);
}

static enum wh_status add(struct change_of *change, struct weights *to,
			  struct stmt *stmt, struct wh_error *err)
{
	const char *layer = column_text(stmt, 1), *name = column_text(stmt, 2);

	if (!layer || !name)
		return WH_OK;
	WH_TRY(array_grow(&to->ids, to->n, &to->ids_room, sizeof(*to->ids),
			  err));
	WH_TRY(array_grow(&to->paths, to->n, &to->paths_room,
			  sizeof(*to->paths), err));
	to->ids[to->n] = column_integer(stmt, 0);
	to->paths[to->n] = arena_join(&change->arena, layer, "/", name);
	return to->paths[to->n++] ? WH_OK : wh_fail_memory(err);
}

static enum wh_status list_changes(struct change_of *change, int64_t snapshot,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(change->db, STMT_CHANGE_NAMES, &stmt, err));
	stmt_integer(stmt, 1, snapshot);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(add(change,
			   column_is_null(stmt, 3) ? &change->gone
						   : &change->here,
			   stmt, err));
		change->before = (struct lineage_range){
			column_integer(stmt, 4), column_integer(stmt, 5) - 1};
	}
	return WH_OK;
}

/* Those that were there before have merely changed. */
static enum wh_status keep_new(struct change_of *change, struct wh_error *err)
{
	struct weights *here = &change->here;
	size_t i, n = 0;

	for (i = 0; i < here->n; i++) {
		int64_t tensor;

		WH_TRY(lineage_version(change->db, here->ids[i], change->before,
				       &tensor, err));
		if (tensor)
			continue;
		here->ids[n] = here->ids[i];
		here->paths[n++] = here->paths[i];
	}
	here->n = n;
	return WH_OK;
}

static enum wh_status pair(struct former_names *names,
			   const struct change_of *change, struct wh_error *err)
{
	const struct weights *gone = &change->gone, *here = &change->here;
	uint32_t *pairs wh_free_auto = calloc(here->n + 1, sizeof(*pairs));
	size_t i;

	names->now = calloc(here->n + 1, sizeof(*names->now));
	names->before = calloc(here->n + 1, sizeof(*names->before));
	if (!pairs || !names->now || !names->before)
		return wh_fail_memory(err);
	WH_TRY(renumbered_pair(gone->paths, (uint32_t)gone->n, here->paths,
			       (uint32_t)here->n, pairs, err));
	for (i = 0; i < here->n; i++) {
		if (pairs[i] == UINT32_MAX)
			continue;
		names->now[names->n] = here->ids[i];
		names->before[names->n++] = gone->ids[pairs[i]];
	}
	return WH_OK;
}

static enum wh_status know(struct db *db, struct former_names *names,
			   int64_t snapshot, struct wh_error *err)
{
	__attribute__((cleanup(change_free))) struct change_of change = {
		.db = db};

	former_names_free(names);
	WH_TRY(list_changes(&change, snapshot, err));
	if (change.gone.n && change.here.n) {
		WH_TRY(keep_new(&change, err));
		WH_TRY(pair(names, &change, err));
	}
	names->snapshot = snapshot;
	return WH_OK;
}

static int by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

enum wh_status former_name(struct db *db, struct former_names *names,
			   int64_t weight, int64_t snapshot, int64_t *before,
			   struct wh_error *err)
{
	const int64_t *found = NULL;

	if (names->snapshot != snapshot)
		WH_TRY(know(db, names, snapshot, err));
	if (names->n)
		found = bsearch(&weight, names->now, names->n,
				sizeof(*names->now), by_id);
	*before = found ? names->before[found - names->now] : 0;
	return WH_OK;
}

void former_names_free(struct former_names *names)
{
	free(names->now);
	free(names->before);
	memset(names, 0, sizeof(*names));
}
