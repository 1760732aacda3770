/* Objects of Keras 3 files: lists of them, and their way through manifests. */
#include "mapping/keras3.h"

#include <string.h>

#include "core/name_map.h"

#define VARS "/vars/"
/* The same of the model's own variables, whose path is empty. */
#define ROOT_VARS "vars/"

bool keras3_is_origin(const struct wh_manifest *manifest)
{
	return manifest->origin_format &&
	       strcmp(manifest->origin_format, "keras3") == 0;
}

enum wh_status keras3_object_add(struct keras3_objects *objects,
				 const char *path, const char *name,
				 struct arena *arena, uint32_t *index,
				 struct wh_error *err)
{
	if (!arena_grow(arena, &objects->list, objects->n, &objects->room,
			sizeof(*objects->list)))
		return wh_fail_memory(err);
	objects->list[objects->n] =
		(struct keras3_object){.path = path, .name = name};
	*index = objects->n++;
	return WH_OK;
}

enum wh_status keras3_value_add(struct keras3_object *object,
				const struct keras3_value *value,
				struct arena *arena, struct wh_error *err)
{
	if (!arena_grow(arena, &object->values, object->n_values, &object->room,
			sizeof(*object->values)))
		return wh_fail_memory(err);
	object->values[object->n_values++] = *value;
	return WH_OK;
}

const char *keras3_value_path(const struct keras3_object *object,
			      const struct keras3_value *value,
			      struct arena *arena)
{
	return arena_printf(arena, "%s%s%s", object->path,
			    *object->path ? VARS : ROOT_VARS, value->key);
}

/* ---- From a manifest -------------------------------------------------- */

struct recalling {
	const struct wh_manifest *manifest;
	struct arena *arena;
	struct keras3_objects *objects;
	struct name_map places; /* path -> object */
};

static void free_recalling(struct recalling *recalling)
{
	name_map_free(&recalling->places);
}

static enum wh_status recall_object(struct recalling *recalling,
				    const char *path, const char *name,
				    uint32_t *index, struct wh_error *err)
{
	bool added;

	*index = name_map_find(&recalling->places, path);
	if (*index != UINT32_MAX)
		return WH_OK;
	WH_TRY(keras3_object_add(recalling->objects, path, name,
				 recalling->arena, index, err));
	return name_map_add(&recalling->places, path, *index, &added, err);
}

/* Where "/vars/0" stands in "layers/dense/vars/0", or where "vars/0" begins the
 * path; NULL in what is no place in a Keras 3 file. */
static const char *find_vars(const char *path, const char **key)
{
	const char *at, *cut = NULL;

	for (at = strstr(path, VARS); at; at = strstr(at + 1, VARS))
		cut = at;
	if (!cut && strncmp(path, ROOT_VARS, strlen(ROOT_VARS)) != 0)
		return NULL;
	*key = cut ? cut + strlen(VARS) : path + strlen(ROOT_VARS);
	return cut ? cut : path;
}

/* "layers/dense/vars/0": the object's path, and "0". */
static enum wh_status recall_value(struct recalling *recalling,
				   const struct wh_variable *variable,
				   struct wh_error *err)
{
	const char *path = variable->keras3_path;
	struct keras3_value value = {.tensor = variable->tensor};
	const char *vars = path ? find_vars(path, &value.key) : NULL;
	uint32_t index;

	if (!vars)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "weight '%s' has no place in a Keras 3 file",
			       variable->name);
	path = arena_bytes(recalling->arena, path, (size_t)(vars - path));
	if (!path)
		return wh_fail_memory(err);
	WH_TRY(recall_object(recalling, path, NULL, &index, err));
	return keras3_value_add(&recalling->objects->list[index], &value,
				recalling->arena, err);
}

/* The dataset's own attributes, and where shards begin. */
static enum wh_status recall_marks(struct recalling *recalling,
				   struct wh_error *err)
{
	const struct wh_manifest *manifest = recalling->manifest;
	uint32_t i, j, shard = 0;

	for (i = 0; i < recalling->objects->n; i++)
		for (j = 0; j < recalling->objects->list[i].n_values; j++) {
			struct keras3_object *object =
				&recalling->objects->list[i];
			struct keras3_value *value = &object->values[j];
			const char *path = keras3_value_path(object, value,
							     recalling->arena);
			const struct wh_attribute *dtype, *begins;

			if (!path)
				return wh_fail_memory(err);
			dtype = manifest_attribute(manifest, path, "dtype");
			begins = manifest_attribute(manifest, path, "shard");
			if (dtype && dtype->kind == WH_VALUE_TEXT)
				value->dtype = dtype->text;
			if (begins && begins->kind == WH_VALUE_INTEGER &&
			    begins->integer >= 0)
				shard = (uint32_t)begins->integer;
			value->shard = shard;
		}
	return WH_OK;
}

static bool has_marks(const struct wh_manifest *manifest)
{
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++)
		if (strcmp(manifest->attributes[i].key, "dtype") == 0 ||
		    strcmp(manifest->attributes[i].key, "shard") == 0)
			return true;
	return false;
}

enum wh_status keras3_objects_read(const struct wh_manifest *manifest,
				   struct arena *arena,
				   struct keras3_objects *objects,
				   struct wh_error *err)
{
	__attribute__((cleanup(free_recalling))) struct recalling recalling = {
		manifest, arena, objects, {0}};
	uint32_t i, j, index;

	for (i = 0; i < manifest->n_attributes; i++) {
		const struct wh_attribute *at = &manifest->attributes[i];

		if (strcmp(at->key, "name") == 0 && at->kind == WH_VALUE_TEXT)
			WH_TRY(recall_object(&recalling, at->path, at->text,
					     &index, err));
		if (strcmp(at->key, "vars") == 0)
			WH_TRY(recall_object(&recalling, at->path, NULL, &index,
					     err));
	}
	for (i = 0; i < manifest->n_layers; i++)
		for (j = 0; j < manifest->layers[i].n_variables; j++)
			WH_TRY(recall_value(&recalling,
					    &manifest->layers[i].variables[j],
					    err));
	return has_marks(manifest) ? recall_marks(&recalling, err) : WH_OK;
}
