/* A manifest that was not built here: a source may be of another program. */
#include "core/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/name_map.h"

enum wh_status name_check(const char *what, const char *name,
			  struct wh_error *err)
{
	size_t len = strlen(name);

	if (len > WH_MAX_NAME)
		return wh_fail(err, WH_ECORRUPT,
			       "a %s of %zu bytes is longer than %u bytes",
			       what, len, WH_MAX_NAME);
	if (!text_is_name(name, len))
		return wh_fail(err, WH_ECORRUPT, "%s '%s' is not valid UTF-8",
			       what, name);
	return WH_OK;
}

static enum wh_status check_name(const char *what, const char *name,
				 struct wh_error *err)
{
	if (!name)
		return wh_fail(err, WH_ECORRUPT, "a %s is missing", what);
	return name_check(what, name, err);
}

static enum wh_status check_keys(const struct wh_manifest *manifest,
				 struct name_map *keys, struct wh_error *err)
{
	bool added = true;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++) {
		const char *key = manifest->tensors[i].key;

		WH_TRY(name_map_add(keys, key, i, &added, err));
		if (!added)
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' is there twice", key);
	}
	return WH_OK;
}

static enum wh_status check_tensors(const struct wh_manifest *manifest,
				    struct wh_error *err)
{
	struct name_map keys = {0};
	enum wh_status status;
	uint32_t i;

	if (manifest->n_tensors > WH_MAX_TENSORS || manifest->n_hidden > 1)
		return wh_fail(err, WH_ECORRUPT, "more than %u tensors",
			       WH_MAX_TENSORS);
	for (i = 0; i < manifest->n_tensors + manifest->n_hidden; i++) {
		const struct wh_tensor *tensor = &manifest->tensors[i];

		WH_TRY(check_name("tensor name", tensor->key, err));
		if (!*tensor->key && i < manifest->n_tensors)
			return wh_fail(err, WH_ECORRUPT,
				       "a tensor without a name");
		WH_TRY(tensor_check(tensor->key, tensor->dtype, tensor->rank,
				    tensor->shape, tensor->nbytes, err));
	}
	status = check_keys(manifest, &keys, err);
	name_map_free(&keys);
	return status;
}

/* `owned`: one a tensor that is listed; it has its variable. */
static enum wh_status check_layer(const struct wh_manifest *manifest,
				  uint32_t index, uint8_t *owned,
				  struct wh_error *err)
{
	const struct wh_layer *layer = &manifest->layers[index];
	uint32_t i;

	WH_TRY(check_name("layer name", layer->name, err));
	if (layer->container != WH_NO_LAYER && layer->container >= index)
		return wh_fail(err, WH_ECORRUPT,
			       "layer '%s' is in one that doesn't come before "
			       "it",
			       layer->name);
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		WH_TRY(check_name("weight name", variable->name, err));
		if (variable->tensor >= manifest->n_tensors)
			return wh_fail(err, WH_ECORRUPT,
				       "weight '%s': there is no tensor %u",
				       variable->name, variable->tensor);
		if (owned[variable->tensor]++)
			return wh_fail(
				err, WH_ECORRUPT,
				"tensor '%s' belongs to two variables",
				manifest->tensors[variable->tensor].key);
	}
	return WH_OK;
}

static enum wh_status check_layers(const struct wh_manifest *manifest,
				   uint8_t *owned, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < manifest->n_layers; i++)
		WH_TRY(check_layer(manifest, i, owned, err));
	for (i = 0; i < manifest->n_tensors; i++)
		if (!owned[i])
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' belongs to no layer",
				       manifest->tensors[i].key);
	return WH_OK;
}

enum wh_status manifest_check(const struct wh_manifest *manifest,
			      struct wh_error *err)
{
	enum wh_status status = check_tensors(manifest, err);
	uint8_t *owned;

	if (!status) {
		owned = calloc(manifest->n_tensors + 1, 1);
		if (!owned)
			return wh_fail_memory(err);
		status = check_layers(manifest, owned, err);
		free(owned);
	}
	if (status != WH_ECORRUPT)
		return status;
	/* No file's fault. */
	if (err)
		err->status = WH_EINVAL;
	wh_error_prefix(err, "the source's manifest");
	return WH_EINVAL;
}
