/* What goes into a checkpoint: the graph, each tensor's key, and their order,
 * which is that of the graph's nodes, Python state strings after them. */
#include <string.h>

#include "base/crc.h"
#include "base/text.h"
#include "core/name_map.h"
#include "tf/graph_pb.h"
#include "tf/layout.h"
#include "tf/string_tensor.h"
#include "tf/wire.h"

/* ---- Which tensors, under which keys, in which order
 * ------------------------- */

static enum wh_status add_item(struct layout *layout, const char *key,
			       uint32_t tensor)
{
	if (layout->placed[tensor])
		return WH_OK;
	layout->placed[tensor] = 1;
	layout->items[layout->n_items++] =
		(struct item){.key = key, .tensor = tensor};
	return WH_OK;
}

static void add_literal(struct layout *layout, const char *key,
			enum wh_dtype dtype, const struct wh_buf *bytes,
			uint32_t crc)
{
	struct item *item = &layout->items[layout->n_items++];

	*item = (struct item){.key = key, .tensor = NO_TENSOR, .bytes = bytes};
	item->entry.dtype = dtype;
	item->entry.size = bytes->size;
	item->entry.crc32c = crc_mask(crc);
}

/* Once: a graph may name the counter's key several times. */
static void add_counter(struct layout *layout)
{
	const struct wh_buf *counter = &layout->counter_bytes;

	if (!counter->size || layout->counter_placed)
		return;
	layout->counter_placed = true;
	add_literal(layout, COUNTER_KEY, WH_INT64, counter,
		    crc32c_update(0, counter->data, counter->size));
}

static bool is_python_state(const struct wh_graph_attribute *at)
{
	return strcmp(at->name, "py_state") == 0;
}

/* Keys that an attribute's key stands for: a hash table has two. */
static const char *const key_forms[] = {"", "-keys", "-values", "_STATE"};
#define N_FORMS (sizeof(key_forms) / sizeof(key_forms[0]))

struct keys {
	struct name_map tensors;
	bool any[N_FORMS]; /* that end so: mostly none */
};

static enum wh_status add_attribute(struct layout *layout,
				    const struct keys *keys,
				    const struct wh_graph_attribute *at,
				    struct wh_error *err)
{
	size_t i;

	if (strcmp(at->checkpoint_key, COUNTER_KEY) == 0)
		add_counter(layout);
	for (i = 0; i < N_FORMS; i++) {
		const char *key = at->checkpoint_key;
		uint32_t tensor;

		if (!keys->any[i])
			continue;
		if (*key_forms[i])
			key = arena_printf(&layout->arena, "%s%s", key,
					   key_forms[i]);
		if (!key)
			return wh_fail_memory(err);
		tensor = name_map_find(&keys->tensors, key);
		if (tensor != NO_TENSOR)
			WH_TRY(add_item(layout, key, tensor));
	}
	return WH_OK;
}

static enum wh_status add_values(struct layout *layout, const struct keys *keys,
				 bool python_state, struct wh_error *err)
{
	const struct wh_graph *graph = &layout->mapping.graph;
	uint32_t i, k;

	for (i = 0; i < graph->n_nodes; i++)
		for (k = 0; k < graph->nodes[i].n_attributes; k++) {
			const struct wh_graph_attribute *at =
				&graph->nodes[i].attributes[k];

			if (is_python_state(at) == python_state)
				WH_TRY(add_attribute(layout, keys, at, err));
		}
	return WH_OK;
}

static enum wh_status map_keys(const struct layout *layout, struct keys *keys,
			       struct wh_error *err)
{
	uint32_t i, n = layout->source->manifest.n_tensors;
	bool added;
	size_t k;

	for (i = 0; i < n; i++) {
		const char *key = layout->mapping.key_of[i];

		if (!key)
			continue;
		for (k = 0; k < N_FORMS; k++)
			keys->any[k] |= text_ends(key, key_forms[k]);
		WH_TRY(name_map_add(&keys->tensors, key, i, &added, err));
		if (!added)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "two tensors would have the key '%s'",
				       key);
	}
	return WH_OK;
}

enum wh_status layout_order_items(struct layout *layout, struct wh_error *err)
{
	uint32_t i, n = layout->source->manifest.n_tensors;
	struct keys keys = {0};
	enum wh_status status = map_keys(layout, &keys, err);

	if (!status && layout->has_graph)
		status = add_values(layout, &keys, false, err);
	/* What no node names, before Python's own state. */
	for (i = 0; i < n && !status; i++) {
		const char *key = layout->mapping.key_of[i];

		if (key && !layout->has_graph)
			status = add_item(layout, key, i);
	}
	if (!status && layout->has_graph)
		status = add_values(layout, &keys, true, err);
	for (i = 0; i < n && !status; i++)
		if (layout->mapping.key_of[i])
			status = add_item(layout, layout->mapping.key_of[i], i);
	name_map_free(&keys.tensors);
	return status;
}

/* ---- The graph
 * ------------------------------------------------------------------ */

static bool is_name_based(const struct wh_manifest *manifest)
{
	return !manifest->graph && manifest->origin_format &&
	       strcmp(manifest->origin_format, "tf") == 0;
}

static enum wh_status keep_names(struct layout *layout, struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	const struct wh_plan_options *options = layout->options;
	uint32_t i;

	if (options->object)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a name-based checkpoint has no objects");
	if (options->root || options->save_counter)
		WH_TRY(wh_plan_warn(layout->plan, err,
				    "a name-based checkpoint has no objects: "
				    "none is its root, or counts saves"));
	layout->mapping.key_of =
		arena_alloc(&layout->arena, manifest->n_tensors,
			    sizeof(*layout->mapping.key_of));
	if (!layout->mapping.key_of)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		layout->mapping.key_of[i] = manifest->tensors[i].key;
	return WH_OK;
}

static enum wh_status tell_notes(struct layout *layout, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layout->mapping.n_notes; i++)
		WH_TRY(wh_plan_warn(layout->plan, err, "%s",
				    layout->mapping.notes[i]));
	return WH_OK;
}

enum wh_status layout_choose_graph(struct layout *layout, struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	const struct wh_plan_options *options = layout->options;
	struct mapping_hints hints = {options->model_config, options->map};

	layout->has_graph = !is_name_based(manifest);
	if (!layout->has_graph)
		return keep_names(layout, err);
	WH_TRY(mapping_graph_by(manifest, &hints, &layout->arena,
				&layout->mapping, err));
	if (options->root == WH_ROOT_MODEL ||
	    options->root == WH_ROOT_UNIVERSAL || options->object)
		WH_TRY(mapping_root_model(manifest, options->object,
					  &layout->arena, &layout->mapping,
					  err));
	if (options->root == WH_ROOT_CHECKPOINT)
		WH_TRY(mapping_root_checkpoint(&layout->mapping,
					       manifest->n_tensors,
					       &layout->arena, err));
	if (options->root == WH_ROOT_UNIVERSAL)
		WH_TRY(mapping_root_universal(manifest, &hints, &layout->arena,
					      &layout->mapping, err));
	if (options->async_layout || options->save_counter)
		WH_TRY(layout_count_save(layout, err));
	return tell_notes(layout, err);
}

enum wh_status layout_add_literals(struct layout *layout, struct wh_error *err)
{
	struct wh_buf serialized = {0};
	enum wh_status status;

	add_counter(layout);
	if (!layout->has_graph)
		return WH_OK;
	status = graph_pb_write(&layout->mapping.graph, &serialized, err);
	if (!status)
		status = strings_pack_one(serialized.data, serialized.size,
					  &layout->graph_bytes,
					  &layout->graph_crc, err);
	wh_buf_free(&serialized);
	if (!status)
		add_literal(layout, GRAPH_KEY, WH_STRING, &layout->graph_bytes,
			    layout->graph_crc);
	return status;
}
