/* The template: which bytes of the file are whose. */
#include <stdlib.h>

#include "npz/source.h"

static bool lies_flat(const struct npz_source *source, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (source->places[i].packed ||
		    source->places[i].header.fortran)
			return false;
	return true;
}

struct payload {
	uint64_t offset, length;
	uint32_t tensor;
};

static int by_offset(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static struct payload *sort_payloads(const struct npz_source *source,
				     uint32_t n_tensors, uint32_t *n_payloads)
{
	struct payload *list = calloc((size_t)n_tensors + 1, sizeof(*list));
	uint32_t i, n = 0;

	for (i = 0; list && i < n_tensors; i++)
		if (source->places[i].header.nbytes)
			list[n++] = (struct payload){
				source->places[i].offset,
				source->places[i].header.nbytes, i};
	if (list)
		qsort(list, n, sizeof(*list), by_offset);
	*n_payloads = n;
	return list;
}

static enum wh_status read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct npz_source *source = arg;

	return reader_read(&source->reader, run->offset + skip, buf, len, err);
}

static enum wh_status allocate(struct npz_source *source, uint32_t n,
			       struct wh_template **made, struct wh_error *err)
{
	struct wh_template *new = arena_alloc(&source->arena, 1, sizeof(*new));

	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      (uint64_t)n + 1, n, read_run, source, err));
	if (new)
		new->files =
			arena_alloc(&source->arena, 1, sizeof(*new->files));
	if (!new || !new->files)
		return wh_fail_memory(err);
	new->n_files = 1;
	new->files->suffix = "";
	new->files->size = source->reader.size;
	new->files->extents = arena_alloc(&source->arena, 2 * (size_t)n + 1,
					  sizeof(*new->files->extents));
	*made = new;
	return new->files->extents ? WH_OK : wh_fail_memory(err);
}

static void cover_file(struct npz_source *source, struct wh_template *made,
		       const struct payload *payloads, uint32_t n)
{
	struct cover cover = {.skeleton = &source->skeleton,
			      .file = made->files};
	uint32_t i;

	for (i = 0; i < n; i++)
		cover_payload(&cover,
			      &(struct wh_extent){
				      .offset = payloads[i].offset,
				      .length = payloads[i].length,
				      .tensor = payloads[i].tensor,
				      .swap = source->places[payloads[i].tensor]
						      .header.swap});
	cover_end(&cover);
}

enum wh_status npz_template_make(struct npz_source *source, const char *format,
				 struct manifest_builder *builder,
				 struct wh_template **out, struct wh_error *err)
{
	uint32_t n, n_tensors = source->base.manifest.n_tensors;
	struct wh_template *made = NULL;
	struct payload *payloads;

	*out = NULL;
	if (!lies_flat(source, n_tensors))
		return manifest_warn(
			builder, err,
			"some arrays are deflated or in Fortran order: values "
			"are kept, the file can't be given back byte for byte");
	WH_TRY(allocate(source, n_tensors, &made, err));
	payloads = sort_payloads(source, n_tensors, &n);
	if (!payloads)
		return wh_fail_memory(err);
	cover_file(source, made, payloads, n);
	free(payloads);
	made->format = format;
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
