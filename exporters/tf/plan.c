/* Laying out a checkpoint as TensorFlow's BundleWriter does.
 *
 * Data: tensors in the order of the graph's nodes, Python state strings after
 * them, the serialized graph last; no padding. Index: a table of all entries
 * by key. Checksums come from the weighed tensors, so no payload is read but
 * the lengths of strings, and slices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "tf/layout.h"
#include "tf/rectangle.h"
#include "tf/sharding.h"
#include "tf/string_tensor.h"
#include "tf/tf.h"
#include "tf/wire.h"

#define MAX_VARIANT ((uint64_t)64 << 20)

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
	item->entry.shape = tensor->shape;
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
	item->entry.shape = item->length;
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

		if (!image || item->entry.shard != shard) {
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
	WH_TRY(layout_choose_graph(layout, err));
	WH_TRY(layout_order_items(layout, err));
	WH_TRY(layout_add_literals(layout, err));
	WH_TRY(assign_shards(layout, &n_shards, err));
	WH_TRY(add_shards(layout, n_shards, err));
	return layout_add_index(layout, n_shards, err);
}

enum wh_status tf_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **plan, struct wh_error *err)
{
	struct layout layout = {.source = source, .options = options};
	enum wh_status status;

	if ((unsigned)options->root > WH_ROOT_MODEL ||
	    (unsigned)options->shard_policy > WH_SHARD_TENSORFLOW)
		return wh_fail(err, WH_EINVAL,
			       "there is no root %d, or no shard policy %d",
			       (int)options->root, (int)options->shard_policy);
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
