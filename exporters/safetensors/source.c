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

static enum wh_status read_tensor(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct st_source *source = (struct st_source *)base;
	const struct st_place *place;

	if (index >= base->manifest.n_tensors)
		return skeleton_read(&source->skeleton, offset, buf, len, err);
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
	.scattered = true,
};

/* ---- Template
 * ------------------------------------------------------------------ */

static enum wh_status read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct st_source *source = arg;

	return reader_read(&source->files[run->file].reader, run->offset + skip,
			   buf, len, err);
}

static enum wh_status list_payloads(const struct st_source *source,
				    struct payloads *payloads,
				    struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->base.manifest;
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		WH_TRY(payloads_add(
			payloads, source->places[i].file,
			&(struct wh_extent){.offset = source->places[i].offset,
					    .length =
						    manifest->tensors[i].nbytes,
					    .tensor = i},
			err));
	return WH_OK;
}

enum wh_status st_template_make(struct st_source *source,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	struct payloads payloads payloads_auto = {0};
	struct wh_template *made;
	uint32_t i;

	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      source->base.manifest.n_tensors, read_run, source,
			      "safetensors", source->n_files, &made, err));
	WH_TRY(list_payloads(source, &payloads, err));
	for (i = 0; i < source->n_files; i++) {
		made->files[i].suffix = source->files[i].suffix;
		made->files[i].size = source->files[i].reader.size;
		WH_TRY(skeleton_cover(&source->skeleton, &payloads, i,
				      &made->files[i], err));
	}
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
