#include "support/assert.h"

#include <stdatomic.h>
#include <unistd.h>

#include "publish/transfers.h"

struct counting {
	atomic_uint done, running, most;
	size_t fails_at;
	struct http_meter meter;
	bool busy;
};

static enum wh_status count(void *arg, size_t index, struct wh_error *err)
{
	struct counting *counting = arg;
	unsigned now = atomic_fetch_add(&counting->running, 1) + 1;

	if (now > atomic_load(&counting->most))
		atomic_store(&counting->most, now);
	usleep(2000);
	if (counting->busy)
		atomic_fetch_add(&counting->meter.busy, 1);
	atomic_fetch_sub(&counting->running, 1);
	atomic_fetch_add(&counting->done, 1);
	if (index == counting->fails_at)
		return wh_fail(err, WH_EREMOTE, "transfer %zu failed", index);
	return WH_OK;
}

static bool refuse(void *arg)
{
	(void)arg;
	return false;
}

static void all_are_done_side_by_side(void **state)
{
	struct counting counting = {.fails_at = SIZE_MAX};
	struct transfers transfers = {
		.n = 40, .parallel = 4, .transfer = count, .arg = &counting};
	struct wh_error err;

	(void)state;
	assert_ok(transfers_run(&transfers, &err), &err);
	assert_int_equal(counting.done, 40);
	assert_in_range(counting.most, 2, 4);
}

static void after_a_failure_none_begins(void **state)
{
	struct counting counting = {.fails_at = 3};
	struct transfers transfers = {
		.n = 1000, .parallel = 2, .transfer = count, .arg = &counting};
	struct wh_error err;

	(void)state;
	assert_fails(transfers_run(&transfers, &err), &err, WH_EREMOTE,
		     "transfer 3 failed");
	/* The other worker may go on for as long as this one isn't let run. */
	assert_in_range(counting.done, 4, 999);
}

static void a_busy_server_gets_fewer_at_a_time(void **state)
{
	struct counting counting = {.fails_at = SIZE_MAX, .busy = true};
	struct transfers transfers = {.n = 30,
				      .parallel = 8,
				      .transfer = count,
				      .arg = &counting,
				      .meter = &counting.meter};
	struct wh_error err;

	(void)state;
	assert_ok(transfers_run(&transfers, &err), &err);
	assert_int_equal(counting.done, 30);
}

/* Eight workers end their transfers, and only then look for the next ones:
 * when they still were counted after that, all of them left. */
static void those_above_the_limit_leave_and_the_others_stay(void **state)
{
	struct turns turns = {.n = 100, .next = 8, .running = 8, .limit = 8};
	unsigned stayed = 0;
	size_t index;
	int i;

	(void)state;
	turns_halve(&turns);
	turns_halve(&turns);
	for (i = 0; i < 8; i++)
		stayed += turns_take(&turns, &index);
	assert_int_equal(stayed, 2);
	assert_int_equal(turns.running, 2);
	assert_int_equal(turns.next, 10);
	turns_halve(&turns);
	turns_halve(&turns);
	assert_int_equal(turns.limit, 1);
	assert_false(turns_take(&turns, &index));
	assert_true(turns_take(&turns, &index));
	turns.next = turns.n;
	assert_false(turns_take(&turns, &index));
	assert_int_equal(turns.running, 0);
}

static void the_caller_can_cancel(void **state)
{
	struct counting counting = {.fails_at = SIZE_MAX};
	struct transfers transfers = {.n = 100000,
				      .parallel = 2,
				      .transfer = count,
				      .arg = &counting,
				      .meter = &counting.meter,
				      .poll = refuse};
	struct wh_error err;

	(void)state;
	assert_fails(transfers_run(&transfers, &err), &err, WH_ECANCELLED,
		     "cancelled");
	assert_true(counting.meter.cancelled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_done_side_by_side),
		cmocka_unit_test(after_a_failure_none_begins),
		cmocka_unit_test(a_busy_server_gets_fewer_at_a_time),
		cmocka_unit_test(
			those_above_the_limit_leave_and_the_others_stay),
		cmocka_unit_test(the_caller_can_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
