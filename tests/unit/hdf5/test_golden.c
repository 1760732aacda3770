/* Every golden HDF5 file: its manifest is what h5py says, its template gives
 * the file back, and where Keras wrote it by save_weights, the planner makes
 * the very bytes from values and names alone. */
#include "support/assert.h"

#include "core/manifest.h"
#include "hdf5/attribute_write.h"
#include "hdf5/load.h"
#include "hdf5/plan.h"
#include "support/golden.h"
#include "support/json.h"

static struct golden_names names;

struct golden {
	json_t *truth;
	struct wh_source *source;
	char path[800];
	struct wh_error err;
};

static void open_case(struct golden *g, const char *name)
{
	static const struct wh_load_options options;
	char path[800];
	json_error_t error;

	snprintf(path, sizeof(path), GOLDEN "/h5/%s.json", name);
	g->truth = json_load_file(path, 0, &error);
	if (!g->truth)
		fail_msg("%s: %s", path, error.text);
	snprintf(g->path, sizeof(g->path), GOLDEN "/h5/%s.h5", name);
	print_message("%s\n", name);
	assert_ok(h5_load(g->path, &options, &g->source, &g->err), &g->err);
}

static void close_case(struct golden *g)
{
	wh_source_close(g->source);
	json_decref(g->truth);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* What the truth lists next is this variable of this layer. */
static void assert_variable_is(const struct golden *g, size_t at,
			       const struct wh_layer *layer,
			       const struct wh_variable *variable)
{
	const json_t *row =
		json_array_get(json_object_get(g->truth, "tensors"), at);
	const char *group = layer->kind == WH_LAYER_MODEL
				    ? "top_level_model_weights"
				    : layer->name;

	assert_non_null(row);
	assert_string_equal(group, text_of(row, "layer"));
	assert_string_equal(variable->name, text_of(row, "name"));
	assert_tensor_is(&g->source->manifest.tensors[variable->tensor], row);
}

static void assert_layers_are(const struct golden *g)
{
	const struct wh_manifest *manifest = &g->source->manifest;
	const json_t *listed = json_object_get(g->truth, "layer_names");
	size_t n_tensors = 0, n_layers = 0;
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		if (layer->kind == WH_LAYER)
			assert_string_equal(layer->name,
					    json_string_value(json_array_get(
						    listed, n_layers++)));
		for (k = 0; k < layer->n_variables; k++)
			assert_variable_is(g, n_tensors++, layer,
					   &layer->variables[k]);
	}
	assert_int_equal(n_layers, json_array_size(listed));
	assert_int_equal(n_tensors,
			 json_array_size(json_object_get(g->truth, "tensors")));
	assert_int_equal(n_tensors, manifest->n_tensors);
}

/* Beside the weights: on the root, or in a full model's group. */
static void assert_attribute_is(const struct golden *g, const char *key)
{
	const struct wh_manifest *manifest = &g->source->manifest;
	bool full = manifest_attribute(manifest, "", "model_config");
	const struct wh_attribute *found =
		manifest_attribute(manifest, full ? "model_weights" : "", key);
	const char *wanted = text_of(g->truth, key);

	if (!wanted) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found->text, wanted);
}

static void manifests_are_what_h5py_says(void **state)
{
	size_t i;

	(void)state;
	assert_true(names.n >= 40);
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};

		open_case(&g, names.list[i]);
		assert_ok(wh_source_weigh(g.source, WH_SHA256, 1, NULL, NULL,
					  &g.err),
			  &g.err);
		assert_layers_are(&g);
		assert_attribute_is(&g, "keras_version");
		assert_attribute_is(&g, "backend");
		close_case(&g);
	}
}

static void keras_files_are_made_byte_for_byte(void **state)
{
	static const struct wh_plan_options options;
	size_t i, made = 0;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		struct wh_plan *plan;

		open_case(&g, names.list[i]);
		if (json_is_true(json_object_get(g.truth, "canonical"))) {
			assert_ok(h5_plan(g.source, &options, &plan, &g.err),
				  &g.err);
			assert_int_equal(wh_plan_n_images(plan), 1);
			assert_image_is_file(plan, 0, g.path);
			wh_plan_free(plan);
			made++;
		}
		close_case(&g);
	}
	assert_true(made >= 27);
}

/* Chunks, and values in a header, don't lie flat: they can't be given back. */
static bool is_packed(const char *name)
{
	return strcmp(name, "h5py-filters") == 0 ||
	       strcmp(name, "h5py-chunked") == 0 ||
	       strcmp(name, "h5py-compact") == 0;
}

static void templates_give_the_files_back(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};

		open_case(&g, names.list[i]);
		if (is_packed(names.list[i])) {
			assert_null(g.source->manifest.template_);
			assert_int_equal(g.source->manifest.n_warnings, 1);
		} else {
			assert_non_null(g.source->manifest.template_);
			assert_template_is_files(g.source, g.path);
		}
		close_case(&g);
	}
}

/* From byte `from` on: one, parts of elements, more than an element, the rest.
 */
static void assert_ranges_are(struct golden *g, uint32_t tensor, uint64_t from,
			      const uint8_t *whole, size_t size)
{
	const size_t lengths[] = {1, 3, 9, 17, size - (size_t)from};
	uint8_t *got = malloc(size);
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i];

		if (from + len > size)
			continue;
		assert_ok(wh_source_read(g->source, tensor, from, got, len,
					 &g->err),
			  &g->err);
		assert_memory_equal(got, whole + from, len);
	}
	free(got);
}

/* Whatever lies flat, is swapped, or is unpacked. */
static void any_range_is_that_of_the_whole(void **state)
{
	const uint64_t most = 200; /* bytes of a tensor that are begun at */
	size_t i;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		uint32_t k;

		open_case(&g, names.list[i]);
		for (k = 0; k < g.source->manifest.n_tensors; k++) {
			uint64_t from, n = g.source->manifest.tensors[k].nbytes;
			uint8_t *whole = malloc((size_t)n + 1);

			assert_ok(wh_source_read(g.source, k, 0, whole,
						 (size_t)n, &g.err),
				  &g.err);
			for (from = 0; from < n && from < most; from++)
				assert_ranges_are(&g, k, from, whole,
						  (size_t)n);
			free(whole);
		}
		close_case(&g);
	}
}

/* Measured with the real writer: rows x longest against 64512 bytes, and what
 * an object header's message holds where Keras itself fails. */
static void lists_are_split_where_keras_splits_them(void **state)
{
	static const struct {
		uint32_t n;
		size_t longest;
		uint32_t parts;
	} rows[] = {
		{1, 1, 1},     {901, 179, 3}, {360, 193, 2}, {3225, 20, 1},
		{3226, 20, 2}, {1, 64512, 1}, {2, 32256, 1}, {2, 32257, 2},
		{3, 22000, 2}, {3, 64512, 3}, {4091, 5, 1},  {4092, 5, 2},
		{12902, 5, 2}, {12903, 5, 2},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(h5_names_parts("layer_names", rows[i].n,
						rows[i].longest),
				 rows[i].parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_are_what_h5py_says),
		cmocka_unit_test(keras_files_are_made_byte_for_byte),
		cmocka_unit_test(templates_give_the_files_back),
		cmocka_unit_test(any_range_is_that_of_the_whole),
		cmocka_unit_test(lists_are_split_where_keras_splits_them),
	};

	golden_list(&names, GOLDEN "/h5", ".json");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
