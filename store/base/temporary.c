#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"

#define MARK	     ".wh-" /* between a temporary's name and its process */
#define MAX_ATTEMPTS 1000u  /* at a name that nobody has taken */

static char *name_of(const char *path, unsigned number)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path + 1) : 0;
	struct wh_buf buf wh_buf_auto = {0};
	char *name;

	if (wh_buf_printf(&buf, NULL, "%.*s.%s" MARK "%ld-%u", folder, path,
			  path + folder, (long)getpid(), number) ||
	    wh_buf_take_text(&buf, &name, NULL))
		return NULL;
	return name;
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

void temporary_remove_stale(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder wh_free_auto =
		slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	DIR *listing = folder ? opendir(folder) : NULL;
	struct dirent *at;

	while (listing && (at = readdir(listing)))
		if (is_stale(at->d_name, slash ? slash + 1 : path))
			unlinkat(dirfd(listing), at->d_name, 0);
	if (listing)
		closedir(listing);
}

int temporary_open(const char *path, char **name)
{
	unsigned number;
	int fd, code = EEXIST;

	temporary_remove_stale(path);
	for (number = 0; number < MAX_ATTEMPTS && code == EEXIST; number++) {
		*name = name_of(path, number);
		if (!*name)
			return -1;
		fd = open(*name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		code = errno;
		free(*name);
		*name = NULL;
	}
	errno = code;
	return -1;
}
