/* SQLite's own check of its pages.
 *
 * It may read the whole file, and asks nobody meanwhile. So a helper thread
 * runs it while the caller's waits, asks whether to go on, and otherwise
 * interrupts it: the connection still is used by one thread at a time.
 */
#include "db_internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"

#define ASK_EACH_NS 100000000L

struct page_check {
	struct db *db;
	const char *sql;
	struct wh_buf lines; /* each with a NUL behind it */
	enum wh_status status;
	struct wh_error err;
	bool done;
	pthread_mutex_t lock;
	pthread_cond_t ended;
};

static enum wh_status gather(struct page_check *check, sqlite3_stmt *stmt)
{
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(stmt, 0);

		if (text)
			WH_TRY(wh_buf_append(&check->lines, text,
					     strlen((const char *)text) + 1,
					     &check->err));
	}
	return code == SQLITE_DONE ? WH_OK
				   : db_failed(check->db, code, &check->err);
}

static void *run(void *arg)
{
	struct page_check *check = arg;
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(check->db->handle, check->sql, -1, &stmt,
				      NULL);

	check->status = code ? db_failed(check->db, code, &check->err)
			     : gather(check, stmt);
	sqlite3_finalize(stmt);
	pthread_mutex_lock(&check->lock);
	check->done = true;
	pthread_cond_signal(&check->ended);
	pthread_mutex_unlock(&check->lock);
	return NULL;
}

/* True once it has ended. */
static bool wait_a_little(struct page_check *check)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ASK_EACH_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&check->lock);
	while (!check->done &&
	       pthread_cond_timedwait(&check->ended, &check->lock, &until) !=
		       ETIMEDOUT)
		;
	done = check->done;
	pthread_mutex_unlock(&check->lock);
	return done;
}

static enum wh_status run_watched(struct page_check *check, db_go_on_fn *go_on,
				  void *arg, struct wh_error *err)
{
	bool cancelled = false;
	pthread_t helper;

	if (pthread_create(&helper, NULL, run, check))
		return wh_fail_memory(err);
	while (!wait_a_little(check))
		if (!cancelled && go_on && !go_on(arg)) {
			cancelled = true;
			sqlite3_interrupt(check->db->handle);
		}
	pthread_join(helper, NULL);
	if (cancelled)
		return wh_fail(err, WH_ECANCELLED, "cancelled");
	if (check->status && err)
		*err = check->err;
	return check->status;
}

/* SQLite puts a heading and many lines into one row. */
static void tell_lines(const struct db_page_check *how, char *text)
{
	char *rest, *line = strtok_r(text, "\n", &rest);

	for (; line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, "*** ", 4) != 0)
			how->tell(how->arg, line);
}

static enum wh_status check_pages(struct db *db, const char *sql,
				  const struct db_page_check *how,
				  struct wh_error *err)
{
	struct page_check check = {.db = db, .sql = sql};
	enum wh_status status;
	size_t at = 0, len;

	pthread_mutex_init(&check.lock, NULL);
	pthread_cond_init(&check.ended, NULL);
	status = run_watched(&check, how->go_on, how->arg, err);
	for (; !status && at < check.lines.size; at += len + 1) {
		char *text = (char *)check.lines.data + at;

		len = strlen(text);
		if (strcmp(text, "ok") != 0)
			tell_lines(how, text);
	}
	wh_buf_free(&check.lines);
	pthread_cond_destroy(&check.ended);
	pthread_mutex_destroy(&check.lock);
	return status;
}

/* Tables one by one. */
static enum wh_status check_tables(struct db *db,
				   const struct db_page_check *how,
				   struct wh_error *err)
{
	struct wh_buf names = {0};
	enum wh_status status = WH_OK;
	struct stmt *stmt;
	bool row = true;
	size_t at;

	WH_TRY(db_stmt(db, STMT_VERIFY_TABLES, &stmt, err));
	while (!(status = stmt_step(stmt, &row, err)) && row) {
		const char *name = column_text_or_empty(stmt, 0);

		status = wh_buf_append(&names, name, strlen(name) + 1, err);
		if (status)
			break;
	}
	stmt_reset(stmt);
	for (at = 0; !status && at < names.size;
	     at += strlen((char *)names.data + at) + 1) {
		char *sql = sqlite3_mprintf("PRAGMA quick_check(%Q)",
					    (char *)names.data + at);

		status = sql ? check_pages(db, sql, how, err)
			     : wh_fail_memory(err);
		sqlite3_free(sql);
	}
	wh_buf_free(&names);
	return status;
}

enum wh_status db_check_pages(struct db *db, const struct db_page_check *how,
			      struct wh_error *err)
{
	WH_TRY(db_check_process(db, err));
	return how->but_chunks
		       ? check_tables(db, how, err)
		       : check_pages(db, "PRAGMA quick_check(20)", how, err);
}
