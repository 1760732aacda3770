/* The file as a whole: its size, its free pages, copies of it.
 *
 * A backup is made by VACUUM INTO, which reads in one transaction and writes
 * into a new file under another name; only a whole one, on the disk, gets its
 * own.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/temporary.h"

#define TURN_MS	     250
#define STEP_BYTES   (4 << 20) /* to give back between looks at the clock */
#define MIDDLE_STORE ((uint64_t)16 << 20)
#define LARGE_STORE  ((uint64_t)256 << 20)

static enum wh_status ask(struct db *db, const char *pragma, int64_t *value,
			  struct wh_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, pragma, -1, &stmt, NULL);

	if (!code)
		code = sqlite3_step(stmt);
	*value = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? WH_OK : db_failed(db, code, err);
}

enum wh_status db_file_size(struct db *db, uint64_t *nbytes,
			    struct wh_error *err)
{
	struct stat at;

	if (stat(db->file, &at))
		return wh_fail_errno(err, errno, "store '%s'", db->path);
	*nbytes = (uint64_t)at.st_size;
	return WH_OK;
}

bool db_counts_pages(void)
{
	return sqlite3_compileoption_used("ENABLE_DBSTAT_VTAB") != 0;
}

/* ---- Free pages -------------------------------------------------------------
 */

static enum wh_status give_back_turn(struct db *db, const char *step,
				     int64_t *left, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	int64_t until, before;

	WH_TRY(transaction_begin(&tx, db, err));
	until = clock_ms() + TURN_MS;
	do {
		before = *left;
		/* Through exec: the pragma frees a page at each step. */
		WH_TRY(db_exec(db, step, err));
		WH_TRY(ask(db, "PRAGMA freelist_count", left, err));
	} while (*left && *left < before && clock_ms() < until);
	if (*left >= before)
		*left = 0; /* no auto_vacuum: a foreign tool rewrote the file */
	return transaction_commit(&tx, err);
}

enum wh_status db_give_back(struct db *db, struct wh_error *err)
{
	int64_t n_free, n_pages, page_size;
	char step[64];

	WH_TRY(ask(db, "PRAGMA freelist_count", &n_free, err));
	WH_TRY(ask(db, "PRAGMA page_count", &n_pages, err));
	WH_TRY(ask(db, "PRAGMA page_size", &page_size, err));
	if (n_free * 4 < n_pages || page_size < 1)
		return WH_OK;
	snprintf(step, sizeof(step), "PRAGMA incremental_vacuum(%d)",
		 (int)(STEP_BYTES / page_size));
	while (n_free)
		WH_TRY(give_back_turn(db, step, &n_free, err));
	return WH_OK;
}

/* ---- Copies
 * ------------------------------------------------------------------
 */

static enum wh_status sync_path(const char *path, struct wh_error *err)
{
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return wh_fail_errno(err, errno, "'%s'", path);
	return WH_OK;
}

static enum wh_status sync_folder_of(const char *path, struct wh_error *err)
{
	char *copy wh_free_auto = strdup(path);

	return copy ? sync_path(dirname(copy), err) : wh_fail_memory(err);
}

static enum wh_status vacuum_into(struct db *db, unsigned page_size,
				  const char *path, struct wh_error *err)
{
	char *sql = sqlite3_mprintf("PRAGMA page_size = %u; VACUUM INTO %Q",
				    page_size, path);
	enum wh_status status;

	if (!sql)
		return wh_fail_memory(err);
	/* VACUUM attaches the file that it writes. */
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 1);
	status = db_exec(db, sql, err);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_free(sql);
	if (!status)
		status = sync_path(path, err);
	return status;
}

/* As for a first commit, but by what the store holds. */
static enum wh_status choose_page_size(struct db *db, unsigned *page_size,
				       struct wh_error *err)
{
	int64_t n_pages, n_free, now;
	uint64_t used;

	WH_TRY(ask(db, "PRAGMA page_count", &n_pages, err));
	WH_TRY(ask(db, "PRAGMA freelist_count", &n_free, err));
	WH_TRY(ask(db, "PRAGMA page_size", &now, err));
	used = (uint64_t)((n_pages - n_free) * now);
	*page_size = used < MIDDLE_STORE  ? 2u << 10
		     : used < LARGE_STORE ? 16u << 10
					  : 64u << 10;
	return WH_OK;
}

/* In place, by SQLite's own VACUUM: a new file under the old name would be
 * faster, but whoever still has the old one open takes the new one's journal
 * for its own, and rolls it back into the wrong file. */
static enum wh_status vacuum(struct db *db, struct wh_error *err)
{
	enum wh_status status;
	unsigned page_size;
	char sql[128];

	WH_TRY(choose_page_size(db, &page_size, err));
	/* The copy that VACUUM makes first is as large as the store. */
	snprintf(sql, sizeof(sql),
		 "PRAGMA temp_store = FILE; PRAGMA page_size = %u; VACUUM",
		 page_size);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 1);
	status = db_exec(db, sql, err);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	db_exec(db, "PRAGMA temp_store = MEMORY", NULL);
	return status;
}

enum wh_status db_compact(struct db *db, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(db_check_process(db, err));
	WH_TRY(db_lock(db, err));
	status = vacuum(db, err);
	db_unlock(db);
	return status;
}

static enum wh_status copy_aside(struct db *db, const char *aside,
				 const char *path, struct wh_error *err)
{
	enum wh_status status;
	int64_t page_size;

	WH_TRY(ask(db, "PRAGMA page_size", &page_size, err));
	db_lock_shared(db);
	status = vacuum_into(db, (unsigned)page_size, aside, err);
	db_unlock(db);
	if (status)
		return status;
	return db_put_in_place(aside, path, err);
}

/* Nothing is replaced. Not every file system knows the flag, nor every C
 * library the call; those that lack it mostly have links. */
static bool put_in_place(const char *aside, const char *path)
{
#ifdef RENAME_NOREPLACE
	if (!renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE))
		return true;
	if (errno != EINVAL)
		return false;
#endif
	return !link(aside, path);
}

/* What a store of this name has left that isn't there any more: SQLite would
 * roll it back into the new one. */
static void remove_orphans(const char *path)
{
	static const char *const suffixes[] = {"-journal", "-wal"};
	size_t i;

	for (i = 0; i < 2 && access(path, F_OK) != 0; i++) {
		char *name wh_free_auto = NULL;

		if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
			name = NULL;
		if (name)
			unlink(name);
	}
}

enum wh_status db_put_in_place(const char *aside, const char *path,
			       struct wh_error *err)
{
	remove_orphans(path);
	if (!put_in_place(aside, path))
		return errno == EEXIST
			       ? wh_fail(err, WH_EEXISTS,
					 "'%s' is there already", path)
			       : wh_fail_errno(err, errno, "'%s'", path);
	return sync_folder_of(path, err);
}

/* A copy is for nobody whom the store itself is closed to. */
static void limit_mode(const struct db *db, int fd)
{
	struct stat store, copy;

	if (!stat(db->path, &store) && !fstat(fd, &copy))
		(void)!fchmod(fd, copy.st_mode & (store.st_mode | 0600) & 0666);
}

enum wh_status db_backup(struct db *db, const char *path, struct wh_error *err)
{
	char *aside wh_free_auto = NULL;
	enum wh_status status;
	int fd;

	WH_TRY(db_check_process(db, err));
	if (access(path, F_OK) == 0)
		return wh_fail(err, WH_EEXISTS, "'%s' is there already", path);
	/* Empty, SQLite takes it as if it weren't there; and what is wrong
	 * with the place shows here. */
	fd = temporary_open(path, &aside);
	if (fd < 0)
		return wh_fail_errno(err, errno, "'%s'", path);
	limit_mode(db, fd);
	close(fd);
	status = copy_aside(db, aside, path, err);
	unlink(aside);
	return status;
}
