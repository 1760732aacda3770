#include "safetensors/index.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/json_put.h"
#include "base/reader.h"
#include "base/text.h"
#include "core/name_map.h"
#include "base/json_scan.h"
#include <weighhouse/tensor.h>

#define MAX_INDEX ((uint64_t)100000000) /* bytes, as a header's limit */

struct reading {
	struct scan scan;
	struct arena *arena;
	struct st_index index; /* lists are malloc'd */
	size_t shards_room, tensors_room, shard_of_room;
	struct name_map shards, tensors;
	bool has_map;
	struct wh_error *err;
};

static enum wh_status fail_json(struct reading *r)
{
	if (r->arena->failed)
		return wh_fail_memory(r->err);
	return wh_fail(r->err, WH_ECORRUPT,
		       "the index's JSON fails at byte %zu: %s",
		       (size_t)(r->scan.at - r->scan.begin),
		       r->scan.problem ? r->scan.problem : "no such key");
}

/* A shard lies beside its index: nothing that leads elsewhere. */
static bool is_plain_name(const char *name, size_t len)
{
	return len && len < 256 && strlen(name) == len && *name != '.' &&
	       !strpbrk(name, "/\\*");
}

static enum wh_status find_shard(struct reading *r, const char *name,
				 uint32_t *shard)
{
	bool added;

	WH_TRY(name_map_add(&r->shards, name, r->index.n_shards, &added,
			    r->err));
	*shard = name_map_find(&r->shards, name);
	if (!added)
		return WH_OK;
	if (r->index.n_shards >= ST_MAX_SHARDS)
		return wh_fail(r->err, WH_ECORRUPT,
			       "the index has more than %u shards",
			       ST_MAX_SHARDS);
	WH_TRY(array_grow(&r->index.shards, r->index.n_shards, &r->shards_room,
			  sizeof(*r->index.shards), r->err));
	r->index.shards[r->index.n_shards++] = name;
	return WH_OK;
}

static enum wh_status add_tensor(struct reading *r, const char *name,
				 uint32_t shard)
{
	uint32_t n = r->index.n_tensors;
	bool added;

	if (n >= WH_MAX_TENSORS)
		return wh_fail(r->err, WH_ECORRUPT,
			       "the index has more than %u tensors",
			       WH_MAX_TENSORS);
	WH_TRY(name_map_add(&r->tensors, name, n, &added, r->err));
	if (!added)
		return wh_fail(r->err, WH_ECORRUPT,
			       "the index has tensor '%s' twice", name);
	WH_TRY(array_grow(&r->index.tensors, n, &r->tensors_room,
			  sizeof(*r->index.tensors), r->err));
	WH_TRY(array_grow(&r->index.shard_of, n, &r->shard_of_room,
			  sizeof(*r->index.shard_of), r->err));
	r->index.tensors[n] = name;
	r->index.shard_of[n] = shard;
	r->index.n_tensors++;
	return WH_OK;
}

static enum wh_status take_map(struct reading *r)
{
	bool first = true;

	if (r->has_map)
		return wh_fail(r->err, WH_ECORRUPT,
			       "the index has weight_map twice");
	r->has_map = true;
	scan_open(&r->scan, '{');
	while (scan_more(&r->scan, '}', &first)) {
		char *tensor, *file;
		uint32_t shard;
		size_t len;

		if (!scan_string(&r->scan, r->arena, &tensor, NULL) ||
		    !scan_take(&r->scan, ':') ||
		    !scan_string(&r->scan, r->arena, &file, &len))
			return fail_json(r);
		if (!is_plain_name(file, len))
			return wh_fail(r->err, WH_ECORRUPT,
				       "the index names a shard '%s', which is "
				       "no plain file name",
				       file);
		WH_TRY(find_shard(r, file, &shard));
		WH_TRY(add_tensor(r, tensor, shard));
	}
	return r->scan.problem ? fail_json(r) : WH_OK;
}

static enum wh_status take_index(struct reading *r)
{
	bool first = true;

	scan_open(&r->scan, '{');
	while (scan_more(&r->scan, '}', &first)) {
		char *key;

		if (!scan_string(&r->scan, r->arena, &key, NULL) ||
		    !scan_take(&r->scan, ':'))
			return fail_json(r);
		if (strcmp(key, "weight_map") == 0)
			WH_TRY(take_map(r));
		else if (!scan_skip(&r->scan))
			return fail_json(r);
	}
	if (!scan_end(&r->scan))
		return fail_json(r);
	if (!r->has_map)
		return wh_fail(r->err, WH_ECORRUPT,
			       "the index has no weight_map");
	return WH_OK;
}

/* From malloc'd lists to the arena's. */
static void *settle(struct arena *arena, void *list, uint32_t n, size_t size)
{
	void *copy = arena_alloc(arena, n, size);

	if (copy && n)
		memcpy(copy, list, n * size);
	free(list);
	return copy;
}

static enum wh_status finish(struct reading *r, enum wh_status status,
			     struct st_index *index)
{
	struct st_index made = r->index;

	name_map_free(&r->shards);
	name_map_free(&r->tensors);
	made.shards = settle(r->arena, made.shards, made.n_shards,
			     sizeof(*made.shards));
	made.tensors = settle(r->arena, made.tensors, made.n_tensors,
			      sizeof(*made.tensors));
	made.shard_of = settle(r->arena, made.shard_of, made.n_tensors,
			       sizeof(*made.shard_of));
	if (!status && (!made.shards || !made.tensors || !made.shard_of))
		return wh_fail_memory(r->err);
	if (!status)
		*index = made;
	return status;
}

static enum wh_status read_text(const char *path, char **text, size_t *len,
				struct wh_error *err)
{
	struct file_reader file;
	enum wh_status status;

	WH_TRY(reader_open(&file, path, err));
	*len = (size_t)file.size;
	if (file.size > MAX_INDEX)
		status = wh_fail(err, WH_ECORRUPT, "the index is too large");
	else if (!(*text = calloc(*len + 1, 1)))
		status = wh_fail_memory(err);
	else
		status = reader_read(&file, 0, *text, *len, err);
	reader_close(&file);
	return status;
}

enum wh_status st_index_read(const char *path, struct arena *arena,
			     struct st_index *index, struct wh_error *err)
{
	struct reading r = {.arena = arena, .err = err};
	char *text wh_free_auto = NULL;
	size_t len;

	WH_TRY(read_text(path, &text, &len, err));
	if (!text_is_name(text, len))
		return wh_fail(err, WH_ECORRUPT,
			       "the index is not valid UTF-8, or has a NUL");
	scan_begin(&r.scan, text, len);
	return finish(&r, take_index(&r), index);
}

/* ---- Writing
 * ------------------------------------------------------------------- */

enum wh_status st_index_write(const struct st_index *index, uint64_t total_size,
			      struct wh_buf *out, struct wh_error *err)
{
	json_t *map = json_object(), *root;
	char *text wh_free_auto = NULL;
	uint32_t i;

	for (i = 0; i < index->n_tensors; i++)
		json_put(&map, index->tensors[i],
			 json_string(index->shards[index->shard_of[i]]));
	root = json_pack("{s:{s:I},s:o}", "metadata", "total_size",
			 (json_int_t)total_size, "weight_map", map);
	text = json_to_text(root, JSON_INDENT(2) | JSON_SORT_KEYS |
					  JSON_ENSURE_ASCII);
	json_decref(root);
	if (!text)
		return wh_fail_memory(err);
	WH_TRY(wh_buf_append(out, text, strlen(text), err));
	return wh_buf_append(out, "\n", 1, err);
}
