/* What is published and pulled by the calls for programs. */
#include <jansson.h>

#include <weighhouse/publish.h>

#include "../engine/folder.h"

static void publish_one(struct folder *f, const struct wh_commit_options *as)
{
	static const char *const formats[] = {"safetensors", NULL};
	const struct wh_publish_options options = {.formats = formats};
	struct wh_store *store;

	assert_int_equal(mkdir("place", 0777), 0);
	assert_ok(wh_store_create("weights.wh", &f->err), &f->err);
	assert_ok(wh_store_open("weights.wh", WH_OPEN_WRITE, &store, &f->err),
		  &f->err);
	assert_ok(wh_commit(store, f->source, as, NULL, &f->err), &f->err);
	assert_ok(wh_publish(store, "HEAD", "file:place", &options, &f->err),
		  &f->err);
	wh_store_close(store);
}

/* By a program that goes elsewhere after it opened the store. */
static void publish_from(struct folder *f, const char *elsewhere)
{
	static const char *const formats[] = {"safetensors", NULL};
	const struct wh_publish_options options = {.formats = formats};
	struct wh_store *store;

	assert_ok(wh_store_open("weights.wh", WH_OPEN_WRITE, &store, &f->err),
		  &f->err);
	assert_int_equal(mkdir(elsewhere, 0777), 0);
	assert_int_equal(chdir(elsewhere), 0);
	assert_ok(wh_publish(store, "HEAD", "file:../place", &options, &f->err),
		  &f->err);
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(rmdir(elsewhere), 0); /* nothing came there */
	wh_store_close(store);
}

static void step_and_epoch_come_with_a_part_too(void **state)
{
	static const char *const only[] = {"*", NULL};
	static const struct wh_commit_options as = {
		.has_step = true, .step = 7, .has_epoch = true, .epoch = 2};
	const struct wh_pull_options pulls[] = {{.only = NULL}, {.only = only}};
	struct folder *f = *state;
	struct wh_pulled pulled;
	char folder[16];
	int i;

	publish_one(f, &as);
	for (i = 0; i < 2; i++) {
		snprintf(folder, sizeof(folder), "back-%d", i);
		memset(&pulled, 0, sizeof(pulled));
		assert_ok(wh_pull("file:place", folder, &pulls[i], &pulled,
				  &f->err),
			  &f->err);
		assert_true(pulled.has_step && pulled.has_epoch);
		assert_int_equal(pulled.step, 7);
		assert_int_equal(pulled.epoch, 2);
		wh_pulled_free(&pulled);
	}
}

/* What was published while the store couldn't be written lies beside it until
 * it is taken in: too much of it, or an error of the disk, is no reason to
 * forget it. */
static void records_that_cannot_be_read_stay(void **state)
{
	static const struct wh_commit_options as = {.message = "m"};
	static const char name[] = "weights.wh-publish/published.jsonl";
	struct folder *f = *state;
	struct stat at;

	assert_int_equal(mkdir("weights.wh-publish", 0700), 0);
	put(name, "");
	assert_int_equal(truncate(name, 65 << 20), 0);
	publish_one(f, &as);
	assert_int_equal(stat(name, &at), 0);
	assert_true(at.st_size > 65 << 20); /* with this publication's */
}

static unsigned n_left; /* allocations of jansson that succeed */

static void *some_memory(size_t size)
{
	return n_left && n_left-- ? malloc(size) : NULL;
}

static int count_waiting(void *arg, const struct wh_publication *publication)
{
	*(int *)arg += strcmp(publication->place, "file:/elsewhere") == 0;
	return 0;
}

/* A line that memory lacks for isn't one that is none of ours. */
static void records_that_wait_are_listed_or_it_fails(void **state)
{
	static const struct wh_commit_options as = {.message = "m"};
	static const char lines[] =
		"no line of ours\n"
		"{\"id\": \"i\", \"place\": \"file:/elsewhere\", \"snapshot\": "
		"\"s\", \"tree\": \"t\", \"formats\": \"h5\", \"manifest\": "
		"\"m\", \"manifest_sha256\": \"d\", \"who\": \"w\", "
		"\"time\": 1, \"files\": [], \"aliases\": [\"a\"]}\n";
	struct folder *f = *state;
	struct wh_store *store;
	enum wh_status status = WH_ENOMEM;
	unsigned n;
	int seen;

	publish_one(f, &as);
	assert_int_equal(mkdir("weights.wh-publish", 0700), 0);
	put("weights.wh-publish/published.jsonl", lines);
	assert_ok(wh_store_open("weights.wh", WH_OPEN_READ, &store, &f->err),
		  &f->err);
	for (n = 0; status && n < 200; n++) {
		n_left = n;
		seen = 0;
		json_set_alloc_funcs(some_memory, free);
		status = wh_published_list(store, NULL, count_waiting, &seen,
					   &f->err);
		json_set_alloc_funcs(malloc, free);
		assert_int_equal(seen, status == WH_OK);
	}
	assert_int_equal(status, WH_OK);
	wh_store_close(store);
}

static void records_are_where_the_store_was_opened(void **state)
{
	static const char name[] = "weights.wh-publish/published.jsonl";
	struct folder *f = *state;
	struct stat before, after;

	records_that_cannot_be_read_stay(state);
	assert_int_equal(stat(name, &before), 0);
	publish_from(f, "elsewhere");
	assert_int_equal(stat(name, &after), 0);
	assert_true(after.st_size > before.st_size);
}

static void note_check(void *arg, const char *check, int answer,
		       const char *detail)
{
	(void)check, (void)answer, (void)detail;
	++*(int *)arg;
}

static void a_place_is_tried_without_options(void **state)
{
	struct folder *f = *state;
	int n_checks = 0;

	assert_int_equal(mkdir("place", 0777), 0);
	assert_ok(wh_place_test("file:place", NULL, note_check, &n_checks,
				&f->err),
		  &f->err);
	assert_true(n_checks > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(step_and_epoch_come_with_a_part_too),
		in_folder(records_that_cannot_be_read_stay),
		in_folder(records_that_wait_are_listed_or_it_fails),
		in_folder(records_are_where_the_store_was_opened),
		in_folder(a_place_is_tried_without_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
