#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "engine.h"

#define MARK ".wh-" /* between a temporary's name and its process */

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

/* ".NAME.wh-PID-N" with that NAME and a PID that is gone. */
static bool is_stale(const char *entry, const char *name)
{
	size_t len = strlen(name);
	char *end;
	long pid;

	if (entry[0] != '.' || strncmp(entry + 1, name, len) != 0 ||
	    strncmp(entry + 1 + len, MARK, strlen(MARK)) != 0)
		return false;
	errno = 0;
	pid = strtol(entry + 1 + len + strlen(MARK), &end, 10);
	if (errno || pid <= 0 || *end != '-')
		return false;
	return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void remove_stale(const char *path)
{
	char *folder wh_free_auto = folder_of(path);
	const char *slash = strrchr(path, '/');
	DIR *listing = folder ? opendir(folder) : NULL;
	struct dirent *at;

	while (listing && (at = readdir(listing)))
		if (is_stale(at->d_name, slash ? slash + 1 : path))
			unlinkat(dirfd(listing), at->d_name, 0);
	if (listing)
		closedir(listing);
}
