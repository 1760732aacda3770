/* save_weights: sources meet formats. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/write.h"
#include "core/manifest.h"
#include "engine.h"
#include "plan_internal.h"

#define PIECE	      ((size_t)1 << 20)
#define PROGRESS_EACH (8 * PIECE)

static const struct wh_save_options default_options;

/* ---- Plans
 * --------------------------------------------------------------------- */

/* What a format doesn't know changes nothing of its files. */
static bool changes_layout(const struct wh_plan_options *options,
			   const struct wh_format *format)
{
	bool is_rooted = options->root != WH_ROOT_DEFAULT || options->object ||
			 options->async_layout || options->save_counter;

	return options->n_casts ||
	       (format->shards && options->max_shard_size) ||
	       (format->takes_checkpoint_options && is_rooted);
}

static bool is_canonical(const struct wh_template *template_)
{
	return template_->n_files && template_->files[0].canonical;
}

/* Files that name each other (OLD*NEW) keep their names, or are made anew. */
static bool fits_path(const struct wh_template *template_, const char *path)
{
	uint32_t i;

	for (i = 0; path && i < template_->n_files; i++) {
		const char *suffix = template_->files[i].suffix;
		const char *star = strchr(suffix, '*');

		if (star && !path_ends(path, suffix, (size_t)(star - suffix)))
			return false;
	}
	return true;
}

static enum wh_status add_file(struct wh_plan *plan,
			       const struct wh_template_file *file, bool last,
			       struct wh_error *err)
{
	struct wh_image *image;
	uint32_t i;

	WH_TRY(wh_plan_add_image(plan, file->suffix, last, &image, err));
	for (i = 0; i < file->n_extents; i++)
		WH_TRY(wh_image_extent(image, &file->extents[i], err));
	return WH_OK;
}

/* A template lists what readers look for last, too. */
static enum wh_status plan_template(struct wh_source *source,
				    const struct wh_format *format,
				    struct wh_plan **out, struct wh_error *err)
{
	const struct wh_template *template_ = source->manifest.template_;
	enum wh_status status;
	struct wh_plan *plan;
	uint32_t i;

	WH_TRY(wh_plan_new(source, &plan, err));
	status = WH_OK;
	for (i = 0; i < template_->n_files && !status; i++)
		status = add_file(plan, &template_->files[i],
				  i + 1 == template_->n_files, err);
	if (!status && format->refresh)
		status = format->refresh(plan, err);
	if (status) {
		wh_plan_free(plan);
		return status;
	}
	*out = plan;
	return WH_OK;
}

/* What was asked for, and what the format can't do without: legacy HDF5 alone
 * has a bfloat16 that nothing loads. */
static enum wh_status make_filter(struct wh_source *source,
				  const struct wh_format *format,
				  const struct wh_plan_options *options,
				  struct wh_source **filter,
				  struct wh_error *err)
{
	struct wh_cast *casts wh_free_auto =
		calloc(options->n_casts + 1, sizeof(*casts));
	size_t n = options->n_casts;

	if (!casts)
		return wh_fail_memory(err);
	if (n)
		memcpy(casts, options->casts, n * sizeof(*casts));
	if (!options->bfloat16_opaque && format->widens_bfloat16)
		casts[n++] = (struct wh_cast){WH_BFLOAT16, WH_FLOAT32};
	return filter_cast(source, casts, n, filter, err);
}

static enum wh_status plan_filtered(struct wh_source *source,
				    const struct wh_format *format,
				    const struct wh_plan_options *options,
				    struct wh_plan **plan, struct wh_error *err)
{
	WH_TRY(wh_source_weigh(source, format->needs, 0, NULL, NULL, err));
	return format->plan(source, options, plan, err);
}

/* Else the bytes of two numbers would pass for one. */
static enum wh_status check_packed(const struct wh_manifest *manifest,
				   const struct wh_format *format,
				   struct wh_error *err)
{
	const struct wh_attribute *packed = manifest_packed(manifest);

	if (!packed || format->holds_packed)
		return WH_OK;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "tensor '%s' is %s, which format %s can't hold",
		       packed->path, packed->text ? packed->text : "packed",
		       format->name);
}

static enum wh_status plan_format(struct wh_source *source,
				  const struct wh_format *format,
				  const struct wh_plan_options *options,
				  struct wh_plan **plan, struct wh_error *err)
{
	struct wh_source *filter = NULL;
	enum wh_status status;

	if (!format->plan)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "format %s is read here, not written",
			       format->name);
	if (options->object && !format->takes_checkpoint_options)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "only tf is written of one object; what it "
			       "wrote converts into %s",
			       format->name);
	WH_TRY(check_packed(&source->manifest, format, err));
	WH_TRY(make_filter(source, format, options, &filter, err));
	status = plan_filtered(filter ? filter : source, format, options, plan,
			       err);
	if (status || !filter) {
		wh_source_close(filter);
		return status;
	}
	plan_adopt(*plan, filter);
	status = filter_tell(filter, *plan, err);
	if (status)
		wh_plan_free(*plan);
	return status;
}

enum wh_status wh_plan_for(struct wh_source *source,
			   const struct wh_format *format,
			   const struct wh_plan_options *options,
			   bool canonical, struct wh_plan **plan,
			   bool *reproduced, struct wh_error *err)
{
	const struct wh_template *template_ = source->manifest.template_;
	struct wh_plan_options as_written = {.bfloat16_opaque = true,
					     .filepath = options->filepath};

	WH_TRY(manifest_check(&source->manifest, err));
	*reproduced = template_ && !canonical && !options->object &&
		      !changes_layout(options, format) &&
		      strcmp(template_->format, format->name) == 0 &&
		      fits_path(template_, options->filepath) &&
		      (!format->fits ||
		       format->fits(&source->manifest, options->filepath));
	if (!*reproduced)
		return plan_format(source, format, options, plan, err);
	if (is_canonical(template_))
		return plan_format(source, format, &as_written, plan, err);
	return plan_template(source, format, plan, err);
}

/* ---- Overwriting
 * ------------------------------------------------------------------ */

/* What exists is the file itself; for tf, the file that readers look for. */
static char *committing_path(struct wh_plan *plan, const char *path)
{
	const char *suffix = "";
	uint32_t i;

	for (i = 0; i < wh_plan_n_images(plan); i++)
		if (wh_plan_image(plan, i)->commits)
			suffix = wh_plan_image(plan, i)->suffix;
	return wh_image_path(path, suffix);
}

static enum wh_status check_overwrite(struct wh_plan *plan, const char *path,
				      const struct wh_save_options *options,
				      struct wh_error *err)
{
	char *target wh_free_auto = committing_path(plan, path);
	struct stat at;

	if (!target)
		return wh_fail_memory(err);
	if (options->overwrite == WH_OVERWRITE_REPLACE || stat(target, &at) ||
	    !S_ISREG(at.st_mode))
		return WH_OK;
	if (options->overwrite == WH_OVERWRITE_ASK && options->confirm &&
	    options->confirm(target, options->arg))
		return WH_OK;
	return wh_fail(err, WH_EEXISTS, "'%s' already exists", target);
}

/* ---- Saving
 * ------------------------------------------------------------------------ */

static void tell_warnings(struct wh_plan *plan,
			  const struct wh_save_options *options)
{
	uint32_t i;

	for (i = 0; options->warn && i < wh_plan_n_warnings(plan); i++)
		options->warn(options->arg, wh_plan_warning(plan, i));
}

/* Of all this h5 ignores everything, as Keras does. */
static const struct wh_checkpoint_options *
checkpoint_options(const struct wh_save_options *from,
		   const struct wh_format *format)
{
	return format->takes_checkpoint_options ? from->options : NULL;
}

static void call_back(const struct wh_checkpoint_options *options,
		      const char *path)
{
	size_t i;

	for (i = 0; options && i < options->n_write_callbacks; i++)
		options->experimental_write_callbacks[i](
			path, options->write_callbacks_arg);
}

static struct wh_plan_options plan_options(const struct wh_save_options *from,
					   const struct wh_format *format,
					   const char *filepath)
{
	const struct wh_checkpoint_options *checkpoint =
		checkpoint_options(from, format);
	struct wh_plan_options options = from->plan;

	options.filepath = filepath;
	if (!checkpoint)
		return options;
	if (checkpoint->experimental_sharding_max_shard_size)
		options.max_shard_size =
			checkpoint->experimental_sharding_max_shard_size;
	options.async_layout |=
		checkpoint->enable_async ||
		checkpoint->experimental_enable_async_checkpoint;
	return options;
}

static bool has_file(struct wh_plan *plan, const char *path, const char *name)
{
	uint32_t i;

	for (i = 0; i < wh_plan_n_images(plan); i++) {
		char *file wh_free_auto =
			wh_image_path(path, wh_plan_image(plan, i)->suffix);
		const char *slash = file ? strrchr(file, '/') : NULL;

		if (!file || strcmp(slash ? slash + 1 : file, name) == 0)
			return true;
	}
	return false;
}

/* A file that stands beside those of the save: removed, or spoken of. */
static enum wh_status settle_file(struct wh_plan *plan, int folder,
				  const char *name, enum wh_beside what,
				  struct wh_error *err)
{
	if (what == WH_BESIDE_REPLACED)
		unlinkat(folder, name, 0);
	if (what == WH_BESIDE_TWIN)
		return wh_plan_warn(plan, err,
				    "'%s' is another checkpoint, which stays",
				    name);
	return WH_OK;
}

/* What the checkpoint that was there before has left. */
static enum wh_status settle_others(struct wh_plan *plan,
				    const struct wh_format *format,
				    const char *path, struct wh_error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder wh_free_auto =
		slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	DIR *listing = folder ? opendir(folder) : NULL;
	enum wh_status status = WH_OK;
	struct dirent *at;

	while (!status && listing && (at = readdir(listing))) {
		enum wh_beside what = format->beside(plan, path, at->d_name);

		if (what && !has_file(plan, path, at->d_name))
			status = settle_file(plan, dirfd(listing), at->d_name,
					     what, err);
	}
	if (listing)
		closedir(listing);
	return status;
}

static enum wh_status save_plan(struct wh_plan *plan,
				const struct wh_format *format,
				const char *filepath,
				const struct wh_save_options *options,
				struct wh_saved *saved, struct wh_error *err)
{
	WH_TRY(check_overwrite(plan, filepath, options, err));
	WH_TRY(write_files(plan, filepath, format->makes_folders, options,
			   saved, err));
	/* As TensorFlow: before the state file names the checkpoint. */
	call_back(checkpoint_options(options, format), filepath);
	if (format->finish)
		WH_TRY(format->finish(filepath, &options->state, err));
	if (format->beside)
		WH_TRY(settle_others(plan, format, filepath, err));
	tell_warnings(plan, options);
	return WH_OK;
}

static enum wh_status check_options(const struct wh_save_options *options,
				    struct wh_error *err)
{
	if ((unsigned)options->overwrite <= WH_OVERWRITE_REFUSE &&
	    (unsigned)options->state.state <= WH_STATE_UNTOUCHED)
		return WH_OK;
	return wh_fail(err, WH_EINVAL,
		       "there is no way %d to overwrite, or no state %d",
		       (int)options->overwrite, (int)options->state.state);
}

enum wh_status wh_save_source(struct wh_source *source, const char *filepath,
			      const struct wh_save_options *given,
			      struct wh_saved *saved, struct wh_error *err)
{
	const struct wh_save_options *options =
		given ? given : &default_options;
	struct wh_plan_options planning;
	const struct wh_format *format;
	struct wh_saved made = {0};
	enum wh_status status;
	struct wh_plan *plan;

	WH_TRY(check_options(options, err));
	WH_TRY(wh_choose_format(filepath, options->save_format,
				options->library, &format, err));
	planning = plan_options(options, format, filepath);
	WH_TRY(wh_plan_for(source, format, &planning, options->canonical, &plan,
			   &made.reproduced, err));
	status = save_plan(plan, format, filepath, options,
			   saved ? &made : NULL, err);
	wh_plan_free(plan);
	if (status) {
		wh_saved_free(&made);
		return status;
	}
	made.format = format->name;
	if (saved)
		*saved = made;
	return WH_OK;
}

enum wh_status wh_save_weights(struct wh_store *store, const char *revision,
			       const char *filepath,
			       const struct wh_save_options *options,
			       struct wh_error *err)
{
	const struct wh_format *format;
	struct wh_source *source;
	enum wh_status status;

	/* A missing format fails here, before anything is opened. */
	WH_TRY(wh_choose_format(filepath, options ? options->save_format : NULL,
				options ? options->library : NULL, &format,
				err));
	WH_TRY(wh_snapshot_open(store, revision, &source, err));
	status = wh_save_source(source, filepath, options, NULL, err);
	wh_source_close(source);
	return status;
}

/* ---- Streams
 * ------------------------------------------------------------------------ */

static enum wh_status report(const struct wh_save_options *options,
			     uint64_t done, uint64_t size, struct wh_error *err)
{
	if (!options->progress || (done % PROGRESS_EACH && done < size) ||
	    options->progress(options->arg, "writing", done, size))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status write_stream(struct wh_plan *plan, int fd,
				   const struct wh_save_options *options,
				   struct wh_error *err)
{
	uint64_t offset, size = wh_plan_image(plan, 0)->size;
	uint8_t *piece wh_free_auto = malloc(PIECE);

	if (!piece)
		return wh_fail_memory(err);
	for (offset = 0; offset < size; offset += PIECE) {
		uint64_t left = size - offset;
		size_t len = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(wh_plan_read(plan, 0, offset, piece, len, err));
		if (!write_on(fd, piece, len))
			return wh_fail_errno(err, errno, "stream");
		WH_TRY(report(options, offset + len, size, err));
	}
	return check_source(plan, err);
}

enum wh_status wh_save_stream(struct wh_source *source,
			      const struct wh_format *format, int fd,
			      const struct wh_save_options *given,
			      struct wh_error *err)
{
	const struct wh_save_options *options =
		given ? given : &default_options;
	struct wh_plan_options planning = plan_options(options, format, NULL);
	enum wh_status status;
	struct wh_plan *plan;
	bool reproduced;

	WH_TRY(wh_plan_for(source, format, &planning, options->canonical, &plan,
			   &reproduced, err));
	status = plan_check(plan, err);
	if (!status && wh_plan_n_images(plan) != 1)
		status = wh_fail(err, WH_EINVAL,
				 "format %s has several files; it needs a path",
				 format->name);
	if (!status)
		tell_warnings(plan, options);
	if (!status)
		status = write_stream(plan, fd, options, err);
	wh_plan_free(plan);
	return status;
}
