#include "core/name_map.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

/* FNV-1a, 64 bits, offset basis and prime as published by its authors. */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return hash;
}

void name_map_free(struct name_map *map)
{
	free(map->slots);
	memset(map, 0, sizeof(*map));
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct name_slot *find_slot(const struct name_map *map, const char *name)
{
	uint32_t mask = map->n_slots - 1;
	uint32_t at = (uint32_t)hash_name(name) & mask;

	while (map->slots[at].name && strcmp(map->slots[at].name, name) != 0)
		at = (at + 1) & mask;
	return &map->slots[at];
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
			*find_slot(&bigger, map->slots[i].name) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return WH_OK;
}

enum wh_status name_map_add(struct name_map *map, const char *name,
			    uint32_t value, bool *added, struct wh_error *err)
{
	struct name_slot *slot;

	/* At most half full: probes stay short. */
	if (map->n_used >= map->n_slots / 2)
		WH_TRY(grow(map, err));
	slot = find_slot(map, name);
	*added = !slot->name;
	if (*added) {
		slot->name = name;
		slot->value = value;
		map->n_used++;
	}
	return WH_OK;
}

uint32_t name_map_find(const struct name_map *map, const char *name)
{
	const struct name_slot *slot;

	if (!map->n_slots)
		return UINT32_MAX;
	slot = find_slot(map, name);
	return slot->name ? slot->value : UINT32_MAX;
}
