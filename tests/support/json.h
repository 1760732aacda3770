/* support/json.h: a golden file's truth against a manifest. */
#ifndef WH_TESTS_JSON_H
#define WH_TESTS_JSON_H

#include "support/assert.h"

#include <jansson.h>

#include "base/text.h"
#include <weighhouse/source.h>

/** Dtype, shape and SHA-256 as the writer's own library saw them. */
static inline void assert_tensor_is(const struct wh_tensor *tensor,
				    const json_t *truth)
{
	const json_t *shape = json_object_get(truth, "shape");
	char hex[65];
	uint32_t i;

	assert_string_equal(wh_dtype_name(tensor->dtype),
			    json_string_value(json_object_get(truth, "dtype")));
	assert_int_equal(tensor->rank, json_array_size(shape));
	for (i = 0; i < tensor->rank; i++)
		assert_int_equal(tensor->shape[i],
				 json_integer_value(json_array_get(shape, i)));
	text_hex(tensor->sha256, sizeof(tensor->sha256), hex);
	assert_string_equal(
		hex, json_string_value(json_object_get(truth, "sha256")));
}

#endif
