/* Who is told of rows may be slow, a pager say: others write meanwhile. */
#include <weighhouse/history.h>
#include <weighhouse/publication.h>
#include <weighhouse/run.h>
#include <weighhouse/store.h>

#include "support/store.h"

static const char *path; /* of the store under way */
static int n_told;

/* As another process; it waits for nobody. */
static int write_aside(void)
{
	char *message = NULL;
	sqlite3 *file;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	if (sqlite3_exec(file, "UPDATE config SET value = value", NULL, NULL,
			 &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(file);
	n_told++;
	return 0;
}

static int see_change(void *arg, const struct wh_weight_change *change)
{
	(void)arg;
	(void)change;
	return write_aside();
}

static int see_run(void *arg, const struct wh_run *run)
{
	(void)arg;
	(void)run;
	return write_aside();
}

static int see_publication(void *arg, const struct wh_publication *publication)
{
	(void)arg;
	(void)publication;
	return write_aside();
}

static int see_setting(void *arg, const char *key, const char *value)
{
	(void)arg;
	assert_true(*key && *value);
	return write_aside();
}

static int see_rule(void *arg, const struct wh_publish_rule *rule)
{
	(void)arg;
	assert_string_equal(rule->remote, "file:/nowhere");
	assert_string_equal(rule->alias, n_told ? "b" : "a");
	assert_string_equal(rule->revision, "HEAD");
	assert_string_equal(rule->formats, "h5");
	assert_null(rule->published);
	return write_aside();
}

static int see_point(void *arg, int64_t step, int64_t time, double value)
{
	int64_t *before = arg;

	(void)time;
	assert_true(step >= *before);
	assert_int_equal((int)value, n_told);
	*before = step;
	return write_aside();
}

static void commit_in_two_runs(struct fixture *f)
{
	static const char *const runs[] = {"a", "b"};
	int i;

	for (i = 0; i < 2; i++) {
		const struct wh_commit_options options = {.run = runs[i]};
		struct wh_source *source = make_model((float)i);

		assert_ok(wh_commit(f->store, source, &options, &f->result,
				    &f->err),
			  &f->err);
		wh_source_close(source);
	}
	path = f->path;
	n_told = 0;
}

static void history_holds_nobody_up(void **state)
{
	struct fixture *f = *state;

	commit_in_two_runs(f);
	assert_ok(wh_history(f->store, NULL, see_change, NULL, &f->err),
		  &f->err);
	assert_int_equal(n_told, 6);
}

static void runs_hold_nobody_up(void **state)
{
	struct fixture *f = *state;

	commit_in_two_runs(f);
	assert_ok(wh_run_list(f->store, see_run, NULL, &f->err), &f->err);
	assert_int_equal(n_told, 2);
}

static void publications_hold_nobody_up(void **state)
{
	static const char *const ids[] = {
		"00000000-0000-4000-8000-000000000001",
		"00000000-0000-4000-8000-000000000002"};
	struct fixture *f = *state;
	const struct wh_publication_file file = {.path = "v/m.h5",
						 .format = "h5",
						 .size = 1,
						 .sha256 = f->result.snapshot};
	int i;

	commit_in_two_runs(f);
	for (i = 0; i < 2; i++) {
		const struct wh_publication publication = {
			.id = ids[i],
			.place = "file:/nowhere",
			.snapshot = f->result.snapshot,
			.tree = f->result.snapshot,
			.formats = "h5",
			.manifest = "v/MANIFEST.json",
			.manifest_sha256 = f->result.snapshot,
			.who = "me@here",
			.time = 1,
			.files = &file,
			.n_files = 1};

		assert_ok(
			wh_publication_record(f->store, &publication, &f->err),
			&f->err);
	}
	assert_ok(wh_publication_list(f->store, NULL, see_publication, NULL,
				      &f->err),
		  &f->err);
	assert_int_equal(n_told, 2);
}

/* By a store that is open for reading: the record has a handle of its own. */
static void an_end_that_fails_leaves_the_store_to_others(void **state)
{
	struct fixture *f = *state;
	struct wh_store *reader;

	assert_ok(wh_store_open(f->path, WH_OPEN_READ, &reader, &f->err),
		  &f->err);
	assert_fails(wh_publication_end(reader, "file:/nowhere", "stable",
					"no digest", 1, &f->err),
		     &f->err, WH_EINVAL, "'no digest' is no digest");
	wh_store_close(reader);
	commit_in_two_runs(f);
	write_aside();
}

static void settings_hold_nobody_up(void **state)
{
	struct fixture *f = *state;

	path = f->path;
	n_told = 0;
	assert_ok(wh_config_set(f->store, "alarms", "warn", &f->err), &f->err);
	assert_ok(wh_config_set(f->store, "alarms.norm", "9", &f->err),
		  &f->err);
	assert_ok(wh_config_list(f->store, see_setting, NULL, &f->err),
		  &f->err);
	assert_true(n_told >= 2);
}

static void publish_rules_hold_nobody_up(void **state)
{
	struct fixture *f = *state;
	struct wh_publish_rule rule = {
		.remote = "file:/nowhere", .revision = "HEAD", .formats = "h5"};

	path = f->path;
	n_told = 0;
	rule.alias = "b";
	assert_ok(wh_publish_rule_set(f->store, &rule, &f->err), &f->err);
	rule.alias = "a";
	assert_ok(wh_publish_rule_set(f->store, &rule, &f->err), &f->err);
	assert_ok(wh_publish_rule_list(f->store, see_rule, NULL, &f->err),
		  &f->err);
	assert_int_equal(n_told, 2);
}

/* More than a batch, some of one step, the first of the least there is. */
static void metrics_hold_nobody_up(void **state)
{
	enum { N = 600 };
	struct fixture *f = *state;
	struct wh_metric_point points[N];
	int64_t before = INT64_MIN;
	int i;

	path = f->path;
	n_told = 0;
	for (i = 0; i < N; i++)
		points[i] = (struct wh_metric_point){
			.run = "a", .key = "loss", .step = i / 3, .value = i};
	points[0].step = INT64_MIN;
	assert_ok(wh_metric_log(f->store, points, N, &f->err), &f->err);
	assert_ok(wh_metric_series(f->store, "a", "loss", see_point, &before,
				   &f->err),
		  &f->err);
	assert_int_equal(n_told, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(history_holds_nobody_up),
		with_store(runs_hold_nobody_up),
		with_store(publications_hold_nobody_up),
		with_store(an_end_that_fails_leaves_the_store_to_others),
		with_store(settings_hold_nobody_up),
		with_store(publish_rules_hold_nobody_up),
		with_store(metrics_hold_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
