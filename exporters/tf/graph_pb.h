/* tf/graph_pb.h: the object graph as TensorFlow's protobuf, both ways. */
#ifndef WH_TF_GRAPH_PB_H
#define WH_TF_GRAPH_PB_H

#include "base/arena.h"
#include "base/buf.h"
#include <weighhouse/graph.h>

#define GRAPH_MAX ((uint64_t)256 << 20) /* bytes of one that is read */

/** Decodes a serialized TrackableObjectGraph; all of it in `arena`. Node ids
 *  are checked; cycles are legal. WH_ECORRUPT. */
enum wh_status graph_pb_read(const uint8_t *bytes, size_t len,
			     struct arena *arena, struct wh_graph **graph,
			     struct wh_error *err);

/** Encodes as TensorFlow does: fields ascending, zeros left out.
 *  WH_EUNSUPPORTED for what is too large, or has too long names, to be read. */
enum wh_status graph_pb_write(const struct wh_graph *graph, struct wh_buf *out,
			      struct wh_error *err);

#endif
