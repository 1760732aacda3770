#include "unit/zip/archive.h"

#include "base/crc.h"
#include "base/endian.h"
#include "zip/layout.h"
#include "zip/write.h"
#include "support/little.h"
#include "support/one_weight.h"
#include <weighhouse/source.h>

static const float values[] = {0, 1, 2};

static struct wh_source *make_source(void)
{
	const uint64_t shape[] = {3};
	struct wh_array array = {.name = "a",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = shape,
				 .data = values};
	struct wh_source *source;
	struct wh_error err;

	source = one_weight("l", NULL, &array);
	assert_ok(wh_source_weigh(source, WH_CRC32, 1, NULL, NULL, &err), &err);
	return source;
}

static void fill_npy(struct wh_image *content)
{
	struct wh_error err;

	*content = (struct wh_image){0};
	assert_ok(wh_image_literal(content, NPY_HEADER, NPY_HEADER_SIZE, &err),
		  &err);
	assert_ok(wh_image_payload(content, 0, 0, sizeof(values), &err), &err);
}

static void an_archive_is_the_one_that_savez_writes(void **state)
{
	struct wh_source *source = make_source();
	struct zip_writer writer = {.source = source};
	struct zip_entry entry = {.name = "a.npy", .zip64 = true};
	uint8_t bytes[sizeof(savez_archive)];
	struct wh_image content;
	struct wh_plan *plan;
	struct wh_error err;

	(void)state;
	fill_npy(&content);
	assert_ok(wh_plan_new(source, &plan, &err), &err);
	assert_ok(wh_plan_add_image(plan, "", true, &writer.image, &err), &err);
	assert_ok(zip_add(&writer, &entry, &content, &err), &err);
	assert_ok(zip_finish(&writer, &err), &err);
	assert_int_equal(wh_plan_image(plan, 0)->size, sizeof(bytes));
	assert_ok(wh_plan_read(plan, 0, 0, bytes, sizeof(bytes), &err), &err);
	assert_memory_equal(bytes, savez_archive, sizeof(bytes));
	zip_content_free(&content);
	wh_plan_free(plan);
	wh_source_close(source);
}

static void a_name_beyond_ascii_is_flagged_as_utf8(void **state)
{
	struct wh_source *source = make_source();
	struct wh_image archive = {0}, content = {0};
	struct zip_writer writer = {.source = source, .image = &archive};
	struct zip_entry entry = {.name = "\xc3\xa9"};
	struct wh_error err;

	(void)state;
	assert_ok(wh_image_literal(&content, "hi", 2, &err), &err);
	assert_ok(zip_add(&writer, &entry, &content, &err), &err);
	assert_int_equal(archive.literals.data[7], 0x08);
	assert_ok(zip_finish(&writer, &err), &err);
	zip_content_free(&content);
	zip_content_free(&archive);
	wh_source_close(source);
}

static void the_crc_of_any_part_is_that_of_its_bytes(void **state)
{
	struct wh_source *source = make_source();
	uint8_t bytes[NPY_HEADER_SIZE + sizeof(values)];
	struct wh_image content;
	struct wh_error err;
	uint32_t crc;
	size_t from, to;

	(void)state;
	fill_npy(&content);
	memcpy(bytes, NPY_HEADER, NPY_HEADER_SIZE);
	memcpy(bytes + NPY_HEADER_SIZE, values, sizeof(values));
	make_little(bytes + NPY_HEADER_SIZE, sizeof(values), sizeof(*values));
	for (from = 0; from <= sizeof(bytes); from += 7)
		for (to = from; to <= sizeof(bytes); to++) {
			assert_ok(zip_crc32(source, &content, from, to - from,
					    &crc, &err),
				  &err);
			assert_int_equal(
				crc, crc32_update(0, bytes + from, to - from));
		}
	assert_fails(zip_crc32(source, &content, 1, sizeof(bytes), &crc, &err),
		     &err, WH_EINVAL, "does not have");
	zip_content_free(&content);
	wh_source_close(source);
}

/* What lies beyond 2 GiB: an image that is said to be there already. */
static void offsets_beyond_2_gib_take_64_bits(void **state)
{
	const uint64_t before = UINT64_C(5) << 30;
	struct wh_source *source = make_source();
	struct wh_image archive = {.size = before}, content = {0};
	struct zip_writer writer = {.source = source, .image = &archive};
	struct zip_entry entry = {.name = "a"};
	const uint8_t *at;
	struct wh_error err;

	(void)state;
	assert_ok(wh_image_literal(&content, "hi", 2, &err), &err);
	assert_ok(zip_add(&writer, &entry, &content, &err), &err);
	assert_ok(zip_finish(&writer, &err), &err);
	/* Local header, name, content; then the directory's one header. */
	at = archive.literals.data + ZIP_LOCAL_SIZE + 1 + 2;
	assert_int_equal(get_le32(at), ZIP_DIRECTORY_MAGIC);
	assert_int_equal(get_le16(at + 6), 45);
	assert_int_equal(get_le32(at + 20), 2);
	assert_int_equal(get_le16(at + 30), 12);
	assert_int_equal(get_le32(at + 42), ZIP_IN_ZIP64_32);
	at += ZIP_DIRECTORY_SIZE + 1;
	assert_int_equal(get_le16(at), ZIP64_EXTRA);
	assert_int_equal(get_le16(at + 2), 8);
	assert_int_equal(get_le64(at + 4), before);
	at += 12;
	assert_int_equal(get_le32(at), ZIP_END64_MAGIC);
	assert_int_equal(get_le64(at + 24), 1);
	assert_int_equal(get_le64(at + 40), ZIP_DIRECTORY_SIZE + 1 + 12);
	assert_int_equal(get_le64(at + 48), before + ZIP_LOCAL_SIZE + 3);
	at += ZIP_END64_SIZE;
	assert_int_equal(get_le32(at), ZIP_LOCATOR_MAGIC);
	assert_int_equal(get_le64(at + 8), archive.size - ZIP_END_SIZE -
						   ZIP_LOCATOR_SIZE -
						   ZIP_END64_SIZE);
	at += ZIP_LOCATOR_SIZE;
	assert_int_equal(get_le32(at), ZIP_END_MAGIC);
	assert_int_equal(get_le32(at + 16), ZIP_IN_ZIP64_32);
	zip_content_free(&content);
	zip_content_free(&archive);
	wh_source_close(source);
}

static void a_name_beyond_16_bits_is_refused(void **state)
{
	struct wh_source *source = make_source();
	struct wh_image archive = {0}, content = {0};
	struct zip_writer writer = {.source = source, .image = &archive};
	char *name = calloc(1, UINT16_MAX + 2);
	struct zip_entry entry = {.name = name};
	struct wh_error err;

	(void)state;
	memset(name, 'a', UINT16_MAX + 1);
	assert_fails(zip_add(&writer, &entry, &content, &err), &err, WH_EINVAL,
		     "can't have 65536 bytes");
	assert_int_equal(archive.size, 0);
	free(name);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_archive_is_the_one_that_savez_writes),
		cmocka_unit_test(a_name_beyond_ascii_is_flagged_as_utf8),
		cmocka_unit_test(the_crc_of_any_part_is_that_of_its_bytes),
		cmocka_unit_test(offsets_beyond_2_gib_take_64_bits),
		cmocka_unit_test(a_name_beyond_16_bits_is_refused),
	};

	(void)deflated_archive;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
