/* base/arena.h: memory that dies together, one arena a source. */
#ifndef WH_BASE_ARENA_H
#define WH_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct arena_block;
struct arena_adopted;

/** A zeroed one is empty and valid. */
struct arena {
	struct arena_block *blocks;
	struct arena_adopted *adopted;
	bool failed; /* memory ran out for some of it */
};

void arena_free(struct arena *arena);

/** Zeroed memory for `n` elements of `size` bytes, aligned for any type;
 *  NULL if there is none left or the product overflows. n = 0 gives a valid
 *  pointer. */
void *arena_alloc(struct arena *arena, size_t n, size_t size);

/** Memory of malloc's, or NULL, that is freed with the arena; false, and not
 *  adopted, if there is none left to note it. */
bool arena_adopt(struct arena *arena, void *memory);

/** array_grow in an arena. What was not yet filled is zero. */
bool arena_grow(struct arena *arena, void *array, size_t n, size_t *room,
		size_t size);

/** A copy of `len` bytes with a NUL behind them. */
char *arena_bytes(struct arena *arena, const void *bytes, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
/** "a" then "b" then "c": for what is written by the thousand, where printf is
 *  most of the cost. */
char *arena_join(struct arena *arena, const char *a, const char *b,
		 const char *c);
char *arena_printf(struct arena *arena, const char *format, ...)
	WH_PRINTF(2, 3);

#endif
