#include "base/json_put.h"

#include <stdlib.h>

#include "support/assert.h"

#define PRINTED                                                                \
	"{\"a name that a small buffer has no room for\":true,\"files\":[{"    \
	"\"path\":\"model.h5\",\"size\":123}]}"

static long left; /* allocations until one fails; below 0: none */

static void *allocate(size_t size)
{
	return left-- == 0 ? NULL : malloc(size);
}

static json_t *make(void)
{
	json_t *files = json_array(), *object = json_object();

	json_add(&files, json_pack("{s:s,s:I}", "path", "model.h5", "size",
				   (json_int_t)123));
	json_put(&object, "a name that a small buffer has no room for",
		 json_true());
	json_put(&object, "files", files);
	return object;
}

/* With each allocation of jansson's failing once. */
static void json_is_whole_or_none(void **state)
{
	long n, n_none = 0;

	(void)state;
	json_set_alloc_funcs(allocate, free);
	left = -1;
	for (n = 0; left < 0; n++) {
		json_t *made;
		char *text;

		left = n;
		made = make();
		text = json_to_text(made, JSON_COMPACT);
		json_decref(made);
		if (text)
			assert_string_equal(text, PRINTED);
		n_none += !text;
		free(text);
	}
	assert_true(n_none > 10 && n_none < n);
	assert_null(json_to_text(NULL, 0));
	json_set_alloc_funcs(malloc, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_whole_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
