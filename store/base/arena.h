/* base/arena.h: memory that dies together, one arena a source. */
#ifndef WH_BASE_ARENA_H
#define WH_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct arena_block;

/** A zeroed one is empty and valid. */
struct arena {
	struct arena_block *blocks;
	bool failed; /* memory ran out for some of it */
};

void arena_free(struct arena *arena);

/** Zeroed memory for `n` elements of `size` bytes, aligned for any type;
 *  NULL if there is none left or the product overflows. n = 0 gives a valid
 *  pointer. */
void *arena_alloc(struct arena *arena, size_t n, size_t size);

/** array_grow in an arena. What was not yet filled is zero. */
bool arena_grow(struct arena *arena, void *array, size_t n, size_t *room,
		size_t size);

/** A copy of `len` bytes with a NUL behind them. */
char *arena_bytes(struct arena *arena, const void *bytes, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
	WH_PRINTF(2, 3);

#endif
