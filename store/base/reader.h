/* base/reader.h: a regular file that an importer reads from, by pread. */
#ifndef WH_BASE_READER_H
#define WH_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/ahead.h"
#include "base/error.h"

/** Whether both are of one file that nobody has written to in between, by its
 *  inode, size and times. */
bool stat_is_same(const struct stat *a, const struct stat *b);

/** Bytes from `offset` on, however often the system gives a part of them or a
 *  signal comes: so many as there are up to `len`; -1: errno says why not. */
ssize_t read_at(int fd, uint64_t offset, void *buf, size_t len);

struct file_reader {
	int fd;
	uint64_t size;
	struct stat opened; /* the file as it was */
	char *path;	    /* owned */
};

/** Opens without blocking on a FIFO. WH_ENOTFOUND, WH_EIO; WH_EINVAL if it is
 *  no regular file. */
enum wh_status reader_open(struct file_reader *reader, const char *path,
			   struct wh_error *err);
/** Of one that was opened, or zeroed with fd -1. */
void reader_close(struct file_reader *reader);

/** All `len` bytes from `offset`; WH_EIO, WH_ECORRUPT if the file has become
 *  shorter. Safe from several threads. */
enum wh_status reader_read(const struct file_reader *reader, uint64_t offset,
			   void *buf, size_t len, struct wh_error *err);

/** The same of payloads, which may be small and lie side by side. */
enum wh_status reader_read_ahead(const struct file_reader *reader,
				 struct read_ahead *ahead, uint64_t offset,
				 void *buf, size_t len, struct wh_error *err);

/** WH_EMISMATCH if it isn't the file that was opened any more. */
enum wh_status reader_unchanged(const struct file_reader *reader,
				struct wh_error *err);

#endif
