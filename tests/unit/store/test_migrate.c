/* Migrations, tried with a second one that the library doesn't have: it adds a
 * table, and rewrites rows of an old one. */
#include "support/damage.h"

#include <sys/wait.h>

#include "base/error.h"
#include "db_internal.h"
#include "store.h"

/* What comes after the library's own. The trigger that guards snapshots is
 * made again with the very text that it had. */
#define SECOND                                                                 \
	"CREATE TABLE extra (id INTEGER NOT NULL PRIMARY KEY, "                \
	"note TEXT NOT NULL) STRICT;\n"                                        \
	"CREATE INDEX extra_by_note ON extra(note);\n"                         \
	"INSERT INTO extra SELECT id, message FROM snapshot;\n"                \
	"DROP TRIGGER snapshot_is_fixed;\n"                                    \
	"UPDATE snapshot SET message = 'rewritten';\n"                         \
	"CREATE TRIGGER snapshot_is_fixed BEFORE UPDATE ON snapshot\n"         \
	"BEGIN SELECT RAISE(ABORT, 'snapshot: facts are not changed'); END;\n"

static const char *with_second[N_MIGRATIONS + 1];

static void fill_texts(const char *second)
{
	int i;

	for (i = 0; i < N_MIGRATIONS; i++)
		with_second[i] = migrations[i];
	with_second[N_MIGRATIONS] = second;
}

/* One text out of the file. */
static void ask(const char *path, const char *query, char answer[256])
{
	sqlite3_stmt *stmt;
	sqlite3 *file;

	answer[0] = '\0';
	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	if (sqlite3_prepare_v2(file, query, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		snprintf(answer, 256, "%s", sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(file);
}

static enum wh_status migrate(struct fixture *f)
{
	struct db *db = f->store->db;

	return db_run_migrations(db, with_second, N_MIGRATIONS + 1, &f->err);
}

static void a_second_migration_runs_once(void **state)
{
	struct fixture *f = *state;
	struct wh_store *store = NULL;
	char answer[256], version[16];

	fill_texts(SECOND);
	commit_model(f, 1.0f);
	assert_ok(migrate(f), &f->err);
	snprintf(version, sizeof(version), "%d", N_MIGRATIONS + 1);
	ask(f->path, "PRAGMA user_version", answer);
	assert_string_equal(answer, version);
	ask(f->path, "SELECT message FROM snapshot", answer);
	assert_string_equal(answer, "rewritten");
	assert_ok(migrate(f), &f->err); /* nothing is due */
	ask(f->path, "SELECT count(*) FROM extra", answer);
	assert_string_equal(answer, "1");
	assert_fails(wh_store_open(f->path, WH_OPEN_READ, &store, &f->err),
		     &f->err, WH_EUNSUPPORTED, "newer version of weighhouse");
}

static void a_migration_that_fails_leaves_the_old_schema(void **state)
{
	struct fixture *f = *state;
	char answer[256], version[16];

	fill_texts(SECOND "INSERT INTO nowhere VALUES (1);");
	commit_model(f, 1.0f);
	assert_fails(migrate(f), &f->err, WH_ECORRUPT, "nowhere");
	snprintf(version, sizeof(version), "%d", N_MIGRATIONS);
	ask(f->path, "PRAGMA user_version", answer);
	assert_string_equal(answer, version);
	open_again(f, WH_OPEN_WRITE);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* ---- Killed at each of its statements
 * ----------------------------------------- */

static int die_when_due(unsigned what, void *arg, void *a, void *b)
{
	int *left = arg;

	(void)what, (void)a, (void)b;
	if ((*left)-- == 0)
		_exit(9);
	return 0;
}

/* In a process of its own, which dies before its n-th statement: 9; or comes
 * to the end: 0. A small cache makes it write pages before it commits. */
static int migrate_and_die(const char *path, int n)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct wh_store *store;
		struct wh_error err;

		if (wh_store_open(path, WH_OPEN_WRITE, &store, &err))
			_exit(1);
		db_exec(store->db, "PRAGMA cache_size = 1", NULL);
		sqlite3_trace_v2(store->db->handle, SQLITE_TRACE_STMT,
				 die_when_due, &n);
		_exit(db_run_migrations(store->db, with_second,
					N_MIGRATIONS + 1, &err)
			      ? 2
			      : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void killed_anywhere_it_is_old_or_new(void **state)
{
	struct fixture *f = *state;
	char answer[256], old[16];
	int n, end;

	fill_texts(SECOND);
	for (n = 0; n < 3; n++)
		commit_model(f, (float)n + 1);
	wh_store_close(f->store);
	f->store = NULL;
	snprintf(old, sizeof(old), "%d", N_MIGRATIONS);
	for (n = 0; (end = migrate_and_die(f->path, n)) == 9; n++) {
		ask(f->path, "PRAGMA user_version", answer);
		assert_string_equal(answer, old);
		open_again(f, WH_OPEN_WRITE);
		assert_ok(read_all(f, "HEAD"), &f->err);
		wh_store_close(f->store);
		f->store = NULL;
	}
	assert_int_equal(end, 0);
	assert_true(n > 10);
	ask(f->path, "SELECT count(*) FROM extra", answer);
	assert_string_equal(answer, "3");
	ask(f->path, "PRAGMA integrity_check", answer);
	assert_string_equal(answer, "ok");
}

/* ---- Older files
 * ---------------------------------------------------------------- */

static void a_fresh_store_and_a_migrated_one_are_alike(void **state)
{
	static const char list[] =
		"SELECT group_concat(type || name || coalesce(sql, ''), x'0a') "
		"FROM (SELECT * FROM sqlite_schema ORDER BY type, name)";
	struct fixture *f = *state;
	sqlite3 *fresh;
	int i;

	assert_int_equal(sqlite3_open(":memory:", &fresh), SQLITE_OK);
	for (i = 0; i < N_MIGRATIONS; i++)
		assert_int_equal(
			sqlite3_exec(fresh, migrations[i], NULL, NULL, NULL),
			SQLITE_OK);
	for (i = 0; i < N_VIEWS; i++)
		assert_int_equal(sqlite3_exec(fresh, view_texts[i].text, NULL,
					      NULL, NULL),
				 SQLITE_OK);
	{
		sqlite3_stmt *a, *b;

		assert_int_equal(sqlite3_prepare_v2(fresh, list, -1, &a, NULL),
				 SQLITE_OK);
		assert_int_equal(sqlite3_prepare_v2(f->store->db->handle, list,
						    -1, &b, NULL),
				 SQLITE_OK);
		assert_int_equal(sqlite3_step(a), SQLITE_ROW);
		assert_int_equal(sqlite3_step(b), SQLITE_ROW);
		assert_string_equal((const char *)sqlite3_column_text(a, 0),
				    (const char *)sqlite3_column_text(b, 0));
		sqlite3_finalize(a);
		sqlite3_finalize(b);
	}
	sqlite3_close(fresh);
}

static void migrating_what_is_current_does_nothing(void **state)
{
	struct fixture *f = *state;

	assert_ok(wh_store_migrate(f->path, &f->err), &f->err);
	assert_int_equal(wh_store_migrate("/nowhere/x.wh", &f->err),
			 WH_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_second_migration_runs_once),
		with_store(a_migration_that_fails_leaves_the_old_schema),
		with_store(killed_anywhere_it_is_old_or_new),
		with_store(a_fresh_store_and_a_migrated_one_are_alike),
		with_store(migrating_what_is_current_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
