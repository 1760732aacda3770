/* The template: which bytes of the file are whose. */
#include <stdlib.h>

#include "base/auto.h"
#include "core/manifest.h"
#include "hdf5/file_source.h"

struct payload {
	uint64_t offset, nbytes;
	uint32_t tensor;
};

static int compare_payloads(const void *a, const void *b)
{
	const struct payload *left = a, *right = b;

	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return left->tensor < right->tensor ? -1 : 1;
}

static uint32_t sort_payloads(const struct h5_source *source,
			      struct payload *payloads)
{
	uint32_t i, n = 0;

	for (i = 0; i < source->n_datasets; i++) {
		const struct h5_kept *at = &source->datasets[i];

		if (at->nbytes)
			payloads[n++] =
				(struct payload){at->offset, at->nbytes, i};
	}
	qsort(payloads, n, sizeof(*payloads), compare_payloads);
	return n;
}

static bool lies_flat(const struct h5_source *source)
{
	uint32_t i;

	for (i = 0; i < source->n_datasets; i++)
		if (source->datasets[i].packed)
			return false;
	return true;
}

static enum wh_status cover_file(struct h5_source *source,
				 const struct payload *payloads, uint32_t n,
				 struct wh_template *made, struct wh_error *err)
{
	struct wh_template_file *file =
		arena_alloc(&source->arena, 1, sizeof(*file));
	struct cover cover = {.skeleton = &source->skeleton, .file = file};
	uint32_t i;

	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      (uint64_t)n + 1, source->n_datasets, h5_read_run,
			      source, err));
	if (file)
		file->extents = arena_alloc(&source->arena, 2 * (size_t)n + 1,
					    sizeof(*file->extents));
	if (!file || !file->extents)
		return wh_fail_memory(err);
	file->suffix = "";
	file->size = source->input.size;
	for (i = 0; i < n; i++)
		cover_payload(
			&cover,
			&(struct wh_extent){
				.offset = payloads[i].offset,
				.length = payloads[i].nbytes,
				.tensor = payloads[i].tensor,
				.swap = (uint8_t)source
						->datasets[payloads[i].tensor]
						.swap});
	cover_end(&cover);
	made->format = "h5";
	made->files = file;
	made->n_files = 1;
	made->skeleton = source->skeleton.tensor;
	return WH_OK;
}

enum wh_status h5_template_make(struct h5_source *source,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	wh_free_auto struct payload *payloads =
		calloc((size_t)source->n_datasets + 1, sizeof(*payloads));
	struct wh_template *made =
		arena_alloc(&source->arena, 1, sizeof(*made));
	uint32_t index;

	*out = NULL;
	if (!payloads || !made)
		return wh_fail_memory(err);
	if (!lies_flat(source))
		return manifest_warn(
			builder, err,
			"some weights are packed: values are kept, "
			"the file can't be given back byte for byte");
	WH_TRY(cover_file(source, payloads, sort_payloads(source, payloads),
			  made, err));
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size, &index,
				     err));
	*out = made;
	return WH_OK;
}
