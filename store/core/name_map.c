#include "core/name_map.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

/* Eight bytes a step, multiplied as by FNV; the upper half of a product is the
 * better one. */
static uint32_t hash_name(const char *name)
{
	const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / phi */
	size_t len = strlen(name);
	uint64_t hash = len, word;

	for (; len > sizeof(word); len -= sizeof(word), name += sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = (hash ^ word) * prime;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, name, len);
	hash = (hash ^ word) * prime;
	return (uint32_t)(hash >> 32);
}

void name_map_free(struct name_map *map)
{
	free(map->slots);
	memset(map, 0, sizeof(*map));
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct name_slot *find_slot(const struct name_map *map, const char *name,
				   uint32_t hash)
{
	uint32_t mask = map->n_slots - 1, at = hash & mask;

	while (map->slots[at].name && (map->slots[at].hash != hash ||
				       strcmp(map->slots[at].name, name) != 0))
		at = (at + 1) & mask;
	return &map->slots[at];
}

/* All names of a map differ. */
static void move_slot(struct name_map *map, const struct name_slot *slot)
{
	uint32_t mask = map->n_slots - 1, at = slot->hash & mask;

	while (map->slots[at].name)
		at = (at + 1) & mask;
	map->slots[at] = *slot;
}

static enum wh_status grow(struct name_map *map, struct wh_error *err)
{
	struct name_map bigger = {.n_used = map->n_used};
	uint32_t i;

	bigger.n_slots = map->n_slots ? map->n_slots * 2 : FIRST_SIZE;
	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return wh_fail_memory(err);
	for (i = 0; i < map->n_slots; i++)
		if (map->slots[i].name)
			move_slot(&bigger, &map->slots[i]);
	free(map->slots);
	*map = bigger;
	return WH_OK;
}

enum wh_status name_map_add(struct name_map *map, const char *name,
			    uint32_t value, bool *added, struct wh_error *err)
{
	uint32_t hash = hash_name(name);
	struct name_slot *slot;

	/* At most half full: probes stay short. */
	if (map->n_used >= map->n_slots / 2)
		WH_TRY(grow(map, err));
	slot = find_slot(map, name, hash);
	*added = !slot->name;
	if (*added) {
		*slot = (struct name_slot){name, value, hash};
		map->n_used++;
	}
	return WH_OK;
}

uint32_t name_map_find(const struct name_map *map, const char *name)
{
	const struct name_slot *slot;

	if (!map->n_slots)
		return UINT32_MAX;
	slot = find_slot(map, name, hash_name(name));
	return slot->name ? slot->value : UINT32_MAX;
}
