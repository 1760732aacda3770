/* Commits in the background: what they hold, and when they tell of failures.
 */
#include "support/damage.h"
#include "support/little.h"
#include "support/one_weight.h"

#include <stdlib.h>
#include <string.h>

#include <weighhouse/async.h>

#define N ((size_t)1 << 20) /* floats */

/* The source's release says when it was closed. */
static void note_close(void *arg)
{
	++*(int *)arg;
}

static struct wh_source *make_source(const float *values, int *n_closed)
{
	const uint64_t shape[] = {N};
	const struct wh_array array = {.name = "w",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = shape,
				       .data = values};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	wh_builder_release(builder, note_close, n_closed);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static void fill(float *values, float seed)
{
	size_t i;

	for (i = 0; i < N; i++)
		values[i] = seed + (float)(i % 1000);
}

static void assert_holds(struct fixture *f, const char *revision, float seed)
{
	float *values = malloc(N * sizeof(*values)), *wanted;
	struct wh_source *back = NULL;

	assert_ok(wh_snapshot_open(f->store, revision, &back, &f->err),
		  &f->err);
	assert_ok(wh_source_read(back, 0, 0, values, N * sizeof(*values),
				 &f->err),
		  &f->err);
	wanted = malloc(N * sizeof(*wanted));
	fill(wanted, seed);
	make_little(wanted, N * sizeof(*wanted), sizeof(*wanted));
	assert_memory_equal(values, wanted, N * sizeof(*values));
	free(wanted);
	free(values);
	wh_source_close(back);
}

static struct wh_async *open_async(struct fixture *f)
{
	struct wh_async *async = NULL;

	assert_ok(wh_async_open(f->path, &async, &f->err), &f->err);
	return async;
}

static void arrays_may_change_when_the_call_returns(void **state)
{
	struct fixture *f = *state;
	struct wh_async *async = open_async(f);
	float *values = malloc(N * sizeof(*values));
	int n_closed = 0, step;

	for (step = 0; step < 4; step++) {
		struct wh_commit_options options = {.has_step = true,
						    .step = step};

		fill(values, (float)step);
		assert_ok(wh_async_commit(async, make_source(values, &n_closed),
					  &options, &f->err),
			  &f->err);
		memset(values, 0xff, N * sizeof(*values));
	}
	assert_ok(wh_async_wait(async, &f->result, &f->err), &f->err);
	assert_false(wh_async_busy(async));
	assert_int_equal(n_closed, 4);
	assert_int_equal(f->result.n_new_tensors, 1);
	assert_holds(f, "HEAD", 3);
	assert_holds(f, "HEAD~3", 0);
	/* There is nothing to wait for now. */
	assert_ok(wh_async_wait(async, &f->result, &f->err), &f->err);
	assert_string_equal(f->result.snapshot, "");
	wh_async_close(async);
	free(values);
}

static void what_was_given_is_copied(void **state)
{
	struct fixture *f = *state;
	struct wh_async *async = open_async(f);
	float *values = malloc(N * sizeof(*values));
	char message[] = "first", key[] = "loss", name[] = "lr", text[] = "0.1";
	struct wh_metric metric = {key, 0.5};
	struct wh_param param = {name, text};
	struct wh_commit_options options = {.message = message,
					    .metrics = &metric,
					    .n_metrics = 1,
					    .params = &param,
					    .n_params = 1};
	char *manifest;
	int n_closed = 0;
	size_t size;

	fill(values, 7);
	assert_ok(wh_async_commit(async, make_source(values, &n_closed),
				  &options, &f->err),
		  &f->err);
	memset(message, 'x', 5);
	memset(key, 'x', 4);
	memset(name, 'x', 2);
	memset(&metric, 0xff, sizeof(metric));
	memset(&param, 0xff, sizeof(param));
	memset(&options, 0xff, sizeof(options));
	assert_ok(wh_async_wait(async, NULL, &f->err), &f->err);
	assert_ok(wh_snapshot_text(f->store, "HEAD", &manifest, &size, &f->err),
		  &f->err);
	assert_non_null(strstr(manifest, "\nfirst"));
	free(manifest);
	wh_async_close(async);
	free(values);
}

/* By wait, or else by the next commit, which then begins nothing; once. */
static void a_failure_is_told_once(void **state)
{
	const struct wh_commit_options wrong = {.parent = "nowhere"};
	struct fixture *f = *state;
	struct wh_async *async = open_async(f);
	float *values = malloc(N * sizeof(*values));
	int n_closed = 0;

	fill(values, 1);
	assert_ok(wh_async_commit(async, make_source(values, &n_closed), &wrong,
				  &f->err),
		  &f->err);
	assert_fails(wh_async_wait(async, &f->result, &f->err), &f->err,
		     WH_ENOTFOUND, "nowhere");
	assert_ok(wh_async_wait(async, &f->result, &f->err), &f->err);
	assert_ok(wh_async_commit(async, make_source(values, &n_closed), &wrong,
				  &f->err),
		  &f->err);
	assert_fails(wh_async_commit(async, make_source(values, &n_closed),
				     NULL, &f->err),
		     &f->err, WH_ENOTFOUND, "nowhere");
	assert_int_equal(n_closed, 3);
	assert_ok(wh_async_commit(async, make_source(values, &n_closed), NULL,
				  &f->err),
		  &f->err);
	assert_ok(wh_async_wait(async, &f->result, &f->err), &f->err);
	assert_string_equal(f->result.parent, "");
	assert_holds(f, "HEAD", 1);
	wh_async_close(async);
	free(values);
}

static int fail_to_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	(void)offset;
	(void)buf;
	(void)len;
	return -1;
}

static void what_cant_be_copied_fails_at_once(void **state)
{
	const uint64_t shape[] = {8};
	const struct wh_array array = {.name = "w",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = shape,
				       .read = fail_to_read};
	struct fixture *f = *state;
	struct wh_async *async = open_async(f);
	struct wh_source *source = NULL;

	source = one_weight(NULL, NULL, &array);
	assert_fails(wh_async_commit(async, source, NULL, &f->err), &f->err,
		     WH_EIO, "its read callback failed");
	assert_false(wh_async_busy(async));
	assert_fails(wh_async_open("/nonexistent/store.wh", &async, &f->err),
		     &f->err, WH_ENOTFOUND, "/nonexistent/store.wh");
	wh_async_close(async);
}

static void closing_waits(void **state)
{
	struct fixture *f = *state;
	struct wh_async *async = open_async(f);
	float *values = malloc(N * sizeof(*values));
	int n_closed = 0;

	fill(values, 5);
	assert_ok(wh_async_commit(async, make_source(values, &n_closed), NULL,
				  &f->err),
		  &f->err);
	wh_async_close(async);
	wh_async_close(NULL);
	assert_int_equal(n_closed, 1);
	assert_holds(f, "HEAD", 5);
	free(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(arrays_may_change_when_the_call_returns),
		with_store(what_was_given_is_copied),
		with_store(a_failure_is_told_once),
		with_store(what_cant_be_copied_fails_at_once),
		with_store(closing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
