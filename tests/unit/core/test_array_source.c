#include "support/assert.h"
#include "support/little.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/text.h"
#include <weighhouse/source.h>

static struct wh_source *finish(struct wh_builder *builder)
{
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static struct wh_builder *begin(const char *layer)
{
	struct wh_builder *builder = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	if (layer)
		assert_ok(wh_builder_layer(builder, layer, "Dense", &err),
			  &err);
	return builder;
}

/* A transposed, reversed view reads as NumPy's a.T[::-1].tobytes(). */
static void strides_of_any_sign_are_gathered(void **state)
{
	const int32_t a[2][3] = {{1, 2, 3}, {4, 5, 6}};
	int32_t wanted[3][2] = {{3, 6}, {2, 5}, {1, 4}};
	const uint64_t shape[] = {3, 2};
	const int64_t strides[] = {-4, 12};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_INT32,
				 .rank = 2,
				 .shape = shape,
				 .strides = strides,
				 .data = &a[0][2]};
	struct wh_builder *builder = begin("fc");
	struct wh_source *source;
	struct wh_error err;
	uint8_t bytes[24];
	size_t offset, len;

	(void)state;
	make_little(wanted, sizeof(wanted), 4);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	source = finish(builder);
	for (offset = 0; offset <= 24; offset++)
		for (len = 0; len + offset <= 24; len++) {
			assert_ok(wh_source_read(source, 0, offset, bytes, len,
						 &err),
				  &err);
			assert_memory_equal(bytes,
					    (const char *)wanted + offset, len);
		}
	assert_fails(wh_source_read(source, 0, 20, bytes, 5, &err), &err,
		     WH_EINVAL, "24 bytes");
	wh_source_close(source);
}

static void layers_and_roles_are_kept(void **state)
{
	const float zero = 0;
	struct wh_array array = {
		.name = "w", .dtype = WH_FLOAT32, .data = &zero};
	struct wh_builder *builder = begin(NULL);
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	assert_ok(wh_builder_layer(builder, "fc", NULL, &err), &err);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	assert_ok(wh_builder_optimizer(builder, &array, &err), &err);
	assert_int_equal(wh_builder_layer(builder, "fc", NULL, &err),
			 WH_EEXISTS);
	source = finish(builder);
	assert_int_equal(source->manifest.n_layers, 3);
	assert_int_equal(source->manifest.layers[0].kind, WH_LAYER_MODEL);
	assert_int_equal(source->manifest.layers[2].kind, WH_LAYER_OPTIMIZER);
	assert_string_equal(source->manifest.tensors[1].key, "fc/w");
	wh_source_close(source);
}

static int read_pattern(void *arg, uint64_t offset, void *buf, size_t len)
{
	size_t i;

	(void)arg;
	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)((offset + i) * 31);
	return 0;
}

/* Large enough for several MiB and several threads. */
static void weighing_agrees_with_one_pass(void **state)
{
	const uint64_t shape[] = {3u << 20};
	uint8_t *whole = malloc(3u << 20);
	struct wh_array array = {.name = "a",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = shape,
				 .data = whole};
	struct wh_builder *builder = begin("fc");
	struct wh_source *source;
	struct wh_error err;
	uint32_t i;

	(void)state;
	read_pattern(NULL, 0, whole, 3u << 20);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	array.name = "b";
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	array = (struct wh_array){.name = "c",
				  .dtype = WH_UINT8,
				  .rank = 1,
				  .shape = shape,
				  .read = read_pattern};
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	source = finish(builder);
	assert_ok(wh_source_weigh(source, WH_SHA256 | WH_CRC32C | WH_CRC32, 4,
				  NULL, NULL, &err),
		  &err);
	for (i = 0; i < 3; i++) {
		const struct wh_tensor *t = &source->manifest.tensors[i];

		assert_int_equal(t->crc32c, crc32c_update(0, whole, 3u << 20));
		assert_int_equal(t->crc32, crc32_update(0, whole, 3u << 20));
		assert_memory_equal(t->sha256,
				    source->manifest.tensors[0].sha256, 32);
	}
	wh_source_close(source);
	free(whole);
}

static bool refuse(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg, (void)what, (void)done, (void)total;
	return false;
}

static void weighing_can_be_cancelled(void **state)
{
	const uint64_t shape[] = {1u << 20};
	struct wh_array array = {.name = "a",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = shape,
				 .read = read_pattern};
	struct wh_builder *builder = begin("fc");
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	source = finish(builder);
	assert_fails(wh_source_weigh(source, WH_SHA256, 1, refuse, NULL, &err),
		     &err, WH_ECANCELLED, "cancelled");
	wh_source_close(source);
}

/* A mapping of the part that was cut off would end the process. */
static void a_file_that_arrays_lie_in_may_be_cut(void **state)
{
	char path[] = "/tmp/wh-map-XXXXXX";
	const uint64_t shape[] = {100000};
	struct wh_array array = {
		.name = "a", .dtype = WH_UINT8, .rank = 1, .shape = shape};
	struct wh_builder *builder = begin("fc");
	const uint8_t *bytes = NULL;
	struct wh_source *source;
	struct wh_error err;
	uint64_t size = 0;
	char piece[16];
	int fd = mkstemp(path);

	(void)state;
	assert_fails(wh_builder_map(builder, path, &bytes, &size, &err), &err,
		     WH_ECORRUPT, "is empty");
	wh_builder_free(builder);
	builder = begin("fc");
	assert_int_equal(ftruncate(fd, 100010), 0);
	assert_int_equal(pwrite(fd, "mapped", 6, 10), 6);
	assert_ok(wh_builder_map(builder, path, &bytes, &size, &err), &err);
	assert_int_equal(size, 100010);
	assert_fails(wh_builder_map(builder, path, &bytes, &size, &err), &err,
		     WH_EINVAL, "one file");
	array.data = bytes + 10;
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	source = finish(builder);
	assert_ok(wh_source_read(source, 0, 0, piece, 6, &err), &err);
	assert_memory_equal(piece, "mapped", 6);
	assert_ok(source->ops->unchanged(source, &err), &err);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_fails(wh_source_read(source, 0, 99990, piece, 10, &err), &err,
		     WH_ECORRUPT, "shorter");
	assert_fails(source->ops->unchanged(source, &err), &err, WH_EMISMATCH,
		     "has changed");
	wh_source_close(source);
	close(fd);
	unlink(path);
}

/* On a big-endian machine too, packed or not. */
static void what_lies_in_a_file_is_little_endian(void **state)
{
	static const uint8_t there[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t second[4] = {3, 4, 7, 8};
	char path[] = "/tmp/wh-map-XXXXXX";
	const uint64_t shape[] = {4};
	const int64_t strides[] = {4};
	struct wh_array packed = {
		.name = "a", .dtype = WH_INT16, .rank = 1, .shape = shape};
	struct wh_array strided = {.name = "b",
				   .dtype = WH_INT16,
				   .rank = 1,
				   .shape = (const uint64_t[]){2},
				   .strides = strides};
	struct wh_builder *builder = begin("fc");
	const uint8_t *bytes = NULL;
	struct wh_source *source;
	struct wh_error err;
	uint64_t size = 0;
	uint8_t out[8];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, there, 8), 8);
	assert_ok(wh_builder_map(builder, path, &bytes, &size, &err), &err);
	packed.data = bytes;
	strided.data = bytes + 2;
	assert_ok(wh_builder_weight(builder, &packed, &err), &err);
	assert_ok(wh_builder_weight(builder, &strided, &err), &err);
	source = finish(builder);
	assert_ok(wh_source_read(source, 0, 0, out, 8, &err), &err);
	assert_memory_equal(out, there, 8);
	assert_ok(wh_source_read(source, 1, 0, out, 4, &err), &err);
	assert_memory_equal(out, second, 4);
	wh_source_close(source);
	close(fd);
	unlink(path);
}

static void expect_refused(const struct wh_array *array, const char *why)
{
	struct wh_builder *builder = begin("fc");
	struct wh_error err;

	assert_fails(wh_builder_weight(builder, array, &err), &err, WH_EINVAL,
		     why);
	wh_builder_free(builder);
}

static void arrays_that_say_too_little_or_too_much_are_refused(void **state)
{
	const uint64_t shape[] = {UINT64_C(1) << 33, UINT64_C(1) << 33};
	const uint64_t large[] = {UINT64_C(1) << 62};
	const float value = 1;
	struct wh_array array = {.name = "a",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = large,
				 .data = &value};

	(void)state;
	expect_refused(&array, "shape is too large");
	array.shape = shape;
	array.rank = 2;
	expect_refused(&array, "shape is too large");
	array.rank = WH_MAX_RANK + 1;
	expect_refused(&array, "shape is too large");
	array.rank = 0;
	array.data = NULL;
	expect_refused(&array, "neither data nor a callback");
	array.data = &value;
	array.dtype = WH_STRING;
	expect_refused(&array, "a string can't be given as memory");
	array.dtype = (enum wh_dtype)99;
	expect_refused(&array, "can't be given as memory");
	array.dtype = WH_FLOAT32;
	array.name = "";
	expect_refused(&array, "without a name");
	array.name = NULL;
	expect_refused(&array, "without a name");
}

static void where_the_names_are_from_is_copied(void **state)
{
	char format[] = "gguf", generator[] = "llama 3";
	const float value = 1;
	struct wh_array array = {
		.name = "a", .dtype = WH_FLOAT32, .data = &value};
	struct wh_builder *builder = begin("fc");
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_ok(wh_builder_origin(builder, format, generator, &err), &err);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	format[0] = generator[0] = '?';
	source = finish(builder);
	assert_string_equal(source->manifest.origin_format, "gguf");
	assert_string_equal(source->manifest.origin_generator, "llama 3");
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strides_of_any_sign_are_gathered),
		cmocka_unit_test(layers_and_roles_are_kept),
		cmocka_unit_test(weighing_agrees_with_one_pass),
		cmocka_unit_test(weighing_can_be_cancelled),
		cmocka_unit_test(
			arrays_that_say_too_little_or_too_much_are_refused),
		cmocka_unit_test(where_the_names_are_from_is_copied),
		cmocka_unit_test(a_file_that_arrays_lie_in_may_be_cut),
		cmocka_unit_test(what_lies_in_a_file_is_little_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
