#include "support/assert.h"

#include <stdlib.h>

#include "publish/manifest.h"
#include "publish/place.h"

#define ID   "1111111111111111111111111111111111111111111111111111111111111111"
#define TREE "2222222222222222222222222222222222222222222222222222222222222222"
#define SUM  "3333333333333333333333333333333333333333333333333333333333333333"

static struct manifest *make_manifest(void)
{
	static struct manifest_file files[2];
	static struct manifest manifest;

	static char names[2][12] = {"model.h5", "model.index"};
	static char formats[2][4] = {"h5", "tf"};

	files[0] = (struct manifest_file){names[0], formats[0], 42, SUM};
	files[1] = (struct manifest_file){names[1], formats[1],
					  UINT64_C(5000000000), SUM};
	manifest = (struct manifest){
		.snapshot = ID, .tree = TREE, .files = files, .n_files = 2};
	time_print(1764093600, manifest.time);
	return &manifest;
}

static void a_manifest_reads_back(void **state)
{
	struct wh_buf text wh_buf_auto = {0};
	struct manifest read;
	struct wh_error err;

	(void)state;
	assert_ok(manifest_print(make_manifest(), &text, &err), &err);
	assert_ok(manifest_parse(text.data, text.size, &read, &err), &err);
	assert_string_equal(read.snapshot, ID);
	assert_string_equal(read.tree, TREE);
	assert_string_equal(read.time, "2025-11-25T18:00:00Z");
	assert_int_equal(read.n_files, 2);
	assert_string_equal(read.files[1].path, "model.index");
	assert_true(read.files[1].size == UINT64_C(5000000000));
	manifest_free(&read);
}

static void step_and_epoch_are_there_where_there_is_one(void **state)
{
	struct manifest *manifest = make_manifest(), read;
	struct wh_buf text wh_buf_auto = {0};
	struct wh_error err;

	(void)state;
	manifest->has_step = true;
	manifest->step = 0;
	assert_ok(manifest_print(manifest, &text, &err), &err);
	assert_ok(manifest_parse(text.data, text.size, &read, &err), &err);
	assert_true(read.has_step && read.step == 0 && !read.has_epoch);
	manifest_free(&read);
	text.size = 0;
	manifest->has_step = false;
	manifest->has_epoch = true;
	manifest->epoch = 37;
	assert_ok(manifest_print(manifest, &text, &err), &err);
	assert_ok(manifest_parse(text.data, text.size, &read, &err), &err);
	assert_true(!read.has_step && read.has_epoch && read.epoch == 37);
	manifest_free(&read);
}

static void a_manifest_that_leaves_its_folder_is_refused(void **state)
{
	static const char *const paths[] = {
		"../x",	  "/etc/passwd", "a/../b", "a//b", "",
		"a\\\\b", "a/./b",	 "a/",	   "..",   "a\\nb"};
	char text[512];
	struct manifest read;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(text, sizeof(text),
			 "{\"snapshot\":\"" ID "\",\"tree\":\"" TREE
			 "\",\"time\":\"t\",\"files\":[{\"path\":\"%s\","
			 "\"format\":\"h5\",\"size\":1,\"sha256\":\"" SUM
			 "\"}]}",
			 paths[i]);
		assert_fails(manifest_parse(text, strlen(text), &read, &err),
			     &err, WH_ECORRUPT, "can't be");
	}
}

static void what_is_no_manifest_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"snapshot\":\"12\"}",
		"{\"snapshot\":\"" ID "\",\"tree\":\"" TREE
		"\",\"time\":\"t\",\"files\":{}}",
		"{\"snapshot\":\"" ID "\",\"tree\":\"" TREE
		"\",\"time\":\"t\",\"files\":[{\"path\":\"a\",\"format\":"
		"\"h5\","
		"\"size\":-1,\"sha256\":\"" SUM "\"}]}",
	};
	struct manifest read;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(
			manifest_parse(texts[i], strlen(texts[i]), &read, &err),
			&err, WH_ECORRUPT, "manifest");
}

static void a_pointer_reads_back(void **state)
{
	struct pointer pointer = {ID, SUM, "v/" ID "/MANIFEST.json", "t"};
	struct wh_buf text wh_buf_auto = {0};
	struct pointer read;
	struct wh_error err;

	(void)state;
	assert_ok(pointer_print(&pointer, &text, &err), &err);
	assert_ok(pointer_parse(text.data, text.size, &read, &err), &err);
	assert_string_equal(read.manifest, pointer.manifest);
	assert_string_equal(read.sha256, SUM);
	assert_fails(pointer_parse("{}", 2, &read, &err), &err, WH_ECORRUPT,
		     "pointer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_reads_back),
		cmocka_unit_test(step_and_epoch_are_there_where_there_is_one),
		cmocka_unit_test(a_manifest_that_leaves_its_folder_is_refused),
		cmocka_unit_test(what_is_no_manifest_is_refused),
		cmocka_unit_test(a_pointer_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
