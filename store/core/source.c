#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/nearest.h"
#include <weighhouse/source.h>

void wh_source_close(struct wh_source *source)
{
	if (source)
		source->ops->close(source);
}

enum wh_status wh_source_read(struct wh_source *source, uint32_t index,
			      uint64_t offset, void *buf, size_t len,
			      struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->manifest;

	if (index >= manifest->n_tensors + manifest->n_hidden)
		return wh_fail(err, WH_EINVAL, "there is no tensor %u", index);
	if (!range_fits(offset, len, manifest->tensors[index].nbytes))
		return wh_fail(
			err, WH_EINVAL,
			"tensor '%s' has %llu bytes; none at %llu",
			manifest->tensors[index].key,
			(unsigned long long)manifest->tensors[index].nbytes,
			(unsigned long long)offset + len);
	return source->ops->read(source, index, offset, buf, len, err);
}

/* Whether `name` is "layer/object_path". */
static bool is_path_of(const struct wh_layer *layer,
		       const struct wh_variable *variable, const char *name)
{
	size_t len = strlen(layer->name);

	return variable->object_path && strncmp(name, layer->name, len) == 0 &&
	       name[len] == '/' &&
	       strcmp(name + len + 1, variable->object_path) == 0;
}

typedef bool match_fn(const struct wh_layer *layer,
		      const struct wh_variable *variable, const char *name);

static bool is_name_of(const struct wh_layer *layer,
		       const struct wh_variable *variable, const char *name)
{
	(void)layer;
	return strcmp(variable->name, name) == 0;
}

static bool find_variable(const struct wh_manifest *manifest, const char *name,
			  match_fn *matches, uint32_t *index)
{
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (k = 0; k < layer->n_variables; k++)
			if (matches(layer, &layer->variables[k], name)) {
				*index = layer->variables[k].tensor;
				return true;
			}
	}
	return false;
}

/* As listed, as the source spells it, and as "layer/object_path". */
static void offer_names(const struct wh_manifest *manifest,
			struct nearest *nearest)
{
	char path[NEAREST_SIZE];
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (k = 0; k < layer->n_variables; k++) {
			const struct wh_variable *v = &layer->variables[k];

			nearest_offer(nearest, v->name);
			if (v->object_path &&
			    snprintf(path, sizeof(path), "%s/%s", layer->name,
				     v->object_path) < (int)sizeof(path))
				nearest_offer(nearest, path);
		}
	}
	for (i = 0; i < manifest->n_tensors; i++)
		nearest_offer(nearest, manifest->tensors[i].key);
}

enum wh_status wh_manifest_find(const struct wh_manifest *manifest,
				const char *name, uint32_t *index,
				struct wh_error *err)
{
	struct nearest nearest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (strcmp(manifest->tensors[i].key, name) == 0) {
			*index = i;
			return WH_OK;
		}
	if (find_variable(manifest, name, is_name_of, index) ||
	    find_variable(manifest, name, is_path_of, index))
		return WH_OK;
	nearest_begin(&nearest, name);
	offer_names(manifest, &nearest);
	if (*nearest.name)
		return wh_fail(err, WH_ENOTFOUND,
			       "there is no tensor '%s'; did you mean '%s'?",
			       name, nearest.name);
	return wh_fail(err, WH_ENOTFOUND, "there is no tensor '%s'", name);
}

bool wh_manifest_owner(const struct wh_manifest *manifest, uint32_t index,
		       const struct wh_layer **layer,
		       const struct wh_variable **variable)
{
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++)
		for (k = 0; k < manifest->layers[i].n_variables; k++)
			if (manifest->layers[i].variables[k].tensor == index) {
				*layer = &manifest->layers[i];
				*variable = &(*layer)->variables[k];
				return true;
			}
	return false;
}
