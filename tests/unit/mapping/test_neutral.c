/* Descriptions of layers: what is written comes back, and what doesn't fit the
 * tensors is left aside, with a warning. */
#include "support/assert.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/manifest.h"
#include "mapping/neutral.h"

static const char *const keys[] = {"b", "a/k"};

#define N_KEYS 2

/* A manifest of these keys, as the description has it. */
struct model {
	struct arena arena;
	struct manifest_builder *builder;
	struct neutral_description *description;
	struct neutral_origin origin;
	struct wh_manifest manifest;
	const char *names[N_KEYS];
	uint32_t order[N_KEYS];
	struct wh_error err;
};

static void add_tensors(struct model *model)
{
	uint32_t i;

	for (i = 0; i < N_KEYS; i++)
		assert_ok(manifest_add_tensor(model->builder, model->names[i],
					      WH_FLOAT32, 0, NULL, 4, NULL,
					      &model->err),
			  &model->err);
}

static void model_open(struct model *model, const char *text)
{
	struct wh_error *err = &model->err;

	*model = (struct model){0};
	assert_ok(manifest_builder_new(&model->arena, &model->builder, err),
		  err);
	assert_ok(neutral_description_read(model->builder, keys, N_KEYS, text,
					   text ? strlen(text) : 0,
					   &model->arena, &model->description,
					   err),
		  err);
	assert_ok(neutral_order(model->description, keys, N_KEYS, &model->arena,
				model->order, model->names, err),
		  err);
	add_tensors(model);
	assert_ok(neutral_layers(model->builder, &model->arena,
				 model->description, keys, N_KEYS,
				 &model->origin, err),
		  err);
	assert_ok(manifest_finish(model->builder, &model->manifest, err), err);
	model->manifest.origin_format = model->origin.format;
	model->manifest.origin_generator = model->origin.generator;
	model->manifest.graph = model->origin.graph;
}

static void model_close(struct model *model)
{
	neutral_description_free(model->description);
	manifest_builder_free(model->builder);
	arena_free(&model->arena);
}

#define WEIGHTS                                                                \
	"[{\"key\":\"a/k\",\"tensor\":\"other\",\"name\":\"a/k:0\","           \
	"\"path\":\"k\",\"keras3\":\"p\",\"role\":1,\"trainable\":2}]"
#define REST ",\"attributes\":[[\"\",\"x\",\"y\\u000B\"],[\"p\",\"n\",-3]]"
#define GRAPH                                                                  \
	",\"graph\":[{\"edges\":[[1,\"e\"],[0,\"root\"]],"                     \
	"\"slots\":[[0,1,\"m\"]]},{\"values\":[[\"V\",\"f\",\"c\",true]],"     \
	"\"saver\":[\"s\",\"o\"],\"has_values\":2}]"
#define LAYER_A                                                                \
	"{\"name\":\"a\",\"class\":\"Dense\",\"kind\":1,\"weights\":" WEIGHTS  \
	"}"
#define LAYER_B                                                                \
	"{\"name\":\"\",\"container\":0,\"weights\":["                         \
	"{\"key\":\"b\",\"name\":\"b\"}]}"
#define WHOLE                                                                  \
	"{\"origin\":\"h5\",\"generator\":\"keras 2\",\"layers\":[" LAYER_A    \
	"," LAYER_B "]" REST GRAPH "}"

static void a_description_comes_back(void **state)
{
	struct model model;
	json_t *tree;
	char *text, *again;

	(void)state;
	model_open(&model, WHOLE);
	assert_int_equal(model.manifest.n_warnings, 0);
	assert_int_equal(model.order[0], 1);
	assert_string_equal(model.names[0], "other");
	assert_string_equal(model.names[1], "b");
	assert_ok(neutral_describe(&model.manifest,
				   (const char *const[]){"a/k", "b"}, &text,
				   &model.err),
		  &model.err);
	assert_string_equal(text, WHOLE);
	tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	again = json_dumps(tree, JSON_COMPACT);
	assert_string_equal(text, again);
	free(again);
	json_decref(tree);
	free(text);
	model_close(&model);
}

static void members_come_in_any_order(void **state)
{
	struct model model;

	(void)state;
	model_open(&model,
		   " { \"attributes\" : [ ] , \"later\": [{\"x\": 1e3}],"
		   "\"layers\":[{\"weights\":[{\"name\":\"b\",\"new\":null,"
		   "\"key\":\"b\"},{\"name\":\"k\",\"key\":\"a\\/k\"}],"
		   "\"n\\u0061me\":\"l\"}],\"origin\":\"tf\"}\n");
	assert_int_equal(model.manifest.n_warnings, 0);
	assert_int_equal(model.order[0], 0);
	assert_string_equal(model.manifest.layers[0].name, "l");
	assert_string_equal(model.manifest.layers[0].variables[1].name, "k");
	assert_null(model.manifest.graph);
	model_close(&model);
}

static void a_graph_that_is_none_is_left_out(void **state)
{
	struct model model;

	(void)state;
	model_open(&model, "{\"origin\":\"tf\",\"layers\":[" LAYER_A "," LAYER_B
			   "]" REST ",\"graph\":[{\"edges\":[[1,\"e\"]]}]}");
	assert_int_equal(model.manifest.n_warnings, 0);
	assert_null(model.manifest.graph);
	model_close(&model);
}

static void what_does_not_fit_is_left_aside(void **state)
{
#define OF(layers) "{\"origin\":\"h5\",\"layers\":[" layers "]" REST "}"
#define ONE(more)  "{\"name\":\"l\",\"weights\":[" more "]}"
#define A	   "{\"key\":\"a/k\",\"name\":\"a\"}"
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		OF(LAYER_A),			     /* a tensor is missing */
		OF(LAYER_A "," LAYER_B "," LAYER_B), /* one comes twice */
		OF(LAYER_A "," LAYER_B) "x",
		OF(LAYER_B "," LAYER_A), /* in a container behind it */
		OF(ONE(A ",{\"key\":\"b\"}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":1}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":\"a\\u0000b\"}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":\"a\",\"name\":\"b\"}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":\"a\",\"role\":99}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":\"a\",\"role\":1.5}")),
		OF(ONE(A ",{\"key\":\"c\",\"name\":\"a\"}")),
		OF(ONE(A ",{\"key\":\"b\",\"name\":\"\xff\"}")),
		"{\"origin\":\"h5\",\"layers\":[" LAYER_A "," LAYER_B "]}",
		"{\"layers\":[" LAYER_A "," LAYER_B "]" REST "}",
		"{\"origin\":\"h5\",\"layers\":[" LAYER_A "," LAYER_B
		"],\"attributes\":[[\"\",\"x\"]]}",
		"{\"origin\":\"h5\",\"layers\":[" LAYER_A "," LAYER_B
		"],\"attributes\":[[\"\",\"x\",1.5]]}",
		"{\"origin\":\"h5\",\"layers\":[" LAYER_A "," LAYER_B "]" REST
		",\"graph\":[{\"edges\":[[0,\"e\"],[0]]}]}",
	};
	struct model model;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		model_open(&model, texts[i]);
		if (model.manifest.n_warnings != 1 || model.origin.format)
			fail_msg("it was taken: %s", texts[i]);
		assert_string_equal(model.manifest.layers[1].name, "a");
		model_close(&model);
	}
	model_open(&model, NULL);
	assert_int_equal(model.manifest.n_warnings, 0);
	model_close(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_description_comes_back),
		cmocka_unit_test(members_come_in_any_order),
		cmocka_unit_test(a_graph_that_is_none_is_left_out),
		cmocka_unit_test(what_does_not_fit_is_left_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
