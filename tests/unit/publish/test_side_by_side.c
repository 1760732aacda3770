/* Handles in several threads publish into one folder, and pull from it. */
#include <pthread.h>
#include <stdlib.h>

#include <weighhouse/publish.h>

#include "../engine/folder.h"

#define THREADS 4

struct publisher {
	int number;
	enum wh_status status;
	struct wh_pulled pulled;
	struct wh_error err;
};

static enum wh_status publish_and_pull(int number, struct wh_pulled *pulled,
				       struct wh_error *err)
{
	static const char *const formats[] = {"tf", "safetensors", "npz", NULL};
	char alias[16], folder[16], revision[16];
	const char *aliases[] = {alias, "latest", NULL};
	struct wh_publish_options options = {
		.formats = formats,
		.aliases = aliases,
		.place.parallel = 3,
	};
	struct wh_pull_options pull = {.alias = alias, .place.parallel = 3};
	struct wh_store *store;
	enum wh_status status;

	snprintf(alias, sizeof(alias), "a%d", number);
	snprintf(folder, sizeof(folder), "back-%d", number);
	snprintf(revision, sizeof(revision), "HEAD~%d", number % 2);
	status = wh_store_open("weights.wh", WH_OPEN_WRITE, &store, err);
	if (status)
		return status;
	status = wh_publish(store, revision, "file:place", &options, err);
	wh_store_close(store);
	if (status)
		return status;
	return wh_pull("file:place", folder, &pull, pulled, err);
}

static void *run(void *arg)
{
	struct publisher *publisher = arg;

	publisher->status = publish_and_pull(
		publisher->number, &publisher->pulled, &publisher->err);
	return NULL;
}

/* What came back is the snapshot that the alias was given, and its values. */
static void check_pulled(const struct wh_pulled *pulled, const char *snapshot,
			 float seed)
{
	float values[2] = {0};
	struct wh_source *source;
	struct wh_error err;
	uint32_t i = 0;

	assert_string_equal(pulled->snapshot, snapshot);
	assert_ok(wh_checkpoint_open(pulled->checkpoint, NULL, NULL, &source,
				     &err),
		  &err);
	while (i < source->manifest.n_tensors &&
	       source->manifest.tensors[i].nbytes != sizeof(values))
		i++;
	assert_in_range(i, 0, source->manifest.n_tensors - 1);
	assert_ok(wh_source_read(source, i, 0, values, sizeof(values), &err),
		  &err);
	assert_true(values[0] >= seed && values[0] <= seed); /* the bias */
	wh_source_close(source);
}

static void publishers_share_a_folder(void **state)
{
	struct folder *f = *state;
	struct publisher publishers[THREADS] = {0};
	struct wh_commit_result commits[2];
	pthread_t threads[THREADS];
	struct wh_store *store;
	struct wh_source *source;
	int i;

	assert_int_equal(mkdir("place", 0777), 0);
	assert_ok(wh_store_create("weights.wh", &f->err), &f->err);
	assert_ok(wh_store_open("weights.wh", WH_OPEN_WRITE, &store, &f->err),
		  &f->err);
	for (i = 0; i < 2; i++) {
		source = make_model((float)i);
		assert_ok(wh_commit(store, source, NULL, &commits[i], &f->err),
			  &f->err);
		wh_source_close(source);
	}
	wh_store_close(store);
	for (i = 0; i < THREADS; i++) {
		publishers[i].number = i;
		assert_int_equal(
			pthread_create(&threads[i], NULL, run, &publishers[i]),
			0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < THREADS; i++) {
		int nth = 1 - i % 2; /* HEAD~(i % 2) of two */

		assert_ok(publishers[i].status, &publishers[i].err);
		check_pulled(&publishers[i].pulled, commits[nth].snapshot,
			     (float)nth);
		wh_pulled_free(&publishers[i].pulled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(publishers_share_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
