/* What writes the store, and opening it, with each of its calls failing once:
 * it says why, and the store is whole afterwards, with all that was in it. */
#include "world.h"

#include <weighhouse/async.h>
#include <weighhouse/bisect.h>
#include <weighhouse/keep.h>
#include <weighhouse/publication.h>
#include <weighhouse/run.h>

static enum wh_status commit_new(struct world *w, struct wh_error *err)
{
	const struct wh_metric metrics[] = {{"loss", 0.25}, {"new", 1}};
	const struct wh_param params[] = {{"rate", "0.1"}};
	const struct wh_commit_options options = {
		.message = "new",
		.run = "fresh",
		.has_step = true,
		.step = 9,
		.has_epoch = true,
		.epoch = 3,
		.metrics = metrics,
		.n_metrics = 2,
		.params = params,
		.n_params = 1,
		.tag = "fresh",
		.adopt = true,
		.once = true,
	};

	return wh_commit(w->store, w->source, &options, NULL, err);
}

static enum wh_status commit_aside(struct world *w, struct wh_error *err)
{
	const struct wh_commit_options options = {.branch = "other",
						  .codec = "dense"};

	return wh_commit(w->store, w->source, &options, NULL, err);
}

static enum wh_status commit_large(struct world *w, struct wh_error *err)
{
	return wh_commit(w->store, w->large, NULL, NULL, err);
}

static enum wh_status commit_behind(struct world *w, struct wh_error *err)
{
	struct wh_async *async = NULL;
	enum wh_status status = wh_async_open(w->path, &async, err);

	if (status)
		return status;
	/* Which takes it. */
	status = wh_async_commit(async, w->source, NULL, err);
	w->source = NULL;
	if (!status)
		status = wh_async_wait(async, NULL, err);
	wh_async_close(async);
	return status;
}

static enum wh_status branches(struct world *w, struct wh_error *err)
{
	enum wh_status status =
		wh_branch_create(w->store, "made", "HEAD~1", false, err);

	if (!status)
		status = wh_switch(w->store, "made", err);
	if (!status)
		status = wh_branch_rename(w->store, "made", "named", err);
	if (!status)
		status = wh_switch(w->store, "main", err);
	if (!status)
		status = wh_branch_delete(w->store, "named", err);
	return status;
}

static enum wh_status tags(struct world *w, struct wh_error *err)
{
	enum wh_status status =
		wh_tag_create(w->store, "v9", "HEAD", false, err);

	return status ? status : wh_tag_delete(w->store, "v9", err);
}

static enum wh_status roll_back(struct world *w, struct wh_error *err)
{
	static const struct wh_branch_move back = {.revision = "HEAD~2"};
	struct wh_move move;
	enum wh_status status =
		wh_rollback(w->store, NULL, "HEAD~1", NULL, &move, err);

	if (!status)
		status = wh_undo(w->store, NULL, &move, err);
	if (!status)
		status = wh_rollback_keep(w->store, &back, &move, err);
	return status;
}

static int see_kept(void *arg, const struct wh_kept *kept)
{
	(void)arg;
	(void)kept;
	return 0;
}

static enum wh_status keep(struct world *w, struct wh_error *err)
{
	static const char *const rules[] = {"last=1",	    "best=1:loss",
					    "every=2epoch", "tag=v*",
					    "within=1s",    NULL};
	const struct wh_keep_options options = {.rules = rules};
	uint64_t n;
	enum wh_status status =
		wh_keep(w->store, &options, see_kept, NULL, err);

	if (!status)
		status = wh_keep_undo(w->store, NULL, NULL, &n, err);
	return status;
}

static int see_policy(void *arg, const struct wh_policy *policy)
{
	(void)arg;
	(void)policy;
	return 0;
}

static enum wh_status policies(struct world *w, struct wh_error *err)
{
	static const char *const rules[] = {"last=100", NULL};
	enum wh_status status =
		wh_policy_set(w->store, "main", NULL, rules, err);

	if (!status)
		status = wh_policy_list(w->store, see_policy, NULL, err);
	return status;
}

static enum wh_status collect(struct world *w, struct wh_error *err)
{
	const struct wh_gc_options dry = {.has_grace = true, .dry_run = true};
	const struct wh_gc_options options = {.has_grace = true};
	struct wh_gc_result result;
	enum wh_status status = wh_gc(w->store, &dry, &result, err);

	w->forgets = true;
	return status ? status : wh_gc(w->store, &options, &result, err);
}

static enum wh_status collect_deep(struct world *w, struct wh_error *err)
{
	const struct wh_gc_options options = {.deep = true, .compact = true};
	struct wh_gc_result result;

	return wh_gc(w->store, &options, &result, err);
}

static enum wh_status backup(struct world *w, struct wh_error *err)
{
	return wh_backup(w->store, w->other, err);
}

static enum wh_status create(struct world *w, struct wh_error *err)
{
	return wh_store_create(w->other, err);
}

static enum wh_status verify(struct world *w, struct wh_error *err)
{
	const struct wh_verify_options options = {.read_data = true,
						  .time_limit_s = 60};
	struct wh_verify_result result;

	return wh_verify(w->store, &options, see_sentence, &result, err);
}

static int see_run(void *arg, const struct wh_run *run)
{
	(void)arg;
	(void)run;
	return 0;
}

static int see_metric(void *arg, int64_t step, int64_t time, double value)
{
	(void)arg;
	(void)step;
	(void)time;
	(void)value;
	return 0;
}

static enum wh_status runs(struct world *w, struct wh_error *err)
{
	static const char *const labels[] = {"one", "two", NULL};
	const struct wh_param params[] = {{"rate", "0.1"}};
	const struct wh_run_request request = {.name = "begun",
					       .params = params,
					       .n_params = 1,
					       .tags = labels};
	const struct wh_metric_point points[] = {
		{.run = "begun", .key = "loss", .step = 1, .value = 1},
		{.run = "begun", .key = "loss", .step = 2, .value = 2}};
	enum wh_status status = wh_run_start(w->store, &request, err);

	if (!status)
		status = wh_metric_log(w->store, points, 2, err);
	if (!status)
		status = wh_param_set(w->store, "begun", params, 1, err);
	if (!status)
		status = wh_run_end(w->store, "begun", "finished", 0, err);
	if (!status)
		status = wh_run_list(w->store, see_run, NULL, err);
	if (!status)
		status = wh_metric_series(w->store, "begun", "loss", see_metric,
					  NULL, err);
	return status;
}

static int see_verdict(void *arg, const char *snapshot, enum wh_verdict verdict)
{
	(void)arg;
	(void)snapshot;
	(void)verdict;
	return 0;
}

static enum wh_status bisect(struct world *w, struct wh_error *err)
{
	struct wh_bisect state;
	enum wh_status status =
		wh_bisect_judge(w->store, "HEAD", WH_BAD, &state, err);

	if (!status)
		status = wh_bisect_judge(w->store, "HEAD~3", WH_GOOD, &state,
					 err);
	if (!status)
		status = wh_bisect_list(w->store, see_verdict, NULL, err);
	if (!status)
		status = wh_bisect_reset(w->store, err);
	return status;
}

static int see_setting(void *arg, const char *key, const char *value)
{
	(void)arg;
	(void)key;
	(void)value;
	return 0;
}

static enum wh_status settings(struct world *w, struct wh_error *err)
{
	char *value = NULL;
	enum wh_status status = wh_config_set(w->store, "codec", "none", err);

	if (!status)
		status = wh_config_get(w->store, "codec", &value, err);
	free(value);
	if (!status)
		status = wh_config_list(w->store, see_setting, NULL, err);
	return status;
}

static int see_publication(void *arg, const struct wh_publication *publication)
{
	(void)arg;
	(void)publication;
	return 0;
}

static int see_rule(void *arg, const struct wh_publish_rule *rule)
{
	(void)arg;
	(void)rule;
	return 0;
}

static enum wh_status publications(struct world *w, struct wh_error *err)
{
	char id[WH_ID_SIZE];
	const struct wh_publication_file file = {
		.path = "v/m.h5", .format = "h5", .size = 1, .sha256 = id};
	const struct wh_publication_alias alias = {.alias = "latest"};
	struct wh_publication publication = {
		.id = "00000000-0000-4000-8000-000000000001",
		.place = "file:/nowhere",
		.snapshot = id,
		.tree = id,
		.formats = "h5",
		.manifest = "v/MANIFEST.json",
		.manifest_sha256 = id,
		.who = "me@here",
		.time = 1,
		.files = &file,
		.n_files = 1,
		.aliases = &alias,
		.n_aliases = 1};
	const struct wh_publish_rule rule = {.remote = "lab",
					     .alias = "latest",
					     .revision = "HEAD",
					     .formats = "h5"};
	enum wh_status status = wh_revision_parse(w->store, "HEAD", id, err);

	if (!status)
		status = wh_publication_record(w->store, &publication, err);
	if (!status)
		status = wh_publication_list(w->store, NULL, see_publication,
					     NULL, err);
	if (!status)
		status = wh_publication_end(w->store, "file:/nowhere", NULL, id,
					    2, err);
	if (!status)
		status = wh_publish_rule_set(w->store, &rule, err);
	if (!status)
		status = wh_publish_rule_done(w->store, &rule, id, err);
	if (!status)
		status = wh_publish_rule_list(w->store, see_rule, NULL, err);
	return status;
}

static const struct verb verbs[] = {
	{"commit", commit_new},
	{"commit aside", commit_aside},
	{"commit large", commit_large},
	{"commit behind", commit_behind},
	{"branch", branches},
	{"tag", tags},
	{"rollback", roll_back},
	{"keep", keep},
	{"policy", policies},
	{"gc", collect},
	{"gc deep", collect_deep},
	{"backup", backup},
	{"create", create},
	{"verify", verify},
	{"run", runs},
	{"bisect", bisect},
	{"config", settings},
	{"publication", publications},
};

static void each_verb_bears_each_failure(void **state)
{
	each_of(*state, verbs, sizeof(verbs) / sizeof(verbs[0]));
}

/* Opening is the one verb without a handle. */
static void before_opening(void *arg)
{
	struct world *w = arg;

	before_verb(w);
	wh_store_close(w->store);
	w->store = NULL;
}

static enum wh_status open_store(void *arg, struct wh_error *err)
{
	struct world *w = arg;

	return wh_store_open(w->path, WH_OPEN_WRITE, &w->store, err);
}

static void after_opening(void *arg, enum wh_status status)
{
	struct wh_error err;

	if (status)
		ok(open_store(arg, &err), &err);
	after_verb(arg, status);
}

static void opening_bears_each_failure(void **state)
{
	const struct attempt attempt = {.name = "open",
					.run = open_store,
					.before = before_opening,
					.after = after_opening,
					.arg = *state};

	failing_each(&attempt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(opening_bears_each_failure),
		with_world(each_verb_bears_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
