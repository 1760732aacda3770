#include "mapping/keras3_places.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mapping/keras3_slots.h"

static const char layers[] = "layers";
/* What tf-keras 2.12 and 2.13 called it (FORMAT.md). */
static const char old_layers[] = "_layer_checkpoint_dependencies";

/* Placing the layers of nested models takes time by the square of this. */
#define MAX_NESTED_OBJECTS 20000u

struct placing {
	const struct keras3_objects *objects;
	const struct config_layer *model;
	const char **slots; /* of the model's children */
	struct arena *arena;
	struct keras3_places *places;
	/* Used again for each member: there may be many in one container. */
	char *scratch[2];
	size_t scratch_size; /* for the longest path */
	struct known_slots {
		const struct config_layer *of;
		const char **slots;
	} * known;
};

void keras3_places_free(struct keras3_places *places)
{
	name_map_free(&places->objects);
	name_map_free(&places->weighted);
}

static bool starts_with(const char *path, const char *word)
{
	size_t len = strlen(word);

	return strncmp(path, word, len) == 0 &&
	       (path[len] == '/' || !path[len]);
}

static bool is_container(const char *path, size_t len)
{
	return (len == sizeof(layers) - 1 && memcmp(path, layers, len) == 0) ||
	       (len == sizeof(old_layers) - 1 &&
		memcmp(path, old_layers, len) == 0);
}

/* ---- Layers ----------------------------------------------------------- */

enum wh_layer_kind keras3_object_kind(const char *path)
{
	if (!*path)
		return WH_LAYER_MODEL;
	if (starts_with(path, "optimizer"))
		return WH_LAYER_OPTIMIZER;
	/* tf-keras saves these; Keras 3 does not. */
	if (starts_with(path, "metrics") ||
	    starts_with(path, "compiled_metrics") ||
	    starts_with(path, "compiled_loss") ||
	    starts_with(path, "_loss_tracker"))
		return WH_LAYER_STATE;
	return WH_LAYER;
}

/* The layer's own path is `layers/<slot>`; in a subclassed model that of the
 * first object on the way: "head", "blocks/dense". */
static size_t find_root_len(const struct placing *placing, const char *path,
			    const char **key)
{
	size_t len = strcspn(path, "/");
	bool slots = is_container(path, len) && path[len];

	if (slots)
		len += 1 + strcspn(path + len + 1, "/");
	for (;;) {
		*key = arena_bytes(placing->arena, path, len);
		if (!*key || slots || !path[len] ||
		    name_map_find(&placing->places->objects, *key) !=
			    PLACE_NONE)
			return len;
		len += 1 + strcspn(path + len + 1, "/");
	}
}

static enum wh_status find_roots(struct placing *placing, struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map roots = {0};
	struct keras3_places *places = placing->places;
	uint32_t i;
	bool added;

	for (i = 0; i < placing->objects->n; i++) {
		const char *path = placing->objects->list[i].path;
		struct keras3_place *place = &places->of[i];
		const char *key, *slash;

		place->kind = keras3_object_kind(path);
		place->layer = PLACE_NONE;
		if (place->kind != WH_LAYER)
			continue;
		place->root_len = find_root_len(placing, path, &key);
		if (!key)
			return wh_fail_memory(err);
		WH_TRY(name_map_add(&roots, key, places->n_layers, &added,
				    err));
		if (added)
			places->n_layers++;
		place->layer = name_map_find(&roots, key);
		slash = strrchr(key, '/');
		place->slot = slash ? slash + 1 : key;
	}
	return WH_OK;
}

/* ---- Order ------------------------------------------------------------ */

static bool has_values_below(const struct placing *placing, const char *path)
{
	return name_map_find(&placing->places->weighted, path) != PLACE_NONE;
}

static enum wh_status mark_weighted(struct placing *placing, const char *path,
				    struct wh_error *err)
{
	size_t len = strlen(path);
	const char *key;
	bool added = true;

	while (len && added) {
		key = arena_bytes(placing->arena, path, len);
		if (!key)
			return wh_fail_memory(err);
		WH_TRY(name_map_add(&placing->places->weighted, key, 0, &added,
				    err));
		while (len && path[--len] != '/')
			;
	}
	return WH_OK;
}

/* The first `len` bytes of a path that are a member of the container `at`;
 * 0 if it is none. */
static size_t member_len(const char *path, const char *at, size_t at_len)
{
	if (strncmp(path, at, at_len) != 0 || path[at_len] != '/' ||
	    !path[at_len + 1])
		return 0;
	return at_len + 1 + strcspn(path + at_len + 1, "/");
}

/* A member's number among those of its container that have values, in the
 * order of the file. `*doubt`: that order is the names', among several
 * classes, as it is after another program has written the file anew. No number
 * is known where a vocabulary may count that the file doesn't hold. */
static void number_member(const struct placing *placing, const char *path,
			  size_t at_len, bool weighted, uint32_t *number,
			  bool *doubt)
{
	const char *last = "";
	uint32_t i, n = 0, n_stems = 0;
	bool sorted = true, unsure = false;

	*number = PLACE_NONE;
	for (i = 0; i < placing->objects->n; i++) {
		const char *at = placing->objects->list[i].path;
		size_t len = member_len(at, path, at_len);
		char *member = placing->scratch[last == placing->scratch[0]];

		if (len == 0 || (strncmp(at, last, len) == 0 && !last[len]))
			continue;
		memcpy(member, at, len);
		member[len] = '\0';
		if (weighted && !has_values_below(placing, member)) {
			unsure |= slot_may_hold_table(strrchr(member, '/') + 1);
			continue;
		}
		if (*last && strcmp(last, member) > 0)
			sorted = false;
		if (!*last || slot_stem(last) != slot_stem(member) ||
		    strncmp(last, member, slot_stem(member)) != 0)
			n_stems++;
		if (member_len(path, path, at_len) == len &&
		    strncmp(member, path, len) == 0)
			*number = n;
		last = member;
		n++;
	}
	if (unsure)
		*number = PLACE_NONE;
	*doubt = sorted && n_stems > 1;
}

/* ---- What each object is ---------------------------------------------- */

/* slots_of_model of the model, or of the one that was asked for last. */
static enum wh_status slots_of(const struct placing *placing,
			       const struct config_layer *of,
			       const char ***slots, struct wh_error *err)
{
	struct known_slots *known = placing->known;

	if (of == placing->model) {
		*slots = placing->slots;
		return WH_OK;
	}
	if (of != known->of) {
		WH_TRY(slots_of_model(of, placing->arena, &known->slots, err));
		known->of = of;
	}
	*slots = known->slots;
	return WH_OK;
}

static const struct config_layer *child_by_slot(const struct placing *placing,
						const struct config_layer *of,
						const char *slot,
						uint32_t *index)
{
	struct wh_error ignored;
	const char **slots;
	uint32_t i;

	if (!of || of->n_children == 0)
		return NULL;
	if (slots_of(placing, of, &slots, &ignored))
		return NULL;
	for (i = 0; i < of->n_children; i++)
		if (strcmp(slots[i], slot) == 0) {
			*index = i;
			return &of->children[i];
		}
	return NULL;
}

static const char *join(const struct placing *placing, const char *path,
			const char *name)
{
	return arena_printf(placing->arena, "%s%s%s", path, *path ? "/" : "",
			    name);
}

/* An attribute of an object: "cell", "query_dense". */
static enum wh_status place_attribute(const struct placing *placing,
				      const struct keras3_place *parent,
				      const char *attribute,
				      struct keras3_place *place,
				      struct wh_error *err)
{
	const struct config_layer *config = parent->config;
	const char *name = attribute_of_keras2(parent->class_name, attribute);

	if (config && config->kind == CONFIG_WRAPPER &&
	    strcmp(attribute, "layer") == 0)
		place->config = &config->children[0];
	else if (config && config->kind == CONFIG_BIDIRECTIONAL)
		place->config = strcmp(attribute, "backward_layer") == 0
					? &config->children[1]
					: &config->children[0];
	else if (config && config->kind == CONFIG_CELLS)
		place->config = config;
	place->class_name =
		place->config && place->config != config
			? place->config->class_name
			: class_of_attribute(parent->class_name, attribute);
	if (!parent->path)
		return WH_OK;
	place->path = join(placing, parent->path, name);
	if (parent->scope)
		place->scope_path = join(placing, parent->scope_path, name);
	place->scope = parent->scope;
	return place->path ? WH_OK : wh_fail_memory(err);
}

/* How many children of a model before `index` have values in the file. */
static enum wh_status number_by_config(const struct placing *placing,
				       const struct config_layer *model,
				       const char *container, uint32_t index,
				       uint32_t *number, struct wh_error *err)
{
	char *path = placing->scratch[0];
	const char **slots;
	uint32_t i;

	WH_TRY(slots_of(placing, model, &slots, err));
	for (i = 0, *number = 0; i < index; i++) {
		int len = snprintf(path, placing->scratch_size, "%s/%s",
				   container, slots[i]);
		/* What is longer than all paths is none of them. */
		bool fits = len >= 0 && (size_t)len < placing->scratch_size;

		*number += (fits && has_values_below(placing, path)) ||
			   model->children[i].holds_table;
	}
	return WH_OK;
}

/* Keras 2 names a cell's weights "rnn/stacked_rnn_cells/<cell>/kernel". */
static enum wh_status scope_cell(const struct placing *placing,
				 const struct keras3_place *parent,
				 const char *slot, struct keras3_place *place,
				 struct wh_error *err)
{
	const char *cell = place->config ? place->config->name : slot;

	place->scope = parent->scope;
	place->scope_path =
		arena_printf(placing->arena, "stacked_rnn_cells/%s", cell);
	return place->path && place->scope_path ? WH_OK : wh_fail_memory(err);
}

/* A layer of a nested model, or one of several cells. */
static enum wh_status place_member(const struct placing *placing,
				   const struct keras3_place *parent,
				   const char *path, size_t at_len,
				   struct keras3_place *place,
				   struct wh_error *err)
{
	const char *slot = path + at_len + 1, *edge;
	const char *container = arena_bytes(placing->arena, path, at_len);
	bool cells = text_ends(container ? container : "", "/cells"), doubt;
	uint32_t number, index = 0;

	if (!container)
		return wh_fail_memory(err);
	if (placing->objects->n > MAX_NESTED_OBJECTS)
		return WH_OK;
	place->config = child_by_slot(placing, parent->config, slot, &index);
	place->class_name =
		place->config ? place->config->class_name : class_of_slot(slot);
	number_member(placing, path, at_len, !cells, &number, &doubt);
	if (place->config && cells)
		number = index;
	else if (place->config)
		WH_TRY(number_by_config(placing, parent->config, container,
					index, &number, err));
	if (!parent->path || number == PLACE_NONE ||
	    (doubt && !place->config) ||
	    (!cells && !parent->config && !class_is_model(parent->class_name)))
		return WH_OK;
	edge = arena_printf(placing->arena,
			    cells ? "cells/%u" : "layer_with_weights-%u",
			    number);
	if (edge)
		place->path = join(placing, parent->path, edge);
	if (cells)
		return scope_cell(placing, parent, slot, place, err);
	place->scope = place->config ? place->config->name : NULL;
	place->scope_path = "";
	return place->path ? WH_OK : wh_fail_memory(err);
}

static enum wh_status place_below(const struct placing *placing, uint32_t i,
				  struct wh_error *err)
{
	const char *path = placing->objects->list[i].path;
	const struct name_map *objects = &placing->places->objects;
	struct keras3_place *place = &placing->places->of[i];
	const char *slash = strrchr(path, '/'), *above;
	uint32_t parent;

	above = arena_bytes(placing->arena, path, (size_t)(slash - path));
	if (!above)
		return wh_fail_memory(err);
	parent = name_map_find(objects, above);
	if (parent != PLACE_NONE)
		return place_attribute(placing, &placing->places->of[parent],
				       slash + 1, place, err);
	slash = strrchr(above, '/');
	if (!slash || (size_t)(slash - above) < place->root_len)
		return WH_OK;
	if (strcmp(slash + 1, layers) != 0 &&
	    strcmp(slash + 1, old_layers) != 0 &&
	    strcmp(slash + 1, "cells") != 0)
		return WH_OK;
	above = arena_bytes(placing->arena, path, (size_t)(slash - above));
	if (!above)
		return wh_fail_memory(err);
	parent = name_map_find(objects, above);
	if (parent == PLACE_NONE)
		return WH_OK;
	return place_member(placing, &placing->places->of[parent], path,
			    strlen(above) + 1 + strlen(slash + 1), place, err);
}

static enum wh_status place_root(const struct placing *placing, uint32_t i,
				 struct wh_error *err)
{
	struct keras3_place *place = &placing->places->of[i];
	const char *path = placing->objects->list[i].path;
	uint32_t index;

	place->path = "";
	place->config =
		child_by_slot(placing, placing->model, place->slot, &index);
	place->class_name = place->config ? place->config->class_name
					  : class_of_slot(place->slot);
	place->scope = place->config ? place->config->name : NULL;
	place->scope_path = "";
	if (placing->model && !place->config &&
	    is_container(path, strcspn(path, "/")))
		return wh_fail(err, WH_EINVAL,
			       "the configuration is of another model: it has "
			       "no layer for '%s'",
			       path);
	return WH_OK;
}

static enum wh_status place_object(const struct placing *placing, uint32_t i,
				   struct wh_error *err)
{
	struct keras3_place *place = &placing->places->of[i];
	const char *path = placing->objects->list[i].path;

	if (place->kind != WH_LAYER)
		return WH_OK;
	if (!path[place->root_len])
		return place_root(placing, i, err);
	return place_below(placing, i, err);
}

static void find_doubt(const struct placing *placing)
{
	const struct keras3_objects *objects = placing->objects;
	uint32_t i, number;

	for (i = 0; i < objects->n; i++)
		if (placing->places->of[i].kind == WH_LAYER &&
		    objects->list[i].n_values &&
		    !is_container(objects->list[i].path,
				  strcspn(objects->list[i].path, "/")))
			placing->places->is_subclassed = true;
	if (placing->model)
		return;
	for (i = 0; i < objects->n; i++)
		if (is_container(objects->list[i].path,
				 strcspn(objects->list[i].path, "/"))) {
			number_member(placing, objects->list[i].path,
				      strcspn(objects->list[i].path, "/"), true,
				      &number, &placing->places->has_doubt);
			return;
		}
}

static enum wh_status make_scratch(struct placing *placing,
				   struct wh_error *err)
{
	size_t size;
	uint32_t i;

	placing->scratch_size = 1;
	for (i = 0; i < placing->objects->n; i++) {
		size = strlen(placing->objects->list[i].path) + 1;
		if (size > placing->scratch_size)
			placing->scratch_size = size;
	}
	for (i = 0; i < 2; i++)
		placing->scratch[i] =
			arena_alloc(placing->arena, placing->scratch_size, 1);
	return placing->scratch[0] && placing->scratch[1] ? WH_OK
							  : wh_fail_memory(err);
}

enum wh_status keras3_places_find(const struct keras3_objects *objects,
				  const struct config_layer *model,
				  struct arena *arena,
				  struct keras3_places *places,
				  struct wh_error *err)
{
	struct known_slots known = {0};
	struct placing placing = {.objects = objects,
				  .model = model,
				  .arena = arena,
				  .places = places,
				  .known = &known};
	uint32_t i;
	bool added;

	places->of = arena_alloc(arena, objects->n, sizeof(*places->of));
	if (!places->of)
		return wh_fail_memory(err);
	for (i = 0; i < objects->n; i++)
		WH_TRY(name_map_add(&places->objects, objects->list[i].path, i,
				    &added, err));
	for (i = 0; i < objects->n; i++)
		if (objects->list[i].n_values)
			WH_TRY(mark_weighted(&placing, objects->list[i].path,
					     err));
	if (model)
		WH_TRY(slots_of_model(model, arena, &placing.slots, err));
	WH_TRY(make_scratch(&placing, err));
	WH_TRY(find_roots(&placing, err));
	for (i = 0; i < objects->n; i++)
		WH_TRY(place_object(&placing, i, err));
	find_doubt(&placing);
	return WH_OK;
}
