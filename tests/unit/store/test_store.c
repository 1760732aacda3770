/* Settings, queries of users, and what parts of a store cost. */
#include "support/damage.h"

#include <sys/stat.h>

#include <weighhouse/bisect.h>
#include <weighhouse/diff.h>

#include "base/error.h"

struct rows {
	int n, n_columns, stop_at;
	enum wh_cell_kind kinds[8];
	char text[256];
	double real;
	int64_t integer;
};

static int note_row(void *arg, int n, const char *const *names,
		    const struct wh_cell *cells)
{
	struct rows *rows = arg;
	int i;

	rows->n_columns = n;
	if (!cells) {
		snprintf(rows->text, sizeof(rows->text), "%s", names[0]);
		return 0;
	}
	for (i = 0; i < n && i < 8; i++) {
		rows->kinds[i] = cells[i].kind;
		if (cells[i].kind == WH_CELL_TEXT)
			snprintf(rows->text, sizeof(rows->text), "%s",
				 cells[i].text);
		if (cells[i].kind == WH_CELL_REAL)
			rows->real = cells[i].real;
		if (cells[i].kind == WH_CELL_INTEGER)
			rows->integer = cells[i].integer;
	}
	return ++rows->n == rows->stop_at;
}

static void a_query_gives_typed_cells(void **state)
{
	struct fixture *f = *state;
	struct rows rows = {0};

	assert_ok(wh_sql(f->store, "SELECT 7 AS a, 1.5, NULL, 'é', x'0001'",
			 NULL, note_row, &rows, &f->err),
		  &f->err);
	assert_int_equal(rows.n, 1);
	assert_int_equal(rows.n_columns, 5);
	assert_int_equal(rows.integer, 7);
	assert_true(rows.real > 1.4 && rows.real < 1.6);
	assert_string_equal(rows.text, "é");
	assert_int_equal(rows.kinds[0], WH_CELL_INTEGER);
	assert_int_equal(rows.kinds[1], WH_CELL_REAL);
	assert_int_equal(rows.kinds[2], WH_CELL_NULL);
	assert_int_equal(rows.kinds[3], WH_CELL_TEXT);
	assert_int_equal(rows.kinds[4], WH_CELL_BLOB);
	rows = (struct rows){.stop_at = 2};
	assert_ok(wh_sql(f->store, "VALUES (1), (2), (3)", NULL, note_row,
			 &rows, &f->err),
		  &f->err);
	assert_int_equal(rows.n, 2);
	rows = (struct rows){0};
	assert_ok(wh_sql(f->store, "SELECT message FROM log", NULL, note_row,
			 &rows, &f->err),
		  &f->err);
	assert_int_equal(rows.n, 0);
	assert_string_equal(rows.text, "message");
}

static void what_is_no_single_reading_query_is_refused(void **state)
{
	static const char *const queries[] = {
		"",
		"-- nothing",
		"SELECT",
		"SELECT * FROM nowhere",
		"DELETE FROM config",
		"INSERT INTO config VALUES ('a', 'b')",
		"UPDATE config SET value = 'b'",
		"CREATE TABLE user_x(y)",
		"DROP VIEW log",
		"PRAGMA user_version = 9",
		"ATTACH ':memory:' AS x",
		"BEGIN",
		"VACUUM",
		"SELECT 1; SELECT 2",
		"SELECT load_extension('x')",
	};
	struct fixture *f = *state;
	struct rows rows = {0};
	size_t i;

	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		if (wh_sql(f->store, queries[i], NULL, note_row, &rows,
			   &f->err) != WH_EINVAL)
			fail_msg("not refused: %s", queries[i]);
	assert_int_equal(rows.n, 0);
	commit_model(f, 1.0f); /* all is as it was */
}

#define ENDLESS                                                                \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "     \
	"SELECT count(*) FROM n"

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)what, (void)done, (void)total;
	return ++*(int *)arg < 3;
}

static void an_endless_query_ends(void **state)
{
	struct fixture *f = *state;
	struct wh_sql_options limited = {.time_limit_s = 1};
	int n_calls = 0;
	struct wh_sql_options cancelled = {.progress = cancel,
					   .progress_arg = &n_calls};
	struct rows rows = {0};

	assert_int_equal(
		wh_sql(f->store, ENDLESS, &cancelled, note_row, &rows, &f->err),
		WH_ECANCELLED);
	assert_int_equal(
		wh_sql(f->store, ENDLESS, &limited, note_row, &rows, &f->err),
		WH_EIO);
	assert_int_equal(rows.n, 0);
}

static int tag_head(void *arg, int n, const char *const *names,
		    const struct wh_cell *cells)
{
	struct fixture *f = arg;

	(void)n, (void)names;
	if (cells)
		assert_ok(wh_tag_create(f->store, cells[0].text, NULL, false,
					&f->err),
			  &f->err);
	return 0;
}

/* The authorizer and the time limit are the query's, not the callback's. */
static void who_gets_the_rows_may_use_the_store(void **state)
{
	struct fixture *f = *state;

	commit_model(f, 1.0f);
	assert_ok(wh_sql(f->store, "VALUES ('a'), ('b')", NULL, tag_head, f,
			 &f->err),
		  &f->err);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM ref "
					"WHERE name IN ('a', 'b')"),
			 2);
}

/* ---- Settings
 * ------------------------------------------------------------------ */

static int note_setting(void *arg, const char *key, const char *value)
{
	char *text = arg;
	size_t used = strlen(text);

	snprintf(text + used, 256 - used, "%s=%s;", key, value);
	return 0;
}

static void settings_are_set_listed_and_unset(void **state)
{
	struct fixture *f = *state;
	char text[256] = "", *value = NULL;

	assert_string_equal(wh_store_path(f->store), f->path);
	assert_ok(wh_config_get(f->store, "codec", &value, &f->err), &f->err);
	assert_null(value);
	assert_ok(wh_config_set(f->store, "codec", "fast", &f->err), &f->err);
	assert_ok(wh_config_get(f->store, "codec", &value, &f->err), &f->err);
	assert_string_equal(value, "fast");
	free(value);
	assert_ok(wh_config_list(f->store, note_setting, text, &f->err),
		  &f->err);
	assert_non_null(strstr(text, "codec=fast;"));
	assert_null(strstr(text, "id="));
	assert_ok(wh_config_set(f->store, "codec", NULL, &f->err), &f->err);
	assert_ok(wh_config_get(f->store, "codec", &value, &f->err), &f->err);
	assert_null(value);
	assert_fails(wh_config_set(f->store, "codec", "slow", &f->err), &f->err,
		     WH_EINVAL, "can't be 'slow'");
	assert_ok(wh_config_set(f->store, "alarms.norm", "2.5", &f->err),
		  &f->err);
	assert_ok(wh_config_set(f->store, "alarms.stuck", "3", &f->err),
		  &f->err);
	assert_fails(wh_config_set(f->store, "alarms.stuck", "2.5", &f->err),
		     &f->err, WH_EINVAL, "it is a number of snapshots");
	assert_fails(wh_config_set(f->store, "alarms.stuck", "1e3", &f->err),
		     &f->err, WH_EINVAL, "it is a number of snapshots");
	assert_fails(wh_config_set(f->store, "colour", "red", &f->err), &f->err,
		     WH_EINVAL, "there is no setting 'colour'");
	assert_fails(wh_config_get(f->store, "id", &value, &f->err), &f->err,
		     WH_EINVAL, "there is no setting 'id'");
}

/* ---- Usage
 * ---------------------------------------------------------------------- */

struct costs {
	int n;
	struct wh_usage of[96];
	char names[96][48];
};

static int note_usage(void *arg, const struct wh_usage *usage)
{
	struct costs *costs = arg;

	assert_in_range(costs->n, 0, 95);
	costs->of[costs->n] = *usage;
	snprintf(costs->names[costs->n++], 48, "%s", usage->name);
	return 0;
}

static int stop_at_once(void *arg, const struct wh_usage *usage)
{
	(void)usage;
	++*(int *)arg;
	return 1;
}

static void count_costs(struct fixture *f, enum wh_usage_by by,
			struct costs *costs, int *n_parts)
{
	struct stat at;
	uint64_t sum = 0;
	int i;

	costs->n = 0;
	*n_parts = 0;
	assert_ok(wh_usage(f->store, by, note_usage, costs, &f->err), &f->err);
	for (i = 0; i < costs->n - 1; i++) {
		sum += costs->of[i].own_bytes;
		*n_parts += !costs->of[i].rest;
	}
	assert_string_equal(costs->names[i], "total");
	assert_int_equal(stat(f->path, &at), 0);
	assert_int_equal(costs->of[i].own_bytes, at.st_size);
	assert_int_equal(sum, at.st_size);
}

static void parts_cost_what_is_theirs(void **state)
{
	static const enum wh_usage_by ways[] = {WH_BY_SNAPSHOT, WH_BY_LAYER,
						WH_BY_TENSOR, WH_BY_RUN,
						WH_BY_FILE};
	static const int expected[] = {3, 2, 3, 1, 1};
	struct fixture *f = *state;
	int i, n = 0;

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	commit_model(f, 2.0f);
	for (i = 0; i < 5; i++) {
		struct costs costs = {0};
		int n_parts;

		count_costs(f, ways[i], &costs, &n_parts);
		assert_int_equal(n_parts, expected[i]);
		if (ways[i] != WH_BY_SNAPSHOT)
			continue;
		assert_int_equal(costs.of[0].nbytes, 40);
		assert_int_equal(costs.of[0].own_bytes, 40);
		assert_int_equal(costs.of[1].own_bytes, 0);
		assert_int_equal(costs.of[2].shared_bytes, 40);
	}
	assert_ok(wh_usage(f->store, WH_BY_LAYER, stop_at_once, &n, &f->err),
		  &f->err);
	assert_int_equal(n, 1);
}

struct using
{
	struct fixture *f;
	int n;
};

static int use_the_store(void *arg, const struct wh_usage *usage)
{
	struct using *using = arg;
	struct costs costs = {0};
	int n_parts;

	if (!usage->rest && using->n++ < 2)
		commit_model(using->f, 3.0f + (float)using->n);
	count_costs(using->f, WH_BY_SNAPSHOT, &costs, &n_parts);
	return 0;
}

static void who_is_told_of_usage_may_use_the_store(void **state)
{
	struct using using = {.f = *state};

	commit_model(using.f, 1.0f);
	commit_model(using.f, 2.0f);
	assert_ok(wh_usage(using.f->store, WH_BY_SNAPSHOT, use_the_store,
			   &using, &using.f->err),
		  &using.f->err);
	assert_int_equal(using.n, 3); /* two snapshots and the total */
}

/* Of a newer header, or computed: nothing is read beyond a list. */
static void a_value_that_no_enum_has_is_refused(void **state)
{
	static const int values[] = {-1, 7, 1 << 30};
	struct fixture *f = *state;
	struct wh_bisect bisect;
	size_t i;

	commit_model(f, 1.0f);
	for (i = 0; i < 3; i++) {
		assert_null(wh_verdict_name((enum wh_verdict)values[i]));
		assert_null(wh_change_name((enum wh_change)values[i]));
		assert_null(wh_alarm_name((enum wh_alarm_kind)values[i]));
		assert_null(wh_dtype_name((enum wh_dtype)(1 << 30)));
		assert_string_equal(wh_status_text((enum wh_status)1),
				    "unknown status");
		assert_fails(wh_bisect_judge(f->store, "HEAD",
					     (enum wh_verdict)values[i],
					     &bisect, &f->err),
			     &f->err, WH_EINVAL, "there is no verdict");
		assert_fails(wh_usage(f->store, (enum wh_usage_by)values[i],
				      note_usage, NULL, &f->err),
			     &f->err, WH_EINVAL, "no listing");
	}
	assert_string_equal(wh_verdict_name(WH_SKIP), "skip");
	assert_string_equal(wh_change_name(WH_CHANGE_RENAMED), "renamed");
	assert_string_equal(wh_alarm_name(WH_ALARM_STUCK), "stuck");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_query_gives_typed_cells),
		with_store(what_is_no_single_reading_query_is_refused),
		with_store(an_endless_query_ends),
		with_store(who_gets_the_rows_may_use_the_store),
		with_store(settings_are_set_listed_and_unset),
		with_store(parts_cost_what_is_theirs),
		with_store(who_is_told_of_usage_may_use_the_store),
		with_store(a_value_that_no_enum_has_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
