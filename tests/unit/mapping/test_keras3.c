#include "unit/mapping/model.h"

#include <malloc.h>

#include "mapping/keras3.h"
#include "mapping/keras3_places.h"
#include "mapping/keras3_slots.h"

static void slots_are_the_classes_in_snake_case(void **state)
{
	static const struct {
		const char *class_name, *keras3, *keras2;
	} rows[] = {
		{"Dense", "dense", "dense"},
		{"Conv2DTranspose", "conv2d_transpose", "conv2d_transpose"},
		{"ConvLSTM2D", "conv_lstm2d", "conv_lstm2d"},
		{"LSTM", "lstm", "lstm"},
		{"LSTMCell", "lstm_cell", "lstm_cell"},
		{"PReLU", "p_re_lu", "p_re_lu"},
		{"ReLU", "re_lu", "re_lu"},
		{"ELU", "elu", "elu"},
		{"GlobalMaxPooling2D", "global_max_pooling2d",
		 "global_max_pooling2d"},
		{"StackedRNNCells", "stacked_rnn_cells", "stacked_rnn_cells"},
		{"RMSNormalization", "rms_normalization", "rms_normalization"},
		{"TFOpLambda", "tf_op_lambda", "tf_op_lambda"},
		{"_Private", "__private", "private__private"},
		{"my_package>Mine", "mine", "mine"},
	};
	struct arena arena = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(
			slot_of_class(rows[i].class_name, false, &arena),
			rows[i].keras3);
		assert_string_equal(
			slot_of_class(rows[i].class_name, true, &arena),
			rows[i].keras2);
	}
	arena_free(&arena);
}

static void a_slot_says_its_class(void **state)
{
	(void)state;
	assert_string_equal(class_of_slot("dense"), "Dense");
	assert_string_equal(class_of_slot("dense_12"), "Dense");
	assert_string_equal(class_of_slot("conv2d_transpose_1"),
			    "Conv2DTranspose");
	assert_string_equal(class_of_slot("p_re_lu"), "PReLU");
	assert_null(class_of_slot("densely"));
	assert_null(class_of_slot("dense_"));
	assert_null(class_of_slot(""));
	assert_int_equal(slot_stem("conv2d_10"), 6);
	assert_int_equal(slot_stem("dense_0"), 7); /* not a number of Keras's */
}

static void a_class_says_its_variables(void **state)
{
	struct config_layer no_scale = {.centers = true};
	struct config_layer concat = {.concatenates = true};

	(void)state;
	assert_string_equal(leaf_of_value("Dense", NULL, 0, 1), "kernel");
	assert_string_equal(leaf_of_value("Dense", NULL, 1, 2), "bias");
	assert_null(leaf_of_value("Dense", NULL, 0, 3)); /* quantized */
	assert_string_equal(leaf_of_value("SeparableConv2D", NULL, 1, 2),
			    "pointwise_kernel");
	assert_string_equal(leaf_of_value("BatchNormalization", NULL, 3, 4),
			    "moving_variance");
	assert_string_equal(leaf_of_value("BatchNormalization", NULL, 0, 2),
			    "moving_mean");
	/* gamma or beta? */
	assert_null(leaf_of_value("BatchNormalization", NULL, 0, 3));
	assert_string_equal(
		leaf_of_value("BatchNormalization", &no_scale, 0, 3), "beta");
	assert_null(leaf_of_value("LayerNormalization", NULL, 0, 1));
	/* A scale, or what score_mode="concat" has? */
	assert_null(leaf_of_value("Attention", NULL, 0, 1));
	assert_string_equal(leaf_of_value("Attention", &concat, 0, 1),
			    "concat_score_weight");
	assert_string_equal(leaf_of_value("Attention", NULL, 0, 2), "scale");
	assert_string_equal(leaf_of_value("AdditiveAttention", NULL, 0, 1),
			    "scale");
	assert_null(leaf_of_value("Mine", NULL, 0, 1));
	assert_null(leaf_of_value(NULL, NULL, 0, 1));
}

/* A file whose layers are these slots, each with one variable. */
static struct wh_manifest *make_file(struct model *model,
				     const char *const *slots, size_t n,
				     uint64_t size)
{
	size_t i;

	model_begin(model);
	for (i = 0; i < n; i++) {
		struct wh_variable variable = {0};

		model_layer(model, slots[i]);
		variable.name = variable.keras3_path = arena_printf(
			&model->arena, "layers/%s/vars/0", slots[i]);
		model_variable(model, variable, size ? size : i + 1);
	}
	return model_finish(model, "keras3");
}

static enum wh_status check_order(struct model *model,
				  const struct wh_manifest *manifest,
				  const char *config)
{
	struct keras3_names names = {0};

	assert_ok(keras3_names_find(manifest, config, &model->arena, &names,
				    &model->err),
		  &model->err);
	return keras3_check_order(manifest, &names, NULL, &model->err);
}

#define TWO_CONFIG                                                             \
	"{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": " \
	"{\"name\": \"s\", \"layers\": [{\"class_name\": \"EinsumDense\", "    \
	"\"config\": {\"name\": \"e\", \"trainable\": true}}, "                \
	"{\"class_name\": \"Dense\", "                                         \
	"\"config\": {\"name\": \"d\", \"trainable\": true}}]}}"

/* As after h5repack: the model may have had them in any order. */
static void layers_in_the_order_of_names_are_not_told_apart(void **state)
{
	static const char *const sorted[] = {"dense", "einsum_dense"};
	static const char *const made[] = {"einsum_dense", "dense"};
	static const char *const one_class[] = {"dense", "dense_1", "dense_2"};
	struct model model;

	(void)state;
	assert_fails(check_order(&model, make_file(&model, sorted, 2, 3), NULL),
		     &model.err, WH_EUNSUPPORTED, "'dense' and 'einsum_dense'");
	assert_ok(check_order(&model, &model.manifest, TWO_CONFIG), &model.err);
	model_end(&model);
	assert_ok(check_order(&model, make_file(&model, made, 2, 3), NULL),
		  &model.err);
	model_end(&model);
	assert_ok(check_order(&model, make_file(&model, sorted, 2, 0), NULL),
		  &model.err);
	model_end(&model);
	assert_ok(check_order(&model, make_file(&model, one_class, 3, 3), NULL),
		  &model.err);
	model_end(&model);
}

/* A layer may be called like the slot of another. */
static void configurations_are_matched_by_slot(void **state)
{
	static const char config[] =
		"{\"module\": \"keras\", \"class_name\": \"Sequential\", "
		"\"config\": {\"name\": \"s\", \"layers\": ["
		"{\"class_name\": \"Dense\", \"config\": {\"name\": "
		"\"dense_1\", \"trainable\": true}},"
		"{\"class_name\": \"Dense\", \"config\": {\"name\": "
		"\"dense\", \"trainable\": true}}]}}";
	static const char *const slots[] = {"dense", "dense_1"};
	struct keras3_names names = {0};
	struct model model;
	const struct wh_manifest *manifest = make_file(&model, slots, 2, 3);

	(void)state;
	assert_ok(keras3_names_find(manifest, config, &model.arena, &names,
				    &model.err),
		  &model.err);
	assert_string_equal(names.full_names[0], "dense_1/kernel");
	assert_string_equal(names.full_names[1], "dense/kernel");
	assert_string_equal(names.config[0]->name, "dense_1");
	assert_fails(keras3_names_find(manifest, TWO_CONFIG, &model.arena,
				       &names, &model.err),
		     &model.err, WH_EINVAL, "of another model");
	model_end(&model);
}

/* `x + y` is of the class Add, too, and no layer. */
static void a_call_of_a_function_takes_no_slot(void **state)
{
	struct config_layer children[] = {
		{.class_name = "Dense"},
		{.class_name = "Add", .is_operation = true},
		{.class_name = "Add"},
		{.class_name = "Add"}};
	struct config_layer functional = {
		.kind = CONFIG_MODEL, .children = children, .n_children = 4};
	struct arena arena = {0};
	struct wh_error err = {0};
	const char **slots;

	(void)state;
	assert_ok(slots_of_model(&functional, &arena, &slots, &err), &err);
	assert_string_equal(slots[0], "dense");
	assert_string_equal(slots[1], "");
	assert_string_equal(slots[2], "add");
	assert_string_equal(slots[3], "add_1");
	arena_free(&arena);
}

#define N_MEMBERS 1000u

/* One after the other they took memory by the square of their number. */
static void members_of_a_nested_model_take_no_memory_each(void **state)
{
	const char *config;
	struct keras3_objects objects = {0};
	struct keras3_places places = {0};
	const struct config_layer *model;
	struct wh_error err = {0};
	struct arena arena = {0};
	size_t before = mallinfo2().uordblks;
	char *text = malloc(N_MEMBERS * 80u), *at = text;
	uint32_t i, index;

	(void)state;
	assert_non_null(text);
	assert_ok(keras3_object_add(&objects, "layers/functional", "f", &arena,
				    &index, &err),
		  &err);
	for (i = 0; i < N_MEMBERS; i++) {
		struct keras3_value value = {.key = "0", .tensor = i};
		const char *path = arena_printf(
			&arena, "layers/functional/layers/dense%s%.0u",
			i ? "_" : "", i);

		at += sprintf(at,
			      "%s{\"class_name\": \"Dense\", \"config\": "
			      "{\"name\": \"d%u\"}}",
			      i ? "," : "", i);
		assert_ok(keras3_object_add(&objects, path, "d", &arena, &index,
					    &err),
			  &err);
		assert_ok(keras3_value_add(&objects.list[index], &value, &arena,
					   &err),
			  &err);
	}
	config = arena_printf(
		&arena,
		"{\"class_name\": \"Sequential\", \"config\": {\"name\": "
		"\"s\", \"layers\": [{\"class_name\": \"Functional\", "
		"\"config\": {\"name\": \"f\", \"layers\": [%s]}}]}}",
		text);
	free(text);
	assert_ok(config_parse(config, &arena, &model, &err), &err);
	assert_ok(keras3_places_find(&objects, model, &arena, &places, &err),
		  &err);
	assert_string_equal(places.of[N_MEMBERS].path,
			    "layer_with_weights-999");
	assert_true(mallinfo2().uordblks - before < (size_t)4 << 20);
	keras3_places_free(&places);
	arena_free(&arena);
}

/* As a description beside arrays may say it. */
static void what_is_no_place_is_refused(void **state)
{
	static const char *const paths[] = {"", "x", "dense/kernel", "var/0"};
	struct mapping_hints hints = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct mapping_objects objects = {0};
		struct model model;

		model_begin(&model);
		model_layer(&model, "fc1");
		model_variable(&model,
			       (struct wh_variable){.name = "w",
						    .keras3_path = paths[i]},
			       3);
		model_finish(&model, "keras3");
		assert_fails(mapping_objects(&model.manifest, &hints,
					     &model.arena, &objects,
					     &model.err),
			     &model.err, WH_EUNSUPPORTED, "has no place");
		model_end(&model);
	}
}

static void without_a_class_there_is_no_slot(void **state)
{
	struct mapping_objects objects = {0};
	struct mapping_hints hints = {0};
	struct model model;
	const struct wh_manifest *manifest;

	(void)state;
	model_begin(&model);
	model_layer(&model, "fc1");
	model_weight(&model, "fc1/kernel:0");
	manifest = model_finish(&model, "h5");
	assert_fails(mapping_objects(manifest, &hints, &model.arena, &objects,
				     &model.err),
		     &model.err, WH_EUNSUPPORTED,
		     "layer 'fc1': its class is not known");
	model.manifest.layers[0].class_name = "Dense";
	assert_ok(mapping_objects(manifest, &hints, &model.arena, &objects,
				  &model.err),
		  &model.err);
	assert_int_equal(objects.objects.n, 2);
	assert_string_equal(objects.objects.list[1].path, "layers/dense");
	assert_string_equal(objects.objects.list[1].name, "fc1");
	assert_string_equal(objects.objects.list[1].values[0].key, "0");
	model_end(&model);
}

/* Keras 3's weights in Keras 2's layout: the numbers are the order. */
static void numbered_values_go_by_their_numbers(void **state)
{
	struct mapping_objects objects = {0};
	const struct mapping_hints hints = {0};
	const struct keras3_object *object;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "fc1");
	model_weight(&model, "fc1/vars/10:0");
	model_weight(&model, "fc1/vars/2:0");
	model_finish(&model, "h5");
	model.manifest.layers[0].class_name = "Mine";
	assert_ok(mapping_objects(&model.manifest, &hints, &model.arena,
				  &objects, &model.err),
		  &model.err);
	object = &objects.objects.list[1];
	assert_string_equal(object->path, "layers/mine");
	assert_int_equal(object->n_values, 2);
	assert_string_equal(object->values[0].key, "0");
	assert_int_equal(object->values[0].tensor, 1);
	assert_int_equal(object->values[1].tensor, 0);
	model_end(&model);
}

static void a_list_inside_a_layer_has_no_place(void **state)
{
	static const char *const paths[] = {"blocks/0/kernel",
					    "layer_with_weights-0/kernel",
					    "inner/layer-2/kernel"};
	const struct mapping_hints hints = {0};
	struct mapping_objects objects = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct model model;

		model_begin(&model);
		model_layer(&model, "fc1");
		model_variable(&model,
			       (struct wh_variable){.name = paths[i],
						    .object_path = paths[i]},
			       3);
		model_finish(&model, "tf");
		model.manifest.layers[0].class_name = "Mine";
		assert_fails(mapping_objects(&model.manifest, &hints,
					     &model.arena, &objects,
					     &model.err),
			     &model.err, WH_EUNSUPPORTED,
			     "of which it is not known how Keras 3 names it");
		model_end(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_the_classes_in_snake_case),
		cmocka_unit_test(a_slot_says_its_class),
		cmocka_unit_test(a_class_says_its_variables),
		cmocka_unit_test(
			layers_in_the_order_of_names_are_not_told_apart),
		cmocka_unit_test(configurations_are_matched_by_slot),
		cmocka_unit_test(a_call_of_a_function_takes_no_slot),
		cmocka_unit_test(members_of_a_nested_model_take_no_memory_each),
		cmocka_unit_test(what_is_no_place_is_refused),
		cmocka_unit_test(without_a_class_there_is_no_slot),
		cmocka_unit_test(numbered_values_go_by_their_numbers),
		cmocka_unit_test(a_list_inside_a_layer_has_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
