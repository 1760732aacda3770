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
	assert_in_range(counting.done, 4, 6);
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
	int i;

	(void)state;
	/* Threads that all saw too many of them once all went. */
	for (i = 0; i < 20; i++) {
		atomic_store(&counting.done, 0);
		assert_ok(transfers_run(&transfers, &err), &err);
		assert_int_equal(counting.done, 30);
	}
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
		cmocka_unit_test(the_caller_can_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
