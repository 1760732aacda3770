#include "core/order.h"

#include <stdlib.h>

#include "base/auto.h"
#include "core/name_map.h"

static uint32_t place_by_graph(const struct name_map *map,
			       const struct wh_graph *graph, uint8_t *placed,
			       uint32_t *order)
{
	uint32_t i, k, n = 0;

	for (i = 0; i < graph->n_nodes; i++)
		for (k = 0; k < graph->nodes[i].n_attributes; k++) {
			const char *key =
				graph->nodes[i].attributes[k].checkpoint_key;
			uint32_t found = name_map_find(map, key);

			if (found == UINT32_MAX || placed[found])
				continue;
			placed[found] = 1;
			order[n++] = found;
		}
	return n;
}

enum wh_status order_keys(const char *const *keys, uint32_t n,
			  const struct wh_graph *graph, uint32_t *order,
			  struct wh_error *err)
{
	uint8_t *placed wh_free_auto = calloc((size_t)n + 1, 1);
	enum wh_status status = WH_OK;
	struct name_map map = {0};
	uint32_t i, done = 0;
	bool added;

	if (!placed)
		return wh_fail_memory(err);
	for (i = 0; graph && i < n && !status; i++)
		status = name_map_add(&map, keys[i], i, &added, err);
	if (graph && !status)
		done = place_by_graph(&map, graph, placed, order);
	for (i = 0; i < n; i++)
		if (!placed[i])
			order[done++] = i;
	name_map_free(&map);
	return status;
}

enum wh_status manifest_rank(const struct wh_manifest *manifest, uint32_t *rank,
			     struct wh_error *err)
{
	size_t room = (size_t)manifest->n_tensors + 1;
	const char **keys wh_free_auto = calloc(room, sizeof(*keys));
	uint32_t *tensors wh_free_auto = calloc(room, sizeof(*tensors));
	uint32_t *order wh_free_auto = calloc(room, sizeof(*order));
	uint32_t i, k, n = 0;

	if (!keys || !tensors || !order)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_layers; i++)
		for (k = 0; k < manifest->layers[i].n_variables; k++) {
			tensors[n] = manifest->layers[i].variables[k].tensor;
			keys[n] = manifest->tensors[tensors[n]].key;
			n++;
		}
	WH_TRY(order_keys(keys, n, manifest->graph, order, err));
	for (i = 0; i < n; i++)
		rank[tensors[order[i]]] = i;
	return WH_OK;
}
