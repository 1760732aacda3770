/* What is published and pulled by the calls for programs. */
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
		in_folder(a_place_is_tried_without_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
