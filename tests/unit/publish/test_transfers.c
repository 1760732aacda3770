#include "support/assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "publish/transfers.h"

/* Transfers that wait for each other; in vain for a minute, if they must. */
struct stage {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	unsigned begun, running, most, done;
	bool has_left; /* a worker */
	pthread_key_t leaving;
	struct http_meter meter;
};

#define STAGE(name)                                                            \
	struct stage name = {.lock = PTHREAD_MUTEX_INITIALIZER,                \
			     .changed = PTHREAD_COND_INITIALIZER}

static void enter(struct stage *stage)
{
	pthread_mutex_lock(&stage->lock);
	stage->begun++;
	if (++stage->running > stage->most)
		stage->most = stage->running;
	pthread_cond_broadcast(&stage->changed);
}

static void leave(struct stage *stage)
{
	stage->running--;
	stage->done++;
	pthread_mutex_unlock(&stage->lock);
}

/* Between enter and leave; false once a minute is over. */
static bool wait_for_change(struct stage *stage)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	return !pthread_cond_timedwait(&stage->changed, &stage->lock, &until);
}

#define PARALLEL 4

static enum wh_status meet(void *arg, size_t index, struct wh_error *err)
{
	struct stage *stage = arg;

	(void)index, (void)err;
	enter(stage);
	while (stage->begun < PARALLEL && wait_for_change(stage))
		;
	leave(stage);
	return WH_OK;
}

static void all_are_done_side_by_side(void **state)
{
	STAGE(stage);
	struct transfers transfers = {
		.n = 40, .parallel = PARALLEL, .transfer = meet, .arg = &stage};
	struct wh_error err;

	(void)state;
	assert_ok(transfers_run(&transfers, &err), &err);
	assert_int_equal(stage.done, 40);
	assert_int_equal(stage.most, PARALLEL);
}

#define FAILS_AT 3

static void tell_left(void *arg)
{
	struct stage *stage = arg;

	pthread_mutex_lock(&stage->lock);
	stage->has_left = true;
	pthread_cond_broadcast(&stage->changed);
	pthread_mutex_unlock(&stage->lock);
}

/* Of two workers one holds the first transfer until the other is gone. */
static enum wh_status fail_beside_another(void *arg, size_t index,
					  struct wh_error *err)
{
	struct stage *stage = arg;

	enter(stage);
	if (index)
		pthread_setspecific(stage->leaving, stage);
	while (!index && !stage->has_left && wait_for_change(stage))
		;
	leave(stage);
	return index == FAILS_AT
		       ? wh_fail(err, WH_EREMOTE, "transfer %zu failed", index)
		       : WH_OK;
}

static void after_a_failure_none_begins(void **state)
{
	STAGE(stage);
	struct transfers transfers = {.n = 1000,
				      .parallel = 2,
				      .transfer = fail_beside_another,
				      .arg = &stage};
	struct wh_error err;

	(void)state;
	assert_int_equal(pthread_key_create(&stage.leaving, tell_left), 0);
	assert_fails(transfers_run(&transfers, &err), &err, WH_EREMOTE,
		     "transfer 3 failed");
	assert_int_equal(stage.done, FAILS_AT + 1);
	pthread_key_delete(stage.leaving);
}

#define LIMITS (8 + 4 + 2) /* transfers that may begin before one is left */

static enum wh_status be_refused(void *arg, size_t index, struct wh_error *err)
{
	struct stage *stage = arg;

	(void)err;
	enter(stage);
	if (index == LIMITS)
		stage->most = stage->running;
	pthread_mutex_unlock(&stage->lock);
	usleep(1000); /* others come, if there are any */
	atomic_fetch_add(&stage->meter.busy, 1);
	pthread_mutex_lock(&stage->lock);
	leave(stage);
	return WH_OK;
}

static void a_busy_server_gets_fewer_at_a_time(void **state)
{
	STAGE(stage);
	struct transfers transfers = {.n = 30,
				      .parallel = 8,
				      .transfer = be_refused,
				      .arg = &stage,
				      .meter = &stage.meter};
	struct wh_error err;

	(void)state;
	assert_ok(transfers_run(&transfers, &err), &err);
	assert_int_equal(stage.done, 30);
	assert_int_equal(stage.most, 1);
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

static bool refuse(void *arg)
{
	(void)arg;
	return false;
}

/* As real ones do: they end when they are told to. */
static enum wh_status run_until_cancelled(void *arg, size_t index,
					  struct wh_error *err)
{
	struct stage *stage = arg;
	int ms;

	(void)index, (void)err;
	for (ms = 0; ms < 60000 && !atomic_load(&stage->meter.cancelled); ms++)
		usleep(1000);
	return WH_OK;
}

static void the_caller_can_cancel(void **state)
{
	STAGE(stage);
	struct transfers transfers = {.n = 10,
				      .parallel = 2,
				      .transfer = run_until_cancelled,
				      .arg = &stage,
				      .meter = &stage.meter,
				      .poll = refuse};
	struct wh_error err;

	(void)state;
	assert_fails(transfers_run(&transfers, &err), &err, WH_ECANCELLED,
		     "cancelled");
	assert_true(stage.meter.cancelled);
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
