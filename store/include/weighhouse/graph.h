/* graph.h: TensorFlow's object graph: trackables joined by attribute names.
 *
 * A struct for each message of tensorflow/core/protobuf/
 * trackable_object_graph.proto, with its fields in its order, so that a graph
 * that was read can be written again unchanged.
 */
#ifndef WEIGHHOUSE_GRAPH_H
#define WEIGHHOUSE_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** ObjectReference: a named edge to a child. */
struct wh_graph_edge {
	uint32_t node;
	const char *name; /* local_name: "kernel", "layer_with_weights-0" */
};

/** SerializedTensor: a value of the node, and the key it is stored under. */
struct wh_graph_attribute {
	const char *name; /* "VARIABLE_VALUE" */
	const char *full_name;
	const char *checkpoint_key; /* not always a tensor's key: FORMAT.md */
	bool optional_restore;
};

/** SlotVariableReference: an optimizer's state for one variable. */
struct wh_graph_slot {
	uint32_t original; /* node of the variable */
	uint32_t slot;	   /* node of its state */
	const char *name;  /* "m", "momentum" */
};

enum wh_graph_has_values {
	WH_HAS_VALUES_ABSENT = 0, /* written before TF 2.9 */
	WH_HAS_VALUES_NO,
	WH_HAS_VALUES_YES,
};

struct wh_graph_node {
	struct wh_graph_edge *edges;
	uint32_t n_edges;
	struct wh_graph_attribute *attributes;
	uint32_t n_attributes;
	struct wh_graph_slot *slots;
	uint32_t n_slots;
	const char *saver_name; /* registered_saver, or NULL */
	const char *saver_object;
	enum wh_graph_has_values has_values;
};

/** Node 0 is the root. May hold cycles: the root's own `root` edge is one. */
struct wh_graph {
	struct wh_graph_node *nodes;
	uint32_t n_nodes;
};

#ifdef __cplusplus
}
#endif
#endif
