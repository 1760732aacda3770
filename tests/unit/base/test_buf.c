#include "support/assert.h"

#include "base/buf.h"

static void bytes_are_appended(void **state)
{
	struct wh_buf buf wh_buf_auto = {0};
	struct wh_error err;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_ok(wh_buf_printf(&buf, &err, "%04d", i), &err);
	assert_int_equal(buf.size, 4000);
	assert_memory_equal(buf.data + 3996, "0999", 4);
	assert_ok(wh_buf_append_zeros(&buf, 3, &err), &err);
	assert_ok(wh_buf_append(&buf, "x", 1, &err), &err);
	assert_memory_equal(buf.data + 4000, "\0\0\0x", 4);
	assert_ok(wh_buf_append(&buf, NULL, 0, &err), &err);
	assert_int_equal(buf.size, 4004);
	assert_true(buf.capacity >= buf.size);
}

static void long_lines_are_printed_whole(void **state)
{
	struct wh_buf buf wh_buf_auto = {0};
	struct wh_error err;

	(void)state;
	assert_ok(wh_buf_printf(&buf, &err, "%5000d", 7), &err);
	assert_int_equal(buf.size, 5000);
	assert_int_equal(buf.data[4999], '7');
}

static void room_that_cannot_be_is_refused(void **state)
{
	struct wh_buf buf wh_buf_auto = {0};
	struct wh_error err;

	(void)state;
	assert_ok(wh_buf_append(&buf, "ab", 2, &err), &err);
	assert_int_equal(wh_buf_reserve(&buf, SIZE_MAX - 1, &err), WH_ENOMEM);
	assert_memory_equal(buf.data, "ab", 2);
	wh_buf_free(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_appended),
		cmocka_unit_test(long_lines_are_printed_whole),
		cmocka_unit_test(room_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
