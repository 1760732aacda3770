#include "support/assert.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	struct arena arena = {0};
	size_t i, k;

	(void)state;
	for (i = 0; i < 2000; i++) {
		unsigned char *got = arena_alloc(&arena, i % 97, 3);

		assert_non_null(got);
		assert_int_equal((uintptr_t)got % alignof(max_align_t), 0);
		for (k = 0; k < i % 97 * 3; k++)
			assert_int_equal(got[k], 0);
		memset(got, 0xff, i % 97 * 3);
	}
	arena_free(&arena);
	arena_free(&arena); /* empty again */
}

static void large_runs_and_overflows(void **state)
{
	struct arena arena = {0};
	char *large = arena_alloc(&arena, 5, 1 << 20);

	(void)state;
	assert_non_null(large);
	memset(large, 1, 5 << 20);
	assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(&arena, SIZE_MAX, 1));
	assert_non_null(arena_alloc(&arena, 0, 8));
	arena_free(&arena);
}

static void texts_are_copied(void **state)
{
	struct arena arena = {0};
	char text[] = "ab\0cd";
	char *copy = arena_bytes(&arena, text, 5);

	(void)state;
	text[0] = 'x';
	assert_memory_equal(copy, "ab\0cd\0", 6);
	assert_string_equal(arena_strdup(&arena, "é"), "é");
	assert_string_equal(arena_bytes(&arena, NULL, 0), "");
	assert_string_equal(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
	assert_string_equal(arena_join(&arena, "a", "", "bc"), "abc");
	arena_free(&arena);
}

/* valgrind and the sanitizers see that they are freed. */
static void memory_of_others_is_freed_with_it(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_true(arena_adopt(&arena, malloc(1000)));
	assert_true(arena_adopt(&arena, NULL));
	assert_true(arena_adopt(&arena, malloc(1)));
	arena_free(&arena);
	arena_free(&arena);
}

static void rows_grow_and_what_is_not_filled_is_zero(void **state)
{
	struct arena arena = {0};
	size_t n, room = 0;
	void *rows = NULL;

	(void)state;
	for (n = 0; n < 1000; n++) {
		assert_true(arena_grow(&arena, &rows, n, &room, sizeof(n)));
		assert_true(n < room);
		assert_int_equal(((size_t *)rows)[n], 0);
		((size_t *)rows)[n] = n + 1;
	}
	for (n = 0; n < 1000; n++)
		assert_int_equal(((size_t *)rows)[n], n + 1);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(large_runs_and_overflows),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(memory_of_others_is_freed_with_it),
		cmocka_unit_test(rows_grow_and_what_is_not_filled_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
