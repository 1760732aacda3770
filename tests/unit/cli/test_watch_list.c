/* When a checkpoint is complete, by a clock that the test sets. */
#include "support/assert.h"

#include "watch_list.h"

#define SHORT_MS ((int64_t)100)
#define LONG_MS	 (WATCH_LONG * SHORT_MS)

static struct watch_list list;

static int set_up(void **state)
{
	(void)state;
	list = (struct watch_list){.settle_ms = SHORT_MS};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	watch_list_free(&list);
	return 0;
}

static struct watch_file *get(const char *path)
{
	struct watch_file *file = watch_list_get(&list, path, 2);

	assert_non_null(file);
	return file;
}

static struct checkpoint_state made_at(int64_t ms)
{
	return (struct checkpoint_state){.exists = true,
					 .size = 1,
					 .mtime_ns = ms * 1000000,
					 .sum = (uint64_t)ms};
}

static int64_t due(const struct watch_file *file, int64_t now_ms)
{
	return watch_due(&list, file, WATCH_PATIENT, now_ms);
}

static void a_path_is_one_file(void **state)
{
	char path[16];
	int i;

	(void)state;
	for (i = 999; i >= 0; i--) {
		snprintf(path, sizeof(path), "c/%d", i);
		get(path);
	}
	assert_int_equal(list.n, 1000);
	for (i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "c/%d", i);
		assert_string_equal(get(path)->path, path);
	}
	assert_int_equal(list.n, 1000);
	assert_string_equal(get("c/7")->name, "7");
}

static void how_it_came_says_when_it_is_complete(void **state)
{
	struct watch_file *file = get("c/a");

	(void)state;
	assert_int_equal(due(file, 0), -1);
	watch_note(file, WATCH_CHANGED, 1000);
	assert_int_equal(due(file, 1000), LONG_MS);
	watch_note(file, WATCH_CLOSED, 1500);
	assert_int_equal(due(file, 1500), SHORT_MS);
	assert_int_equal(due(file, 1500 + SHORT_MS), 0);
	watch_note(file, WATCH_CHANGED, 1550);
	assert_int_equal(due(file, 1600), LONG_MS - 50);
	watch_note(file, WATCH_MOVED, 1700);
	assert_int_equal(due(file, 1700), 0);
}

static void haste_takes_what_is_closed_or_all(void **state)
{
	struct watch_file *open = get("c/a"), *closed = get("c/b");

	(void)state;
	watch_note(open, WATCH_CHANGED, 0);
	watch_note(closed, WATCH_CLOSED, 0);
	assert_int_equal(watch_due(&list, closed, WATCH_STOPPING, 0), 0);
	assert_true(watch_due(&list, open, WATCH_STOPPING, 0) > 0);
	assert_int_equal(watch_due(&list, open, WATCH_STOPPING, LONG_MS), 0);
	assert_int_equal(watch_due(&list, open, WATCH_ENDED, 0), 0);
}

static void a_look_finds_what_is_new_or_changed(void **state)
{
	struct checkpoint_state first = made_at(1), second = made_at(2);
	struct checkpoint_state none = {0};
	struct watch_file *file = get("c/a");

	(void)state;
	watch_look(file, &none, 0, 0);
	assert_false(file->dirty);
	watch_look(file, &first, 500, 1000);
	assert_int_equal(due(file, 1000), LONG_MS - 500);
	watch_look(file, &first, 600, 1100);
	assert_int_equal(due(file, 1100), LONG_MS - 600);
	watch_took(file, &first);
	watch_look(file, &first, 0, 2000);
	assert_false(file->dirty);
	watch_look(file, &second, 0, 2000);
	assert_int_equal(due(file, 2000), LONG_MS);
	watch_look(file, &first, 0, 2000);
	watch_look(file, &second, LONG_MS, 3000);
	assert_int_equal(due(file, 3000), 0);
}

static void a_failure_is_tried_once_more(void **state)
{
	struct watch_file *file = get("c/a");

	(void)state;
	watch_note(file, WATCH_MOVED, 0);
	assert_false(watch_failed(&list, file, WATCH_PATIENT, 10));
	assert_int_equal(due(file, 10), LONG_MS);
	assert_true(watch_failed(&list, file, WATCH_PATIENT, 10 + LONG_MS));
	assert_int_equal(due(file, 9000), -1);
	watch_note(file, WATCH_CLOSED, 10000);
	assert_false(watch_failed(&list, file, WATCH_PATIENT, 10100));
	watch_note(file, WATCH_MOVED, 10200);
	assert_int_equal(due(file, 10200), 0);
	assert_true(watch_failed(&list, file, WATCH_ENDED, 10200));
}

static void order_is_by_time_and_by_step(void **state)
{
	static const struct {
		const char *path;
		int64_t made_ms, step;
	} files[] = {{"c/x", 30, -1},
		     {"c/3", 10, 3},
		     {"c/1", 20, 1},
		     {"c/2", 40, 2},
		     {"c/y", 5, -1}};
	static const char *const order[] = {"y", "1", "2", "x", "3"};
	struct watch_file *due_files[8];
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct watch_file *file = get(files[i].path);

		watch_note(file, WATCH_MOVED, 0);
		file->seen = made_at(files[i].made_ms);
		file->said.has_number = files[i].step >= 0;
		file->said.number = files[i].step;
	}
	assert_int_equal(watch_list_due(&list, WATCH_PATIENT, 0, due_files), 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(due_files[i]->name, order[i]);
}

static void one_that_came_before_is_waited_for(void **state)
{
	struct watch_file *first = get("c/1"), *second = get("c/2");
	struct watch_file *due_files[8];

	(void)state;
	watch_note(first, WATCH_CHANGED, 1000);
	watch_note(second, WATCH_MOVED, 1000);
	assert_int_equal(watch_list_due(&list, WATCH_PATIENT, 1000, due_files),
			 0);
	assert_int_equal(watch_list_wait(&list, WATCH_PATIENT, 1000), LONG_MS);
	watch_note(first, WATCH_CLOSED, 1200);
	/* Now it came later. */
	assert_int_equal(watch_list_due(&list, WATCH_PATIENT, 1200, due_files),
			 1);
	watch_note(first, WATCH_CHANGED, 900);
	watch_note(second, WATCH_MOVED, 1000);
	assert_int_equal(watch_list_due(&list, WATCH_ENDED, 1000, due_files),
			 2);
	watch_failed(&list, first, WATCH_PATIENT, 1000);
	assert_int_equal(watch_list_due(&list, WATCH_PATIENT, 1000, due_files),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_path_is_one_file, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			how_it_came_says_when_it_is_complete, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			haste_takes_what_is_closed_or_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_look_finds_what_is_new_or_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_is_tried_once_more,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(order_is_by_time_and_by_step,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_came_before_is_waited_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
