/* Keras 3's rule for its own files where what differs is skipped:
 * keras/src/saving/saving_lib.py, _load_state, 3.x. An object takes what lies
 * at its own path, and its variables one after the other up to the first that
 * doesn't fit. */
#include <string.h>

#include "core/name_map.h"
#include "loading/pairing.h"
#include "mapping/keras3.h"

static void skip_count(struct pairing *pairing,
		       const struct keras3_object *object, uint32_t received)
{
	pairing->n_skipped += object->n_values;
	pairing_warn(pairing,
		     "Could not load weights in object '%s'. Skipping object. "
		     "Exception encountered: Layer '%s' expected %u variables, "
		     "but received %u variables during loading.",
		     object->path, object->name ? object->name : object->path,
		     object->n_values, received);
}

static void skip_shape(struct pairing *pairing,
		       const struct keras3_object *object, uint32_t index,
		       const struct wh_tensor *expected,
		       const struct wh_tensor *received)
{
	pairing->n_skipped += object->n_values - index;
	pairing_warn(pairing,
		     "Could not load weights in object '%s'. Skipping object. "
		     "Exception encountered: Cannot assign value to variable "
		     "'%s': Shape mismatch. The variable shape %s, and the "
		     "assigned value shape %s are incompatible.",
		     object->path, expected->key,
		     python_shape(pairing->arena, expected),
		     python_shape(pairing->arena, received));
}

static void pair_object(struct pairing *pairing,
			const struct keras3_object *from,
			const struct keras3_object *to)
{
	uint32_t i, n = from ? from->n_values : 0;

	if (n != to->n_values) {
		skip_count(pairing, to, n);
		return;
	}
	for (i = 0; i < n; i++) {
		const struct wh_tensor *expected =
			&pairing->to->tensors[to->values[i].tensor];
		const struct wh_tensor *received =
			&pairing->from->tensors[from->values[i].tensor];

		if (!shapes_equal(expected, received)) {
			skip_shape(pairing, to, i, expected, received);
			return;
		}
		pair_tensors(pairing, to->values[i].tensor,
			     from->values[i].tensor);
	}
}

static bool has_weights(const struct keras3_object *object)
{
	enum wh_layer_kind kind = keras3_object_kind(object->path);

	return object->n_values &&
	       (kind == WH_LAYER || kind == WH_LAYER_MODEL);
}

enum wh_status pair_keras3(struct pairing *pairing, struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map paths = {0};
	struct keras3_objects from = {0}, to = {0};
	uint32_t i, found;
	bool added;

	WH_TRY(keras3_objects_read(pairing->from, pairing->arena, &from, err));
	WH_TRY(keras3_objects_read(pairing->to, pairing->arena, &to, err));
	for (i = 0; i < from.n; i++)
		WH_TRY(name_map_add(&paths, from.list[i].path, i, &added, err));
	for (i = 0; i < to.n; i++) {
		if (!has_weights(&to.list[i]))
			continue;
		found = name_map_find(&paths, to.list[i].path);
		pair_object(pairing,
			    found == UINT32_MAX ? NULL : &from.list[found],
			    &to.list[i]);
	}
	return WH_OK;
}
