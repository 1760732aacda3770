/* Names and what they mean. */
#include "support/store.h"

#include <math.h>

#include "log.h"
#include "store.h"

static void commit_step(struct fixture *f, int64_t step, double loss,
			const char *run)
{
	struct wh_metric metrics[] = {{"val_loss", loss}, {"acc", -loss}};
	struct wh_commit_options options = {.has_step = true,
					    .step = step,
					    .metrics = metrics,
					    .n_metrics = 2,
					    .run = run,
					    .has_time = true,
					    .time = 1000 + step};
	struct wh_source *source = make_model((float)step);

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static char ids[8][WH_ID_SIZE];

/* Losses 3, 1, NaN, 1, inf: the best is the newer of the two ones. */
static void commit_five(struct fixture *f)
{
	const double losses[] = {3, 1, (double)NAN, 1, (double)INFINITY};
	int i;

	for (i = 0; i < 5; i++) {
		commit_step(f, 10 * i, losses[i], "sweep");
		memcpy(ids[i], f->result.snapshot, sizeof(ids[i]));
	}
}

static void assert_means(struct fixture *f, const char *revision, int which)
{
	char id[WH_ID_SIZE];

	assert_ok(wh_revision_parse(f->store, revision, id, &f->err), &f->err);
	if (strcmp(id, ids[which]) != 0)
		fail_msg("'%s' is not snapshot %d", revision, which);
}

static void every_form_of_revision_resolves(void **state)
{
	struct fixture *f = *state;
	char abbreviated[16];

	commit_five(f);
	assert_means(f, "HEAD", 4);
	assert_means(f, "@", 4);
	assert_means(f, "main", 4);
	assert_means(f, "HEAD~", 3);
	assert_means(f, "HEAD~2", 2);
	assert_means(f, "main~4", 0);
	assert_means(f, "HEAD^", 3);
	assert_means(f, "HEAD^^^", 1);
	assert_means(f, "main~2^", 1);
	assert_means(f, ids[2], 2);
	snprintf(abbreviated, sizeof(abbreviated), "%.9s", ids[1]);
	assert_means(f, abbreviated, 1);
	assert_means(f, "sweep@20", 2);
	assert_means(f, "sweep:latest", 4);
	assert_means(f, "main:latest", 4);
	assert_means(f, "best:val_loss", 3);
	assert_means(f, "best:val_loss:max", 4);
	assert_means(f, "best:acc", 3);
	assert_means(f, "best:acc:min", 4);
	assert_means(f, "best:val_loss~1", 2);
	assert_ok(wh_tag_create(f->store, "v1.0", "HEAD~3", false, &f->err),
		  &f->err);
	assert_means(f, "v1.0", 1);
	assert_ok(wh_rollback(f->store, NULL, "v1.0", NULL, NULL, &f->err),
		  &f->err);
	assert_means(f, "HEAD", 1);
	assert_means(f, "main@{0}", 1);
	assert_means(f, "HEAD@{1}", 4);
}

static void what_means_nothing_is_refused_with_a_hint(void **state)
{
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	assert_fails(wh_revision_parse(f->store, "HEAD", id, &f->err), &f->err,
		     WH_ENOTFOUND, "no snapshot yet");
	commit_five(f);
	assert_fails(wh_revision_parse(f->store, "mian", id, &f->err), &f->err,
		     WH_ENOTFOUND, "did you mean 'main'?");
	assert_fails(wh_revision_parse(f->store, "best:val_los", id, &f->err),
		     &f->err, WH_ENOTFOUND, "did you mean 'val_loss'?");
	assert_fails(wh_revision_parse(f->store, "HEAD~5", id, &f->err),
		     &f->err, WH_ENOTFOUND, "before the first");
	assert_fails(wh_revision_parse(f->store, "HEAD~x", id, &f->err),
		     &f->err, WH_ENOTFOUND, "HEAD~x");
	assert_fails(wh_revision_parse(f->store, "sweep@5", id, &f->err),
		     &f->err, WH_ENOTFOUND, "at step 5");
	assert_fails(wh_revision_parse(f->store, "main@{9}", id, &f->err),
		     &f->err, WH_ENOTFOUND, "9 times");
	assert_fails(wh_revision_parse(f->store, "", id, &f->err), &f->err,
		     WH_ENOTFOUND, "no revision");
}

static void names_that_read_as_something_else_are_refused(void **state)
{
	static const char *const names[] = {
		"",    "HEAD",	"-x",	"a..b",	   "a b",    "a~1",  "a^",
		"a:b", "a@{1}", "beef", "/a",	   "a/",     "a//b", "a\nb",
		"a*",  "a[",	"a\\b", "caf\xff", "best:x",
	};
	struct fixture *f = *state;
	size_t i;

	commit_five(f);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(wh_branch_create(f->store, names[i], "HEAD",
						  false, &f->err),
				 WH_EINVAL);
	assert_ok(wh_branch_create(f->store, "exp/lr-1e-3", "HEAD~1", false,
				   &f->err),
		  &f->err);
	assert_int_equal(wh_branch_create(f->store, "exp/lr-1e-3", "HEAD",
					  false, &f->err),
			 WH_EEXISTS);
}

static void a_new_branch_starts_at_head_and_leaves_it(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {.branch = "other"};
	struct wh_source *source;
	char head[256];

	commit_five(f);
	source = make_model(99);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_string_equal(f->result.parent, ids[4]);
	assert_string_equal(f->result.branch, "other");
	assert_ok(wh_head(f->store, head, &f->err), &f->err);
	assert_string_equal(head, "main");
	options.expect = "HEAD~1";
	options.branch = NULL;
	assert_fails(wh_commit(f->store, source, &options, &f->result, &f->err),
		     &f->err, WH_EMISMATCH, "has moved");
	options = (struct wh_commit_options){.branch = "root", .root = true};
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_string_equal(f->result.parent, "");
	wh_source_close(source);
}

struct seen {
	int n;
	char last[WH_ID_SIZE];
	double loss;
};

static int count(void *arg, const struct wh_snapshot *snapshot)
{
	struct seen *seen = arg;

	seen->n++;
	memcpy(seen->last, snapshot->id, sizeof(seen->last));
	seen->loss = snapshot->n_metrics == 2 ? snapshot->metrics[1].value : -1;
	return 0;
}

static void the_log_is_filtered(void **state)
{
	struct fixture *f = *state;
	struct wh_log_options options = {.limit = 2};
	const char *kernels[] = {"fc/k*", NULL};
	struct seen seen = {0};
	struct wh_source *same = make_model(40);

	commit_five(f);
	assert_ok(wh_log(f->store, &options, count, &seen, &f->err), &f->err);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.last, ids[3]);
	assert_true(seen.loss >= 1 && seen.loss <= 1);

	options = (struct wh_log_options){.exclude = "HEAD~3"};
	memset(&seen, 0, sizeof(seen));
	assert_ok(wh_log(f->store, &options, count, &seen, &f->err), &f->err);
	assert_int_equal(seen.n, 3);

	assert_ok(wh_commit(f->store, same, NULL, &f->result, &f->err),
		  &f->err);
	options = (struct wh_log_options){.globs = kernels};
	memset(&seen, 0, sizeof(seen));
	assert_ok(wh_log(f->store, &options, count, &seen, &f->err), &f->err);
	assert_int_equal(seen.n, 5);
	options = (struct wh_log_options){.metric = "val_loss", .all = true};
	memset(&seen, 0, sizeof(seen));
	assert_ok(wh_log(f->store, &options, count, &seen, &f->err), &f->err);
	assert_int_equal(seen.n, 5);
	wh_source_close(same);
}

/* However many branches and tags have them. */
static void a_wanted_weight_is_kept_once(void **state)
{
	const char *globs[] = {"*", NULL};
	const struct wh_log_options options = {.globs = globs};
	struct fixture *f = *state;
	struct listing listing = {.db = f->store->db, .options = &options};
	char name[16];
	int64_t i;

	for (i = 0; i < 40; i++) {
		commit_step(f, i, 1, "r");
		snprintf(name, sizeof(name), "v%d", (int)i);
		assert_ok(wh_tag_create(f->store, name, "HEAD", false, &f->err),
			  &f->err);
	}
	assert_ok(wanted_find(&listing, 0, &f->err), &f->err);
	assert_int_equal(listing.wanted->n, 3);
	assert_in_range(listing.wanted->room, 3, 64);
	wanted_free(listing.wanted);
}

static int count_moves(void *arg, const struct wh_reflog_entry *entry)
{
	int *n = arg;

	if (++*n == 1)
		assert_string_equal(entry->why, "rollback");
	return 0;
}

static void going_back_is_a_move_that_is_remembered(void **state)
{
	const struct wh_branch_move back = {.revision = "HEAD@{1}"};
	struct fixture *f = *state;
	struct wh_move move;
	int n = 0;

	commit_five(f);
	assert_ok(wh_rollback(f->store, NULL, "HEAD~2", NULL, &move, &f->err),
		  &f->err);
	assert_string_equal(move.from, ids[4]);
	assert_string_equal(move.to, ids[2]);
	assert_ok(wh_reflog(f->store, "main", count_moves, &n, &f->err),
		  &f->err);
	assert_int_equal(n, 6);
	assert_ok(wh_rollback_keep(f->store, &back, &move, &f->err), &f->err);
	assert_string_equal(move.from, ids[2]);
	assert_string_not_equal(move.to, ids[4]);
	/* Who doesn't ask isn't told. */
	assert_ok(wh_rollback_keep(f->store, &back, NULL, &f->err), &f->err);
}

static void branches_are_deleted_and_renamed(void **state)
{
	struct fixture *f = *state;

	commit_five(f);
	assert_fails(wh_branch_delete(f->store, "main", &f->err), &f->err,
		     WH_EINVAL, "switch");
	assert_ok(wh_branch_rename(f->store, "main", "trunk", &f->err),
		  &f->err);
	assert_means(f, "HEAD", 4);
	assert_means(f, "trunk@{1}", 3);
	assert_ok(wh_branch_create(f->store, "b", "HEAD~1", false, &f->err),
		  &f->err);
	assert_ok(wh_switch(f->store, "b", &f->err), &f->err);
	assert_means(f, "HEAD", 3);
	assert_ok(wh_branch_delete(f->store, "trunk", &f->err), &f->err);
	assert_int_equal(wh_switch(f->store, "trunk", &f->err), WH_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(every_form_of_revision_resolves),
		with_store(what_means_nothing_is_refused_with_a_hint),
		with_store(names_that_read_as_something_else_are_refused),
		with_store(a_new_branch_starts_at_head_and_leaves_it),
		with_store(the_log_is_filtered),
		with_store(a_wanted_weight_is_kept_once),
		with_store(going_back_is_a_move_that_is_remembered),
		with_store(branches_are_deleted_and_renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
