/* tf/bundle.h: what an index's entries mean.
 *
 * Messages of tensorflow/core/protobuf/tensor_bundle.proto, decoded by hand:
 * a bundle has an entry for each of up to a million tensors.
 */
#ifndef WH_TF_BUNDLE_H
#define WH_TF_BUNDLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "tf/wire.h"
#include <weighhouse/tensor.h>

#define GRAPH_KEY   "_CHECKPOINTABLE_OBJECT_GRAPH"
#define MAX_SHARDS  100000u
#define MAX_SLICES  4096u /* of one tensor */
#define SLICE_WHOLE (-1)  /* length of a dimension that isn't cut */

struct bundle_header {
	uint32_t n_shards;
	bool big_endian;
};

/** A dimension of a slice. */
struct bundle_extent {
	int64_t start, length; /* length SLICE_WHOLE: all of it */
};

struct bundle_slice {
	uint32_t rank;
	struct bundle_extent *extents;
};

struct bundle_entry {
	enum wh_dtype dtype;
	uint32_t rank;
	const uint64_t *shape;
	uint32_t shard;
	uint64_t offset, size;
	uint32_t crc32c; /* masked, as it is stored */
	struct bundle_slice *slices;
	uint32_t n_slices;
};

/** Checks what TensorFlow checks: versions, shards. */
enum wh_status bundle_read_header(const uint8_t *bytes, size_t len,
				  struct bundle_header *header,
				  struct wh_error *err);
enum wh_status bundle_write_header(struct wh_buf *out, uint32_t n_shards,
				   struct wh_error *err);

/** `key` is for messages; shape and slices are allocated in `arena`. */
enum wh_status bundle_read_entry(const char *key, const uint8_t *bytes,
				 size_t len, struct arena *arena,
				 struct bundle_entry *entry,
				 struct wh_error *err);
enum wh_status bundle_write_entry(struct wh_buf *out,
				  const struct bundle_entry *entry,
				  struct wh_error *err);

/** Messages that both versions of the form have: VersionDef, as TensorFlow
 *  checks it; TensorShapeProto, into rank and shape; TensorSliceProto, into a
 *  zeroed slice. What has no fixed size is allocated in `arena`: false also
 *  where that has failed. */
enum wh_status bundle_check_version(struct cursor message,
				    struct wh_error *err);
bool bundle_read_shape(struct cursor message, struct arena *arena,
		       struct bundle_entry *entry);
bool bundle_read_slice(struct cursor message, struct arena *arena,
		       struct bundle_slice *slice);

/** The key of a slice of tensor `name`: ordered code of 0, the name, the rank
 *  and each dimension's start and length (saved_tensor_slice_util.cc). */
enum wh_status bundle_slice_key(struct wh_buf *out, const char *name,
				const struct bundle_slice *slice,
				struct wh_error *err);

#endif
