/* Keras's rules and texts: tf_keras/src/saving/legacy/hdf5_format.py 2.21,
 * load_weights_from_hdf5_group and ..._by_name. */
#include <string.h>

#include "core/name_map.h"
#include "loading/legacy.h"
#include "loading/pairing.h"

/* A layer of the model that a layer of the file goes into. */
struct layer_pair {
	const struct mapping_layer *from, *to;
	uint32_t number; /* as Keras counts: "layer #3" */
	bool by_name;
};

static uint32_t count_weighted(const struct mapping_h5 *names)
{
	uint32_t i, n = 0;

	for (i = 0; i < names->n_layers; i++)
		n += names->layers[i].kind == WH_LAYER &&
		     names->layers[i].n_weights;
	return n;
}

static const struct mapping_layer *next_weighted(const struct mapping_h5 *names,
						 uint32_t *at)
{
	while (*at < names->n_layers) {
		const struct mapping_layer *layer = &names->layers[(*at)++];

		if (layer->kind == WH_LAYER && layer->n_weights)
			return layer;
	}
	return NULL;
}

static const struct mapping_layer *model_layer(const struct mapping_h5 *names)
{
	uint32_t i;

	for (i = 0; i < names->n_layers; i++)
		if (names->layers[i].kind == WH_LAYER_MODEL)
			return &names->layers[i];
	return NULL;
}

/* ---- Counts
 * ----------------------------------------------------------------- */

/* In order, which Keras 3 allows with skip_mismatch, that is for shapes only. */
static bool skips_count(const struct pairing *pairing,
			const struct layer_pair *pair)
{
	return pairing->options->skip_mismatch && pair->by_name;
}

static enum wh_status refuse_count(const struct layer_pair *pair,
				   struct wh_error *err)
{
	if (pair->by_name)
		return wh_fail(err, WH_EMISMATCH,
			       "Weight count mismatch for layer #%u (named "
			       "%s). Layer expects %u weight(s). Received %u "
			       "saved weight(s)",
			       pair->number, pair->to->name,
			       pair->to->n_weights, pair->from->n_weights);
	return wh_fail(err, WH_EMISMATCH,
		       "Weight count mismatch for layer #%u (named %s in the "
		       "current model, %s in the save file). Layer expects %u "
		       "weight(s). Received %u saved weight(s)",
		       pair->number, pair->to->name, pair->from->name,
		       pair->to->n_weights, pair->from->n_weights);
}

static void skip_count(struct pairing *pairing, const struct layer_pair *pair)
{
	pairing->n_skipped += pair->to->n_weights;
	pairing_warn(pairing,
		     "Skipping loading of weights for layer #%u (named %s) due "
		     "to mismatch in number of weights. Layer expects %u "
		     "weight(s). Received %u saved weight(s)",
		     pair->number, pair->to->name, pair->to->n_weights,
		     pair->from->n_weights);
}

/* ---- Shapes
 * ----------------------------------------------------------------- */

static enum wh_status refuse_shape(struct pairing *pairing,
				   const struct layer_pair *pair,
				   const char *name, const char *expects,
				   const char *received, struct wh_error *err)
{
	(void)pairing;
	if (pair->to->kind == WH_LAYER_MODEL)
		return wh_fail(err, WH_EMISMATCH,
			       "Shape mismatch in model for top-level weight "
			       "%s. Weight expects shape %s. Received saved "
			       "weight with shape %s",
			       name, expects, received);
	return wh_fail(err, WH_EMISMATCH,
		       "Shape mismatch in layer #%u (named %s) for weight %s. "
		       "Weight expects shape %s. Received saved weight with "
		       "shape %s",
		       pair->number, pair->to->name, name, expects, received);
}

static void skip_shape(struct pairing *pairing, const struct layer_pair *pair,
		       const char *name, const char *expects,
		       const char *received)
{
	pairing->n_skipped++;
	if (pair->to->kind == WH_LAYER_MODEL)
		pairing_warn(pairing,
			     "Skipping loading top-level weight for model due "
			     "to mismatch in shape for weight %s. Weight "
			     "expects shape %s. Received saved weight with "
			     "shape %s",
			     name, expects, received);
	else
		pairing_warn(pairing,
			     "Skipping loading weights for layer #%u (named "
			     "%s) due to mismatch in shape for weight %s. "
			     "Weight expects shape %s. Received saved weight "
			     "with shape %s",
			     pair->number, pair->to->name, name, expects,
			     received);
}

static enum wh_status pair_weight(struct pairing *pairing,
				  const struct layer_pair *pair, uint32_t index,
				  struct wh_error *err)
{
	const struct mapping_weight *to = &pair->to->weights[index];
	uint32_t from = pair->from->weights[index].tensor;
	const struct wh_tensor *expected = &pairing->to->tensors[to->tensor];
	const struct wh_tensor *received = &pairing->from->tensors[from];
	const char *expects, *has;

	if (shapes_equal(expected, received)) {
		pair_tensors(pairing, to->tensor, from);
		return WH_OK;
	}
	expects = python_shape(pairing->arena, expected);
	has = python_shape(pairing->arena, received);
	if (!pairing->options->skip_mismatch)
		return refuse_shape(pairing, pair, to->name, expects, has, err);
	skip_shape(pairing, pair, to->name, expects, has);
	return WH_OK;
}

static enum wh_status pair_layer(struct pairing *pairing,
				 const struct layer_pair *pair,
				 struct wh_error *err)
{
	struct layer_pair converted = *pair;
	struct mapping_layer from;
	uint32_t i;

	if (pair->to->kind == WH_LAYER) {
		WH_TRY(legacy_convert(pairing, pair->from, pair->to, &from,
				      err));
		converted.from = &from;
	}
	if (converted.from->n_weights != pair->to->n_weights) {
		if (!skips_count(pairing, pair))
			return refuse_count(&converted, err);
		skip_count(pairing, &converted);
		return WH_OK;
	}
	for (i = 0; i < pair->to->n_weights; i++)
		WH_TRY(pair_weight(pairing, &converted, i, err));
	return WH_OK;
}

/* ---- The model's own weights
 * ------------------------------------------------- */

static enum wh_status pair_model(struct pairing *pairing,
				 const struct mapping_h5 *from,
				 const struct mapping_h5 *to, bool by_name,
				 struct wh_error *err)
{
	struct layer_pair pair = {.from = model_layer(from),
				  .to = model_layer(to),
				  .by_name = by_name};
	uint32_t a = pair.to ? pair.to->n_weights : 0;
	uint32_t b = pair.from ? pair.from->n_weights : 0;

	/* Keras looks at what an HDF5 file has; that of early versions has no
	 * such group. */
	if (!pair.from && pairing->from->origin_format &&
	    strcmp(pairing->from->origin_format, "h5") == 0)
		return WH_OK;
	if (a == b)
		return a ? pair_layer(pairing, &pair, err) : WH_OK;
	if (skips_count(pairing, &pair)) {
		pairing->n_skipped += a;
		pairing_warn(pairing,
			     "Skipping loading top-level weights for model due "
			     "to mismatch in number of weights. Model expects "
			     "%u top-level weight(s). Received %u saved "
			     "top-level weight(s)",
			     a, b);
		return WH_OK;
	}
	return wh_fail(err, WH_EMISMATCH,
		       "Weight count mismatch for top-level weights%s. Model "
		       "expects %u top-level weight(s). Received %u saved "
		       "top-level weight(s)",
		       by_name ? " of model"
			       : " when loading weights from file",
		       a, b);
}

/* ---- The two rules
 * ------------------------------------------------------------ */

static enum wh_status pair_in_order(struct pairing *pairing,
				    const struct mapping_h5 *from,
				    const struct mapping_h5 *to,
				    struct wh_error *err)
{
	uint32_t n_from = count_weighted(from), n_to = count_weighted(to);
	struct layer_pair pair = {0};
	uint32_t at_from = 0, at_to = 0;

	if (n_from != n_to)
		return wh_fail(err, WH_EMISMATCH,
			       "Layer count mismatch when loading weights from "
			       "file. Model expected %u layers, found %u saved "
			       "layers.",
			       n_to, n_from);
	for (; pair.number < n_to; pair.number++) {
		pair.from = next_weighted(from, &at_from);
		pair.to = next_weighted(to, &at_to);
		WH_TRY(pair_layer(pairing, &pair, err));
	}
	return WH_OK;
}

/* Names of classes say little of which layer is meant. */
static void tell_classes(struct pairing *pairing, const struct mapping_h5 *from,
			 const struct mapping_h5 *to,
			 const struct name_map *names)
{
	bool is_from = from->by_class != NULL;
	uint32_t i, n = 0;

	if (!is_from && !to->by_class)
		return;
	for (i = 0; i < from->n_layers; i++)
		n += from->layers[i].kind == WH_LAYER &&
		     from->layers[i].n_weights &&
		     name_map_find(names, from->layers[i].name) != UINT32_MAX;
	pairing_warn(pairing,
		     "the Keras 3 file %s names layers by their classes alone, "
		     "as '%s': %u of %u layers have a name that the other has%s",
		     is_from ? "that is loaded from" : "that is loaded into",
		     is_from ? from->by_class : to->by_class, n,
		     count_weighted(to),
		     pairing->options->model_config
			     ? ""
			     : "; --model-config FILE (the model's to_json()) "
			       "says their own names");
}

static enum wh_status pair_by_name(struct pairing *pairing,
				   const struct mapping_h5 *from,
				   const struct mapping_h5 *to,
				   struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map layers = {0};
	struct layer_pair pair = {.by_name = true};
	uint32_t i, found;
	bool added;

	for (i = 0; i < to->n_layers; i++)
		if (to->layers[i].kind == WH_LAYER)
			WH_TRY(name_map_add(&layers, to->layers[i].name, i,
					    &added, err));
	tell_classes(pairing, from, to, &layers);
	for (i = 0; i < from->n_layers; i++) {
		pair.from = &from->layers[i];
		if (pair.from->kind != WH_LAYER)
			continue;
		found = name_map_find(&layers, pair.from->name);
		if (found != UINT32_MAX) {
			pair.to = &to->layers[found];
			WH_TRY(pair_layer(pairing, &pair, err));
		}
		pair.number++;
	}
	return WH_OK;
}

enum wh_status pair_layers(struct pairing *pairing,
			   const struct mapping_h5 *from,
			   const struct mapping_h5 *to, bool by_name,
			   struct wh_error *err)
{
	if (by_name)
		WH_TRY(pair_by_name(pairing, from, to, err));
	else
		WH_TRY(pair_in_order(pairing, from, to, err));
	return pair_model(pairing, from, to, by_name, err);
}
