/* tf/layout.h: a checkpoint being laid out, from one part of the planner to
 * the next: plan_graph.c (what goes in, and in which order), plan.c (the
 * shards' bytes), plan_index.c (the table of them). */
#ifndef WH_TF_LAYOUT_H
#define WH_TF_LAYOUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "mapping/mapping.h"
#include "tf/bundle.h"
#include <weighhouse/format.h>

#define NO_TENSOR   UINT32_MAX
#define COUNTER_KEY "save_counter/.ATTRIBUTES/VARIABLE_VALUE"

/* What goes into the data files, in order. */
struct item {
	const char *key;
	uint32_t tensor;	    /* NO_TENSOR: literal bytes */
	const struct wh_buf *bytes; /* of a literal */
	struct bundle_entry entry;
	const uint64_t *start, *length; /* of a slice; else NULL */
};

struct layout {
	struct wh_source *source;
	const struct wh_plan_options *options;
	struct wh_plan *plan;
	struct arena arena;
	struct mapping_graph mapping;
	bool has_graph;
	struct item *items;
	uint32_t n_items;
	uint8_t *placed;	      /* a tensor is an item already */
	struct bundle_entry **wholes; /* of sliced tensors */
	struct wh_buf graph_bytes;
	struct wh_buf counter_bytes; /* empty: no counter of our own */
	bool counter_placed;	     /* it is an item already */
	uint32_t graph_crc;
};

/** The graph that is written, and with it each tensor's key. */
enum wh_status layout_choose_graph(struct layout *layout, struct wh_error *err);

/** Gives the root the counter of saves that the options ask for: where
 *  TensorFlow numbers it, or at the place of the one that is there. */
enum wh_status layout_count_save(struct layout *layout, struct wh_error *err);

/** The items in the order of the data: tensors by the graph's nodes. */
enum wh_status layout_order_items(struct layout *layout, struct wh_error *err);

/** Behind them what the planner makes itself: a counter, the graph. */
enum wh_status layout_add_literals(struct layout *layout, struct wh_error *err);

/** The index of the items, which have their places, as the last image. */
enum wh_status layout_add_index(struct layout *layout, uint32_t n_shards,
				struct wh_error *err);

#endif
