/* Formats by name, and those that a program adds to a library of its own. */
#include "support/assert.h"

#include <stdlib.h>

#include <weighhouse/library.h>
#include <weighhouse/weights.h>

static const char *const suffixes[] = {".mine", NULL};

static enum wh_status plan_nothing(struct wh_source *source,
				   const struct wh_plan_options *options,
				   struct wh_plan **plan, struct wh_error *err)
{
	(void)options;
	return wh_plan_new(source, plan, err);
}

static const struct wh_format mine = {
	.name = "mine",
	.summary = "a program's own",
	.suffixes = suffixes,
	.plan = plan_nothing,
};

static struct wh_library *with_mine(void)
{
	struct wh_library *library = NULL;
	struct wh_error err;

	assert_ok(wh_library_new(&library, &err), &err);
	assert_ok(wh_library_add(library, &mine, &err), &err);
	return library;
}

static void a_library_has_the_built_in_formats_and_its_own(void **state)
{
	struct wh_library *library = with_mine();

	(void)state;
	assert_ptr_equal(wh_format_by_name(library, " Mine "), &mine);
	assert_ptr_equal(wh_format_by_name(library, "hdf5"),
			 wh_format_by_name(NULL, "h5"));
	assert_null(wh_format_by_name(NULL, "mine"));
	assert_null(wh_format_by_name(library, "other"));
	wh_library_free(library);
}

static void a_name_is_taken_once(void **state)
{
	struct wh_library *library = with_mine();
	struct wh_format again = mine;
	struct wh_error err;

	(void)state;
	assert_fails(wh_library_add(library, &again, &err), &err, WH_EEXISTS,
		     "'mine'");
	again.name = "keras"; /* an alias of h5 */
	assert_fails(wh_library_add(library, &again, &err), &err, WH_EEXISTS,
		     "'keras'");
	wh_library_free(library);
}

static void an_incomplete_descriptor_is_refused(void **state)
{
	struct wh_library *library = with_mine();
	struct wh_format bad = mine;
	struct wh_error err;

	(void)state;
	bad.name = "Upper";
	assert_fails(wh_library_add(library, &bad, &err), &err, WH_EINVAL,
		     "lacks something");
	bad.name = "other";
	bad.plan = NULL;
	assert_fails(wh_library_add(library, &bad, &err), &err, WH_EINVAL,
		     "lacks something");
	wh_library_free(library);
}

static void a_suffix_of_a_librarys_own_format_means_it(void **state)
{
	struct wh_library *library = with_mine();
	const struct wh_format *format;
	struct wh_error err;

	(void)state;
	assert_ok(wh_choose_format("a.mine", NULL, library, &format, &err),
		  &err);
	assert_ptr_equal(format, &mine);
	assert_ok(wh_choose_format("a.mine", "mine", library, &format, &err),
		  &err);
	assert_ptr_equal(format, &mine);
	wh_library_free(library);
}

static void a_file_that_is_no_plugin_is_refused(void **state)
{
	struct wh_library *library = with_mine();
	struct wh_error err;

	(void)state;
	assert_fails(wh_library_load(library, "/nowhere.so", &err), &err,
		     WH_ENOTFOUND, "/nowhere.so");
	assert_fails(wh_library_load(library, "libm.so.6", &err), &err,
		     WH_EINVAL, "no symbol weighhouse_plugin");
	wh_library_free(library);
}

static void assert_path(const char *path, const char *suffix,
			const char *expected)
{
	char *joined = wh_image_path(path, suffix);

	assert_string_equal(joined, expected);
	free(joined);
}

static void a_suffix_follows_the_path_or_takes_an_ends_place(void **state)
{
	(void)state;
	assert_path("a/m.st", "", "a/m.st");
	assert_path("a/m", ".index", "a/m.index");
	assert_path("a/m.st", ".st*-1.st", "a/m-1.st");
	assert_path("a/m", ".st*-1.st", "a/m-1.st");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_library_has_the_built_in_formats_and_its_own),
		cmocka_unit_test(a_name_is_taken_once),
		cmocka_unit_test(an_incomplete_descriptor_is_refused),
		cmocka_unit_test(a_suffix_of_a_librarys_own_format_means_it),
		cmocka_unit_test(a_file_that_is_no_plugin_is_refused),
		cmocka_unit_test(
			a_suffix_follows_the_path_or_takes_an_ends_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
