#include "support/assert.h"

#include "core/manifest.h"

struct fixture {
	struct arena arena;
	struct manifest_builder *builder;
	struct wh_error err;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	*state = &fixture;
	return manifest_builder_new(&fixture.arena, &fixture.builder,
				    &fixture.err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	manifest_builder_free(f->builder);
	arena_free(&f->arena);
	return 0;
}

static void add_vector(struct fixture *f, const char *key, uint32_t layer)
{
	const uint64_t shape[] = {3};
	struct wh_variable variable = {.name = key};

	assert_ok(manifest_add_tensor(f->builder, key, WH_FLOAT32, 1, shape, 12,
				      &variable.tensor, &f->err),
		  &f->err);
	assert_ok(manifest_add_variable(f->builder, layer, &variable, &f->err),
		  &f->err);
}

static void a_model_is_built_in_order(void **state)
{
	struct fixture *f = *state;
	struct wh_manifest manifest;
	uint32_t layer, index;
	char key[32];
	int i;

	assert_ok(manifest_add_layer(f->builder, "fc", "Dense", WH_LAYER,
				     WH_NO_LAYER, &layer, &f->err),
		  &f->err);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "fc/w%d", i);
		add_vector(f, key, layer);
	}
	assert_ok(manifest_finish(f->builder, &manifest, &f->err), &f->err);
	assert_int_equal(manifest.n_tensors, 1000);
	assert_int_equal(manifest.layers[0].n_variables, 1000);
	assert_ok(wh_manifest_find(&manifest, "fc/w777", &index, &f->err),
		  &f->err);
	assert_int_equal(index, 777);
	assert_fails(wh_manifest_find(&manifest, "fc/w7777", &index, &f->err),
		     &f->err, WH_ENOTFOUND, "did you mean 'fc/w777'?");
}

static void a_name_twice_is_refused(void **state)
{
	struct fixture *f = *state;
	uint32_t layer;

	assert_ok(manifest_add_layer(f->builder, "fc", NULL, WH_LAYER,
				     WH_NO_LAYER, &layer, &f->err),
		  &f->err);
	add_vector(f, "fc/w", layer);
	assert_fails(manifest_add_tensor(f->builder, "fc/w", WH_FLOAT32, 0,
					 NULL, 4, NULL, &f->err),
		     &f->err, WH_ECORRUPT, "'fc/w' is there twice");
}

static enum wh_status add_layers(struct fixture *f, enum wh_layer_kind kind,
				 uint32_t n)
{
	enum wh_status status = WH_OK;

	while (n-- && !status)
		status = manifest_add_layer(f->builder, "l", NULL, kind,
					    WH_NO_LAYER, NULL, &f->err);
	return status;
}

/* HDF5 always adds the model's own weights. */
static void what_is_beside_the_layers_is_not_counted_as_one(void **state)
{
	struct fixture *f = *state;
	struct wh_manifest manifest;

	assert_ok(add_layers(f, WH_LAYER, WH_MAX_LAYERS), &f->err);
	assert_ok(add_layers(f, WH_LAYER_MODEL, 1), &f->err);
	assert_ok(add_layers(f, WH_LAYER_OPTIMIZER, 1), &f->err);
	assert_ok(add_layers(f, WH_LAYER_STATE, 1), &f->err);
	assert_fails(add_layers(f, WH_LAYER, 1), &f->err, WH_ECORRUPT,
		     "more than 100000 layers");
	assert_fails(add_layers(f, WH_LAYER_STATE, 1), &f->err, WH_ECORRUPT,
		     "more than 3 layers beside the model's");
	assert_ok(manifest_finish(f->builder, &manifest, &f->err), &f->err);
	assert_int_equal(manifest.n_layers, WH_MAX_LAYERS + 3);
}

static void a_tensor_without_a_layer_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wh_manifest manifest;

	assert_ok(manifest_add_tensor(f->builder, "w", WH_INT8, 0, NULL, 1,
				      NULL, &f->err),
		  &f->err);
	assert_fails(manifest_finish(f->builder, &manifest, &f->err), &f->err,
		     WH_ECORRUPT, "belongs to no layer");
}

static void shapes_that_overflow_are_refused(void **state)
{
	struct fixture *f = *state;
	const uint64_t huge[] = {UINT64_C(1) << 33, UINT64_C(1) << 33};
	const uint64_t empty[] = {UINT64_C(1) << 60, UINT64_C(1) << 60, 0};

	assert_fails(tensor_check("w", WH_FLOAT32, 2, huge, 0, &f->err),
		     &f->err, WH_ECORRUPT, "overflows");
	assert_ok(tensor_check("w", WH_FLOAT32, 3, empty, 0, &f->err), &f->err);
	assert_fails(tensor_check("w", WH_FLOAT32, 0, NULL, 5, &f->err),
		     &f->err, WH_ECORRUPT, "not what its dtype");
	assert_fails(tensor_check("w", (enum wh_dtype)99, 0, NULL, 4, &f->err),
		     &f->err, WH_ECORRUPT, "no dtype 99");
}

static void names_that_are_no_utf8_are_refused_escaped(void **state)
{
	struct fixture *f = *state;

	assert_fails(manifest_add_tensor(f->builder, "w\xff", WH_INT8, 0, NULL,
					 1, NULL, &f->err),
		     &f->err, WH_ECORRUPT, "'w\\xff' is not valid UTF-8");
}

static void the_skeleton_is_hidden(void **state)
{
	struct fixture *f = *state;
	struct wh_manifest manifest;
	uint32_t layer, skeleton;

	assert_ok(manifest_add_layer(f->builder, "fc", NULL, WH_LAYER,
				     WH_NO_LAYER, &layer, &f->err),
		  &f->err);
	add_vector(f, "fc/w", layer);
	assert_ok(manifest_add_skeleton(f->builder, 100, &skeleton, &f->err),
		  &f->err);
	assert_ok(manifest_finish(f->builder, &manifest, &f->err), &f->err);
	assert_int_equal(manifest.n_tensors, 1);
	assert_int_equal(manifest.n_hidden, 1);
	assert_int_equal(skeleton, 1);
	assert_int_equal(manifest.tensors[skeleton].nbytes, 100);
}

#define with_builder(test)                                                     \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_builder(a_model_is_built_in_order),
		with_builder(a_name_twice_is_refused),
		with_builder(what_is_beside_the_layers_is_not_counted_as_one),
		with_builder(a_tensor_without_a_layer_is_refused),
		with_builder(shapes_that_overflow_are_refused),
		with_builder(names_that_are_no_utf8_are_refused_escaped),
		with_builder(the_skeleton_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
