/* Texts and their SHA-256 against tests/golden/canonical, which a script made
 * that shares no code with ours. */
#include "support/assert.h"

#include <stdlib.h>

#include "base/sha256.h"
#include "base/text.h"
#include "canonical.h"

#define MAX_GOLDEN 4096

static uint8_t count[WH_SHA256_SIZE], ones[WH_SHA256_SIZE],
	zero[WH_SHA256_SIZE];

static int fill_digests(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(count); i++)
		count[i] = (uint8_t)i;
	memset(ones, 0xff, sizeof(ones));
	return 0;
}

/* The golden text of that name; NUL-terminated. */
static size_t read_golden(const char *name, char text[MAX_GOLDEN])
{
	char path[512];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), GOLDEN "/canonical/%s.txt", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(text, 1, MAX_GOLDEN - 1, file);
	fclose(file);
	text[size] = '\0';
	return size;
}

/* The line of SHA256SUMS for that text. */
static void golden_sum(const char *name, char hex[65])
{
	FILE *file = fopen(GOLDEN "/canonical/SHA256SUMS", "r");
	char line[256], wanted[128];

	assert_non_null(file);
	snprintf(wanted, sizeof(wanted), "  %s.txt\n", name);
	while (fgets(line, sizeof(line), file))
		if (strcmp(line + 64, wanted) == 0)
			snprintf(hex, 65, "%.64s", line);
	fclose(file);
}

static void assert_golden(struct wh_buf *made, const char *name)
{
	char text[MAX_GOLDEN], hex[65] = "", expected[65] = "";
	size_t size = read_golden(name, text);
	uint8_t digest[SHA256_SIZE];
	struct wh_error err;

	if (made->size != size || memcmp(made->data, text, size) != 0)
		fail_msg("%s: \"%.*s\" instead of \"%s\"", name,
			 (int)made->size, (char *)made->data, text);
	assert_ok(sha256_of(made->data, made->size, digest, &err), &err);
	text_hex(digest, sizeof(digest), hex);
	golden_sum(name, expected);
	assert_string_equal(hex, expected);
	wh_buf_free(made);
}

/* ---- Layers, trees, snapshots ---------------------------------------------
 */

static void assert_layer(const struct wh_manifest *manifest,
			 const struct wh_layer *layer, const char *name)
{
	struct wh_buf text = {0};
	struct wh_error err;

	assert_ok(canonical_layer(&text, manifest, layer, &err), &err);
	assert_golden(&text, name);
}

static void a_layer_with_all_fields(void **state)
{
	const uint64_t matrix[] = {2, 3}, strange[] = {0, UINT64_MAX};
	struct wh_tensor tensors[] = {
		{.key = "hidden/hidden/kernel:0",
		 .dtype = WH_FLOAT32,
		 .rank = 2,
		 .shape = matrix},
		{.key = "it", .dtype = WH_INT64},
		{.key = "s", .dtype = WH_STRING, .rank = 2, .shape = strange},
	};
	struct wh_variable variables[] = {
		{"hidden/kernel:0", "cell/kernel", "layers/dense/vars/0",
		 WH_ROLE_WEIGHT, WH_TRAINABLE_YES, 0},
		{"", "", "", WH_ROLE_OPTIMIZER, WH_TRAINABLE_UNKNOWN, 1},
		{" two blanks  ", NULL, NULL, WH_ROLE_OTHER, WH_TRAINABLE_NO,
		 2},
	};
	struct wh_layer layer = {.name = "h\\i\nd\rd\te\001n\177\xc3\xa9",
				 .class_name = "My\\Dense",
				 .variables = variables,
				 .n_variables = 3};
	struct wh_manifest manifest = {.tensors = tensors, .n_tensors = 3};

	(void)state;
	memcpy(tensors[0].sha256, count, sizeof(count));
	memcpy(tensors[1].sha256, ones, sizeof(ones));
	assert_layer(&manifest, &layer, "layer-full");
}

static void layers_of_every_kind(void **state)
{
	static const struct {
		struct wh_layer layer;
		const char *golden;
	} cases[] = {
		{{.name = "drop"}, "layer-bare"},
		{{.name = "", .class_name = "", .kind = WH_LAYER_MODEL},
		 "layer-model"},
		{{.name = "optimizer", .kind = WH_LAYER_OPTIMIZER},
		 "layer-optimizer"},
		{{.name = "state", .kind = WH_LAYER_STATE}, "layer-state"},
	};
	struct wh_manifest manifest = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_layer(&manifest, &cases[i].layer, cases[i].golden);
}

static void trees_full_and_empty(void **state)
{
	struct canonical_place places[3] = {
		{.container = WH_NO_LAYER}, {.container = 0}, {.container = 1}};
	struct wh_buf text = {0};
	struct wh_error err;

	(void)state;
	memcpy(places[1].layer, count, sizeof(count));
	memcpy(places[2].layer, ones, sizeof(ones));
	assert_ok(canonical_tree(&text, count, ones, places, 3, &err), &err);
	assert_golden(&text, "tree-full");
	assert_ok(canonical_tree(&text, NULL, NULL, NULL, 0, &err), &err);
	assert_golden(&text, "tree-bare");
}

static void assert_snapshot(const struct canonical_snapshot *snapshot,
			    const char *name)
{
	struct wh_buf text = {0};
	struct wh_error err;

	assert_ok(canonical_snapshot(&text, snapshot, &err), &err);
	assert_golden(&text, name);
}

static void snapshots_full_and_bare(void **state)
{
	struct canonical_snapshot full = {
		.tree = count,
		.parent = ones,
		.template_ = zero,
		.template_format = "h5",
		.time = 1700000000,
		.run_uuid = "01234567-89ab-4cde-8f01-23456789abcd",
		.has_step = true,
		.has_epoch = true,
		.step = -7,
		.epoch = INT64_MAX,
		.origin_format = "h5",
		.origin_generator = "keras 2.21.0\n\\",
		.message = "two lines,\n one of them with \\, \t, \r and "
			   "\xc3\xa9\n\nand an empty one",
	};
	struct canonical_snapshot bare = {
		.tree = zero, .time = -1, .run_uuid = "r", .message = ""};
	struct canonical_snapshot memory = {
		.tree = zero,
		.run_uuid = "r",
		.has_step = true,
		.has_epoch = true,
		.origin_format = "memory",
		.origin_generator = "",
		.message = "m",
	};

	(void)state;
	assert_snapshot(&full, "snapshot-full");
	assert_snapshot(&bare, "snapshot-bare");
	assert_snapshot(&memory, "snapshot-memory");
}

/* ---- Texts that are read back ----------------------------------------------
 */

static void a_graph_goes_out_and_comes_back(void **state)
{
	struct wh_graph_edge edges[] = {{1, "layer_with_weights-0"},
					{0, "root"}};
	struct wh_graph_attribute values[] = {
		{"VARIABLE_VALUE", "a\\b", "w/.ATTRIBUTES/V", false},
		{"X", NULL, "k", true},
	};
	struct wh_graph_slot slots[] = {{1, 2, "m"}};
	struct wh_graph_node nodes[] = {
		{.edges = edges,
		 .n_edges = 2,
		 .attributes = values,
		 .n_attributes = 2,
		 .slots = slots,
		 .n_slots = 1,
		 .has_values = WH_HAS_VALUES_YES},
		{.saver_name = "TPUEmbedding", .saver_object = "obj"},
		{.has_values = WH_HAS_VALUES_NO},
	};
	struct wh_graph graph = {nodes, 3}, *back;
	struct arena arena = {0};
	struct wh_buf text = {0};
	char golden[MAX_GOLDEN];
	struct wh_error err;

	(void)state;
	assert_ok(canonical_graph(&text, &graph, &err), &err);
	assert_golden(&text, "graph");
	assert_ok(canonical_read_graph(golden, read_golden("graph", golden),
				       &arena, &back, &err),
		  &err);
	assert_string_equal(back->nodes[0].attributes[0].full_name, "a\\b");
	assert_int_equal(back->nodes[0].slots[0].slot, 2);
	assert_ok(canonical_graph(&text, back, &err), &err);
	assert_golden(&text, "graph");
	arena_free(&arena);
}

static void attributes_go_out_and_come_back(void **state)
{
	struct wh_attribute attributes[] = {
		{"", "keras_version", WH_VALUE_TEXT, "2.21.0", 6, 0},
		{"model_weights", "note", WH_VALUE_TEXT, "a\tb\nc\\", 6, 0},
		{"", "n", WH_VALUE_INTEGER, NULL, 0, INT64_MIN},
		{"p", "k", WH_VALUE_BYTES, "\0\xc3\xa9", 3, 0},
	};
	struct wh_manifest manifest = {.attributes = attributes,
				       .n_attributes = 4};
	struct arena arena = {0};
	struct wh_buf text = {0};
	char golden[MAX_GOLDEN];
	struct wh_error err;

	(void)state;
	assert_ok(canonical_attributes(&text, &manifest, &err), &err);
	assert_golden(&text, "attributes");
	assert_ok(canonical_read_attributes(
			  golden, read_golden("attributes", golden), &arena,
			  &manifest.attributes, &manifest.n_attributes, &err),
		  &err);
	assert_int_equal(manifest.attributes[3].size, 3);
	assert_memory_equal(manifest.attributes[3].text, "\0\xc3\xa9", 3);
	assert_ok(canonical_attributes(&text, &manifest, &err), &err);
	assert_golden(&text, "attributes");
	arena_free(&arena);
}

static void a_template_goes_out_and_comes_back(void **state)
{
	struct wh_extent extents[] = {
		{.offset = 0, .length = 4, .tensor = 2},
		{.offset = 4, .length = 8, .tensor = 1, .swap = 4},
		{.offset = 12,
		 .length = 8,
		 .tensor = 0,
		 .start = 4,
		 .run = 2,
		 .stride = 4},
	};
	struct wh_template_file files[] = {
		{".data", 20, false, extents, 3},
		{".index", 99, true, NULL, 0},
	};
	struct wh_template template_ = {"tf", files, 2, 2}, *back;
	struct wh_tensor tensors[] = {{.key = "a"}, {.key = "b"}, {.key = ""}};
	struct wh_variable variables[] = {{.tensor = 0}, {.tensor = 1}};
	struct wh_layer layer = {.variables = variables, .n_variables = 2};
	struct wh_manifest manifest = {.tensors = tensors,
				       .n_tensors = 2,
				       .n_hidden = 1,
				       .layers = &layer,
				       .n_layers = 1,
				       .template_ = &template_};
	struct arena arena = {0};
	struct wh_buf text = {0};
	char golden[MAX_GOLDEN];
	struct wh_error err;

	(void)state;
	memcpy(tensors[2].sha256, count, sizeof(count));
	assert_ok(canonical_template(&text, &manifest, &err), &err);
	assert_golden(&text, "template");
	assert_ok(canonical_read_template(golden,
					  read_golden("template", golden), 2,
					  &arena, &back, &err),
		  &err);
	assert_int_equal(back->files[0].extents[2].offset, 12);
	assert_int_equal(back->skeleton, 2);
	manifest.template_ = back;
	assert_ok(canonical_template(&text, &manifest, &err), &err);
	assert_golden(&text, "template");
	arena_free(&arena);
}

/* ---- Texts that are damaged
 * -------------------------------------------------- */

static enum wh_status read_as(const char *text, size_t len)
{
	struct arena arena = {0};
	struct wh_attribute *attributes;
	struct wh_template *template_;
	struct wh_graph *graph;
	enum wh_status status;
	uint32_t n;

	if (strncmp(text, "weighhouse graph", 16) == 0)
		status = canonical_read_graph(text, len, &arena, &graph, NULL);
	else if (strncmp(text, "weighhouse template", 19) == 0)
		status = canonical_read_template(text, len, 2, &arena,
						 &template_, NULL);
	else
		status = canonical_read_attributes(text, len, &arena,
						   &attributes, &n, NULL);
	arena_free(&arena);
	return status;
}

static void bad_lines_are_refused(void **state)
{
	static const char *const texts[] = {
		"weighhouse graph 1",
		"weighhouse graph 1\ncount 1\n",
		"weighhouse graph 1\ncount 0\nnode 0\n",
		"weighhouse graph 1\ncount 1\nedge 0\ta\n",
		"weighhouse graph 1\ncount 1\nnode 0\nedge 1\ta\n",
		"weighhouse graph 1\ncount 1\nnode 0\nedge 0\n",
		"weighhouse graph 1\ncount 1\nnode 9\n",
		"weighhouse graph 1\ncount 1\nnode 0\nslot 0\t7\tm\n",
		"weighhouse graph 1\ncount 1\nnode 0\nslot 7\t0\tm\n",
		"weighhouse graph 1\ncount 1\nnode 0\nvalue 0\ta\tb\n",
		"weighhouse graph 1\ncount 1\nnode 0\nsaver a\n",
		"weighhouse graph 1\ncount 1\nnode 0\nother a\n",
		"weighhouse graph 1\ncount 1\nnode 0\nedge 0\ta\\q\n",
		"weighhouse graph 1\ncount 1\nnode 0\nedge 0\ta",
		"weighhouse graph 1\ncount 99999999999\nnode 0\n",
		"weighhouse attributes 2\ncount 0\n",
		"weighhouse attributes 1\n",
		"weighhouse attributes 1\ncount 1\n",
		"weighhouse attributes 1\ncount 0\ntext a\tb\tc\n",
		"weighhouse attributes 1\ncount 1\nfloat a\tb\t1\n",
		"weighhouse attributes 1\ncount 1\ninteger a\tb\tx\n",
		"weighhouse attributes 1\ncount 1\ntext a\tb\\x0\tc\n",
		"weighhouse template 1\nfiles 0\n",
		"weighhouse template 1\nfiles 1\nformat a\n",
		"weighhouse template 1\nfiles 0\nformat a\nfile "
		"0\tcanonical\t0\t\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"0\tcanonical\t0\t../x\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"8\textents\t1\t\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"8\textents\t1\t\nextent 9\t0\t0\t0\t0\t0\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"8\textents\t1\t\nextent 8\t2\t0\t0\t0\t0\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"8\textents\t1\t\nextent 8\t0\t0\t0\t0\t17\n",
		"weighhouse template 1\nfiles 1\nformat a\nextent "
		"8\t0\t0\t0\t0\t0\n",
		"weighhouse template 1\nfiles 1\nformat a\nfile "
		"8\textents\t99999999\t\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (read_as(texts[i], strlen(texts[i])) != WH_ECORRUPT)
			fail_msg("accepted: %s", texts[i]);
}

/* Whatever is cut or changed, the answer is an answer. */
static void damaged_texts_end_in_an_error_or_a_value(void **state)
{
	static const char *const names[] = {"graph", "attributes", "template"};
	static const char marks[] = {'\0', '\n', '\t', ' ', '9', '-', '\\'};
	char text[MAX_GOLDEN];
	size_t i, at, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		size_t size = read_golden(names[i], text);

		for (at = 0; at < size; at++) {
			char kept = text[at];

			read_as(text, at);
			for (k = 0; k < sizeof(marks); k++) {
				text[at] = marks[k];
				read_as(text, size);
			}
			text[at] = kept;
		}
		assert_int_equal(read_as(text, size), WH_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_layer_with_all_fields),
		cmocka_unit_test(layers_of_every_kind),
		cmocka_unit_test(trees_full_and_empty),
		cmocka_unit_test(snapshots_full_and_bare),
		cmocka_unit_test(a_graph_goes_out_and_comes_back),
		cmocka_unit_test(attributes_go_out_and_come_back),
		cmocka_unit_test(a_template_goes_out_and_comes_back),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(damaged_texts_end_in_an_error_or_a_value),
	};

	return cmocka_run_group_tests(tests, fill_digests, NULL);
}
