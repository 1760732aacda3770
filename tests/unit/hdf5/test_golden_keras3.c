/* Every golden Keras 3 file: its tensors are what h5py sees, its template gives
 * the files back, and what Keras 3 and tf-keras wrote by save_weights the
 * planner makes, byte for byte, from values and names alone. */
#include "support/assert.h"

#include <unistd.h>

#include "base/buf.h"
#include "core/manifest.h"
#include "hdf5/keras3/load.h"
#include "hdf5/keras3/plan.h"
#include "support/golden.h"
#include "support/json.h"
#include "zip/stream.h"
#include <weighhouse/weights.h>

static struct golden_names names;

struct golden {
	json_t *truth;
	struct wh_source *source;
	char path[800];
	struct wh_error err;
};

static void open_case(struct golden *g, const char *name)
{
	static const struct wh_load_options options;
	json_error_t error;
	char path[800];

	snprintf(path, sizeof(path), GOLDEN "/keras3/%s.truth", name);
	g->truth = json_load_file(path, 0, &error);
	if (!g->truth)
		fail_msg("%s: %s", path, error.text);
	snprintf(g->path, sizeof(g->path), GOLDEN "/keras3/%s",
		 json_string_value(json_object_get(g->truth, "file")));
	print_message("%s\n", name);
	assert_ok(keras3_load(g->path, &options, &g->source, &g->err), &g->err);
}

static void close_case(struct golden *g)
{
	wh_source_close(g->source);
	json_decref(g->truth);
}

static uint32_t find_tensor(const struct golden *g, const char *key)
{
	const struct wh_manifest *manifest = &g->source->manifest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (strcmp(manifest->tensors[i].key, key) == 0)
			return i;
	fail_msg("there is no tensor '%s'", key);
	return 0;
}

static void assert_row_is(const struct golden *g, const json_t *row)
{
	uint32_t at =
		find_tensor(g, json_string_value(json_object_get(row, "key")));

	assert_tensor_is(&g->source->manifest.tensors[at], row);
}

static void the_tensors_are_what_h5py_sees(void **state)
{
	size_t i, k;

	(void)state;
	assert_true(names.n >= 37);
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		const json_t *row, *rows;

		open_case(&g, names.list[i]);
		assert_ok(wh_source_weigh(g.source, WH_SHA256, 1, NULL, NULL,
					  &g.err),
			  &g.err);
		rows = json_object_get(g.truth, "tensors");
		assert_int_equal(g.source->manifest.n_tensors,
				 json_array_size(rows));
		json_array_foreach(rows, k, row) assert_row_is(&g, row);
		close_case(&g);
	}
}

/* Of a sharded one all files, by the name of its map. */
static void assert_images_are_files(struct wh_plan *plan, const char *path)
{
	uint32_t i;

	for (i = 0; i < wh_plan_n_images(plan); i++) {
		struct wh_image *image = wh_plan_image(plan, i);
		char *name = wh_image_path(path, image->suffix);

		image->suffix[0] = '\0';
		assert_image_is_file(plan, i, name);
		free(name);
	}
}

static void keras_files_are_made_byte_for_byte(void **state)
{
	size_t i, made = 0;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		struct wh_plan_options options = {0};
		struct wh_plan *plan;

		open_case(&g, names.list[i]);
		options.filepath = g.path;
		if (json_is_true(json_object_get(g.truth, "canonical"))) {
			assert_ok(
				keras3_plan(g.source, &options, &plan, &g.err),
				&g.err);
			assert_images_are_files(plan, g.path);
			wh_plan_free(plan);
			made++;
		}
		close_case(&g);
	}
	assert_true(made >= 30);
}

static bool is_packed(const char *name)
{
	return strcmp(name, "chunked") == 0 ||
	       strcmp(name, "archive-deflated") == 0;
}

static void templates_give_the_files_back(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};
		bool reproducible;

		open_case(&g, names.list[i]);
		if (is_packed(names.list[i])) {
			assert_null(g.source->manifest.template_);
			assert_int_equal(g.source->manifest.n_warnings, 1);
		} else {
			assert_non_null(g.source->manifest.template_);
			assert_ok(wh_checkpoint_prove(g.source, g.path, NULL,
						      &reproducible, &g.err),
				  &g.err);
			assert_true(reproducible);
		}
		close_case(&g);
	}
}

/* The maximum decides where shards end, as max_shard_size did. */
static void shards_are_cut_as_keras_cuts_them(void **state)
{
	static const struct {
		const char *name;
		uint64_t max;
	} rows[] = {{"sharded-nested", 60}, {"sharded-numbers", 33}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct golden g = {0};
		struct wh_plan_options options = {.max_shard_size =
							  rows[i].max};
		struct wh_plan *plan;

		open_case(&g, rows[i].name);
		options.filepath = g.path;
		assert_ok(keras3_plan(g.source, &options, &plan, &g.err),
			  &g.err);
		assert_images_are_files(plan, g.path);
		wh_plan_free(plan);
		options.max_shard_size = 7;
		assert_fails(keras3_plan(g.source, &options, &plan, &g.err),
			     &g.err, WH_EUNSUPPORTED,
			     "exceeds the maximum shard size 7 B");
		close_case(&g);
	}
}

static const struct wh_layer *layer_of(const struct golden *g, uint32_t index)
{
	assert_true(index < g->source->manifest.n_layers);
	return &g->source->manifest.layers[index];
}

static void layers_have_names_classes_and_order(void **state)
{
	static const struct {
		const char *name, *layers[5], *classes[5];
	} rows[] = {
		{"k3-sequential",
		 {"fc1", "dropout", "norm", "fc2"},
		 {"Dense", "Dropout", "BatchNormalization", "Dense"}},
		{"k2-sequential",
		 {"dense", "dropout", "batch_normalization", "dense_1"},
		 {"Dense", "Dropout", "BatchNormalization", "Dense"}},
		{"archive-keras2",
		 {"fc1", "dropout", "norm", "fc2"},
		 {"Dense", "Dropout", "BatchNormalization", "Dense"}},
		{"k3-recurrent",
		 {"lstm", "gru", "last"},
		 {"LSTM", "GRU", "SimpleRNN"}},
	};
	size_t i;
	uint32_t k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct golden g = {0};

		open_case(&g, rows[i].name);
		for (k = 0; rows[i].layers[k]; k++) {
			assert_string_equal(layer_of(&g, k)->name,
					    rows[i].layers[k]);
			assert_string_equal(layer_of(&g, k)->class_name,
					    rows[i].classes[k]);
		}
		close_case(&g);
	}
}

static void what_is_no_weight_has_another_role(void **state)
{
	const struct wh_layer *layer;
	const struct wh_variable *variable;
	struct golden g = {0};
	uint32_t i, n = 0;

	(void)state;
	open_case(&g, "k3-trained");
	for (i = 0; i < g.source->manifest.n_tensors; i++) {
		assert_true(wh_manifest_owner(&g.source->manifest, i, &layer,
					      &variable));
		if (variable->role == WH_ROLE_OPTIMIZER) {
			assert_int_equal(layer->kind, WH_LAYER_OPTIMIZER);
			n++;
		}
	}
	assert_int_equal(n, 2 + 2 * 6); /* iteration, rate, two slots each */
	close_case(&g);
}

static void a_format_is_found_by_content(void **state)
{
	struct wh_source *source;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < names.n; i++) {
		struct golden g = {0};

		open_case(&g, names.list[i]);
		assert_ok(wh_checkpoint_open(g.path, NULL, NULL, &source, &err),
			  &err);
		assert_string_equal(source->manifest.origin_format, "keras3");
		wh_source_close(source);
		close_case(&g);
	}
	assert_ok(wh_checkpoint_open(GOLDEN "/h5/h5py-renamed-weights.h5", NULL,
				     NULL, &source, &err),
		  &err);
	assert_string_equal(source->manifest.origin_format, "h5");
	wh_source_close(source);
	/* A shard means its checkpoint. */
	assert_ok(wh_checkpoint_open(GOLDEN
				     "/keras3/sharded-nested_00002.weights.h5",
				     NULL, NULL, &source, &err),
		  &err);
	assert_int_equal(source->manifest.n_tensors, 10);
	wh_source_close(source);
}

/* ---- Other values in an imported archive ------------------------------ */

struct flipped {
	struct wh_source base;
	struct wh_source *inner;
};

/* All bits of the first tensor are others. */
static enum wh_status read_flipped(struct wh_source *base, uint32_t index,
				   uint64_t offset, void *buf, size_t len,
				   struct wh_error *err)
{
	struct flipped *flipped = (struct flipped *)base;
	uint8_t *bytes = buf;
	size_t i;

	WH_TRY(flipped->inner->ops->read(flipped->inner, index, offset, buf,
					 len, err));
	for (i = 0; i < len && index == 0; i++)
		bytes[i] ^= 0xff;
	return WH_OK;
}

static void assert_member_is_whole(const uint8_t *bytes, size_t size)
{
	char path[] = "/tmp/wh-keras-XXXXXX";
	struct arena arena = {0};
	struct wh_buf member = {0};
	struct zip_archive archive;
	struct wh_error err;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, bytes, size), size);
	assert_ok(zip_open(fd, size, &arena, &archive, &err), &err);
	/* It reads no member without its CRC-32. */
	assert_ok(zip_read_all(&archive, zip_find(&archive, "model.weights.h5"),
			       size, &member, &err),
		  &err);
	wh_buf_free(&member);
	arena_free(&arena);
	close(fd);
}

static void an_archive_with_other_values_has_their_checksum(void **state)
{
	static const struct wh_source_ops ops = {.read = read_flipped};
	static const struct wh_plan_options options;
	const struct wh_format *format = wh_format_by_name(NULL, "keras3");
	struct flipped flipped = {0};
	struct golden g = {0};
	struct wh_plan *plan;
	bool reproduced;
	uint8_t *bytes;
	uint64_t size;

	(void)state;
	open_case(&g, "archive");
	flipped.base = *g.source;
	flipped.base.ops = &ops;
	flipped.inner = g.source;
	assert_ok(wh_plan_for(&flipped.base, format, &options, false, &plan,
			      &reproduced, &g.err),
		  &g.err);
	assert_true(reproduced);
	size = wh_plan_image(plan, 0)->size;
	bytes = malloc(size);
	assert_ok(wh_plan_read(plan, 0, 0, bytes, size, &g.err), &g.err);
	assert_member_is_whole(bytes, size);
	free(bytes);
	wh_plan_free(plan);
	close_case(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tensors_are_what_h5py_sees),
		cmocka_unit_test(keras_files_are_made_byte_for_byte),
		cmocka_unit_test(templates_give_the_files_back),
		cmocka_unit_test(shards_are_cut_as_keras_cuts_them),
		cmocka_unit_test(layers_have_names_classes_and_order),
		cmocka_unit_test(what_is_no_weight_has_another_role),
		cmocka_unit_test(a_format_is_found_by_content),
		cmocka_unit_test(
			an_archive_with_other_values_has_their_checksum),
	};

	golden_list(&names, GOLDEN "/keras3", ".truth");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
