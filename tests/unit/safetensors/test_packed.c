/* safetensors/packed.h: what "F4 [3,8]" says of bytes. */
#include "support/assert.h"

#include "safetensors/packed.h"

/* The shape goes into a header as it is: a file of it must be read again. */
static void a_shape_is_a_list_of_whole_numbers(void **state)
{
	static const char *const bad[] = {"F4 [3,]",
					  "F4 [03]",
					  "F4 [,3]",
					  "F4 [3,,8]",
					  "F4 [3 8]",
					  "F4 3",
					  "F4 [3",
					  "F4 [-3,8]",
					  "F4 [3.0]",
					  "F4 [3]]",
					  "F4 ",
					  "F5 [3,8]",
					  "F4 [0,99999999999999999999]"};
	struct wh_attribute at = {.key = MANIFEST_PACKED,
				  .kind = WH_VALUE_TEXT,
				  .text = "F4 [3,8]"};
	struct wh_tensor tensor = {.dtype = WH_UINT8, .nbytes = 12};
	const char *name, *shape;
	struct arena arena = {0};
	size_t i;

	(void)state;
	assert_true(st_packed_read(&at, &tensor, &arena, &name, &shape));
	assert_string_equal(name, "F4");
	assert_string_equal(shape, "[3,8]");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		at.text = bad[i];
		/* Whatever it might be taken for. */
		for (tensor.nbytes = 0; tensor.nbytes < 13; tensor.nbytes++)
			if (st_packed_read(&at, &tensor, &arena, &name, &shape))
				fail_msg("'%s' was taken", bad[i]);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shape_is_a_list_of_whole_numbers),
	};

	return cmocka_run_group_tests_name("packed", tests, NULL, NULL);
}
