#include <weighhouse/diff.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/error.h"
#include "core/compare.h"
#include "core/name_map.h"
#include "core/number.h"
#include "core/renumbered.h"

#define PIECE	((size_t)1 << 20) /* bytes of each side in memory */
#define NO_PAIR UINT32_MAX

const char *wh_change_name(enum wh_change change)
{
	static const char *const names[] = {"added",	"removed", "changed",
					    "reshaped", "retyped", "renamed"};
	size_t at = (size_t)change;

	return at < sizeof(names) / sizeof(names[0]) ? names[at] : NULL;
}

struct side {
	struct wh_source *source;
	const struct wh_manifest *manifest;
	const struct wh_layer **layers; /* owner of each tensor */
	const struct wh_variable **variables;
	char **paths;	/* "layer/object path" of each tensor, or NULL */
	uint32_t *pair; /* the other side's tensor, or NO_PAIR */
};

static const char by_number[] = "number", by_digest[] = "sha256";

struct comparison {
	struct side a, b;
	const char **by; /* one a tensor of B */
	const struct wh_diff_options *options;
	wh_diff_fn *fn;
	void *arg;
	uint8_t *bytes[2];
	uint64_t done_bytes, total_bytes;
	bool stopped;
};

/* ---- Pairs
 * ------------------------------------------------------------------- */

static void side_free(struct side *side)
{
	uint32_t i;

	for (i = 0; side->paths && i < side->manifest->n_tensors; i++)
		free(side->paths[i]);
	free(side->paths);
	free(side->layers);
	free(side->variables);
	free(side->pair);
}

static enum wh_status side_fill(struct side *side, struct wh_source *source,
				struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->manifest;
	size_t n = (size_t)manifest->n_tensors + 1;
	uint32_t i, k;

	side->source = source;
	side->manifest = manifest;
	side->layers = calloc(n, sizeof(*side->layers));
	side->variables = calloc(n, sizeof(*side->variables));
	side->paths = calloc(n, sizeof(*side->paths));
	side->pair = malloc(n * sizeof(*side->pair));
	if (!side->layers || !side->variables || !side->paths || !side->pair)
		return wh_fail_memory(err);
	memset(side->pair, 0xff, n * sizeof(*side->pair));
	for (i = 0; i < manifest->n_layers; i++)
		for (k = 0; k < manifest->layers[i].n_variables; k++) {
			const struct wh_layer *layer = &manifest->layers[i];
			const struct wh_variable *v = &layer->variables[k];

			side->layers[v->tensor] = layer;
			side->variables[v->tensor] = v;
			if (v->object_path &&
			    asprintf(&side->paths[v->tensor], "%s/%s",
				     layer->name, v->object_path) < 0)
				return wh_fail_memory(err);
		}
	return WH_OK;
}

typedef const char *name_fn(const struct side *side, uint32_t index);

static const char *key_of(const struct side *side, uint32_t index)
{
	return side->manifest->tensors[index].key;
}

static const char *path_of(const struct side *side, uint32_t index)
{
	return side->paths[index];
}

static enum wh_status pair_by(struct comparison *all, name_fn *name,
			      const char *by, struct wh_error *err)
{
	struct name_map map = {0};
	enum wh_status status = WH_OK;
	bool added;
	uint32_t i;

	for (i = 0; i < all->a.manifest->n_tensors && !status; i++)
		if (all->a.pair[i] == NO_PAIR && name(&all->a, i))
			status = name_map_add(&map, name(&all->a, i), i, &added,
					      err);
	for (i = 0; i < all->b.manifest->n_tensors && !status; i++) {
		uint32_t found = NO_PAIR;

		if (all->b.pair[i] == NO_PAIR && name(&all->b, i))
			found = name_map_find(&map, name(&all->b, i));
		if (found == NO_PAIR || all->a.pair[found] != NO_PAIR)
			continue;
		all->b.pair[i] = found;
		all->a.pair[found] = i;
		all->by[i] = by;
	}
	name_map_free(&map);
	return status;
}

/* Names of tensors that have no pair yet. */
struct lone {
	const char **names;
	uint32_t *indexes, n;
};

static void lone_free(struct lone *lone)
{
	free(lone->names);
	free(lone->indexes);
}

static enum wh_status list_lone(const struct side *side, name_fn *name,
				struct lone *lone, struct wh_error *err)
{
	uint32_t i, n = side->manifest->n_tensors;

	lone->names = calloc((size_t)n + 1, sizeof(*lone->names));
	lone->indexes = calloc((size_t)n + 1, sizeof(*lone->indexes));
	if (!lone->names || !lone->indexes)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		if (side->pair[i] == NO_PAIR && name(side, i)) {
			lone->names[lone->n] = name(side, i);
			lone->indexes[lone->n++] = i;
		}
	return WH_OK;
}

static enum wh_status pair_renumbered(struct comparison *all, name_fn *name,
				      struct wh_error *err)
{
	__attribute__((cleanup(lone_free))) struct lone a = {.n = 0};
	__attribute__((cleanup(lone_free))) struct lone b = {.n = 0};
	uint32_t *pair wh_free_auto = NULL, i;

	WH_TRY(list_lone(&all->a, name, &a, err));
	WH_TRY(list_lone(&all->b, name, &b, err));
	pair = calloc((size_t)b.n + 1, sizeof(*pair));
	if (!pair)
		return wh_fail_memory(err);
	WH_TRY(renumbered_pair(a.names, a.n, b.names, b.n, pair, err));
	for (i = 0; i < b.n; i++) {
		if (pair[i] == UINT32_MAX)
			continue;
		all->b.pair[b.indexes[i]] = a.indexes[pair[i]];
		all->a.pair[a.indexes[pair[i]]] = b.indexes[i];
		all->by[b.indexes[i]] = by_number;
	}
	return WH_OK;
}

static bool same_payload(const struct wh_tensor *x, const struct wh_tensor *y)
{
	return x->dtype == y->dtype && x->rank == y->rank &&
	       memcmp(x->shape, y->shape, x->rank * sizeof(*x->shape)) == 0 &&
	       memcmp(x->sha256, y->sha256, sizeof(x->sha256)) == 0;
}

/* What is left is little: tensors of both sides that have no namesake. */
static void pair_by_payload(struct comparison *all)
{
	uint32_t i, k;

	for (i = 0; i < all->b.manifest->n_tensors; i++)
		for (k = 0; all->b.pair[i] == NO_PAIR &&
			    k < all->a.manifest->n_tensors;
		     k++)
			if (all->a.pair[k] == NO_PAIR &&
			    same_payload(&all->a.manifest->tensors[k],
					 &all->b.manifest->tensors[i])) {
				all->b.pair[i] = k;
				all->a.pair[k] = i;
				all->by[i] = by_digest;
			}
}

/* ---- Norms
 * --------------------------------------------------------------------- */

static enum wh_status report(struct comparison *all, struct wh_error *err)
{
	const struct wh_diff_options *options = all->options;

	if (!options->progress ||
	    options->progress(options->arg, "comparing", all->done_bytes,
			      all->total_bytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status sum_up(struct comparison *all, uint32_t a, uint32_t b,
			     struct compare_sum *sum, struct wh_error *err)
{
	const struct wh_tensor *tensor = &all->b.manifest->tensors[b];
	uint64_t offset;

	for (offset = 0; offset < tensor->nbytes; offset += PIECE) {
		uint64_t left = tensor->nbytes - offset;
		size_t some = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(wh_source_read(all->a.source, a, offset, all->bytes[0],
				      some, err));
		WH_TRY(wh_source_read(all->b.source, b, offset, all->bytes[1],
				      some, err));
		compare_add(sum, tensor->dtype, all->bytes[0], all->bytes[1],
			    some / wh_dtype_size(tensor->dtype));
		all->done_bytes += some;
		WH_TRY(report(all, err));
	}
	return WH_OK;
}

static void fill_norms(const struct compare_sum *sum, struct wh_difference *d)
{
	double n = (double)sum->n_finite;
	double a = sqrt(compare_join(sum->squares_a));
	double b = sqrt(compare_join(sum->squares_b));
	bool any = sum->n_finite > 0;

	d->has_norms = true;
	d->l2 = any ? sqrt(compare_join(sum->squares)) : (double)NAN;
	d->max_abs = any ? compare_most(sum) : (double)NAN;
	d->mean_abs = any ? compare_join(sum->total) / n : (double)NAN;
	d->cosine = a * b > 0 ? compare_join(sum->dot) / (a * b) : (double)NAN;
	d->changed = sum->n ? (double)sum->n_changed / (double)sum->n : 0;
	d->relative = a > 0 ? d->l2 / a : (double)INFINITY;
	d->n_nan = sum->n_nan;
	d->n_inf = sum->n_inf;
	d->n_new_nan = sum->n_new_nan;
	d->n_new_inf = sum->n_new_inf;
}

/* ---- The whole
 * -------------------------------------------------------------------- */

static const char *tensor_name(const struct side *side, uint32_t index)
{
	const struct wh_variable *v = side->variables[index];

	return v ? v->name : side->manifest->tensors[index].key;
}

static void name_difference(const struct side *side, uint32_t index,
			    struct wh_difference *d)
{
	const struct wh_variable *v = side->variables[index];

	d->layer = side->layers[index] ? side->layers[index]->name : "";
	d->name = tensor_name(side, index);
	d->weight = v && v->object_path ? v->object_path : d->name;
}

static bool same_shape(const struct wh_tensor *x, const struct wh_tensor *y)
{
	return x->rank == y->rank &&
	       memcmp(x->shape, y->shape, x->rank * sizeof(*x->shape)) == 0;
}

static enum wh_status compare_pair(struct comparison *all, uint32_t a,
				   uint32_t b, struct wh_error *err)
{
	const struct wh_tensor *x = &all->a.manifest->tensors[a];
	const struct wh_tensor *y = &all->b.manifest->tensors[b];
	struct wh_difference d = {.by = all->by[b]};
	struct compare_sum sum = {.atol = all->options->atol,
				  .rtol = all->options->rtol};

	name_difference(&all->b, b, &d);
	if (d.by == by_number || d.by == by_digest)
		d.former = tensor_name(&all->a, a);
	d.change = same_payload(x, y)	? WH_CHANGE_RENAMED
		   : x->dtype != y->dtype ? WH_CHANGE_RETYPED
		   : !same_shape(x, y)	? WH_CHANGE_RESHAPED
					: WH_CHANGE_CHANGED;
	if (d.change == WH_CHANGE_CHANGED && number_is_real(y->dtype)) {
		WH_TRY(sum_up(all, a, b, &sum, err));
		if (sum.n_changed == 0)
			d.change = WH_CHANGE_RENAMED; /* within the tolerance */
		else
			fill_norms(&sum, &d);
	}
	if (d.change == WH_CHANGE_RENAMED && !d.former)
		return WH_OK;
	all->stopped = all->fn(all->arg, &d);
	return WH_OK;
}

static void tell_lone(struct comparison *all, const struct side *side,
		      uint32_t index, enum wh_change change)
{
	struct wh_difference d = {.change = change};

	name_difference(side, index, &d);
	all->stopped = all->fn(all->arg, &d);
}

static enum wh_status compare_all(struct comparison *all, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < all->b.manifest->n_tensors && !all->stopped; i++) {
		if (all->b.pair[i] == NO_PAIR)
			tell_lone(all, &all->b, i, WH_CHANGE_ADDED);
		else
			WH_TRY(compare_pair(all, all->b.pair[i], i, err));
	}
	for (i = 0; i < all->a.manifest->n_tensors && !all->stopped; i++)
		if (all->a.pair[i] == NO_PAIR)
			tell_lone(all, &all->a, i, WH_CHANGE_REMOVED);
	return WH_OK;
}

static enum wh_status run_diff(struct comparison *all, struct wh_source *a,
			       struct wh_source *b, struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_source_weigh(a, WH_SHA256, 0, all->options->progress,
			       all->options->arg, err));
	WH_TRY(wh_source_weigh(b, WH_SHA256, 0, all->options->progress,
			       all->options->arg, err));
	WH_TRY(side_fill(&all->a, a, err));
	WH_TRY(side_fill(&all->b, b, err));
	all->by = calloc((size_t)b->manifest.n_tensors + 1, sizeof(*all->by));
	all->bytes[0] = malloc(PIECE);
	all->bytes[1] = malloc(PIECE);
	if (!all->by || !all->bytes[0] || !all->bytes[1])
		return wh_fail_memory(err);
	for (i = 0; i < b->manifest.n_tensors; i++)
		all->total_bytes += b->manifest.tensors[i].nbytes;
	WH_TRY(pair_by(all, key_of, "key", err));
	WH_TRY(pair_by(all, path_of, "path", err));
	WH_TRY(pair_renumbered(all, key_of, err));
	WH_TRY(pair_renumbered(all, path_of, err));
	pair_by_payload(all);
	return compare_all(all, err);
}

enum wh_status wh_diff(struct wh_source *a, struct wh_source *b,
		       const struct wh_diff_options *options, wh_diff_fn *fn,
		       void *arg, struct wh_error *err)
{
	static const struct wh_diff_options defaults;
	struct comparison all = {
		.options = options ? options : &defaults, .fn = fn, .arg = arg};
	enum wh_status status = run_diff(&all, a, b, err);

	if (all.a.manifest)
		side_free(&all.a);
	if (all.b.manifest)
		side_free(&all.b);
	free(all.by);
	free(all.bytes[0]);
	free(all.bytes[1]);
	return status;
}
