#include "tf/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/elements.h"
#include "base/endian.h"

void tf_source_close(struct wh_source *base)
{
	struct tf_source *source = (struct tf_source *)base;

	shards_free(&source->shards);
	arena_free(&source->arena);
	free(source->index);
	free(source->places);
	free(source);
}

enum wh_status tf_check_count(uint32_t n, struct wh_error *err)
{
	if (n < WH_MAX_TENSORS)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "more than %u tensors",
		       WH_MAX_TENSORS);
}

static enum wh_status unchanged(struct wh_source *base, struct wh_error *err)
{
	struct tf_source *source = (struct tf_source *)base;

	return shards_unchanged(&source->shards, err);
}

static enum wh_status read_flat(struct tf_source *source,
				const struct tf_place *place, uint64_t offset,
				void *buf, size_t len, struct wh_error *err)
{
	return shards_read(&source->shards, place->shard,
			   place->offset + offset, buf, len, err);
}

/* `offset` of the place is where the strings' bytes begin. */
static enum wh_status read_strings(struct tf_source *source,
				   const struct tf_place *place,
				   uint64_t offset, uint8_t *out, size_t len,
				   struct wh_error *err)
{
	uint64_t head = 8 * place->n_strings;

	for (; len && offset < head; offset++, out++, len--) {
		uint8_t bytes[8];

		put_le64(bytes, place->lengths[offset / 8]);
		*out = bytes[offset % 8];
	}
	if (!len)
		return WH_OK;
	return shards_read(&source->shards, place->shard,
			   place->offset + offset - head, out, len, err);
}

/* ---- Slices
 * -------------------------------------------------------------------- */

static bool is_inside(const struct tf_slice *slice, const uint64_t *at,
		      uint32_t rank)
{
	uint32_t i;

	for (i = 0; i < rank; i++)
		if (at[i] < slice->start[i] ||
		    at[i] - slice->start[i] >= slice->length[i])
			return false;
	return true;
}

static const struct tf_slice *find_slice(const struct tf_place *place,
					 const uint64_t *at, uint32_t rank)
{
	uint32_t i;

	for (i = 0; i < place->n_slices; i++)
		if (is_inside(&place->slices[i], at, rank))
			return &place->slices[i];
	return NULL;
}

/* Ordinal of the element in the slice, and how many follow it in both. */
static uint64_t locate_in_slice(const struct tf_slice *slice,
				const uint64_t *at, uint32_t rank,
				uint64_t *run)
{
	uint64_t ordinal = 0, rest = 0;
	uint32_t i;

	for (i = 0; i < rank; i++) {
		ordinal = ordinal * slice->length[i] + at[i] - slice->start[i];
		if (i > slice->split)
			rest = rest * slice->length[i] + at[i] -
			       slice->start[i];
	}
	*run = (slice->start[slice->split] + slice->length[slice->split] -
		at[slice->split]) *
		       slice->inner -
	       rest;
	return ordinal;
}

static enum wh_status read_sliced(struct tf_source *source, uint32_t index,
				  uint64_t offset, uint8_t *out, size_t len,
				  struct wh_error *err)
{
	const struct wh_tensor *tensor = &source->base.manifest.tensors[index];
	const struct tf_place *place = &source->places[index];
	size_t size = wh_dtype_size(tensor->dtype);

	while (len) {
		uint64_t at[WH_MAX_RANK], left = offset / size, ordinal, run;
		size_t skip = (size_t)(offset % size), some;
		const struct tf_slice *slice;
		uint32_t i = tensor->rank;

		while (i-- > 0) {
			at[i] = left % tensor->shape[i];
			left /= tensor->shape[i];
		}
		slice = find_slice(place, at, tensor->rank);
		if (!slice)
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' lacks a slice",
				       tensor->key);
		ordinal = locate_in_slice(slice, at, tensor->rank, &run);
		some = run < len / size + 1 ? (size_t)(run * size - skip) : len;
		if (some > len)
			some = len;
		WH_TRY(shards_read(&source->shards, slice->shard,
				   slice->offset + ordinal * size + skip, out,
				   some, err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}

/* ---- Skeleton
 * ------------------------------------------------------------------- */

enum wh_status tf_read_run(void *arg, const struct skeleton_run *run,
			   uint64_t skip, void *buf, size_t len,
			   struct wh_error *err)
{
	struct tf_source *source = arg;

	if (run->file != TF_INDEX_FILE)
		return shards_read(&source->shards, run->file,
				   run->offset + skip, buf, len, err);
	memcpy(buf, source->index + run->offset + skip, len);
	return WH_OK;
}

static enum wh_status read_stored(struct tf_source *source, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	const struct tf_place *place = &source->places[index];

	switch (place->kind) {
	case TF_FLAT:
		return read_flat(source, place, offset, buf, len, err);
	case TF_STRINGS:
		return read_strings(source, place, offset, buf, len, err);
	case TF_SLICED:
		return read_sliced(source, index, offset, buf, len, err);
	case TF_SKELETON:
		return skeleton_read(&source->skeleton, offset, buf, len, err);
	}
	return wh_fail(err, WH_EINVAL, "no such tensor");
}

struct reading {
	struct tf_source *source;
	uint32_t index;
};

static enum wh_status read_tensor(void *arg, uint64_t offset, uint8_t *out,
				  size_t len, struct wh_error *err)
{
	const struct reading *reading = arg;

	return read_stored(reading->source, reading->index, offset, out, len,
			   err);
}

enum wh_status tf_source_read(struct wh_source *base, uint32_t index,
			      uint64_t offset, void *buf, size_t len,
			      struct wh_error *err)
{
	struct tf_source *source = (struct tf_source *)base;
	struct reading reading = {source, index};

	if (len == 0)
		return WH_OK;
	return elements_read_swapped(read_tensor, &reading,
				     source->places[index].swap, offset, buf,
				     len, err);
}

const struct wh_source_ops tf_source_ops = {
	.read = tf_source_read,
	.unchanged = unchanged,
	.close = tf_source_close,
	.concurrent = true,
	.scattered = true,
};
