/* Early writeback: the kernel is asked to begin with what a long transaction
 * has appended, so that the disk works while the next chunks are made, and the
 * fsync of the COMMIT finds little left to do. Only a hint: nothing depends on
 * it.
 *
 * The descriptor is SQLite's own. A second one would have to be closed some
 * day, and closing any descriptor of a file drops all POSIX locks that the
 * process has on it. SQLite doesn't tell its descriptor, so it is looked up by
 * device and inode among those of the process.
 */
#include "db_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PIECE ((int64_t)16 << 20) /* bytes that are worth a call */

static bool is_ours(const struct db *db, int fd, struct stat *at)
{
	return fd >= 0 && fstat(fd, at) == 0 && at->st_dev == db->device &&
	       at->st_ino == db->inode &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static int find_descriptor(const struct db *db)
{
	DIR *list = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;
	struct stat at;

	if (!list)
		return -1;
	while (found < 0 && (entry = readdir(list))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && is_ours(db, fd, &at))
			found = fd;
	}
	closedir(list);
	return found;
}

void db_write_behind(struct db *db)
{
	struct stat at;

	if (!is_ours(db, db->data_fd, &at)) {
		db->data_fd = find_descriptor(db);
		if (!is_ours(db, db->data_fd, &at))
			return;
		db->behind = at.st_size;
	}
	if (at.st_size < db->behind)
		db->behind = at.st_size;
	if (at.st_size - db->behind < PIECE)
		return;
	sync_file_range(db->data_fd, db->behind, at.st_size - db->behind,
			SYNC_FILE_RANGE_WRITE);
	db->behind = at.st_size;
}
