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

/* Payloads by offset. Where datasets share bytes, as hard links do, the first
 * tensor owns them. */
static uint32_t sort_payloads(const struct h5_source *source,
			      struct payload *payloads)
{
	uint32_t i, n = 0, kept = 0;
	uint64_t end = 0;

	for (i = 0; i < source->n_datasets; i++) {
		const struct h5_dataset *at = &source->datasets[i];

		if (at->nbytes)
			payloads[n++] =
				(struct payload){at->offset, at->nbytes, i};
	}
	qsort(payloads, n, sizeof(*payloads), compare_payloads);
	for (i = 0; i < n; i++) {
		if (payloads[i].offset < end)
			continue;
		end = payloads[i].offset + payloads[i].nbytes;
		payloads[kept++] = payloads[i];
	}
	return kept;
}

static bool lies_flat(const struct h5_source *source)
{
	uint32_t i;

	for (i = 0; i < source->n_datasets; i++)
		if (!source->datasets[i].flat)
			return false;
	return true;
}

/* Extents and runs while they are filled. */
struct draft {
	struct h5_source *source;
	struct wh_template_file *file;
	uint64_t at;	   /* what is covered of the file */
	uint64_t skeleton; /* bytes so far */
	uint32_t index;	   /* of the skeleton tensor */
};

static void cover_gap(struct draft *draft, uint64_t end)
{
	uint64_t length = end - draft->at;

	if (length == 0)
		return;
	draft->file->extents[draft->file->n_extents++] =
		(struct wh_extent){.offset = draft->at,
				   .length = length,
				   .tensor = draft->index,
				   .start = draft->skeleton};
	draft->source->runs[draft->source->n_runs++] =
		(struct skeleton_run){draft->skeleton, draft->at, length};
	draft->skeleton += length;
	draft->at = end;
}

static void cover_payload(struct draft *draft, const struct payload *payload)
{
	cover_gap(draft, payload->offset);
	draft->file->extents[draft->file->n_extents++] = (struct wh_extent){
		.offset = payload->offset,
		.length = payload->nbytes,
		.tensor = payload->tensor,
		.swap = (uint8_t)draft->source->datasets[payload->tensor].swap};
	draft->at += payload->nbytes;
}

static enum wh_status cover_file(struct h5_source *source,
				 const struct payload *payloads, uint32_t n,
				 struct wh_template *made, struct wh_error *err)
{
	struct wh_template_file *file =
		arena_alloc(&source->arena, 1, sizeof(*file));
	struct draft draft = {source, file, 0, 0, source->n_datasets};
	uint32_t i;

	source->runs = arena_alloc(&source->arena, (size_t)n + 1,
				   sizeof(*source->runs));
	if (file)
		file->extents = arena_alloc(&source->arena, 2 * (size_t)n + 1,
					    sizeof(*file->extents));
	if (!file || !source->runs || !file->extents)
		return wh_fail_memory(err);
	file->suffix = "";
	file->size = source->input.size;
	for (i = 0; i < n; i++)
		cover_payload(&draft, &payloads[i]);
	cover_gap(&draft, file->size);
	made->format = "h5";
	made->files = file;
	made->n_files = 1;
	made->skeleton = draft.index;
	return WH_OK;
}

static uint64_t skeleton_size(const struct h5_source *source)
{
	const struct skeleton_run *last;

	if (!source->n_runs)
		return 0;
	last = &source->runs[source->n_runs - 1];
	return last->start + last->length;
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
	WH_TRY(manifest_add_skeleton(builder, skeleton_size(source), &index,
				     err));
	*out = made;
	return WH_OK;
}
