/* A sharded checkpoint: NAME.weights.json, written by keras 3 as
 *
 *	{"metadata": {"total_size": 540.0},
 *	 "weight_map": {"/layers/dense/vars": "NAME_00000.weights.h5",
 *			"/layers/dense_1/vars": ["NAME_00000.weights.h5",
 *						 "NAME_00001.weights.h5"]}}
 *
 * beside its shards (keras.src.saving.saving_lib.ShardedH5IOStore, 3.15). */
#include <jansson.h>
#include <string.h>

#include "base/auto.h"
#include "base/c_locale.h"
#include "base/json_put.h"
#include "base/text.h"
#include "core/name_map.h"
#include "hdf5/keras3/open.h"

#define MAX_MAP	   (UINT64_C(64) << 20)
#define MAX_SHARDS 100000u
#define SUFFIX	   ".weights.json"
#define OLD_MAPS                                                               \
	"; Keras 3.10 named only the first shard of each group: put lists of " \
	"all of them there"

struct shards {
	struct arena *arena;
	struct name_map seen;
	const char **names; /* in the order of the map */
	uint32_t n, capacity;
};

static void free_shards(struct shards *shards)
{
	name_map_free(&shards->seen);
}

static json_t *parse(const struct wh_buf *map, struct wh_error *err)
{
	json_error_t why;
	json_t *root =
		json_of_text((const char *)map->data, map->size - 1, 0, &why);

	if (!root)
		wh_fail(err, WH_ECORRUPT,
			"the weight map of a sharded checkpoint: line %d: %s",
			why.line, why.text);
	return root;
}

/* A name that is joined to the folder of the map must stay in it. */
static enum wh_status take_name(struct shards *shards, const json_t *json,
				struct wh_error *err)
{
	const char *name = json_string_value(json);
	size_t len = json_string_length(json);
	bool added;

	if (!name || len == 0 || len > WH_MAX_NAME ||
	    !text_is_name(name, len) || strlen(name) != len ||
	    strchr(name, '/') || strchr(name, '\\') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "the weight map names a shard that is no plain "
			       "file name");
	if (name_map_find(&shards->seen, name) != UINT32_MAX)
		return WH_OK;
	if (shards->n == MAX_SHARDS)
		return wh_fail(err, WH_ECORRUPT,
			       "the weight map names more than %u shards",
			       MAX_SHARDS);
	name = arena_strdup(shards->arena, name);
	if (!name)
		return wh_fail_memory(err);
	shards->names[shards->n] = name;
	return name_map_add(&shards->seen, name, shards->n++, &added, err);
}

static enum wh_status take_names(struct shards *shards, const json_t *json,
				 struct wh_error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(json))
		return take_name(shards, json, err);
	json_array_foreach(json, i, item) WH_TRY(take_name(shards, item, err));
	return WH_OK;
}

static size_t count_names(json_t *map)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(map, key, value) n +=
		json_is_array(value) ? json_array_size(value) : 1;
	return n;
}

static enum wh_status list_shards(struct shards *shards, json_t *root,
				  struct wh_error *err)
{
	json_t *map = json_object_get(root, "weight_map"), *value;
	const char *key;

	if (!json_is_object(map))
		return wh_fail(err, WH_ECORRUPT,
			       "a sharded checkpoint without a 'weight_map'");
	shards->names = arena_alloc(shards->arena, count_names(map),
				    sizeof(*shards->names));
	if (!shards->names)
		return wh_fail_memory(err);
	json_object_foreach(map, key, value)
		WH_TRY(take_names(shards, value, err));
	return WH_OK;
}

static enum wh_status read_map(const char *path, struct wh_buf *map,
			       struct wh_error *err)
{
	struct h5_source *file = NULL;
	enum wh_status status;
	size_t size;

	WH_TRY(h5_source_open(path, &file, err));
	size = (size_t)file->input.size;
	status = file->input.size > MAX_MAP
			 ? wh_fail(err, WH_ECORRUPT,
				   "its weight map has more than %llu bytes",
				   (unsigned long long)MAX_MAP)
			 : wh_buf_reserve(map, size + 1, err);
	if (!status && input_read(&file->input, 0, map->data, size))
		status = wh_fail(err, WH_EIO, "its weight map can't be read");
	if (!status) {
		map->data[size] = '\0';
		map->size = size + 1;
	}
	wh_source_close(&file->base);
	return status;
}

bool keras3_is_map(const char *path)
{
	struct wh_buf text = {0};
	json_auto_t *root = NULL;
	const char *first;
	void *at;

	if (read_map(path, &text, NULL) == WH_OK && text.data[0] == '{')
		root = json_of_text((const char *)text.data, text.size - 1, 0,
				    NULL);
	wh_buf_free(&text);
	at = json_object_iter(json_object_get(root, "weight_map"));
	first = at ? json_object_iter_key(at) : "";
	return first[0] == '/';
}

/* "m_00000.weights.h5" of ".../m.weights.json" is
 * ".weights.json*_00000.weights.h5"; other names have no such form. */
static const char *shard_suffix(const char *path, const char *name,
				struct arena *arena)
{
	const char *slash = strrchr(path, '/');
	const char *own = slash ? slash + 1 : path;
	size_t len = strlen(own) - strlen(SUFFIX);

	if (strncmp(name, own, len) != 0)
		return NULL;
	return arena_printf(arena, SUFFIX "*%s", name + len);
}

static enum wh_status open_shard(struct keras3_opened *opened, const char *path,
				 const char *name, struct wh_error *err)
{
	struct keras3_source *source = opened->source;
	const char *slash = strrchr(path, '/'), *suffix = NULL;
	const char *shard =
		arena_printf(&source->arena, "%.*s%s",
			     (int)(slash ? slash + 1 - path : 0), path, name);
	uint32_t file = source->n_files;
	enum wh_status status;

	if (text_ends(path, SUFFIX))
		suffix = shard_suffix(path, name, &source->arena);
	if (!shard || source->arena.failed)
		return wh_fail_memory(err);
	source->is_renamed |= !suffix;
	status = keras3_source_add_file(source, shard, suffix ? suffix : name,
					err);
	if (status == WH_EINVAL) /* of the map, not of the caller */
		return wh_fail(err, WH_ECORRUPT,
			       "the shard '%s' is not a regular file", name);
	WH_TRY(status);
	return keras3_source_add_part(
		source, file, -1, 0,
		(uint64_t)source->files[file].opened.st_size, err);
}

enum wh_status keras3_open_sharded(const char *path,
				   struct keras3_opened *opened,
				   struct wh_error *err)
{
	struct arena names = {0};
	__attribute__((cleanup(free_shards))) struct shards shards = {
		.arena = &names};
	json_auto_t *root = NULL;
	enum wh_status status;
	uint32_t i;

	WH_TRY(read_map(path, &opened->map, err));
	root = parse(&opened->map, err);
	if (!root)
		return WH_ECORRUPT;
	status = list_shards(&shards, root, err);
	if (!status)
		status = keras3_source_new(shards.n + 1, shards.n,
					   &opened->source, err);
	for (i = 0; i < shards.n && !status; i++)
		status = open_shard(opened, path, shards.names[i], err);
	arena_free(&names);
	if (status)
		return status;
	return keras3_source_add_file(opened->source, path, "", err);
}

/* ---- The map ---------------------------------------------------------- */

static bool lists_shard(const json_t *json, const char *name)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(json))
		return json_is_string(json) &&
		       strcmp(json_string_value(json), name) == 0;
	json_array_foreach(json, i, item)
	{
		if (json_is_string(item) &&
		    strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

static enum wh_status check_object(const json_t *map,
				   const struct keras3_object *object,
				   const char *const *names,
				   struct wh_error *err)
{
	char key[WH_MAX_NAME + 16];
	const json_t *entry;
	uint32_t i;

	snprintf(key, sizeof(key), "/%s%svars", object->path,
		 *object->path ? "/" : "");
	entry = json_object_get(map, key);
	for (i = 0; i < object->n_values; i++)
		if (!entry ||
		    !lists_shard(entry, names[object->values[i].shard]))
			return wh_fail(err, WH_ECORRUPT,
				       "variable '%s' of '%s' is in the shard "
				       "'%s', but the weight map does not say "
				       "so" OLD_MAPS,
				       object->values[i].key, key,
				       names[object->values[i].shard]);
	return WH_OK;
}

/* A shard that no group names is missed by its bytes: Keras counts them, a
 * bool as an eighth. */
static enum wh_status check_total(const struct keras3_opened *opened,
				  const struct keras3_tree *tree,
				  const json_t *root, struct wh_error *err)
{
	const json_t *total = json_object_get(json_object_get(root, "metadata"),
					      "total_size");
	USE_C_LOCALE;
	double bytes = 0;
	uint32_t i;

	for (i = 0; i < tree->n_datasets; i++) {
		const struct keras3_dataset *at = &tree->datasets[i];
		const struct h5_kept *dataset =
			&opened->source->parts[at->part]->datasets[at->index];
		double size = (double)dataset->nbytes;

		bytes += dataset->dtype == WH_BOOL ? size / 8 : size;
	}
	if (!json_is_number(total) || (json_number_value(total) <= bytes &&
				       json_number_value(total) >= bytes))
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "the weight map says that there are %.15g bytes; its "
		       "shards have %.15g%s",
		       json_number_value(total), bytes,
		       json_number_value(total) > bytes ? OLD_MAPS : "");
}

enum wh_status keras3_check_map(const struct keras3_opened *opened,
				const struct keras3_tree *tree,
				struct wh_error *err)
{
	struct arena names = {0};
	__attribute__((cleanup(free_shards))) struct shards shards = {
		.arena = &names};
	json_auto_t *root = parse(&opened->map, err);
	const json_t *map;
	enum wh_status status;
	uint32_t i, n = 0;

	if (!root)
		return WH_ECORRUPT;
	map = json_object_get(root, "weight_map");
	status = list_shards(&shards, root, err);
	for (i = 0; i < tree->objects.n && !status; i++) {
		n += tree->objects.list[i].n_values > 0;
		status = check_object(map, &tree->objects.list[i], shards.names,
				      err);
	}
	if (!status && n != json_object_size(map))
		status = wh_fail(err, WH_ECORRUPT,
				 "the weight map lists %zu groups with "
				 "variables; the shards have %u",
				 json_object_size(map), n);
	if (!status)
		status = check_total(opened, tree, root, err);
	arena_free(&names);
	return status;
}
