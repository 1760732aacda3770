/* Alarms: a model that is being committed against its parent's figures.
 *
 * Layers that both have are the same row and need no look; of the others, the
 * parent's rows are read once, and paired by layer and weight. A layer that has
 * no namesake may have another name (core/renumbered.h).
 *
 * Who is told may write to a terminal that stands still, and a transaction, be
 * it one that only reads, keeps all others from committing: so what is found is
 * kept, and told when no transaction is open any more.
 */
#include <weighhouse/alarm.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/c_locale.h"
#include "base/text.h"
#include "commit.h"
#include "core/name_map.h"
#include "core/renumbered.h"
#include "core/statistics.h"
#include "core/weigh.h"
#include "lineage.h"
#include "snapshot.h"
#include "tensor.h"

#define NORM_RATIO 100.0 /* without a setting */
#define NORM_FLOOR 1.0	 /* below it, a norm has merely begun to grow */

const char *wh_alarm_name(enum wh_alarm_kind kind)
{
	static const char *const names[] = {"nan",   "inf",	"norm", "shape",
					    "dtype", "missing", "stuck"};
	size_t at = (size_t)kind;

	return at < sizeof(names) / sizeof(names[0]) ? names[at] : NULL;
}

struct old_weight {
	const char *name, *dtype, *shape;
	bool has_nan, has_inf;
	double l2; /* 0 where it isn't known */
};

struct look {
	struct commit *commit;
	struct db *db;
	const struct wh_manifest *manifest;
	struct wh_alarm_options options; /* settings filled in */
	struct arena arena;
	struct snapshot_row parent;
	struct lineage_range line; /* that the parent ends */
	bool *is_kept;		   /* a layer: the parent has it as it is */
	bool *is_found;		   /* a layer: the parent has one for it */
	bool *is_paired;	   /* a tensor: the parent has the weight */
	struct name_map layers;	   /* of those that are not kept */
	struct old_layer {
		int64_t id;
		const char *name, *class_name; /* NULL: not known */
		bool is_layer;	 /* not the optimizer's, not state */
		bool is_renamed; /* then its weights have other names too */
		uint32_t now;	 /* the new model's, or WH_NO_LAYER */
		struct old_weight *weights; /* in the arena */
		uint32_t n_weights;
	} * old; /* the parent's that are not kept */
	uint32_t n_old, n_common;
	bool is_akin; /* at least half of the parent's layers are there */
	struct wh_alarm *alarms; /* in the arena, as they were found */
	size_t n_alarms, room;
};

/* `layer` and `weight` must live as long as the look. Memory that runs out is
 * known to the arena. */
static void raise_alarm(struct look *look, enum wh_alarm_kind kind,
			const char *layer, const char *weight, double value,
			const char *sentence)
{
	const char *kept;

	/* Without anyone to tell, strict says the first. */
	if (look->n_alarms && !look->options.fn) {
		look->n_alarms++;
		return;
	}
	kept = arena_strdup(&look->arena, sentence);
	if (kept && arena_grow(&look->arena, &look->alarms, look->n_alarms,
			       &look->room, sizeof(*look->alarms)))
		look->alarms[look->n_alarms++] =
			(struct wh_alarm){kind, layer, weight, value, kept};
}

static void tell_alarms(const struct look *look)
{
	size_t i;

	for (i = 0; look->options.fn && i < look->n_alarms; i++)
		look->options.fn(look->options.arg, &look->alarms[i]);
}

/* ---- Settings --------------------------------------------------------------
 */

static enum wh_status read_settings(struct look *look, bool *wanted,
				    struct wh_error *err)
{
	struct wh_alarm_options *options = &look->options;
	struct wh_store *store = look->commit->store;
	char *mode wh_free_auto = NULL, *norm wh_free_auto = NULL;
	char *stuck wh_free_auto = NULL;

	WH_TRY(wh_config_get(store, "alarms", &mode, err));
	WH_TRY(wh_config_get(store, "alarms.norm", &norm, err));
	WH_TRY(wh_config_get(store, "alarms.stuck", &stuck, err));
	if (mode && strcmp(mode, "strict") == 0)
		options->strict = true;
	*wanted = !options->off &&
		  (options->strict || !mode || strcmp(mode, "off") != 0);
	if (!(options->norm < 0) && !(options->norm > 0) &&
	    (!norm || !text_to_double(norm, &options->norm)))
		options->norm = NORM_RATIO;
	if (!options->stuck && stuck)
		(void)text_to_i64(stuck, &options->stuck);
	/* Without either, nobody would learn of them. */
	*wanted = *wanted && (options->strict || options->fn);
	return WH_OK;
}

/* ---- Layers that both have -------------------------------------------------
 */

struct known_layer {
	int64_t id;
	uint32_t index;
};

static int by_id(const void *a, const void *b)
{
	const struct known_layer *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static enum wh_status add_old(struct look *look, struct stmt *stmt,
			      size_t *room, struct wh_error *err)
{
	int64_t kind = column_integer(stmt, 4);
	struct old_layer *old;

	WH_TRY(array_grow(&look->old, look->n_old, room, sizeof(*look->old),
			  err));
	old = &look->old[look->n_old++];
	*old = (struct old_layer){.now = WH_NO_LAYER};
	old->id = column_integer(stmt, 0);
	old->name = column_copy(stmt, 2, &look->arena);
	old->class_name = column_is_null(stmt, 3)
				  ? NULL
				  : arena_strdup(&look->arena,
						 column_text(stmt, 3));
	old->is_layer = kind == WH_LAYER;
	return look->arena.failed ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status sort_out(struct look *look, struct known_layer *known,
			       uint32_t n_known, struct wh_error *err)
{
	size_t room = 0;
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(look->db, STMT_TREE_LAYERS, &stmt, err));
	stmt_integer(stmt, 1, look->parent.tree_id);
	for (;;) {
		struct known_layer key = {0}, *found;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		key.id = column_integer(stmt, 0);
		found = bsearch(&key, known, n_known, sizeof(key), by_id);
		if (!found)
			WH_TRY(add_old(look, stmt, &room, err));
		else
			look->is_kept[found->index] = true;
		look->n_common += found ? 1 : 0;
	}
	return WH_OK;
}

static enum wh_status find_kept(struct look *look, struct wh_error *err)
{
	uint32_t i, n = look->manifest->n_layers, n_known = 0;
	struct known_layer *known = calloc((size_t)n + 1, sizeof(*known));
	enum wh_status status;

	if (!known)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		if (look->commit->layers[i].id)
			known[n_known++] = (struct known_layer){
				look->commit->layers[i].id, i};
	qsort(known, n_known, sizeof(*known), by_id);
	status = sort_out(look, known, n_known, err);
	free(known);
	return status;
}

/* ---- Layers that have changed, or were renamed -----------------------------
 */

static enum wh_status read_weights(struct look *look, struct old_layer *old,
				   struct wh_error *err)
{
	struct arena *arena = &look->arena;
	AUTO_STMT *stmt = NULL;
	size_t room = 0;
	bool row;

	WH_TRY(db_stmt(look->db, STMT_LAYER_FIGURES, &stmt, err));
	stmt_integer(stmt, 1, old->id);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!arena_grow(arena, &old->weights, old->n_weights, &room,
				sizeof(*old->weights)))
			break;
		old->weights[old->n_weights++] = (struct old_weight){
			.name = column_copy(stmt, 0, arena),
			.dtype = column_copy(stmt, 1, arena),
			.shape = column_copy(stmt, 2, arena),
			.has_nan = column_integer(stmt, 3) > 0,
			.has_inf = column_integer(stmt, 4) > 0,
			.l2 = column_real(stmt, 5)};
	}
	return arena->failed ? wh_fail_memory(err) : WH_OK;
}

static bool same_sort(const struct old_layer *old, const struct wh_layer *now)
{
	if (old->class_name && now->class_name)
		return strcmp(old->class_name, now->class_name) == 0;
	return renumbered_same(old->name, now->name);
}

static bool same_forms(const struct look *look, const struct old_layer *old,
		       const struct wh_layer *now)
{
	char shape[SHAPE_TEXT_SIZE];
	uint32_t i;

	if (old->n_weights != now->n_variables)
		return false;
	for (i = 0; i < old->n_weights; i++) {
		const struct old_weight *w = &old->weights[i];
		const struct wh_tensor *t =
			&look->manifest->tensors[now->variables[i].tensor];

		tensor_shape_text(t, shape);
		if (strcmp(wh_dtype_name(t->dtype), w->dtype) != 0 ||
		    strcmp(shape, w->shape) != 0)
			return false;
	}
	return true;
}

/* Layers that the parent has none for, by index; a model may be of another kind
 * altogether, so for each of the parent's not all are looked at. */
struct newcomers {
	uint32_t *list; /* in the arena */
	uint32_t n, first;
};
#define MAX_LOOKED_AT 256u

static bool find_newcomers(struct look *look, struct newcomers *fresh)
{
	uint32_t i, n = look->manifest->n_layers;

	fresh->list = arena_alloc(&look->arena, n, sizeof(*fresh->list));
	for (i = 0; fresh->list && i < n; i++)
		if (!look->is_found[i] &&
		    look->manifest->layers[i].kind == WH_LAYER)
			fresh->list[fresh->n++] = i;
	return fresh->list != NULL;
}

/* The first one of the same class and forms: so those that are alike are
 * paired in order. */
static uint32_t find_renamed(const struct look *look,
			     const struct old_layer *old, struct newcomers *fresh)
{
	uint32_t i;

	while (fresh->first < fresh->n && look->is_found[fresh->list[fresh->first]])
		fresh->first++;
	for (i = fresh->first; i < fresh->n && i - fresh->first < MAX_LOOKED_AT;
	     i++) {
		uint32_t at = fresh->list[i];
		const struct wh_layer *now = &look->manifest->layers[at];

		if (!look->is_found[at] && same_sort(old, now) &&
		    same_forms(look, old, now))
			return at;
	}
	return WH_NO_LAYER;
}

static uint32_t pair_renamed(struct look *look, struct newcomers *fresh)
{
	uint32_t i, n_found = 0;

	for (i = 0; i < look->n_old; i++) {
		struct old_layer *old = &look->old[i];

		if (old->now != WH_NO_LAYER || !old->is_layer ||
		    !old->n_weights)
			continue;
		old->now = find_renamed(look, old, fresh);
		if (old->now == WH_NO_LAYER)
			continue;
		old->is_renamed = true;
		look->is_found[old->now] = true;
		n_found++;
	}
	return n_found;
}

static enum wh_status pair_layers(struct look *look, struct wh_error *err)
{
	uint32_t i, at, n_found = look->n_common;
	struct newcomers fresh = {0};

	memcpy(look->is_found, look->is_kept,
	       look->manifest->n_layers * sizeof(*look->is_found));
	for (i = 0; i < look->n_old; i++) {
		at = name_map_find(&look->layers, look->old[i].name);
		if (at == UINT32_MAX)
			continue;
		look->old[i].now = at;
		look->is_found[at] = true;
		n_found++;
	}
	if (!find_newcomers(look, &fresh))
		return wh_fail_memory(err);
	n_found += pair_renamed(look, &fresh);
	/* Else this is another model, and nothing is to be said of it. */
	look->is_akin = 2 * n_found >= look->n_common + look->n_old;
	return WH_OK;
}

/* In one transaction: each layer's figures for themselves would ask the file
 * anew whether it has changed. */
static enum wh_status know_old_layers(struct look *look, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	uint32_t i;

	WH_TRY(transaction_read(&tx, look->db, err));
	for (i = 0; i < look->n_old; i++)
		WH_TRY(read_weights(look, &look->old[i], err));
	return WH_OK;
}

/* ---- Weights that both have ------------------------------------------------
 */

static const char *weight_name(const struct wh_variable *v)
{
	return v->object_path ? v->object_path : v->name;
}

/* Weights stand in the same order as a rule. */
static const struct wh_variable *find_weight(const struct wh_layer *layer,
					     const char *name, uint32_t hint)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		uint32_t at = (hint + i) % layer->n_variables;

		if (strcmp(weight_name(&layer->variables[at]), name) == 0)
			return &layer->variables[at];
	}
	return NULL;
}

/* What the parent has was told once; a strict commit takes no NaN. */
static void check_counts(struct look *look, const struct wh_layer *layer,
			 const struct wh_variable *v, bool had_nan,
			 bool had_inf)
{
	const struct wh_tensor *t = &look->manifest->tensors[v->tensor];
	const struct wh_statistics *s = &t->statistics;
	const uint64_t counts[] = {s->n_nan, s->n_inf};
	const bool had[] = {had_nan && !look->options.strict, had_inf};
	char text[512];
	int i;

	for (i = 0; t->has_statistics && i < 2; i++) {
		if (!counts[i] || had[i])
			continue;
		snprintf(text, sizeof(text), "'%.200s' has %" PRIu64 " %s",
			 v->name, counts[i], i ? "infinities" : "NaN");
		raise_alarm(look, i ? WH_ALARM_INF : WH_ALARM_NAN, layer->name,
			    weight_name(v), (double)counts[i], text);
	}
}

static void check_norm(struct look *look, const struct wh_layer *layer,
		       const struct wh_variable *v, double before)
{
	const struct wh_tensor *t = &look->manifest->tensors[v->tensor];
	double now = t->has_statistics ? t->statistics.l2 : 0;
	USE_C_LOCALE;
	char text[512];

	if (v->role != WH_ROLE_WEIGHT || !(look->options.norm > 0) ||
	    !(before > 0) || !(now > NORM_FLOOR) ||
	    !(now / before > look->options.norm))
		return;
	snprintf(text, sizeof(text), "'%.200s' has norm %.4g, %.4g times %.4g",
		 v->name, now, now / before, before);
	raise_alarm(look, WH_ALARM_NORM, layer->name, weight_name(v),
		    now / before, text);
}

static void check_form(struct look *look, const struct wh_layer *layer,
		       const struct wh_variable *v, const char *dtype,
		       const char *shape)
{
	const struct wh_tensor *t = &look->manifest->tensors[v->tensor];
	char text[768], now[SHAPE_TEXT_SIZE];

	tensor_shape_text(t, now);
	if (strcmp(now, shape) != 0) {
		snprintf(text, sizeof(text),
			 "'%.200s' has shape %.100s, and had %.100s", v->name,
			 now, shape);
		raise_alarm(look, WH_ALARM_SHAPE, layer->name, weight_name(v),
			    0, text);
	}
	if (strcmp(wh_dtype_name(t->dtype), dtype) != 0) {
		snprintf(text, sizeof(text), "'%.200s' is %s, and was %s",
			 v->name, wh_dtype_name(t->dtype), dtype);
		raise_alarm(look, WH_ALARM_DTYPE, layer->name, weight_name(v),
			    0, text);
	}
}

/* Of a tensor that was in the store only its identity was found: then its
 * figures are there, unless someone dropped them, or another name's of this
 * model. */
static enum wh_status know_figures(struct look *look, uint32_t index,
				   struct wh_error *err)
{
	struct wh_tensor *tensors = look->commit->source->manifest.tensors;
	struct wh_tensor *t = &tensors[index];
	uint32_t i;
	int64_t id;

	if (t->weighed & WH_STATISTICS || !statistics_has(t->dtype))
		return WH_OK;
	WH_TRY(tensor_find(look->db, t, &id, err));
	if (id) {
		WH_TRY(tensor_statistics(look->db, id, t, err));
		return weigh_one(look->commit->source, index, WH_STATISTICS,
				 err);
	}
	for (i = 0; i < look->manifest->n_tensors; i++)
		if (tensors[i].weighed & WH_STATISTICS &&
		    tensors[i].dtype == t->dtype &&
		    memcmp(tensors[i].sha256, t->sha256, sizeof(t->sha256)) ==
			    0) {
			t->statistics = tensors[i].statistics;
			t->has_statistics = tensors[i].has_statistics;
		}
	return WH_OK;
}

static enum wh_status know_all_figures(struct look *look, struct wh_error *err)
{
	uint32_t i, k;

	for (i = 0; i < look->manifest->n_layers; i++) {
		const struct wh_layer *layer = &look->manifest->layers[i];

		if (look->is_kept[i] && !look->options.strict)
			continue;
		for (k = 0; k < layer->n_variables; k++)
			WH_TRY(know_figures(look, layer->variables[k].tensor,
					    err));
	}
	return WH_OK;
}

static void check_layer(struct look *look, const struct wh_layer *now,
			const struct old_layer *old)
{
	uint32_t i;

	for (i = 0; i < old->n_weights; i++) {
		const struct old_weight *w = &old->weights[i];
		const struct wh_variable *v =
			old->is_renamed ? &now->variables[i]
					: find_weight(now, w->name, i);

		if (!v)
			continue;
		look->is_paired[v->tensor] = true;
		if (look->is_akin)
			check_form(look, now, v, w->dtype, w->shape);
		check_counts(look, now, v, w->has_nan, w->has_inf);
		check_norm(look, now, v, w->l2);
	}
}

static void check_old_layers(struct look *look)
{
	char text[512];
	uint32_t i;

	for (i = 0; i < look->n_old; i++) {
		const struct old_layer *old = &look->old[i];

		if (old->now != WH_NO_LAYER) {
			check_layer(look, &look->manifest->layers[old->now],
				    old);
			continue;
		}
		if (!old->n_weights || !old->is_layer || !look->is_akin)
			continue;
		snprintf(text, sizeof(text), "layer '%.200s' is missing",
			 old->name);
		raise_alarm(look, WH_ALARM_MISSING, old->name, "", 0, text);
	}
}

/* Weights that are new, and those of layers that are as they were. */
static void check_unpaired_weights(struct look *look)
{
	uint32_t i, k;

	for (i = 0; i < look->manifest->n_layers; i++) {
		const struct wh_layer *layer = &look->manifest->layers[i];
		bool kept = look->is_kept[i];

		for (k = 0; k < layer->n_variables; k++) {
			const struct wh_variable *v = &layer->variables[k];

			if (!look->is_paired[v->tensor])
				check_counts(look, layer, v, kept, kept);
		}
	}
}

static enum wh_status name_layers(struct look *look, struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < look->manifest->n_layers; i++)
		if (!look->is_kept[i])
			WH_TRY(name_map_add(&look->layers,
					    look->manifest->layers[i].name, i,
					    &added, err));
	return WH_OK;
}

/* ---- Layers that don't train -----------------------------------------------
 */

/* The generation in which the weight changed last, 0 where that isn't known. */
static enum wh_status last_change(struct look *look, const char *layer,
				  const char *weight, int64_t *generation,
				  struct wh_error *err)
{
	struct lineage_range range = look->line;
	struct stmt *stmt;
	bool row;

	*generation = 0;
	while (range.line && !*generation) {
		WH_TRY(db_stmt(look->db, STMT_CHANGE_NEWEST, &stmt, err));
		stmt_text(stmt, 1, layer);
		stmt_text(stmt, 2, weight);
		stmt_integer(stmt, 3, range.line);
		stmt_integer(stmt, 4, range.generation);
		WH_TRY(stmt_step(stmt, &row, err));
		*generation = row ? column_integer(stmt, 0) : 0;
		stmt_reset(stmt);
		if (!*generation)
			WH_TRY(lineage_next(look->db, &range, err));
	}
	return WH_OK;
}

/* Since when no weight has changed that may train; 0: none of them may. */
static enum wh_status still_since(struct look *look,
				  const struct wh_layer *layer, int64_t *since,
				  struct wh_error *err)
{
	uint32_t i;

	*since = 0;
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *v = &layer->variables[i];
		int64_t generation;

		if (v->role != WH_ROLE_WEIGHT ||
		    v->trainable == WH_TRAINABLE_NO)
			continue;
		WH_TRY(last_change(
			look, layer->kind == WH_LAYER_MODEL ? "" : layer->name,
			weight_name(v), &generation, err));
		if (generation > *since)
			*since = generation;
	}
	return WH_OK;
}

static enum wh_status check_stuck(struct look *look, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	int64_t since, generation = look->parent.generation + 1;
	char text[512];
	uint32_t i;

	if (look->options.stuck <= 0)
		return WH_OK;
	WH_TRY(transaction_read(&tx, look->db, err));
	WH_TRY(lineage_of(look->db, look->parent.id, &look->line, err));
	for (i = 0; i < look->manifest->n_layers; i++) {
		const struct wh_layer *layer = &look->manifest->layers[i];

		if (!look->is_kept[i] ||
		    (layer->kind != WH_LAYER && layer->kind != WH_LAYER_MODEL))
			continue;
		WH_TRY(still_since(look, layer, &since, err));
		if (!since || generation - since < look->options.stuck)
			continue;
		snprintf(text, sizeof(text),
			 "layer '%.200s' has not changed for %" PRId64
			 " snapshots",
			 layer->name, generation - since);
		raise_alarm(look, WH_ALARM_STUCK, layer->name, "",
			    (double)(generation - since), text);
	}
	return WH_OK;
}

/* ---- The whole -------------------------------------------------------------
 */

static enum wh_status look_at(struct look *look, int64_t parent,
			      struct wh_error *err)
{
	const struct wh_manifest *manifest = look->manifest;

	look->is_kept =
		calloc((size_t)manifest->n_layers + 1, sizeof(*look->is_kept));
	look->is_found =
		calloc((size_t)manifest->n_layers + 1, sizeof(*look->is_found));
	look->is_paired = calloc((size_t)manifest->n_tensors + 1,
				 sizeof(*look->is_paired));
	if (!look->is_kept || !look->is_found || !look->is_paired)
		return wh_fail_memory(err);
	if (parent) {
		WH_TRY(snapshot_load(look->db, parent, &look->arena,
				     &look->parent, err));
		WH_TRY(find_kept(look, err));
		WH_TRY(name_layers(look, err));
	}
	WH_TRY(know_all_figures(look, err));
	if (parent) {
		WH_TRY(know_old_layers(look, err));
		WH_TRY(pair_layers(look, err));
		check_old_layers(look);
	}
	check_unpaired_weights(look);
	return parent ? check_stuck(look, err) : WH_OK;
}

enum wh_status commit_look_for_alarms(struct commit *commit,
				      struct wh_error *err)
{
	struct look look = {.commit = commit,
			    .db = commit->store->db,
			    .manifest = &commit->source->manifest,
			    .options = commit->options->alarms};
	char branch[REF_NAME_SIZE];
	enum wh_status status;
	int64_t tip, parent;
	bool wanted;

	WH_TRY(read_settings(&look, &wanted, err));
	if (!wanted)
		return WH_OK;
	WH_TRY(commit_parent(look.db, commit->options, branch, &tip, &parent,
			     err));
	status = look_at(&look, parent, err);
	if (!status && look.arena.failed)
		status = wh_fail_memory(err);
	if (!status)
		tell_alarms(&look);
	if (!status && look.n_alarms && look.options.strict)
		status = wh_fail(err, WH_EALARM, "%.255s%s",
				 look.alarms[0].sentence,
				 look.n_alarms > 1 ? ", and more" : "");
	free(look.is_kept);
	free(look.is_found);
	free(look.is_paired);
	free(look.old);
	name_map_free(&look.layers);
	arena_free(&look.arena);
	return status;
}
