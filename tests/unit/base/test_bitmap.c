#include "support/assert.h"

#include <stdlib.h>

#include "base/bitmap.h"

static void set(struct bitmap *map, int64_t bit)
{
	struct wh_error err = {0};
	bool was = true;

	assert_false(bitmap_has(map, bit));
	assert_ok(bitmap_set(map, bit, &was, &err), &err);
	assert_false(was);
	assert_true(bitmap_has(map, bit));
	assert_ok(bitmap_set(map, bit, &was, &err), &err);
	assert_true(was);
}

static void neighbours_are_told_apart(void **state)
{
	struct bitmap map = {.root = NULL};
	int64_t i;

	(void)state;
	for (i = 0; i < 3000; i += 3)
		set(&map, i);
	for (i = 0; i < 4000; i++)
		assert_int_equal(bitmap_has(&map, i), i < 3000 && i % 3 == 0);
	bitmap_free(&map);
	assert_false(bitmap_has(&map, 0));
}

/* One bit of 2^40 doesn't take the memory of all. */
static void ids_may_lie_far_apart(void **state)
{
	struct bitmap map = {.root = NULL};
	int64_t i;

	(void)state;
	for (i = 1; i <= BITMAP_LAST; i *= 2)
		set(&map, i);
	for (i = 1; i < BITMAP_LAST; i *= 2) {
		assert_true(bitmap_has(&map, i));
		assert_int_equal(bitmap_has(&map, i + 1), i == 1);
	}
	bitmap_free(&map);
}

static void what_is_no_id_is_refused(void **state)
{
	struct bitmap map = {.root = NULL};
	struct wh_error err = {0};
	bool was;

	(void)state;
	assert_fails(bitmap_set(&map, -1, &was, &err), &err, WH_ECORRUPT,
		     "no row can have the id -1");
	assert_fails(bitmap_set(&map, BITMAP_LAST + 1, &was, &err), &err,
		     WH_ECORRUPT, "no row can have the id 1099511627777");
	assert_false(bitmap_has(&map, -1));
	assert_false(bitmap_has(&map, INT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_are_told_apart),
		cmocka_unit_test(ids_may_lie_far_apart),
		cmocka_unit_test(what_is_no_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
