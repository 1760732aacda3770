#include "mapping/weight_map.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/json_put.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/paths.h"

#define MAX_TEXT   ((size_t)64 << 20)
#define VALUE_TAIL "/.ATTRIBUTES/VARIABLE_VALUE"

struct entry {
	const char *key, *value; /* in the JSON */
	bool is_used;
};

struct weight_map {
	json_t *json;
	struct entry *entries;
	uint32_t n;
	struct name_map keys;
	struct arena *arena;
};

static void map_free(struct weight_map *map)
{
	json_decref(map->json);
	free(map->entries);
	name_map_free(&map->keys);
}

static enum wh_status take_entry(struct weight_map *map, const char *key,
				 json_t *value, struct wh_error *err)
{
	bool added;

	if (!json_is_string(value) || !*json_string_value(value) || !*key)
		return wh_fail(err, WH_EINVAL,
			       "the map's '%s' is not mapped to a path", key);
	map->entries[map->n] =
		(struct entry){.key = key, .value = json_string_value(value)};
	return name_map_add(&map->keys, key, map->n++, &added, err);
}

static enum wh_status map_parse(struct weight_map *map, const char *text,
				struct wh_error *err)
{
	json_error_t bad;
	const char *key;
	json_t *value;

	if (strlen(text) > MAX_TEXT)
		return wh_fail(err, WH_EINVAL, "the map is over 64 MiB");
	map->json =
		json_of_text(text, strlen(text), JSON_REJECT_DUPLICATES, &bad);
	if (!json_is_object(map->json))
		return wh_fail(err, WH_EINVAL,
			       "the map is no JSON object of weights and paths "
			       "(line %d: %s)",
			       map->json ? 1 : bad.line,
			       map->json ? "not an object" : bad.text);
	map->entries =
		calloc(json_object_size(map->json) + 1, sizeof(*map->entries));
	if (!map->entries)
		return wh_fail_memory(err);
	json_object_foreach(map->json, key, value)
		WH_TRY(take_entry(map, key, value, err));
	return WH_OK;
}

/* ---- Finding
 * ---------------------------------------------------------------- */

static struct entry *find(struct weight_map *map, const char *name)
{
	uint32_t at = name ? name_map_find(&map->keys, name) : UINT32_MAX;

	return at == UINT32_MAX ? NULL : &map->entries[at];
}

/* A copy of a key of the bundle without what is the same in all of them. */
static const char *without_tail(const char *key, struct arena *arena)
{
	size_t tail = text_ends(key, VALUE_TAIL) ? strlen(VALUE_TAIL) : 0;

	return arena_bytes(arena, key, strlen(key) - tail);
}

/* What of a name is below the layer's own name, wherever that is in it. */
static const char *below_layer(const char *name, const char *layer)
{
	const char *at;

	for (at = name; *layer && at; at = strchr(at, '/')) {
		at += *at == '/';
		if (name_below(at, layer))
			return name_below(at, layer);
	}
	return name;
}

/* The weight itself, by any of the names that it is listed under. */
static struct entry *find_weight(struct weight_map *map,
				 const struct wh_manifest *manifest,
				 const struct wh_layer *layer,
				 const struct wh_variable *variable)
{
	const char *key = manifest->tensors[variable->tensor].key;
	const char *name = name_without_output(variable->name, map->arena);
	const char *names[] = {
		variable->name,
		name,
		key,
		without_tail(key, map->arena),
		arena_printf(map->arena, "%s/%s", layer->name,
			     name ? below_layer(name, layer->name) : ""),
		variable->object_path
			? arena_printf(map->arena, "%s/%s", layer->name,
				       variable->object_path)
			: NULL,
	};
	struct entry *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && !found; i++)
		found = find(map, names[i]);
	return found;
}

/* The longest scope of the name that the map has, and what is left below. */
static struct entry *find_scope(struct weight_map *map, const char *name,
				const char **below)
{
	char *scope = arena_strdup(map->arena, name);
	struct entry *found = NULL;
	char *slash;

	while (scope && !found && (slash = strrchr(scope, '/'))) {
		*slash = '\0';
		*below = name + (slash - scope) + 1;
		found = find(map, scope);
	}
	return found;
}

static enum wh_status
find_target(struct weight_map *map, const struct wh_manifest *manifest,
	    const struct wh_layer *layer, const struct wh_variable *variable,
	    struct weight_target *target, struct wh_error *err)
{
	const char *name = name_without_output(variable->name, map->arena);
	const char *below = NULL;
	struct entry *entry = find_weight(map, manifest, layer, variable);

	if (!name)
		return wh_fail_memory(err);
	if (!entry)
		entry = find_scope(map, name, &below);
	/* By a name that there was no memory for nothing is found. */
	if (map->arena->failed)
		return wh_fail_memory(err);
	if (!entry && *layer->name) {
		entry = find(map, layer->name);
		below = below_layer(name, layer->name);
	}
	if (!entry)
		return WH_OK;
	entry->is_used = true;
	target->order = (uint32_t)(entry - map->entries);
	target->path =
		below ? arena_printf(map->arena, "%s/%s", entry->value, below)
		      : without_tail(entry->value, map->arena);
	return target->path ? WH_OK : wh_fail_memory(err);
}

static enum wh_status check_used(const struct weight_map *map,
				 struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < map->n; i++)
		if (!map->entries[i].is_used)
			return wh_fail(err, WH_EINVAL,
				       "the map's '%s' is no weight of the "
				       "model",
				       map->entries[i].key);
	return WH_OK;
}

enum wh_status weight_targets(const struct wh_manifest *manifest,
			      const char *json, struct arena *arena,
			      struct weight_target **out, struct wh_error *err)
{
	__attribute__((cleanup(map_free))) struct weight_map map = {
		.arena = arena};
	struct weight_target *targets;
	uint32_t i, k;

	*out = NULL;
	if (!json)
		return WH_OK;
	WH_TRY(map_parse(&map, json, err));
	targets = arena_alloc(arena, manifest->n_tensors, sizeof(*targets));
	if (!targets)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		if (layer->kind > WH_LAYER_MODEL)
			continue;
		for (k = 0; k < layer->n_variables; k++) {
			const struct wh_variable *at = &layer->variables[k];

			WH_TRY(find_target(&map, manifest, layer, at,
					   &targets[at->tensor], err));
		}
	}
	WH_TRY(check_used(&map, err));
	*out = targets;
	return WH_OK;
}

enum wh_status weight_targets_of(const struct weight_target *targets,
				 const struct wh_layer *layer, bool *any,
				 struct wh_error *err)
{
	const char *missing = NULL;
	uint32_t i;

	*any = false;
	for (i = 0; targets && i < layer->n_variables; i++) {
		const struct wh_variable *at = &layer->variables[i];

		if (targets[at->tensor].path)
			*any = true;
		else if (!missing)
			missing = at->name;
	}
	if (*any && missing)
		return wh_fail(err, WH_EINVAL,
			       "layer '%s': the map has some of its weights, "
			       "but not '%s'",
			       layer->name, missing);
	return WH_OK;
}
