/* base/write.h: bytes into a file. */
#ifndef WH_BASE_WRITE_H
#define WH_BASE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All of them, at the descriptor's own place, as write_at. */
bool write_on(int fd, const void *bytes, size_t len);

/** All of them, at `offset`, however often the system takes a part of them or
 *  a signal comes. False: errno says why. */
bool write_at(int fd, uint64_t offset, const void *bytes, size_t len);

#endif
