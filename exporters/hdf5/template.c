/* The template: which bytes of the file are whose. */
#include "core/manifest.h"
#include "hdf5/file_source.h"

static bool lies_flat(const struct h5_source *source)
{
	uint32_t i;

	for (i = 0; i < source->n_datasets; i++)
		if (source->datasets[i].packed)
			return false;
	return true;
}

static enum wh_status list_payloads(const struct h5_source *source,
				    struct payloads *payloads,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < source->n_datasets; i++) {
		const struct h5_kept *at = &source->datasets[i];

		WH_TRY(payloads_add(
			payloads, 0,
			&(struct wh_extent){.offset = at->offset,
					    .length = at->nbytes,
					    .tensor = i,
					    .swap = (uint8_t)at->swap},
			err));
	}
	return WH_OK;
}

enum wh_status h5_template_make(struct h5_source *source,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err)
{
	struct payloads payloads payloads_auto = {0};
	struct wh_template *made;

	*out = NULL;
	if (!lies_flat(source))
		return manifest_warn(
			builder, err,
			"some weights are packed: values are kept, "
			"the file can't be given back byte for byte");
	WH_TRY(skeleton_begin(&source->skeleton, &source->arena,
			      source->n_datasets, h5_read_run, source, "h5", 1,
			      &made, err));
	WH_TRY(list_payloads(source, &payloads, err));
	made->files->suffix = "";
	made->files->size = source->input.size;
	WH_TRY(skeleton_cover(&source->skeleton, &payloads, 0, made->files,
			      err));
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
