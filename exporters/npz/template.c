/* The template: which bytes of the file are whose. */
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

static enum wh_status list_payloads(const struct npz_source *source, uint32_t n,
				    struct payloads *payloads,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct npz_place *at = &source->places[i];

		WH_TRY(payloads_add(
			payloads, 0,
			&(struct wh_extent){.offset = at->offset,
					    .length = at->header.nbytes,
					    .tensor = i,
					    .swap = at->header.swap},
			err));
	}
	return WH_OK;
}

static enum wh_status read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct npz_source *source = arg;

	return reader_read(&source->reader, run->offset + skip, buf, len, err);
}

enum wh_status npz_template_make(struct npz_source *source, const char *format,
				 struct manifest_builder *builder,
				 struct wh_template **out, struct wh_error *err)
{
	struct payloads payloads payloads_auto = {0};
	uint32_t n = source->base.manifest.n_tensors;
	struct wh_template *made;

	*out = NULL;
	if (!lies_flat(source, n))
		return manifest_warn(
			builder, err,
			"some arrays are deflated or in Fortran order: values "
			"are kept, the file can't be given back byte for byte");
	WH_TRY(skeleton_begin(&source->skeleton, &source->arena, n, read_run,
			      source, format, 1, &made, err));
	WH_TRY(list_payloads(source, n, &payloads, err));
	made->files->suffix = "";
	made->files->size = source->reader.size;
	WH_TRY(skeleton_cover(&source->skeleton, &payloads, 0, made->files,
			      err));
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
