/* keep while others write. */
#include <weighhouse/keep.h>

#include "db_internal.h"
#include "store.h"
#include "support/damage.h"

static const char *const rules[] = {"last=1", NULL};

/* In the second transaction, or at the first row. NULL: it is done. */
static const char *change;
static const char *path;
static int n_begun;

static void write_aside(void)
{
	char *message = NULL;
	sqlite3 *file;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	if (sqlite3_exec(file, change, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(file);
	change = NULL;
}

/* What gc does to a snapshot that is forgotten. */
#define TAKE_FORGOTTEN                                                         \
	"BEGIN IMMEDIATE; INSERT INTO gc_running VALUES (1);"                  \
	"DELETE FROM snapshot WHERE id IN "                                    \
	"(SELECT snapshot_id FROM forgotten);"                                 \
	"DELETE FROM forgotten; DELETE FROM gc_running; COMMIT"
#define FORGET_ALL "INSERT INTO forgotten SELECT id, 0 FROM snapshot"

/* The first transaction of keep is the one that decides. */
static int write_between(unsigned what, void *arg, void *stmt, void *text)
{
	(void)what;
	(void)arg;
	(void)stmt;
	if (change && strncmp(text, "BEGIN", 5) == 0 && ++n_begun == 2)
		write_aside();
	return 0;
}

struct told {
	int n[2];
	uint64_t frees;
	bool writes; /* at the first row */
};

static int see(void *arg, const struct wh_kept *kept)
{
	struct told *told = arg;

	told->n[kept->keep]++;
	told->frees += kept->frees;
	if (told->writes && change)
		write_aside();
	return 0;
}

/* The last one is the first one again. */
static void commit_three(struct fixture *f)
{
	int i;

	for (i = 0; i < 3; i++) {
		struct wh_source *source = make_model((float)(i % 2));

		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		wh_source_close(source);
	}
	path = f->path;
}

static void keep_beside(struct fixture *f, const char *what, bool dry_run,
			struct told *told)
{
	const struct wh_keep_options options = {.rules = rules,
						.dry_run = dry_run};

	change = what;
	n_begun = 0;
	if (!told->writes)
		sqlite3_trace_v2(f->store->db->handle, SQLITE_TRACE_STMT,
				 write_between, NULL);
	assert_ok(wh_keep(f->store, &options, see, told, &f->err), &f->err);
	sqlite3_trace_v2(f->store->db->handle, 0, NULL, NULL);
	assert_null(change);
}

static void what_gc_has_taken_is_not_listed(void **state)
{
	struct fixture *f = *state;
	struct told told = {0};

	commit_three(f);
	keep_beside(f, TAKE_FORGOTTEN, false, &told);
	assert_int_equal(told.n[true], 1);
	assert_int_equal(told.n[false], 0);
}

/* Else the first one would free what the last one needed until then. */
static void what_is_told_is_what_was_decided(void **state)
{
	const struct wh_keep_options options = {.rules = rules,
						.dry_run = true};
	struct told alone = {0}, told = {0};
	struct fixture *f = *state;

	commit_three(f);
	assert_ok(wh_keep(f->store, &options, see, &alone, &f->err), &f->err);
	assert_true(alone.frees > 0);
	keep_beside(f, FORGET_ALL, true, &told);
	assert_int_equal(told.frees, alone.frees);
	assert_int_equal(told.n[true], 1);
	assert_int_equal(told.n[false], 2);
}

/* A pager, say, that waits for someone to press a key. */
static void others_write_while_it_is_told(void **state)
{
	struct told told = {.writes = true};
	struct fixture *f = *state;

	commit_three(f);
	keep_beside(f, FORGET_ALL, true, &told);
	assert_int_equal(told.n[true] + told.n[false], 3);
}

/* What is forgotten is counted, not every number below the last one. */
static void undo_takes_no_longer_where_numbers_are_large(void **state)
{
	struct fixture *f = *state;
	struct told told = {0};
	const struct wh_keep_options options = {.rules = rules};
	uint64_t n;

	commit_three(f);
	assert_ok(wh_keep(f->store, &options, see, &told, &f->err), &f->err);
	assert_int_equal(told.n[false], 2);
	damage_store(f, "PRAGMA foreign_keys = OFF;"
			"UPDATE lineage SET snapshot_id = 1 << 39 "
			"WHERE snapshot_id = 2;"
			"UPDATE forgotten SET snapshot_id = 1 << 39 "
			"WHERE snapshot_id = 2;"
			"UPDATE snapshot SET id = 1 << 39 WHERE id = 2");
	assert_ok(wh_keep_undo(f->store, NULL, NULL, &n, &f->err), &f->err);
	assert_int_equal(n, 2);
	assert_ok(wh_keep_undo(f->store, NULL, NULL, &n, &f->err), &f->err);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_gc_has_taken_is_not_listed),
		with_store(what_is_told_is_what_was_decided),
		with_store(others_write_while_it_is_told),
		with_store(undo_takes_no_longer_where_numbers_are_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
