/* The template: which bytes of the shards are whose. */
#include "tf/rectangle.h"
#include "tf/source.h"

/* Extents of slices that a template may hold beyond one a tensor. */
#define MAX_EXTENTS ((uint64_t)1 << 18)

struct drafting {
	struct tf_source *source;
	struct payloads payloads;
	struct wh_template *made;
};

static struct rectangle rectangle_of(const struct wh_tensor *tensor,
				     const struct tf_slice *slice)
{
	return (struct rectangle){tensor->rank, tensor->shape, slice->start,
				  slice->length};
}

/* One extent after the other, in the order of the slice's elements. */
static enum wh_status add_slice(struct drafting *d,
				const struct wh_tensor *tensor,
				const struct tf_slice *slice, uint32_t index,
				struct wh_error *err)
{
	struct rectangle part = rectangle_of(tensor, slice);
	uint64_t i, n = rectangle_count(&part), offset = slice->offset;
	uint8_t swap = d->source->places[index].swap;

	for (i = 0; i < n; i++) {
		struct wh_extent extent;

		rectangle_extent(&part, wh_dtype_size(tensor->dtype), i,
				 &extent);
		extent.offset = offset;
		extent.tensor = index;
		extent.swap = swap > 1 ? swap : 0;
		offset += extent.length;
		WH_TRY(payloads_add(&d->payloads, slice->shard, &extent, err));
	}
	return WH_OK;
}

static enum wh_status add_place(struct drafting *d,
				const struct wh_tensor *tensor, uint32_t index,
				struct wh_error *err)
{
	const struct tf_place *place = &d->source->places[index];
	struct wh_extent extent = {.offset = place->offset,
				   .length = tensor->nbytes,
				   .tensor = index,
				   .swap = place->swap > 1 ? place->swap : 0};
	uint32_t i;

	if (place->kind == TF_SLICED) {
		for (i = 0; i < place->n_slices; i++)
			WH_TRY(add_slice(d, tensor, &place->slices[i], index,
					 err));
		return WH_OK;
	}
	if (place->kind == TF_STRINGS) {
		extent.start = 8 * place->n_strings;
		extent.length -= extent.start;
	}
	return payloads_add(&d->payloads, place->shard, &extent, err);
}

static enum wh_status cover_shard(struct drafting *d, uint32_t shard,
				  struct wh_error *err)
{
	struct shard_files *shards = &d->source->shards;
	struct wh_template_file *file = &d->made->files[shard];

	WH_TRY(shards_open(shards, shard, err));
	file->suffix = arena_printf(&d->source->arena, ".data-%05u-of-%05u",
				    shard, shards->n_shards);
	if (!file->suffix)
		return wh_fail_memory(err);
	file->size = (uint64_t)shards->files[shard].opened.st_size;
	return skeleton_cover(&d->source->skeleton, &d->payloads, shard, file,
			      err);
}

static enum wh_status cover_index(struct drafting *d, struct wh_error *err)
{
	struct wh_template_file *file =
		&d->made->files[d->source->shards.n_shards];

	file->suffix = ".index";
	file->size = d->source->index_len;
	return skeleton_cover(&d->source->skeleton, &d->payloads, TF_INDEX_FILE,
			      file, err);
}

/* Whether slices make more than MAX_EXTENTS besides one a tensor. */
static bool has_many_parts(const struct tf_source *source, uint32_t n)
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
				return true;
			parts += more;
		}
	}
	return parts > n + MAX_EXTENTS;
}

static enum wh_status cover_files(struct drafting *d, struct wh_error *err)
{
	uint32_t shard;

	for (shard = 0; shard < d->source->shards.n_shards; shard++)
		WH_TRY(cover_shard(d, shard, err));
	return cover_index(d, err);
}

enum wh_status tf_template_make(struct tf_source *source, uint32_t n_tensors,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	struct drafting d = {.source = source};
	struct wh_manifest *manifest = &source->base.manifest;
	enum wh_status status;
	uint32_t i;

	*out = NULL;
	if (has_many_parts(source, n_tensors))
		return manifest_warn(builder, err,
				     "some weights are cut into so many slices "
				     "that only their values are kept: the "
				     "files can't be given back byte for byte");
	status = skeleton_begin(&source->skeleton, &source->arena, n_tensors,
				tf_read_run, source, "tf",
				source->shards.n_shards + 1, &d.made, err);
	for (i = 0; !status && i < n_tensors; i++)
		status = add_place(&d, &manifest->tensors[i], i, err);
	if (!status)
		status = cover_files(&d, err);
	payloads_free(&d.payloads);
	if (status)
		return status;
	source->places[n_tensors].kind = TF_SKELETON;
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &d.made->skeleton, err));
	*out = d.made;
	return WH_OK;
}
