/* Every golden checkpoint: its manifest is what TensorFlow says, its template
 * gives the files back, and where TensorFlow wrote it by default, the planner
 * makes the very bytes from values, names and graph alone. */
#include "support/assert.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/json.h"
#include "tf/tf.h"

static char names[256][256];
static size_t n_names;

static void list_cases(void)
{
	DIR *folder = opendir(GOLDEN "/tf");
	struct dirent *at;
	struct stat found;
	char path[800];

	while (folder && (at = readdir(folder))) {
		snprintf(path, sizeof(path), GOLDEN "/tf/%s/truth.json",
			 at->d_name);
		if (stat(path, &found) == 0 && n_names < 256)
			snprintf(names[n_names++], sizeof(names[0]), "%s",
				 at->d_name);
	}
	if (folder)
		closedir(folder);
}

struct golden {
	json_t *truth;
	struct wh_source *source;
	char prefix[800];
	struct wh_error err;
};

static void open_case(struct golden *g, const char *name)
{
	char path[800];
	json_error_t error;

	snprintf(path, sizeof(path), GOLDEN "/tf/%s/truth.json", name);
	g->truth = json_load_file(path, 0, &error);
	if (!g->truth)
		fail_msg("%s: %s", path, error.text);
	snprintf(g->prefix, sizeof(g->prefix), GOLDEN "/tf/%s/%s", name,
		 json_string_value(json_object_get(g->truth, "prefix")));
	print_message("%s\n", name);
	assert_ok(tf_load(g->prefix, NULL, &g->source, &g->err), &g->err);
}

static void close_case(struct golden *g)
{
	wh_source_close(g->source);
	json_decref(g->truth);
}

static void manifests_are_what_tensorflow_says(void **state)
{
	size_t i, k;

	(void)state;
	assert_true(n_names >= 20);
	for (i = 0; i < n_names; i++) {
		struct golden g = {0};
		const json_t *keys;
		uint32_t listed = 0;

		open_case(&g, names[i]);
		assert_ok(wh_source_weigh(g.source, WH_SHA256 | WH_CRC32C, 1,
					  NULL, NULL, &g.err),
			  &g.err);
		keys = json_object_get(g.truth, "keys");
		for (k = 0; k < json_array_size(keys); k++) {
			const json_t *row = json_array_get(keys, k);
			const char *key =
				json_string_value(json_object_get(row, "key"));
			uint32_t index;

			if (strcmp(key, "_CHECKPOINTABLE_OBJECT_GRAPH") == 0)
				continue;
			listed++;
			assert_ok(wh_manifest_find(&g.source->manifest, key,
						   &index, &g.err),
				  &g.err);
			assert_tensor_is(&g.source->manifest.tensors[index],
					 row);
		}
		assert_int_equal(g.source->manifest.n_tensors, listed);
		close_case(&g);
	}
}

static void assert_image_is_file(struct wh_plan *plan, uint32_t image,
				 const char *prefix)
{
	const struct wh_image *at = wh_plan_image(plan, image);
	uint8_t *planned = malloc(at->size + 1);
	uint8_t *written = malloc(at->size + 1);
	struct wh_error err;
	char path[900];
	FILE *file;
	size_t k;

	snprintf(path, sizeof(path), "%s%s", prefix, at->suffix);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is not there", path);
	k = fread(written, 1, at->size + 1, file);
	if (k != at->size)
		fail_msg("%s: %zu bytes are planned, not its size", path,
			 (size_t)at->size);
	fclose(file);
	assert_ok(wh_plan_read(plan, image, 0, planned, at->size, &err), &err);
	for (k = 0; k < at->size; k++)
		if (planned[k] != written[k])
			fail_msg("%s differs at byte %zu", path, k);
	free(planned);
	free(written);
}

static void canonical_files_are_made_byte_for_byte(void **state)
{
	struct wh_plan_options options = {0};
	size_t i, made = 0;

	(void)state;
	for (i = 0; i < n_names; i++) {
		struct golden g = {0};
		struct wh_plan *plan;
		uint32_t k;

		open_case(&g, names[i]);
		if (json_is_true(json_object_get(g.truth, "canonical"))) {
			assert_ok(tf_plan(g.source, &options, &plan, &g.err),
				  &g.err);
			for (k = 0; k < wh_plan_n_images(plan); k++)
				assert_image_is_file(plan, k, g.prefix);
			wh_plan_free(plan);
			made++;
		}
		close_case(&g);
	}
	assert_true(made >= 20);
}

static void templates_give_the_files_back(void **state)
{
	size_t i, without = 0;

	(void)state;
	for (i = 0; i < n_names; i++) {
		const struct wh_template *t;
		struct golden g = {0};
		struct wh_plan *plan;
		uint32_t k, e;

		open_case(&g, names[i]);
		t = g.source->manifest.template_;
		/* Slices along several dimensions: said, and not given back. */
		if (!t) {
			assert_int_equal(g.source->manifest.n_warnings, 1);
			close_case(&g);
			without++;
			continue;
		}
		assert_ok(wh_plan_new(g.source, &plan, &g.err), &g.err);
		for (k = 0; k < t->n_files; k++) {
			struct wh_image *image;

			assert_ok(wh_plan_add_image(plan, t->files[k].suffix,
						    false, &image, &g.err),
				  &g.err);
			for (e = 0; e < t->files[k].n_extents; e++)
				assert_ok(
					wh_image_extent(image,
							&t->files[k].extents[e],
							&g.err),
					&g.err);
			assert_image_is_file(plan, k, g.prefix);
		}
		wh_plan_free(plan);
		close_case(&g);
	}
	assert_in_range(without, 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_are_what_tensorflow_says),
		cmocka_unit_test(canonical_files_are_made_byte_for_byte),
		cmocka_unit_test(templates_give_the_files_back),
	};

	list_cases();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
