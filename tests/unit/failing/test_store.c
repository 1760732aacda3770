/* Every verb of the store, with each of its calls failing once: it says why,
 * and the store is whole afterwards, with all that was in it. */
#include "failing.h"

#include <weighhouse/async.h>
#include <weighhouse/bisect.h>
#include <weighhouse/diff.h>
#include <weighhouse/history.h>
#include <weighhouse/keep.h>
#include <weighhouse/publication.h>
#include <weighhouse/run.h>

#include "db_internal.h"
#include "store.h"
#include "support/parts.h"

#define MEMORY_FOLDER "/dev/shm"

struct world {
	char folder[64], path[128], other[160];
	void *bytes; /* of the store as each attempt finds it */
	size_t size;
	int64_t n_snapshots;
	struct wh_store *store;
	struct wh_source *source; /* a model that it lacks */
	struct wh_source *large;  /* one that is stored by threads */
	bool forgets;		  /* the verb under way may take snapshots */
};

typedef enum wh_status verb_fn(struct world *w, struct wh_error *err);

/* ---- Verbs ----------------------------------------------------------------
 */

static const char *const everything[] = {"*", NULL};

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

static enum wh_status read_all(struct world *w, struct wh_error *err)
{
	struct wh_source *source;
	uint8_t bytes[64];
	enum wh_status status =
		wh_snapshot_open(w->store, "HEAD", &source, err);

	if (status)
		return status;
	status =
		wh_source_read(source, 0, 0, bytes,
			       (size_t)source->manifest.tensors[0].nbytes, err);
	wh_source_close(source);
	if (!status)
		status = wh_tensor_read(w->store, "HEAD~1", "fc/kernel", 4,
					bytes, 8, err);
	return status;
}

static int see_difference(void *arg, const struct wh_difference *difference)
{
	(void)arg;
	(void)difference;
	return 0;
}

static enum wh_status compare(struct world *w, struct wh_error *err)
{
	const struct wh_diff_options options = {.atol = 0.5};
	struct wh_source *a = NULL, *b = NULL;
	enum wh_status status = wh_snapshot_open(w->store, "HEAD", &a, err);

	if (!status)
		status = wh_snapshot_open(w->store, "HEAD~1", &b, err);
	if (!status)
		status = wh_diff(a, b, &options, see_difference, NULL, err);
	wh_source_close(a);
	wh_source_close(b);
	return status;
}

static int see_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	(void)snapshot;
	return 0;
}

static int see_place(void *arg, const struct wh_log_place *place)
{
	(void)arg;
	(void)place;
	return 0;
}

static enum wh_status list_all(struct world *w, struct wh_error *err)
{
	const struct wh_log_options all = {.all = true, .place = see_place};
	const struct wh_log_options some = {.exclude = "HEAD~3",
					    .globs = everything,
					    .metric = "loss",
					    .run = "main"};
	enum wh_status status = wh_log(w->store, &all, see_snapshot, NULL, err);

	if (!status)
		status = wh_log(w->store, &some, see_snapshot, NULL, err);
	if (!status)
		status = wh_snapshot_get(w->store, "best:loss", see_snapshot,
					 NULL, err);
	return status;
}

static enum wh_status snapshot_text(struct world *w, struct wh_error *err)
{
	char *text = NULL;
	size_t size;
	enum wh_status status =
		wh_snapshot_text(w->store, "HEAD~1", &text, &size, err);

	free(text);
	return status;
}

static enum wh_status revisions(struct world *w, struct wh_error *err)
{
	static const char *const texts[] = {"HEAD~2", "main@{1}", "main:1",
					    "best:loss", "epoch:1"};
	char id[WH_ID_SIZE];
	enum wh_status status = WH_OK;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && !status; i++) {
		status = wh_revision_parse(w->store, texts[i], id, err);
		/* What isn't there is told as that. */
		if (status == WH_ENOTFOUND || status == WH_EINVAL)
			status = WH_OK;
	}
	return status;
}

static int see_ref(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	(void)ref;
	return 0;
}

static int see_entry(void *arg, const struct wh_reflog_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

static enum wh_status names(struct world *w, struct wh_error *err)
{
	char head[256];
	enum wh_status status = wh_head(w->store, head, err);

	if (!status)
		status = wh_branch_list(w->store, see_ref, NULL, err);
	if (!status)
		status = wh_tag_list(w->store, see_ref, NULL, err);
	if (!status)
		status = wh_reflog(w->store, NULL, see_entry, NULL, err);
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

static int see_sentence(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "%s\n", sentence);
	return 0;
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

static int see_change(void *arg, const struct wh_weight_change *change)
{
	(void)arg;
	(void)change;
	return 0;
}

static enum wh_status history(struct world *w, struct wh_error *err)
{
	return wh_history(w->store, NULL, see_change, NULL, err);
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

static int see_usage(void *arg, const struct wh_usage *usage)
{
	(void)arg;
	(void)usage;
	return 0;
}

static enum wh_status usage(struct world *w, struct wh_error *err)
{
	enum wh_status status = WH_OK;
	int by;

	for (by = WH_BY_SNAPSHOT; by <= WH_BY_RUN && !status; by++)
		status = wh_usage(w->store, (enum wh_usage_by)by, see_usage,
				  NULL, err);
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

static int see_row(void *arg, int n, const char *const *columns,
		   const struct wh_cell *cells)
{
	(void)arg;
	(void)n;
	(void)columns;
	(void)cells;
	return 0;
}

static enum wh_status query(struct world *w, struct wh_error *err)
{
	return wh_sql(w->store, "SELECT * FROM log", NULL, see_row, NULL, err);
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

static const struct verb {
	const char *name;
	verb_fn *run;
} verbs[] = {
	{"commit", commit_new},
	{"commit aside", commit_aside},
	{"commit large", commit_large},
	{"commit behind", commit_behind},
	{"read", read_all},
	{"diff", compare},
	{"log", list_all},
	{"text", snapshot_text},
	{"revision", revisions},
	{"names", names},
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
	{"history", history},
	{"bisect", bisect},
	{"usage", usage},
	{"config", settings},
	{"sql", query},
	{"publication", publications},
};

/* ---- A store for each attempt ---------------------------------------------
 */

static void ok(enum wh_status status, struct wh_error *err)
{
	if (status)
		fail_msg("%s", err->message);
}

static void put_history_in(struct world *w)
{
	const struct wh_metric loss[] = {{"loss", 0.5}};
	struct wh_commit_options options = {.metrics = loss,
					    .n_metrics = 1,
					    .has_step = true,
					    .has_time = true};
	static const char *const rules[] = {"last=4", NULL};
	const struct wh_keep_options forget = {.rules = rules};
	struct wh_error err;
	int i;

	for (i = 0; i < 6; i++) {
		struct wh_source *source = make_model((float)i);

		options.step = i;
		options.time = i;
		ok(wh_commit(w->store, source, &options, NULL, &err), &err);
		wh_source_close(source);
	}
	ok(wh_tag_create(w->store, "v1", "HEAD~1", false, &err), &err);
	ok(wh_branch_create(w->store, "side", "HEAD~1", false, &err), &err);
	ok(wh_keep(w->store, &forget, NULL, NULL, &err), &err);
}

static void read_bytes(struct world *w)
{
	FILE *file = fopen(w->path, "rb");

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	w->size = (size_t)ftell(file);
	rewind(file);
	w->bytes = malloc(w->size);
	assert_int_equal(fread(w->bytes, 1, w->size, file), w->size);
	fclose(file);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct wh_error err;

	*state = w;
	snprintf(w->folder, sizeof(w->folder), "%s/wh-test-XXXXXX",
		 access(MEMORY_FOLDER, W_OK) ? "/tmp" : MEMORY_FOLDER);
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/weights.wh", w->folder);
	snprintf(w->other, sizeof(w->other), "%s/other.wh", w->folder);
	ok(wh_store_create(w->path, &err), &err);
	ok(wh_store_open(w->path, WH_OPEN_WRITE, &w->store, &err), &err);
	put_history_in(w);
	wh_store_close(w->store);
	w->store = NULL;
	read_bytes(w);
	return 0;
}

static void remove_one(const char *path, const char *suffix)
{
	char name[200];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static void remove_stores(struct world *w)
{
	remove_one(w->path, "");
	remove_one(w->path, "-journal");
	remove_one(w->path, "-lock");
	remove_one(w->other, "");
}

static int tear_down(void **state)
{
	struct world *w = *state;

	remove_stores(w);
	assert_int_equal(rmdir(w->folder), 0); /* nothing else was left */
	free(w->bytes);
	free(w);
	return 0;
}

struct trial {
	struct world *w;
	const struct verb *verb;
};

static int64_t count_snapshots(const char *path)
{
	struct fixture f = {0};

	snprintf(f.path, sizeof(f.path), "%s", path);
	return ask_integer(&f, "SELECT count(*) FROM snapshot");
}

static struct part large = {.name = "w", .nbytes = 9 * PART_CHUNK};

static void before(void *arg)
{
	struct trial *trial = arg;
	struct world *w = trial->w;
	struct wh_error err;
	FILE *file;

	remove_stores(w);
	file = fopen(w->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(w->bytes, 1, w->size, file), w->size);
	fclose(file);
	w->n_snapshots = count_snapshots(w->path);
	w->forgets = false;
	ok(wh_store_open(w->path, WH_OPEN_WRITE, &w->store, &err), &err);
	w->source = make_model(7);
	w->large = make_parts(&large, 1);
}

static enum wh_status run(void *arg, struct wh_error *err)
{
	struct trial *trial = arg;

	return trial->verb->run(trial->w, err);
}

/* A statement that is left in its middle would keep others from writing. */
static void assert_none_is_open(const struct wh_store *store)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(store->db->handle, stmt)))
		if (sqlite3_stmt_busy(stmt))
			fail_msg("was left open: %s", sqlite3_sql(stmt));
}

static void after(void *arg, enum wh_status status)
{
	const struct wh_verify_options options = {.read_data = true};
	struct trial *trial = arg;
	struct world *w = trial->w;
	struct wh_verify_result result;
	struct wh_error err;

	(void)status;
	wh_source_close(w->source);
	wh_source_close(w->large);
	assert_none_is_open(w->store);
	/* The handle goes on, and so does the store. */
	ok(wh_verify(w->store, &options, see_sentence, &result, &err), &err);
	assert_int_equal(result.n_errors, 0);
	wh_store_close(w->store);
	w->store = NULL;
	if (!w->forgets)
		assert_true(count_snapshots(w->path) >= w->n_snapshots);
}

static void each_verb_bears_each_failure(void **state)
{
	struct world *w = *state;
	unsigned total = 0;
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct trial trial = {.w = w, .verb = &verbs[i]};
		const struct attempt attempt = {.name = verbs[i].name,
						.run = run,
						.before = before,
						.after = after,
						.arg = &trial};

		total += failing_each(&attempt);
	}
	print_message("%u failures\n", total);
}

/* Opening is the one verb without a handle. */
static void before_opening(void *arg)
{
	struct trial *trial = arg;

	before(trial);
	wh_store_close(trial->w->store);
	trial->w->store = NULL;
}

static enum wh_status open_store(void *arg, struct wh_error *err)
{
	struct trial *trial = arg;

	return wh_store_open(trial->w->path, WH_OPEN_WRITE, &trial->w->store,
			     err);
}

static void after_opening(void *arg, enum wh_status status)
{
	struct trial *trial = arg;
	struct wh_error err;

	if (status)
		ok(open_store(trial, &err), &err);
	after(trial, status);
}

static void opening_bears_each_failure(void **state)
{
	struct trial trial = {.w = *state};
	const struct attempt attempt = {.name = "open",
					.run = open_store,
					.before = before_opening,
					.after = after_opening,
					.arg = &trial};

	failing_each(&attempt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opening_bears_each_failure,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_verb_bears_each_failure,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
