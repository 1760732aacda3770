/* Every golden file: its manifest is what safetensors says, what save_file
 * wrote is planned byte for byte, all else comes back from its template. */
#include "support/flat.h"

static const char *const tails[] = {".safetensors",
				    "/model.safetensors.index.json", NULL};

static void manifests_are_what_safetensors_says(void **state)
{
	(void)state;
	assert_true(flat_each(GOLDEN "/safetensors", tails,
			      flat_check_manifest) >= 9);
}

static void files_are_given_back_byte_for_byte(void **state)
{
	(void)state;
	flat_each(GOLDEN "/safetensors", tails, flat_check_bytes);
}

static void metadata_are_attributes(void **state)
{
	static const char path[] = GOLDEN "/safetensors/metadata.safetensors";
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_ok(wh_checkpoint_open(path, "safetensors", NULL, &source, &err),
		  &err);
	assert_int_equal(source->manifest.n_attributes, 1);
	assert_string_equal(source->manifest.attributes->path, "__metadata__");
	assert_string_equal(source->manifest.attributes->key, "format");
	assert_string_equal(source->manifest.attributes->text, "pt");
	wh_source_close(source);
}

static void a_layer_is_what_precedes_the_last_point(void **state)
{
	static const char path[] = GOLDEN "/safetensors/names.safetensors";
	const struct wh_layer *layer;
	const struct wh_variable *variable;
	struct wh_source *source;
	struct wh_error err;
	uint32_t index;

	(void)state;
	assert_ok(wh_checkpoint_open(path, NULL, NULL, &source, &err), &err);
	assert_ok(wh_manifest_find(&source->manifest, "model.layers.0.weight",
				   &index, &err),
		  &err);
	assert_true(
		wh_manifest_owner(&source->manifest, index, &layer, &variable));
	assert_string_equal(layer->name, "model.layers.0");
	assert_string_equal(variable->object_path, "weight");
	assert_ok(wh_manifest_find(&source->manifest, ".", &index, &err), &err);
	assert_true(
		wh_manifest_owner(&source->manifest, index, &layer, &variable));
	assert_int_equal(layer->kind, WH_LAYER_MODEL);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_are_what_safetensors_says),
		cmocka_unit_test(files_are_given_back_byte_for_byte),
		cmocka_unit_test(metadata_are_attributes),
		cmocka_unit_test(a_layer_is_what_precedes_the_last_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
