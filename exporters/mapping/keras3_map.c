/* A layer whose weights go where a user's map says. FORMAT.md, "The map". */
#include <string.h>

#include "mapping/keras3_build.h"

#define VARS "vars/"

/* Where "vars/0" stands in "layers/dense/vars/0"; NULL if it is no place. */
static const char *find_vars(const char *path)
{
	const char *at = strrchr(path, '/');

	if (!at || !at[1] || at[1 + strspn(at + 1, "0123456789")])
		return NULL;
	at -= strlen(VARS) - 1;
	if (at < path || strncmp(at, VARS, strlen(VARS)) != 0 ||
	    (at > path && (at[-1] != '/' || at - 1 == path)))
		return NULL;
	return at;
}

static enum wh_status check_key(const struct keras3_object *object,
				const char *key, const char *path,
				struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < object->n_values; i++)
		if (strcmp(object->values[i].key, key) == 0)
			return wh_fail(err, WH_EINVAL,
				       "the map has '%s' for two weights",
				       path);
	return WH_OK;
}

enum wh_status keras3_fill_mapped(struct keras3_building *building,
				  const struct wh_layer *layer,
				  const struct weight_target *targets,
				  struct wh_error *err)
{
	uint32_t i, index;

	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *at = &layer->variables[i];
		const char *path = targets[at->tensor].path, *object;
		const char *vars = find_vars(path);
		struct keras3_value value = {.tensor = at->tensor};

		if (!vars)
			return wh_fail(err, WH_EINVAL,
				       "the map's '%s' is no place in a Keras "
				       "3 file, such as 'layers/dense/vars/0'",
				       path);
		value.key = vars + strlen(VARS);
		object = arena_bytes(building->arena, path,
				     vars > path ? (size_t)(vars - path - 1)
						 : 0);
		if (!object)
			return wh_fail_memory(err);
		WH_TRY(keras3_build_object(building, object, NULL, &index,
					   err));
		WH_TRY(check_key(&building->objects.list[index], value.key,
				 path, err));
		WH_TRY(keras3_value_add(&building->objects.list[index], &value,
					building->arena, err));
	}
	return WH_OK;
}
