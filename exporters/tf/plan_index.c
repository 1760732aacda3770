/* The index: a table of all entries by key, sliced tensors with an entry for
 * each of their slices. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "tf/layout.h"
#include "tf/table.h"

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
	made->shape = tensor->shape;
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

enum wh_status layout_add_index(struct layout *layout, uint32_t n_shards,
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
