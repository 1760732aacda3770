/* base/ahead.h: small reads that follow each other in a file, done together.
 *
 * Of a model of thousands of small tensors each is read by itself, and a system
 * call takes as long as to hash what it brings.
 */
#ifndef WH_BASE_AHEAD_H
#define WH_BASE_AHEAD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/** What was read last, of any of a source's files. A zeroed one is empty and
 *  valid. */
struct read_ahead {
	atomic_bool busy; /* another thread uses it: nobody waits for it */
	int fd;
	uint64_t next; /* behind the last small read */
	uint8_t *bytes;
	uint64_t offset; /* of `bytes` */
	size_t len;
};

void ahead_free(struct read_ahead *ahead);

/** As pread, but what lies close behind what was read before is taken from
 *  bytes that were read with it. `ahead` may be NULL. Safe from several
 *  threads. */
ssize_t ahead_pread(struct read_ahead *ahead, int fd, void *buf, size_t len,
		    uint64_t offset);

/** The same however often the system gives a part of the bytes or a signal
 *  comes: so many as there are up to `len`; -1: errno says why not. */
ssize_t ahead_read(struct read_ahead *ahead, int fd, uint64_t offset, void *buf,
		   size_t len);

#endif
