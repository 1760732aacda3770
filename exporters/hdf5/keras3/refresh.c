#include "hdf5/keras3/refresh.h"

#include "base/endian.h"
#include "zip/write.h"

#define MEMBER "model.weights.h5"
/* Where a member's CRC-32 is in its two headers (zip/layout.h). */
#define LOCAL_CRC     14u
#define DIRECTORY_CRC 16u
#define CRC_SIZE      4u

static enum wh_status add_integer(struct manifest_builder *builder,
				  const char *key, uint64_t value,
				  struct wh_error *err)
{
	struct wh_attribute attribute = {.path = MEMBER,
					 .key = key,
					 .kind = WH_VALUE_INTEGER,
					 .integer = (int64_t)value};

	return manifest_add_attribute(builder, &attribute, err);
}

enum wh_status keras3_refresh_note(struct manifest_builder *builder,
				   const struct zip_member *member,
				   struct wh_error *err)
{
	/* What follows its data with a checksum is not brought up to date. */
	if (member->has_descriptor)
		return WH_OK;
	WH_TRY(add_integer(builder, "header", member->header, err));
	WH_TRY(add_integer(builder, "offset", member->offset, err));
	WH_TRY(add_integer(builder, "size", member->size, err));
	return add_integer(builder, "entry", member->entry, err);
}

static bool read_integer(const struct wh_manifest *manifest, const char *key,
			 uint64_t *value)
{
	const struct wh_attribute *at =
		manifest_attribute(manifest, MEMBER, key);

	if (!at || at->kind != WH_VALUE_INTEGER || at->integer < 0)
		return false;
	*value = (uint64_t)at->integer;
	return true;
}

/* ---- Four bytes of an image ------------------------------------------- */

/* The part of an extent from byte `from` to `to` of the file. */
static enum wh_status copy_part(struct wh_image *out,
				const struct wh_image *image,
				const struct wh_extent *extent, uint64_t from,
				uint64_t to, struct wh_error *err)
{
	struct wh_extent part = *extent;

	if (from < extent->offset)
		from = extent->offset;
	if (to > extent->offset + extent->length)
		to = extent->offset + extent->length;
	if (from >= to)
		return WH_OK;
	part.start += from - extent->offset;
	part.length = to - from;
	part.offset = out->size;
	if (part.tensor == WH_LITERAL)
		return wh_image_literal(out, image->literals.data + part.start,
					(size_t)part.length, err);
	return wh_image_extent(out, &part, err);
}

/* Only bytes between payloads are replaced, and payloads stay whole. */
static enum wh_status replace(struct wh_image *image, uint64_t at,
			      const uint8_t bytes[CRC_SIZE],
			      struct wh_error *err)
{
	struct wh_image made = {0};
	enum wh_status status = WH_OK;
	size_t i;

	for (i = 0; i < image->n_extents && !status; i++) {
		const struct wh_extent *extent = &image->extents[i];
		uint64_t end = extent->offset + extent->length;

		status = copy_part(&made, image, extent, 0, at, err);
		if (!status && at >= extent->offset && at < end)
			status = wh_image_literal(&made, bytes, CRC_SIZE, err);
		if (!status)
			status = copy_part(&made, image, extent, at + CRC_SIZE,
					   UINT64_MAX, err);
	}
	if (status) {
		zip_content_free(&made);
		return status;
	}
	made.suffix = image->suffix;
	made.commits = image->commits;
	image->suffix = NULL;
	zip_content_free(image);
	*image = made;
	return WH_OK;
}

enum wh_status keras3_refresh(struct wh_plan *plan, struct wh_error *err)
{
	struct wh_source *source = wh_plan_source(plan);
	struct wh_image *image = wh_plan_image(plan, 0);
	uint64_t header, offset, size, entry;
	uint8_t bytes[CRC_SIZE];
	uint32_t crc;

	if (!read_integer(&source->manifest, "header", &header) ||
	    !read_integer(&source->manifest, "offset", &offset) ||
	    !read_integer(&source->manifest, "size", &size) ||
	    !read_integer(&source->manifest, "entry", &entry))
		return WH_OK;
	WH_TRY(wh_source_weigh(source, WH_CRC32, 0, NULL, NULL, err));
	WH_TRY(zip_crc32(source, image, offset, size, &crc, err));
	WH_TRY(wh_plan_read(plan, 0, entry + DIRECTORY_CRC, bytes, CRC_SIZE,
			    err));
	if (get_le32(bytes) == crc)
		return WH_OK;
	put_le32(bytes, crc);
	WH_TRY(replace(image, header + LOCAL_CRC, bytes, err));
	return replace(wh_plan_image(plan, 0), entry + DIRECTORY_CRC, bytes,
		       err);
}
