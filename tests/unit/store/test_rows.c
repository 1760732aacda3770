/* Rows that statements take from memory: all of them, none of them where one
 * can't be, and nothing to anybody else. */
#include "support/damage.h"

#include <math.h>
#include <stdint.h>

#include "base/error.h"
#include "db_internal.h"
#include "storage.h"
#include "store.h"

static int64_t count(struct fixture *f, const char *table)
{
	char query[320];

	snprintf(query, sizeof(query), "SELECT count(*) FROM %s", table);
	return ask_integer(f, query);
}

static struct stmt *insert_of(struct fixture *f, enum statement which)
{
	struct stmt *stmt;

	assert_ok(db_stmt(f->store->db, which, &stmt, &f->err), &f->err);
	return stmt;
}

/* ---- All kinds of cells, and rows that are left out ------------------------
 */

static bool fill_even(void *arg, uint32_t i, struct row *row)
{
	char *text = arg; /* one for all of them */

	if (i % 2)
		return false;
	snprintf(text, 24, "number %u", i);
	row_integer(row, 1, 1000 + i);
	row_blob(row, 2, i ? text : NULL, i ? strlen(text) : 0);
	row_text(row, 3, text);
	if (i == 4)
		row_text(row, 4, NULL);
	else
		row_text(row, 4, "Dense");
	row_integer(row, 5, 0);
	row_integer(row, 6, INT64_MAX - i);
	return true;
}

static void each_cell_is_what_was_set(void **state)
{
	struct fixture *f = *state;
	char text[24];
	struct rows rows = {.n = 6, .fill = fill_even, .arg = text};
	AUTO_TRANSACTION tx = {0};

	assert_ok(transaction_begin(&tx, f->store->db, &f->err), &f->err);
	assert_ok(step_rows(insert_of(f, STMT_LAYER_INSERT), &rows, &f->err),
		  &f->err);
	assert_ok(transaction_commit(&tx, &f->err), &f->err);
	assert_int_equal(count(f, "layer"), 3);
	assert_int_equal(count(f,
			       "layer WHERE name = 'number ' || (id - 1000) "
			       "AND nbytes = 9223372036854775807 - id + 1000 "
			       "AND typeof(sha256) = 'blob'"),
			 3);
	assert_int_equal(count(f, "layer WHERE sha256 = x''"), 1);
	assert_int_equal(count(f, "layer WHERE sha256 = CAST('number 4' AS "
				  "BLOB) AND class_name IS NULL"),
			 1);
}

static bool fill_statistics(void *arg, uint32_t i, struct row *row)
{
	const double *figures = arg;
	int k;

	for (k = 1; k <= 6; k++)
		row_integer(row, k, k == 1 ? 7 + (int64_t)i : 0);
	for (k = 0; k < 5; k++)
		row_real(row, 7 + k, figures[k]);
	return true;
}

static void what_is_no_number_becomes_nothing(void **state)
{
	struct fixture *f = *state;
	double figures[] = {-0.5, (double)INFINITY, (double)NAN, 5e-324, 0};
	struct rows rows = {.n = 1, .fill = fill_statistics, .arg = figures};

	assert_ok(
		step_rows(insert_of(f, STMT_STATISTICS_INSERT), &rows, &f->err),
		&f->err);
	assert_int_equal(count(f, "tensor_statistics WHERE tensor_id = 7 AND "
				  "min = -0.5 AND max = 9e999 AND mean IS NULL "
				  "AND std = 5e-324 AND l2 = 0"),
			 1);
}

/* ---- Failures ---------------------------------------------------------------
 */

/* With triggers SQLite copies the rows first, without them it doesn't. */
static void of_rows_that_fail_none_stays(void **state)
{
	struct fixture *f = *state;
	struct storage storages[40] = {{0}};
	int trusted, i;

	for (i = 0; i < 40; i++)
		storages[i].id = 100 + i;
	storages[39].id = 100;
	for (trusted = 0; trusted < 2; trusted++) {
		AUTO_TRANSACTION tx = {0};

		assert_ok(transaction_begin(&tx, f->store->db, &f->err),
			  &f->err);
		transaction_trust(&tx, trusted);
		assert_fails(
			storage_insert(f->store->db, storages, 40, &f->err),
			&f->err, WH_ECORRUPT, "");
		transaction_end(&tx);
		assert_int_equal(count(f, "storage"), 0);
	}
}

static void ids_come_to_an_end(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source;
	int64_t n, n_chunks;

	commit_model(f, 1.0f);
	source = make_model(2.0f);
	save_store(f);
	n = count(f, "tensor");
	n_chunks = count(f, "chunk");
	damage_store(f, "UPDATE tensor SET id = 9223372036854775807 "
			"WHERE id = (SELECT max(id) FROM tensor)");
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_ECORRUPT, "ids have come to an end");
	assert_int_equal(count(f, "chunk"), n_chunks);
	restore_store(f);
	damage_store(f, "UPDATE layer SET id = 9223372036854775807 "
			"WHERE id = (SELECT max(id) FROM layer)");
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_ECORRUPT, "ids have come to an end");
	assert_int_equal(count(f, "tensor"), n);
	wh_source_close(source);
	forget_saved(f);
}

/* ---- Others ---------------------------------------------------------------
 */

static int note_count(void *arg, int n, const char *const *names,
		      const struct wh_cell *cells)
{
	(void)n, (void)names;
	if (cells)
		*(int64_t *)arg = cells[0].integer;
	return 0;
}

/* A pointer can't be spelled. */
static void to_queries_there_are_none(void **state)
{
	static const char *const queries[] = {
		"SELECT count(*) FROM wh_rows",
		"SELECT count(*) FROM wh_rows(NULL)",
		"SELECT count(*) FROM wh_rows(140737488355328)",
		"SELECT count(*) FROM wh_rows(x'0000000000000001')",
		"SELECT count(*) FROM wh_rows WHERE rows > 1",
		"SELECT count(*) FROM wh_rows AS a, wh_rows(a.c1) AS b",
	};
	struct fixture *f = *state;
	size_t i;

	commit_model(f, 1.0f);
	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		int64_t n = -1;

		assert_ok(wh_sql(f->store, queries[i], NULL, note_count, &n,
				 &f->err),
			  &f->err);
		assert_int_equal(n, 0);
	}
}

/* Views are the user's to add. */
static void a_view_of_this_name_is_another(void **state)
{
	struct fixture *f = *state;
	int64_t n = 0;

	commit_model(f, 1.0f);
	damage_store(f, "CREATE VIEW wh_rows AS SELECT 7 AS c1");
	commit_model(f, 2.0f);
	assert_ok(read_all(f, "HEAD"), &f->err);
	assert_ok(wh_sql(f->store, "SELECT c1 FROM wh_rows", NULL, note_count,
			 &n, &f->err),
		  &f->err);
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(each_cell_is_what_was_set),
		with_store(what_is_no_number_becomes_nothing),
		with_store(of_rows_that_fail_none_stays),
		with_store(ids_come_to_an_end),
		with_store(to_queries_there_are_none),
		with_store(a_view_of_this_name_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
