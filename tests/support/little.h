/* support/little.h: values of this machine as payloads hold them. */
#ifndef WH_SUPPORT_LITTLE_H
#define WH_SUPPORT_LITTLE_H

#include "base/endian.h"

/** Makes elements of `width` bytes little-endian, or back. */
static inline void make_little(void *values, size_t nbytes, unsigned width)
{
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		swap_elements(values, nbytes, width);
}

#endif
