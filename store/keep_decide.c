/* Which snapshots the rules hold, and the names that hold them anyway. */
#include "keep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "ref.h"
#include "run.h"

void keeping_free(struct keeping *keeping)
{
	free(keeping->ranges);
	free(keeping->candidates);
	arena_free(&keeping->arena);
}

/* ---- Scope -----------------------------------------------------------------
 */

static enum wh_status find_ranges(struct keeping *keeping, int64_t tip,
				  struct wh_error *err)
{
	struct lineage_range range;
	size_t room = 0;

	WH_TRY(lineage_of(keeping->db, tip, &range, err));
	while (range.line) {
		WH_TRY(array_grow(&keeping->ranges, keeping->n_ranges, &room,
				  sizeof(*keeping->ranges), err));
		keeping->ranges[keeping->n_ranges++] = range;
		WH_TRY(lineage_next(keeping->db, &range, err));
	}
	return WH_OK;
}

enum wh_status keep_find_scope(struct keeping *keeping, const char *branch,
			       const char *run, struct wh_error *err)
{
	int64_t tip;

	if (run)
		WH_TRY(run_require(keeping->db, run, &keeping->run_id, err));
	if (!branch)
		return WH_OK;
	WH_TRY(ref_require(keeping->db, REF_BRANCH, branch, &tip, err));
	keeping->has_branch = true;
	return tip ? find_ranges(keeping, tip, err) : WH_OK;
}

bool keep_in_scope(const struct keeping *keeping, int64_t run_id, int64_t line,
		   int64_t generation)
{
	size_t i;

	if (keeping->run_id && keeping->run_id != run_id)
		return false;
	for (i = 0; i < keeping->n_ranges; i++)
		if (keeping->ranges[i].line == line)
			return generation <= keeping->ranges[i].generation;
	return !keeping->has_branch;
}

/* ---- Candidates ------------------------------------------------------------
 */

static enum wh_status add_candidate(struct keeping *keeping, struct stmt *stmt,
				    size_t *room, struct wh_error *err)
{
	struct candidate *one;

	WH_TRY(array_grow(&keeping->candidates, keeping->n, room,
			  sizeof(*keeping->candidates), err));
	one = &keeping->candidates[keeping->n++];
	*one = (struct candidate){
		.id = column_integer(stmt, 0),
		.run_id = column_integer(stmt, 1),
		.has_step = !column_is_null(stmt, 2),
		.step = column_integer(stmt, 2),
		.has_epoch = !column_is_null(stmt, 3),
		.epoch = column_integer(stmt, 3),
		.time = column_integer(stmt, 4),
		.tree_id = column_integer(stmt, 7),
		.template_id = column_integer(stmt, 8),
	};
	return WH_OK;
}

static enum wh_status load_candidates(struct keeping *keeping,
				      struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	size_t room = 0;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_CANDIDATES, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (keep_in_scope(keeping, column_integer(stmt, 1),
				  column_integer(stmt, 5),
				  column_integer(stmt, 6)))
			WH_TRY(add_candidate(keeping, stmt, &room, err));
	}
	return WH_OK;
}

struct candidate *keep_find(const struct keeping *keeping, int64_t id)
{
	size_t low = 0, high = keeping->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (keeping->candidates[middle].id > id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == keeping->n || keeping->candidates[low].id != id)
		return NULL;
	return &keeping->candidates[low];
}

enum wh_status keep_hold(struct keeping *keeping, struct candidate *one,
			 const char *text, struct wh_error *err)
{
	struct keep_why **end = &one->why;
	struct keep_why *why = arena_alloc(&keeping->arena, 1, sizeof(*why));

	if (!why)
		return wh_fail_memory(err);
	why->text = text;
	why->next = NULL;
	while (*end && strcmp((*end)->text, text) != 0)
		end = &(*end)->next;
	if (!*end)
		*end = why;
	return WH_OK;
}

/* ---- Rules -----------------------------------------------------------------
 */

static enum wh_status hold_last(struct keeping *keeping,
				const struct keep_rule *rule,
				struct wh_error *err)
{
	size_t i;

	for (i = 0; i < keeping->n && i < rule->n; i++)
		WH_TRY(keep_hold(keeping, &keeping->candidates[i], rule->text,
				 err));
	return WH_OK;
}

static enum wh_status hold_within(struct keeping *keeping,
				  const struct keep_rule *rule,
				  struct wh_error *err)
{
	size_t i;

	for (i = 0; i < keeping->n; i++)
		if (keeping->candidates[i].time >=
		    keeping->now - (int64_t)rule->n)
			WH_TRY(keep_hold(keeping, &keeping->candidates[i],
					 rule->text, err));
	return WH_OK;
}

/* A candidate with what it is sorted by. */
struct sorted {
	struct candidate *one;
	int64_t run_id, window;
	double value; /* lower is better */
};

static int by_window(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->run_id != y->run_id)
		return x->run_id < y->run_id ? -1 : 1;
	if (x->window != y->window)
		return x->window < y->window ? -1 : 1;
	return x->one->id > y->one->id ? -1 : 1;
}

static int by_value(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->value < y->value || x->value > y->value)
		return x->value < y->value ? -1 : 1;
	return x->one->id > y->one->id ? -1 : x->one->id < y->one->id;
}

static bool count_of(const struct candidate *one, enum keep_unit unit,
		     int64_t *count)
{
	*count = unit == KEEP_STEPS    ? one->step
		 : unit == KEEP_EPOCHS ? one->epoch
				       : one->time;
	return unit == KEEP_STEPS    ? one->has_step
	       : unit == KEEP_EPOCHS ? one->has_epoch
				     : true;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static enum wh_status hold_every(struct keeping *keeping,
				 const struct keep_rule *rule,
				 struct wh_error *err)
{
	struct sorted *all = calloc(keeping->n + 1, sizeof(*all));
	enum wh_status status = WH_OK;
	size_t i, n = 0;

	if (!all)
		return wh_fail_memory(err);
	for (i = 0; i < keeping->n; i++) {
		struct candidate *one = &keeping->candidates[i];
		int64_t count;

		if (!count_of(one, rule->unit, &count))
			continue;
		/* Steps and epochs of each run are counted by themselves. */
		all[n++] = (struct sorted){
			.one = one,
			.run_id = rule->unit == KEEP_SECONDS ? 0 : one->run_id,
			.window = floor_divide(count, (int64_t)rule->n),
		};
	}
	qsort(all, n, sizeof(*all), by_window);
	for (i = 0; i < n && !status; i++)
		if (i == 0 || all[i].run_id != all[i - 1].run_id ||
		    all[i].window != all[i - 1].window)
			status =
				keep_hold(keeping, all[i].one, rule->text, err);
	free(all);
	return status;
}

static enum wh_status load_values(struct keeping *keeping,
				  const struct keep_rule *rule,
				  struct sorted **all, size_t *n,
				  struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	size_t room = 0;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_METRIC, &stmt, err));
	stmt_text(stmt, 1, rule->metric);
	for (;;) {
		struct candidate *one;
		double value;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		one = keep_find(keeping, column_integer(stmt, 0));
		if (!one)
			continue;
		value = metric_value(column_integer(stmt, 1),
				     column_real(stmt, 2));
		WH_TRY(array_grow(all, *n, &room, sizeof(**all), err));
		(*all)[(*n)++] = (struct sorted){
			.one = one,
			.value = rule->lowest ? value : -value,
		};
	}
	return WH_OK;
}

static enum wh_status hold_best(struct keeping *keeping,
				const struct keep_rule *rule,
				struct wh_error *err)
{
	struct sorted *all = NULL;
	size_t i, n = 0;
	uint64_t held = 0;
	enum wh_status status = load_values(keeping, rule, &all, &n, err);

	if (!status && n)
		qsort(all, n, sizeof(*all), by_value);
	for (i = 0; i < n && held < rule->n && !status; i++) {
		size_t k = 0;

		/* A snapshot with two values counts once, by its better. */
		while (k < i && all[k].one != all[i].one)
			k++;
		if (k < i)
			continue;
		status = keep_hold(keeping, all[i].one, rule->text, err);
		held++;
	}
	free(all);
	return status;
}

/* ---- Names -----------------------------------------------------------------
 */

static enum wh_status hold_tag(struct keeping *keeping, struct candidate *one,
			       const char *tag, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < keeping->n_rules; i++)
		if (keeping->rules[i].kind == KEEP_TAG &&
		    text_glob(keeping->rules[i].metric, tag))
			WH_TRY(keep_hold(keeping, one, keeping->rules[i].text,
					 err));
	return WH_OK;
}

static enum wh_status hold_names(struct keeping *keeping, struct wh_error *err)
{
	char text[REF_NAME_SIZE + 8];
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_NAMES, &stmt, err));
	for (;;) {
		struct candidate *one;
		const char *name, *why;
		bool tag;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		one = keep_find(keeping, column_integer(stmt, 0));
		if (!one)
			continue;
		tag = column_integer(stmt, 1) == REF_TAG;
		name = column_text_or_empty(stmt, 2);
		if (tag)
			WH_TRY(hold_tag(keeping, one, name, err));
		snprintf(text, sizeof(text), "%s %s", tag ? "tag" : "branch",
			 name);
		why = arena_strdup(&keeping->arena, text);
		if (!why)
			return wh_fail_memory(err);
		WH_TRY(keep_hold(keeping, one, why, err));
	}
	return WH_OK;
}

static enum wh_status hold_reflog(struct keeping *keeping, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_REFLOG, &stmt, err));
	stmt_integer(stmt, 1, keeping->now - keeping->grace_s);
	for (;;) {
		struct candidate *one;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		one = keep_find(keeping, column_integer(stmt, 0));
		if (one)
			WH_TRY(keep_hold(keeping, one, "reflog", err));
	}
	return WH_OK;
}

static enum wh_status apply_rule(struct keeping *keeping,
				 const struct keep_rule *rule,
				 struct wh_error *err)
{
	switch (rule->kind) {
	case KEEP_LAST:
		return hold_last(keeping, rule, err);
	case KEEP_BEST:
		return hold_best(keeping, rule, err);
	case KEEP_EVERY:
		return hold_every(keeping, rule, err);
	case KEEP_WITHIN:
		return hold_within(keeping, rule, err);
	case KEEP_TAG:
		break; /* with the names */
	}
	return WH_OK;
}

enum wh_status keep_decide(struct keeping *keeping, struct wh_error *err)
{
	size_t i;

	WH_TRY(load_candidates(keeping, err));
	for (i = 0; i < keeping->n_rules; i++)
		WH_TRY(apply_rule(keeping, &keeping->rules[i], err));
	WH_TRY(hold_names(keeping, err));
	return hold_reflog(keeping, err);
}
