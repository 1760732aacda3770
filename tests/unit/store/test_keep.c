/* keep beside a gc that waits for nothing. */
#include <weighhouse/keep.h>

#include "db_internal.h"
#include "store.h"
#include "support/store.h"

static struct fixture *swept; /* NULL: it is done */
static int n_begun;

/* What gc does to a snapshot that is forgotten. */
static void take_forgotten(const char *path)
{
	char *message = NULL;
	sqlite3 *file;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	if (sqlite3_exec(file,
			 "BEGIN IMMEDIATE; INSERT INTO gc_running VALUES (1);"
			 "DELETE FROM snapshot WHERE id IN "
			 "(SELECT snapshot_id FROM forgotten);"
			 "DELETE FROM forgotten;"
			 "DELETE FROM gc_running; COMMIT",
			 NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(file);
}

/* The second transaction of keep is the one that lists. */
static int sweep_between(unsigned what, void *arg, void *stmt, void *text)
{
	(void)what;
	(void)arg;
	(void)stmt;
	if (swept && strncmp(text, "BEGIN", 5) == 0 && ++n_begun == 2) {
		take_forgotten(swept->path);
		swept = NULL;
	}
	return 0;
}

static int count(void *arg, const struct wh_kept *kept)
{
	int *n = arg;

	n[kept->keep]++;
	return 0;
}

static void what_gc_has_taken_is_not_listed(void **state)
{
	static const char *const rules[] = {"last=1", NULL};
	const struct wh_keep_options options = {.rules = rules};
	struct fixture *f = *state;
	int i, n[2] = {0, 0};

	for (i = 0; i < 3; i++) {
		struct wh_source *source = make_model((float)i);

		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		wh_source_close(source);
	}
	swept = f;
	n_begun = 0;
	sqlite3_trace_v2(f->store->db->handle, SQLITE_TRACE_STMT, sweep_between,
			 NULL);
	assert_ok(wh_keep(f->store, &options, count, n, &f->err), &f->err);
	sqlite3_trace_v2(f->store->db->handle, 0, NULL, NULL);
	assert_null(swept);
	assert_int_equal(n[true], 1);
	assert_int_equal(n[false], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_gc_has_taken_is_not_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
