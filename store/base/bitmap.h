/* base/bitmap.h: a bit for each of the ids that rows have. */
#ifndef WH_BASE_BITMAP_H
#define WH_BASE_BITMAP_H

#include <stdint.h>

#include "base/arena.h"

/** No id is above: storages have the largest, and their chunks' are 2^24
 *  times as large. */
#define BITMAP_LAST ((int64_t)1 << 40)

/** A zeroed one is empty and valid. It takes memory for what is in it, a KiB
 *  at most for each id, however large the ids of a file are. */
struct bitmap {
	struct arena arena;
	void *root;
};

/** `*was`: whether it was set before. WH_ECORRUPT for what is no id. */
enum wh_status bitmap_set(struct bitmap *map, int64_t bit, bool *was,
			  struct wh_error *err);
bool bitmap_has(const struct bitmap *map, int64_t bit);
void bitmap_free(struct bitmap *map);

#endif
