/* FORMAT.md's table of layers, row by row: names of Keras 2's HDF5 files on
 * one side, object paths as TensorFlow 2.21 wrote them on the other. */
#include "unit/mapping/model.h"

struct row {
	const char *name, *path;
};

/* One layer with these weights gets these paths. */
static void check_layer(const char *layer, const struct row *rows)
{
	struct model model;
	const struct row *row;
	uint32_t i = 0;

	model_begin(&model);
	model_layer(&model, layer);
	for (row = rows; row->name; row++)
		model_weight(&model, row->name);
	model_finish(&model, "h5");
	assert_ok(mapping_paths_from_names(&model.manifest, &model.arena,
					   &model.err),
		  &model.err);
	for (row = rows; row->name; row++, i++) {
		const char *path =
			model.manifest.layers[0].variables[i].object_path;

		if (row->path)
			assert_string_equal(path ? path : "(undecided)",
					    row->path);
		else
			assert_null(path);
	}
	model_end(&model);
}

#define CHECK(layer, ...)                                                      \
	check_layer(layer, (const struct row[]){__VA_ARGS__, {0}})

/* The same weights make a graph, or are refused with `part` in the text. */
static void check_refused(const char *layer, const char *const *names,
			  const char *part)
{
	struct mapping_graph graph;
	struct model model;

	model_begin(&model);
	model_layer(&model, layer);
	for (; *names; names++)
		model_weight(&model, *names);
	model_finish(&model, "h5");
	assert_fails(mapping_graph(&model.manifest, NULL, &model.arena, &graph,
				   &model.err),
		     &model.err, WH_EUNSUPPORTED, part);
	assert_non_null(strstr(model.err.message, layer));
	model_end(&model);
}

#define REFUSED(part, layer, ...)                                              \
	check_refused(layer, (const char *const[]){__VA_ARGS__, NULL}, part)

static void dense_and_conv_have_kernel_and_bias(void **state)
{
	(void)state;
	CHECK("fc1", {"fc1/kernel:0", "kernel"}, {"fc1/bias:0", "bias"});
}

static void depthwise_conv_has_its_own_kernel(void **state)
{
	(void)state;
	CHECK("dw", {"dw/depthwise_kernel:0", "depthwise_kernel"},
	      {"dw/bias:0", "bias"});
}

static void separable_conv_has_two_kernels(void **state)
{
	(void)state;
	CHECK("s", {"s/depthwise_kernel:0", "depthwise_kernel"},
	      {"s/pointwise_kernel:0", "pointwise_kernel"},
	      {"s/bias:0", "bias"});
}

static void batch_normalization_has_four(void **state)
{
	(void)state;
	CHECK("bn", {"bn/gamma:0", "gamma"}, {"bn/beta:0", "beta"},
	      {"bn/moving_mean:0", "moving_mean"},
	      {"bn/moving_variance:0", "moving_variance"});
}

static void layer_normalization_has_two(void **state)
{
	(void)state;
	CHECK("ln", {"ln/gamma:0", "gamma"}, {"ln/beta:0", "beta"});
}

static void a_name_of_one_component_is_the_layers_own(void **state)
{
	(void)state;
	CHECK("norm", {"mean:0", "mean"}, {"variance:0", "variance"},
	      {"count:0", "count"});
}

static void embedding_prelu_and_attention_have_one(void **state)
{
	(void)state;
	CHECK("e", {"e/embeddings:0", "embeddings"});
	CHECK("p", {"p/alpha:0", "alpha"});
	CHECK("a", {"a/scale:0", "scale"});
}

static void what_holds_a_recurrent_kernel_is_the_cell(void **state)
{
	(void)state;
	CHECK("l", {"l/lstm_cell/kernel:0", "cell/kernel"},
	      {"l/lstm_cell/recurrent_kernel:0", "cell/recurrent_kernel"},
	      {"l/lstm_cell/bias:0", "cell/bias"});
	CHECK("rnn", {"rnn/c0/kernel:0", "cell/kernel"},
	      {"rnn/c0/recurrent_kernel:0", "cell/recurrent_kernel"});
	CHECK("g", {"g/gru_cell_1/kernel:0", "cell/kernel"},
	      {"g/gru_cell_1/recurrent_kernel:0", "cell/recurrent_kernel"});
}

static void conv_lstm_has_a_cell_without_a_name(void **state)
{
	(void)state;
	CHECK("cl", {"cl/kernel:0", "cell/kernel"},
	      {"cl/recurrent_kernel:0", "cell/recurrent_kernel"},
	      {"cl/bias:0", "cell/bias"});
}

static void an_rnn_of_one_listed_cell_has_a_stack(void **state)
{
	(void)state;
	CHECK("r",
	      {"r/stacked_rnn_cells_2/lstm_cell/kernel:0",
	       "cell/cells/0/kernel"},
	      {"r/stacked_rnn_cells_2/lstm_cell/recurrent_kernel:0",
	       "cell/cells/0/recurrent_kernel"});
}

static void an_rnn_of_several_cells_is_refused(void **state)
{
	(void)state;
	REFUSED("--model-config", "r", "r/stacked_rnn_cells/lstm_cell/kernel:0",
		"r/stacked_rnn_cells/lstm_cell/recurrent_kernel:0",
		"r/stacked_rnn_cells/gru_cell/kernel:0",
		"r/stacked_rnn_cells/gru_cell/recurrent_kernel:0");
}

static void bidirectional_has_a_layer_each_way(void **state)
{
	(void)state;
	CHECK("bi",
	      {"bi/forward_lstm/lstm_cell/kernel:0",
	       "forward_layer/cell/kernel"},
	      {"bi/forward_lstm/lstm_cell/recurrent_kernel:0",
	       "forward_layer/cell/recurrent_kernel"},
	      {"bi/backward_lstm/lstm_cell/kernel:0",
	       "backward_layer/cell/kernel"},
	      {"bi/backward_lstm/lstm_cell/recurrent_kernel:0",
	       "backward_layer/cell/recurrent_kernel"});
	CHECK("bc", {"bc/forward_c/kernel:0", "forward_layer/cell/kernel"},
	      {"bc/forward_c/recurrent_kernel:0",
	       "forward_layer/cell/recurrent_kernel"},
	      {"bc/backward_c/kernel:0", "backward_layer/cell/kernel"},
	      {"bc/backward_c/recurrent_kernel:0",
	       "backward_layer/cell/recurrent_kernel"});
}

static void a_frozen_direction_stands_last(void **state)
{
	(void)state;
	CHECK("bi",
	      {"bi/backward_l/lstm_cell/kernel:0",
	       "backward_layer/cell/kernel"},
	      {"bi/backward_l/lstm_cell/recurrent_kernel:0",
	       "backward_layer/cell/recurrent_kernel"},
	      {"bi/forward_l/lstm_cell/kernel:0", "forward_layer/cell/kernel"},
	      {"bi/forward_l/lstm_cell/recurrent_kernel:0",
	       "forward_layer/cell/recurrent_kernel"});
}

static void time_distributed_looks_like_what_it_wraps(void **state)
{
	(void)state;
	CHECK("td", {"td/kernel:0", "kernel"}, {"td/bias:0", "bias"});
}

static void multi_head_attention_has_four_dense_layers(void **state)
{
	(void)state;
	CHECK("m", {"m/query/kernel:0", "_query_dense/kernel"},
	      {"m/query/bias:0", "_query_dense/bias"},
	      {"m/key/kernel:0", "_key_dense/kernel"},
	      {"m/value/kernel:0", "_value_dense/kernel"},
	      {"m/attention_output/kernel:0", "_output_dense/kernel"});
}

static void the_whole_layer_name_is_stripped(void **state)
{
	(void)state;
	CHECK("blk/d1", {"blk/d1/kernel:0", "kernel"},
	      {"blk/d1/bias:0", "bias"});
}

static void keras_3_puts_the_model_in_front(void **state)
{
	(void)state;
	CHECK("hidden", {"seq/hidden/kernel", "kernel"},
	      {"seq/hidden/bias", "bias"});
}

static void a_nested_model_of_one_layer_is_decided(void **state)
{
	(void)state;
	CHECK("inner", {"d1/kernel:0", "layer_with_weights-0/kernel"},
	      {"d1/bias:0", "layer_with_weights-0/bias"});
}

static void a_nested_model_of_two_layers_is_refused(void **state)
{
	(void)state;
	CHECK("inner", {"d1/kernel:0", NULL}, {"d2/kernel:0", NULL});
	REFUSED("--model-config", "inner", "d1/kernel:0", "d2/kernel:0");
}

/* tf-keras writes a frozen layer's weights after all others: d1 is the first
 * layer of this model, and d1 and d2 have one shape. */
static void frozen_layers_of_one_shape_are_refused(void **state)
{
	(void)state;
	REFUSED("'d2/kernel:0' and 'd1/kernel:0'", "inner", "d2/kernel:0",
		"d1/kernel:0");
}

static void a_custom_layers_inner_layer_is_refused(void **state)
{
	(void)state;
	REFUSED("save_format='tf'", "c", "c/zz/kernel:0", "c/zz/bias:0");
}

static void a_bare_tf_variable_is_refused(void **state)
{
	(void)state;
	REFUSED("tf.Variable", "v", "v/Variable:0");
}

static void a_subclassed_model_is_refused(void **state)
{
	(void)state;
	REFUSED("save_format='tf'", "a_layer", "sm/a_layer/kernel:0",
		"sm/a_layer/bias:0");
	REFUSED("save_format='tf'", "cl", "sm/cl/kernel:0",
		"sm/cl/recurrent_kernel:0");
	REFUSED("save_format='tf'", "a_rnn", "sm/a_rnn/lstm_cell/kernel:0",
		"sm/a_rnn/lstm_cell/recurrent_kernel:0");
}

static void a_keras_1_name_is_refused(void **state)
{
	(void)state;
	REFUSED("Keras 1", "dense_1", "dense_1_W:0", "dense_1_b:0");
}

/* Within its layer's scope a name may begin like the layer. */
static void an_attribute_may_be_called_like_its_layer(void **state)
{
	(void)state;
	CHECK("attn", {"attn/attn_bias:0", "attn_bias"},
	      {"attn/attn_w:0", "attn_w"});
}

static void object_paths_stay_as_they_are(void **state)
{
	(void)state;
	CHECK("l", {"l/cell/cells/1/kernel:0", "cell/cells/1/kernel"},
	      {"l/cell/cells/0/kernel:0", "cell/cells/0/kernel"});
	CHECK("m", {"m/_query_dense/kernel:0", "_query_dense/kernel"},
	      {"m/_key_dense/kernel:0", "_key_dense/kernel"});
}

static void odd_names_do_no_harm(void **state)
{
	(void)state;
	CHECK("x", {"x/", NULL});
	REFUSED("x", "x", "x//kernel:0", "x//recurrent_kernel:0");
	REFUSED("x", "x", "x/a/b/c/d/e:0", "x/q:0");
	REFUSED("x", "x", "forward_/", "backward_/");
	REFUSED("x", "x", "x/kernel:0", "x/kernel:1");
	REFUSED("x", "x", "/", "//");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dense_and_conv_have_kernel_and_bias),
		cmocka_unit_test(depthwise_conv_has_its_own_kernel),
		cmocka_unit_test(separable_conv_has_two_kernels),
		cmocka_unit_test(batch_normalization_has_four),
		cmocka_unit_test(layer_normalization_has_two),
		cmocka_unit_test(a_name_of_one_component_is_the_layers_own),
		cmocka_unit_test(embedding_prelu_and_attention_have_one),
		cmocka_unit_test(what_holds_a_recurrent_kernel_is_the_cell),
		cmocka_unit_test(conv_lstm_has_a_cell_without_a_name),
		cmocka_unit_test(an_rnn_of_one_listed_cell_has_a_stack),
		cmocka_unit_test(an_rnn_of_several_cells_is_refused),
		cmocka_unit_test(bidirectional_has_a_layer_each_way),
		cmocka_unit_test(a_frozen_direction_stands_last),
		cmocka_unit_test(time_distributed_looks_like_what_it_wraps),
		cmocka_unit_test(multi_head_attention_has_four_dense_layers),
		cmocka_unit_test(the_whole_layer_name_is_stripped),
		cmocka_unit_test(keras_3_puts_the_model_in_front),
		cmocka_unit_test(a_nested_model_of_one_layer_is_decided),
		cmocka_unit_test(a_nested_model_of_two_layers_is_refused),
		cmocka_unit_test(frozen_layers_of_one_shape_are_refused),
		cmocka_unit_test(a_custom_layers_inner_layer_is_refused),
		cmocka_unit_test(a_bare_tf_variable_is_refused),
		cmocka_unit_test(a_subclassed_model_is_refused),
		cmocka_unit_test(a_keras_1_name_is_refused),
		cmocka_unit_test(an_attribute_may_be_called_like_its_layer),
		cmocka_unit_test(object_paths_stay_as_they_are),
		cmocka_unit_test(odd_names_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
