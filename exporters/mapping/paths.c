/* Weight names of one legacy HDF5 group -> object paths below the layer.
 * Rules and sources: FORMAT.md, "From names to paths". */
#include "mapping/paths.h"

#include <string.h>

#include "base/text.h"
#include "mapping/nested.h"
#include "mapping/scope.h"

/* Weights of Keras's own layers in the order that the layers make them; no
 * leaf stands in two tables in a different order. */
static const char *const leaves[] = {
	"depthwise_kernel",
	"pointwise_kernel",
	"kernel",
	"recurrent_kernel",
	"embeddings",
	"alpha",
	"scale",
	"concat_score_weight",
	"gamma",
	"beta",
	"bias",
	"mean",
	"variance",
	"count",
	"moving_mean",
	"moving_variance",
	"vector_u",
};
#define FIRST_STATISTIC 11 /* "mean": from here on nothing is trained */

uint32_t leaf_rank(const char *leaf)
{
	uint32_t i;

	/* Keras 3 has a property in front of some: `_kernel`. */
	if (*leaf == '_')
		leaf++;
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (strcmp(leaf, leaves[i]) == 0)
			return i;
	return UINT32_MAX;
}

bool leaf_is_statistic(const char *leaf)
{
	uint32_t rank = leaf_rank(leaf);

	return rank >= FIRST_STATISTIC && rank != UINT32_MAX;
}

const char *name_below(const char *name, const char *scope)
{
	size_t len = strlen(scope);

	if (strncmp(name, scope, len) != 0 || name[len] != '/')
		return NULL;
	return name[len + 1] ? name + len + 1 : NULL;
}

static bool has_output(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon && colon[1] &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

const char *name_without_output(const char *name, struct arena *arena)
{
	if (!has_output(name))
		return name;
	return arena_bytes(arena, name, (size_t)(strrchr(name, ':') - name));
}

/* What is left of a name inside its layer, or NULL if the name is not of this
 * layer's scope. Keras 3's legacy files have the model's name in front and no
 * output number. */
static const char *own_rest(const char *layer, const char *original,
			    const char *name)
{
	const char *rest = name_below(name, layer);
	const char *slash = strchr(name, '/');

	if (rest)
		return rest;
	if (!slash)
		return name;
	return has_output(original) ? NULL : name_below(slash + 1, layer);
}

static enum wh_status refuse_nested(const struct wh_layer *layer,
				    const char *one, const char *other,
				    struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s': weights '%s' and '%s' belong to layers "
		       "inside it, and names alone don't say which comes "
		       "first; --model-config FILE (the model's to_json()) "
		       "does",
		       layer->name, one, other);
}

static enum wh_status refuse_scope(const struct wh_layer *layer,
				   enum scope_verdict verdict,
				   struct wh_error *err)
{
	const struct wh_variable *first = &layer->variables[0];
	const struct wh_variable *last =
		&layer->variables[layer->n_variables - 1];

	if (verdict == SCOPE_MEMORY)
		return wh_fail_memory(err);
	if (verdict == SCOPE_CELLS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': weights '%s' and '%s' belong to "
			       "several RNN cells, and names alone don't say "
			       "which comes first; --model-config FILE (the "
			       "model's to_json()) does",
			       layer->name, first->name, last->name);
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s': weight '%s' lies in an object inside the "
		       "layer, or in a subclassed model, whose attribute "
		       "names an HDF5 file doesn't have; --map FILE says "
		       "them, or save the model with save_format='tf'",
		       layer->name, last->name);
}

static bool is_bare_variable(const char *rest)
{
	/* tf.Variable's default names say nothing of the attribute. */
	return strcmp(rest, "Variable") == 0 || text_starts(rest, "Variable_");
}

/* "dense_1_W" of layer "dense_1", without the layer's scope. */
static bool is_keras1_name(const char *name, const char *layer)
{
	size_t len = strlen(layer);

	return strncmp(name, layer, len) == 0 && name[len] == '_' &&
	       !strchr(name, '/');
}

static enum wh_status check_own(const struct wh_layer *layer,
				const struct scoped *weights,
				struct layer_paths *out, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		const char *path = out->paths[i];
		const char *slash = strrchr(path, '/');
		const char *leaf = slash ? slash + 1 : path;

		if (is_bare_variable(leaf))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': weight '%s' is a "
				       "tf.Variable without a name, so its "
				       "attribute is not known; --map FILE "
				       "says it, or save the model with "
				       "save_format='tf'",
				       layer->name, weights[i].name);
		if (is_keras1_name(weights[i].name, layer->name))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': weight '%s' is named as "
				       "Keras 1 did, whose attributes and "
				       "layouts were others; load it in Keras "
				       "2 and save it again",
				       layer->name, weights[i].name);
		if (leaf_rank(leaf) == UINT32_MAX && !out->assumed)
			out->assumed = weights[i].name;
	}
	return WH_OK;
}

/* The scope that all weights share although it is not the layer's own: the
 * only layer with weights of a nested model. NULL, and an error, if there are
 * several, or if the scope is that of a subclassed model. */
static enum wh_status find_only_scope(const struct wh_layer *layer,
				      struct scoped *weights,
				      const char **prefix, struct wh_error *err)
{
	const char *first = weights[0].rest;
	size_t len = strcspn(first, "/");
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		const char *rest = weights[i].rest;

		if (strcspn(rest, "/") != len || rest[len] != '/' ||
		    memcmp(rest, first, len) != 0)
			return refuse_nested(
				layer, weights[0].name,
				weights[i ? i : layer->n_variables - 1].name,
				err);
		if (name_below(rest + len + 1, layer->name))
			return refuse_scope(layer, SCOPE_UNKNOWN, err);
	}
	for (i = 0; i < layer->n_variables; i++)
		weights[i].rest += len + 1;
	*prefix = "layer_with_weights-0/";
	return WH_OK;
}

static enum wh_status resolve_names(const struct wh_layer *layer,
				    const struct config_layer *config,
				    struct arena *arena,
				    struct layer_paths *out,
				    struct wh_error *err)
{
	struct scoped *weights =
		arena_alloc(arena, layer->n_variables, sizeof(*weights));
	const char *prefix = "";
	enum scope_verdict verdict;
	uint32_t i, n_foreign = 0;

	if (!weights)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++) {
		const char *original = layer->variables[i].name;
		const char *name = name_without_output(original, arena);

		if (!name)
			return wh_fail_memory(err);
		weights[i].name = original;
		weights[i].path = &out->paths[i];
		weights[i].rest = own_rest(layer->name, original, name);
		if (!weights[i].rest)
			n_foreign++;
	}
	if (n_foreign) {
		for (i = 0; i < layer->n_variables; i++) {
			weights[i].rest =
				name_without_output(weights[i].name, arena);
			if (!weights[i].rest)
				return wh_fail_memory(err);
		}
		WH_TRY(find_only_scope(layer, weights, &prefix, err));
	}
	verdict = scope_resolve(weights, layer->n_variables, prefix, config,
				arena);
	if (verdict != SCOPE_DECIDED)
		return refuse_scope(layer, verdict, err);
	return check_own(layer, weights, out, err);
}

/* A layer of the model itself has no scope: names are attributes. */
static enum wh_status resolve_model_weights(const struct wh_layer *layer,
					    struct arena *arena,
					    struct layer_paths *out,
					    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		const char *original = layer->variables[i].name;
		const char *name = name_without_output(original, arena);

		if (!name)
			return wh_fail_memory(err);
		if (strchr(name, '/') || is_bare_variable(name))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "the model's own weight '%s' has an "
				       "attribute that its name doesn't say; "
				       "--map FILE says it, or save the model "
				       "with save_format='tf'",
				       original);
		out->paths[i] = name;
		out->assumed = original;
	}
	return WH_OK;
}

static bool is_nested(const struct config_layer *config)
{
	uint32_t depth = 0;

	while (config && config->kind == CONFIG_WRAPPER &&
	       config->n_children == 1 && depth++ < PATHS_MAX_DEPTH)
		config = &config->children[0];
	return config && config->kind == CONFIG_MODEL;
}

enum wh_status paths_of_layer(const struct wh_layer *layer,
			      const struct config_layer *config,
			      struct arena *arena, struct layer_paths *out,
			      struct wh_error *err)
{
	struct layer_paths made = {.may_be_wrapped =
					   !config && layer->kind == WH_LAYER};

	made.paths =
		arena_alloc(arena, layer->n_variables, sizeof(*made.paths));
	if (!made.paths)
		return wh_fail_memory(err);
	if (layer->kind == WH_LAYER_MODEL)
		WH_TRY(resolve_model_weights(layer, arena, &made, err));
	else if (is_nested(config))
		WH_TRY(nested_paths(layer, config, arena, &made, err));
	else if (layer->n_variables)
		WH_TRY(resolve_names(layer, config, arena, &made, err));
	*out = made;
	return WH_OK;
}
