/* From graphs to layers and to HDF5 names. Where a graph is needed it is made
 * from names first, so that both directions must agree. */
#include "unit/mapping/model.h"

/* What a checkpoint of `from` would be imported as. */
static void import_graph(const struct wh_graph *graph, const char *const *keys,
			 uint32_t n_keys, struct model *to)
{
	uint64_t size;
	uint32_t i;

	model_begin(to);
	for (i = 0; i < n_keys; i++) {
		size = 3 + i % 2;
		assert_ok(manifest_add_tensor(to->builder, keys[i], WH_FLOAT32,
					      1, &size, 4 * size, NULL,
					      &to->err),
			  &to->err);
	}
	assert_ok(mapping_layers_from_graph(graph, to->builder, &to->arena,
					    keys, n_keys, &to->err),
		  &to->err);
	model_finish(to, "tf");
	to->manifest.graph = (struct wh_graph *)(uintptr_t)graph;
}

static void begin_with(struct model *model, const char *layer,
		       const char *const *names)
{
	model_begin(model);
	model_layer(model, "input");
	model_layer(model, layer);
	for (; *names; names++)
		model_weight(model, *names);
	model_finish(model, "h5");
}

static void to_tf(struct model *from, const char *config, struct model *to,
		  bool checkpoint)
{
	struct mapping_graph graph;
	struct wh_graph *kept;

	assert_ok(mapping_graph(&from->manifest, config, &from->arena, &graph,
				&from->err),
		  &from->err);
	if (checkpoint)
		assert_ok(mapping_root_checkpoint(&graph,
						  from->manifest.n_tensors,
						  &from->arena, &from->err),
			  &from->err);
	kept = arena_alloc(&from->arena, 1, sizeof(*kept));
	assert_non_null(kept);
	*kept = graph.graph;
	import_graph(kept, graph.key_of, from->manifest.n_tensors, to);
}

/* The names come back, in their order, after a change of format each way. */
static void check_return(const char *layer, const char *const *names)
{
	struct model from, to;
	struct mapping_h5 h5;
	uint32_t i;

	begin_with(&from, layer, names);
	to_tf(&from, NULL, &to, false);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_int_equal(h5.n_layers, 2);
	assert_string_equal(h5.layers[0].name, "layer-0");
	assert_string_equal(h5.layers[1].name, layer);
	for (i = 0; names[i]; i++) {
		assert_true(i < h5.layers[1].n_weights);
		assert_string_equal(h5.layers[1].weights[i].name, names[i]);
		assert_int_equal(h5.layers[1].weights[i].tensor, i);
	}
	assert_int_equal(h5.n_notes, 0);
	model_end(&to);
	model_end(&from);
}

#define RETURNS(layer, ...)                                                    \
	check_return(layer, (const char *const[]){__VA_ARGS__, NULL})

static void the_names_of_plain_layers_come_back(void **state)
{
	(void)state;
	RETURNS("fc", "fc/kernel:0", "fc/bias:0");
	RETURNS("blk/d", "blk/d/kernel:0", "blk/d/bias:0");
	RETURNS("s", "s/depthwise_kernel:0", "s/pointwise_kernel:0",
		"s/bias:0");
	RETURNS("bn", "bn/gamma:0", "bn/beta:0", "bn/moving_mean:0",
		"bn/moving_variance:0");
	RETURNS("n", "n/mean:0", "n/variance:0", "n/count:0");
	RETURNS("e", "e/embeddings:0");
}

static void the_names_of_rnns_come_back(void **state)
{
	(void)state;
	RETURNS("l", "l/lstm_cell/kernel:0", "l/lstm_cell/recurrent_kernel:0",
		"l/lstm_cell/bias:0");
	RETURNS("cl", "cl/kernel:0", "cl/recurrent_kernel:0", "cl/bias:0");
	RETURNS("bi", "bi/forward_lstm/lstm_cell/kernel:0",
		"bi/forward_lstm/lstm_cell/recurrent_kernel:0",
		"bi/forward_lstm/lstm_cell/bias:0",
		"bi/backward_lstm/lstm_cell/kernel:0",
		"bi/backward_lstm/lstm_cell/recurrent_kernel:0",
		"bi/backward_lstm/lstm_cell/bias:0");
	RETURNS("st", "st/stacked_rnn_cells/lstm_cell/kernel:0",
		"st/stacked_rnn_cells/lstm_cell/recurrent_kernel:0");
}

/* The inner layer's name is not the model's. */
static void a_nested_model_of_one_layer_stays_nested(void **state)
{
	static const char *const names[] = {"q/kernel:0", "q/bias:0", NULL};
	struct mapping_graph graph;
	struct model from, to;
	struct mapping_h5 h5;

	(void)state;
	begin_with(&from, "inner", names);
	to_tf(&from, NULL, &to, false);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[1].name, "layer_with_weights-0");
	assert_string_equal(h5.layers[1].weights[1].name, "q/bias:0");
	assert_ok(mapping_graph(&from.manifest, NULL, &from.arena, &graph,
				&from.err),
		  &from.err);
	assert_non_null(strstr(graph.key_of[0],
			       "layer_with_weights-0/layer_with_weights-0/"));
	model_end(&to);
	model_end(&from);
}

static void the_names_of_attention_come_back(void **state)
{
	(void)state;
	RETURNS("mha", "mha/query/kernel:0", "mha/query/bias:0",
		"mha/key/kernel:0", "mha/key/bias:0", "mha/value/kernel:0",
		"mha/value/bias:0", "mha/attention_output/kernel:0",
		"mha/attention_output/bias:0");
}

/* A graph of one layer whose variables stand in any order. */
struct small {
	struct wh_graph_node nodes[16];
	struct wh_graph_edge root_edges[8], edges[8];
	struct wh_graph_attribute values[8];
	const char *keys[8];
	struct wh_graph graph;
};

static void make_small(struct small *small, struct model *memory,
		       const char *edge, const char *const *leaves,
		       const char *scope)
{
	uint32_t i;

	memset(small, 0, sizeof(*small));
	small->root_edges[0] = (struct wh_graph_edge){1, edge};
	small->root_edges[1] = (struct wh_graph_edge){0, "root"};
	small->nodes[0].edges = small->root_edges;
	small->nodes[0].n_edges = 2;
	small->nodes[1].edges = small->edges;
	for (i = 0; leaves[i]; i++) {
		small->edges[i] = (struct wh_graph_edge){2 + i, leaves[i]};
		small->values[i] = (struct wh_graph_attribute){
			.name = "VARIABLE_VALUE",
			.full_name = arena_printf(&memory->arena, "%s%s", scope,
						  leaves[i]),
			.checkpoint_key =
				arena_printf(&memory->arena,
					     "%s/%s/.ATTRIBUTES/VARIABLE_VALUE",
					     edge, leaves[i])};
		small->keys[i] = small->values[i].checkpoint_key;
		small->nodes[2 + i].attributes = &small->values[i];
		small->nodes[2 + i].n_attributes = 1;
	}
	small->nodes[1].n_edges = i;
	small->graph = (struct wh_graph){small->nodes, 2 + i};
}

static void statistics_go_last_by_the_class_table(void **state)
{
	static const char *const leaves[] = {"moving_variance", "beta",
					     "moving_mean", "gamma", NULL};
	struct model memory, to;
	struct small small;
	struct mapping_h5 h5;

	(void)state;
	model_begin(&memory);
	make_small(&small, &memory, "layer_with_weights-0", leaves, "bn/");
	import_graph(&small.graph, small.keys, 4, &to);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[0].weights[0].name, "bn/gamma:0");
	assert_string_equal(h5.layers[0].weights[1].name, "bn/beta:0");
	assert_string_equal(h5.layers[0].weights[2].name, "bn/moving_mean:0");
	assert_string_equal(h5.layers[0].weights[3].name,
			    "bn/moving_variance:0");
	assert_int_equal(h5.n_notes, 0);
	model_end(&to);
	model_end(&memory);
}

static void an_unknown_class_keeps_the_graphs_order_with_a_note(void **state)
{
	static const char *const leaves[] = {"w", "kernel", "a", NULL};
	struct model memory, to;
	struct small small;
	struct mapping_h5 h5;

	(void)state;
	model_begin(&memory);
	make_small(&small, &memory, "layer_with_weights-0", leaves, "c/");
	import_graph(&small.graph, small.keys, 3, &to);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[0].weights[0].name, "c/w:0");
	assert_string_equal(h5.layers[0].weights[2].name, "c/a:0");
	assert_int_equal(h5.n_notes, 1);
	assert_non_null(strstr(h5.notes[0], "layer 'c'"));
	model_end(&to);
	model_end(&memory);
}

static void statistics_of_an_unknown_class_go_last(void **state)
{
	static const char *const leaves[] = {"moving_mean", "gamma", "w", NULL};
	struct model memory, to;
	struct small small;
	struct mapping_h5 h5;

	(void)state;
	model_begin(&memory);
	make_small(&small, &memory, "layer_with_weights-0", leaves, "c/");
	import_graph(&small.graph, small.keys, 3, &to);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[0].weights[0].name, "c/gamma:0");
	assert_string_equal(h5.layers[0].weights[1].name, "c/w:0");
	assert_string_equal(h5.layers[0].weights[2].name, "c/moving_mean:0");
	model_end(&to);
	model_end(&memory);
}

static void a_name_of_another_layer_is_not_taken(void **state)
{
	static const char *const leaves[] = {"kernel", "bias", NULL};
	struct model memory, to;
	struct small small;
	struct mapping_h5 h5;

	(void)state;
	model_begin(&memory);
	make_small(&small, &memory, "layer_with_weights-0", leaves, "");
	import_graph(&small.graph, small.keys, 2, &to);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[0].name, "layer_with_weights-0");
	assert_string_equal(h5.layers[0].weights[0].name,
			    "layer_with_weights-0/kernel:0");
	model_end(&to);
	model_end(&memory);
}

static void a_subclassed_models_attributes_are_layers(void **state)
{
	static const char *const leaves[] = {"kernel", "bias", NULL};
	struct model memory, to;
	struct small small;
	struct mapping_h5 h5;

	(void)state;
	model_begin(&memory);
	make_small(&small, &memory, "a", leaves, "sm/a_layer/");
	import_graph(&small.graph, small.keys, 2, &to);
	assert_string_equal(to.manifest.layers[0].name, "a_layer");
	assert_string_equal(to.manifest.layers[0].variables[0].object_path,
			    "kernel");
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_string_equal(h5.layers[0].weights[0].name,
			    "sm/a_layer/kernel:0");
	model_end(&to);
	model_end(&memory);
}

/* A dict of two layers, and a custom layer with two layers inside. */
static void a_dict_is_opened_and_a_custom_layer_is_not(void **state)
{
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "sm/x/kernel", "1", false},
		{"VARIABLE_VALUE", "sm/y/kernel", "2", false},
		{"VARIABLE_VALUE", "sm/c/p/kernel", "3", false},
		{"VARIABLE_VALUE", "sm/c/q/kernel", "4", false}};
	struct wh_graph_edge root_edges[] = {
		{1, "heads"}, {2, "custom"}, {0, "root"}};
	/* Keras walks a dict by its keys, in their order. */
	struct wh_graph_edge heads[] = {{4, "b"}, {3, "a"}};
	struct wh_graph_edge custom[] = {{5, "a"}, {6, "b"}};
	struct wh_graph_edge kernels[] = {
		{7, "kernel"}, {8, "kernel"}, {9, "kernel"}, {10, "kernel"}};
	struct wh_graph_node nodes[11] = {{.edges = root_edges, .n_edges = 3},
					  {.edges = heads, .n_edges = 2},
					  {.edges = custom, .n_edges = 2}};
	static const char *const keys[] = {"1", "2", "3", "4"};
	struct wh_graph graph = {nodes, 11};
	struct model to;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		nodes[3 + i].edges = &kernels[i];
		nodes[3 + i].n_edges = 1;
		nodes[7 + i].attributes = &values[i];
		nodes[7 + i].n_attributes = 1;
	}
	import_graph(&graph, keys, 4, &to);
	assert_int_equal(to.manifest.n_layers, 3);
	assert_string_equal(to.manifest.layers[0].name, "x");
	assert_string_equal(to.manifest.layers[1].name, "y");
	assert_int_equal(to.manifest.layers[2].n_variables, 2);
	model_end(&to);
}

static const char frozen[] =
	"{\"class_name\":\"Functional\",\"config\":{\"layers\":["
	"{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"input\"}},"
	"{\"class_name\":\"Sequential\",\"config\":{\"name\":\"inner\","
	"\"layers\":["
	"{\"class_name\":\"Dense\",\"config\":{\"name\":\"d1\","
	"\"trainable\":false}},"
	"{\"class_name\":\"BatchNormalization\",\"config\":"
	"{\"name\":\"b1\"}},"
	"{\"class_name\":\"Dense\",\"config\":{\"name\":\"d2\"}}]}}]}}";
static const char *const frozen_names[] = {
	"b1/gamma:0",  "b1/beta:0", "d2/kernel:0",	"d2/bias:0",
	"d1/kernel:0", "d1/bias:0", "b1/moving_mean:0", "b1/moving_variance:0",
	NULL};

static void a_nested_model_is_refused_without_a_configuration(void **state)
{
	struct model from, to;
	struct mapping_h5 h5;

	(void)state;
	begin_with(&from, "inner", frozen_names);
	to_tf(&from, frozen, &to, false);
	assert_string_equal(to.manifest.layers[1].name, "layer_with_weights-0");
	assert_fails(
		mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		&to.err, WH_EUNSUPPORTED, "--model-config FILE");
	assert_non_null(strstr(to.err.message, "'layer_with_weights-0'"));
	model_end(&to);
	model_end(&from);
}

static void a_configuration_gives_keras_own_order(void **state)
{
	struct model from, to;
	struct mapping_h5 h5;
	uint32_t i;

	(void)state;
	begin_with(&from, "inner", frozen_names);
	to_tf(&from, frozen, &to, false);
	assert_ok(
		mapping_h5_names(&to.manifest, frozen, &to.arena, &h5, &to.err),
		&to.err);
	assert_string_equal(h5.layers[0].name, "input");
	assert_string_equal(h5.layers[1].name, "inner");
	for (i = 0; frozen_names[i]; i++) {
		assert_string_equal(h5.layers[1].weights[i].name,
				    frozen_names[i]);
		assert_int_equal(h5.layers[1].weights[i].tensor, i);
	}
	model_end(&to);
	model_end(&from);
}

static void several_cells_are_refused_without_a_configuration(void **state)
{
	static const char *const names[] = {
		"r/cell/cells/0/kernel:0", "r/cell/cells/0/recurrent_kernel:0",
		"r/cell/cells/1/kernel:0", "r/cell/cells/1/recurrent_kernel:0",
		NULL};
	struct model from, to;
	struct mapping_h5 h5;

	(void)state;
	begin_with(&from, "r", names);
	to_tf(&from, NULL, &to, false);
	assert_fails(
		mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		&to.err, WH_EUNSUPPORTED, "several RNN cells");
	model_end(&to);
	model_end(&from);
}

static void under_a_checkpoint_root_the_layers_are_the_models(void **state)
{
	static const char *const names[] = {"fc/kernel:0", "fc/bias:0", NULL};
	struct model from, to;

	(void)state;
	begin_with(&from, "fc", names);
	to_tf(&from, NULL, &to, true);
	assert_int_equal(to.manifest.n_layers, 2);
	assert_string_equal(to.manifest.layers[1].name, "fc");
	assert_string_equal(to.manifest.layers[1].variables[1].object_path,
			    "bias");
	assert_string_equal(to.manifest.layers[1].variables[1].name,
			    "model/layer_with_weights-0/bias/.ATTRIBUTES/"
			    "VARIABLE_VALUE");
	model_end(&to);
	model_end(&from);
}

static void optimizer_slots_and_state_have_layers_of_their_own(void **state)
{
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "d/w", "w-key", false},
		{"VARIABLE_VALUE", "Adam/iter", "iter-key", false},
		{"VARIABLE_VALUE", "Adam/d/w/m", "slot-key", false},
		{"VARIABLE_VALUE", "save_counter", "counter-key", false},
		{"table", "", "table-key", false}};
	struct wh_graph_edge root_edges[] = {{1, "layer_with_weights-0"},
					     {2, "optimizer"},
					     {3, "save_counter"},
					     {4, "vocabulary"}};
	struct wh_graph_edge layer_edges[] = {{5, "w"}};
	struct wh_graph_edge optimizer_edges[] = {{6, "iter"}};
	struct wh_graph_slot slots[] = {{5, 7, "m"}};
	struct wh_graph_node nodes[] = {
		{.edges = root_edges, .n_edges = 4},
		{.edges = layer_edges, .n_edges = 1},
		{.edges = optimizer_edges,
		 .n_edges = 1,
		 .slots = slots,
		 .n_slots = 1},
		{.attributes = &values[3], .n_attributes = 1},
		{.attributes = &values[4], .n_attributes = 1},
		{.attributes = &values[0], .n_attributes = 1},
		{.attributes = &values[1], .n_attributes = 1},
		{.attributes = &values[2], .n_attributes = 1}};
	struct wh_graph graph = {nodes, 8};
	static const char *const keys[] = {"counter-key", "iter-key",
					   "slot-key",	  "table-key-keys",
					   "unnamed-key", "w-key"};
	const struct wh_layer *layers;
	struct mapping_h5 h5;
	struct model to;

	(void)state;
	import_graph(&graph, keys, 6, &to);
	layers = to.manifest.layers;
	assert_int_equal(to.manifest.n_layers, 3);
	assert_string_equal(layers[0].name, "d");
	assert_int_equal(layers[1].kind, WH_LAYER_OPTIMIZER);
	assert_int_equal(layers[1].n_variables, 2);
	assert_string_equal(layers[1].variables[1].name, "slot-key");
	assert_int_equal(layers[1].variables[1].role, WH_ROLE_OPTIMIZER);
	assert_int_equal(layers[2].kind, WH_LAYER_STATE);
	assert_int_equal(layers[2].n_variables, 3);
	assert_int_equal(layers[2].variables[0].role, WH_ROLE_OTHER);
	assert_ok(mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		  &to.err);
	assert_int_equal(h5.n_layers, 1);
	assert_int_equal(h5.n_left_out, 5);
	model_end(&to);
}

static void layers_stand_in_the_models_order(void **state)
{
	struct wh_graph_edge edges[] = {{2, "layer_with_weights-0"},
					{3, "layer_with_weights-1"},
					{1, "layer-0"},
					{3, "layer-2"},
					{2, "layer-1"},
					{4, "layer-10"},
					{5, "layer-9"}};
	struct wh_graph_node nodes[6] = {{.edges = edges, .n_edges = 7}};
	struct wh_graph graph = {nodes, 6};
	struct model to;

	(void)state;
	import_graph(&graph, NULL, 0, &to);
	assert_int_equal(to.manifest.n_layers, 5);
	assert_string_equal(to.manifest.layers[0].name, "layer-0");
	assert_string_equal(to.manifest.layers[1].name, "layer_with_weights-0");
	assert_string_equal(to.manifest.layers[2].name, "layer_with_weights-1");
	assert_string_equal(to.manifest.layers[3].name, "layer-9");
	assert_string_equal(to.manifest.layers[4].name, "layer-10");
	model_end(&to);
}

static void layers_of_one_name_are_told_apart(void **state)
{
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "d/kernel", "one", false},
		{"VARIABLE_VALUE", "d/kernel", "two", false}};
	struct wh_graph_edge root_edges[] = {{1, "layer_with_weights-0"},
					     {2, "layer_with_weights-1"}};
	struct wh_graph_edge one[] = {{3, "kernel"}}, two[] = {{4, "kernel"}};
	struct wh_graph_node nodes[] = {
		{.edges = root_edges, .n_edges = 2},
		{.edges = one, .n_edges = 1},
		{.edges = two, .n_edges = 1},
		{.attributes = &values[0], .n_attributes = 1},
		{.attributes = &values[1], .n_attributes = 1}};
	struct wh_graph graph = {nodes, 5};
	static const char *const keys[] = {"one", "two"};
	struct model to;

	(void)state;
	import_graph(&graph, keys, 2, &to);
	assert_string_equal(to.manifest.layers[0].name, "d");
	assert_string_equal(to.manifest.layers[1].name, "d_1");
	model_end(&to);
}

static void a_shared_variable_belongs_to_the_first(void **state)
{
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "a/w", "w", false}};
	struct wh_graph_edge root_edges[] = {{1, "layer_with_weights-0"},
					     {2, "layer_with_weights-1"},
					     {0, "root"}};
	struct wh_graph_edge both[] = {{3, "w"}, {0, "model"}};
	struct wh_graph_node nodes[] = {
		{.edges = root_edges, .n_edges = 3},
		{.edges = both, .n_edges = 2},
		{.edges = both, .n_edges = 2},
		{.attributes = &values[0], .n_attributes = 1}};
	struct wh_graph graph = {nodes, 4};
	static const char *const keys[] = {"w"};
	struct model to;

	(void)state;
	import_graph(&graph, keys, 1, &to);
	assert_int_equal(to.manifest.layers[0].n_variables, 1);
	assert_int_equal(to.manifest.layers[1].n_variables, 0);
	model_end(&to);
}

static void a_checkpoint_without_a_graph_goes_by_scopes(void **state)
{
	static const char *const keys[] = {"fc1/bias", "fc1/kernel", "step"};
	struct model to;

	(void)state;
	import_graph(NULL, keys, 3, &to);
	assert_int_equal(to.manifest.n_layers, 2);
	assert_string_equal(to.manifest.layers[0].name, "fc1");
	assert_string_equal(to.manifest.layers[0].variables[1].object_path,
			    "kernel");
	assert_int_equal(to.manifest.layers[1].kind, WH_LAYER_MODEL);
	model_end(&to);
}

static void an_edge_to_no_node_is_damage(void **state)
{
	struct wh_graph_edge edges[] = {{7, "layer-0"}};
	struct wh_graph_slot slots[] = {{0, 9, "m"}};
	struct wh_graph_node edge = {.edges = edges, .n_edges = 1};
	struct wh_graph_node slot = {.slots = slots, .n_slots = 1};
	struct wh_graph graphs[] = {{&edge, 1}, {&slot, 1}, {&edge, 0}};
	struct model to;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		model_begin(&to);
		assert_fails(mapping_layers_from_graph(&graphs[i], to.builder,
						       &to.arena, NULL, 0,
						       &to.err),
			     &to.err, WH_ECORRUPT, "object graph");
		model_end(&to);
	}
}

/* Lists that hold themselves many times over, and a chain of 100,000. */
static void hostile_graphs_end_soon(void **state)
{
	enum { N = 100000 };
	struct wh_graph_edge *loops = calloc(64, sizeof(*loops));
	struct wh_graph_edge *chain = calloc(N, sizeof(*chain));
	struct wh_graph_node *nodes = calloc(N, sizeof(*nodes));
	struct wh_graph_attribute value = {"VARIABLE_VALUE", "v", "v", false};
	struct wh_graph graph = {nodes, N};
	static const char *const keys[] = {"v"};
	struct model to;
	uint32_t i;

	(void)state;
	assert_non_null(loops);
	assert_non_null(chain);
	assert_non_null(nodes);
	for (i = 0; i < 64; i++)
		loops[i] = (struct wh_graph_edge){i % 2 ? 1 : 2, "0"};
	for (i = 0; i < 3; i++) {
		nodes[i].edges = loops;
		nodes[i].n_edges = 64;
	}
	graph.n_nodes = 3;
	import_graph(&graph, NULL, 0, &to);
	model_end(&to);
	for (i = 0; i + 1 < N; i++) {
		chain[i] = (struct wh_graph_edge){i + 1, "next"};
		nodes[i].edges = &chain[i];
		nodes[i].n_edges = 1;
	}
	nodes[N - 1].attributes = &value;
	nodes[N - 1].n_attributes = 1;
	graph.n_nodes = N;
	import_graph(&graph, keys, 1, &to);
	assert_null(to.manifest.layers[0].variables[0].object_path);
	model_end(&to);
	free(loops);
	free(chain);
	free(nodes);
}

static void an_h5_file_keeps_its_names(void **state)
{
	static const char *const names[] = {"q/kernel:0", "odd", NULL};
	struct mapping_h5 h5;
	struct model model;

	(void)state;
	begin_with(&model, "inner", names);
	assert_ok(mapping_h5_names(&model.manifest, NULL, &model.arena, &h5,
				   &model.err),
		  &model.err);
	assert_string_equal(h5.layers[1].weights[1].name, "odd");
	model_end(&model);
}

static void own_weights_of_one_shape_are_refused(void **state)
{
	static const char *const keys[] = {"a", "b", "c"};
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "a", "a", false},
		{"VARIABLE_VALUE", "b", "b", false},
		{"VARIABLE_VALUE", "c", "c", false}};
	struct wh_graph_edge edges[] = {
		{1, "a"}, {2, "b"}, {3, "c"}, {0, "root"}};
	struct wh_graph_node nodes[] = {
		{.edges = edges, .n_edges = 4},
		{.attributes = &values[0], .n_attributes = 1},
		{.attributes = &values[1], .n_attributes = 1},
		{.attributes = &values[2], .n_attributes = 1}};
	struct wh_graph graph = {nodes, 4};
	struct mapping_h5 h5;
	struct model to;

	(void)state;
	import_graph(&graph, keys, 3, &to);
	assert_int_equal(to.manifest.layers[0].kind, WH_LAYER_MODEL);
	assert_fails(
		mapping_h5_names(&to.manifest, NULL, &to.arena, &h5, &to.err),
		&to.err, WH_EUNSUPPORTED, "one shape");
	model_end(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_names_of_plain_layers_come_back),
		cmocka_unit_test(the_names_of_rnns_come_back),
		cmocka_unit_test(a_nested_model_of_one_layer_stays_nested),
		cmocka_unit_test(the_names_of_attention_come_back),
		cmocka_unit_test(statistics_go_last_by_the_class_table),
		cmocka_unit_test(
			an_unknown_class_keeps_the_graphs_order_with_a_note),
		cmocka_unit_test(statistics_of_an_unknown_class_go_last),
		cmocka_unit_test(a_name_of_another_layer_is_not_taken),
		cmocka_unit_test(a_subclassed_models_attributes_are_layers),
		cmocka_unit_test(a_dict_is_opened_and_a_custom_layer_is_not),
		cmocka_unit_test(
			a_nested_model_is_refused_without_a_configuration),
		cmocka_unit_test(a_configuration_gives_keras_own_order),
		cmocka_unit_test(
			several_cells_are_refused_without_a_configuration),
		cmocka_unit_test(
			under_a_checkpoint_root_the_layers_are_the_models),
		cmocka_unit_test(
			optimizer_slots_and_state_have_layers_of_their_own),
		cmocka_unit_test(layers_stand_in_the_models_order),
		cmocka_unit_test(layers_of_one_name_are_told_apart),
		cmocka_unit_test(a_shared_variable_belongs_to_the_first),
		cmocka_unit_test(a_checkpoint_without_a_graph_goes_by_scopes),
		cmocka_unit_test(an_edge_to_no_node_is_damage),
		cmocka_unit_test(hostile_graphs_end_soon),
		cmocka_unit_test(an_h5_file_keeps_its_names),
		cmocka_unit_test(own_weights_of_one_shape_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
