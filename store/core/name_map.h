/* core/name_map.h: from names to indexes, for finding and for duplicates. */
#ifndef WH_CORE_NAME_MAP_H
#define WH_CORE_NAME_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** Open addressing; names are borrowed. A zeroed one is empty and valid. */
struct name_map {
	struct name_slot {
		const char *name; /* NULL: free */
		uint32_t value, hash;
	} * slots;
	uint32_t n_slots, n_used;
};

void name_map_free(struct name_map *map);

/** Adds a name unless it is there; `*added` says which. */
enum wh_status name_map_add(struct name_map *map, const char *name,
			    uint32_t value, bool *added, struct wh_error *err);

/** The value of a name, or UINT32_MAX. */
uint32_t name_map_find(const struct name_map *map, const char *name);

#endif
