/* MaxShardSizePolicy's outcome (python/checkpoint/sharding/
 * sharding_policies.py, 2.21), without what is wrong with it: a tensor whose
 * smallest row is too large gets a shard of its own instead of an endless
 * loop, empty tensors are kept, and dtypes that can't be read back from slices
 * stay whole. */
#include "tf/sharding.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "tf/bundle.h"

#define OVERSIZE UINT32_MAX /* a shard of its own behind all others */

bool dtype_may_be_sliced(enum wh_dtype dtype)
{
	static const enum wh_dtype copied[] = {
		WH_FLOAT32, WH_FLOAT64,	  WH_INT32,	 WH_UINT8,   WH_INT16,
		WH_INT8,    WH_COMPLEX64, WH_COMPLEX128, WH_INT64,   WH_BOOL,
		WH_QINT32,  WH_QUINT8,	  WH_QINT8,	 WH_BFLOAT16};
	size_t i;

	for (i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (copied[i] == dtype)
			return true;
	return false;
}

static enum wh_status add_piece(struct sharding *sharding, uint32_t item,
				uint32_t shard, const uint64_t *start,
				const uint64_t *length, struct wh_error *err)
{
	if (sharding->n_pieces >= WH_MAX_TENSORS)
		return wh_fail(err, WH_EINVAL,
			       "the shard size would make more than %u slices",
			       WH_MAX_TENSORS);
	WH_TRY(array_grow(&sharding->pieces, sharding->n_pieces,
			  &sharding->capacity, sizeof(*sharding->pieces), err));
	sharding->pieces[sharding->n_pieces] = (struct shard_piece){
		item, shard, sharding->n_pieces, start, length};
	sharding->n_pieces++;
	return WH_OK;
}

/* ---- Whole tensors
 * ---------------------------------------------------------- */

static enum wh_status assign_whole(struct sharding *sharding, uint64_t limit,
				   const struct shardable *items, uint32_t n,
				   struct wh_error *err)
{
	uint64_t used = 0;
	uint32_t i, shard = 0;

	for (i = 0; i < n; i++) {
		uint64_t weight = items[i].nbytes;

		if (limit && i && weight &&
		    (used >= limit || weight > limit - used)) {
			shard++;
			used = 0;
		}
		used += weight;
		WH_TRY(add_piece(sharding, i, shard, NULL, NULL, err));
	}
	return WH_OK;
}

/* ---- Slices
 * ----------------------------------------------------------------- */

/* What is left of the tensor at hand. */
struct cutting {
	struct sharding *sharding;
	struct arena *arena;
	uint64_t limit, room; /* of a shard; of the current one */
	uint32_t shard;
	uint32_t n_slices; /* 0: it may still stay whole */
	uint64_t start[WH_MAX_RANK], length[WH_MAX_RANK];
};

static void next_shard(struct cutting *cutting)
{
	cutting->shard++;
	cutting->room = cutting->limit;
}

static uint64_t bytes_left(const struct cutting *cutting,
			   const struct shardable *item)
{
	uint64_t n = item->width;
	uint32_t i;

	for (i = 0; i < item->rank; i++)
		n *= cutting->length[i];
	return n;
}

/* The dimension along which the fewest parts fit into the shard's room, the
 * first of those, and how long a part then is; 0 if not even a row fits. */
static uint64_t choose_part(const struct cutting *cutting,
			    const struct shardable *item, uint32_t *axis)
{
	uint64_t left = bytes_left(cutting, item), fewest = UINT64_MAX;
	uint32_t i;

	*axis = 0;
	for (i = 0; i < item->rank; i++) {
		uint64_t length = cutting->length[i];
		uint64_t rows = cutting->room / (left / length);
		uint64_t parts;

		if (rows == 0)
			continue;
		parts = length / rows + (length % rows != 0);
		if (parts < fewest) {
			fewest = parts;
			*axis = i;
		}
	}
	if (fewest == UINT64_MAX)
		return 0;
	return cutting->length[*axis] / fewest +
	       (cutting->length[*axis] % fewest != 0);
}

/* Into the shard goes what is left, or of that the first `part` along `axis`.
 */
static enum wh_status put_part(struct cutting *cutting, uint32_t index,
			       const struct shardable *item, uint32_t shard,
			       uint32_t axis, uint64_t part,
			       struct wh_error *err)
{
	size_t size = item->rank * sizeof(uint64_t);
	uint64_t *start, *length;

	if (!cutting->n_slices && part == cutting->length[axis])
		return add_piece(cutting->sharding, index, shard, NULL, NULL,
				 err);
	start = arena_alloc(cutting->arena, item->rank, sizeof(*start));
	length = arena_alloc(cutting->arena, item->rank, sizeof(*length));
	if (!start || !length)
		return wh_fail_memory(err);
	memcpy(start, cutting->start, size);
	memcpy(length, cutting->length, size);
	length[axis] = part;
	/* What can't be read back isn't written. */
	if (++cutting->n_slices > MAX_SLICES)
		return wh_fail(err, WH_EINVAL,
			       "the shard size would cut a tensor into more "
			       "than %u slices",
			       MAX_SLICES);
	return add_piece(cutting->sharding, index, shard, start, length, err);
}

static enum wh_status cut_once(struct cutting *cutting, uint32_t index,
			       const struct shardable *item, bool *oversize,
			       struct wh_error *err)
{
	uint64_t left = bytes_left(cutting, item), part;
	uint32_t axis;

	part = choose_part(cutting, item, &axis);
	*oversize = part == 0 && cutting->room == cutting->limit;
	if (*oversize)
		return put_part(cutting, index, item, OVERSIZE, 0,
				cutting->length[0], err);
	if (part == 0) {
		next_shard(cutting);
		return WH_OK;
	}
	WH_TRY(put_part(cutting, index, item, cutting->shard, axis, part, err));
	cutting->room -= left / cutting->length[axis] * part;
	cutting->start[axis] += part;
	cutting->length[axis] -= part;
	if (cutting->room == 0)
		next_shard(cutting);
	return WH_OK;
}

static enum wh_status cut_tensor(struct cutting *cutting, uint32_t index,
				 const struct shardable *item,
				 struct wh_error *err)
{
	uint64_t left;

	cutting->n_slices = 0;
	memset(cutting->start, 0, sizeof(cutting->start));
	memcpy(cutting->length, item->shape, item->rank * sizeof(*item->shape));
	while ((left = bytes_left(cutting, item)) > cutting->room) {
		bool oversize;

		WH_TRY(cut_once(cutting, index, item, &oversize, err));
		if (oversize)
			return WH_OK;
	}
	if (left)
		WH_TRY(put_part(cutting, index, item, cutting->shard, 0,
				cutting->length[0], err));
	cutting->room -= left;
	return WH_OK;
}

static enum wh_status put_whole(struct cutting *cutting, uint32_t index,
				const struct shardable *item,
				struct wh_error *err)
{
	if (item->nbytes > cutting->limit)
		return add_piece(cutting->sharding, index, OVERSIZE, NULL, NULL,
				 err);
	if (item->nbytes > cutting->room)
		next_shard(cutting);
	cutting->room -= item->nbytes;
	return add_piece(cutting->sharding, index, cutting->shard, NULL, NULL,
			 err);
}

static int by_shard(const void *a, const void *b)
{
	const struct shard_piece *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Numbers without holes, oversize pieces each behind the others. */
static void number_shards(struct sharding *sharding)
{
	uint32_t i, last = 0, number = 0;
	uint32_t n = sharding->n_pieces;
	struct shard_piece *pieces = sharding->pieces;

	if (n)
		qsort(pieces, n, sizeof(*pieces), by_shard);
	for (i = 0; i < n; i++) {
		uint32_t own = pieces[i].shard;

		if (i && (own != last || own == OVERSIZE))
			number++;
		last = own;
		pieces[i].shard = number;
	}
	sharding->n_shards = number + 1;
}

static enum wh_status assign_slices(struct sharding *sharding, uint64_t limit,
				    const struct shardable *items, uint32_t n,
				    struct arena *arena, struct wh_error *err)
{
	struct cutting cutting = {.sharding = sharding,
				  .arena = arena,
				  .limit = limit,
				  .room = limit};
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct shardable *item = &items[i];
		bool cuts = item->rank && item->width && item->nbytes;

		if (cuts)
			WH_TRY(cut_tensor(&cutting, i, item, err));
		else
			WH_TRY(put_whole(&cutting, i, item, err));
	}
	return WH_OK;
}

enum wh_status sharding_assign(struct sharding *sharding,
			       enum wh_shard_policy policy, uint64_t limit,
			       const struct shardable *items, uint32_t n,
			       struct arena *arena, struct wh_error *err)
{
	if (policy == WH_SHARD_TENSORFLOW && limit)
		WH_TRY(assign_slices(sharding, limit, items, n, arena, err));
	else
		WH_TRY(assign_whole(sharding, limit, items, n, err));
	number_shards(sharding);
	if (sharding->n_shards > MAX_SHARDS)
		return wh_fail(err, WH_EINVAL,
			       "the shard size would make more than %u shards",
			       MAX_SHARDS);
	return WH_OK;
}
