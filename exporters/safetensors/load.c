/* Opening: one file, or the shards that an index names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/endian.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/neutral.h"
#include "safetensors/index.h"
#include "safetensors/packed.h"
#include "safetensors/safetensors.h"
#include "safetensors/source.h"

#define DEFAULT_NAME "model.safetensors"

WH_DEFINE_AUTO(manifest_builder, manifest_builder_free);

/* ---- Paths
 * --------------------------------------------------------------------- */

static bool is_file(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISREG(at.st_mode);
}

static char *index_path(const char *path)
{
	char *joined;

	return asprintf(&joined, "%s" ST_INDEX_SUFFIX, path) < 0 ? NULL
								 : joined;
}

enum wh_status st_resolve(const char *path, char **resolved,
			  struct wh_error *err)
{
	size_t len = strlen(path), cut = strlen(ST_INDEX_SUFFIX);
	struct stat at;
	char *made;

	if (stat(path, &at) == 0 && S_ISDIR(at.st_mode)) {
		if (asprintf(&made, "%s%s" DEFAULT_NAME, path,
			     len && path[len - 1] == '/' ? "" : "/") < 0)
			return wh_fail_memory(err);
	} else {
		made = strndup(path, text_ends(path, ST_INDEX_SUFFIX)
					     ? len - cut
					     : len);
	}
	*resolved = made;
	return made ? WH_OK : wh_fail_memory(err);
}

/* A header's length that fits the file, and the brace behind it; an index. */
bool st_probe(const char *path)
{
	char *resolved wh_free_auto = NULL, *index wh_free_auto = NULL;
	struct file_reader file;
	uint8_t head[9];
	bool fits;

	if (st_resolve(path, &resolved, NULL))
		return false;
	index = index_path(resolved);
	if (index && is_file(index) &&
	    (strcmp(path, resolved) != 0 || !is_file(resolved)))
		return true;
	if (!is_file(resolved) || reader_open(&file, resolved, NULL))
		return false;
	fits = file.size >= sizeof(head) &&
	       !reader_read(&file, 0, head, sizeof(head), NULL) &&
	       get_le64(head) <= ST_MAX_HEADER &&
	       (head[8] == '{' || text_ends(resolved, ".safetensors"));
	reader_close(&file);
	return fits || (file.size < sizeof(head) &&
			text_ends(resolved, ".safetensors"));
}

/* ---- One file
 * ------------------------------------------------------------------ */

struct listed {
	uint32_t file;
	const struct st_entry *entry;
};

struct loading {
	struct st_source *source;
	struct manifest_builder *builder;
	/* Of all tensors, in the arena: as the files have them, and as the
	 * model has. */
	struct listed *listed;
	const char **keys, **names;
	uint32_t *order;
	uint32_t n_keys;
	const struct st_pair *described;
	struct neutral_description *description;
};

static enum wh_status open_shard(struct loading *loading, const char *path,
				 struct st_file *file, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(reader_open(&file->reader, path, err));
	loading->source->n_files++;
	status = st_header_read(&file->reader, &loading->source->arena,
				&file->header, err);
	if (status)
		wh_error_prefix(err, "'%s'", path);
	return status;
}

static uint32_t count_tensors(const struct st_source *source)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < source->n_files; i++)
		n += source->files[i].header.n_entries;
	return n > WH_MAX_TENSORS ? UINT32_MAX : (uint32_t)n;
}

/* All entries of all files, one list. */
static void list_entries(struct loading *loading)
{
	const struct st_source *source = loading->source;
	uint32_t i, k;

	for (i = 0; i < source->n_files; i++)
		for (k = 0; k < source->files[i].header.n_entries; k++) {
			const struct st_entry *entry =
				&source->files[i].header.entries[k];

			loading->listed[loading->n_keys] =
				(struct listed){i, entry};
			loading->keys[loading->n_keys++] = entry->name;
		}
}

static enum wh_status add_tensors(struct loading *loading, struct wh_error *err)
{
	struct st_source *source = loading->source;
	const struct st_pair *described = loading->described;
	uint32_t i;

	list_entries(loading);
	WH_TRY(neutral_description_read(
		loading->builder, loading->keys, loading->n_keys,
		described ? described->text : NULL,
		described ? described->size : 0, &source->arena,
		&loading->description, err));
	WH_TRY(neutral_order(loading->description, loading->keys,
			     loading->n_keys, &source->arena, loading->order,
			     loading->names, err));
	for (i = 0; i < loading->n_keys; i++) {
		const struct listed *at = &loading->listed[loading->order[i]];
		const struct st_entry *entry = at->entry;
		const uint64_t *shape = entry->shape;
		uint32_t rank = entry->rank;

		if (entry->packed) {
			WH_TRY(st_packed_note(loading->builder,
					      loading->names[i], entry, err));
			WH_TRY(st_packed_shape(entry, &source->arena, &rank,
					       &shape, err));
		}
		WH_TRY(manifest_add_tensor(
			loading->builder, loading->names[i], entry->dtype, rank,
			shape, entry->end - entry->begin, NULL, err));
		source->places[i] = (struct st_place){
			at->file,
			source->files[at->file].header.size + entry->begin};
		loading->keys[i] = entry->name;
	}
	return WH_OK;
}

/* ---- Metadata
 * ------------------------------------------------------------------ */

/* Whether the first file says the same; `keys` are its own. */
static bool is_known(const struct st_header *first, const struct name_map *keys,
		     const struct st_pair *pair)
{
	uint32_t at = name_map_find(keys, pair->key);

	return at != UINT32_MAX && first->pairs[at].size == pair->size &&
	       memcmp(first->pairs[at].text, pair->text, pair->size) == 0;
}

/* Attributes; what another shard has of its own stands under its name. */
static enum wh_status add_metadata(struct loading *loading, uint32_t index,
				   const char *path,
				   const struct name_map *first_keys,
				   struct wh_error *err)
{
	const struct st_header *first = &loading->source->files[0].header;
	const struct st_header *header = &loading->source->files[index].header;
	uint32_t i;

	for (i = 0; i < header->n_pairs; i++) {
		const struct st_pair *pair = &header->pairs[i];
		struct wh_attribute attribute = {.path = path,
						 .key = pair->key,
						 .kind = WH_VALUE_TEXT,
						 .text = pair->text,
						 .size = pair->size};

		if (index && is_known(first, first_keys, pair))
			continue;
		if (strcmp(pair->key, ST_DESCRIPTION) == 0 && !index)
			loading->described = pair;
		else
			WH_TRY(manifest_add_attribute(loading->builder,
						      &attribute, err));
	}
	return WH_OK;
}

static enum wh_status add_all_metadata(struct loading *loading,
				       struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map keys = {0};
	const struct st_source *source = loading->source;
	const struct st_header *first = &source->files[0].header;
	uint32_t i;
	bool added;

	for (i = 0; i < first->n_pairs && source->n_files > 1; i++)
		WH_TRY(name_map_add(&keys, first->pairs[i].key, i, &added,
				    err));
	for (i = 0; i < source->n_files; i++) {
		const char *star = strchr(source->files[i].suffix, '*');

		WH_TRY(add_metadata(loading, i,
				    i && star ? star + 1 : ST_METADATA, &keys,
				    err));
	}
	return WH_OK;
}

/* ---- Shards
 * -------------------------------------------------------------------- */

/* Every tensor is in the shard that the index says, and in no other. */
static enum wh_status check_index(struct loading *loading,
				  const struct st_index *index,
				  struct name_map *listed, struct wh_error *err)
{
	uint32_t i, k;
	bool added;

	for (i = 0; i < index->n_tensors; i++)
		WH_TRY(name_map_add(listed, index->tensors[i], i, &added, err));
	for (i = 0; i < index->n_shards; i++) {
		const struct st_header *header =
			&loading->source->files[i].header;

		for (k = 0; k < header->n_entries; k++) {
			const char *name = header->entries[k].name;
			uint32_t at = name_map_find(listed, name);

			if (at == UINT32_MAX || index->shard_of[at] != i)
				return wh_fail(err, WH_ECORRUPT,
					       "tensor '%s' is in shard '%s', "
					       "not where the index says",
					       name, index->shards[i]);
		}
	}
	if (count_tensors(loading->source) != index->n_tensors)
		return wh_fail(err, WH_ECORRUPT,
			       "the index lists %u tensors, the shards have %u",
			       index->n_tensors,
			       count_tensors(loading->source));
	return WH_OK;
}

/* "model-00001-of-00002.safetensors" of "model.safetensors" follows a copy's
 * name; any other name is kept: see wh_image_path. */
static const char *shard_suffix(struct arena *arena, const char *base,
				const char *shard)
{
	const char *name = strrchr(base, '/');

	return arena_printf(arena, "%s*%s", name ? name + 1 : base, shard);
}

static enum wh_status open_beside(struct loading *loading, const char *base,
				  const char *shard, uint32_t i,
				  struct wh_error *err)
{
	struct st_file *file = &loading->source->files[i];
	const char *slash = strrchr(base, '/');
	int folder = slash ? (int)(slash - base) + 1 : 0;
	char *path wh_free_auto = NULL;

	file->suffix = shard_suffix(&loading->source->arena, base, shard);
	if (!file->suffix || asprintf(&path, "%.*s%s", folder, base, shard) < 0)
		return wh_fail_memory(err);
	return open_shard(loading, path, file, err);
}

static enum wh_status open_index(struct loading *loading, const char *path,
				 struct wh_error *err)
{
	struct st_source *source = loading->source;
	struct st_file *file = &source->files[source->n_files];

	file->suffix = ST_INDEX_SUFFIX;
	WH_TRY(reader_open(&file->reader, path, err));
	source->n_files++;
	return WH_OK;
}

static enum wh_status open_shards(struct loading *loading, const char *base,
				  struct wh_error *err)
{
	struct st_source *source = loading->source;
	char *path wh_free_auto = index_path(base);
	struct name_map listed = {0};
	struct st_index index;
	enum wh_status status;
	uint32_t i;

	if (!path)
		return wh_fail_memory(err);
	WH_TRY(st_index_read(path, &source->arena, &index, err));
	source->files = arena_alloc(&source->arena, (size_t)index.n_shards + 1,
				    sizeof(*source->files));
	if (!source->files)
		return wh_fail_memory(err);
	for (i = 0; i < index.n_shards; i++)
		WH_TRY(open_beside(loading, base, index.shards[i], i, err));
	status = check_index(loading, &index, &listed, err);
	name_map_free(&listed);
	return status ? status : open_index(loading, path, err);
}

/* ---- The whole
 * ----------------------------------------------------------------- */

static enum wh_status open_files(struct loading *loading, const char *path,
				 struct wh_error *err)
{
	struct st_source *source = loading->source;
	char *base wh_free_auto = NULL, *index wh_free_auto = NULL;

	WH_TRY(st_resolve(path, &base, err));
	index = index_path(base);
	if (!index)
		return wh_fail_memory(err);
	if (is_file(index) &&
	    (text_ends(path, ST_INDEX_SUFFIX) || !is_file(base)))
		return open_shards(loading, base, err);
	source->files = arena_alloc(&source->arena, 1, sizeof(*source->files));
	if (!source->files)
		return wh_fail_memory(err);
	source->files->suffix = "";
	return open_shard(loading, base, source->files, err);
}

static enum wh_status allocate(struct loading *loading, struct wh_error *err)
{
	struct arena *arena = &loading->source->arena;
	uint32_t n = count_tensors(loading->source);

	if (n > WH_MAX_TENSORS)
		return wh_fail(err, WH_ECORRUPT, "more than %u tensors",
			       WH_MAX_TENSORS);
	loading->keys = arena_alloc(arena, n, sizeof(*loading->keys));
	loading->order = arena_alloc(arena, n, sizeof(*loading->order));
	loading->names = arena_alloc(arena, n, sizeof(*loading->names));
	loading->listed = arena_alloc(arena, n, sizeof(*loading->listed));
	loading->source->places =
		arena_alloc(arena, n, sizeof(*loading->source->places));
	if (!loading->keys || !loading->order || !loading->names ||
	    !loading->listed || !loading->source->places)
		return wh_fail_memory(err);
	return WH_OK;
}

static enum wh_status fill_manifest(struct loading *loading,
				    struct wh_error *err)
{
	WH_TRY(allocate(loading, err));
	WH_TRY(add_all_metadata(loading, err));
	return add_tensors(loading, err);
}

static enum wh_status make_manifest(struct loading *loading,
				    struct wh_error *err)
{
	struct st_source *source = loading->source;
	struct wh_manifest *manifest = &source->base.manifest;
	struct wh_template *made;
	struct neutral_origin origin;

	WH_TRY(fill_manifest(loading, err));
	WH_TRY(neutral_layers(loading->builder, &source->arena,
			      loading->description, loading->keys,
			      loading->n_keys, &origin, err));
	manifest_show_tensors(loading->builder, manifest);
	WH_TRY(st_template_make(source, loading->builder, &made, err));
	WH_TRY(manifest_finish(loading->builder, manifest, err));
	manifest->template_ = made;
	manifest->origin_format = origin.format ? origin.format : "safetensors";
	manifest->origin_generator = origin.generator;
	manifest->graph = origin.graph;
	return WH_OK;
}

enum wh_status st_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **out, struct wh_error *err)
{
	struct st_source *source = calloc(1, sizeof(*source));
	wh_auto(manifest_builder) builder = NULL;
	struct loading loading = {.source = source};
	enum wh_status status;

	(void)options;
	if (!source)
		return wh_fail_memory(err);
	source->base.ops = &st_source_ops;
	status = manifest_builder_new(&source->arena, &builder, err);
	loading.builder = builder;
	if (!status)
		status = open_files(&loading, path, err);
	if (!status)
		status = make_manifest(&loading, err);
	neutral_description_free(loading.description);
	if (status) {
		wh_source_close(&source->base);
		return status;
	}
	*out = &source->base;
	return WH_OK;
}
