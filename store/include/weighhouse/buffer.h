/* buffer.h: a growing run of bytes, as plans and plug-ins use it. */
#ifndef WEIGHHOUSE_BUFFER_H
#define WEIGHHOUSE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/** A zeroed one is empty. `data` is malloc'd and belongs to the struct. */
struct wh_buf {
	uint8_t *data;
	size_t size, capacity; /* bytes used, bytes allocated */
};

#endif
