/* Libraries that are loaded when they are first needed, and what is said where
 * they can't be. */
#include "support/assert.h"

#include <pthread.h>
#include <zlib.h>

#include "base/late.h"

static __typeof__(zlibVersion) *late_zlibVersion;
static __typeof__(crc32) *late_crc32;

static const struct late_symbol symbols[] = {
	{"zlibVersion", &late_zlibVersion},
	{"crc32", &late_crc32},
	{NULL, NULL},
};

static void a_library_has_its_functions_once_it_is_loaded(void **state)
{
	struct late_library zlib = {.soname = "libz.so.1", .symbols = symbols};
	struct wh_error err;

	(void)state;
	late_zlibVersion = NULL;
	assert_ok(late_load(&zlib, &err), &err);
	assert_string_equal(late_zlibVersion(), zlibVersion());
	assert_int_equal(late_crc32(0, (const Bytef *)"a", 1), 0xe8b7be43);
}

static void what_is_linked_is_not_loaded(void **state)
{
	static const struct late_symbol none[] = {{NULL, NULL}};
	struct late_library linked = {.symbols = none};
	struct wh_error err;

	(void)state;
	assert_ok(late_load(&linked, &err), &err);
}

static void a_library_that_is_not_there_is_told_each_time(void **state)
{
	struct late_library gone = {.soname = "libgone.so.0",
				    .symbols = symbols};
	struct wh_error err;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_fails(late_load(&gone, &err), &err, WH_EUNSUPPORTED,
			     "libgone.so.0");
	}
}

static void a_library_without_a_function_is_not_loaded(void **state)
{
	static void (*absent)(void);
	const struct late_symbol lacking[] = {
		{"crc32", &late_crc32},
		{"wh_no_such_function", &absent},
		{NULL, NULL},
	};
	struct late_library other = {.soname = "libz.so.1", .symbols = lacking};
	struct wh_error err;

	(void)state;
	assert_fails(late_load(&other, &err), &err, WH_EUNSUPPORTED,
		     "wh_no_such_function");
	assert_false(atomic_load(&other.loaded));
}

static void *load(void *library)
{
	if (late_load(library, NULL))
		return NULL;
	return late_crc32 && late_zlibVersion ? library : NULL;
}

static void threads_load_it_together(void **state)
{
	struct late_library zlib = {.soname = "libz.so.1", .symbols = symbols};
	pthread_t threads[8];
	void *result;
	size_t i;

	(void)state;
	late_crc32 = NULL;
	for (i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load, &zlib),
				 0);
	for (i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &zlib);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_library_has_its_functions_once_it_is_loaded),
		cmocka_unit_test(what_is_linked_is_not_loaded),
		cmocka_unit_test(a_library_that_is_not_there_is_told_each_time),
		cmocka_unit_test(a_library_without_a_function_is_not_loaded),
		cmocka_unit_test(threads_load_it_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
