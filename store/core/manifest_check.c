/* A manifest that was not built here: a source may be of another program. */
#include "core/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
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

static enum wh_status check_there(const char *what, const char *text,
				  struct wh_error *err)
{
	return text ? WH_OK
		    : wh_fail(err, WH_ECORRUPT, "a %s is missing", what);
}

static enum wh_status check_name(const char *what, const char *name,
				 struct wh_error *err)
{
	WH_TRY(check_there(what, name, err));
	return name_check(what, name, err);
}

static enum wh_status check_optional(const char *what, const char *name,
				     struct wh_error *err)
{
	return name ? name_check(what, name, err) : WH_OK;
}

/* `last` is the greatest that there is. */
static enum wh_status check_kind(const char *what, int kind, int last,
				 struct wh_error *err)
{
	if (kind >= 0 && kind <= last)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "there is no %s %d", what, kind);
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

static enum wh_status check_variable(const struct wh_variable *variable,
				     struct wh_error *err)
{
	WH_TRY(check_name("weight name", variable->name, err));
	WH_TRY(check_optional("object path", variable->object_path, err));
	WH_TRY(check_optional("Keras 3 path", variable->keras3_path, err));
	WH_TRY(check_kind("role", (int)variable->role, WH_ROLE_OTHER, err));
	return check_kind("trainable", (int)variable->trainable,
			  WH_TRAINABLE_NO, err);
}

/* `owned`: one a tensor that is listed; it has its variable. */
static enum wh_status check_layer(const struct wh_manifest *manifest,
				  uint32_t index, uint8_t *owned,
				  struct wh_error *err)
{
	const struct wh_layer *layer = &manifest->layers[index];
	uint32_t i;

	WH_TRY(check_name("layer name", layer->name, err));
	WH_TRY(check_optional("class name", layer->class_name, err));
	WH_TRY(check_kind("kind of layer", (int)layer->kind, WH_LAYER_STATE,
			  err));
	if (layer->container != WH_NO_LAYER && layer->container >= index)
		return wh_fail(err, WH_ECORRUPT,
			       "layer '%s' is in one that doesn't come before "
			       "it",
			       layer->name);
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		WH_TRY(check_variable(variable, err));
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
	uint32_t i, n_own = 0;

	for (i = 0; i < manifest->n_layers; i++) {
		WH_TRY(check_layer(manifest, i, owned, err));
		n_own += manifest->layers[i].kind == WH_LAYER;
	}
	if (n_own > WH_MAX_LAYERS ||
	    manifest->n_layers - n_own > WH_LAYER_STATE)
		return wh_fail(err, WH_ECORRUPT,
			       "more than %u layers, or %d beside the model's",
			       WH_MAX_LAYERS, (int)WH_LAYER_STATE);
	for (i = 0; i < manifest->n_tensors; i++)
		if (!owned[i])
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' belongs to no layer",
				       manifest->tensors[i].key);
	return WH_OK;
}

static enum wh_status check_owners(const struct wh_manifest *manifest,
				   struct wh_error *err)
{
	uint8_t *owned = calloc((size_t)manifest->n_tensors + 1, 1);
	enum wh_status status;

	if (!owned)
		return wh_fail_memory(err);
	status = check_layers(manifest, owned, err);
	free(owned);
	return status;
}

static enum wh_status check_attributes(const struct wh_manifest *manifest,
				       struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++) {
		const struct wh_attribute *at = &manifest->attributes[i];

		WH_TRY(check_name("path of an attribute", at->path, err));
		WH_TRY(check_name("name of an attribute", at->key, err));
		WH_TRY(check_kind("kind of attribute", (int)at->kind,
				  WH_VALUE_BYTES, err));
		if (at->kind != WH_VALUE_INTEGER && !at->text)
			return wh_fail(err, WH_ECORRUPT,
				       "attribute '%s' has no text", at->key);
	}
	return WH_OK;
}

/* ---- The object graph ---------------------------------------------------- */

static enum wh_status check_node_id(const struct wh_graph *graph, uint32_t id,
				    struct wh_error *err)
{
	if (id < graph->n_nodes)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "the graph has no node %u", id);
}

static enum wh_status check_node(const struct wh_graph *graph,
				 const struct wh_graph_node *node,
				 struct wh_error *err)
{
	uint32_t i;

	WH_TRY(check_kind("has_values", (int)node->has_values,
			  WH_HAS_VALUES_YES, err));
	for (i = 0; i < node->n_edges; i++) {
		WH_TRY(check_there("graph's edge", node->edges[i].name, err));
		WH_TRY(check_node_id(graph, node->edges[i].node, err));
	}
	for (i = 0; i < node->n_attributes; i++) {
		const struct wh_graph_attribute *at = &node->attributes[i];

		WH_TRY(check_there("graph's attribute", at->name, err));
		WH_TRY(check_there("graph's key", at->checkpoint_key, err));
	}
	for (i = 0; i < node->n_slots; i++) {
		const struct wh_graph_slot *slot = &node->slots[i];

		WH_TRY(check_there("graph's slot", slot->name, err));
		WH_TRY(check_node_id(graph, slot->original, err));
		WH_TRY(check_node_id(graph, slot->slot, err));
	}
	return WH_OK;
}

static enum wh_status check_graph(const struct wh_manifest *manifest,
				  struct wh_error *err)
{
	const struct wh_graph *graph = manifest->graph;
	uint32_t i;

	for (i = 0; graph && i < graph->n_nodes; i++)
		WH_TRY(check_node(graph, &graph->nodes[i], err));
	return WH_OK;
}

/* ---- The template -------------------------------------------------------- */

/* What is in a payload is looked at where a plan is made of it. */
static enum wh_status check_file(const struct wh_manifest *manifest,
				 const struct wh_template_file *file,
				 struct wh_error *err)
{
	uint64_t end = 0;
	uint32_t i;

	WH_TRY(check_there("file's suffix", file->suffix, err));
	if (strchr(file->suffix, '/'))
		return wh_fail(err, WH_ECORRUPT,
			       "the suffix '%s' leaves the folder",
			       file->suffix);
	for (i = 0; i < file->n_extents; i++) {
		const struct wh_extent *at = &file->extents[i];

		if (at->offset != end || at->swap > WIDEST_ELEMENT ||
		    at->tensor >= manifest->n_tensors + manifest->n_hidden ||
		    !checked_add(end, at->length, &end))
			return wh_fail(err, WH_ECORRUPT,
				       "the file '%s' is not sound at byte "
				       "%llu",
				       file->suffix, (unsigned long long)end);
	}
	if (end != file->size && !file->canonical)
		return wh_fail(err, WH_ECORRUPT,
			       "the file '%s' ends at byte %llu of %llu",
			       file->suffix, (unsigned long long)end,
			       (unsigned long long)file->size);
	return WH_OK;
}

static enum wh_status check_template(const struct wh_manifest *manifest,
				     struct wh_error *err)
{
	const struct wh_template *template_ = manifest->template_;
	uint32_t i;

	if (!template_)
		return WH_OK;
	WH_TRY(check_there("template's format", template_->format, err));
	if (template_->skeleton != WH_LITERAL &&
	    (template_->skeleton != manifest->n_tensors || !manifest->n_hidden))
		return wh_fail(err, WH_ECORRUPT,
			       "the template's skeleton is not the hidden "
			       "tensor");
	for (i = 0; i < template_->n_files; i++)
		WH_TRY(check_file(manifest, &template_->files[i], err));
	return WH_OK;
}

enum wh_status manifest_check(const struct wh_manifest *manifest,
			      struct wh_error *err)
{
	enum wh_status status = check_tensors(manifest, err);

	if (!status)
		status = check_owners(manifest, err);
	if (!status)
		status = check_attributes(manifest, err);
	if (!status)
		status = check_graph(manifest, err);
	if (!status)
		status = check_template(manifest, err);
	if (status != WH_ECORRUPT)
		return status;
	/* No file's fault. */
	if (err)
		err->status = WH_EINVAL;
	wh_error_prefix(err, "the source's manifest");
	return WH_EINVAL;
}
