/* The files that safetensors' save_file writes: header.h has the layout.
 *
 * Tensors are sorted by alignment of their dtype, descending, then by name;
 * the header is padded with blanks to a multiple of 8 bytes (tensor.rs,
 * `prepare`). Shards are filled in the manifest's order, as huggingface_hub
 * fills them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/endian.h"
#include "base/json_out.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/neutral.h"
#include "safetensors/dtype.h"
#include "safetensors/header.h"
#include "safetensors/index.h"
#include "safetensors/packed.h"
#include "safetensors/safetensors.h"

#define ALIGNMENT 8u
#define SUFFIX	  ".safetensors"
#define OF	  "-of-"

WH_DEFINE_AUTO(wh_plan, wh_plan_free);

struct item {
	const char *key;
	const struct wh_tensor *tensor;
	uint32_t index; /* in the manifest */
	uint32_t shard;
	unsigned rank; /* of its dtype */
	/* "F4" and "[3,8]" of what is uint8 here; else NULL. */
	const char *packed, *packed_shape;
};

struct layout {
	struct wh_source *source;
	const struct wh_plan_options *options;
	struct wh_plan *plan;
	struct arena arena;
	char *description; /* of what keys don't say; or NULL */
	struct item *items;
	uint32_t n_items, n_shards;
	uint64_t total_size;
};

/* ---- What is written
 * ----------------------------------------------------------- */

static enum wh_status refuse(struct layout *layout,
			     const struct wh_tensor *tensor, const char *what,
			     struct wh_error *err)
{
	if (layout->options->skip_unsupported)
		return wh_plan_warn(layout->plan, err,
				    "left out: tensor '%s': %s", tensor->key,
				    what);
	return wh_fail(err, WH_EUNSUPPORTED, "tensor '%s': %s", tensor->key,
		       what);
}

static enum wh_status take_tensor(struct layout *layout, const char *key,
				  uint32_t index, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[index];
	char what[96];

	snprintf(what, sizeof(what), "safetensors has no dtype %s",
		 wh_dtype_name(tensor->dtype));
	if (!st_dtype_name(tensor->dtype))
		return refuse(layout, tensor, what, err);
	if (strcmp(key, ST_METADATA) == 0)
		return refuse(layout, tensor,
			      "in safetensors that name is no tensor's", err);
	layout->items[layout->n_items++] =
		(struct item){.key = key, .tensor = tensor, .index = index};
	layout->total_size += tensor->nbytes;
	return WH_OK;
}

/* What is called otherwise in safetensors than here. */
static enum wh_status name_packed(struct layout *layout, struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	struct name_map tensors = {0};
	enum wh_status status = WH_OK;
	uint32_t i, at;
	bool added;

	if (!manifest_packed(manifest))
		return WH_OK;
	for (i = 0; i < layout->n_items && !status; i++)
		status = name_map_add(&tensors, layout->items[i].tensor->key, i,
				      &added, err);
	for (i = 0; i < manifest->n_attributes && !status; i++) {
		const struct wh_attribute *attribute = &manifest->attributes[i];
		const char *name, *shape;

		at = name_map_find(&tensors, attribute->path);
		if (at != UINT32_MAX &&
		    st_packed_read(attribute, layout->items[at].tensor,
				   &layout->arena, &name, &shape)) {
			layout->items[at].packed = name;
			layout->items[at].packed_shape = shape;
		}
	}
	name_map_free(&tensors);
	return status;
}

static enum wh_status take_tensors(struct layout *layout, struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	const char **keys;
	uint32_t i;

	WH_TRY(neutral_keys(manifest, &layout->arena, &keys, err));
	layout->items = arena_alloc(&layout->arena, manifest->n_tensors,
				    sizeof(*layout->items));
	if (!layout->items)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		WH_TRY(take_tensor(layout, keys[i], i, err));
	WH_TRY(name_packed(layout, err));
	if (neutral_is_plain(manifest) || layout->n_items < manifest->n_tensors)
		return WH_OK;
	return neutral_describe(manifest, keys, &layout->description, err);
}

/* Greedy, in order, whole tensors. */
static void assign_shards(struct layout *layout)
{
	uint64_t limit = layout->options->max_shard_size, used = 0;
	uint32_t i, shard = 0;

	for (i = 0; i < layout->n_items; i++) {
		uint64_t nbytes = layout->items[i].tensor->nbytes;

		if (limit && used && (used >= limit || nbytes > limit - used)) {
			shard++;
			used = 0;
		}
		used += nbytes;
		layout->items[i].shard = shard;
	}
	layout->n_shards = shard + 1;
}

static const char *dtype_name(const struct item *item)
{
	return item->packed ? item->packed : st_dtype_name(item->tensor->dtype);
}

static int by_layout(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* ---- Headers
 * ------------------------------------------------------------------- */

static void put_pair(struct json_out *out, const char *key, const char *text,
		     size_t size, bool *first)
{
	if (*first) {
		json_out_key(out, ST_METADATA);
		json_out_open(out, '{');
	}
	*first = false;
	json_out_text(out, key, strlen(key));
	json_out_colon(out);
	json_out_text(out, text, size);
}

/* The pairs that an import brought, then the description. */
static void put_metadata(const struct layout *layout, struct json_out *out)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	const char *text = layout->description;
	bool first = true;
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++) {
		const struct wh_attribute *at = &manifest->attributes[i];

		if (strcmp(at->path, ST_METADATA) == 0 &&
		    at->kind == WH_VALUE_TEXT)
			put_pair(out, at->key, at->text, (size_t)at->size,
				 &first);
	}
	if (text)
		put_pair(out, ST_DESCRIPTION, text, strlen(text), &first);
	if (!first)
		json_out_close(out, '}');
}

static void put_shape(struct json_out *out, const struct item *item)
{
	const struct wh_tensor *tensor = item->tensor;
	uint32_t i;

	json_out_key(out, "shape");
	if (item->packed) {
		json_out_ready(out, item->packed_shape);
		return;
	}
	json_out_open(out, '[');
	for (i = 0; i < tensor->rank; i++)
		json_out_unsigned(out, tensor->shape[i]);
	json_out_close(out, ']');
}

static void put_entry(struct json_out *out, const struct item *item,
		      uint64_t begin)
{
	const char *dtype = dtype_name(item);

	json_out_text(out, item->key, strlen(item->key));
	json_out_colon(out);
	json_out_open(out, '{');
	json_out_key(out, "dtype");
	json_out_text(out, dtype, strlen(dtype));
	put_shape(out, item);
	json_out_key(out, "data_offsets");
	json_out_open(out, '[');
	json_out_unsigned(out, begin);
	json_out_unsigned(out, begin + item->tensor->nbytes);
	json_out_close(out, ']');
	json_out_close(out, '}');
}

/* As serde_json writes it. */
static enum wh_status put_json(const struct layout *layout,
			       const struct item *items, uint32_t n,
			       struct wh_buf *buf, struct wh_error *err)
{
	struct json_out out = {.buf = buf, .err = err};
	uint64_t begin = 0;
	uint32_t i;

	json_out_open(&out, '{');
	put_metadata(layout, &out);
	for (i = 0; i < n; i++) {
		put_entry(&out, &items[i], begin);
		begin += items[i].tensor->nbytes;
	}
	json_out_close(&out, '}');
	return out.status;
}

static enum wh_status put_header(const struct layout *layout,
				 const struct item *items, uint32_t n,
				 struct wh_buf *out, struct wh_error *err)
{
	static const char blanks[ALIGNMENT] = "        ";
	uint8_t length[8] = {0};
	size_t before;

	WH_TRY(wh_buf_append(out, length, sizeof(length), err));
	WH_TRY(put_json(layout, items, n, out, err));
	before = out->size % ALIGNMENT;
	WH_TRY(wh_buf_append(out, blanks, before ? ALIGNMENT - before : 0,
			     err));
	if (out->size - sizeof(length) > ST_MAX_HEADER)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the header would be larger than safetensors "
			       "allows: %u bytes",
			       ST_MAX_HEADER);
	put_le64(out->data, out->size - sizeof(length));
	return WH_OK;
}

/* ---- Files
 * --------------------------------------------------------------------- */

static enum wh_status add_shard(struct layout *layout, const struct item *items,
				uint32_t n, const char *suffix,
				struct wh_error *err)
{
	struct wh_buf header = {0};
	struct wh_image *image;
	enum wh_status status = put_header(layout, items, n, &header, err);
	uint32_t i;

	if (!status)
		status = wh_plan_add_image(layout->plan, suffix,
					   layout->n_shards == 1, &image, err);
	if (!status)
		status = wh_image_literal(image, header.data, header.size, err);
	for (i = 0; i < n && !status; i++)
		if (items[i].tensor->nbytes)
			status = wh_image_payload(image, items[i].index, 0,
						  items[i].tensor->nbytes, err);
	wh_buf_free(&header);
	return status;
}

/* What stands in the index for a shard: the name that it will have. */
static const char *shard_name(struct layout *layout, const char *suffix)
{
	const char *path = layout->options->filepath, *slash;
	char *joined wh_free_auto =
		wh_image_path(path ? path : "model" SUFFIX, suffix);

	if (!joined)
		return NULL;
	slash = strrchr(joined, '/');
	return arena_strdup(&layout->arena, slash ? slash + 1 : joined);
}

static enum wh_status add_index(struct layout *layout, const char **shards,
				struct wh_error *err)
{
	struct st_index index = {.shards = shards,
				 .n_shards = layout->n_shards,
				 .n_tensors = layout->n_items};
	struct wh_buf text = {0};
	struct wh_image *image;
	enum wh_status status;
	uint32_t i;

	index.tensors = arena_alloc(&layout->arena, layout->n_items,
				    sizeof(*index.tensors));
	index.shard_of = arena_alloc(&layout->arena, layout->n_items,
				     sizeof(*index.shard_of));
	if (!index.tensors || !index.shard_of)
		return wh_fail_memory(err);
	for (i = 0; i < layout->n_items; i++) {
		index.tensors[i] = layout->items[i].key;
		index.shard_of[i] = layout->items[i].shard;
	}
	WH_TRY(wh_plan_add_image(layout->plan, ST_INDEX_SUFFIX, true, &image,
				 err));
	status = st_index_write(&index, layout->total_size, &text, err);
	if (!status)
		status = wh_image_literal(image, text.data, text.size, err);
	wh_buf_free(&text);
	return status;
}

static enum wh_status add_shards(struct layout *layout, struct wh_error *err)
{
	const char **shards =
		arena_alloc(&layout->arena, layout->n_shards, sizeof(*shards));
	uint32_t shard, first = 0;
	char suffix[64];

	if (!shards)
		return wh_fail_memory(err);
	for (shard = 0; shard < layout->n_shards; shard++) {
		uint32_t n = 0;

		while (first + n < layout->n_items &&
		       layout->items[first + n].shard == shard)
			n++;
		snprintf(suffix, sizeof(suffix),
			 SUFFIX "*-%05u" OF "%05u" SUFFIX, shard + 1,
			 layout->n_shards);
		shards[shard] = shard_name(layout, suffix);
		if (!shards[shard])
			return wh_fail_memory(err);
		WH_TRY(add_shard(layout, layout->items + first, n, suffix,
				 err));
		first += n;
	}
	return add_index(layout, shards, err);
}

static enum wh_status fill_plan(struct layout *layout, struct wh_error *err)
{
	uint32_t i;

	WH_TRY(take_tensors(layout, err));
	assign_shards(layout);
	for (i = 0; i < layout->n_items; i++)
		layout->items[i].rank =
			st_dtype_rank(dtype_name(&layout->items[i]));
	qsort(layout->items, layout->n_items, sizeof(*layout->items),
	      by_layout);
	/* What can't be read back isn't written. */
	if (layout->n_shards > ST_MAX_SHARDS)
		return wh_fail(err, WH_EINVAL,
			       "the shard size would make %u files; at most %u "
			       "are read",
			       layout->n_shards, ST_MAX_SHARDS);
	if (layout->n_shards > 1)
		return add_shards(layout, err);
	return add_shard(layout, layout->items, layout->n_items, "", err);
}

enum wh_status st_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **out, struct wh_error *err)
{
	struct layout layout = {.source = source, .options = options};
	wh_auto(wh_plan) plan = NULL;
	enum wh_status status;

	WH_TRY(wh_plan_new(source, &plan, err));
	layout.plan = plan;
	status = fill_plan(&layout, err);
	free(layout.description);
	arena_free(&layout.arena);
	if (!status)
		*out = wh_steal(&plan);
	return status;
}

/* "-00001-of-00002.safetensors": what is called otherwise, with fewer digits
 * say, is none of ours. */
static bool is_shard_suffix(const char *suffix)
{
	const char *at = text_starts(suffix, "-") ? suffix + 1 : NULL;

	at = at ? text_after_counter(at) : NULL;
	at = at && text_starts(at, OF) ? text_after_counter(at + strlen(OF))
				       : NULL;
	return at && strcmp(at, SUFFIX) == 0;
}

enum wh_beside st_beside(const struct wh_plan *plan, const char *path,
			 const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(base), stem = len;

	(void)plan;
	if (strncmp(name, base, len) == 0 &&
	    (!name[len] || strcmp(name + len, ST_INDEX_SUFFIX) == 0))
		return WH_BESIDE_REPLACED;
	if (text_ends(base, SUFFIX))
		stem -= strlen(SUFFIX);
	if (strncmp(name, base, stem) == 0 && is_shard_suffix(name + stem))
		return WH_BESIDE_REPLACED;
	return WH_BESIDE_STRANGER;
}
