#include "base/ahead.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW ((size_t)64 << 10) /* stays in a core's cache */
#define SMALL  ((size_t)16 << 10)
#define NEAR   4096u /* bytes that may lie between: those are read in vain */

void ahead_free(struct read_ahead *ahead)
{
	free(ahead->bytes);
	*ahead = (struct read_ahead){0};
}

static bool has_range(const struct read_ahead *ahead, int fd, size_t len,
		      uint64_t offset)
{
	return fd == ahead->fd && offset >= ahead->offset &&
	       offset - ahead->offset <= ahead->len &&
	       len <= ahead->len - (offset - ahead->offset);
}

static void fill(struct read_ahead *ahead, int fd, uint64_t offset)
{
	ssize_t got;

	ahead->len = 0;
	if (!ahead->bytes)
		ahead->bytes = malloc(WINDOW);
	if (!ahead->bytes)
		return;
	got = pread(fd, ahead->bytes, WINDOW, (off_t)offset);
	ahead->offset = offset;
	ahead->len = got > 0 ? (size_t)got : 0;
}

/* False: it isn't there, nor is what follows worth reading. */
static bool take(struct read_ahead *ahead, int fd, void *buf, size_t len,
		 uint64_t offset)
{
	bool near = fd == ahead->fd && offset >= ahead->next &&
		    offset - ahead->next <= NEAR;

	if (near && !has_range(ahead, fd, len, offset))
		fill(ahead, fd, offset);
	if (fd != ahead->fd)
		ahead->len = 0;
	ahead->fd = fd;
	ahead->next = offset + len;
	if (!has_range(ahead, fd, len, offset))
		return false;
	memcpy(buf, ahead->bytes + (offset - ahead->offset), len);
	return true;
}

ssize_t ahead_pread(struct read_ahead *ahead, int fd, void *buf, size_t len,
		    uint64_t offset)
{
	bool taken;

	if (ahead && len && len <= SMALL &&
	    !atomic_exchange(&ahead->busy, true)) {
		taken = take(ahead, fd, buf, len, offset);
		atomic_store(&ahead->busy, false);
		if (taken)
			return (ssize_t)len;
	}
	return pread(fd, buf, len, (off_t)offset);
}

ssize_t ahead_read(struct read_ahead *ahead, int fd, uint64_t offset, void *buf,
		   size_t len)
{
	uint8_t *out = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t got = ahead_pread(ahead, fd, out + done, len - done,
					  offset + done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}
