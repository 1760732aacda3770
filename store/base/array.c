#include "base/array.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 2 /* most layers have no more variables */

enum wh_status array_grow(void *array, size_t n, size_t *room, size_t size,
			  struct wh_error *err)
{
	size_t wanted = *room ? 2 * *room : FIRST_ROOM;
	void *moved;

	if (n < *room)
		return WH_OK;
	/* Of whatever type the pointer is, it is only copied. */
	memcpy(&moved, array, sizeof(moved));
	moved = reallocarray(moved, wanted, size);
	if (!moved)
		return wh_fail_memory(err);
	memcpy(array, &moved, sizeof(moved));
	*room = wanted;
	return WH_OK;
}
