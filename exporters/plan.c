/* Plans: files laid out as extents, and reading them before they exist. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/checked.h"
#include "base/elements.h"
#include "base/error.h"
#include "plan_internal.h"

#define FIRST_GROWTH 8u

struct wh_plan {
	struct wh_source *source;
	struct wh_source *filter; /* owned; or NULL */
	struct wh_image *images;
	uint32_t n_images;
	struct arena arena; /* of the warnings */
	const char **warnings;
	uint32_t n_warnings;
};

enum wh_status wh_plan_new(struct wh_source *source, struct wh_plan **plan,
			   struct wh_error *err)
{
	struct wh_plan *new = calloc(1, sizeof(*new));

	if (!new)
		return wh_fail_memory(err);
	new->source = source;
	*plan = new;
	return WH_OK;
}

void wh_plan_free(struct wh_plan *plan)
{
	uint32_t i;

	if (!plan)
		return;
	for (i = 0; i < plan->n_images; i++) {
		free(plan->images[i].suffix);
		free(plan->images[i].extents);
		wh_buf_free(&plan->images[i].literals);
	}
	free(plan->images);
	free(plan->warnings);
	arena_free(&plan->arena);
	wh_source_close(plan->filter);
	free(plan);
}

void plan_adopt(struct wh_plan *plan, struct wh_source *filter)
{
	plan->filter = filter;
}

struct wh_source *wh_plan_source(struct wh_plan *plan)
{
	return plan->source;
}

uint32_t wh_plan_n_images(const struct wh_plan *plan)
{
	return plan->n_images;
}

struct wh_image *wh_plan_image(struct wh_plan *plan, uint32_t index)
{
	return &plan->images[index];
}

uint64_t plan_size(struct wh_plan *plan)
{
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < plan->n_images; i++)
		size += plan->images[i].size;
	return size;
}

/* Grows by doubling: whether `n` is full follows from its being 0 or a power
 * of two, so no capacity needs keeping. */
static void *grow_by_one(void *items, uint32_t n, size_t size)
{
	if (n & (n - 1))
		return items;
	return reallocarray(items, n ? (size_t)n * 2 : 1, size);
}

enum wh_status wh_plan_add_image(struct wh_plan *plan, const char *suffix,
				 bool commits, struct wh_image **image,
				 struct wh_error *err)
{
	struct wh_image *images = grow_by_one(plan->images, plan->n_images,
					      sizeof(*plan->images));
	char *copy;

	if (!images)
		return wh_fail_memory(err);
	plan->images = images;
	copy = strdup(suffix);
	if (!copy)
		return wh_fail_memory(err);
	images[plan->n_images] =
		(struct wh_image){.suffix = copy, .commits = commits};
	*image = &images[plan->n_images++];
	return WH_OK;
}

bool path_ends(const char *path, const char *end, size_t len)
{
	size_t whole = strlen(path);

	return whole >= len && memcmp(path + whole - len, end, len) == 0;
}

char *wh_image_path(const char *path, const char *suffix)
{
	const char *star = strchr(suffix, '*');
	size_t old = star ? (size_t)(star - suffix) : 0;
	size_t kept = strlen(path);
	char *joined;

	if (path_ends(path, suffix, old))
		kept -= old;
	if (asprintf(&joined, "%.*s%s", (int)kept, path,
		     star ? star + 1 : suffix) < 0)
		return NULL;
	return joined;
}

static enum wh_status grow_extents(struct wh_image *image, size_t capacity,
				   struct wh_error *err)
{
	struct wh_extent *extents =
		reallocarray(image->extents, capacity, sizeof(*extents));

	if (!extents)
		return wh_fail_memory(err);
	image->extents = extents;
	image->extents_capacity = capacity;
	return WH_OK;
}

enum wh_status wh_image_reserve(struct wh_image *image, size_t n,
				struct wh_error *err)
{
	if (n > SIZE_MAX - image->n_extents)
		return wh_fail_memory(err);
	n += image->n_extents;
	return n > image->extents_capacity ? grow_extents(image, n, err)
					   : WH_OK;
}

static enum wh_status add_extent(struct wh_image *image,
				 const struct wh_extent *extent,
				 struct wh_error *err)
{
	size_t capacity = image->extents_capacity;
	uint64_t size;

	if (!checked_add(image->size, extent->length, &size))
		return wh_fail(err, WH_EINVAL, "a file can't be that large");
	if (image->n_extents == capacity)
		WH_TRY(grow_extents(
			image, capacity ? capacity * 2 : FIRST_GROWTH, err));
	image->extents[image->n_extents++] = *extent;
	image->size = size;
	return WH_OK;
}

enum wh_status wh_image_extent(struct wh_image *image,
			       const struct wh_extent *extent,
			       struct wh_error *err)
{
	if (extent->offset != image->size)
		return wh_fail(err, WH_EINVAL,
			       "an extent at byte %llu can't follow byte %llu",
			       (unsigned long long)extent->offset,
			       (unsigned long long)image->size);
	return extent->length ? add_extent(image, extent, err) : WH_OK;
}

enum wh_status wh_image_literal(struct wh_image *image, const void *bytes,
				size_t len, struct wh_error *err)
{
	uint64_t start = image->literals.size;
	struct wh_extent *last = NULL;

	if (len == 0)
		return WH_OK;
	WH_TRY(wh_buf_append(&image->literals, bytes, len, err));
	if (image->n_extents)
		last = &image->extents[image->n_extents - 1];
	if (last && last->tensor == WH_LITERAL && !last->run &&
	    last->swap <= 1 && last->start + last->length == start) {
		last->length += len;
		image->size += len;
		return WH_OK;
	}
	return add_extent(image,
			  &(struct wh_extent){.offset = image->size,
					      .length = len,
					      .tensor = WH_LITERAL,
					      .start = start},
			  err);
}

enum wh_status wh_image_payload(struct wh_image *image, uint32_t tensor,
				uint64_t start, uint64_t length,
				struct wh_error *err)
{
	return wh_image_extent(image,
			       &(struct wh_extent){.offset = image->size,
						   .length = length,
						   .tensor = tensor,
						   .start = start},
			       err);
}

enum wh_status wh_plan_warn(struct wh_plan *plan, struct wh_error *err,
			    const char *format, ...)
{
	const char **warnings = grow_by_one(plan->warnings, plan->n_warnings,
					    sizeof(*warnings));
	char sentence[WH_ERROR_SIZE];
	va_list args;

	if (!warnings)
		return wh_fail_memory(err);
	plan->warnings = warnings;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	warnings[plan->n_warnings] = arena_strdup(&plan->arena, sentence);
	if (!warnings[plan->n_warnings])
		return wh_fail_memory(err);
	plan->n_warnings++;
	return WH_OK;
}

uint32_t wh_plan_n_warnings(const struct wh_plan *plan)
{
	return plan->n_warnings;
}

const char *wh_plan_warning(const struct wh_plan *plan, uint32_t index)
{
	return plan->warnings[index];
}

size_t image_find(const struct wh_image *image, uint64_t offset)
{
	size_t low = 0, high = image->n_extents;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (image->extents[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Bytes that lie together in the literals or the payload. */
static enum wh_status read_flat(struct wh_plan *plan,
				const struct wh_image *image,
				const struct wh_extent *extent, uint64_t start,
				uint8_t *out, size_t len, struct wh_error *err)
{
	if (extent->tensor != WH_LITERAL)
		return wh_source_read(plan->source, extent->tensor, start, out,
				      len, err);
	if (!range_fits(start, len, image->literals.size))
		return wh_fail(err, WH_EINVAL,
			       "an extent lies outside its literals");
	memcpy(out, image->literals.data + start, len);
	return WH_OK;
}

/* `len` bytes from byte `at` of the extent, in the payload's byte order. */
static enum wh_status read_runs(struct wh_plan *plan,
				const struct wh_image *image,
				const struct wh_extent *extent, uint64_t at,
				uint8_t *out, size_t len, struct wh_error *err)
{
	if (extent->run == 0)
		return read_flat(plan, image, extent, extent->start + at, out,
				 len, err);
	while (len) {
		uint64_t within = at % extent->run;
		uint64_t left = extent->run - within;
		size_t some = left < len ? (size_t)left : len;

		WH_TRY(read_flat(plan, image, extent,
				 extent->start +
					 at / extent->run * extent->stride +
					 within,
				 out, some, err));
		out += some;
		at += some;
		len -= some;
	}
	return WH_OK;
}

/* What a read of an extent needs. */
struct reading {
	struct wh_plan *plan;
	const struct wh_image *image;
	const struct wh_extent *extent;
};

static enum wh_status read_stored(void *arg, uint64_t at, uint8_t *out,
				  size_t len, struct wh_error *err)
{
	const struct reading *reading = arg;

	return read_runs(reading->plan, reading->image, reading->extent, at,
			 out, len, err);
}

static enum wh_status read_extent(struct wh_plan *plan,
				  const struct wh_image *image,
				  const struct wh_extent *extent, uint64_t at,
				  uint8_t *out, size_t len,
				  struct wh_error *err)
{
	struct reading reading = {plan, image, extent};

	return elements_read_swapped(read_stored, &reading, extent->swap, at,
				     out, len, err);
}

enum wh_status wh_plan_read(struct wh_plan *plan, uint32_t index,
			    uint64_t offset, void *buf, size_t len,
			    struct wh_error *err)
{
	const struct wh_image *image;
	uint8_t *out = buf;
	size_t i;

	if (index >= plan->n_images)
		return wh_fail(err, WH_EINVAL, "there is no file %u", index);
	image = &plan->images[index];
	if (!range_fits(offset, len, image->size))
		return wh_fail(err, WH_EINVAL,
			       "the file has %llu bytes; none at %llu",
			       (unsigned long long)image->size,
			       (unsigned long long)offset + len);
	if (len == 0)
		return WH_OK;
	for (i = image_find(image, offset); len; i++) {
		const struct wh_extent *extent = &image->extents[i];
		uint64_t at = offset - extent->offset;
		size_t some = len;

		if (some > extent->length - at)
			some = (size_t)(extent->length - at);
		WH_TRY(read_extent(plan, image, extent, at, out, some, err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}
