/* classic/'s layout against libhdf5's: whenever it takes a model on, the file
 * is the same to the byte, and payloads lie at the same offsets. Over models
 * drawn at random, small and large. */
#include "support/assert.h"

#include <stdlib.h>

#include "base/arena.h"
#include "hdf5/classic/layout.h"

#define SMALL_MODELS 520
#define MOST_WEIGHTS 400 /* of a layer, in few of them */
#define SEED	     UINT64_C(88172645463325252)

static uint64_t seed = SEED;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t below(uint64_t limit)
{
	return next() % limit;
}

/* ---- Models ------------------------------------------------------------- */

struct model {
	struct arena arena;
	struct wh_manifest manifest;
	struct layout_model layout;
};

static void add_tensor(struct model *model, uint32_t index)
{
	static const enum wh_dtype dtypes[] = {
		WH_FLOAT32,  WH_FLOAT32,   WH_FLOAT32,	 WH_FLOAT16, WH_FLOAT64,
		WH_BFLOAT16, WH_INT8,	   WH_UINT8,	 WH_INT64,   WH_UINT32,
		WH_BOOL,     WH_COMPLEX64, WH_COMPLEX128};
	struct wh_tensor *tensor = &model->manifest.tensors[index];
	uint64_t *shape, n = 1;
	uint32_t i;

	tensor->dtype = dtypes[below(sizeof(dtypes) / sizeof(dtypes[0]))];
	/* A header of libhdf5 has room for complex numbers up to rank 2. */
	tensor->rank = (uint32_t)below(tensor->dtype >= WH_COMPLEX64 ? 3 : 5);
	shape = arena_alloc(&model->arena, tensor->rank + 1, sizeof(*shape));
	for (i = 0; i < tensor->rank; i++) {
		shape[i] = below(40) == 0 ? 0 : 1 + below(i > 0 ? 4 : 20);
		if (tensor->rank == 1 && below(50) == 0)
			shape[i] *= 1000;
		n *= shape[i];
	}
	tensor->shape = shape;
	tensor->nbytes = n * wh_dtype_size(tensor->dtype);
}

/* "d3", "block_dense_3", long ones: as different as models' names are. */
static const char *make_name(struct model *model, uint64_t style, uint64_t i)
{
	static const char *const stems[] = {
		"d", "dense", "batch_normalization", "block_of_layers_dense",
		"a_very_long_name_that_somebody_gave_to_one_of_the_layers"};

	return arena_printf(&model->arena, "%s_%llu",
			    stems[style % 7 ? style % 5 : below(5)],
			    (unsigned long long)i);
}

static const char *make_weight_name(struct model *model, const char *layer,
				    uint64_t style, uint64_t i)
{
	static const char *const kinds[] = {"kernel:0", "bias:0",
					    "gamma:0",	"beta:0",
					    "w:0",	"recurrent_kernel:0"};

	switch (style % 4) {
	case 0:
		return arena_printf(&model->arena, "%s/%s%llu", layer,
				    kinds[i % 6], (unsigned long long)i);
	case 1:
		return arena_printf(&model->arena, "%s/cell_%llu/%s%llu", layer,
				    (unsigned long long)(i / 3 % 5),
				    kinds[below(6)], (unsigned long long)i);
	case 2:
		return arena_printf(&model->arena, "w%llu_%llu",
				    (unsigned long long)below(1000),
				    (unsigned long long)i);
	default:
		return arena_printf(&model->arena, "inner_%llu/%s_%llu",
				    (unsigned long long)below(4), kinds[i % 6],
				    (unsigned long long)i);
	}
}

static uint32_t count_weights(uint64_t style, bool large)
{
	if (large)
		return (uint32_t)(style % 3 ? 1 + below(2) : below(5));
	if (below(4000) == 0)
		return (uint32_t)below(MOST_WEIGHTS);
	return (uint32_t)(below(12) == 0 ? below(60) : below(6));
}

static void make_model(struct model *model, uint32_t n_layers, bool large,
		       uint64_t style, uint64_t weights)
{
	struct mapping_layer *layers =
		arena_alloc(&model->arena, n_layers + 1, sizeof(*layers));
	uint32_t i, k, n = 0, capacity = n_layers * MOST_WEIGHTS + 60;

	model->manifest.tensors =
		arena_alloc(&model->arena, capacity, sizeof(struct wh_tensor));
	for (i = 0; i <= n_layers; i++) {
		struct mapping_weight *list;

		layers[i].name = make_name(model, style, i);
		layers[i].n_weights = i == n_layers
					      ? (uint32_t)below(2)
					      : count_weights(weights, large);
		list = arena_alloc(&model->arena, layers[i].n_weights + 1,
				   sizeof(*list));
		for (k = 0; k < layers[i].n_weights; k++) {
			list[k].name = make_weight_name(model, layers[i].name,
							weights, k);
			list[k].tensor = n;
			add_tensor(model, n++);
		}
		layers[i].weights = list;
	}
	model->manifest.n_tensors = n;
	model->layout = (struct layout_model){
		.manifest = &model->manifest,
		.layers = layers,
		.n_layers = n_layers,
		.top = below(3) ? &layers[n_layers] : NULL,
		.backend = below(4) ? "tensorflow" : NULL,
		.keras_version = below(4) ? "2.21.0" : NULL};
}

/* ---- Comparing ---------------------------------------------------------- */

static uint64_t *make_offsets(const struct model *model)
{
	uint64_t *offsets =
		calloc(model->manifest.n_tensors + 1, sizeof(*offsets));
	uint32_t i;

	assert_non_null(offsets);
	for (i = 0; i < model->manifest.n_tensors; i++)
		offsets[i] = LAYOUT_NOWHERE;
	return offsets;
}

/* Every piece is what libhdf5 wrote there; what is no piece is zeros. */
static void assert_same_bytes(const struct sparse_image *image,
			      const struct classic_writer *writer)
{
	static uint8_t page[SPARSE_PAGE], mine[SPARSE_PAGE];
	uint64_t at, i, first = 0;

	for (at = 0; at < image->size; at += SPARSE_PAGE) {
		sparse_image_read(image, at, page, sizeof(page));
		memset(mine, 0, sizeof(mine));
		while (first < writer->n_pieces &&
		       writer->pieces[first].address +
				       writer->pieces[first].size <=
			       at)
			first++;
		for (i = first; i < writer->n_pieces; i++) {
			const struct classic_piece *piece = &writer->pieces[i];
			uint64_t from =
				piece->address > at ? piece->address : at;
			uint64_t to = piece->address + piece->size;

			if (piece->address >= at + SPARSE_PAGE)
				break;
			if (to > at + SPARSE_PAGE)
				to = at + SPARSE_PAGE;
			memcpy(mine + (from - at),
			       writer->bytes.data + piece->start +
				       (from - piece->address),
			       to - from);
		}
		for (i = 0; i < SPARSE_PAGE; i++)
			if (page[i] != mine[i])
				fail_msg("byte %llu is %02x, not %02x",
					 (unsigned long long)(at + i), mine[i],
					 page[i]);
	}
}

/* Whether classic/ took it. */
static bool compare(const struct model *model)
{
	struct classic_writer writer;
	struct sparse_image image = {0};
	uint64_t *mine = make_offsets(model), *theirs = make_offsets(model);
	bool taken = classic_layout(&model->layout, &writer, mine);
	struct wh_error err;
	enum wh_status status =
		layout_write(&model->layout, &image, theirs, &err);
	uint32_t i;

	if (!taken && status == WH_OK)
		print_message("declined, %u tensors\n",
			      model->manifest.n_tensors);
	if (taken) {
		assert_int_equal(status, WH_OK);
		for (i = 0; i < model->manifest.n_tensors; i++)
			if (mine[i] != theirs[i])
				fail_msg("tensor %u lies at %llu, not %llu", i,
					 (unsigned long long)mine[i],
					 (unsigned long long)theirs[i]);
		assert_int_equal(writer.space.end, image.size);
		assert_same_bytes(&image, &writer);
	}
	classic_writer_close(&writer);
	sparse_image_free(&image);
	free(mine);
	free(theirs);
	return taken;
}

static void small_models_come_out_the_same(void **state)
{
	uint32_t i, taken = 0;

	(void)state;
	for (i = 0; i < SMALL_MODELS; i++) {
		struct model model = {0};

		make_model(&model, (uint32_t)below(below(16) ? 12 : 120), false,
			   next(), next());
		taken += compare(&model);
		arena_free(&model.arena);
	}
	print_message("%u of %u models were taken\n", taken, SMALL_MODELS);
	assert_true(taken > SMALL_MODELS * 9 / 10);
}

static bool compare_large(uint32_t n_layers, uint64_t style, uint64_t weights)
{
	struct model model = {0};
	bool taken;

	make_model(&model, n_layers, true, style, weights);
	taken = compare(&model);
	print_message("%u layers: %s\n", n_layers,
		      taken ? "taken" : "left to libhdf5");
	arena_free(&model.arena);
	return taken;
}

static void large_models_come_out_the_same(void **state)
{
	static const uint32_t sizes[] = {300, 700, 1500, 5000};
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_true(compare_large(sizes[i], 1 + i, 4));
}

/* The names of the root's table fill more than half a MiB: the heap moves just
 * after a layer's group was made, and libhdf5 may have written that by then. */
static void names_of_a_mib_come_out_the_same(void **state)
{
	struct model model = {0};
	struct mapping_layer *layers;
	uint32_t i;

	(void)state;
	make_model(&model, 500, true, 1, 4);
	layers = arena_alloc(&model.arena, 501, sizeof(*layers));
	for (i = 0; i < 500; i++) {
		layers[i] = model.layout.layers[i];
		layers[i].name =
			arena_printf(&model.arena, "layer_%03u_%01500u", i, 0u);
	}
	model.layout.layers = layers;
	assert_true(compare(&model));
	arena_free(&model.arena);
}

/* Where long and short names alternate, libhdf5's cache may decide. With this
 * seed it does: whoever takes the models all the same gets other bytes. */
#define CACHE_SEED 14
static void what_the_cache_decides_is_left_to_libhdf5(void **state)
{
	static const uint32_t sizes[] = {700, 1500, 2600, 900};
	uint32_t i, taken = 0;

	(void)state;
	seed = CACHE_SEED;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		taken += compare_large(sizes[i], next() * 7, next());
	assert_true(taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_models_come_out_the_same),
		cmocka_unit_test(large_models_come_out_the_same),
		cmocka_unit_test(names_of_a_mib_come_out_the_same),
		cmocka_unit_test(what_the_cache_decides_is_left_to_libhdf5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
