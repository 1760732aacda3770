/* All of a manifest goes into the store and comes out again: graph,
 * attributes, origin, template and skeleton. */
#include "base/text.h"
#include "support/damage.h"

static struct wh_graph_edge edges[] = {{1, "fc"}};
static struct wh_graph_attribute values[] = {
	{"VARIABLE_VALUE", "fc/kernel", "b", false},
	{"VARIABLE_VALUE", "fc/bias", "a", false},
};
static struct wh_graph_node nodes[] = {
	{.edges = edges, .n_edges = 1, .has_values = WH_HAS_VALUES_NO},
	{.attributes = values, .n_attributes = 2},
};
static struct wh_graph graph = {nodes, 2};
static struct wh_attribute attributes[] = {
	{"", "keras_version", WH_VALUE_TEXT, "2.21.0", 6, 0},
	{"", "n", WH_VALUE_INTEGER, NULL, 0, -5},
};
static struct wh_extent extents[] = {
	{.offset = 0, .length = 3, .tensor = 2},
	{.offset = 3, .length = 4, .tensor = 0, .swap = 4},
	{.offset = 7, .length = 4, .tensor = 1},
};
static struct wh_template_file files[] = {{".x", 11, false, extents, 3}};
static struct wh_template template_ = {"h5", files, 1, 2};

/* Tensors `a` and `b`, which the graph orders b, a; and a hidden one: the
 * builder's third, taken off the list. */
static struct wh_source *make_full(void)
{
	static const float a = 1, b = 2;
	static const uint8_t skeleton[] = "abc";
	const uint64_t three[] = {3};
	const struct wh_array arrays[] = {
		{.name = "a", .dtype = WH_FLOAT32, .data = &a},
		{.name = "b", .dtype = WH_FLOAT32, .data = &b},
		{.name = "s",
		 .dtype = WH_UINT8,
		 .rank = 1,
		 .shape = three,
		 .data = skeleton},
	};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < 3; i++)
		assert_ok(wh_builder_weight(builder, &arrays[i], &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	source->manifest.n_tensors = 2;
	source->manifest.n_hidden = 1;
	source->manifest.layers[0].n_variables = 2;
	source->manifest.graph = &graph;
	source->manifest.attributes = attributes;
	source->manifest.n_attributes = 2;
	source->manifest.template_ = &template_;
	source->manifest.origin_format = "h5";
	source->manifest.origin_generator = "keras 2.21.0";
	return source;
}

static void commit_full(struct fixture *f)
{
	struct wh_source *source = make_full();

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void a_whole_manifest_comes_back(void **state)
{
	struct fixture *f = *state;
	const struct wh_manifest *back;
	struct wh_source *source;
	char bytes[4] = "", hex[WH_ID_SIZE];

	commit_full(f);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &source, &f->err),
		  &f->err);
	back = &source->manifest;
	assert_int_equal(back->n_tensors, 2);
	assert_string_equal(back->tensors[0].key,
			    "b"); /* as the graph has it */
	assert_string_equal(back->tensors[1].key, "a");
	assert_int_equal(back->graph->n_nodes, 2);
	assert_string_equal(back->graph->nodes[0].edges[0].name, "fc");
	assert_int_equal(back->n_attributes, 2);
	assert_int_equal(back->attributes[1].integer, -5);
	assert_string_equal(back->origin_generator, "keras 2.21.0");
	assert_string_equal(back->template_->format, "h5");
	assert_int_equal(back->template_->skeleton, 2);
	/* Extents name the same tensors under their new places. */
	assert_int_equal(back->template_->files[0].extents[1].tensor, 1);
	assert_int_equal(back->template_->files[0].extents[2].tensor, 0);
	assert_ok(wh_source_read(source, 2, 0, bytes, 3, &f->err), &f->err);
	assert_string_equal(bytes, "abc");
	text_hex(back->tensors[2].sha256, sizeof(back->tensors[2].sha256), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
	assert_true(back->tensors[0].has_statistics);
	assert_true(back->tensors[0].statistics.max > 1.5);
	wh_source_close(source);
}

static void the_same_manifest_shares_its_texts(void **state)
{
	struct fixture *f = *state;
	struct sentences found;
	char tree[WH_ID_SIZE];

	commit_full(f);
	memcpy(tree, f->result.tree, sizeof(tree));
	commit_full(f);
	assert_string_equal(f->result.tree, tree);
	assert_int_equal(f->result.stored_bytes, 0);
	verify_store(f, &found);
	assert_string_equal(found.text, "");
}

static void damaged_texts_and_skeletons_are_named(void **state)
{
	static const char *const cases[] = {
		"UPDATE chunk SET crc32c = 1 WHERE raw_bytes = 3",
		"UPDATE tree SET attributes_id = graph_id",
		"UPDATE tree SET graph_id = attributes_id",
		"UPDATE template SET text_id = skeleton_id",
		"UPDATE template SET skeleton_id = NULL",
		"UPDATE template SET format = 'tf'",
		"UPDATE tree SET graph_id = NULL",
		"UPDATE snapshot SET template_id = NULL",
	};
	struct fixture *f = *state;
	struct sentences found;
	size_t i;

	commit_full(f);
	save_store(f);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		damage_store(f, cases[i]);
		read_all(f, "HEAD");
		verify_store(f, &found);
		if (found.n == 0)
			fail_msg("not found: %s", cases[i]);
		restore_store(f);
	}
	forget_saved(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_whole_manifest_comes_back),
		with_store(the_same_manifest_shares_its_texts),
		with_store(damaged_texts_and_skeletons_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
