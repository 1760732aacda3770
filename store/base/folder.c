#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/")
			     : strndup(path, (size_t)(slash - path));
}

static enum wh_status sync_named(const char *folder, struct wh_error *err)
{
	int fd wh_close_auto = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return wh_fail_errno(err, errno, "folder '%s'", folder);
	/* Some file systems can't sync folders, and need not. */
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		return wh_fail_errno(err, errno, "folder '%s'", folder);
	return WH_OK;
}

enum wh_status sync_folder(const char *path, struct wh_error *err)
{
	char *folder wh_free_auto = folder_of(path);

	if (!folder)
		return wh_fail_memory(err);
	return sync_named(folder, err);
}

static enum wh_status make_one(const char *folder, struct wh_error *err)
{
	if (mkdir(folder, 0777)) {
		if (errno == EEXIST)
			return WH_OK;
		return wh_fail_errno(err, errno, "folder '%s'", folder);
	}
	return sync_folder(folder, err);
}

enum wh_status make_folders(const char *path, struct wh_error *err)
{
	char *folder wh_free_auto = folder_of(path);
	char *at;

	if (!folder)
		return wh_fail_memory(err);
	for (at = folder + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		WH_TRY(make_one(folder, err));
		*at = '/';
	}
	return strcmp(folder, "/") == 0 ? WH_OK : make_one(folder, err);
}
