/* core/host_array.h: arrays in a program's memory, read or written: in the
 * machine's byte order, with the strides that the program gives. */
#ifndef WH_CORE_HOST_ARRAY_H
#define WH_CORE_HOST_ARRAY_H

#include <weighhouse/source.h>

/** The bytes that have to be reversed to make an element of payload order of
 *  one in memory: of a complex number each half. 1: none. */
unsigned host_swap_width(enum wh_dtype dtype);

/** Where element `ordinal` (C order) lies: bytes from the array's origin.
 *  `strides`: bytes, one a dimension, which may be negative or 0. */
int64_t host_offset(const struct wh_tensor *tensor, const int64_t *strides,
		    uint64_t ordinal);

#endif
