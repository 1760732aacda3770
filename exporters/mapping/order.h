/* mapping/order.h: the order of one layer's weights in a legacy HDF5 file. */
#ifndef WH_MAPPING_ORDER_H
#define WH_MAPPING_ORDER_H

#include "mapping/paths.h"

/** What the object paths of a layer say of its order. */
enum order_kind {
	ORDER_KNOWN = 0, /* by the class tables */
	ORDER_GRAPH,	 /* in no table: the graph's own order */
	ORDER_NESTED,	 /* depends on what is trained: a nested model */
	ORDER_CELLS,	 /* the same: an RNN of several cells */
};

/** Sorts `order` (n places, each an index into `paths`) by the class tables
 *  of FORMAT.md; leaves it alone for ORDER_GRAPH. ORDER_NESTED and
 *  ORDER_CELLS: sorted as if nothing were frozen and nothing a statistic. */
enum order_kind order_sort(const char *const *paths, uint32_t *order,
			   uint32_t n);

#endif
