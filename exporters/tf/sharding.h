/* tf/sharding.h: which shard each tensor, or part of one, goes into. */
#ifndef WH_TF_SHARDING_H
#define WH_TF_SHARDING_H

#include "base/arena.h"
#include "base/error.h"
#include <weighhouse/format.h>

struct shardable {
	uint64_t nbytes; /* that count: none of the object graph's */
	size_t width;	 /* bytes of an element, where it may be sliced; or 0 */
	uint32_t rank;
	const uint64_t *shape;
};

struct shard_piece {
	uint32_t item, shard;
	uint32_t order; /* of making: the sort is to be stable */
	/* Of a part; NULL: all of the item. */
	const uint64_t *start, *length;
};

struct sharding {
	struct shard_piece *pieces; /* by shard, else in the items' order */
	uint32_t n_pieces, n_shards;
	size_t capacity;
};

/** Assigns `n` items, in order, to shards of at most `limit` bytes (0: one
 *  shard). WH_SHARD_WHOLE keeps tensors whole. WH_SHARD_TENSORFLOW has the
 *  outcome of MaxShardSizePolicy. Pieces are malloc'd: free(pieces), also when
 *  it fails. WH_EINVAL for more shards or slices than are read. */
enum wh_status sharding_assign(struct sharding *sharding,
			       enum wh_shard_policy policy, uint64_t limit,
			       const struct shardable *items, uint32_t n,
			       struct arena *arena, struct wh_error *err);

/** Whether TensorFlow can put slices of that dtype together again: its
 *  BundleReader copies only these. */
bool dtype_may_be_sliced(enum wh_dtype dtype);

#endif
