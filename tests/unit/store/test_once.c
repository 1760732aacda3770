/* What is committed and measured again after a crash is there once, and values
 * of a run find their snapshot. */
#include "support/damage.h"
#include "support/store.h"

#include <math.h>

#include <weighhouse/keep.h>
#include <weighhouse/run.h>

#include "base/error.h"

static void commit_as(struct fixture *f, float seed,
		      const struct wh_commit_options *options)
{
	struct wh_source *source = make_model(seed);

	assert_ok(wh_commit(f->store, source, options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static int count(void *arg, const struct wh_snapshot *snapshot)
{
	(void)snapshot;
	++*(int *)arg;
	return 0;
}

static int n_snapshots(struct fixture *f)
{
	struct wh_log_options options = {.all = true};
	int n = 0;

	assert_ok(wh_log(f->store, &options, count, &n, &f->err), &f->err);
	return n;
}

static struct wh_commit_options of_step(int64_t step, const char *message)
{
	return (struct wh_commit_options){.run = "r",
					  .message = message,
					  .has_step = true,
					  .step = step,
					  .once = true,
					  .adopt = true};
}

static void a_second_commit_of_the_same_is_the_first(void **state)
{
	struct wh_commit_options first = of_step(1, "a.h5");
	struct wh_commit_options next = of_step(2, "a.h5");
	struct wh_commit_options other = of_step(1, "b.h5");
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	commit_as(f, 1.0f, &first);
	assert_false(f->result.there_already);
	strcpy(id, f->result.snapshot);
	first.has_time = true;
	first.time = 1;
	commit_as(f, 1.0f, &first);
	assert_true(f->result.there_already);
	assert_string_equal(f->result.snapshot, id);
	assert_string_equal(f->result.parent, "");
	assert_int_equal(n_snapshots(f), 1);
	commit_as(f, 1.0f, &next);
	assert_false(f->result.there_already);
	assert_string_equal(f->result.parent, id);
	commit_as(f, 1.0f, &other);
	assert_int_equal(n_snapshots(f), 3);
	next.once = false;
	next.has_time = true;
	commit_as(f, 1.0f, &next);
	assert_int_equal(n_snapshots(f), 4);
}

static void what_changed_and_changed_back_is_committed(void **state)
{
	struct wh_commit_options best = {
		.run = "r", .message = "best.h5", .once = true};
	struct fixture *f = *state;
	static const float seeds[] = {1, 2, 2, 1, 1};
	size_t i;

	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		commit_as(f, seeds[i], &best);
	assert_true(f->result.there_already);
	assert_int_equal(n_snapshots(f), 3);
}

static void what_was_forgotten_was_there(void **state)
{
	static const char *const rules[] = {"last=1", NULL};
	struct wh_keep_options keep = {.rules = rules};
	struct wh_commit_options first = of_step(1, "a");
	struct wh_commit_options next = of_step(2, "b");
	struct fixture *f = *state;

	commit_as(f, 1.0f, &first);
	commit_as(f, 2.0f, &next);
	assert_ok(wh_keep(f->store, &keep, NULL, NULL, &f->err), &f->err);
	assert_int_equal(n_snapshots(f), 1);
	commit_as(f, 1.0f, &first);
	assert_true(f->result.there_already);
	assert_int_equal(n_snapshots(f), 1);
}

static void keep_last(struct fixture *f)
{
	static const char *const rules[] = {"last=1", NULL};
	struct wh_keep_options keep = {.rules = rules};
	struct wh_gc_options gc = {.has_grace = true};
	struct wh_gc_result result;

	assert_ok(wh_keep(f->store, &keep, NULL, NULL, &f->err), &f->err);
	assert_ok(wh_gc(f->store, &gc, &result, &f->err), &f->err);
	assert_int_equal(n_snapshots(f), 1);
}

static void what_gc_took_was_there(void **state)
{
	struct wh_commit_options first = of_step(1, "a");
	struct wh_commit_options next = of_step(2, "b");
	struct wh_commit_options other = of_step(1, "c");
	struct fixture *f = *state;
	char parent[WH_ID_SIZE], id[WH_ID_SIZE];

	commit_as(f, 9.0f, &other);
	strcpy(parent, f->result.snapshot);
	commit_as(f, 1.0f, &first);
	strcpy(id, f->result.snapshot);
	commit_as(f, 2.0f, &next);
	keep_last(f);
	commit_as(f, 1.0f, &first);
	assert_true(f->result.there_already);
	assert_string_equal(f->result.snapshot, id);
	assert_string_equal(f->result.parent, parent);
	assert_int_equal(f->result.stored_bytes, 0);
	assert_int_equal(n_snapshots(f), 1);
	/* Other weights are none that were there. */
	commit_as(f, 3.0f, &first);
	assert_false(f->result.there_already);
	assert_int_equal(n_snapshots(f), 2);
}

/* The one that lives is told, not a newer one that gc took. */
static void what_lives_is_told_before_what_gc_took(void **state)
{
	static const char *const rules[] = {"last=1", NULL};
	const struct wh_keep_options keep = {.rules = rules};
	const struct wh_gc_options gc = {.has_grace = true};
	struct wh_commit_options first = of_step(1, "a");
	struct wh_commit_options next = of_step(2, "b");
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	first.has_time = next.has_time = true;
	first.tag = "lives";
	commit_as(f, 1.0f, &first);
	strcpy(id, f->result.snapshot);
	first.tag = NULL;
	first.once = false;
	first.time = 1;
	commit_as(f, 1.0f, &first);
	next.time = 2;
	commit_as(f, 2.0f, &next);
	assert_ok(wh_keep(f->store, &keep, NULL, NULL, &f->err), &f->err);
	assert_ok(wh_gc(f->store, &gc, NULL, &f->err), &f->err);
	assert_int_equal(n_snapshots(f), 2);
	first.once = true;
	commit_as(f, 1.0f, &first);
	assert_true(f->result.there_already);
	assert_string_equal(f->result.snapshot, id);
}

static void a_root_that_gc_took_was_there(void **state)
{
	struct wh_commit_options first = of_step(1, "a");
	struct wh_commit_options next = of_step(2, "b");
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	commit_as(f, 1.0f, &first);
	strcpy(id, f->result.snapshot);
	commit_as(f, 2.0f, &next);
	keep_last(f);
	commit_as(f, 1.0f, &first);
	assert_true(f->result.there_already);
	assert_string_equal(f->result.snapshot, id);
	assert_string_equal(f->result.parent, "");
}

static void what_gc_took_is_committed_again_where_nobody_said_once(void **state)
{
	struct wh_commit_options first = of_step(1, "a");
	struct wh_commit_options next = of_step(2, "b");
	struct fixture *f = *state;

	commit_as(f, 1.0f, &first);
	commit_as(f, 2.0f, &next);
	keep_last(f);
	first.once = false;
	commit_as(f, 1.0f, &first);
	assert_false(f->result.there_already);
	assert_int_equal(n_snapshots(f), 2);
}

static void the_same_weights_of_another_epoch_are_committed(void **state)
{
	struct wh_commit_options options = {
		.run = "r", .has_epoch = true, .epoch = 1, .once = true};
	struct fixture *f = *state;

	commit_as(f, 1.0f, &options);
	commit_as(f, 1.0f, &options);
	assert_true(f->result.there_already);
	options.epoch = 2;
	commit_as(f, 1.0f, &options);
	assert_false(f->result.there_already);
	assert_int_equal(n_snapshots(f), 2);
}

/* By its tombstone none can tell which of one second came first. */
static void what_gc_took_of_the_same_second_is_committed(void **state)
{
	struct wh_commit_options options = of_step(1, "a");
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	options.has_time = true;
	options.time = 1000;
	commit_as(f, 1.0f, &options);
	strcpy(id, f->result.snapshot);
	commit_as(f, 2.0f, &options);
	keep_last(f);
	commit_as(f, 1.0f, &options);
	assert_false(f->result.there_already);
	assert_string_not_equal(f->result.snapshot, id);
	assert_int_equal(n_snapshots(f), 2);
}

/* ---- Metrics ---------------------------------------------------------------
 */

static void measure(struct fixture *f, int64_t step, double value)
{
	struct wh_metric_point point = {.run = "r",
					.key = "loss",
					.step = step,
					.value = value,
					.once = true,
					.of_snapshot = true};

	assert_ok(wh_metric_log(f->store, &point, 1, &f->err), &f->err);
}

struct seen {
	size_t n;
	double value;
};

static int look(void *arg, const struct wh_snapshot *snapshot)
{
	struct seen *seen = arg;

	seen->n = snapshot->n_metrics;
	if (seen->n)
		seen->value = snapshot->metrics[0].value;
	return 0;
}

static void assert_loss(struct fixture *f, const char *revision, double value)
{
	struct seen seen = {0};

	assert_ok(wh_snapshot_get(f->store, revision, look, &seen, &f->err),
		  &f->err);
	assert_int_equal(seen.n, 1);
	assert_float_equal(seen.value, value, 0);
}

static int sum(void *arg, const struct wh_run *run)
{
	uint64_t *n = arg;

	*n = run->n_metrics ? run->metrics[0].n : 0;
	return 0;
}

static uint64_t n_values(struct fixture *f)
{
	uint64_t n = 0;

	assert_ok(wh_run_get(f->store, "r", sum, &n, &f->err), &f->err);
	return n;
}

static void a_value_belongs_to_the_snapshot_whichever_came_first(void **state)
{
	const struct wh_metric rounded = {.key = "loss", .value = 0.5};
	struct wh_commit_options options = of_step(1, "a");
	struct fixture *f = *state;

	options.metrics = &rounded;
	options.n_metrics = 1;
	measure(f, 1, 0.512);
	commit_as(f, 1.0f, &options);
	assert_loss(f, "HEAD", 0.512);
	assert_int_equal(n_values(f), 1);
	options.step = 2;
	commit_as(f, 2.0f, &options);
	assert_loss(f, "HEAD", 0.5);
	measure(f, 2, 0.488);
	assert_loss(f, "HEAD", 0.488);
	assert_loss(f, "HEAD~1", 0.512);
	assert_ok(wh_snapshot_get(f->store, "best:loss", look,
				  &(struct seen){0}, &f->err),
		  &f->err);
	assert_int_equal(n_values(f), 3);
}

static void files_of_one_step_have_its_values(void **state)
{
	struct wh_commit_options best = of_step(7, "best.h5");
	struct wh_commit_options last = of_step(7, "last.h5");
	struct fixture *f = *state;

	commit_as(f, 1.0f, &best);
	commit_as(f, 2.0f, &last);
	measure(f, 7, 0.5);
	assert_loss(f, "HEAD", 0.5);
	assert_loss(f, "HEAD~1", 0.5);
	best.step = last.step = 8;
	measure(f, 8, 0.25);
	commit_as(f, 3.0f, &best);
	commit_as(f, 4.0f, &last);
	assert_loss(f, "HEAD", 0.25);
	assert_loss(f, "HEAD~1", 0.25);
	assert_int_equal(n_values(f), 4);
	/* Training that was resumed writes both anew, and measures anew. */
	commit_as(f, 5.0f, &last);
	measure(f, 8, 0.125);
	assert_loss(f, "HEAD", 0.125);
	assert_loss(f, "HEAD~1", 0.25);
	assert_loss(f, "HEAD~2", 0.125);
}

static void a_value_belongs_to_the_newest_that_lives(void **state)
{
	struct wh_commit_options options = of_step(1, "a");
	struct fixture *f = *state;

	commit_as(f, 1.0f, &options);
	commit_as(f, 2.0f, &options);
	damage_store(f, "INSERT INTO forgotten(snapshot_id, time) "
			"SELECT max(id), 1 FROM snapshot");
	measure(f, 1, 0.5);
	assert_loss(f, "HEAD~1", 0.5);
	assert_int_equal(n_values(f), 1);
}

static void a_value_that_is_there_is_not_added_again(void **state)
{
	struct wh_commit_options options = of_step(1, "a");
	struct fixture *f = *state;
	int i;

	commit_as(f, 1.0f, &options);
	for (i = 0; i < 2; i++) {
		measure(f, 1, 0.25);
		measure(f, 2, (double)NAN);
		measure(f, 3, (double)INFINITY);
	}
	assert_int_equal(n_values(f), 3);
	measure(f, 3, -(double)INFINITY);
	assert_int_equal(n_values(f), 4);
	assert_loss(f, "HEAD", 0.25);
}

static void a_snapshot_without_a_step_adopts_nothing(void **state)
{
	struct wh_commit_options options = {
		.run = "r", .message = "best.h5", .adopt = true};
	struct seen seen = {.n = 9};
	struct fixture *f = *state;

	measure(f, 1, 0.25);
	commit_as(f, 1.0f, &options);
	assert_ok(wh_snapshot_get(f->store, "HEAD", look, &seen, &f->err),
		  &f->err);
	assert_int_equal(seen.n, 0);
}

static void an_epoch_adopts_as_a_step_does(void **state)
{
	struct wh_commit_options options = {
		.run = "r", .has_epoch = true, .epoch = 3, .adopt = true};
	struct fixture *f = *state;

	measure(f, 3, 0.25);
	commit_as(f, 1.0f, &options);
	assert_loss(f, "HEAD", 0.25);
}

/* Nothing is adopted, so nothing is there that could be told in its place. */
static void values_of_one_key_are_all_kept(void **state)
{
	const struct wh_metric metrics[] = {
		{.key = "loss", .value = 0.5},
		{.key = "loss", .value = (double)INFINITY}};
	const struct wh_commit_options options = {
		.run = "r", .metrics = metrics, .n_metrics = 2};
	struct fixture *f = *state;

	commit_as(f, 1.0f, &options);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM metric"), 2);
	/* What is no number is its class alone. */
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM metric "
					"WHERE value IS NULL"),
			 1);
}

static void a_snapshot_that_asks_for_no_values_adopts_none(void **state)
{
	struct wh_commit_options options = of_step(1, "a");
	struct seen seen = {.n = 9};
	struct fixture *f = *state;

	options.adopt = false;
	measure(f, 1, 0.25);
	commit_as(f, 1.0f, &options);
	assert_ok(wh_snapshot_get(f->store, "HEAD", look, &seen, &f->err),
		  &f->err);
	assert_int_equal(seen.n, 0);
}

#define LAST_STEP "SELECT max(step) FROM metric"

static void a_value_s_step_is_the_step_or_the_epoch_or_the_commit(void **state)
{
	const struct wh_metric metric = {.key = "loss", .value = 0.5};
	struct wh_commit_options options = {
		.metrics = &metric, .n_metrics = 1, .epoch = 7, .step = 70};
	struct fixture *f = *state;

	commit_as(f, 1.0f, &options);
	assert_int_equal(ask_integer(f, LAST_STEP), 1);
	options.has_epoch = true;
	commit_as(f, 2.0f, &options);
	assert_int_equal(ask_integer(f, LAST_STEP), 7);
	options.has_step = true;
	commit_as(f, 3.0f, &options);
	assert_int_equal(ask_integer(f, LAST_STEP), 70);
}

/* ---- Runs ------------------------------------------------------------------
 */

static int note_status(void *arg, const struct wh_run *run)
{
	snprintf(arg, 32, "%s%s", run->status, run->has_ended ? ", ended" : "");
	return 0;
}

static void a_run_that_ended_goes_on(void **state)
{
	struct wh_run_request request = {.name = "r"};
	struct fixture *f = *state;
	char status[32];

	assert_fails(wh_run_resume(f->store, "r", &f->err), &f->err,
		     WH_ENOTFOUND, "'r'");
	assert_ok(wh_run_start(f->store, &request, &f->err), &f->err);
	assert_ok(wh_run_end(f->store, "r", "killed", 137, &f->err), &f->err);
	assert_ok(wh_run_resume(f->store, "r", &f->err), &f->err);
	assert_ok(wh_run_get(f->store, "r", note_status, status, &f->err),
		  &f->err);
	assert_string_equal(status, "running");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_second_commit_of_the_same_is_the_first),
		with_store(what_changed_and_changed_back_is_committed),
		with_store(what_was_forgotten_was_there),
		with_store(what_gc_took_was_there),
		with_store(what_lives_is_told_before_what_gc_took),
		with_store(a_root_that_gc_took_was_there),
		with_store(
			what_gc_took_is_committed_again_where_nobody_said_once),
		with_store(the_same_weights_of_another_epoch_are_committed),
		with_store(what_gc_took_of_the_same_second_is_committed),
		with_store(
			a_value_belongs_to_the_snapshot_whichever_came_first),
		with_store(files_of_one_step_have_its_values),
		with_store(a_value_belongs_to_the_newest_that_lives),
		with_store(a_value_that_is_there_is_not_added_again),
		with_store(a_snapshot_without_a_step_adopts_nothing),
		with_store(a_snapshot_that_asks_for_no_values_adopts_none),
		with_store(an_epoch_adopts_as_a_step_does),
		with_store(values_of_one_key_are_all_kept),
		with_store(
			a_value_s_step_is_the_step_or_the_epoch_or_the_commit),
		with_store(a_run_that_ended_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
