/* Opening checkpoints of any format, and proving their templates. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "engine.h"
#include "plan_internal.h"

/* A skeleton over both of these is not worth keeping. */
#define MAX_SKELETON   ((uint64_t)1 << 20)
#define SKELETON_SHARE 10 /* a tenth of the files */

/* ---- Opening
 * ------------------------------------------------------------------ */

/* A file that a format of another build would take: its signature says so. */
static const struct wh_format *find_missing(const char *path)
{
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC);
	char *index wh_free_auto = wh_image_path(path, ".index");
	uint8_t head[8];

	if (fd >= 0 && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head, "\x89HDF\r\n\x1a\n", sizeof(head)) == 0)
		return wh_format_by_name(NULL, "h5");
	if (index && access(index, F_OK) == 0)
		return wh_format_by_name(NULL, "tf");
	return NULL;
}

/* "h5, tf": what this build reads. */
static void list_readable(const struct wh_library *library, char *text,
			  size_t size)
{
	const struct wh_format *const *at;
	size_t len = 0;

	*text = '\0';
	for (at = wh_formats(library); *at && len < size; at++)
		if ((*at)->load)
			len += (size_t)snprintf(text + len, size - len, "%s%s",
						len ? ", " : "", (*at)->name);
}

static enum wh_status nothing_found(const struct wh_library *library,
				    const char *path, struct wh_error *err)
{
	const struct wh_format *missing = find_missing(path);
	char readable[256];
	struct stat at;

	if (missing && missing->missing)
		return wh_fail(err, WH_EUNSUPPORTED, "'%s' is %s: %s", path,
			       missing->name, missing->missing);
	if (stat(path, &at))
		return wh_fail_errno(err, errno, "'%s'", path);
	if (S_ISREG(at.st_mode) && at.st_size == 0)
		return wh_fail(err, WH_ECORRUPT, "'%s' is empty", path);
	list_readable(library, readable, sizeof(readable));
	return wh_fail(err, WH_ECORRUPT,
		       "'%s' is no checkpoint that is read here (%s)", path,
		       readable);
}

static enum wh_status open_as(const struct wh_format *format, const char *path,
			      const struct wh_load_options *options,
			      struct wh_source **source, struct wh_error *err)
{
	if (format->missing)
		return wh_fail(err, WH_EUNSUPPORTED, "format %s: %s",
			       format->name, format->missing);
	if (!format->load)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "format %s is written here, not read",
			       format->name);
	return format->load(path, options, source, err);
}

enum wh_status open_by_content(const char *path,
			       const struct wh_load_options *options,
			       const struct wh_format **format,
			       struct wh_source **source, struct wh_error *err)
{
	const struct wh_format *const *at = wh_formats(options->library);
	enum wh_status status = WH_EMISMATCH;

	for (*format = NULL; *at && status == WH_EMISMATCH; at++)
		if ((*at)->probe && (*at)->probe(path)) {
			*format = *at;
			status = open_as(*at, path, options, source, err);
		}
	return *format ? status : nothing_found(options->library, path, err);
}

enum wh_status wh_checkpoint_open(const char *path, const char *name,
				  const struct wh_load_options *given,
				  struct wh_source **source,
				  struct wh_error *err)
{
	static const struct wh_load_options defaults;
	const struct wh_load_options *options = given ? given : &defaults;
	const struct wh_format *format;
	enum wh_status status;

	if (!name)
		return open_by_content(path, options, &format, source, err);
	format = wh_format_by_name(options->library, name);
	if (!format)
		return wh_fail(err, WH_EINVAL, "there is no format '%s'", name);
	status = open_as(format, path, options, source, err);
	if (status != WH_EMISMATCH)
		return status;
	/* No other format is asked: the file is not of the one named. */
	if (err)
		err->status = WH_EUNSUPPORTED;
	return WH_EUNSUPPORTED;
}

/* ---- Proving
 * -------------------------------------------------------------------- */

/* A payload of this size or more is compared by its ends alone, where plan and
 * template say that it lies at the same place of the file: the source reads it
 * from there, and the comparison would be of the file with itself. */
#define LONG_PAYLOAD ((uint64_t)64 << 10)
#define PAYLOAD_END  ((uint64_t)4 << 10)

/* The planned image against the file, which its template describes. */
static enum wh_status compare_rest(struct wh_plan *plan, uint32_t index, int fd,
				   const struct wh_template_file *file,
				   bool *equal, struct wh_error *err)
{
	const struct wh_image *image = wh_plan_image(plan, index);
	uint64_t begin = 0;
	size_t i;

	*equal = file->size == image->size;
	for (i = 0; i < image->n_extents && *equal; i++) {
		const struct wh_extent *at = &image->extents[i];

		if (at->length < LONG_PAYLOAD || at->tensor == WH_LITERAL ||
		    !lies_where_it_was(at, file))
			continue;
		WH_TRY(compare_range(plan, index, fd, file, begin,
				     at->offset + PAYLOAD_END, equal, err));
		begin = at->offset + at->length - PAYLOAD_END;
	}
	if (!*equal)
		return WH_OK;
	return compare_range(plan, index, fd, file, begin, image->size, equal,
			     err);
}

static enum wh_status image_equals(struct wh_plan *plan, uint32_t i,
				   const char *path,
				   const struct wh_template_file *file,
				   bool *equal, struct wh_error *err)
{
	char *name wh_free_auto = NULL;
	enum wh_status status;
	int fd;

	name = wh_image_path(path, wh_plan_image(plan, i)->suffix);
	if (!name)
		return wh_fail_memory(err);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	*equal = fd >= 0;
	if (fd < 0 && errno == ENOENT)
		return WH_OK;
	if (fd < 0)
		return wh_fail_errno(err, errno, "'%s'", name);
	*equal = lseek(fd, 0, SEEK_END) == (off_t)file->size;
	status = *equal ? compare_rest(plan, i, fd, file, equal, err) : WH_OK;
	close(fd);
	return status;
}

/* Takes the plan. */
static enum wh_status plan_equals(struct wh_plan *plan,
				  const struct wh_template *template_,
				  const char *path, bool *equal,
				  struct wh_error *err)
{
	enum wh_status status = WH_OK;
	uint32_t i;

	*equal = wh_plan_n_images(plan) == template_->n_files;
	for (i = 0; i < template_->n_files && *equal && !status; i++)
		status = image_equals(plan, i, path, &template_->files[i],
				      equal, err);
	wh_plan_free(plan);
	return status;
}

static void forget_skeleton(struct wh_manifest *manifest)
{
	manifest->n_hidden = 0;
	if (manifest->template_)
		manifest->template_->skeleton = WH_LITERAL;
}

/* Whether tensors come as layers list them: so they do out of a store. */
static bool is_in_layers_order(const struct wh_manifest *manifest)
{
	uint32_t i, k, n = 0;

	for (i = 0; i < manifest->n_layers; i++)
		for (k = 0; k < manifest->layers[i].n_variables; k++)
			if (manifest->layers[i].variables[k].tensor != n++)
				return false;
	return true;
}

/* A flag says no order: where the planner has none but the manifest's, only
 * the template brings back one that layers don't have. */
static bool would_lose_order(const struct wh_manifest *manifest,
			     const struct wh_format *format)
{
	return format->keeps_order && !manifest->graph &&
	       !is_in_layers_order(manifest);
}

static enum wh_status prove_canonical(struct wh_source *source,
				      const struct wh_format *format,
				      const char *path, bool *equal,
				      struct wh_error *err)
{
	struct wh_plan_options options = {.bfloat16_opaque = true,
					  .filepath = path};
	struct wh_template *template_ = source->manifest.template_;
	enum wh_status status;
	struct wh_plan *plan;
	uint32_t i;

	*equal = false;
	if (!format->plan || would_lose_order(&source->manifest, format))
		return WH_OK;
	status = wh_source_weigh(source, format->needs, 0, NULL, NULL, err);
	if (status)
		return status;
	/* What the planner refuses is not canonical. */
	status = format->plan(source, &options, &plan, NULL);
	if (status == WH_ENOMEM)
		return wh_fail_memory(err);
	if (status)
		return WH_OK;
	WH_TRY(plan_equals(plan, template_, path, equal, err));
	for (i = 0; i < template_->n_files && *equal; i++) {
		template_->files[i].canonical = true;
		template_->files[i].n_extents = 0;
	}
	if (*equal)
		forget_skeleton(&source->manifest);
	return WH_OK;
}

static bool is_worth_keeping(const struct wh_manifest *manifest)
{
	const struct wh_template *template_ = manifest->template_;
	uint64_t total = 0, skeleton = 0;
	uint32_t i;

	for (i = 0; i < template_->n_files; i++)
		total += template_->files[i].size;
	if (template_->skeleton != WH_LITERAL)
		skeleton = manifest->tensors[template_->skeleton].nbytes;
	return skeleton <= MAX_SKELETON || skeleton <= total / SKELETON_SHARE;
}

static enum wh_status prove_template(struct wh_source *source,
				     const struct wh_format *format,
				     const char *path, bool *equal,
				     struct wh_error *err)
{
	struct wh_plan_options options = {0};
	enum wh_status status;
	struct wh_plan *plan;

	*equal = is_worth_keeping(&source->manifest);
	if (!*equal)
		return WH_OK;
	WH_TRY(wh_plan_for(source, format, &options, false, &plan, equal, err));
	status = plan_check(plan, NULL);
	if (status) {
		wh_plan_free(plan);
		*equal = false;
		return status == WH_ENOMEM ? wh_fail_memory(err) : WH_OK;
	}
	return plan_equals(plan, source->manifest.template_, path, equal, err);
}

enum wh_status wh_checkpoint_prove(struct wh_source *source, const char *path,
				   const struct wh_library *library,
				   bool *reproducible, struct wh_error *err)
{
	struct wh_template *template_ = source->manifest.template_;
	char *resolved wh_free_auto = NULL;
	const struct wh_format *format;

	*reproducible = false;
	if (!template_)
		return WH_OK;
	format = wh_format_by_name(library, template_->format);
	if (!format)
		return wh_fail(err, WH_EINVAL, "there is no format '%s'",
			       template_->format);
	if (format->resolve)
		WH_TRY(format->resolve(path, &resolved, err));
	path = resolved ? resolved : path;
	WH_TRY(prove_canonical(source, format, path, reproducible, err));
	if (!*reproducible)
		WH_TRY(prove_template(source, format, path, reproducible, err));
	if (!*reproducible) {
		source->manifest.template_ = NULL;
		source->manifest.n_hidden = 0;
	}
	return WH_OK;
}
