#include "base/write.h"

#include <errno.h>
#include <unistd.h>

bool write_at(int fd, uint64_t offset, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len) {
		ssize_t put = pwrite(fd, from, len, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = ENOSPC;
		if (put <= 0)
			return false;
		from += put;
		offset += (uint64_t)put;
		len -= (size_t)put;
	}
	return true;
}

bool write_on(int fd, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len) {
		ssize_t put = write(fd, from, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = ENOSPC;
		if (put <= 0)
			return false;
		from += put;
		len -= (size_t)put;
	}
	return true;
}
