/* The files that numpy.save and numpy.savez write: header.h has the layout of
 * an array, zip/write.h that of the archive, whose members are stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mapping/neutral.h"
#include "npz/header.h"
#include "npz/npz.h"
#include "zip/layout.h"
#include "zip/read.h"
#include "zip/write.h"

WH_DEFINE_AUTO(wh_plan, wh_plan_free);

struct layout {
	struct wh_source *source;
	const struct wh_plan_options *options;
	struct wh_plan *plan;
	struct arena arena;
	const char **keys; /* NULL: left out */
	uint32_t n_written;
};

static enum wh_status refuse(struct layout *layout, uint32_t index,
			     const char *what, const char *name,
			     struct wh_error *err)
{
	const char *key = layout->source->manifest.tensors[index].key;

	if (!layout->options->skip_unsupported)
		return wh_fail(err, WH_EUNSUPPORTED, "tensor '%s': %s %s", key,
			       what, name);
	layout->keys[index] = NULL;
	return wh_plan_warn(layout->plan, err, "left out: tensor '%s': %s %s",
			    key, what, name);
}

static enum wh_status choose_tensors(struct layout *layout,
				     struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	uint32_t i;

	WH_TRY(neutral_keys(manifest, &layout->arena, &layout->keys, err));
	for (i = 0; i < manifest->n_tensors; i++) {
		enum wh_dtype dtype = manifest->tensors[i].dtype;

		if (!npy_descr(dtype))
			WH_TRY(refuse(layout, i, "NumPy has no dtype",
				      wh_dtype_name(dtype), err));
		else
			layout->n_written++;
	}
	return WH_OK;
}

static enum wh_status add_array(struct layout *layout, uint32_t index,
				struct wh_image *image, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->source->manifest.tensors[index];
	struct wh_buf header = {0};
	enum wh_status status = npy_header_write(tensor, &header, err);

	if (!status)
		status = wh_image_literal(image, header.data, header.size, err);
	if (!status && tensor->nbytes)
		status = wh_image_payload(image, index, 0, tensor->nbytes, err);
	wh_buf_free(&header);
	return status;
}

/* ---- An archive
 * ---------------------------------------------------------------- */

static const char *member_name(struct layout *layout, uint32_t index)
{
	return arena_printf(&layout->arena, "%s" NPY_SUFFIX,
			    layout->keys[index]);
}

/* What would not be read back isn't written. */
static enum wh_status check_names(struct layout *layout, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layout->source->manifest.n_tensors; i++) {
		const char *name;

		if (!layout->keys[i])
			continue;
		name = member_name(layout, i);
		if (!name)
			return wh_fail_memory(err);
		if (zip_is_name(name))
			continue;
		layout->n_written--;
		WH_TRY(refuse(layout, i, "an archive has no member", name,
			      err));
	}
	return WH_OK;
}

static enum wh_status add_member(struct layout *layout,
				 struct zip_writer *writer, uint32_t index,
				 struct wh_error *err)
{
	struct wh_image content = {0};
	struct zip_entry entry = {.zip64 = true};
	enum wh_status status = add_array(layout, index, &content, err);

	entry.name = member_name(layout, index);
	if (!status && !entry.name)
		status = wh_fail_memory(err);
	if (!status)
		status = zip_add(writer, &entry, &content, err);
	zip_content_free(&content);
	return status;
}

/* What keys don't say, in the archive's comment, which NumPy ignores. */
static enum wh_status describe(struct layout *layout, struct zip_writer *writer,
			       struct wh_error *err)
{
	const struct wh_manifest *manifest = &layout->source->manifest;
	char *text wh_free_auto = NULL;
	const char *comment;
	size_t len;

	if (neutral_is_plain(manifest) ||
	    layout->n_written < manifest->n_tensors)
		return WH_OK;
	WH_TRY(neutral_describe(manifest, layout->keys, &text, err));
	comment = arena_printf(&layout->arena, NPZ_COMMENT "%s", text);
	if (!comment)
		return wh_fail_memory(err);
	len = strlen(comment);
	if (len > ZIP_MAX_COMMENT)
		return wh_plan_warn(layout->plan, err,
				    "the names of layers are left out: their "
				    "description takes %zu bytes, and an npz "
				    "file has room for %u",
				    len, ZIP_MAX_COMMENT);
	writer->comment = comment;
	writer->comment_size = (uint16_t)len;
	return WH_OK;
}

static enum wh_status add_members(struct layout *layout,
				  struct zip_writer *writer,
				  struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_plan_add_image(layout->plan, "", true, &writer->image, err));
	for (i = 0; i < layout->source->manifest.n_tensors; i++)
		if (layout->keys[i])
			WH_TRY(add_member(layout, writer, i, err));
	WH_TRY(describe(layout, writer, err));
	return zip_finish(writer, err);
}

static enum wh_status fill_archive(struct layout *layout, struct wh_error *err)
{
	struct zip_writer writer = {.source = layout->source};
	enum wh_status status = choose_tensors(layout, err);

	if (!status)
		status = check_names(layout, err);
	if (!status)
		status = add_members(layout, &writer, err);
	zip_writer_free(&writer);
	return status;
}

/* ---- One array
 * ----------------------------------------------------------------- */

static enum wh_status fill_array(struct layout *layout, struct wh_error *err)
{
	struct wh_image *image;
	uint32_t i;

	WH_TRY(choose_tensors(layout, err));
	if (layout->n_written != 1)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "an npy file holds one array, the model has %u: "
			       "npz holds any number",
			       layout->n_written);
	WH_TRY(wh_plan_add_image(layout->plan, "", true, &image, err));
	for (i = 0; !layout->keys[i]; i++)
		;
	return add_array(layout, i, image, err);
}

static enum wh_status
make_plan(struct wh_source *source, const struct wh_plan_options *options,
	  enum wh_status (*fill)(struct layout *, struct wh_error *),
	  struct wh_plan **out, struct wh_error *err)
{
	struct layout layout = {.source = source, .options = options};
	wh_auto(wh_plan) plan = NULL;
	enum wh_status status;

	WH_TRY(wh_plan_new(source, &plan, err));
	layout.plan = plan;
	status = fill(&layout, err);
	arena_free(&layout.arena);
	if (!status)
		*out = wh_steal(&plan);
	return status;
}

enum wh_status npz_plan(struct wh_source *source,
			const struct wh_plan_options *options,
			struct wh_plan **plan, struct wh_error *err)
{
	return make_plan(source, options, fill_archive, plan, err);
}

enum wh_status npy_plan(struct wh_source *source,
			const struct wh_plan_options *options,
			struct wh_plan **plan, struct wh_error *err)
{
	return make_plan(source, options, fill_array, plan, err);
}
