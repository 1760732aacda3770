#include "safetensors/source.h"

#include <stdlib.h>

static void close_source(struct wh_source *base)
{
	struct st_source *source = (struct st_source *)base;
	uint32_t i;

	for (i = 0; i < source->n_files; i++)
		reader_close(&source->files[i].reader);
	ahead_free(&source->ahead);
	arena_free(&source->arena);
	free(source);
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct st_source *source = (const struct st_source *)base;
	uint32_t i;

	for (i = 0; i < source->n_files; i++)
		WH_TRY(reader_unchanged(&source->files[i].reader, err));
	return WH_OK;
}

/* Files' headers stand one behind the other. */
static enum wh_status read_skeleton(const struct st_source *source,
				    uint64_t offset, uint8_t *out, size_t len,
				    struct wh_error *err)
{
	uint32_t i = 0;

	while (len) {
		const struct st_file *file;
		uint64_t within;
		size_t some = len;

		while (offset - source->files[i].skeleton >=
		       source->files[i].skeleton_size)
			i++;
		file = &source->files[i];
		within = offset - file->skeleton;
		if (some > file->skeleton_size - within)
			some = (size_t)(file->skeleton_size - within);
		WH_TRY(reader_read(&file->reader, within, out, some, err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}

static enum wh_status read_tensor(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct st_source *source = (struct st_source *)base;
	const struct st_place *place;

	if (index >= base->manifest.n_tensors)
		return read_skeleton(source, offset, buf, len, err);
	place = &source->places[index];
	return reader_read_ahead(&source->files[place->file].reader,
				 &source->ahead, place->offset + offset, buf,
				 len, err);
}

const struct wh_source_ops st_source_ops = {
	.read = read_tensor,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
};

/* ---- Template
 * ------------------------------------------------------------------ */

struct payload {
	struct st_place place;
	uint64_t length;
	uint32_t tensor;
};

static int by_place(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	if (x->place.file != y->place.file)
		return x->place.file < y->place.file ? -1 : 1;
	if (x->place.offset != y->place.offset)
		return x->place.offset < y->place.offset ? -1 : 1;
	return 0;
}

static struct payload *sort_payloads(const struct st_source *source,
				     uint32_t *n_payloads)
{
	const struct wh_manifest *manifest = &source->base.manifest;
	struct payload *list =
		calloc((size_t)manifest->n_tensors + 1, sizeof(*list));
	uint32_t i, n = 0;

	for (i = 0; list && i < manifest->n_tensors; i++)
		if (manifest->tensors[i].nbytes)
			list[n++] = (struct payload){
				source->places[i], manifest->tensors[i].nbytes,
				i};
	if (list)
		qsort(list, n, sizeof(*list), by_place);
	*n_payloads = n;
	return list;
}

/* One file: its skeleton, then its payloads without a gap. */
static enum wh_status cover_file(struct st_source *source, uint32_t index,
				 const struct payload *payloads, uint32_t n,
				 struct wh_template_file *out,
				 struct wh_error *err)
{
	const struct st_file *file = &source->files[index];
	uint32_t i;

	out->suffix = file->suffix;
	out->size = file->reader.size;
	out->extents = arena_alloc(&source->arena, (size_t)n + 1,
				   sizeof(*out->extents));
	if (!out->extents)
		return wh_fail_memory(err);
	out->extents[out->n_extents++] =
		(struct wh_extent){.length = file->skeleton_size,
				   .tensor = source->base.manifest.n_tensors,
				   .start = file->skeleton};
	for (i = 0; i < n; i++)
		out->extents[out->n_extents++] =
			(struct wh_extent){.offset = payloads[i].place.offset,
					   .length = payloads[i].length,
					   .tensor = payloads[i].tensor};
	return WH_OK;
}

static enum wh_status cover_files(struct st_source *source,
				  struct wh_template *made,
				  struct wh_error *err)
{
	uint32_t n, i, first = 0;
	struct payload *payloads = sort_payloads(source, &n);
	enum wh_status status = payloads ? WH_OK : wh_fail_memory(err);

	for (i = 0; i < source->n_files && !status; i++) {
		uint32_t here = 0;

		while (first + here < n &&
		       payloads[first + here].place.file == i)
			here++;
		status = cover_file(source, i, payloads + first, here,
				    &made->files[i], err);
		first += here;
	}
	free(payloads);
	return status;
}

enum wh_status st_template_make(struct st_source *source,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	const struct st_file *last = &source->files[source->n_files - 1];
	struct wh_template *made =
		arena_alloc(&source->arena, 1, sizeof(*made));

	if (made)
		made->files = arena_alloc(&source->arena, source->n_files,
					  sizeof(*made->files));
	if (!made || !made->files)
		return wh_fail_memory(err);
	made->format = "safetensors";
	made->n_files = source->n_files;
	WH_TRY(cover_files(source, made, err));
	WH_TRY(manifest_add_skeleton(builder,
				     last->skeleton + last->skeleton_size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
