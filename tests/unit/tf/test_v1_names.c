/* Names that are nearly those of a first version's set of files. */
#include "support/assert.h"

#include <stdlib.h>

#include "tf/v1.h"

/* What is no number of files is a part of one file's name. */
static void a_number_has_five_digits(void **state)
{
	static const char *const names[] = {
		"no-00000-of--0001",	  "no-00000-of--0002",
		"no-00000-of-+0001",	  "no-00000-of-   01",
		"no-+0000-of-00001",	  "no-    0-of-00001",
		"no-\?\?\?\?\?-of--0001", "no-\?\?\?\?\?-of-   01",
	};
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct tf_source *source = calloc(1, sizeof(*source));

		assert_fails(v1_load(names[i], source, &err), &err,
			     WH_ENOTFOUND, names[i]);
		wh_source_close(&source->base);
	}
}

static void the_first_of_a_set_is_opened_first(void **state)
{
	static const char *const names[] = {"no-00001-of-00002",
					    "no-\?\?\?\?\?-of-00002"};
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct tf_source *source = calloc(1, sizeof(*source));

		assert_fails(v1_load(names[i], source, &err), &err,
			     WH_ENOTFOUND, "no-00000-of-00002");
		wh_source_close(&source->base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_has_five_digits),
		cmocka_unit_test(the_first_of_a_set_is_opened_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
