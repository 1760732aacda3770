/* support/one_weight.h: the smallest model. */
#ifndef WH_TESTS_ONE_WEIGHT_H
#define WH_TESTS_ONE_WEIGHT_H

#include "support/assert.h"

#include <weighhouse/source.h>

/* One weight in a layer of that name, or in none; class_ may be NULL. */
static inline struct wh_source *
one_weight(const char *layer, const char *class_, const struct wh_array *array)
{
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	if (layer)
		assert_ok(wh_builder_layer(builder, layer, class_, &err), &err);
	assert_ok(wh_builder_weight(builder, array, &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

#endif
