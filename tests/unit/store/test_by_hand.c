/* A file that somebody made by hand may have NULL where its schema says that
 * there is a text: SQLite looks at that when it writes, and nobody does when it
 * is read. Each such column of each table in turn: all that reads the store
 * does so, or says that it is damaged. */
#include "support/damage.h"

#include <weighhouse/bisect.h>
#include <weighhouse/history.h>
#include <weighhouse/keep.h>
#include <weighhouse/publication.h>
#include <weighhouse/run.h>

static void fill(struct fixture *f)
{
	static const char *const rules[] = {"last=9", NULL};
	static const struct wh_param params[] = {{"lr", "0.1"}};
	const struct wh_publish_rule rule = {.remote = "file:/nowhere",
					     .alias = "a",
					     .revision = "HEAD",
					     .formats = "h5"};
	const struct wh_metric_point point = {
		.run = "main", .key = "loss", .step = 1, .value = 1};
	struct wh_bisect bisect;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	assert_ok(wh_tag_create(f->store, "v1", NULL, false, &f->err), &f->err);
	assert_ok(wh_policy_set(f->store, "main", NULL, rules, &f->err),
		  &f->err);
	assert_ok(wh_param_set(f->store, "main", params, 1, &f->err), &f->err);
	assert_ok(wh_metric_log(f->store, &point, 1, &f->err), &f->err);
	assert_ok(wh_publish_rule_set(f->store, &rule, &f->err), &f->err);
	assert_ok(wh_bisect_judge(f->store, "HEAD", WH_BAD, &bisect, &f->err),
		  &f->err);
	assert_ok(wh_config_set(f->store, "alarms", "warn", &f->err), &f->err);
}

static void publish(struct fixture *f)
{
	const struct wh_publication_file file = {.path = "v/m.h5",
						 .format = "h5",
						 .size = 1,
						 .sha256 = f->result.snapshot};
	const struct wh_publication_alias alias = {.alias = "latest"};
	const struct wh_publication publication = {
		.id = "00000000-0000-4000-8000-000000000001",
		.place = "file:/nowhere",
		.snapshot = f->result.snapshot,
		.tree = f->result.tree,
		.formats = "h5",
		.manifest = "v/MANIFEST.json",
		.manifest_sha256 = f->result.snapshot,
		.who = "me@here",
		.files = &file,
		.n_files = 1,
		.aliases = &alias,
		.n_aliases = 1};

	assert_ok(wh_publication_record(f->store, &publication, &f->err),
		  &f->err);
}

/* ---- By hand --------------------------------------------------------------
 */

static void run_sql(const char *path, char *sql)
{
	sqlite3 *file;
	int off;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	sqlite3_db_config(file, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &off);
	if (sqlite3_exec(file, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(file));
	sqlite3_free(sql);
	sqlite3_close(file);
}

static char *ask_text(const char *path, char *query)
{
	sqlite3_stmt *stmt;
	sqlite3 *file;
	char *answer;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(file, query, -1, &stmt, NULL),
			 SQLITE_OK);
	sqlite3_free(query);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	answer = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(file);
	return answer;
}

/* Under another schema for as long as it takes. */
static void clear_column(const char *path, const char *table,
			 const char *column)
{
	char *text = ask_text(
		path, sqlite3_mprintf("SELECT sql FROM sqlite_schema "
				      "WHERE type = 'table' AND name = %Q",
				      table));

	run_sql(path, sqlite3_mprintf(
			      "PRAGMA writable_schema = ON; "
			      "UPDATE sqlite_schema SET sql = replace(sql, "
			      "'  %s TEXT NOT NULL', '  %s TEXT') "
			      "WHERE type = 'table' AND name = %Q",
			      column, column, table));
	run_sql(path, sqlite3_mprintf("UPDATE %s SET %s = NULL", table, column));
	run_sql(path,
		sqlite3_mprintf("PRAGMA writable_schema = ON; "
				"UPDATE sqlite_schema SET sql = %Q "
				"WHERE type = 'table' AND name = %Q",
				text, table));
	sqlite3_free(text);
}

/* ---- All that reads -------------------------------------------------------
 */

static size_t n_seen; /* bytes of texts, which must be there */

static int see(const char *const *texts, size_t n)
{
	while (n--)
		n_seen += strlen(texts[n]);
	return 0;
}

static int see_ref(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	return see(&ref->name, 1);
}

static int see_move(void *arg, const struct wh_reflog_entry *entry)
{
	(void)arg;
	return see((const char *[]){entry->branch, entry->why}, 2);
}

static int see_run(void *arg, const struct wh_run *run)
{
	(void)arg;
	return see((const char *[]){run->name, run->uuid, run->status}, 3);
}

static int see_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	return see((const char *[]){snapshot->message, snapshot->run}, 2);
}

static int see_change(void *arg, const struct wh_weight_change *change)
{
	(void)arg;
	return see((const char *[]){change->layer, change->weight}, 2);
}

static int see_setting(void *arg, const char *key, const char *value)
{
	(void)arg;
	return see((const char *[]){key, value}, 2);
}

static int see_publication(void *arg, const struct wh_publication *p)
{
	(void)arg;
	see((const char *[]){p->id, p->place, p->formats, p->manifest, p->who},
	    5);
	return see((const char *[]){p->files->path, p->files->format,
				    p->aliases->alias},
		   3);
}

static int see_rule(void *arg, const struct wh_publish_rule *rule)
{
	(void)arg;
	return see((const char *[]){rule->remote, rule->alias, rule->revision,
				    rule->formats},
		   4);
}

static int see_verdict(void *arg, const char *snapshot, enum wh_verdict verdict)
{
	(void)arg, (void)verdict;
	return see(&snapshot, 1);
}

static int see_policy(void *arg, const struct wh_policy *policy)
{
	(void)arg;
	return policy->rules[0] ? see(policy->rules, 1) : 0;
}

static int see_usage(void *arg, const struct wh_usage *usage)
{
	(void)arg;
	return see(&usage->name, 1);
}

static int see_kept(void *arg, const struct wh_kept *kept)
{
	return see_snapshot(arg, kept->snapshot);
}

static void list_all(struct fixture *f)
{
	static const char *const globs[] = {"fc*", NULL};
	const struct wh_keep_options keep = {.policies = true, .dry_run = true};
	const struct wh_log_options wanted = {.globs = globs, .run = "main"};
	const struct wh_history_options history = {.globs = globs};
	struct wh_store *store = f->store;
	char id[WH_ID_SIZE], *value = NULL;
	struct sentences found;

	wh_branch_list(store, see_ref, NULL, NULL);
	wh_tag_list(store, see_ref, NULL, NULL);
	wh_reflog(store, NULL, see_move, NULL, NULL);
	wh_run_list(store, see_run, NULL, NULL);
	wh_run_get(store, "mian", see_run, NULL, NULL);
	wh_log(store, NULL, see_snapshot, NULL, NULL);
	wh_log(store, &wanted, see_snapshot, NULL, NULL);
	wh_history(store, NULL, see_change, NULL, NULL);
	wh_history(store, &history, see_change, NULL, NULL);
	wh_config_list(store, see_setting, NULL, NULL);
	wh_config_get(store, "alarms", &value, NULL);
	free(value);
	wh_publication_list(store, NULL, see_publication, NULL, NULL);
	wh_publish_rule_list(store, see_rule, NULL, NULL);
	wh_bisect_list(store, see_verdict, NULL, NULL);
	wh_policy_list(store, see_policy, NULL, NULL);
	wh_usage(store, WH_BY_RUN, see_usage, NULL, NULL);
	wh_usage(store, WH_BY_LAYER, see_usage, NULL, NULL);
	wh_keep(store, &keep, see_kept, NULL, NULL);
	wh_revision_parse(store, "mian", id, NULL);
	wh_revision_parse(store, "best:lss", id, NULL);
	verify_store(f, &found);
	(void)read_all(f, "HEAD");
}

static void told(void *arg, const struct wh_alarm *alarm)
{
	(void)arg;
	see(&alarm->sentence, 1);
}

static void write_on(struct fixture *f)
{
	const struct wh_commit_options options = {.alarms = {.fn = told}};
	struct wh_source *source = make_model(3.0f);
	struct wh_move move;

	wh_commit(f->store, source, &options, &f->result, NULL);
	wh_undo(f->store, NULL, &move, NULL);
	wh_source_close(source);
}

/* "TABLE COLUMN" lines. What is a key is NOT NULL whatever the schema says. */
#define COLUMNS                                                                \
	"SELECT group_concat(m.name || ' ' || c.name, char(10)) "              \
	"FROM sqlite_schema AS m, pragma_table_info(m.name) AS c "             \
	"WHERE m.type = 'table' AND c.type = 'TEXT' AND c.\"notnull\" "        \
	"AND c.pk = 0"

static void texts_that_are_not_there_are_missed(void **state)
{
	struct fixture *f = *state;
	char *all, *line, *rest;
	int n = 0;

	fill(f);
	publish(f);
	list_all(f);
	assert_true(n_seen > 0);
	save_store(f);
	all = ask_text(f->path, sqlite3_mprintf("%s", COLUMNS));
	for (line = strtok_r(all, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest), n++) {
		char *column = strchr(line, ' ');

		*column++ = '\0';
		wh_store_close(f->store);
		f->store = NULL;
		clear_column(f->path, line, column);
		open_again(f, WH_OPEN_WRITE);
		list_all(f);
		write_on(f);
		restore_store(f);
	}
	assert_true(n > 20);
	sqlite3_free(all);
	forget_saved(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(texts_that_are_not_there_are_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
