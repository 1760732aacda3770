/* The object graph's messages, byte for byte as protobuf has them. */
#include "support/assert.h"

#include <stdlib.h>

#include "tf/graph_pb.h"
#include <weighhouse/tensor.h>

static struct wh_error err;
static struct arena arena;

#define READ(bytes, graph)                                                     \
	graph_pb_read((const uint8_t *)(bytes), sizeof(bytes) - 1, &arena,     \
		      graph, &err)

/* Of two nodes: edge, value, slot, saver, has_checkpoint_values. */
#define ROOT                                                                   \
	"\x0a\x31"                                                             \
	"\x0a\x05\x08\x01\x12\x01k"                                            \
	"\x12\x0b\x0a\x01v\x12\x01"                                            \
	"f\x1a\x01y\x20\x01"                                                   \
	"\x1a\x07\x08\x01\x12\x01m\x18\x01"                                    \
	"\x22\x06\x0a\x01s\x12\x01o"                                           \
	"\x2a\x02\x08\x01"                                                     \
	"\x3a\x06ignore"
#define LEAF "\x0a\x02\x2a\x00"

static int free_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void all_fields_are_read_and_written(void **state)
{
	static const char bytes[] = ROOT LEAF;
	struct wh_buf out = {0};
	struct wh_graph *graph;
	struct wh_graph_node *root;

	(void)state;
	assert_ok(READ(bytes, &graph), &err);
	assert_int_equal(graph->n_nodes, 2);
	root = &graph->nodes[0];
	assert_int_equal(root->n_edges, 1);
	assert_int_equal(root->edges[0].node, 1);
	assert_string_equal(root->edges[0].name, "k");
	assert_int_equal(root->n_attributes, 1);
	assert_string_equal(root->attributes[0].name, "v");
	assert_string_equal(root->attributes[0].full_name, "f");
	assert_string_equal(root->attributes[0].checkpoint_key, "y");
	assert_true(root->attributes[0].optional_restore);
	assert_int_equal(root->slots[0].original, 1);
	assert_string_equal(root->slots[0].name, "m");
	assert_int_equal(root->slots[0].slot, 1);
	assert_string_equal(root->saver_name, "s");
	assert_string_equal(root->saver_object, "o");
	assert_int_equal(root->has_values, WH_HAS_VALUES_YES);
	assert_int_equal(graph->nodes[1].has_values, WH_HAS_VALUES_NO);
	assert_null(graph->nodes[1].saver_name);
	/* The field that nobody knows is left out: 8 bytes less. */
	assert_ok(graph_pb_write(graph, &out, &err), &err);
	assert_int_equal(out.size, sizeof(bytes) - 1 - 8);
	assert_int_equal(out.data[1], 0x31 - 8);
	assert_memory_equal(out.data + 2, bytes + 2, 0x31 - 8);
	assert_memory_equal(out.data + 2 + 0x31 - 8, LEAF, 4);
	wh_buf_free(&out);
}

static void what_comes_twice_is_merged(void **state)
{
	struct wh_graph *graph;

	(void)state;
	assert_ok(READ("\x0a\x13"
		       "\x22\x03\x0a\x01s"
		       "\x2a\x02\x08\x01"
		       "\x22\x06\x12\x01o\x0a\x01t"
		       "\x2a\x00",
		       &graph),
		  &err);
	assert_string_equal(graph->nodes[0].saver_name, "t");
	assert_string_equal(graph->nodes[0].saver_object, "o");
	assert_int_equal(graph->nodes[0].has_values, WH_HAS_VALUES_YES);
}

static void names_and_ids_have_defaults(void **state)
{
	struct wh_graph *graph;

	(void)state;
	/* An empty edge, an empty value; a field of another wire type. */
	assert_ok(READ("\x0a\x06\x0a\x00\x12\x02\x08\x07", &graph), &err);
	assert_int_equal(graph->nodes[0].edges[0].node, 0);
	assert_string_equal(graph->nodes[0].edges[0].name, "");
	assert_string_equal(graph->nodes[0].attributes[0].full_name, "");
}

static void damaged_ones_are_refused(void **state)
{
	struct wh_graph *graph;

	(void)state;
	assert_fails(READ("", &graph), &err, WH_ECORRUPT, "no nodes");
	assert_fails(READ("\x0a\x05\x0a", &graph), &err, WH_ECORRUPT,
		     "can't be read");
	assert_fails(READ("\x0a\x03\x0a\x05\x08", &graph), &err, WH_ECORRUPT,
		     "can't be read");
	assert_fails(READ("\x0a\x04\x0a\x02\x08\x01", &graph), &err,
		     WH_ECORRUPT, "names node 1 of 1");
	assert_fails(READ("\x0a\x0d\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff"
			  "\xff\xff\x01",
			  &graph),
		     &err, WH_ECORRUPT, "names node -1 of 1");
	assert_fails(READ("\x0a\x05\x0a\x03\x12\x01\xff", &graph), &err,
		     WH_ECORRUPT, "not valid UTF-8");
}

/* What would be refused when it is read. */
static void too_much_is_not_written(void **state)
{
	const uint32_t n = 70000; /* edges of 4 KiB: over 256 MiB */
	char name[WH_MAX_NAME + 2] = "";
	struct wh_graph_node root = {.n_edges = 1};
	struct wh_graph graph = {.nodes = &root, .n_nodes = 1};
	struct wh_buf out = {0};
	uint32_t i;

	(void)state;
	root.edges = calloc(n, sizeof(*root.edges));
	assert_non_null(root.edges);
	memset(name, 'k', WH_MAX_NAME);
	for (i = 0; i < n; i++)
		root.edges[i].name = name;
	assert_ok(graph_pb_write(&graph, &out, &err), &err);
	root.n_edges = n;
	assert_fails(graph_pb_write(&graph, &out, &err), &err, WH_EUNSUPPORTED,
		     "bytes; at most 268435456 are read");
	name[WH_MAX_NAME] = 'k';
	assert_fails(graph_pb_write(&graph, &out, &err), &err, WH_EUNSUPPORTED,
		     "kkk...', would have 4097 bytes");
	free(root.edges);
	wh_buf_free(&out);
}

/* 17 million empty nodes: 34 MB that would take more than 1 GiB. */
static void memory_is_bounded(void **state)
{
	const size_t n = 17 << 20;
	uint8_t *bytes = malloc(2 * n);
	struct wh_graph *graph;
	size_t i;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < n; i++) {
		bytes[2 * i] = 0x0a;
		bytes[2 * i + 1] = 0;
	}
	assert_fails(graph_pb_read(bytes, 2 * n, &arena, &graph, &err), &err,
		     WH_ECORRUPT, "can't be read");
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(all_fields_are_read_and_written,
					  free_arena),
		cmocka_unit_test_teardown(what_comes_twice_is_merged,
					  free_arena),
		cmocka_unit_test_teardown(names_and_ids_have_defaults,
					  free_arena),
		cmocka_unit_test_teardown(damaged_ones_are_refused, free_arena),
		cmocka_unit_test(too_much_is_not_written),
		cmocka_unit_test_teardown(memory_is_bounded, free_arena),
	};

	return cmocka_run_group_tests_name("graph_pb", tests, NULL, NULL);
}
