#include "support/assert.h"

#include <errno.h>

#include "base/endian.h"
#include "base/error.h"

static void messages_grow_from_the_inside(void **state)
{
	struct wh_error err = {.http_status = 404};

	(void)state;
	assert_int_equal(wh_fail(&err, WH_ECORRUPT, "cause %d\n\033[31m", 7),
			 WH_ECORRUPT);
	assert_int_equal(err.http_status, 0);
	wh_error_prefix(&err, "layer '%s'", "fc");
	assert_string_equal(err.message, "layer 'fc': cause 7\\x0a\\x1b[31m");
	assert_int_equal(wh_fail_errno(&err, ENOENT, "file"), WH_ENOTFOUND);
	assert_string_equal(err.message, "file: No such file or directory");
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(wh_fail_errno(&err, ENOMEM, "x"), WH_ENOMEM);
	assert_int_equal(wh_fail_errno(&err, EACCES, "x"), WH_EIO);
	assert_int_equal(wh_fail_memory(&err), WH_ENOMEM);
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(wh_fail(NULL, WH_EINVAL, "x"), WH_EINVAL);
	assert_int_equal(wh_fail_errno(NULL, ENOENT, "x"), WH_ENOTFOUND);
	wh_error_prefix(NULL, "x");
}

static void long_messages_are_cut(void **state)
{
	struct wh_error err;

	(void)state;
	wh_fail(&err, WH_EIO, "%2000d", 1);
	assert_int_equal(strlen(err.message), WH_ERROR_SIZE - 1);
	wh_error_prefix(&err, "%2000d", 1);
	assert_int_equal(strlen(err.message), WH_ERROR_SIZE - 1);
}

static void plug_ins_fill_an_error_by_name(void **state)
{
	struct wh_error err = {.sys_errno = 7};

	(void)state;
	assert_int_equal(
		wh_error_set(&err, WH_ENOTFOUND, "no %s of %d", "seed", 3),
		WH_ENOTFOUND);
	assert_int_equal(err.status, WH_ENOTFOUND);
	assert_int_equal(err.sys_errno, 0);
	assert_string_equal(err.message, "no seed of 3");
	assert_int_equal(wh_error_set(NULL, WH_EIO, "nobody listens"), WH_EIO);
}

static void every_status_has_words(void **state)
{
	int i, k;

	(void)state;
	for (i = WH_EMISMATCH; i <= WH_OK; i++)
		for (k = WH_EMISMATCH; k < i; k++)
			assert_string_not_equal(
				wh_status_text((enum wh_status)i),
				wh_status_text((enum wh_status)k));
	assert_string_equal(wh_status_text((enum wh_status)99),
			    "unknown status");
}

static void bytes_have_an_order(void **state)
{
	uint8_t bytes[8];

	(void)state;
	put_le16(bytes, 0x0102);
	assert_memory_equal(bytes, "\2\1", 2);
	put_le32(bytes, 0x01020304);
	assert_memory_equal(bytes, "\4\3\2\1", 4);
	put_le64(bytes, UINT64_C(0x0102030405060708));
	assert_memory_equal(bytes, "\10\7\6\5\4\3\2\1", 8);
	assert_true(get_le64(bytes) == UINT64_C(0x0102030405060708));
	swap_elements(bytes, 8, 4);
	assert_memory_equal(bytes, "\5\6\7\10\1\2\3\4", 8);
	swap_elements(bytes, 8, 1);
	assert_memory_equal(bytes, "\5\6\7\10\1\2\3\4", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_grow_from_the_inside),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(plug_ins_fill_an_error_by_name),
		cmocka_unit_test(every_status_has_words),
		cmocka_unit_test(bytes_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
