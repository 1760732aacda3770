/* Ranges of bytes, cut within an element or not. */
#include "support/assert.h"

#include <string.h>

#include "base/elements.h"

#define SIZE 3u
#define N    7u

static enum wh_status count_up(void *arg, uint64_t first, size_t n,
			       uint8_t *out, struct wh_error *err)
{
	unsigned *calls = arg;
	size_t i;

	if (first + n > N)
		return wh_fail(err, WH_EINVAL, "behind the end");
	for (i = 0; i < n * SIZE; i++)
		out[i] = (uint8_t)(first * SIZE + i);
	++*calls;
	return WH_OK;
}

static void every_range_has_its_bytes(void **state)
{
	uint8_t bytes[SIZE * N + 1];
	struct wh_error err;
	size_t from, to, i;

	(void)state;
	for (from = 0; from <= SIZE * N; from++)
		for (to = from; to <= SIZE * N; to++) {
			unsigned calls = 0;

			memset(bytes, 0xff, sizeof(bytes));
			assert_ok(elements_read(count_up, &calls, SIZE, from,
						bytes, to - from, &err),
				  &err);
			for (i = from; i < to; i++)
				assert_int_equal(bytes[i - from], i);
			assert_int_equal(bytes[to - from], 0xff);
			/* One that is cut at either end, and all between. */
			assert_in_range(calls, to > from, 3);
		}
}

static void a_failure_is_told(void **state)
{
	uint8_t bytes[2 * SIZE];
	struct wh_error err;
	unsigned calls = 0;

	(void)state;
	assert_int_equal(elements_read(count_up, &calls, SIZE,
				       SIZE * N - SIZE - 1, bytes,
				       sizeof(bytes), &err),
			 WH_EINVAL);
	assert_string_equal(err.message, "behind the end");
}

static enum wh_status read_bytes(void *arg, uint64_t offset, uint8_t *out,
				 size_t len, struct wh_error *err)
{
	if (offset + len > SIZE * N)
		return wh_fail(err, WH_EINVAL, "behind the end");
	memcpy(out, (const uint8_t *)arg + offset, len);
	return WH_OK;
}

static void every_range_is_swapped_by_elements(void **state)
{
	uint8_t stored[SIZE * N], bytes[SIZE * N];
	struct wh_error err;
	size_t from, to, i;

	(void)state;
	for (i = 0; i < SIZE * N; i++)
		stored[i] = (uint8_t)i;
	for (from = 0; from <= SIZE * N; from++)
		for (to = from; to <= SIZE * N; to++) {
			assert_ok(elements_read_swapped(read_bytes, stored,
							SIZE, from, bytes,
							to - from, &err),
				  &err);
			for (i = from; i < to; i++)
				assert_int_equal(bytes[i - from],
						 i / SIZE * SIZE + SIZE - 1 -
							 i % SIZE);
			assert_ok(elements_read_swapped(read_bytes, stored, 0,
							from, bytes, to - from,
							&err),
				  &err);
			assert_memory_equal(bytes, stored + from, to - from);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_range_has_its_bytes),
		cmocka_unit_test(a_failure_is_told),
		cmocka_unit_test(every_range_is_swapped_by_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
