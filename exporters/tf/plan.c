/* Laying out a checkpoint as TensorFlow's BundleWriter does.
 *
 * Data: tensors in the order of the graph's nodes, Python state strings after
 * them, the serialized graph last; no padding. Index: a table of all entries
 * by key. Checksums come from the weighed tensors, so no payload is read but
 * the lengths of strings.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "core/name_map.h"
#include "mapping/mapping.h"
#include "tf/bundle.h"
#include "tf/graph_pb.h"
#include "tf/rectangle.h"
#include "tf/sharding.h"
#include "tf/string_tensor.h"
#include "tf/table.h"
#include "tf/tf.h"
#include "tf/wire.h"

#define VALUE_NAME   "VARIABLE_VALUE"
#define COUNTER_NAME "save_counter"
#define COUNTER_KEY  COUNTER_NAME "/.ATTRIBUTES/" VALUE_NAME
#define MAX_VARIANT  ((uint64_t)64 << 20)
#define NO_TENSOR    UINT32_MAX

/* What goes into the data files, in order. */
struct item {
	const char *key;
	uint32_t tensor;	    /* NO_TENSOR: literal bytes */
	const struct wh_buf *bytes; /* of a literal */
	struct bundle_entry entry;
	const uint64_t *start, *length; /* of a slice; else NULL */
};

struct layout {
	struct wh_source *source;
	const struct wh_plan_options *options;
	struct wh_plan *plan;
	struct arena arena;
	struct mapping_graph mapping;
	bool has_graph;
	struct item *items;
	uint32_t n_items;
	uint8_t *placed;	      /* a tensor is an item already */
	struct bundle_entry **wholes; /* of sliced tensors */
	struct wh_buf graph_bytes, counter_bytes;
	uint32_t graph_crc;
};

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

static bool is_python_state(const struct wh_graph_attribute *at)
{
	return strcmp(at->name, "py_state") == 0;
}

/* Keys that an attribute's key stands for: a hash table has two. */
static const char *const key_forms[] = {"", "-keys", "-values", "_STATE"};

static enum wh_status add_attribute(struct layout *layout,
				    const struct name_map *tensors,
				    const struct wh_graph_attribute *at,
				    struct wh_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(key_forms) / sizeof(key_forms[0]); i++) {
		const char *key =
			arena_printf(&layout->arena, "%s%s", at->checkpoint_key,
				     key_forms[i]);
		uint32_t tensor;

		if (!key)
			return wh_fail_memory(err);
		tensor = name_map_find(tensors, key);
		if (tensor != NO_TENSOR)
			WH_TRY(add_item(layout, key, tensor));
	}
	return WH_OK;
}

static enum wh_status add_values(struct layout *layout,
				 const struct name_map *tensors,
				 bool python_state, struct wh_error *err)
{
	const struct wh_graph *graph = &layout->mapping.graph;
	uint32_t i, k;

	for (i = 0; i < graph->n_nodes; i++)
		for (k = 0; k < graph->nodes[i].n_attributes; k++) {
			const struct wh_graph_attribute *at =
				&graph->nodes[i].attributes[k];

			if (is_python_state(at) == python_state)
				WH_TRY(add_attribute(layout, tensors, at, err));
		}
	return WH_OK;
}

static enum wh_status map_keys(const struct layout *layout,
			       struct name_map *tensors, struct wh_error *err)
{
	uint32_t i, n = layout->source->manifest.n_tensors;
	bool added;

	for (i = 0; i < n; i++) {
		const char *key = layout->mapping.key_of[i];

		if (!key)
			continue;
		WH_TRY(name_map_add(tensors, key, i, &added, err));
		if (!added)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "two tensors would have the key '%s'",
				       key);
	}
	return WH_OK;
}

static enum wh_status order_items(struct layout *layout, struct wh_error *err)
{
	uint32_t i, n = layout->source->manifest.n_tensors;
	struct name_map tensors = {0};
	enum wh_status status = map_keys(layout, &tensors, err);

	if (!status && layout->has_graph)
		status = add_values(layout, &tensors, false, err);
	/* What no node names, before Python's own state. */
	for (i = 0; i < n && !status; i++) {
		const char *key = layout->mapping.key_of[i];

		if (key && !layout->has_graph)
			status = add_item(layout, key, i);
	}
	if (!status && layout->has_graph)
		status = add_values(layout, &tensors, true, err);
	for (i = 0; i < n && !status; i++)
		if (layout->mapping.key_of[i])
			status = add_item(layout, layout->mapping.key_of[i], i);
	name_map_free(&tensors);
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
	uint32_t i;

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

static bool has_edge(const struct wh_graph_node *node, const char *name)
{
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (strcmp(node->edges[i].name, name) == 0)
			return true;
	return false;
}

/* A counter that came with the checkpoint keeps its node and key, and gets the
 * new count, where one is given. */
static enum wh_status replace_counter(struct layout *layout,
				      struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	uint8_t bytes[8];
	uint32_t i;

	if (!layout->options->save_counter)
		return WH_OK;
	for (i = 0; i < manifest->n_tensors; i++) {
		const char *key = layout->mapping.key_of[i];

		if (!key || strcmp(key, COUNTER_KEY) != 0)
			continue;
		layout->mapping.key_of[i] = NULL;
		put_le64(bytes, layout->options->save_counter);
		return wh_buf_append(&layout->counter_bytes, bytes,
				     sizeof(bytes), err);
	}
	return WH_OK;
}

/* A counter of saves at the root: save() has counted its own, and what an
 * asynchronous write() adds is 0. */
static enum wh_status add_counter(struct layout *layout, struct wh_error *err)
{
	uint8_t value_bytes[8];
	struct wh_graph *graph = &layout->mapping.graph;
	struct arena *arena = &layout->arena;
	struct wh_graph_node *nodes, *root;
	struct wh_graph_edge *edges;
	struct wh_graph_attribute *value =
		arena_alloc(arena, 1, sizeof(*value));

	if (has_edge(&graph->nodes[0], COUNTER_NAME))
		return replace_counter(layout, err);
	nodes = arena_alloc(arena, graph->n_nodes + 1u, sizeof(*nodes));
	edges = arena_alloc(arena, graph->nodes[0].n_edges + 1u,
			    sizeof(*edges));
	if (!value || !nodes || !edges)
		return wh_fail_memory(err);
	memcpy(nodes, graph->nodes, graph->n_nodes * sizeof(*nodes));
	root = &nodes[0];
	memcpy(edges, root->edges, root->n_edges * sizeof(*edges));
	edges[root->n_edges++] =
		(struct wh_graph_edge){graph->n_nodes, COUNTER_NAME};
	root->edges = edges;
	*value = (struct wh_graph_attribute){.name = VALUE_NAME,
					     .full_name = COUNTER_NAME,
					     .checkpoint_key = COUNTER_KEY};
	nodes[graph->n_nodes++] =
		(struct wh_graph_node){.attributes = value,
				       .n_attributes = 1,
				       .has_values = WH_HAS_VALUES_YES};
	graph->nodes = nodes;
	put_le64(value_bytes, layout->options->save_counter);
	return wh_buf_append(&layout->counter_bytes, value_bytes,
			     sizeof(value_bytes), err);
}

static enum wh_status choose_graph(struct layout *layout, struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	const struct wh_plan_options *options = layout->options;
	struct mapping_hints hints = {options->model_config, options->map};

	layout->has_graph = !is_name_based(manifest);
	if (!layout->has_graph)
		return keep_names(layout, err);
	WH_TRY(mapping_graph_by(manifest, &hints, &layout->arena,
				&layout->mapping, err));
	if (options->root == WH_ROOT_CHECKPOINT)
		WH_TRY(mapping_root_checkpoint(&layout->mapping,
					       manifest->n_tensors,
					       &layout->arena, err));
	if (options->root == WH_ROOT_UNIVERSAL)
		WH_TRY(mapping_root_universal(manifest, &hints, &layout->arena,
					      &layout->mapping, err));
	if (options->async_layout || options->save_counter)
		WH_TRY(add_counter(layout, err));
	return tell_notes(layout, err);
}

static struct item *add_literal(struct layout *layout, const char *key,
				enum wh_dtype dtype, const struct wh_buf *bytes,
				uint32_t crc)
{
	struct item *item = &layout->items[layout->n_items++];

	*item = (struct item){.key = key, .tensor = NO_TENSOR, .bytes = bytes};
	item->entry.dtype = dtype;
	item->entry.size = bytes->size;
	item->entry.crc32c = crc_mask(crc);
	return item;
}

static enum wh_status add_literals(struct layout *layout, struct wh_error *err)
{
	struct wh_buf *counter = &layout->counter_bytes;
	struct wh_buf serialized = {0};
	enum wh_status status;

	if (counter->size)
		add_literal(layout, COUNTER_KEY, WH_INT64, counter,
			    crc32c_update(0, counter->data, counter->size));
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

/* ---- Payloads
 * --------------------------------------------------------------------- */

static enum wh_status add_strings(struct layout *layout, struct wh_image *image,
				  struct item *item, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[item->tensor];
	struct wh_buf head = {0};
	uint64_t n = 1, bytes;
	uint32_t crc, i;
	enum wh_status status =
		strings_plan(layout->source, item->tensor, &head, &crc, err);

	for (i = 0; i < tensor->rank; i++)
		n *= tensor->shape[i];
	bytes = tensor->nbytes - 8 * n;
	item->entry.size = head.size + bytes;
	item->entry.crc32c = crc_mask(crc);
	if (!status)
		status = wh_image_literal(image, head.data, head.size, err);
	if (!status && bytes)
		status = wh_image_payload(image, item->tensor, 8 * n, bytes,
					  err);
	wh_buf_free(&head);
	return status;
}

/* A variant's bytes are kept as they stand in the file, but its CRC runs over
 * lengths of eight bytes: the elements are walked. */
static enum wh_status sum_variant(const struct wh_tensor *tensor,
				  const uint8_t *bytes, uint32_t *crc,
				  struct wh_error *err)
{
	struct cursor cursor = {bytes, bytes + tensor->nbytes};

	*crc = 0;
	while (cursor_left(&cursor)) {
		const uint8_t *element;
		uint8_t length[8];
		uint64_t len;

		if (!cursor_varint(&cursor, &len) || len > SIZE_MAX - 4 ||
		    !cursor_bytes(&cursor, (size_t)len + 4, &element))
			return wh_fail(err, WH_ECORRUPT,
				       "variant tensor '%s' can't be read",
				       tensor->key);
		put_le64(length, len);
		*crc = crc32c_update(*crc, length, sizeof(length));
		*crc = crc32c_update(*crc, element, (size_t)len + 4);
	}
	return WH_OK;
}

static enum wh_status add_variant(struct layout *layout, struct wh_image *image,
				  struct item *item, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[item->tensor];
	uint8_t *bytes wh_free_auto = NULL;
	uint32_t crc;

	if (tensor->nbytes > MAX_VARIANT)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "variant tensor '%s' is too large", tensor->key);
	bytes = malloc((size_t)tensor->nbytes + 1);
	if (!bytes)
		return wh_fail_memory(err);
	WH_TRY(wh_source_read(layout->source, item->tensor, 0, bytes,
			      (size_t)tensor->nbytes, err));
	WH_TRY(sum_variant(tensor, bytes, &crc, err));
	item->entry.size = tensor->nbytes;
	item->entry.crc32c = crc_mask(crc);
	return wh_image_payload(image, item->tensor, 0, tensor->nbytes, err);
}

static enum wh_status add_tensor(struct layout *layout, struct wh_image *image,
				 struct item *item, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[item->tensor];

	item->entry.dtype = tensor->dtype;
	item->entry.rank = tensor->rank;
	if (tensor->rank)
		memcpy(item->entry.shape, tensor->shape,
		       tensor->rank * sizeof(*tensor->shape));
	if (tensor->dtype == WH_STRING)
		return add_strings(layout, image, item, err);
	if (tensor->dtype == WH_VARIANT)
		return add_variant(layout, image, item, err);
	item->entry.size = tensor->nbytes;
	item->entry.crc32c = crc_mask(tensor->crc32c);
	if (tensor->nbytes == 0)
		return WH_OK;
	return wh_image_payload(image, item->tensor, 0, tensor->nbytes, err);
}

/* A slice's own checksum is of no part that is known: its bytes are read. */
static enum wh_status add_part(struct layout *layout, struct wh_image *image,
			       struct item *item, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[item->tensor];
	struct rectangle part = {tensor->rank, tensor->shape, item->start,
				 item->length};
	size_t size = wh_dtype_size(tensor->dtype);
	uint64_t i, n = rectangle_count(&part);
	uint32_t crc = 0;

	item->entry.dtype = tensor->dtype;
	item->entry.rank = tensor->rank;
	memcpy(item->entry.shape, item->length,
	       tensor->rank * sizeof(*item->length));
	for (i = 0; i < n; i++) {
		struct wh_extent extent;

		rectangle_extent(&part, size, i, &extent);
		extent.tensor = item->tensor;
		extent.offset = image->size;
		WH_TRY(rectangle_sum(layout->source, &extent, &crc, err));
		WH_TRY(wh_image_extent(image, &extent, err));
		item->entry.size += extent.length;
	}
	item->entry.crc32c = crc_mask(crc);
	return WH_OK;
}

/* ---- Shards
 * ------------------------------------------------------------------------- */

/* TensorFlow counts the graph as nothing, of strings only their bytes. */
static struct shardable shardable_of(const struct layout *layout,
				     const struct item *item)
{
	const struct wh_tensor *tensor;
	struct shardable made;
	uint64_t n = 0;

	if (item->tensor == NO_TENSOR)
		return (struct shardable){.nbytes =
						  item->entry.dtype == WH_STRING
							  ? 0
							  : item->entry.size};
	tensor = &layout->source->manifest.tensors[item->tensor];
	made = (struct shardable){.nbytes = tensor->nbytes,
				  .rank = tensor->rank,
				  .shape = tensor->shape};
	if (dtype_may_be_sliced(tensor->dtype))
		made.width = wh_dtype_size(tensor->dtype);
	if (layout->options->shard_policy == WH_SHARD_TENSORFLOW) {
		checked_shape(tensor->shape, tensor->rank, &n);
		if (tensor->dtype == WH_STRING)
			made.nbytes -= 8 * n;
		else if (tensor->dtype == WH_VARIANT)
			made.nbytes = 0;
	}
	return made;
}

/* Items become those of the shards: in their order, sliced ones in parts. */
static enum wh_status assign_shards(struct layout *layout, uint32_t *n_shards,
				    struct wh_error *err)
{
	struct shardable *shardables wh_free_auto =
		calloc((size_t)layout->n_items + 1, sizeof(*shardables));
	struct sharding sharding = {0};
	struct item *placed = NULL;
	enum wh_status status;
	uint32_t i;

	if (!shardables)
		return wh_fail_memory(err);
	for (i = 0; i < layout->n_items; i++)
		shardables[i] = shardable_of(layout, &layout->items[i]);
	status = sharding_assign(&sharding, layout->options->shard_policy,
				 layout->options->max_shard_size, shardables,
				 layout->n_items, &layout->arena, err);
	if (!status) {
		placed = calloc((size_t)sharding.n_pieces + 1, sizeof(*placed));
		status = placed ? WH_OK : wh_fail_memory(err);
	}
	for (i = 0; i < sharding.n_pieces && !status; i++) {
		const struct shard_piece *piece = &sharding.pieces[i];

		placed[i] = layout->items[piece->item];
		placed[i].entry.shard = piece->shard;
		placed[i].start = piece->start;
		placed[i].length = piece->length;
	}
	free(sharding.pieces);
	if (status)
		return status;
	free(layout->items);
	layout->items = placed;
	layout->n_items = sharding.n_pieces;
	*n_shards = sharding.n_shards;
	return WH_OK;
}

static enum wh_status add_item_bytes(struct layout *layout,
				     struct wh_image *image, struct item *item,
				     struct wh_error *err)
{
	if (item->tensor == NO_TENSOR)
		return wh_image_literal(image, item->bytes->data,
					item->bytes->size, err);
	if (item->start)
		return add_part(layout, image, item, err);
	return add_tensor(layout, image, item, err);
}

static enum wh_status add_shards(struct layout *layout, uint32_t n_shards,
				 struct wh_error *err)
{
	struct wh_image *image = NULL;
	uint32_t i, shard = NO_TENSOR;
	char suffix[48];

	for (i = 0; i < layout->n_items; i++) {
		struct item *item = &layout->items[i];

		if (item->entry.shard != shard) {
			shard = item->entry.shard;
			snprintf(suffix, sizeof(suffix), ".data-%05u-of-%05u",
				 shard, n_shards);
			WH_TRY(wh_plan_add_image(layout->plan, suffix, false,
						 &image, err));
		}
		item->entry.offset = image->size;
		WH_TRY(add_item_bytes(layout, image, item, err));
	}
	/* A checkpoint of nothing still has its data file. */
	if (!image)
		return wh_plan_add_image(layout->plan, ".data-00000-of-00001",
					 false, &image, err);
	return WH_OK;
}

/* ---- Index
 * -------------------------------------------------------------------------- */

struct index_row {
	const void *key;
	size_t key_len;
	const struct bundle_entry *entry;
};

static int by_key(const void *a, const void *b)
{
	const struct index_row *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int order = memcmp(x->key, y->key, n);

	return order ? order
		     : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* A sliced tensor has an entry of its own, which lists its slices. The first
 * of them by shard comes here. */
static struct bundle_entry *find_whole(struct layout *layout, uint32_t index,
				       struct index_row *rows, uint32_t *n_rows)
{
	const struct item *item = &layout->items[index];
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[item->tensor];
	struct bundle_entry *made = layout->wholes[item->tensor];
	uint32_t i, n = 0;

	if (made)
		return made;
	for (i = index; i < layout->n_items; i++)
		n += layout->items[i].tensor == item->tensor;
	made = arena_alloc(&layout->arena, 1, sizeof(*made));
	if (!made)
		return NULL;
	made->dtype = tensor->dtype;
	made->rank = tensor->rank;
	memcpy(made->shape, tensor->shape,
	       tensor->rank * sizeof(*tensor->shape));
	made->shard = item->entry.shard;
	made->slices = arena_alloc(&layout->arena, n, sizeof(*made->slices));
	if (!made->slices)
		return NULL;
	rows[(*n_rows)++] =
		(struct index_row){item->key, strlen(item->key), made};
	layout->wholes[item->tensor] = made;
	return made;
}

static enum wh_status add_slice_row(struct layout *layout, uint32_t index,
				    struct index_row *rows, uint32_t *n_rows,
				    struct wh_error *err)
{
	const struct item *item = &layout->items[index];
	struct bundle_entry *whole = find_whole(layout, index, rows, n_rows);
	struct wh_buf key = {0};
	struct bundle_slice *slice;
	const char *copy;
	uint32_t i;

	if (!whole)
		return wh_fail_memory(err);
	slice = &whole->slices[whole->n_slices++];
	slice->rank = whole->rank;
	slice->extents = arena_alloc(&layout->arena, whole->rank,
				     sizeof(*slice->extents));
	if (!slice->extents)
		return wh_fail_memory(err);
	for (i = 0; i < whole->rank; i++)
		slice->extents[i] = (struct bundle_extent){
			(int64_t)item->start[i], (int64_t)item->length[i]};
	WH_TRY(bundle_slice_key(&key, item->key, slice, err));
	copy = arena_bytes(&layout->arena, key.data, key.size);
	rows[(*n_rows)++] = (struct index_row){copy, key.size, &item->entry};
	wh_buf_free(&key);
	return copy ? WH_OK : wh_fail_memory(err);
}

static enum wh_status list_rows(struct layout *layout, struct index_row *rows,
				uint32_t *n_rows, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layout->n_items; i++) {
		const struct item *item = &layout->items[i];

		if (item->start)
			WH_TRY(add_slice_row(layout, i, rows, n_rows, err));
		else
			rows[(*n_rows)++] = (struct index_row){
				item->key, strlen(item->key), &item->entry};
	}
	qsort(rows, *n_rows, sizeof(*rows), by_key);
	return WH_OK;
}

static enum wh_status write_entries(struct layout *layout, uint32_t n_shards,
				    struct table_writer *table,
				    struct wh_buf *value, struct wh_error *err)
{
	/* A sliced tensor has two parts or more, and one row beyond them. */
	struct index_row *rows wh_free_auto =
		calloc(2 * (size_t)layout->n_items + 1, sizeof(*rows));
	uint32_t i, n_rows = 0;

	if (!rows)
		return wh_fail_memory(err);
	WH_TRY(list_rows(layout, rows, &n_rows, err));
	WH_TRY(bundle_write_header(value, n_shards, err));
	WH_TRY(table_writer_add(table, "", 0, value->data, value->size, err));
	for (i = 0; i < n_rows; i++) {
		value->size = 0;
		WH_TRY(bundle_write_entry(value, rows[i].entry, err));
		WH_TRY(table_writer_add(table, rows[i].key, rows[i].key_len,
					value->data, value->size, err));
	}
	return table_writer_finish(table, err);
}

static enum wh_status add_index(struct layout *layout, uint32_t n_shards,
				struct wh_error *err)
{
	struct wh_buf bytes = {0}, value = {0};
	struct table_writer table;
	struct wh_image *image;
	enum wh_status status;

	table_writer_init(&table, &bytes);
	status = write_entries(layout, n_shards, &table, &value, err);
	table_writer_free(&table);
	if (!status)
		status = wh_plan_add_image(layout->plan, ".index", true, &image,
					   err);
	if (!status)
		status = wh_image_literal(image, bytes.data, bytes.size, err);
	wh_buf_free(&bytes);
	wh_buf_free(&value);
	return status;
}

/* ---- The whole
 * ------------------------------------------------------------------------ */

static enum wh_status fill_plan(struct layout *layout, struct wh_error *err)
{
	size_t room = (size_t)layout->source->manifest.n_tensors + 2;
	uint32_t n_shards = 1;

	layout->items = calloc(room, sizeof(*layout->items));
	layout->placed = calloc(room, 1);
	layout->wholes = calloc(room, sizeof(*layout->wholes));
	if (!layout->items || !layout->placed || !layout->wholes)
		return wh_fail_memory(err);
	WH_TRY(choose_graph(layout, err));
	WH_TRY(order_items(layout, err));
	WH_TRY(add_literals(layout, err));
	WH_TRY(assign_shards(layout, &n_shards, err));
	WH_TRY(add_shards(layout, n_shards, err));
	return add_index(layout, n_shards, err);
}

enum wh_status tf_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **plan, struct wh_error *err)
{
	struct layout layout = {.source = source, .options = options};
	enum wh_status status;

	WH_TRY(wh_source_weigh(source, WH_CRC32C, 0, NULL, NULL, err));
	WH_TRY(wh_plan_new(source, &layout.plan, err));
	status = fill_plan(&layout, err);
	free(layout.items);
	free(layout.placed);
	free(layout.wholes);
	wh_buf_free(&layout.graph_bytes);
	wh_buf_free(&layout.counter_bytes);
	arena_free(&layout.arena);
	if (status) {
		wh_plan_free(layout.plan);
		return status;
	}
	*plan = layout.plan;
	return WH_OK;
}
