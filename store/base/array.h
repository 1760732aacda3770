/* base/array.h: arrays in memory of their own that grow by doubling. */
#ifndef WH_BASE_ARRAY_H
#define WH_BASE_ARRAY_H

#include <stddef.h>

#include "base/error.h"

/** Room for one more than `n` elements of `size` bytes. `array` is where the
 *  pointer to them lies: it and `*room` begin as NULL and 0, and are left as
 *  they are where memory runs out. The caller frees the array. */
enum wh_status array_grow(void *array, size_t n, size_t *room, size_t size,
			  struct wh_error *err);

#endif
