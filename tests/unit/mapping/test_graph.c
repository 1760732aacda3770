/* Graphs built from names, compared with what TensorFlow 2.21 wrote for the
 * same tf-keras models (node numbers, edges, keys). */
#include "unit/mapping/model.h"

static const char two_dense[] =
	"{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\","
	" \"layers\": ["
	"{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"in\"}},"
	"{\"class_name\": \"Dense\", \"config\": {\"name\": \"fc1\"}},"
	"{\"class_name\": \"Dense\", \"config\": {\"name\": \"fc2\"}}]}}";

static void begin_two_dense(struct model *model)
{
	model_begin(model);
	model_layer(model, "fc1");
	model_weight(model, "fc1/kernel:0");
	model_weight(model, "fc1/bias:0");
	model_layer(model, "fc2");
	model_weight(model, "fc2/kernel:0");
	model_weight(model, "fc2/bias:0");
}

static void make_graph(struct model *model, const char *config,
		       struct mapping_graph *graph)
{
	model_finish(model, "h5");
	assert_ok(mapping_graph(&model->manifest, config, &model->arena, graph,
				&model->err),
		  &model->err);
}

/* A node's edges as "name>node name>node". */
static const char *show_edges(struct model *model,
			      const struct mapping_graph *graph, uint32_t node)
{
	const struct wh_graph_node *at = &graph->graph.nodes[node];
	const char *text = "";
	uint32_t i;

	for (i = 0; i < at->n_edges; i++)
		text = arena_printf(&model->arena, "%s%s%s>%u", text,
				    i ? " " : "", at->edges[i].name,
				    at->edges[i].node);
	return text;
}

static void check_key(const struct mapping_graph *graph, uint32_t tensor,
		      const char *path)
{
	static const char suffix[] = "/.ATTRIBUTES/VARIABLE_VALUE";
	const char *key = graph->key_of[tensor];

	assert_non_null(key);
	assert_true(strlen(key) > strlen(suffix));
	assert_string_equal(key + strlen(key) - strlen(suffix), suffix);
	assert_int_equal(strlen(key) - strlen(suffix), strlen(path));
	assert_memory_equal(key, path, strlen(path));
}

static void a_sequential_has_tensorflows_own_graph(void **state)
{
	struct mapping_graph graph;
	struct model model;
	uint32_t i;

	(void)state;
	begin_two_dense(&model);
	make_graph(&model, two_dense, &graph);
	assert_int_equal(graph.graph.n_nodes, 7);
	assert_string_equal(show_edges(&model, &graph, 0),
			    "layer_with_weights-0>1 layer-0>1 "
			    "layer_with_weights-1>2 layer-1>2 root>0");
	assert_string_equal(show_edges(&model, &graph, 1), "kernel>3 bias>4");
	assert_string_equal(show_edges(&model, &graph, 2), "kernel>5 bias>6");
	check_key(&graph, 0, "layer_with_weights-0/kernel");
	check_key(&graph, 3, "layer_with_weights-1/bias");
	assert_string_equal(graph.graph.nodes[3].attributes[0].full_name,
			    "fc1/kernel");
	for (i = 0; i < 7; i++)
		assert_int_equal(graph.graph.nodes[i].has_values,
				 WH_HAS_VALUES_YES);
	assert_int_equal(graph.n_notes, 0);
	model_end(&model);
}

static void without_a_class_a_layer_may_be_wrapped(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_two_dense(&model);
	make_graph(&model, NULL, &graph);
	assert_int_equal(graph.graph.n_nodes, 9);
	assert_string_equal(show_edges(&model, &graph, 1),
			    "kernel>3 bias>4 layer>5 layer_with_weights-0>5");
	assert_string_equal(show_edges(&model, &graph, 5), "kernel>3 bias>4");
	check_key(&graph, 0, "layer_with_weights-0/kernel");
	assert_int_equal(graph.n_notes, 0);
	model_end(&model);
}

static void weightless_layers_are_counted(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "input_1");
	model_layer(&model, "fc");
	model_weight(&model, "fc/kernel:0");
	model_layer(&model, "dropout");
	make_graph(&model, NULL, &graph);
	assert_string_equal(show_edges(&model, &graph, 0),
			    "layer-0>1 layer_with_weights-0>2 layer-1>2 "
			    "layer-2>3 root>0");
	assert_int_equal(graph.graph.nodes[1].has_values, WH_HAS_VALUES_NO);
	assert_int_equal(graph.graph.nodes[2].has_values, WH_HAS_VALUES_YES);
	model_end(&model);
}

#define LAYER(class, name, more)                                               \
	"{\"class_name\": \"" class "\", \"config\": {\"name\": \"" name       \
				    "\"" more "}}"
#define MODEL(class, name, layers)                                             \
	"{\"class_name\": \"" class "\", \"config\": {\"name\": \"" name       \
				    "\", \"layers\": [" layers "]}}"

/* As tf-keras 2.21 writes it: d1 is frozen, so it comes after all others; d1
 * and d2 have one shape. */
static const char frozen[] = MODEL(
	"Functional", "m",
	LAYER("InputLayer", "in", "") "," MODEL(
		"Sequential", "inner",
		LAYER("InputLayer", "in2", "") "," LAYER(
			"Dense", "d1",
			", \"trainable\": false") "," LAYER("BatchNormalizatio"
							    "n",
							    "b1",
							    "") "," LAYER("Dens"
									  "e",
									  "d2",
									  "")));

static const char *const frozen_names[] = {
	"b1/gamma:0",  "b1/beta:0", "d2/kernel:0",	"d2/bias:0",
	"d1/kernel:0", "d1/bias:0", "b1/moving_mean:0", "b1/moving_variance:0"};

static void begin_frozen(struct model *model)
{
	size_t i;

	model_begin(model);
	model_layer(model, "in");
	model_layer(model, "inner");
	for (i = 0; i < 8; i++)
		model_weight(model, frozen_names[i]);
}

static void frozen_inner_layers_follow_the_configuration(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_frozen(&model);
	make_graph(&model, frozen, &graph);
	assert_string_equal(show_edges(&model, &graph, 2),
			    "layer_with_weights-0>3 layer-0>3 "
			    "layer_with_weights-1>4 layer-1>4 "
			    "layer_with_weights-2>5 layer-2>5");
	check_key(&graph, 0, "layer_with_weights-0/layer_with_weights-1/gamma");
	check_key(&graph, 2,
		  "layer_with_weights-0/layer_with_weights-2/kernel");
	check_key(&graph, 4,
		  "layer_with_weights-0/layer_with_weights-0/kernel");
	check_key(&graph, 7,
		  "layer_with_weights-0/layer_with_weights-1/moving_variance");
	model_end(&model);
}

static void the_files_own_configuration_serves_too(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_frozen(&model);
	model_attribute(&model, "model_config", frozen);
	make_graph(&model, NULL, &graph);
	check_key(&graph, 4,
		  "layer_with_weights-0/layer_with_weights-0/kernel");
	model_end(&model);
}

static void without_it_frozen_inner_layers_are_refused(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_frozen(&model);
	model_finish(&model, "h5");
	assert_fails(mapping_graph(&model.manifest, NULL, &model.arena, &graph,
				   &model.err),
		     &model.err, WH_EUNSUPPORTED,
		     "layer 'inner': weights 'b1/gamma:0' and 'd2/kernel:0'");
	assert_non_null(strstr(model.err.message, "--model-config FILE"));
	model_end(&model);
}

static void models_in_models_keep_their_depth(void **state)
{
	static const char config[] =
		MODEL("Sequential", "m",
		      MODEL("Sequential", "outer",
			    LAYER("Activation", "act", "") "," MODEL(
				    "Functional", "mid",
				    LAYER("InputLayer", "i", "") "," LAYER(
					    "Dense", "tower", ""))));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "outer");
	model_weight(&model, "tower/kernel:0");
	make_graph(&model, config, &graph);
	check_key(&graph, 0,
		  "layer_with_weights-0/layer_with_weights-0/"
		  "layer_with_weights-0/kernel");
	assert_string_equal(show_edges(&model, &graph, 1),
			    "layer-0>2 layer_with_weights-0>3 layer-1>3");
	model_end(&model);
}

static void time_distributed_is_known_by_its_configuration(void **state)
{
	static const char config[] = MODEL(
		"Sequential", "m",
		LAYER("TimeDistributed", "td",
		      ", \"layer\": " LAYER(
			      "Dense", "d",
			      "")) "," LAYER("TimeDistributed", "tm",
					     ", \"layer\": " MODEL(
						     "Sequential", "in",
						     LAYER("Dense", "q", ""))));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "td");
	model_weight(&model, "td/kernel:0");
	model_layer(&model, "tm");
	model_weight(&model, "q/kernel:0");
	make_graph(&model, config, &graph);
	check_key(&graph, 0, "layer_with_weights-0/layer/kernel");
	check_key(&graph, 1,
		  "layer_with_weights-1/layer/layer_with_weights-0/kernel");
	model_end(&model);
}

static void spectral_normalization_has_a_vector_of_its_own(void **state)
{
	static const char config[] =
		MODEL("Sequential", "m",
		      LAYER("SpectralNormalization", "sn",
			    ", \"layer\": " LAYER("Dense", "d", "")));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "sn");
	model_weight(&model, "sn/kernel:0");
	model_weight(&model, "sn/vector_u:0");
	make_graph(&model, config, &graph);
	check_key(&graph, 0, "layer_with_weights-0/layer/kernel");
	check_key(&graph, 1, "layer_with_weights-0/vector_u");
	model_end(&model);
}

static void what_another_wrapper_owns_is_not_known(void **state)
{
	static const char config[] =
		MODEL("Sequential", "m",
		      LAYER("WeightNormalization", "wn",
			    ", \"layer\": " LAYER("Dense", "d", "")));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "wn");
	model_weight(&model, "wn/kernel:0");
	model_weight(&model, "wn/g:0");
	model_finish(&model, "h5");
	assert_fails(mapping_graph(&model.manifest, config, &model.arena,
				   &graph, &model.err),
		     &model.err, WH_EUNSUPPORTED, "attribute");
	model_end(&model);
}

static void cells_find_their_place_by_name(void **state)
{
	static const char config[] = MODEL(
		"Sequential", "m",
		LAYER("RNN", "r",
		      ", \"cell\": " LAYER(
			      "StackedRNNCells", "stacked_rnn_cells",
			      ", \"cells\": [" LAYER(
				      "LSTMCell", "a",
				      "") "," LAYER("GRUCell", "b", "") "]")));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "r");
	model_weight(&model, "r/stacked_rnn_cells/b/kernel:0");
	model_weight(&model, "r/stacked_rnn_cells/b/recurrent_kernel:0");
	model_weight(&model, "r/stacked_rnn_cells/a/kernel:0");
	model_weight(&model, "r/stacked_rnn_cells/a/recurrent_kernel:0");
	make_graph(&model, config, &graph);
	check_key(&graph, 0, "layer_with_weights-0/cell/cells/1/kernel");
	check_key(&graph, 3,
		  "layer_with_weights-0/cell/cells/0/recurrent_kernel");
	model_end(&model);
}

static void a_weight_of_no_configured_layer_is_refused(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "in");
	model_layer(&model, "inner");
	model_weight(&model, "other/kernel:0");
	model_finish(&model, "h5");
	assert_fails(mapping_graph(&model.manifest, frozen, &model.arena,
				   &graph, &model.err),
		     &model.err, WH_EUNSUPPORTED, "'other/kernel:0'");
	model_end(&model);
}

static void an_inner_name_that_is_there_twice_is_refused(void **state)
{
	static const char config[] = MODEL(
		"Sequential", "m",
		MODEL("Sequential", "outer",
		      MODEL("Sequential", "a",
			    LAYER("Dense", "d",
				  "")) "," MODEL("Sequential", "b",
						 LAYER("Dense", "d", ""))));
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "outer");
	model_weight(&model, "d/kernel:0");
	model_finish(&model, "h5");
	assert_fails(mapping_graph(&model.manifest, config, &model.arena,
				   &graph, &model.err),
		     &model.err, WH_EUNSUPPORTED, "more than one layer");
	model_end(&model);
}

static void a_bad_configuration_is_named(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{\"config\": 1}",
					  ("{\"class_name\": \"Dense\", "
					   "\"config\": {\"name\": \"d\"}}")};
	struct mapping_graph graph;
	struct model model;
	size_t i;

	(void)state;
	begin_two_dense(&model);
	model_finish(&model, "h5");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(mapping_graph(&model.manifest, bad[i],
					   &model.arena, &graph, &model.err),
			     &model.err, WH_EINVAL, "model configuration");
	model_end(&model);
}

static void a_deep_configuration_is_refused(void **state)
{
	struct mapping_graph graph;
	struct model model;
	const char *text = LAYER("Dense", "d", "");
	int i;

	(void)state;
	begin_two_dense(&model);
	model_finish(&model, "h5");
	for (i = 0; i < 40; i++)
		text = arena_printf(&model.arena,
				    MODEL("Sequential", "s", "%s"), text);
	assert_fails(mapping_graph(&model.manifest, text, &model.arena, &graph,
				   &model.err),
		     &model.err, WH_EINVAL, "too deep");
	model_end(&model);
}

/* Each Bidirectional has its layer twice. */
static void a_configuration_that_doubles_is_refused(void **state)
{
	struct mapping_graph graph;
	struct model model;
	const char *text = LAYER("LSTM", "d", "");
	int i;

	(void)state;
	begin_two_dense(&model);
	model_finish(&model, "h5");
	for (i = 0; i < 20; i++)
		text = arena_printf(
			&model.arena,
			LAYER("Bidirectional", "b", ", \"layer\": %s"), text);
	text = arena_printf(&model.arena, MODEL("Sequential", "s", "%s"), text);
	assert_fails(mapping_graph(&model.manifest, text, &model.arena, &graph,
				   &model.err),
		     &model.err, WH_EINVAL, "layers");
	model_end(&model);
}

static void the_optimizer_is_left_out_with_a_note(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_two_dense(&model);
	model_kind(&model, "optimizer", WH_LAYER_OPTIMIZER);
	model_weight(&model, "iteration:0");
	make_graph(&model, NULL, &graph);
	assert_null(graph.key_of[4]);
	assert_int_equal(graph.n_notes, 1);
	assert_string_equal(graph.notes[0], "left out: 1 optimizer tensor");
	model_end(&model);
}

static void the_models_own_weights_hang_on_the_root(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_kind(&model, "", WH_LAYER_MODEL);
	model_weight(&model, "top:0");
	make_graph(&model, NULL, &graph);
	assert_string_equal(show_edges(&model, &graph, 0), "top>1 root>0");
	check_key(&graph, 0, "top");
	model_end(&model);
}

static void a_trainers_paths_are_taken_as_they_are(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "rnn");
	model_variable(&model,
		       (struct wh_variable){.name = "cell/kernel",
					    .object_path = "cell/kernel"},
		       3);
	model_finish(&model, "memory");
	assert_ok(mapping_graph(&model.manifest, NULL, &model.arena, &graph,
				&model.err),
		  &model.err);
	check_key(&graph, 0, "layer_with_weights-0/cell/kernel");
	assert_int_equal(graph.graph.n_nodes, 4);
	model_end(&model);
}

static void names_are_escaped_in_keys(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "c");
	model_weight(&model, "c/w.x:0");
	make_graph(&model, NULL, &graph);
	check_key(&graph, 0, "layer_with_weights-0/w..x");
	assert_int_equal(graph.n_notes, 1); /* no Keras layer has a `w.x` */
	model_end(&model);
}

static void a_checkpoint_root_holds_the_model(void **state)
{
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_two_dense(&model);
	make_graph(&model, two_dense, &graph);
	assert_ok(mapping_root_checkpoint(&graph, 4, &model.arena, &model.err),
		  &model.err);
	assert_int_equal(graph.graph.n_nodes, 8);
	assert_string_equal(show_edges(&model, &graph, 0), "model>1");
	assert_string_equal(show_edges(&model, &graph, 1),
			    "layer_with_weights-0>2 layer-0>2 "
			    "layer_with_weights-1>3 layer-1>3");
	check_key(&graph, 0, "model/layer_with_weights-0/kernel");
	assert_string_equal(graph.graph.nodes[4].attributes[0].checkpoint_key,
			    graph.key_of[0]);
	/* Once is enough. */
	assert_ok(mapping_root_checkpoint(&graph, 4, &model.arena, &model.err),
		  &model.err);
	assert_int_equal(graph.graph.n_nodes, 8);
	model_end(&model);
}

/* It may be a Functional or a Sequential: nothing says that inputs are
 * listed. */
static void a_model_without_a_class_counts_its_inputs(void **state)
{
	static const char text[] =
		"{\"config\": {\"name\": \"s\", \"layers\": ["
		"{\"class_name\": \"Dense\", \"config\": {\"name\": \"fc1\"}},"
		"{\"class_name\": \"Dense\", \"config\": {\"name\": \"fc2\"}}"
		"]}}";
	const struct mapping_hints hints = {.model_config = text};
	struct mapping_graph graph;
	struct model model;

	(void)state;
	begin_two_dense(&model);
	make_graph(&model, text, &graph);
	assert_ok(mapping_root_universal(&model.manifest, &hints, &model.arena,
					 &graph, &model.err),
		  &model.err);
	assert_string_equal(show_edges(&model, &graph, 0),
			    "layer_with_weights-0>1 layer-0>1 "
			    "layer_with_weights-1>2 layer-1>2 "
			    "root>0 _operations>7 _functional>8");
	assert_string_equal(show_edges(&model, &graph, 7), "1>1 2>2");
	model_end(&model);
}

static void slots_and_the_save_counter_move_with_the_root(void **state)
{
	static const char v[] = "layer_with_weights-0/w/.ATTRIBUTES/"
				"VARIABLE_VALUE";
	static const char m[] =
		"layer_with_weights-0/w/.OPTIMIZER_SLOT/optimizer/m/"
		".ATTRIBUTES/VARIABLE_VALUE";
	static const char c[] = "save_counter/.ATTRIBUTES/VARIABLE_VALUE";
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "w", v, false},
		{"VARIABLE_VALUE", "m", m, false},
		{"VARIABLE_VALUE", "c", c, false}};
	struct wh_graph_edge root_edges[] = {{1, "layer_with_weights-0"},
					     {2, "optimizer"},
					     {0, "root"},
					     {3, "save_counter"}};
	struct wh_graph_edge layer_edges[] = {{4, "w"}};
	struct wh_graph_slot slots[] = {{4, 5, "m"}};
	struct wh_graph_node nodes[] = {
		{.edges = root_edges, .n_edges = 4},
		{.edges = layer_edges, .n_edges = 1},
		{.slots = slots, .n_slots = 1},
		{.attributes = &values[2], .n_attributes = 1},
		{.attributes = &values[0], .n_attributes = 1},
		{.attributes = &values[1], .n_attributes = 1}};
	const char *keys[] = {v, m, c};
	struct mapping_graph graph = {.graph = {nodes, 6}, .key_of = keys};
	struct model model;

	(void)state;
	model_begin(&model);
	assert_ok(mapping_root_checkpoint(&graph, 3, &model.arena, &model.err),
		  &model.err);
	assert_string_equal(show_edges(&model, &graph, 0),
			    "model>1 save_counter>2");
	assert_string_equal(show_edges(&model, &graph, 1),
			    "layer_with_weights-0>3 optimizer>4");
	assert_string_equal(show_edges(&model, &graph, 3), "w>5");
	assert_int_equal(graph.graph.nodes[4].slots[0].original, 5);
	assert_int_equal(graph.graph.nodes[4].slots[0].slot, 6);
	assert_string_equal(graph.key_of[1],
			    "model/layer_with_weights-0/w/.OPTIMIZER_SLOT/"
			    "model/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE");
	assert_string_equal(graph.key_of[2], c);
	model_end(&model);
}

/* A slot's children and slots belong to nobody: TensorFlow makes none. */
static void below_a_slot_nothing_moves(void **state)
{
	static const char v[] = "net/w/.ATTRIBUTES/VARIABLE_VALUE";
	struct wh_graph_attribute value = {"VARIABLE_VALUE", "w", v, false};
	struct wh_graph_edge root_edges[] = {{1, "net"}, {2, "save_counter"}};
	struct wh_graph_edge net_edges[] = {{3, "w"}, {4, "optimizer"}};
	struct wh_graph_edge slot_edges[] = {{2, "aside"}, {3, "w"}};
	struct wh_graph_slot slots[] = {{3, 5, "m"}}, odd[] = {{3, 2, "n"}};
	struct wh_graph_node nodes[] = {
		{.edges = root_edges, .n_edges = 2},
		{.edges = net_edges, .n_edges = 2},
		{0},
		{.attributes = &value, .n_attributes = 1},
		{.slots = slots, .n_slots = 1},
		{.edges = slot_edges, .n_edges = 2, .slots = odd, .n_slots = 1},
	};
	const char *keys[] = {v};
	struct mapping_graph graph = {.graph = {nodes, 6}, .key_of = keys};
	struct model model;

	(void)state;
	model_begin(&model);
	model_layer(&model, "net");
	model_weight(&model, "w");
	model_finish(&model, "tf");
	assert_ok(mapping_root_model(&model.manifest, "net", &model.arena,
				     &graph, &model.err),
		  &model.err);
	assert_int_equal(graph.graph.n_nodes, 4);
	assert_int_equal(graph.graph.nodes[2].slots[0].slot, 3);
	assert_string_equal(show_edges(&model, &graph, 3), "w>1");
	assert_int_equal(graph.graph.nodes[3].n_slots, 0);
	model_end(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sequential_has_tensorflows_own_graph),
		cmocka_unit_test(without_a_class_a_layer_may_be_wrapped),
		cmocka_unit_test(weightless_layers_are_counted),
		cmocka_unit_test(frozen_inner_layers_follow_the_configuration),
		cmocka_unit_test(the_files_own_configuration_serves_too),
		cmocka_unit_test(without_it_frozen_inner_layers_are_refused),
		cmocka_unit_test(models_in_models_keep_their_depth),
		cmocka_unit_test(
			time_distributed_is_known_by_its_configuration),
		cmocka_unit_test(
			spectral_normalization_has_a_vector_of_its_own),
		cmocka_unit_test(what_another_wrapper_owns_is_not_known),
		cmocka_unit_test(cells_find_their_place_by_name),
		cmocka_unit_test(a_weight_of_no_configured_layer_is_refused),
		cmocka_unit_test(an_inner_name_that_is_there_twice_is_refused),
		cmocka_unit_test(a_bad_configuration_is_named),
		cmocka_unit_test(a_deep_configuration_is_refused),
		cmocka_unit_test(a_configuration_that_doubles_is_refused),
		cmocka_unit_test(the_optimizer_is_left_out_with_a_note),
		cmocka_unit_test(the_models_own_weights_hang_on_the_root),
		cmocka_unit_test(a_trainers_paths_are_taken_as_they_are),
		cmocka_unit_test(names_are_escaped_in_keys),
		cmocka_unit_test(a_checkpoint_root_holds_the_model),
		cmocka_unit_test(a_model_without_a_class_counts_its_inputs),
		cmocka_unit_test(slots_and_the_save_counter_move_with_the_root),
		cmocka_unit_test(below_a_slot_nothing_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
