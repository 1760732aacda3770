/* A tree: LEVELS nodes down, each with a child for four bits of the id, to a
 * leaf of 512 bits. */
#include "base/bitmap.h"

#include "base/error.h"

#define LEVELS	   8
#define FANOUT	   16u
#define LEAF_WORDS 8u
#define LEAF_BITS  (64u * LEAF_WORDS)

/* Which child of a node that is `level` nodes above the leaves. */
static size_t child_of(uint64_t bit, int level)
{
	return bit / LEAF_BITS >> 4 * level & (FANOUT - 1);
}

bool bitmap_has(const struct bitmap *map, int64_t bit)
{
	uint64_t at = (uint64_t)bit;
	const void *node = map->root;
	int level = LEVELS;

	if (bit < 0 || bit > BITMAP_LAST)
		return false;
	while (node && level-- > 0)
		node = ((void *const *)node)[child_of(at, level)];
	return node &&
	       ((const uint64_t *)node)[at % LEAF_BITS / 64] >> at % 64 & 1;
}

enum wh_status bitmap_set(struct bitmap *map, int64_t bit, bool *was,
			  struct wh_error *err)
{
	uint64_t at = (uint64_t)bit, *word, mask = UINT64_C(1) << at % 64;
	void **slot = &map->root;
	int level;

	if (bit < 0 || bit > BITMAP_LAST)
		return wh_fail(err, WH_ECORRUPT, "no row can have the id %lld",
			       (long long)bit);
	for (level = LEVELS; level >= 0; level--) {
		if (!*slot)
			*slot = level ? arena_alloc(&map->arena, FANOUT,
						    sizeof(void *))
				      : arena_alloc(&map->arena, LEAF_WORDS,
						    sizeof(uint64_t));
		if (!*slot)
			return wh_fail_memory(err);
		if (level)
			slot = (void **)*slot + child_of(at, level - 1);
	}
	word = (uint64_t *)*slot + at % LEAF_BITS / 64;
	*was = *word & mask;
	*word |= mask;
	return WH_OK;
}

void bitmap_free(struct bitmap *map)
{
	arena_free(&map->arena);
	map->root = NULL;
}
