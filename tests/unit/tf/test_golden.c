/* Every golden checkpoint: its manifest is what TensorFlow says, its template
 * gives the files back, and where TensorFlow wrote it by default, the planner
 * makes the very bytes from values, names and graph alone. */
#include "support/assert.h"

#include "support/golden.h"
#include "support/json.h"
#include "tf/tf.h"

static struct golden_names names;

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
	assert_true(names.n >= 20);
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		const json_t *keys;
		uint32_t listed = 0;

		open_case(&g, names.list[i]);
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

static void canonical_files_are_made_byte_for_byte(void **state)
{
	struct wh_plan_options options = {0};
	size_t i, made = 0;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		struct wh_plan *plan;
		uint32_t k;

		open_case(&g, names.list[i]);
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
	size_t i;

	(void)state;
	for (i = 0; i < names.n; i++) {
		const struct wh_template *t;
		struct golden g = {0};

		open_case(&g, names.list[i]);
		t = g.source->manifest.template_;
		assert_non_null(t);
		assert_template_is_files(g.source, g.prefix);
		close_case(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_are_what_tensorflow_says),
		cmocka_unit_test(canonical_files_are_made_byte_for_byte),
		cmocka_unit_test(templates_give_the_files_back),
	};

	golden_list(&names, GOLDEN "/tf", "/truth.json");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
