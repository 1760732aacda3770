/* The turn lock: writers take turns, so that nobody meets SQLite's back-off.
 *
 * flock on STORE-lock, a file of its own: closing any descriptor of the
 * database itself would drop SQLite's POSIX locks. It is made at the first
 * write, has the store's mode, group and owner, and is never deleted. Whoever
 * gets the lock checks that the path still names the file that it has open: a
 * compacted store is a new file, and goes on to be used; another store under the
 * same path is refused.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

WH_DEFINE_AUTO(db, db_close);

/* Whoever may write to the store may lock it, whatever the umask, and whoever
 * was first: root's jobs lock nobody out. As SQLite does with its journals. */
static void follow_store(const struct db *db, int fd)
{
	struct stat store;

	if (stat(db->file, &store))
		return;
	(void)!fchown(fd, geteuid() == 0 ? store.st_uid : (uid_t)-1,
		      store.st_gid);
	(void)!fchmod(fd, (store.st_mode & 0666) | 0600);
}

/* A file that was there is left as it is: it may be anybody's. */
static int open_lock_file(const struct db *db)
{
	int fd = open(db->lock_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		      0666);

	if (fd >= 0)
		follow_store(db, fd);
	else if (errno == EEXIST)
		fd = open(db->lock_path, O_RDWR | O_CLOEXEC);
	return fd;
}

static enum wh_status open_lock(struct db *db, struct wh_error *err)
{
	if (db->lock_fd >= 0)
		return WH_OK;
	db->lock_fd = open_lock_file(db);
	if (db->lock_fd < 0)
		return wh_fail_errno(err, errno, "lock file '%s'",
				     db->lock_path);
	return WH_OK;
}

/* "" for a store that has none. */
static enum wh_status read_id(struct db *db, char id[64], struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	id[0] = '\0';
	WH_TRY(db_stmt(db, STMT_CONFIG_GET, &stmt, err));
	stmt_text(stmt, 1, CONFIG_STORE_ID);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row && column_text(stmt, 0))
		snprintf(id, 64, "%s", column_text(stmt, 0));
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status open_successor(struct db *db, struct db **out,
				     struct wh_error *err)
{
	wh_auto(db) now = NULL;
	char before[64], after[64];

	WH_TRY(db_open(db->file, DB_READ, &now, err));
	WH_TRY(read_id(db, before, err));
	WH_TRY(read_id(now, after, err));
	if (!*before || strcmp(before, after) != 0)
		return wh_fail(err, WH_EMISMATCH,
			       "'%s' was replaced by another store while it "
			       "was open",
			       db->path);
	*out = wh_steal(&now);
	return WH_OK;
}

/* The same store, rewritten: goes on with the file that the path names. */
static enum wh_status reopen(struct db *db, struct wh_error *err)
{
	struct db *now = NULL;
	sqlite3 *old = db->handle;
	int i;

	WH_TRY(open_successor(db, &now, err));
	for (i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(db->statements[i].handle);
		db->statements[i].handle = NULL;
	}
	db->n_reopened++;
	db->handle = now->handle;
	db->device = now->device;
	db->inode = now->inode;
	db->version = now->version;
	now->handle = old;
	db_close(now); /* and the old file with it */
	return WH_OK;
}

/* Whether somebody steps through rows just now, who would lose them. */
static bool is_stepping(struct db *db)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(db->handle, stmt)))
		if (sqlite3_stmt_busy(stmt))
			return true;
	return false;
}

static enum wh_status check_same_file(struct db *db, struct wh_error *err)
{
	struct stat named;

	if (stat(db->file, &named))
		return wh_fail_errno(err, errno, "store '%s'", db->path);
	if (named.st_dev == db->device && named.st_ino == db->inode)
		return WH_OK;
	if (is_stepping(db))
		return wh_fail(err, WH_EBUSY,
			       "'%s' was rewritten while rows of it are being "
			       "listed",
			       db->path);
	return reopen(db, err);
}

void db_follow(struct db *db)
{
	/* The old file still is whole: what can't be followed is read on. */
	(void)check_same_file(db, NULL);
}

/* data_version is SQLite's, and counts for one connection. */
enum wh_status db_mark(struct db *db, int64_t *mark, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_DATA_VERSION, &stmt, err));
	WH_TRY(step_row(stmt, err));
	*mark = (int64_t)db->n_reopened << 32 |
		(uint32_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status db_lock(struct db *db, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(open_lock(db, err));
	while (flock(db->lock_fd, LOCK_EX))
		if (errno != EINTR)
			return wh_fail_errno(err, errno, "lock file '%s'",
					     db->lock_path);
	status = check_same_file(db, err);
	if (status)
		db_unlock(db);
	return status;
}

void db_unlock(struct db *db)
{
	if (db->lock_fd >= 0)
		flock(db->lock_fd, LOCK_UN);
}

void db_lock_shared(struct db *db)
{
	if (db->lock_fd < 0)
		db->lock_fd = open(db->lock_path, O_RDONLY | O_CLOEXEC);
	/* Without it a reader still is right; it only may have to wait by
	 * SQLite's own back-off. */
	if (db->lock_fd >= 0)
		flock(db->lock_fd, LOCK_SH);
}

/* ---- Bytes: leases --------------------------------------------------------
 */

static struct flock one_byte(int64_t byte)
{
	return (struct flock){.l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = byte,
			      .l_len = 1};
}

enum wh_status db_lock_byte(struct db *db, int64_t byte, int *out,
			    struct wh_error *err)
{
	struct flock lock = one_byte(byte);
	int fd = open_lock_file(db);

	if (fd < 0)
		return wh_fail_errno(err, errno, "lock file '%s'",
				     db->lock_path);
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		int error = errno;

		close(fd);
		return wh_fail_errno(err, error, "lock file '%s'",
				     db->lock_path);
	}
	*out = fd;
	return WH_OK;
}

/* Through a new descriptor: one's own locks are no hindrance to oneself. */
enum wh_status db_test_byte(struct db *db, int64_t byte, bool *locked,
			    struct wh_error *err)
{
	struct flock lock = one_byte(byte);
	int fd = open_lock_file(db);
	int failed, error;

	if (fd < 0)
		return wh_fail_errno(err, errno, "lock file '%s'",
				     db->lock_path);
	failed = fcntl(fd, F_OFD_GETLK, &lock);
	error = errno;
	close(fd);
	if (failed)
		return wh_fail_errno(err, error, "lock file '%s'",
				     db->lock_path);
	*locked = lock.l_type != F_UNLCK;
	return WH_OK;
}
