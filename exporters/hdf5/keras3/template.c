/* The template: which bytes of the files are whose. */
#include "core/manifest.h"
#include "hdf5/keras3/source.h"

static bool lies_flat(const struct keras3_source *source, uint32_t n_tensors)
{
	uint32_t i;

	for (i = 0; i < n_tensors; i++) {
		const struct keras3_dataset *place = &source->places[i];

		if (source->parts[place->part]->datasets[place->index].packed)
			return false;
	}
	return true;
}

static enum wh_status list_payloads(const struct keras3_source *source,
				    uint32_t n_tensors,
				    struct payloads *payloads,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n_tensors; i++) {
		const struct keras3_dataset *place = &source->places[i];
		const struct h5_source *part = source->parts[place->part];
		const struct h5_kept *at = &part->datasets[place->index];

		WH_TRY(payloads_add(
			payloads, source->file_of[place->part],
			&(struct wh_extent){.offset = part->input.base +
						      at->offset,
					    .length = at->nbytes,
					    .tensor = i,
					    .swap = (uint8_t)at->swap},
			err));
	}
	return WH_OK;
}

enum wh_status keras3_template_make(struct keras3_source *source,
				    struct manifest_builder *builder,
				    uint32_t n_tensors,
				    struct wh_template **out,
				    struct wh_error *err)
{
	struct payloads payloads payloads_auto = {0};
	struct wh_template *made;
	uint32_t i;

	*out = NULL;
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
	if (!lies_flat(source, n_tensors))
		return manifest_warn(
			builder, err,
			"some weights are packed in chunks: values are kept, "
			"the file can't be given back byte for byte");
	WH_TRY(skeleton_begin(&source->skeleton, &source->arena, n_tensors,
			      keras3_read_run, source, "keras3",
			      source->n_files, &made, err));
	WH_TRY(list_payloads(source, n_tensors, &payloads, err));
	for (i = 0; i < source->n_files; i++) {
		const struct keras3_file *from = &source->files[i];

		made->files[i].suffix = from->suffix;
		made->files[i].size = (uint64_t)from->opened.st_size;
		WH_TRY(skeleton_cover(&source->skeleton, &payloads, i,
				      &made->files[i], err));
	}
	WH_TRY(manifest_add_skeleton(builder, source->skeleton.size,
				     &made->skeleton, err));
	*out = made;
	return WH_OK;
}
