#include "metric_summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "run.h"

struct metric_summary {
	const char *key;
	int64_t n, step; /* `step`: of the last value, the highest so far */
	int class_;
	double value;
	bool has_range; /* any value that is not NaN */
	double min, max;
};

static void clear(struct metric_summaries *all)
{
	name_map_free(&all->places);
	all->n = 0;
}

void metric_summaries_free(struct metric_summaries *all)
{
	clear(all);
	free(all->list);
	memset(all, 0, sizeof(*all));
}

static enum wh_status find(struct metric_summaries *all,
			   const struct wh_metric_point *point,
			   struct metric_summary **out, struct wh_error *err)
{
	uint32_t place = name_map_find(&all->places, point->key);
	bool added;

	if (place == UINT32_MAX) {
		WH_TRY(array_grow(&all->list, all->n, &all->room,
				  sizeof(*all->list), err));
		place = all->n;
		WH_TRY(name_map_add(&all->places, point->key, place, &added,
				    err));
		all->list[place] = (struct metric_summary){.key = point->key,
							   .step = point->step};
		all->n++;
	}
	*out = &all->list[place];
	return WH_OK;
}

enum wh_status metric_summaries_add(struct metric_summaries *all,
				    const struct wh_metric_point *point,
				    struct wh_error *err)
{
	struct metric_summary *to;

	WH_TRY(find(all, point, &to, err));
	to->n++;
	if (point->step >= to->step) {
		to->step = point->step;
		to->class_ = metric_class(point->value);
		to->value = point->value;
	}
	if (metric_class(point->value) == METRIC_NAN)
		return WH_OK;
	if (!to->has_range || point->value < to->min)
		to->min = point->value;
	if (!to->has_range || point->value > to->max)
		to->max = point->value;
	to->has_range = true;
	return WH_OK;
}

static enum wh_status put(struct db *db, int64_t run,
			  const struct metric_summary *from,
			  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_METRIC_SUM_UP, &stmt, err));
	stmt_integer(stmt, 1, run);
	stmt_text(stmt, 2, from->key);
	stmt_integer(stmt, 3, from->n);
	stmt_integer(stmt, 4, from->step);
	stmt_integer(stmt, 5, from->class_);
	if (from->class_ == METRIC_NUMBER)
		stmt_real(stmt, 6, from->value);
	if (from->has_range) {
		stmt_real(stmt, 7, from->min);
		stmt_real(stmt, 8, from->max);
	}
	return step_done(stmt, err);
}

enum wh_status metric_summaries_put(struct metric_summaries *all, struct db *db,
				    int64_t run, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < all->n; i++)
		WH_TRY(put(db, run, &all->list[i], err));
	clear(all);
	return WH_OK;
}
