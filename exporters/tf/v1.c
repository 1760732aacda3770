/* Opening a checkpoint of the first version.
 *
 * Each file says in `meta` which slices of which tensors it holds; then its
 * entries are walked, and each slice is given its place: in the file, where
 * its elements lie as a payload has them, else in the spool, which is the
 * source's last "shard".
 */
#include "tf/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/checked.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/mapping.h"
#include "tf/shards.h"
#include "tf/slices.h"

#define MAX_META ((uint64_t)256 << 20)
#define MAX_KEYS ((uint64_t)256 << 20) /* bytes */

enum { SLICES_META = 1 };		 /* SavedTensorSlices */
enum { META_TENSOR = 1, META_VERSIONS }; /* SavedTensorSliceMeta */
enum {					 /* SavedSliceMeta */
       TENSOR_NAME = 1,
       TENSOR_SHAPE,
       TENSOR_TYPE,
       TENSOR_SLICE
};

struct held { /* a tensor */
	char *name;
	struct bundle_entry entry; /* dtype and shape */
	uint64_t n_slices;
};

struct part { /* a slice of one */
	uint32_t tensor, shard;
	struct bundle_slice slice;
	uint64_t n; /* elements */
	const uint8_t *key;
	size_t key_len;
	bool found;
	struct v1_value value;
};

struct loading {
	struct tf_source *source;
	struct held *tensors;
	size_t tensors_room, parts_room;
	uint32_t n_tensors;
	struct part *parts;
	uint32_t n_parts;
	struct name_map names;
	uint64_t key_bytes;
	uint32_t shard, first; /* of the file under way: its first part */
	bool has_meta;
	struct v1_spool spool;
	struct manifest_builder *builder;
};

/* ---- Files
 * ------------------------------------------------------------------------ */

#define SET_TAIL strlen("-00000-of-00001")

/* Of how many files `path` names one, or all: 0 if it is no such name. */
static uint32_t count_files(const char *path)
{
	size_t len = strlen(path);
	uint32_t shard, n;
	char tail[sizeof("-00000-of-00001")];

	if (len <= SET_TAIL)
		return 0;
	memcpy(tail, path + len - SET_TAIL, sizeof(tail));
	if (strncmp(tail, "-\?\?\?\?\?-", 7) == 0)
		memset(tail + 1, '0', 5);
	return *tail == '-' && shard_parse_numbers(tail + 1, &shard, &n) &&
			       shard < n && n <= MAX_SHARDS
		       ? n
		       : 0;
}

static char *file_path(const char *path, uint32_t n_files, uint32_t shard)
{
	char *made;

	if (!n_files)
		return strdup(path);
	if (asprintf(&made, "%.*s-%05u-of-%05u", (int)(strlen(path) - SET_TAIL),
		     path, shard, n_files) < 0)
		return NULL;
	return made;
}

bool v1_probe(const char *path)
{
	char *first wh_free_auto = file_path(path, count_files(path), 0);

	return table_file_probe(path) || (first && table_file_probe(first));
}

/* ---- What a file says that it holds
 * ----------------------------------------------- */

static enum wh_status bad_meta(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT,
		       "the checkpoint is damaged: its table of contents can't "
		       "be read");
}

/* The tensor of that name, which must be the same in each file. */
static enum wh_status add_tensor(struct loading *loading, char *name,
				 const struct bundle_entry *entry,
				 uint32_t *index, struct wh_error *err)
{
	struct held *held;
	uint64_t n;
	bool added;

	*index = name_map_find(&loading->names, name);
	if (*index != UINT32_MAX) {
		held = &loading->tensors[*index];
		if (held->entry.dtype == entry->dtype &&
		    held->entry.rank == entry->rank &&
		    (!entry->rank ||
		     !memcmp(held->entry.shape, entry->shape,
			     entry->rank * sizeof(*entry->shape))))
			return WH_OK;
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' has two shapes or dtypes", name);
	}
	if (!v1_holds(entry->dtype))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s' has a dtype that this form doesn't "
			       "hold (%d)",
			       name, (int)entry->dtype);
	if (!checked_shape(entry->shape, entry->rank, &n) || n > WH_MAX_NBYTES)
		return wh_fail(err, WH_ECORRUPT, "tensor '%s' has a bad shape",
			       name);
	WH_TRY(tf_check_count(loading->n_tensors, err));
	WH_TRY(array_grow(&loading->tensors, loading->n_tensors,
			  &loading->tensors_room, sizeof(*loading->tensors),
			  err));
	*index = loading->n_tensors;
	WH_TRY(name_map_add(&loading->names, name, *index, &added, err));
	held = &loading->tensors[loading->n_tensors++];
	*held = (struct held){.name = name, .entry = *entry};
	return WH_OK;
}

static enum wh_status add_part(struct loading *loading, uint32_t index,
			       struct cursor message, struct wh_error *err)
{
	struct held *held = &loading->tensors[index];
	struct part part = {.tensor = index, .shard = loading->shard};
	struct tf_slice place;
	struct wh_buf key = {0};
	enum wh_status status;

	WH_TRY(tf_check_count(loading->n_parts, err));
	WH_TRY(array_grow(&loading->parts, loading->n_parts,
			  &loading->parts_room, sizeof(*loading->parts), err));
	if (!bundle_read_slice(message, &loading->source->arena, &part.slice) ||
	    !slice_place(&held->entry, &part.slice, &place) ||
	    !checked_shape(place.length, held->entry.rank, &part.n) ||
	    ++held->n_slices > MAX_SLICES)
		return loading->source->arena.failed
			       ? wh_fail_memory(err)
			       : wh_fail(err, WH_ECORRUPT,
					 "tensor '%s' has a slice that is "
					 "outside of it, or too many",
					 held->name);
	status = bundle_slice_key(&key, held->name, &part.slice, err);
	loading->key_bytes += key.size;
	if (!status && loading->key_bytes > MAX_KEYS)
		status =
			wh_fail(err, WH_ECORRUPT,
				"the names of slices take more than %llu bytes",
				(unsigned long long)MAX_KEYS);
	part.key_len = key.size;
	if (!status)
		part.key = (uint8_t *)arena_bytes(&loading->source->arena,
						  key.data, key.size);
	wh_buf_free(&key);
	if (!status && !part.key)
		status = wh_fail_memory(err);
	if (!status)
		loading->parts[loading->n_parts++] = part;
	return status;
}

/* Fields but the slices, which need them. */
static bool read_tensor_meta(struct cursor message, struct arena *arena,
			     struct cursor *name, struct bundle_entry *entry)
{
	uint32_t field, type;
	struct cursor inner;
	uint64_t value;

	while (cursor_left(&message)) {
		if (!cursor_tag(&message, &field, &type))
			return false;
		if (field == TENSOR_TYPE && type == 0) {
			if (!cursor_varint(&message, &value) || value > 127)
				return false;
			entry->dtype = (enum wh_dtype)value;
		} else if (type != 2) {
			if (!cursor_skip(&message, type))
				return false;
		} else if (!cursor_message(&message, &inner)) {
			return false;
		} else if (field == TENSOR_NAME) {
			*name = inner;
		} else if (field == TENSOR_SHAPE) {
			if (!bundle_read_shape(inner, arena, entry))
				return false;
		}
	}
	return true;
}

static enum wh_status take_tensor(struct loading *loading,
				  struct cursor message, struct wh_error *err)
{
	struct bundle_entry entry = {0};
	struct cursor name = {0}, inner;
	uint32_t field, type, index;
	char *text;

	if (!read_tensor_meta(message, &loading->source->arena, &name, &entry))
		return loading->source->arena.failed ? wh_fail_memory(err)
						     : bad_meta(err);
	if (!cursor_left(&name) || cursor_left(&name) > WH_MAX_NAME ||
	    !text_is_name((const char *)name.at, cursor_left(&name)))
		return wh_fail(err, WH_ECORRUPT,
			       "a tensor's name is not valid UTF-8, or too "
			       "long");
	text = arena_bytes(&loading->source->arena, name.at,
			   cursor_left(&name));
	if (!text)
		return wh_fail_memory(err);
	WH_TRY(add_tensor(loading, text, &entry, &index, err));
	while (cursor_left(&message)) {
		if (!cursor_tag(&message, &field, &type))
			return bad_meta(err);
		if (field != TENSOR_SLICE || type != 2) {
			if (!cursor_skip(&message, type))
				return bad_meta(err);
			continue;
		}
		if (!cursor_message(&message, &inner))
			return bad_meta(err);
		WH_TRY(add_part(loading, index, inner, err));
	}
	return WH_OK;
}

/* Calls take_tensor for each tensor of a SavedTensorSliceMeta. */
static enum wh_status take_contents(struct loading *loading,
				    struct cursor message, struct wh_error *err)
{
	uint32_t field, type;
	struct cursor inner;

	while (cursor_left(&message)) {
		if (!cursor_tag(&message, &field, &type))
			return bad_meta(err);
		if (type != 2) {
			if (!cursor_skip(&message, type))
				return bad_meta(err);
			continue;
		}
		if (!cursor_message(&message, &inner))
			return bad_meta(err);
		if (field == META_VERSIONS)
			WH_TRY(bundle_check_version(inner, err));
		if (field == META_TENSOR)
			WH_TRY(take_tensor(loading, inner, err));
	}
	return WH_OK;
}

static int by_key(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int order = memcmp(x->key, y->key, n);

	if (order)
		return order;
	return x->key_len < y->key_len ? -1 : x->key_len > y->key_len;
}

static enum wh_status take_meta(struct loading *loading, struct window *window,
				struct span value, struct wh_error *err)
{
	uint8_t *bytes wh_free_auto = NULL;
	uint64_t len = value.end - value.at;
	struct cursor message, meta;
	uint32_t field, type;

	if (len > MAX_META)
		return bad_meta(err);
	bytes = malloc((size_t)len + 1);
	if (!bytes)
		return wh_fail_memory(err);
	WH_TRY(reader_read(window->file, value.at, bytes, (size_t)len, err));
	message = (struct cursor){bytes, bytes + len};
	if (!cursor_tag(&message, &field, &type) || field != SLICES_META ||
	    type != 2 || !cursor_message(&message, &meta))
		return bad_meta(err);
	WH_TRY(take_contents(loading, meta, err));
	loading->has_meta = true;
	if (loading->n_parts > loading->first)
		qsort(loading->parts + loading->first,
		      loading->n_parts - loading->first,
		      sizeof(*loading->parts), by_key);
	return WH_OK;
}

/* ---- Where the slices lie
 * --------------------------------------------------------- */

static enum wh_status take_entry(void *arg, struct window *window,
				 const uint8_t *key, size_t key_len,
				 struct span value, struct wh_error *err)
{
	struct loading *loading = arg;
	struct part wanted = {.key = key, .key_len = key_len}, *part = NULL;
	const struct held *held;

	if (!loading->has_meta) {
		if (key_len)
			return bad_meta(err);
		return take_meta(loading, window, value, err);
	}
	if (loading->n_parts > loading->first)
		part = bsearch(&wanted, loading->parts + loading->first,
			       loading->n_parts - loading->first, sizeof(*part),
			       by_key);
	if (!part) /* as TensorFlow, which looks for what it needs */
		return WH_OK;
	held = &loading->tensors[part->tensor];
	part->found = true;
	return v1_value_read(window, value, held->name, held->entry.dtype,
			     part->n, &loading->source->arena, &loading->spool,
			     &part->value, err);
}

static enum wh_status read_file(struct loading *loading, const char *path,
				struct wh_error *err)
{
	struct shard_file *shard =
		&loading->source->shards.files[loading->shard];
	struct file_reader file;
	enum wh_status status;

	WH_TRY(reader_open(&file, path, err));
	loading->first = loading->n_parts;
	loading->has_meta = false;
	status = table_file_read(&file, take_entry, loading, err);
	if (!status && !loading->has_meta)
		status = bad_meta(err);
	shard->opened = file.opened;
	shard->fd = file.fd;
	file.fd = -1;
	reader_close(&file);
	return status;
}

static enum wh_status keep_spool(struct loading *loading, struct wh_error *err)
{
	FILE *file = loading->spool.file;
	struct shard_files *shards = &loading->source->shards;
	int fd = -1;

	if (!file)
		return WH_OK;
	loading->spool.file = NULL;
	if (fflush(file) == 0)
		fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	shards->files[shards->n_shards - 1].fd = fd;
	if (fclose(file) || fd < 0)
		return wh_fail_errno(err, errno, "a temporary file");
	return WH_OK;
}

/* ---- Tensors
 * ------------------------------------------------------------------------ */

static int by_tensor(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->tensor != y->tensor)
		return x->tensor < y->tensor ? -1 : 1;
	return x->shard != y->shard ? (x->shard < y->shard ? -1 : 1)
				    : by_key(a, b);
}

static void settle(const struct loading *loading, const struct part *part,
		   uint32_t *shard, uint64_t *offset)
{
	*shard = part->value.spooled ? loading->source->shards.n_shards - 1
				     : part->shard;
	*offset = part->value.offset;
}

static enum wh_status place_slices(struct loading *loading,
				   const struct held *held,
				   const struct part *parts,
				   struct tf_place *place, uint64_t n,
				   struct wh_error *err)
{
	uint32_t i;

	if (held->entry.dtype == WH_STRING || !held->entry.rank)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s' is a string in slices, or a scalar",
			       held->name);
	place->kind = TF_SLICED;
	place->n_slices = (uint32_t)held->n_slices;
	place->slices = arena_alloc(&loading->source->arena, place->n_slices,
				    sizeof(*place->slices));
	if (!place->slices)
		return wh_fail_memory(err);
	for (i = 0; i < place->n_slices; i++) {
		struct tf_slice *slice = &place->slices[i];

		slice_place(&held->entry, &parts[i].slice, slice);
		settle(loading, &parts[i], &slice->shard, &slice->offset);
	}
	return slices_check_cover(held->name, held->entry.rank, place, n, err);
}

/* `parts` are the tensor's. */
static enum wh_status place_tensor(struct loading *loading,
				   const struct held *held,
				   const struct part *parts,
				   struct tf_place *place, uint64_t *nbytes,
				   struct wh_error *err)
{
	uint64_t n = 0, i;

	for (i = 0; i < held->n_slices; i++)
		if (!parts[i].found)
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' lacks a slice", held->name);
	checked_shape(held->entry.shape, held->entry.rank, &n);
	*nbytes = n * wh_dtype_size(held->entry.dtype);
	if (held->n_slices != 1 || parts[0].n != n)
		return place_slices(loading, held, parts, place, n, err);
	settle(loading, &parts[0], &place->shard, &place->offset);
	place->kind = TF_FLAT;
	if (held->entry.dtype != WH_STRING)
		return WH_OK;
	place->kind = TF_STRINGS;
	place->lengths = parts[0].value.lengths;
	place->n_strings = n;
	*nbytes = 8 * n;
	for (i = 0; i < n; i++)
		*nbytes += place->lengths[i];
	return WH_OK;
}

static enum wh_status add_tensors(struct loading *loading, struct wh_error *err)
{
	struct tf_source *source = loading->source;
	const struct part *parts = loading->parts;
	uint32_t i, n = loading->n_tensors;
	const char **keys wh_free_auto = calloc((size_t)n + 1, sizeof(*keys));

	source->places = calloc((size_t)n + 1, sizeof(*source->places));
	if (!keys || !source->places)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		const struct held *held = &loading->tensors[i];
		uint64_t nbytes = 0;

		WH_TRY(place_tensor(loading, held, parts, &source->places[i],
				    &nbytes, err));
		WH_TRY(manifest_add_tensor(loading->builder, held->name,
					   held->entry.dtype, held->entry.rank,
					   held->entry.shape, nbytes, NULL,
					   err));
		keys[i] = held->name;
		parts += held->n_slices;
	}
	return mapping_layers_from_graph(NULL, loading->builder, &source->arena,
					 keys, n, err);
}

/* ---- The whole
 * ------------------------------------------------------------------------ */

static enum wh_status load_files(struct loading *loading, const char *path,
				 struct wh_error *err)
{
	struct tf_source *source = loading->source;
	struct wh_manifest *manifest = &source->base.manifest;
	uint32_t n_files = count_files(path), i;

	WH_TRY(shards_init(&source->shards, path, (n_files ? n_files : 1) + 1,
			   err));
	for (i = 0; i + 1 < source->shards.n_shards; i++) {
		char *file wh_free_auto = file_path(path, n_files, i);

		if (!file)
			return wh_fail_memory(err);
		loading->shard = i;
		WH_TRY(read_file(loading, file, err));
	}
	WH_TRY(keep_spool(loading, err));
	if (loading->n_parts)
		qsort(loading->parts, loading->n_parts, sizeof(*loading->parts),
		      by_tensor);
	WH_TRY(manifest_builder_new(&source->arena, &loading->builder, err));
	WH_TRY(add_tensors(loading, err));
	WH_TRY(manifest_finish(loading->builder, manifest, err));
	manifest->origin_format = "tf";
	return WH_OK;
}

enum wh_status v1_load(const char *path, struct tf_source *source,
		       struct wh_error *err)
{
	struct loading loading = {.source = source};
	enum wh_status status;

	source->base.ops = &v1_source_ops;
	status = load_files(&loading, path, err);
	manifest_builder_free(loading.builder);
	name_map_free(&loading.names);
	if (loading.spool.file)
		fclose(loading.spool.file);
	free(loading.parts);
	free(loading.tensors);
	return status;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct shard_files *shards = &((struct tf_source *)base)->shards;
	uint32_t i;

	for (i = 0; i + 1 < shards->n_shards; i++) {
		struct file_reader file = {.fd = shards->files[i].fd,
					   .opened = shards->files[i].opened,
					   .path = shards->prefix};

		WH_TRY(reader_unchanged(&file, err));
	}
	return WH_OK;
}

const struct wh_source_ops v1_source_ops = {
	.read = tf_source_read,
	.unchanged = check_unchanged,
	.close = tf_source_close,
	.concurrent = true,
};
