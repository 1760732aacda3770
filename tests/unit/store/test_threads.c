/* Eight handles in eight threads of one process. What ThreadSanitizer says of
 * it is the suite `thread`'s business; here nobody fails, and nothing is lost.
 */
#include <pthread.h>
#include <stdlib.h>

#include <weighhouse/async.h>
#include <weighhouse/keep.h>

#include "support/little.h"
#include "support/store.h"

#define THREADS 8
#define COMMITS 2
/* Of the large model, 9 MB: more than what is coded into memory. */
#define ROWS	  2250u
#define COLUMNS	  1000u
#define N_WEIGHTS ((size_t)ROWS * COLUMNS)

struct worker {
	const char *path;
	int number;
	int n_commits;
	enum wh_status (*work)(struct worker *worker, struct wh_error *err);
	enum wh_status status;
	struct wh_error err;
};

/* A layer that all models share, and one of this thread's own. */
static enum wh_status make(float *weights, uint64_t rows,
			   struct wh_source **out, struct wh_error *err)
{
	static const float same[4] = {1, 2, 3, 4};
	const uint64_t shape[] = {rows, COLUMNS}, four = 4;
	struct wh_array own = {.name = "kernel",
			       .dtype = WH_FLOAT32,
			       .rank = 2,
			       .shape = shape,
			       .data = weights};
	struct wh_array shared = {.name = "bias",
				  .dtype = WH_FLOAT32,
				  .rank = 1,
				  .shape = &four,
				  .data = same};
	struct wh_builder *builder;
	enum wh_status status = wh_builder_new(&builder, err);

	if (status)
		return status;
	status = wh_builder_layer(builder, "own", "Dense", err);
	if (!status)
		status = wh_builder_weight(builder, &own, err);
	if (!status)
		status = wh_builder_layer(builder, "shared", "Dense", err);
	if (!status)
		status = wh_builder_weight(builder, &shared, err);
	if (!status)
		return wh_builder_finish(builder, out, err);
	wh_builder_free(builder);
	return status;
}

static void fill(float *weights, int number, int step)
{
	size_t i;

	for (i = 0; i < N_WEIGHTS; i++)
		weights[i] = (float)((i * 7919 + (size_t)number) % 1000) +
			     1e-4f * (float)step;
}

static enum wh_status commit_once(struct wh_store *store, struct worker *worker,
				  float *weights, struct wh_error *err)
{
	char branch[16];
	struct wh_commit_options options = {.branch = branch, .threads = 2};
	/* Most are small. */
	uint64_t rows = worker->number % 4 ? 3 : ROWS;
	struct wh_source *source;
	enum wh_status status = make(weights, rows, &source, err);

	if (status)
		return status;
	snprintf(branch, sizeof(branch), "b%d", worker->number);
	status = wh_commit(store, source, &options, NULL, err);
	wh_source_close(source);
	return status;
}

static enum wh_status read_back(struct wh_store *store, struct worker *worker,
				float *weights, struct wh_error *err)
{
	float got[COLUMNS];
	char branch[16];
	enum wh_status status;

	snprintf(branch, sizeof(branch), "b%d", worker->number);
	status = wh_tensor_read(store, branch, "own/kernel", 0, got,
				sizeof(got), err);
	make_little(got, sizeof(got), sizeof(*got));
	if (!status && memcmp(got, weights, sizeof(got)) != 0) {
		err->status = status = WH_EMISMATCH;
		strcpy(err->message, "other bytes came back");
	}
	return status;
}

static enum wh_status commit_and_read(struct worker *worker,
				      struct wh_error *err)
{
	float *weights = malloc(N_WEIGHTS * sizeof(*weights));
	struct wh_store *store = NULL;
	enum wh_status status;
	int i;

	status = wh_store_open(worker->path, WH_OPEN_WRITE, &store, err);
	for (i = 0; i < worker->n_commits && !status; i++) {
		fill(weights, worker->number, i);
		status = commit_once(store, worker, weights, err);
		if (!status)
			status = read_back(store, worker, weights, err);
	}
	wh_store_close(store);
	free(weights);
	return status;
}

static enum wh_status clean(struct worker *worker, struct wh_error *err)
{
	static const char *const rules[] = {"last=1", NULL};
	struct wh_keep_options keep = {.rules = rules};
	struct wh_gc_options gc = {.has_grace = true};
	struct wh_gc_result result;
	struct wh_store *store = NULL;
	enum wh_status status;
	int i;

	status = wh_store_open(worker->path, WH_OPEN_WRITE, &store, err);
	for (i = 0; i < 2 * COMMITS && !status; i++) {
		gc.compact = i == COMMITS;
		gc.deep = i == COMMITS + 1;
		status = wh_keep(store, &keep, NULL, NULL, err);
		if (!status)
			status = wh_gc(store, &gc, &result, err);
	}
	wh_store_close(store);
	return status;
}

static enum wh_status commit_behind(struct worker *worker, struct wh_error *err)
{
	float *weights = malloc(N_WEIGHTS * sizeof(*weights));
	struct wh_commit_options options = {.branch = "behind"};
	struct wh_async *async = NULL;
	enum wh_status status = wh_async_open(worker->path, &async, err);
	int i;

	for (i = 0; i < worker->n_commits && !status; i++) {
		struct wh_source *source;

		fill(weights, worker->number, i);
		status = make(weights, ROWS, &source, err);
		if (!status)
			status = wh_async_commit(async, source, &options, err);
		(void)wh_async_busy(async);
	}
	if (!status)
		status = wh_async_wait(async, NULL, err);
	wh_async_close(async);
	free(weights);
	return status;
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	worker->status = worker->work(worker, &worker->err);
	return NULL;
}

static void run_all(struct worker *workers, const char *path)
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i].path = path;
		workers[i].number = i;
		workers[i].n_commits = COMMITS;
		assert_int_equal(
			pthread_create(&threads[i], NULL, run, &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < THREADS; i++)
		assert_ok(workers[i].status, &workers[i].err);
}

static void assert_clean(struct fixture *f)
{
	struct wh_verify_options options = {.read_data = true};
	struct wh_verify_result result;

	assert_ok(wh_verify(f->store, &options, NULL, &result, &f->err),
		  &f->err);
	assert_int_equal(result.n_errors, 0);
}

static void eight_handles_commit_and_read(void **state)
{
	struct fixture *f = *state;
	struct worker workers[THREADS] = {0};
	int i;

	for (i = 0; i < THREADS; i++)
		workers[i].work = commit_and_read;
	run_all(workers, f->path);
	assert_int_equal(ask_integer(f, "select count(*) from snapshot"),
			 THREADS * COMMITS);
	assert_int_equal(
		ask_integer(f, "select count(*) from tensor where nbytes = 16"),
		1);
	assert_clean(f);
}

/* All that a process can do to a store at once. */
static void commits_gc_and_keep_side_by_side(void **state)
{
	struct fixture *f = *state;
	struct worker workers[THREADS] = {0};
	int i;

	for (i = 0; i < THREADS; i++)
		workers[i].work = commit_and_read;
	workers[5].work = clean;
	workers[6].work = clean;
	workers[7].work = commit_behind;
	run_all(workers, f->path);
	assert_clean(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(eight_handles_commit_and_read),
		with_store(commits_gc_and_keep_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
