/* Opening a checkpoint: index, graph, places of all payloads.
 *
 * Everything in the index is a claim: sizes are held against dtypes, shapes
 * and the shards' own sizes before anything is read, and all checksums are
 * checked, those of flat payloads when they are weighed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/text.h"
#include "mapping/mapping.h"
#include "tf/graph_pb.h"
#include "tf/slices.h"
#include "tf/source.h"
#include "tf/state.h"
#include "tf/string_tensor.h"
#include "tf/table.h"
#include "tf/tf.h"
#include "tf/v1.h"
#include "tf/wire.h"

#define MAX_INDEX   ((size_t)1 << 30)
#define MAX_GRAPH   (GRAPH_MAX + VARINT_MAX + 4) /* with its head */
#define MAX_STRINGS ((uint64_t)16 << 20)  /* elements of all tensors */
#define MAX_KEYS    ((uint64_t)256 << 20) /* bytes: they share prefixes */
/* Tensors may share bytes of a shard, but not so that few become many. */
#define MAX_RATIO     100
#define UNPACK_FREELY ((uint64_t)256 << 20)
#define PIECE	      ((size_t)1 << 20)

struct loaded {	   /* an entry of the index */
	char *key; /* in the arena */
	struct bundle_entry entry;
};

struct slice { /* one of them; its key is bytes, an ordered code */
	struct wh_buf key;
	struct bundle_entry entry;
};

struct loading {
	struct tf_source *source;
	struct bundle_header header;
	bool has_header;
	struct loaded *entries; /* full names, in the table's order */
	size_t room;
	uint32_t n_entries;
	uint64_t key_bytes, n_strings; /* so far */
	uint64_t total,
		opened; /* bytes of tensors, of the shards they are in */
	struct slice *slices;
	size_t slices_room;
	uint32_t n_slices, n_listed; /* there, and named by tensors */
	struct manifest_builder *builder;
	struct wh_graph *graph;
};

/* ---- The table
 * ------------------------------------------------------------------ */

/* Its key begins with a zero byte. */
static enum wh_status take_slice(struct loading *loading, const uint8_t *key,
				 size_t key_len, const uint8_t *value,
				 size_t value_len, struct wh_error *err)
{
	struct slice *slice;

	WH_TRY(tf_check_count(loading->n_slices, err));
	WH_TRY(array_grow(&loading->slices, loading->n_slices,
			  &loading->slices_room, sizeof(*slice), err));
	slice = &loading->slices[loading->n_slices++];
	*slice = (struct slice){0};
	WH_TRY(bundle_read_entry("(slice)", value, value_len,
				 &loading->source->arena, &slice->entry, err));
	return wh_buf_append(&slice->key, key, key_len, err);
}

static enum wh_status take_entry(void *arg, const uint8_t *key, size_t key_len,
				 const uint8_t *value, size_t value_len,
				 struct wh_error *err)
{
	struct loading *loading = arg;
	struct loaded *slot;

	if (!loading->has_header) {
		if (key_len)
			return wh_fail(err, WH_ECORRUPT,
				       "the index has no header");
		loading->has_header = true;
		return bundle_read_header(value, value_len, &loading->header,
					  err);
	}
	if (key_len && key[0] == 0)
		return take_slice(loading, key, key_len, value, value_len, err);
	if (key_len > WH_MAX_NAME ||
	    !text_is_name((const char *)key, key_len) || key_len == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "a key of the index is not valid UTF-8 of 1 "
			       "to %u bytes",
			       WH_MAX_NAME);
	loading->key_bytes += key_len;
	if (loading->key_bytes > MAX_KEYS)
		return wh_fail(err, WH_ECORRUPT,
			       "the index's keys take more than %llu bytes",
			       (unsigned long long)MAX_KEYS);
	WH_TRY(tf_check_count(loading->n_entries, err));
	WH_TRY(array_grow(&loading->entries, loading->n_entries, &loading->room,
			  sizeof(*loading->entries), err));
	slot = &loading->entries[loading->n_entries];
	slot->key = arena_bytes(&loading->source->arena, key, key_len);
	if (!slot->key)
		return wh_fail_memory(err);
	WH_TRY(bundle_read_entry(slot->key, value, value_len,
				 &loading->source->arena, &slot->entry, err));
	loading->n_entries++;
	return WH_OK;
}

/* ---- Shards
 * ------------------------------------------------------------------------ */

static enum wh_status open_shard(struct loading *loading, uint32_t shard,
				 struct wh_error *err)
{
	struct shard_files *shards = &loading->source->shards;

	if (shards->files[shard].fd >= 0)
		return WH_OK;
	WH_TRY(shards_open(shards, shard, err));
	loading->opened += (uint64_t)shards->files[shard].opened.st_size;
	return WH_OK;
}

static enum wh_status check_range(struct loading *loading, const char *key,
				  const struct bundle_entry *entry,
				  struct wh_error *err)
{
	struct shard_files *shards = &loading->source->shards;

	if (entry->shard >= shards->n_shards)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' lies in shard %u of %u", key,
			       entry->shard, shards->n_shards);
	WH_TRY(open_shard(loading, entry->shard, err));
	if (!range_fits(entry->offset, entry->size,
			(uint64_t)shards->files[entry->shard].opened.st_size))
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' ends after its shard does", key);
	loading->total += entry->size;
	if (loading->total > UNPACK_FREELY &&
	    loading->total / MAX_RATIO > loading->opened)
		return wh_fail(err, WH_ECORRUPT,
			       "the tensors would take more than %d times the "
			       "bytes of their shards",
			       MAX_RATIO);
	return WH_OK;
}

/* The CRC of a range, in bounded memory. */
static enum wh_status sum_range(struct loading *loading,
				const struct bundle_entry *entry, uint64_t skip,
				uint32_t *crc, struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);
	uint64_t at = skip;

	if (!piece)
		return wh_fail_memory(err);
	while (at < entry->size) {
		uint64_t left = entry->size - at;
		size_t some = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(shards_read(&loading->source->shards, entry->shard,
				   entry->offset + at, piece, some, err));
		*crc = crc32c_update(*crc, piece, some);
		at += some;
	}
	return WH_OK;
}

static enum wh_status check_crc(const char *key,
				const struct bundle_entry *entry, uint32_t crc,
				struct wh_error *err)
{
	if (crc_mask(crc) == entry->crc32c)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s': checksum does not match: stored %u vs. "
		       "calculated %u",
		       key, crc_unmask(entry->crc32c), crc);
}

/* ---- Strings
 * ------------------------------------------------------------------------ */

static enum wh_status read_head(struct loading *loading,
				const struct bundle_entry *entry, uint64_t n,
				uint8_t **head, size_t *len,
				struct wh_error *err)
{
	uint64_t longest = n * VARINT_MAX + 4;

	*len = (size_t)(longest < entry->size ? longest : entry->size);
	*head = malloc(*len + 1);
	if (!*head)
		return wh_fail_memory(err);
	return shards_read(&loading->source->shards, entry->shard,
			   entry->offset, *head, *len, err);
}

/* Lengths are kept; the bytes' checksum is checked now, since it is not that
 * of a payload. */
static enum wh_status open_strings(struct loading *loading, const char *key,
				   const struct bundle_entry *entry,
				   struct tf_place *place, uint64_t *nbytes,
				   struct wh_error *err)
{
	uint8_t *head wh_free_auto = NULL;
	size_t len, head_size;
	uint32_t crc;
	uint64_t n;

	if (!checked_shape(entry->shape, entry->rank, &n) || n > entry->size)
		return wh_fail(err, WH_ECORRUPT,
			       "string tensor '%s' has a bad shape", key);
	if (n > MAX_STRINGS - loading->n_strings)
		return wh_fail(err, WH_ECORRUPT,
			       "string tensor '%s': more than %llu strings in "
			       "all",
			       key, (unsigned long long)MAX_STRINGS);
	loading->n_strings += n;
	place->lengths = arena_alloc(&loading->source->arena, (size_t)n,
				     sizeof(*place->lengths));
	if (!place->lengths)
		return wh_fail_memory(err);
	WH_TRY(read_head(loading, entry, n, &head, &len, err));
	WH_TRY(strings_read_head(key, head, len, entry->size, n, place->lengths,
				 &head_size, &crc, err));
	WH_TRY(sum_range(loading, entry, head_size, &crc, err));
	WH_TRY(check_crc(key, entry, crc, err));
	place->kind = TF_STRINGS;
	place->n_strings = n;
	place->offset = entry->offset + head_size;
	*nbytes = 8 * n + entry->size - head_size;
	return WH_OK;
}

/* ---- The object graph
 * ----------------------------------------------------------------- */

static enum wh_status read_graph(struct loading *loading,
				 const struct loaded *at, struct wh_error *err)
{
	const struct bundle_entry *entry = &at->entry;
	uint8_t *bytes wh_free_auto = NULL;
	uint64_t length;
	size_t head_size;
	uint32_t crc;

	if (entry->dtype != WH_STRING || entry->rank != 0 ||
	    entry->size > MAX_GRAPH)
		return wh_fail(err, WH_ECORRUPT,
			       "the object graph is no string of its size");
	WH_TRY(check_range(loading, at->key, entry, err));
	bytes = malloc((size_t)entry->size + 1);
	if (!bytes)
		return wh_fail_memory(err);
	WH_TRY(shards_read(&loading->source->shards, entry->shard,
			   entry->offset, bytes, (size_t)entry->size, err));
	WH_TRY(strings_read_head(at->key, bytes, (size_t)entry->size,
				 entry->size, 1, &length, &head_size, &crc,
				 err));
	crc = crc32c_update(crc, bytes + head_size, (size_t)length);
	WH_TRY(check_crc(at->key, entry, crc, err));
	return graph_pb_read(bytes + head_size, (size_t)length,
			     &loading->source->arena, &loading->graph, err);
}

/* ---- Slices
 * -----------------------------------------------------------------------------
 */

static const struct bundle_entry *find_slice(const struct loading *loading,
					     const struct wh_buf *key)
{
	uint32_t low = 0, high = loading->n_slices;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct wh_buf *at = &loading->slices[middle].key;
		size_t n = at->size < key->size ? at->size : key->size;
		int order = memcmp(at->data, key->data, n);

		if (order == 0)
			order = at->size < key->size ? -1
						     : at->size > key->size;
		if (order == 0)
			return &loading->slices[middle].entry;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static enum wh_status open_slice(struct loading *loading,
				 const struct loaded *whole, uint32_t number,
				 struct tf_slice *to, struct wh_error *err)
{
	const struct bundle_slice *from = &whole->entry.slices[number];
	const struct bundle_entry *found;
	struct wh_buf key = {0};
	uint32_t crc = 0;
	enum wh_status status;
	uint64_t n;

	status = bundle_slice_key(&key, whole->key, from, err);
	found = status ? NULL : find_slice(loading, &key);
	wh_buf_free(&key);
	if (status)
		return status;
	if (!found || found->dtype != whole->entry.dtype ||
	    !slice_place(&whole->entry, from, to) ||
	    found->rank != whole->entry.rank ||
	    memcmp(found->shape, to->length,
		   found->rank * sizeof(*to->length)) != 0 ||
	    !checked_shape(found->shape, found->rank, &n) ||
	    !checked_mul(n, wh_dtype_size(whole->entry.dtype), &n) ||
	    n != found->size)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': slice %u is missing or is not as "
			       "its tensor says",
			       whole->key, number);
	WH_TRY(check_range(loading, whole->key, found, err));
	WH_TRY(sum_range(loading, found, 0, &crc, err));
	WH_TRY(check_crc(whole->key, found, crc, err));
	to->shard = found->shard;
	to->offset = found->offset;
	return WH_OK;
}

/* Width of what has to be reversed in the elements of a big-endian file. */
static uint8_t swap_width(const struct loading *loading, enum wh_dtype dtype)
{
	size_t width = wh_dtype_size(dtype);

	if (dtype == WH_COMPLEX64 || dtype == WH_COMPLEX128)
		width /= 2;
	return loading->header.big_endian && width > 1 ? (uint8_t)width : 0;
}

static enum wh_status open_slices(struct loading *loading,
				  const struct loaded *whole,
				  struct tf_place *place, uint64_t *nbytes,
				  struct wh_error *err)
{
	const struct bundle_entry *entry = &whole->entry;
	uint64_t n;
	uint32_t i;

	if (!checked_shape(entry->shape, entry->rank, &n) ||
	    !checked_mul(n, wh_dtype_size(entry->dtype), nbytes) ||
	    entry->n_slices > MAX_SLICES || entry->rank == 0 ||
	    wh_dtype_size(entry->dtype) == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "sliced tensor '%s' has a bad shape",
			       whole->key);
	/* Each has an entry of its own. An empty one, of a few bytes, could
	 * else be named again and again. */
	if (entry->n_slices > loading->n_slices - loading->n_listed)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' has more slices than the index",
			       whole->key);
	loading->n_listed += entry->n_slices;
	place->kind = TF_SLICED;
	place->swap = swap_width(loading, entry->dtype);
	place->n_slices = entry->n_slices;
	place->slices = arena_alloc(&loading->source->arena, entry->n_slices,
				    sizeof(*place->slices));
	if (!place->slices)
		return wh_fail_memory(err);
	for (i = 0; i < entry->n_slices; i++)
		WH_TRY(open_slice(loading, whole, i, &place->slices[i], err));
	return slices_check_cover(whole->key, entry->rank, place, n, err);
}

/* ---- Tensors
 * ------------------------------------------------------------------------------
 */

static enum wh_status open_flat(struct loading *loading,
				const struct loaded *at, struct tf_place *place,
				uint64_t *nbytes, struct wh_error *err)
{
	const struct bundle_entry *entry = &at->entry;
	uint32_t crc = 0;

	place->kind = TF_FLAT;
	place->offset = entry->offset;
	*nbytes = entry->size;
	if (entry->dtype == WH_VARIANT)
		return WH_OK;
	place->swap = swap_width(loading, entry->dtype);
	if (!place->swap)
		return WH_OK;
	/* The checksum is of the file's order, not of the payload's. */
	WH_TRY(sum_range(loading, entry, 0, &crc, err));
	return check_crc(at->key, entry, crc, err);
}

static enum wh_status open_tensor(struct loading *loading,
				  const struct loaded *at,
				  struct tf_place *place, uint64_t *nbytes,
				  struct wh_error *err)
{
	const struct bundle_entry *entry = &at->entry;

	if (!wh_dtype_name(entry->dtype))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s' has a dtype that is not known (%d)",
			       at->key, (int)entry->dtype);
	if (entry->n_slices)
		return open_slices(loading, at, place, nbytes, err);
	WH_TRY(check_range(loading, at->key, entry, err));
	place->shard = entry->shard;
	place->size = entry->size;
	if (entry->dtype == WH_STRING)
		return open_strings(loading, at->key, entry, place, nbytes,
				    err);
	return open_flat(loading, at, place, nbytes, err);
}

/* Entries of tensors in the order of the data: shard, then offset. */
static int by_data(const void *a, const void *b)
{
	const struct loaded *x = a, *y = b;

	if (x->entry.shard != y->entry.shard)
		return x->entry.shard < y->entry.shard ? -1 : 1;
	if (x->entry.offset != y->entry.offset)
		return x->entry.offset < y->entry.offset ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* The graph is read and taken off the list. */
static enum wh_status take_graph(struct loading *loading, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < loading->n_entries; i++) {
		if (strcmp(loading->entries[i].key, GRAPH_KEY) != 0)
			continue;
		WH_TRY(read_graph(loading, &loading->entries[i], err));
		memmove(&loading->entries[i], &loading->entries[i + 1],
			(loading->n_entries - i - 1) *
				sizeof(*loading->entries));
		loading->n_entries--;
		break;
	}
	return WH_OK;
}

static enum wh_status add_tensors(struct loading *loading, struct wh_error *err)
{
	struct tf_source *source = loading->source;
	const char **keys wh_free_auto = NULL;
	uint32_t i, n = loading->n_entries;

	keys = calloc((size_t)n + 1, sizeof(*keys));
	source->places = calloc((size_t)n + 1, sizeof(*source->places));
	if (!keys || !source->places)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		const struct loaded *at = &loading->entries[i];
		uint64_t nbytes = 0;

		WH_TRY(open_tensor(loading, at, &source->places[i], &nbytes,
				   err));
		WH_TRY(manifest_add_tensor(loading->builder, at->key,
					   at->entry.dtype, at->entry.rank,
					   at->entry.shape, nbytes, NULL, err));
		keys[i] = at->key;
	}
	return mapping_layers_from_graph(loading->graph, loading->builder,
					 &source->arena, keys, n, err);
}

/* Checksums of flat payloads are the index's claim until they are weighed. */
static void expect_checksums(const struct loading *loading)
{
	struct wh_manifest *manifest = &loading->source->base.manifest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++) {
		const struct tf_place *place = &loading->source->places[i];
		struct wh_tensor *tensor = &manifest->tensors[i];

		if (place->kind != TF_FLAT || place->swap ||
		    tensor->dtype == WH_VARIANT)
			continue;
		tensor->has_expected_crc32c = true;
		tensor->expected_crc32c =
			crc_unmask(loading->entries[i].entry.crc32c);
	}
}

/* ---- The whole
 * ------------------------------------------------------------------------------
 */

static enum wh_status make_manifest(struct loading *loading,
				    struct wh_error *err)
{
	struct tf_source *source = loading->source;
	struct wh_manifest *manifest = &source->base.manifest;
	struct wh_template *made;

	WH_TRY(add_tensors(loading, err));
	manifest_show_tensors(loading->builder, manifest);
	WH_TRY(tf_template_make(source, loading->n_entries, loading->builder,
				&made, err));
	WH_TRY(manifest_finish(loading->builder, manifest, err));
	expect_checksums(loading);
	manifest->template_ = made;
	manifest->graph = loading->graph;
	manifest->origin_format = "tf";
	return WH_OK;
}

static enum wh_status load_source(struct loading *loading, const char *prefix,
				  struct wh_error *err)
{
	struct tf_source *source = loading->source;
	char *path wh_free_auto = NULL;

	if (asprintf(&path, "%s.index", prefix) < 0)
		return wh_fail_memory(err);
	WH_TRY(read_whole_file(path, MAX_INDEX, &source->index,
			       &source->index_len, &source->shards.index, err));
	WH_TRY(table_read(source->index, source->index_len, take_entry, loading,
			  err));
	if (!loading->has_header)
		return wh_fail(err, WH_ECORRUPT, "the index has no header");
	WH_TRY(shards_init(&source->shards, prefix, loading->header.n_shards,
			   err));
	WH_TRY(take_graph(loading, err));
	if (loading->n_entries)
		qsort(loading->entries, loading->n_entries,
		      sizeof(*loading->entries), by_data);
	WH_TRY(manifest_builder_new(&source->arena, &loading->builder, err));
	return make_manifest(loading, err);
}

static void loading_free(struct loading *loading)
{
	uint32_t i;

	for (i = 0; i < loading->n_slices; i++)
		wh_buf_free(&loading->slices[i].key);
	manifest_builder_free(loading->builder);
	free(loading->slices);
	free(loading->entries);
}

static bool has_index(const char *prefix)
{
	char *index wh_free_auto = NULL;
	struct stat at;

	if (asprintf(&index, "%s.index", prefix) < 0)
		return false;
	return stat(index, &at) == 0 && S_ISREG(at.st_mode);
}

enum wh_status tf_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **out, struct wh_error *err)
{
	struct tf_source *source = calloc(1, sizeof(*source));
	struct loading loading = {.source = source};
	char *prefix wh_free_auto = NULL;
	enum wh_status status;

	(void)options;
	if (!source)
		return wh_fail_memory(err);
	source->base.ops = &tf_source_ops;
	status = tf_resolve(path, &prefix, err);
	if (!status && !has_index(prefix) && v1_probe(prefix))
		status = v1_load(prefix, source, err);
	else if (!status)
		status = load_source(&loading, prefix, err);
	loading_free(&loading);
	if (status) {
		wh_source_close(&source->base);
		return status;
	}
	*out = &source->base;
	return WH_OK;
}

bool tf_probe(const char *path)
{
	char *prefix wh_free_auto = NULL;

	if (tf_resolve(path, &prefix, NULL))
		return false;
	return has_index(prefix) || v1_probe(prefix);
}
