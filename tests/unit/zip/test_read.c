#include "unit/zip/archive.h"

#include "base/buf.h"
#include "base/endian.h"
#include "zip/layout.h"
#include "zip/stream.h"

struct opened {
	struct arena arena;
	struct zip_archive archive;
	int fd;
};

static enum wh_status open_bytes(struct opened *opened, const uint8_t *bytes,
				 size_t size, struct wh_error *err)
{
	*opened = (struct opened){.fd = file_of(bytes, size)};
	return zip_open(opened->fd, size, &opened->arena, &opened->archive,
			err);
}

static void close_bytes(struct opened *opened)
{
	arena_free(&opened->arena);
	close(opened->fd);
}

/* Opens the archive and reads all members. */
static enum wh_status read_bytes(const uint8_t *bytes, size_t size,
				 struct wh_error *err)
{
	struct opened opened;
	struct wh_buf buf = {0};
	enum wh_status status = open_bytes(&opened, bytes, size, err);
	uint32_t i;

	for (i = 0; !status && i < opened.archive.n_members; i++)
		status = zip_read_all(&opened.archive,
				      &opened.archive.members[i], 1 << 20, &buf,
				      err);
	wh_buf_free(&buf);
	close_bytes(&opened);
	return status;
}

static void a_stored_member_is_found_and_read(void **state)
{
	struct opened opened;
	const struct zip_member *member;
	struct wh_buf buf = {0};
	struct wh_error err;

	(void)state;
	assert_ok(
		open_bytes(&opened, savez_archive, sizeof(savez_archive), &err),
		&err);
	assert_true(zip_probe(opened.fd));
	assert_null(zip_find(&opened.archive, "b.npy"));
	member = zip_find(&opened.archive, "a.npy");
	assert_non_null(member);
	assert_int_equal(member->size, NPY_HEADER_SIZE + 12);
	assert_ok(zip_read_all(&opened.archive, member, 140, &buf, &err), &err);
	assert_memory_equal(buf.data, NPY_HEADER, NPY_HEADER_SIZE);
	assert_memory_equal(buf.data, savez_archive + member->offset, 140);
	assert_fails(zip_read_all(&opened.archive, member, 139, &buf, &err),
		     &err, WH_ECORRUPT, "at most 139 are read");
	wh_buf_free(&buf);
	close_bytes(&opened);
}

static void a_deflated_member_is_read_in_any_order(void **state)
{
	struct zip_stream *stream;
	struct opened opened;
	struct wh_error err;
	char pair[2];
	uint64_t at;

	(void)state;
	assert_ok(open_bytes(&opened, deflated_archive,
			     sizeof(deflated_archive), &err),
		  &err);
	assert_ok(zip_stream_open(&opened.archive, opened.archive.members,
				  &stream, &err),
		  &err);
	for (at = 1998; at > 100; at -= 99) {
		assert_ok(zip_stream_seek(stream, at, &err), &err);
		assert_ok(zip_stream_read(stream, pair, 2, &err), &err);
		assert_memory_equal(pair, at % 2 ? "ba" : "ab", 2);
		assert_int_equal(zip_stream_tell(stream), at + 2);
	}
	assert_ok(zip_stream_seek(stream, 2000, &err), &err);
	assert_fails(zip_stream_read(stream, pair, 1, &err), &err, WH_EINVAL,
		     "has 2000 bytes");
	zip_stream_close(stream);
	close_bytes(&opened);
}

static void an_archive_that_is_cut_anywhere_is_refused(void **state)
{
	struct wh_error err;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(savez_archive); len++)
		assert_int_equal(read_bytes(savez_archive, len, &err),
				 WH_ECORRUPT);
	for (len = 0; len < sizeof(deflated_archive); len++)
		assert_int_equal(read_bytes(deflated_archive, len, &err),
				 WH_ECORRUPT);
}

/* Dates and modes are free; what the bytes mean is checked from two sides. */
static void no_changed_byte_changes_what_is_read(void **state)
{
	uint8_t bytes[sizeof(deflated_archive)];
	struct opened opened;
	struct wh_buf buf = {0};
	struct wh_error err;
	size_t i;
	int bit;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		for (bit = 0; bit < 8; bit++) {
			const struct zip_member *member;

			memcpy(bytes, deflated_archive, sizeof(bytes));
			bytes[i] ^= (uint8_t)(1 << bit);
			buf.size = 0;
			if (!open_bytes(&opened, bytes, sizeof(bytes), &err) &&
			    (member = zip_find(&opened.archive, "z.txt")) &&
			    !zip_read_all(&opened.archive, member, 4000, &buf,
					  &err)) {
				assert_int_equal(buf.size, 2000);
				assert_memory_equal(buf.data, "ababab", 6);
			}
			close_bytes(&opened);
		}
	wh_buf_free(&buf);
}

/* ---- Crafted archives -------------------------------------------------- */

#define DIRECTORY (sizeof(savez_archive) - ZIP_END_SIZE - 51)

static void expect_refused(size_t at, size_t len, const void *patch,
			   const char *why)
{
	uint8_t bytes[sizeof(savez_archive)];
	struct wh_error err;

	memcpy(bytes, savez_archive, sizeof(bytes));
	memcpy(bytes + at, patch, len);
	assert_fails(read_bytes(bytes, sizeof(bytes), &err), &err, WH_ECORRUPT,
		     why);
}

static void crafted_fields_are_refused(void **state)
{
	(void)state;
	expect_refused(DIRECTORY + 46, 5, "/.npy", "leaves its folder");
	expect_refused(DIRECTORY + 46, 5, "../ay", "leaves its folder");
	expect_refused(DIRECTORY + 46, 5, "c:/py", "leaves its folder");
	expect_refused(DIRECTORY + 46, 5, "a\\npy", "leaves its folder");
	expect_refused(DIRECTORY + 46, 5, "a\xffnpy", "is no UTF-8");
	expect_refused(DIRECTORY + 46, 5, "b.npy", "and another in front");
	expect_refused(DIRECTORY + 16, 4, "AAAA", "and another in front");
	expect_refused(DIRECTORY + 20, 4, "\xff\xff\xff\x7f", "two sizes");
	expect_refused(DIRECTORY + 20, 8, "\xff\xff\xff\x7f\xff\xff\xff\x7f",
		       "beyond the archive's end");
	expect_refused(DIRECTORY + 20, 8, "\x00\x02\x00\x00\x00\x02\x00\x00",
		       "beyond the archive's end");
	expect_refused(DIRECTORY + 20, 8, "\x90\x00\x00\x00\x90\x00\x00\x00",
		       "overlaps");
	expect_refused(DIRECTORY + 42, 4, "\x01\x00\x00\x00", "is not where");
	expect_refused(DIRECTORY + 28, 2, "\xff\xff", "is cut off");
	expect_refused(DIRECTORY, 1, "Q", "directory is damaged");
	expect_refused(sizeof(savez_archive) - 18, 2, "\x01\x00", "volumes");
	expect_refused(sizeof(savez_archive) - 14, 4, "\x02\x00\x02\x00",
		       "members");
	expect_refused(sizeof(savez_archive) - 6, 1, "\x00", "its end record");
	expect_refused(100, 1, "Q", "CRC-32");
}

/* ---- 64-bit fields (APPNOTE 4.3.14, 4.3.15, 4.5.3) ---------------------- */

#define ENTRY	(DIRECTORY + 46 + 5) /* its extra field */
#define EXTRA	28u
#define END64	(ENTRY + EXTRA)
#define LOCATOR (END64 + ZIP_END64_SIZE)
#define LARGE	(LOCATOR + ZIP_LOCATOR_SIZE + ZIP_END_SIZE)

/* savez_archive with everything that may be in 64 bits there alone. */
static void make_large(uint8_t bytes[LARGE])
{
	uint8_t *end = bytes + LARGE - ZIP_END_SIZE;

	memset(bytes, 0, LARGE);
	memcpy(bytes, savez_archive, ENTRY);
	memset(bytes + DIRECTORY + 20, 0xff, 8);
	put_le16(bytes + DIRECTORY + 30, EXTRA);
	memset(bytes + DIRECTORY + 42, 0xff, 4);
	put_le16(bytes + ENTRY, ZIP64_EXTRA);
	put_le16(bytes + ENTRY + 2, EXTRA - 4);
	put_le64(bytes + ENTRY + 4, NPY_HEADER_SIZE + 12);
	put_le64(bytes + ENTRY + 12, NPY_HEADER_SIZE + 12);
	put_le32(bytes + END64, ZIP_END64_MAGIC);
	put_le64(bytes + END64 + 4, ZIP_END64_SIZE - 12);
	put_le64(bytes + END64 + 24, 1);
	put_le64(bytes + END64 + 32, 1);
	put_le64(bytes + END64 + 40, END64 - DIRECTORY);
	put_le64(bytes + END64 + 48, DIRECTORY);
	put_le32(bytes + LOCATOR, ZIP_LOCATOR_MAGIC);
	put_le64(bytes + LOCATOR + 8, END64);
	put_le32(bytes + LOCATOR + 16, 1);
	put_le32(end, ZIP_END_MAGIC);
	memset(end + 8, 0xff, 12);
}

static void fields_of_64_bits_are_read(void **state)
{
	uint8_t bytes[LARGE];
	struct opened opened;
	struct wh_buf buf = {0};
	struct wh_error err;

	(void)state;
	make_large(bytes);
	assert_ok(open_bytes(&opened, bytes, LARGE, &err), &err);
	assert_int_equal(opened.archive.n_members, 1);
	assert_int_equal(opened.archive.members[0].header, 0);
	assert_ok(zip_read_all(&opened.archive, opened.archive.members, 140,
			       &buf, &err),
		  &err);
	assert_memory_equal(buf.data, NPY_HEADER, NPY_HEADER_SIZE);
	wh_buf_free(&buf);
	close_bytes(&opened);
}

static void expect_large_refused(size_t at, size_t len, const void *patch,
				 const char *why)
{
	uint8_t bytes[LARGE];
	struct wh_error err;

	make_large(bytes);
	memcpy(bytes + at, patch, len);
	assert_fails(read_bytes(bytes, LARGE, &err), &err, WH_ECORRUPT, why);
}

static void crafted_fields_of_64_bits_are_refused(void **state)
{
	(void)state;
	expect_large_refused(END64, 1, "Q", "not where its locator says");
	expect_large_refused(END64 + 16, 1, "\x01", "volumes");
	expect_large_refused(END64 + 20, 1, "\x01", "volumes");
	expect_large_refused(END64 + 24, 1, "\x02", "volumes");
	expect_large_refused(LOCATOR + 4, 1, "\x01", "volumes");
	expect_large_refused(LOCATOR + 16, 1, "\x02", "volumes");
	expect_large_refused(LOCATOR + 8, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
			     "lies outside of it");
	expect_large_refused(LOCATOR + 12, 1, "\x01", "lies outside of it");
	expect_large_refused(END64 + 48, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
			     "directory is not where");
	/* The third field is missing; the second; more than there is. */
	expect_large_refused(ENTRY + 2, 1, "\x10", "a damaged extra field");
	expect_large_refused(ENTRY + 2, 1, "\x08", "a damaged extra field");
	expect_large_refused(ENTRY + 2, 1, "\x19", "a damaged extra field");
	/* Other fields are passed over, and then the sizes are as they seem. */
	expect_large_refused(ENTRY, 1, "\x02", "beyond the archive's end");
	expect_large_refused(ENTRY + 4, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
			     "two sizes");
}

static void two_members_of_one_name_are_refused(void **state)
{
	uint8_t bytes[sizeof(savez_archive) + 51];
	size_t end = sizeof(savez_archive) - ZIP_END_SIZE;
	struct wh_error err;

	(void)state;
	memcpy(bytes, savez_archive, end);
	memcpy(bytes + end, savez_archive + DIRECTORY, 51);
	memcpy(bytes + end + 51, savez_archive + end, ZIP_END_SIZE);
	bytes[end + 51 + 8] = bytes[end + 51 + 10] = 2;
	put_le32(bytes + end + 51 + 12, 102);
	assert_fails(read_bytes(bytes, sizeof(bytes), &err), &err, WH_ECORRUPT,
		     "two members 'a.npy'");
	/* The same bytes under another name are a bomb's members. */
	bytes[end + 46] = 'b';
	assert_fails(read_bytes(bytes, sizeof(bytes), &err), &err, WH_ECORRUPT,
		     "another in front");
}

static void what_would_unpack_to_very_much_is_refused(void **state)
{
	uint8_t bytes[sizeof(deflated_archive)];
	size_t directory = sizeof(bytes) - ZIP_END_SIZE - 51;
	struct opened opened;
	struct zip_stream *stream;
	struct wh_error err;

	(void)state;
	memcpy(bytes, deflated_archive, sizeof(bytes));
	put_le32(bytes + directory + 24, UINT32_C(512) << 20);
	assert_ok(open_bytes(&opened, bytes, sizeof(bytes), &err), &err);
	assert_fails(zip_stream_open(&opened.archive, opened.archive.members,
				     &stream, &err),
		     &err, WH_ECORRUPT, "would unpack to 536870912");
	close_bytes(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stored_member_is_found_and_read),
		cmocka_unit_test(a_deflated_member_is_read_in_any_order),
		cmocka_unit_test(an_archive_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(no_changed_byte_changes_what_is_read),
		cmocka_unit_test(crafted_fields_are_refused),
		cmocka_unit_test(fields_of_64_bits_are_read),
		cmocka_unit_test(crafted_fields_of_64_bits_are_refused),
		cmocka_unit_test(two_members_of_one_name_are_refused),
		cmocka_unit_test(what_would_unpack_to_very_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
