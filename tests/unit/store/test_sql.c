/* Every statement, against a store: it can be prepared, and its plan is one
 * that was meant. And the triggers that guard facts, table by table. */
#include "support/damage.h"

#include "db_internal.h"
#include "sql_texts.h"

/* Statements that may walk a whole table or index, and why. */
static const char *const may_scan[] = {
	"snapshot_any",	    /* its first row */
	"tensor_any",	    /* the first row of each */
	"metric_keys",	    /* for "did you mean", along the index */
	"config_list",	    /* all settings */
	"verify_tables",    /* all: it verifies all */
	"tensor_snapshots", /* of a damaged one: trees and their texts */
	"verify_tensors_of_snapshot", /* of a snapshot's named tensors */
	"usage_parts",		      /* usage is of the whole store */
	"usage_codings",
	"usage_unnamed",
	"usage_pages",
	"usage_trees",
	"usage_total",
	"gc_templates",	   /* few; once a window, which template is in use */
	"gc_tensors",	   /* only where no variable names one of a window */
	"gc_storages",	   /* leases: one a commit under way */
	"gc_gone",	   /* once a sweep */
	"gc_waiting",	   /* the same */
	"mark_all",	   /* a dry run counts all */
	"keep_candidates", /* rules look at every snapshot */
	"keep_staying",
	"ref_trees",	     /* branches and tags are few */
	"keep_names",	     /* branches and tags are few */
	"keep_reflog",	     /* no index by time: once a keep */
	"forgotten_list",    /* what keep --undo brings back */
	"tombstone_list",    /* no index: a file that may have been there */
	"policy_list",	     /* few */
	"publication_list",  /* all, or of a place: asked for by people */
	"publish_rule_list", /* few */
	"publish_rule_rename",
	"run_names",   /* for "did you mean" */
	"weight_list", /* matched against globs */
	"line_list",   /* a graph has all lines */
	"bisect_list", /* few verdicts */
};

static bool listed(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(may_scan) / sizeof(may_scan[0]); i++)
		if (strcmp(may_scan[i], name) == 0)
			return true;
	return false;
}

static sqlite3 *open_file(struct fixture *f)
{
	sqlite3 *file;

	commit_model(f, 1.0f);
	wh_store_close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &file), SQLITE_OK);
	assert_int_equal(db_add_rows(file), SQLITE_OK);
	return file;
}

/* Whether the plan has a SCAN of a table, and the step that says so. A scan of
 * what a subquery made is no scan of a table, nor is that of one row, nor that
 * of rows from memory. */
static bool scans(sqlite3 *file, const struct sql_text *statement,
		  char step[256])
{
	char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement->text);
	sqlite3_stmt *plan;
	bool found = false;

	if (sqlite3_prepare_v2(file, sql, -1, &plan, NULL))
		fail_msg("%s: %s", statement->name, sqlite3_errmsg(file));
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(plan, 3);

		if (strncmp(text, "SCAN ", 5) == 0 &&
		    strcmp(text, "SCAN CONSTANT ROW") != 0 &&
		    strncmp(text, "SCAN temp.wh_rows", 17) != 0) {
			snprintf(step, 256, "%s", text);
			found = true;
		}
	}
	sqlite3_finalize(plan);
	sqlite3_free(sql);
	return found;
}

static void no_statement_scans_but_those_that_may(void **state)
{
	sqlite3 *file = open_file(*state);
	char step[256];
	int i;

	for (i = 0; i < N_STATEMENTS; i++)
		if (scans(file, &statement_texts[i], step) &&
		    !listed(statement_texts[i].name))
			fail_msg("%s: %s", statement_texts[i].name, step);
	sqlite3_close(file);
}

static void no_name_on_the_list_is_superfluous(void **state)
{
	sqlite3 *file = open_file(*state);
	char step[256];
	size_t i;
	int k;

	for (i = 0; i < sizeof(may_scan) / sizeof(may_scan[0]); i++) {
		for (k = 0; k < N_STATEMENTS; k++)
			if (strcmp(may_scan[i], statement_texts[k].name) == 0)
				break;
		if (k == N_STATEMENTS ||
		    !scans(file, &statement_texts[k], step))
			fail_msg("%s scans nothing", may_scan[i]);
	}
	sqlite3_close(file);
}

static void every_check_and_view_can_be_prepared(void **state)
{
	sqlite3 *file = open_file(*state);
	sqlite3_stmt *stmt;
	char sql[128];
	int i;

	for (i = 0; i < N_CHECKS; i++) {
		if (sqlite3_prepare_v2(file, check_texts[i].text, -1, &stmt,
				       NULL))
			fail_msg("%s: %s", check_texts[i].name,
				 sqlite3_errmsg(file));
		assert_int_equal(sqlite3_column_count(stmt), 1);
		sqlite3_finalize(stmt);
	}
	for (i = 0; i < N_VIEWS; i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s",
			 view_texts[i].name);
		if (sqlite3_exec(file, sql, NULL, NULL, NULL))
			fail_msg("%s: %s", view_texts[i].name,
				 sqlite3_errmsg(file));
	}
	sqlite3_close(file);
}

/* ---- Triggers
 * ---------------------------------------------------------------- */

static void assert_refused(sqlite3 *file, const char *sql, const char *part)
{
	char *why = NULL;

	if (sqlite3_exec(file, sql, NULL, NULL, &why) == SQLITE_OK)
		fail_msg("went through: %s", sql);
	if (!why || !strstr(why, part))
		fail_msg("%s: \"%s\" lacks \"%s\"", sql, why, part);
	sqlite3_free(why);
}

static void facts_are_not_changed_replaced_or_deleted(void **state)
{
	static const struct {
		const char *table, *column, *conflict;
	} facts[] = {
		{"storage", "nbytes", NULL},
		{"chunk", "codec", NULL},
		{"tensor", "nbytes",
		 "INSERT OR REPLACE INTO tensor SELECT id + 100, sha256, "
		 "dtype, shape, nbytes, crc32c, crc32, storage_id FROM tensor"},
		{"layer", "name",
		 "INSERT OR REPLACE INTO layer SELECT id + 100, sha256, name, "
		 "class_name, kind, nbytes FROM layer"},
		{"variable", "name", NULL},
		{"tree", "n_layers",
		 "INSERT OR REPLACE INTO tree SELECT id + 100, sha256, "
		 "graph_id, attributes_id, n_tensors, n_layers, nbytes "
		 "FROM tree"},
		{"tree_layer", "layer_id", NULL},
		{"template", "format",
		 "INSERT OR REPLACE INTO template SELECT id + 100, sha256, "
		 "format, text_id, skeleton_id FROM template"},
		{"snapshot", "message",
		 "REPLACE INTO snapshot SELECT id + 100, sha256, tree_id, "
		 "parent, generation, time, run_id, step, epoch, "
		 "origin_format, origin_generator, template_id, message "
		 "FROM snapshot"},
	};
	sqlite3 *file = open_file(*state);
	char sql[256];
	size_t i;

	assert_int_equal(
		sqlite3_exec(file,
			     "INSERT INTO template(sha256, format, text_id) "
			     "VALUES (x'00', 'h5', 1)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		const char *table = facts[i].table;

		snprintf(sql, sizeof(sql), "UPDATE %s SET %s = %s", table,
			 facts[i].column, facts[i].column);
		assert_refused(file, sql, "facts are not changed");
		snprintf(sql, sizeof(sql), "UPDATE OR REPLACE %s SET %s = 1",
			 table, facts[i].column);
		assert_refused(file, sql, "facts are not changed");
		snprintf(sql, sizeof(sql),
			 "INSERT OR REPLACE INTO %s SELECT * FROM %s", table,
			 table);
		assert_refused(file, sql, "facts are not replaced");
		snprintf(sql, sizeof(sql), "REPLACE INTO %s SELECT * FROM %s",
			 table, table);
		assert_refused(file, sql, "facts are not replaced");
		if (facts[i].conflict)
			assert_refused(file, facts[i].conflict,
				       "facts are not replaced");
		snprintf(sql, sizeof(sql), "DELETE FROM %s", table);
		assert_refused(file, sql, "only gc deletes facts");
	}
	sqlite3_close(file);
}

static void a_storage_moves_and_gc_deletes(void **state)
{
	static const char *const tables[] = {
		"storage", "chunk",	 "tensor",   "layer",	"variable",
		"tree",	   "tree_layer", "template", "snapshot"};
	sqlite3 *file = open_file(*state);
	char sql[256];
	size_t i;

	assert_int_equal(
		sqlite3_exec(file,
			     "UPDATE tensor SET storage_id = storage_id; "
			     "BEGIN; INSERT INTO gc_running VALUES (1)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		assert_int_equal(sqlite3_exec(file, sql, NULL, NULL, NULL),
				 SQLITE_OK);
	}
	sqlite3_exec(file, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(file);
}

static void tables_are_strict(void **state)
{
	sqlite3 *file = open_file(*state);

	assert_refused(file,
		       "INSERT INTO storage(id, encoding, nbytes, "
		       "stored_bytes) VALUES (99, 'x', 0, 0)",
		       "cannot store TEXT value in INTEGER column");
	assert_refused(file, "INSERT INTO chunk VALUES (99, 0, 0, 0, 'text')",
		       "cannot store TEXT value in BLOB column");
	sqlite3_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(no_statement_scans_but_those_that_may),
		with_store(no_name_on_the_list_is_superfluous),
		with_store(every_check_and_view_can_be_prepared),
		with_store(facts_are_not_changed_replaced_or_deleted),
		with_store(a_storage_moves_and_gc_deletes),
		with_store(tables_are_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
