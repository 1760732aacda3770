#include "base/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum wh_status reader_open(struct file_reader *reader, const char *path,
			   struct wh_error *err)
{
	struct file_reader made = {.fd = -1};
	enum wh_status status = WH_OK;

	made.path = strdup(path);
	if (!made.path)
		return wh_fail_memory(err);
	made.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (made.fd < 0 || fstat(made.fd, &made.opened) < 0)
		status = wh_fail_errno(err, errno, "can't open '%s'", path);
	else if (!S_ISREG(made.opened.st_mode))
		status = wh_fail(err, WH_EINVAL, "'%s' is not a regular file",
				 path);
	if (status) {
		reader_close(&made);
		return status;
	}
	made.size = (uint64_t)made.opened.st_size;
	*reader = made;
	return WH_OK;
}

void reader_close(struct file_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->path);
	reader->fd = -1;
	reader->path = NULL;
}

ssize_t read_at(int fd, uint64_t offset, void *buf, size_t len)
{
	return ahead_read(NULL, fd, offset, buf, len);
}

enum wh_status reader_read(const struct file_reader *reader, uint64_t offset,
			   void *buf, size_t len, struct wh_error *err)
{
	return reader_read_ahead(reader, NULL, offset, buf, len, err);
}

enum wh_status reader_read_ahead(const struct file_reader *reader,
				 struct read_ahead *ahead, uint64_t offset,
				 void *buf, size_t len, struct wh_error *err)
{
	ssize_t got = ahead_read(ahead, reader->fd, offset, buf, len);

	if (got < 0)
		return wh_fail_errno(err, errno, "can't read '%s'",
				     reader->path);
	if ((size_t)got < len)
		return wh_fail(err, WH_ECORRUPT, "'%s' has become shorter",
			       reader->path);
	return WH_OK;
}

bool stat_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

enum wh_status reader_unchanged(const struct file_reader *reader,
				struct wh_error *err)
{
	struct stat now;

	if (fstat(reader->fd, &now) < 0)
		return wh_fail_errno(err, errno, "'%s'", reader->path);
	if (!stat_is_same(&now, &reader->opened))
		return wh_fail(err, WH_EMISMATCH,
			       "'%s' has changed since it was opened",
			       reader->path);
	return WH_OK;
}
