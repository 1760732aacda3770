#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/crc.h"
#include "base/reader.h"

#define MARK	     ".wh-" /* between a temporary's name and its process */
#define MAX_ATTEMPTS 1000u  /* at a name that nobody has taken */
#define ABANDONED_S  86400  /* unchanged for so long, nobody writes it */

/* Another machine's processes, those of before a start and those of other
 * containers have numbers that mean nothing here. */
uint32_t temporary_host(void)
{
	int fd wh_close_auto =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char boot[64];
	ssize_t len = fd < 0 ? -1 : read_at(fd, 0, boot, sizeof(boot));
	struct stat space;
	uint64_t inode;

	if (len <= 0 || stat("/proc/self/ns/pid", &space))
		return 0;
	inode = space.st_ino;
	return crc32c_update(crc32c_update(0, boot, (size_t)len), &inode,
			     sizeof(inode));
}

static char *name_of(const char *path, uint32_t host, unsigned number)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path + 1) : 0;
	struct wh_buf buf wh_buf_auto = {0};
	char *name;

	if (wh_buf_printf(&buf, NULL, "%.*s.%s" MARK "h%08x-%ld-%u", folder,
			  path, path + folder, host, (long)getpid(), number) ||
	    wh_buf_take_text(&buf, &name, NULL))
		return NULL;
	return name;
}

/* "hHOST-PID-"; older versions wrote no host, which 0 stands for. */
static bool read_process(const char *text, uint32_t *host, long *pid)
{
	char *end;

	*host = 0;
	errno = 0;
	if (*text == 'h') {
		*host = (uint32_t)strtoul(text + 1, &end, 16);
		if (*end != '-')
			return false;
		text = end + 1;
	}
	*pid = strtol(text, &end, 10);
	return !errno && *pid > 0 && *end == '-';
}

static bool is_old(int folder, const char *entry)
{
	struct stat at;

	return fstatat(folder, entry, &at, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - at.st_mtime > ABANDONED_S;
}

/* ".NAME.wh-…" with that NAME and a process that is gone; where that can't be
 * known, a file that nobody has written to for long. */
static bool is_stale(int folder, const char *entry, const char *name,
		     uint32_t here)
{
	size_t len = strlen(name);
	uint32_t host;
	long pid;

	if (entry[0] != '.' || strncmp(entry + 1, name, len) != 0 ||
	    strncmp(entry + 1 + len, MARK, strlen(MARK)) != 0 ||
	    !read_process(entry + 1 + len + strlen(MARK), &host, &pid))
		return false;
	if (host == 0 || host != here)
		return is_old(folder, entry);
	return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void remove_stale(const char *path, uint32_t here)
{
	const char *slash = strrchr(path, '/');
	char *folder wh_free_auto =
		slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	DIR *listing = folder ? opendir(folder) : NULL;
	struct dirent *at;

	while (listing && (at = readdir(listing)))
		if (is_stale(dirfd(listing), at->d_name,
			     slash ? slash + 1 : path, here))
			unlinkat(dirfd(listing), at->d_name, 0);
	if (listing)
		closedir(listing);
}

int temporary_open(const char *path, char **name)
{
	uint32_t here = temporary_host();
	unsigned number;
	int fd, code = EEXIST;

	remove_stale(path, here);
	for (number = 0; number < MAX_ATTEMPTS && code == EEXIST; number++) {
		*name = name_of(path, here, number);
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
