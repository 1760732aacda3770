/* The turn lock: writers take turns, so that nobody meets SQLite's back-off.
 *
 * flock on STORE-lock, a file of its own: closing any descriptor of the
 * database itself would drop SQLite's POSIX locks. It is made at the first
 * write and never deleted. Whoever gets the lock checks that the path still
 * names the file that it has open: a compacted store is a new file.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum wh_status open_lock(struct db *db, struct wh_error *err)
{
	if (db->lock_fd >= 0)
		return WH_OK;
	db->lock_fd = open(db->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (db->lock_fd < 0)
		return wh_fail_errno(err, errno, "lock file '%s'",
				     db->lock_path);
	return WH_OK;
}

static enum wh_status check_same_file(struct db *db, struct wh_error *err)
{
	struct stat named;

	if (stat(db->path, &named) == 0 && named.st_dev == db->device &&
	    named.st_ino == db->inode)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "'%s' was replaced while it was open; try again",
		       db->path);
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
