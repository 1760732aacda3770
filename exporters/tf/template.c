/* The template: which bytes of the shards are whose. */
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "tf/rectangle.h"
#include "tf/source.h"

/* Extents of slices that a template may hold beyond one a tensor. */
#define MAX_EXTENTS ((uint64_t)1 << 18)

/* A payload, or a slice's part of one, in a shard. */
struct payload {
	uint32_t shard, tensor;
	struct wh_extent extent;
};

struct drafting {
	struct tf_source *source;
	struct payload *payloads;
	uint32_t n_payloads;
	struct wh_template *made;
};

static int by_place(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->extent.offset != y->extent.offset)
		return x->extent.offset < y->extent.offset ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

static void add_payload(struct drafting *d, uint32_t tensor, uint32_t shard,
			struct wh_extent extent)
{
	if (extent.length == 0)
		return;
	extent.tensor = tensor;
	d->payloads[d->n_payloads++] = (struct payload){shard, tensor, extent};
}

static struct rectangle rectangle_of(const struct wh_tensor *tensor,
				     const struct tf_slice *slice)
{
	return (struct rectangle){tensor->rank, tensor->shape, slice->start,
				  slice->length};
}

/* One extent after the other, in the order of the slice's elements. */
static void add_slice(struct drafting *d, const struct wh_tensor *tensor,
		      const struct tf_slice *slice, uint32_t index)
{
	struct rectangle part = rectangle_of(tensor, slice);
	uint64_t i, n = rectangle_count(&part), offset = slice->offset;
	uint8_t swap = d->source->places[index].swap;

	for (i = 0; i < n; i++) {
		struct wh_extent extent;

		rectangle_extent(&part, wh_dtype_size(tensor->dtype), i,
				 &extent);
		extent.offset = offset;
		extent.swap = swap > 1 ? swap : 0;
		offset += extent.length;
		add_payload(d, index, slice->shard, extent);
	}
}

static void add_place(struct drafting *d, const struct wh_tensor *tensor,
		      uint32_t index)
{
	const struct tf_place *place = &d->source->places[index];
	struct wh_extent extent = {.offset = place->offset,
				   .swap = place->swap > 1 ? place->swap : 0};
	uint32_t i;

	if (place->kind == TF_STRINGS) {
		extent.start = 8 * place->n_strings;
		extent.length = tensor->nbytes - extent.start;
		add_payload(d, index, place->shard, extent);
	} else if (place->kind == TF_FLAT) {
		extent.length = tensor->nbytes;
		add_payload(d, index, place->shard, extent);
	}
	for (i = 0; place->kind == TF_SLICED && i < place->n_slices; i++)
		add_slice(d, tensor, &place->slices[i], index);
}

static enum wh_status cover_shard(struct drafting *d, uint32_t shard,
				  uint32_t *next, struct wh_error *err)
{
	struct wh_template_file *file = &d->made->files[shard];
	struct arena *arena = &d->source->arena;
	struct cover cover = {.skeleton = &d->source->skeleton,
			      .file = file,
			      .number = shard};
	uint32_t i, n = 0, first = *next;

	while (first + n < d->n_payloads &&
	       d->payloads[first + n].shard == shard)
		n++;
	*next = first + n;
	file->suffix = arena_printf(arena, ".data-%05u-of-%05u", shard,
				    d->source->shards.n_shards);
	file->size = (uint64_t)d->source->shards.files[shard].opened.st_size;
	file->extents =
		arena_alloc(arena, 2 * (size_t)n + 1, sizeof(*file->extents));
	if (!file->suffix || !file->extents)
		return wh_fail_memory(err);
	for (i = first; i < first + n; i++)
		cover_payload(&cover, &d->payloads[i].extent);
	cover_end(&cover);
	return WH_OK;
}

static enum wh_status cover_index(struct drafting *d, struct wh_error *err)
{
	uint32_t n = d->source->shards.n_shards;
	struct wh_template_file *file = &d->made->files[n];
	struct cover cover = {.skeleton = &d->source->skeleton,
			      .file = file,
			      .number = TF_INDEX_FILE};

	file->suffix = ".index";
	file->size = d->source->index_len;
	file->extents =
		arena_alloc(&d->source->arena, 1, sizeof(*file->extents));
	if (!file->extents)
		return wh_fail_memory(err);
	cover_end(&cover);
	return WH_OK;
}

/* More extents than MAX_EXTENTS: as many as that and one. */
static uint64_t count_parts(const struct tf_source *source, uint32_t n)
{
	const struct wh_tensor *tensors = source->base.manifest.tensors;
	uint64_t parts = 0;
	uint32_t i, k;

	for (i = 0; i < n; i++) {
		const struct tf_place *place = &source->places[i];

		if (place->kind != TF_SLICED)
			parts++;
		for (k = 0; place->kind == TF_SLICED && k < place->n_slices;
		     k++) {
			struct rectangle part =
				rectangle_of(&tensors[i], &place->slices[k]);
			uint64_t more = rectangle_count(&part);

			if (more > n + MAX_EXTENTS)
				return UINT64_MAX;
			parts += more;
		}
	}
	return parts > n + MAX_EXTENTS ? UINT64_MAX : parts;
}

static enum wh_status allocate(struct drafting *d, uint64_t n_parts,
			       uint32_t n_tensors, struct wh_error *err)
{
	struct tf_source *source = d->source;
	uint32_t n_files = source->shards.n_shards + 1;

	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      n_parts + 2 * (uint64_t)n_files, n_tensors,
			      tf_read_run, source, err));
	d->payloads = calloc((size_t)n_parts + 1, sizeof(*d->payloads));
	d->made = arena_alloc(&source->arena, 1, sizeof(*d->made));
	if (!d->payloads || !d->made)
		return wh_fail_memory(err);
	d->made->files =
		arena_alloc(&source->arena, n_files, sizeof(*d->made->files));
	if (!d->made->files)
		return wh_fail_memory(err);
	d->made->n_files = n_files;
	d->made->format = "tf";
	return WH_OK;
}

static enum wh_status cover_files(struct drafting *d, struct wh_error *err)
{
	uint32_t shard, next = 0;

	qsort(d->payloads, d->n_payloads, sizeof(*d->payloads), by_place);
	for (shard = 0; shard < d->source->shards.n_shards; shard++) {
		WH_TRY(shards_open(&d->source->shards, shard, err));
		WH_TRY(cover_shard(d, shard, &next, err));
	}
	return cover_index(d, err);
}

enum wh_status tf_template_make(struct tf_source *source, uint32_t n_tensors,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	struct drafting d = {.source = source};
	struct wh_manifest *manifest = &source->base.manifest;
	uint64_t n_parts = count_parts(source, n_tensors);
	enum wh_status status;
	uint32_t i, index;

	*out = NULL;
	if (n_parts == UINT64_MAX)
		return manifest_warn(builder, err,
				     "some weights are cut into so many slices "
				     "that only their values are kept: the "
				     "files can't be given back byte for byte");
	status = allocate(&d, n_parts, n_tensors, err);
	for (i = 0; !status && i < n_tensors; i++)
		add_place(&d, &manifest->tensors[i], i);
	if (!status)
		status = cover_files(&d, err);
	free(d.payloads);
	if (status)
		return status;
	source->places[n_tensors].kind = TF_SKELETON;
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size, &index,
				     err));
	d.made->skeleton = index;
	*out = d.made;
	return WH_OK;
}
