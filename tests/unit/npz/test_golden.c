/* Every golden file: its manifest is what NumPy says, what numpy.savez and
 * numpy.save wrote is planned byte for byte, other flat ones come back from
 * their templates. */
#include "support/flat.h"

#include <unistd.h>

#include "base/endian.h"
#include "npz/header.h"

static const char *const tails[] = {".npz", ".npy", NULL};

static void manifests_are_what_numpy_says(void **state)
{
	(void)state;
	assert_true(flat_each(GOLDEN "/npz", tails, flat_check_manifest) >= 14);
}

static void files_are_given_back_byte_for_byte(void **state)
{
	(void)state;
	flat_each(GOLDEN "/npz", tails, flat_check_bytes);
}

/* Any range, also one that cuts elements, is that of the whole payload. */
static void check_ranges(struct flat_case *at)
{
	const struct wh_manifest *manifest = &at->source->manifest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++) {
		size_t nbytes = (size_t)manifest->tensors[i].nbytes, from, len;
		uint8_t *whole = malloc(nbytes + 1);
		uint8_t *part = malloc(nbytes + 1);

		assert_ok(wh_source_read(at->source, i, 0, whole, nbytes,
					 &at->err),
			  &at->err);
		for (from = 0; from < nbytes; from += 1 + nbytes / 13) {
			len = (nbytes - from + 1) / 2;
			assert_ok(wh_source_read(at->source, i, from, part, len,
						 &at->err),
				  &at->err);
			assert_memory_equal(part, whole + from, len);
		}
		free(whole);
		free(part);
	}
}

static void any_range_can_be_read(void **state)
{
	(void)state;
	flat_each(GOLDEN "/npz", tails, check_ranges);
}

#define SIDE	201u /* elements: more than is read of a member to open it */
#define HEADER	128u
#define MEMBER	(HEADER + SIDE * SIDE)
#define PACKED	(5 + MEMBER) /* one block of deflate, as it is */
#define LOCAL	(30 + 5)
#define ARCHIVE (LOCAL + PACKED + 46 + 5 + 22)

/* What both headers of the member say, from the version on. */
static void put_member(uint8_t *at)
{
	at[0] = 20;
	at[4] = 8; /* deflated */
	put_le32(at + 10, 0xbad);
	put_le32(at + 14, PACKED);
	put_le32(at + 18, MEMBER);
	at[22] = 5;
}

/* "f.npy", an array in Fortran's order, with a checksum that isn't its own. */
static void put_archive(uint8_t *at)
{
	uint8_t *end = at + LOCAL + PACKED + 46 + 5;

	memcpy(at, "PK\3\4", 4);
	put_member(at + 4);
	memcpy(at + 30, "f.npy", 5);
	at += LOCAL;
	at[0] = 1;
	put_le16(at + 1, (uint16_t)MEMBER);
	put_le16(at + 3, (uint16_t)~MEMBER);
	memset(at + 5, ' ', HEADER);
	memcpy(at + 5, NPY_MAGIC "\1\0\166\0", 10);
	at += 5 + snprintf((char *)at + 15, 118,
			   "{'descr': '|u1', 'fortran_order': True, "
			   "'shape': (%u, %u)}",
			   SIDE, SIDE);
	at[10] = ' '; /* where the text ended */
	at = end - 46 - 5;
	memcpy(at, "PK\1\2", 4);
	put_member(at + 6);
	memcpy(at + 46, "f.npy", 5);
	memcpy(end, "PK\5\6", 4);
	end[8] = end[10] = 1;
	put_le32(end + 12, 46 + 5);
	put_le32(end + 16, LOCAL + PACKED);
}

/* It is unpacked first, into a file, which is no less damaged later. */
static void damage_is_told_each_time(void **state)
{
	static uint8_t bytes[ARCHIVE], payload[SIDE * SIDE];
	char name[] = "/tmp/wh-npz-XXXXXX";
	int i, fd = mkstemp(name);
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	put_archive(bytes);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	assert_ok(wh_checkpoint_open(name, "npz", NULL, &source, &err), &err);
	unlink(name);
	for (i = 0; i < 3; i++)
		assert_fails(wh_source_read(source, 0, 0, payload,
					    sizeof(payload), &err),
			     &err, WH_ECORRUPT, "CRC-32");
	wh_source_close(source);
}

static enum wh_status read_text(const char *text, uint8_t major,
				struct npy_header *header, struct wh_error *err)
{
	uint8_t bytes[512] = NPY_MAGIC;
	size_t len = strlen(text);

	bytes[6] = major;
	bytes[8] = (uint8_t)len;
	bytes[9] = (uint8_t)(len >> 8);
	memcpy(bytes + (major == 1 ? 10 : 12), text, len);
	return npy_header_read(bytes, len + 12, header, err);
}

#define REST "'fortran_order': False, 'shape': (2,)}"

static void headers_are_read_as_numpy_reads_them(void **state)
{
	static const char *const good[] = {
		"{'descr': '<f4', " REST "\n",
		"{'descr':'f4'," REST,
		"{'descr': '=f4', " REST,
		"{\"descr\": '|f4', " REST,
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",
		"{'shape': (2, ), 'fortran_order': False, 'descr': '<f4'}",
	};
	struct npy_header header;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_ok(read_text(good[i], 1, &header, &err), &err);
		assert_int_equal(header.dtype, WH_FLOAT32);
		assert_int_equal(header.rank, 1);
		assert_int_equal(header.shape[0], 2);
	}
	assert_fails(read_text(good[4], 3, &header, &err), &err, WH_ECORRUPT,
		     "'shape'");
}

static void other_headers_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
		enum wh_status status;
	} bad[] = {
		{"{'descr': '|O', " REST, "pickle", WH_EUNSUPPORTED},
		{"{'descr': [('a', '<f4')], " REST, "structured",
		 WH_EUNSUPPORTED},
		{"{'descr': '<U4', " REST, "'<U4'", WH_EUNSUPPORTED},
		{"{'descr': '<V2', " REST, "'<V2'", WH_EUNSUPPORTED},
		{"{'descr': '<f16', " REST, "'<f16'", WH_EUNSUPPORTED},
		{"{'descr': '<M8[s]', " REST, "'<M8[s]'", WH_EUNSUPPORTED},
		{"{'descr': __import__('os'), " REST, "'descr'", WH_ECORRUPT},
		{"{'descr': '<f4', 'descr': '<f4', " REST, "once", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
		 "'fortran_order'", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
		 "tuple", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
		 "tuple", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
		 "tuple", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
		 "tuple", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': "
		 "(99999999999999999999,)}",
		 "tuple", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': "
		 "(4294967296, 4294967296)}",
		 "overflows", WH_ECORRUPT},
		{"{'descr': '<f4', 'fortran_order': False}", "missing",
		 WH_ECORRUPT},
		{"{'descr': '<f4', 'x': 1, " REST, "other keys", WH_ECORRUPT},
		{"{'descr': '<f4' " REST, "comma", WH_ECORRUPT},
		{"{'descr': '<f4', " REST "x", "follows", WH_ECORRUPT},
		{"[]", "no dict", WH_ECORRUPT},
		{"", "no dict", WH_ECORRUPT},
	};
	struct npy_header header;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(read_text(bad[i].text, 1, &header, &err), &err,
			     bad[i].status, bad[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_are_what_numpy_says),
		cmocka_unit_test(files_are_given_back_byte_for_byte),
		cmocka_unit_test(any_range_can_be_read),
		cmocka_unit_test(damage_is_told_each_time),
		cmocka_unit_test(headers_are_read_as_numpy_reads_them),
		cmocka_unit_test(other_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
