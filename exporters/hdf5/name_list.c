#include "hdf5/name_list.h"

#include <string.h>

#include <weighhouse/tensor.h>

/* A variable-length string is as large as the global heap collection that it
 * lies in, which is read whole. libhdf5 makes them of 4 KiB, or as large as
 * one string needs; many small references to a large one would else make it
 * allocate without bound. */
#define MAX_HEAP_TOTAL (UINT64_C(256) << 20)
#define MIN_HEAP_READ  8192u
#define MAX_HEAP_READ  (UINT64_C(1) << 20)

enum padding { TERMINATED = 0, ZEROS, BLANKS };

enum wh_status name_list_reserve(struct name_list *list, uint64_t extra,
				 struct arena *arena, struct wh_error *err)
{
	uint64_t wanted = list->n + extra;
	const char **grown;

	if (wanted > NAME_LIST_MAX)
		return wh_fail(err, WH_ECORRUPT, "more than %u names",
			       NAME_LIST_MAX);
	if (wanted <= list->capacity)
		return WH_OK;
	if (wanted < (uint64_t)list->capacity * 2)
		wanted = (uint64_t)list->capacity * 2;
	grown = arena_alloc(arena, (size_t)wanted, sizeof(*grown));
	if (!grown)
		return wh_fail_memory(err);
	if (list->n)
		memcpy(grown, list->names, list->n * sizeof(*grown));
	list->names = grown;
	list->capacity = (uint32_t)wanted;
	return WH_OK;
}

enum wh_status name_make(struct arena *arena, const char *attribute,
			 const char *bytes, size_t len, const char **name,
			 struct wh_error *err)
{
	if (len > WH_MAX_NAME)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "attribute '%s' has a name of %zu bytes; at "
			       "most %u are read",
			       attribute, len, WH_MAX_NAME);
	if (memchr(bytes, '\0', len))
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' has a name with a zero byte",
			       attribute);
	*name = arena_bytes(arena, bytes, len);
	return *name ? WH_OK : wh_fail_memory(err);
}

size_t string_trim(const char *bytes, size_t size, int padding)
{
	char pad = padding == BLANKS ? ' ' : '\0';

	if (padding == TERMINATED)
		return strnlen(bytes, size);
	while (size && bytes[size - 1] == pad)
		size--;
	return size;
}

uint64_t string_heap_limit(uint64_t n)
{
	uint64_t share = MAX_HEAP_TOTAL / n;

	if (share > MAX_HEAP_READ)
		return MAX_HEAP_READ;
	return share < MIN_HEAP_READ ? MIN_HEAP_READ : share;
}
