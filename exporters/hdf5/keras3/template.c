/* The template: which bytes of the files are whose. */
#include <stdlib.h>

#include "base/auto.h"
#include "core/manifest.h"
#include "hdf5/keras3/source.h"

struct payload {
	uint64_t offset, nbytes; /* in the file */
	uint32_t file, tensor;
	uint8_t swap;
};

struct drafting {
	struct keras3_source *source;
	struct payload *payloads;
	uint32_t n_payloads;
};

static int by_place(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* Whether all payloads lie flat; they are listed by file and offset. */
static bool list_payloads(struct drafting *draft, uint32_t n_tensors)
{
	const struct keras3_source *source = draft->source;
	uint32_t i;

	for (i = 0; i < n_tensors; i++) {
		const struct keras3_dataset *place = &source->places[i];
		const struct h5_source *part = source->parts[place->part];
		const struct h5_kept *at = &part->datasets[place->index];

		if (at->packed)
			return false;
		if (at->nbytes)
			draft->payloads[draft->n_payloads++] = (struct payload){
				part->input.base + at->offset, at->nbytes,
				source->file_of[place->part], i,
				(uint8_t)at->swap};
	}
	if (draft->n_payloads)
		qsort(draft->payloads, draft->n_payloads,
		      sizeof(*draft->payloads), by_place);
	return true;
}

static enum wh_status cover_file(struct drafting *draft, uint32_t number,
				 uint32_t *next, struct wh_template_file *file,
				 struct wh_error *err)
{
	const struct keras3_file *from = &draft->source->files[number];
	struct cover cover = {.skeleton = &draft->source->skeleton,
			      .file = file,
			      .number = number};
	uint32_t i, n = 0, first = *next;

	while (first + n < draft->n_payloads &&
	       draft->payloads[first + n].file == number)
		n++;
	*next = first + n;
	file->suffix = from->suffix;
	file->size = (uint64_t)from->opened.st_size;
	file->extents = arena_alloc(&draft->source->arena, 2 * (size_t)n + 1,
				    sizeof(*file->extents));
	if (!file->extents)
		return wh_fail_memory(err);
	for (i = first; i < first + n; i++) {
		const struct payload *payload = &draft->payloads[i];

		cover_payload(&cover,
			      &(struct wh_extent){.offset = payload->offset,
						  .length = payload->nbytes,
						  .tensor = payload->tensor,
						  .swap = payload->swap});
	}
	cover_end(&cover);
	return WH_OK;
}

static enum wh_status cover_files(struct drafting *draft,
				  struct wh_template *made,
				  struct wh_error *err)
{
	uint32_t i, next = 0;

	for (i = 0; i < draft->source->n_files; i++)
		WH_TRY(cover_file(draft, i, &next, &made->files[i], err));
	made->format = "keras3";
	made->n_files = draft->source->n_files;
	made->skeleton = draft->source->skeleton.tensor;
	return WH_OK;
}

enum wh_status keras3_template_make(struct keras3_source *source,
				    struct manifest_builder *builder,
				    uint32_t n_tensors,
				    struct wh_template **out,
				    struct wh_error *err)
{
	wh_free_auto struct payload *payloads =
		calloc((size_t)n_tensors + 1, sizeof(*payloads));
	struct wh_template *made =
		arena_alloc(&source->arena, 1, sizeof(*made));
	struct drafting draft = {source, payloads, 0};
	uint32_t index;

	*out = NULL;
	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      (uint64_t)n_tensors + source->n_files, n_tensors,
			      keras3_read_run, source, err));
	if (!payloads || !made)
		return wh_fail_memory(err);
	made->files = arena_alloc(&source->arena, source->n_files,
				  sizeof(*made->files));
	if (!made->files)
		return wh_fail_memory(err);
	if (source->is_unpacked)
		return manifest_warn(builder, err,
				     "the archive's weights are deflated: "
				     "values are kept, the file can't be given "
				     "back byte for byte");
	if (source->is_renamed)
		return manifest_warn(builder, err,
				     "the shards are not named as Keras names "
				     "them: values are kept, the files can't "
				     "be given back");
	if (!list_payloads(&draft, n_tensors))
		return manifest_warn(
			builder, err,
			"some weights are packed in chunks: values are kept, "
			"the file can't be given back byte for byte");
	WH_TRY(cover_files(&draft, made, err));
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size, &index,
				     err));
	*out = made;
	return WH_OK;
}
