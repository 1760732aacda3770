#include "tf/slices.h"

#include "base/checked.h"

bool slice_place(const struct bundle_entry *whole,
		 const struct bundle_slice *from, struct tf_slice *to)
{
	uint32_t i;

	if (from->rank != whole->rank)
		return false;
	to->split = 0;
	for (i = 0; i < whole->rank; i++) {
		const struct bundle_extent *at = &from->extents[i];

		to->start[i] = (uint64_t)at->start;
		to->length[i] = at->length == SLICE_WHOLE
					? whole->shape[i]
					: (uint64_t)at->length;
		if (!range_fits(to->start[i], to->length[i], whole->shape[i]))
			return false;
		if (to->length[i] != whole->shape[i])
			to->split = i;
	}
	to->inner = 1;
	for (i = to->split + 1; i < whole->rank; i++)
		to->inner *= whole->shape[i];
	return true;
}

static bool overlap(const struct tf_slice *a, const struct tf_slice *b,
		    uint32_t rank)
{
	uint32_t i;

	for (i = 0; i < rank; i++)
		if (a->start[i] >= b->start[i] + b->length[i] ||
		    b->start[i] >= a->start[i] + a->length[i])
			return false;
	return true;
}

/* Disjoint, and as many elements as the tensor: then they cover it. */
enum wh_status slices_check_cover(const char *key, uint32_t rank,
				  const struct tf_place *place, uint64_t n,
				  struct wh_error *err)
{
	uint64_t total = 0;
	uint32_t i, k;

	for (i = 0; i < place->n_slices; i++) {
		uint64_t size = 1;

		for (k = 0; k < rank; k++)
			size *= place->slices[i].length[k];
		total += size;
		for (k = 0; size && k < i; k++)
			if (overlap(&place->slices[i], &place->slices[k], rank))
				return wh_fail(err, WH_ECORRUPT,
					       "tensor '%s': slices overlap",
					       key);
	}
	if (total == n)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s' does not have sufficient slices", key);
}
