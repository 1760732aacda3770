/* The worked examples of FORMAT.md, byte for byte, and its vectors. */
#include "support/assert.h"

#include "base/crc.h"
#include "tf/bundle.h"
#include "tf/string_tensor.h"
#include "tf/table.h"
#include "tf/wire.h"

static struct wh_error err;

/* One float32 scalar `v` = 1.5, prefix `t`: its index, 117 bytes. */
static void the_bare_bundle_is_117_bytes(void **state)
{
	static const uint8_t wanted[] =
		"\x00\x00\x06\x08\x01\x1a\x02\x08\x01\x00\x01\x0b\x76\x08\x01"
		"\x12\x00\x28\x04\x35\x5e\x2f\xe1\xa7\x00\x00\x00\x00\x01\x00"
		"\x00\x00\x00\xc9\x62\x7c\x04\x00\x00\x00\x00\x01\x00\x00\x00"
		"\x00\xc0\xf2\xa1\xb0\x00\x01\x02\x77\x00\x20\x00\x00\x00\x00"
		"\x01\x00\x00\x00\x00\x3e\x1e\xa4\x62\x25\x08\x32\x0e\x00\x00"
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x57\xfb\x80\x8b\x24\x75\x47\xdb";
	const float value = 1.5f;
	struct bundle_entry entry = {.dtype = WH_FLOAT32, .size = 4};
	struct wh_buf out = {0}, bytes = {0};
	struct table_writer table;

	(void)state;
	entry.crc32c = crc_mask(crc32c_update(0, &value, 4));
	table_writer_init(&table, &out);
	assert_ok(bundle_write_header(&bytes, 1, &err), &err);
	assert_ok(table_writer_add(&table, "", 0, bytes.data, bytes.size, &err),
		  &err);
	bytes.size = 0;
	assert_ok(bundle_write_entry(&bytes, &entry, &err), &err);
	assert_ok(
		table_writer_add(&table, "v", 1, bytes.data, bytes.size, &err),
		&err);
	assert_ok(table_writer_finish(&table, &err), &err);
	assert_int_equal(out.size, 117);
	assert_memory_equal(out.data, wanted, 117);
	table_writer_free(&table);
	wh_buf_free(&out);
	wh_buf_free(&bytes);
}

static void crcs_are_masked(void **state)
{
	(void)state;
	assert_int_equal(crc_mask(crc32c_update(0, "123456789", 9)),
			 0xc78ab0e5);
	assert_int_equal(crc_mask(0), 0xa282ead8);
	assert_int_equal(crc_unmask(crc_mask(0x12345678)), 0x12345678);
}

static void one_string_is_packed_with_its_checksums(void **state)
{
	static const uint8_t wanted[] = {0x00, 0xa6, 0x7b, 0x11, 0x3a};
	struct wh_buf out = {0};
	uint32_t crc;

	(void)state;
	assert_ok(strings_pack_one("", 0, &out, &crc, &err), &err);
	assert_int_equal(out.size, 5);
	assert_memory_equal(out.data, wanted, 5);
	assert_int_equal(crc_mask(crc), 0xbe0767bd);
	wh_buf_free(&out);
}

static void string_heads_are_checked(void **state)
{
	static const uint8_t two[] = {0x05, 0x00, 0xea, 0xb2, 0x04, 0x3e};
	uint64_t lengths[2];
	size_t head;
	uint32_t crc;

	(void)state;
	assert_ok(strings_read_head("k", two, 6, 11, 2, lengths, &head, &crc,
				    &err),
		  &err);
	assert_int_equal(lengths[0], 5);
	assert_int_equal(head, 6);
	assert_int_equal(crc_mask(crc32c_update(crc, "hello", 5)), 0x77c7475d);
	assert_fails(strings_read_head("k", two, 6, 12, 2, lengths, &head, &crc,
				       &err),
		     &err, WH_ECORRUPT, "not of its bytes");
	assert_fails(strings_read_head("k", two, 5, 11, 2, lengths, &head, &crc,
				       &err),
		     &err, WH_ECORRUPT, "length checksum");
}

/* `v`, two dimensions, `-:0,1`. */
static void slices_have_ordered_keys(void **state)
{
	static const uint8_t wanted[] = {0x00, 0x76, 0x00, 0x01, 0x01,
					 0x02, 0x80, 0x7f, 0x80, 0x81};
	static const struct {
		int64_t value;
		size_t n;
		uint8_t bytes[4];
	} numbers[] = {
		{63, 1, {0xbf}},
		{64, 2, {0xc0, 0x40}},
		{8191, 2, {0xdf, 0xff}},
		{8192, 3, {0xe0, 0x20, 0x00}},
		{0x424242, 4, {0xf0, 0x42, 0x42, 0x42}},
		{-0x800, 2, {0x38, 0x00}},
	};
	struct bundle_extent extents[] = {{0, SLICE_WHOLE}, {0, 1}};
	struct bundle_slice slice = {.rank = 2, .extents = extents};
	struct wh_buf out = {0};
	size_t i;

	(void)state;
	assert_ok(bundle_slice_key(&out, "v", &slice, &err), &err);
	assert_int_equal(out.size, sizeof(wanted));
	assert_memory_equal(out.data, wanted, sizeof(wanted));
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct bundle_extent one = {numbers[i].value, 0};

		slice.rank = 1;
		slice.extents = &one;
		out.size = 0;
		assert_ok(bundle_slice_key(&out, "", &slice, &err), &err);
		/* 00 | 00 01 | 01 01 | start | 80 */
		assert_int_equal(out.size, 5 + numbers[i].n + 1);
		assert_memory_equal(out.data + 5, numbers[i].bytes,
				    numbers[i].n);
	}
	wh_buf_free(&out);
}

static enum wh_status count_entry(void *arg, const uint8_t *key, size_t key_len,
				  const uint8_t *value, size_t value_len,
				  struct wh_error *unused)
{
	(void)key, (void)key_len, (void)value, (void)value_len, (void)unused;
	++*(uint32_t *)arg;
	return WH_OK;
}

/* Over a block's size, so that there are separators; every byte counts. */
static void a_table_reads_back_and_every_flip_is_found(void **state)
{
	struct wh_buf out = {0};
	struct table_writer table;
	char key[128], value[100] = {0};
	uint32_t i, n = 0;
	size_t at;

	(void)state;
	table_writer_init(&table, &out);
	for (i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "layer-%06u/kernel", i);
		assert_ok(table_writer_add(&table, key, strlen(key), value,
					   sizeof(value), &err),
			  &err);
	}
	assert_ok(table_writer_finish(&table, &err), &err);
	assert_ok(table_read(out.data, out.size, count_entry, &n, &err), &err);
	assert_int_equal(n, 3000);
	for (at = 0; at < out.size; at += 997) {
		out.data[at] ^= 0x10;
		assert_int_equal(
			table_read(out.data, out.size, count_entry, &n, &err),
			WH_ECORRUPT);
		out.data[at] ^= 0x10;
	}
	for (at = 0; at < 200; at++)
		assert_int_equal(
			table_read(out.data, at, count_entry, &n, &err),
			WH_ECORRUPT);
	table_writer_free(&table);
	wh_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bare_bundle_is_117_bytes),
		cmocka_unit_test(crcs_are_masked),
		cmocka_unit_test(one_string_is_packed_with_its_checksums),
		cmocka_unit_test(string_heads_are_checked),
		cmocka_unit_test(slices_have_ordered_keys),
		cmocka_unit_test(a_table_reads_back_and_every_flip_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
