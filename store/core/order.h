/* core/order.h: the order in which a model's tensors stand. */
#ifndef WH_CORE_ORDER_H
#define WH_CORE_ORDER_H

#include "base/error.h"
#include <weighhouse/source.h>

/** With a graph, tensors stand in the order of its nodes' values, those that
 *  it doesn't name behind them; without one, as they are given. `keys` are in
 *  the order of the layers; order[i] receives which of them comes i-th. */
enum wh_status order_keys(const char *const *keys, uint32_t n,
			  const struct wh_graph *graph, uint32_t *order,
			  struct wh_error *err);

/** rank[i]: the place of the manifest's tensor i in that order. */
enum wh_status manifest_rank(const struct wh_manifest *manifest, uint32_t *rank,
			     struct wh_error *err);

#endif
