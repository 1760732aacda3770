/* Whether a file holds an image's very bytes.
 *
 * A piece of the file is read and held against what the plan makes of the same
 * range. A small payload that is weighed isn't read a second time for that, if
 * the template says that it lies in the file where the plan puts it: that is
 * where the source reads it, so its bytes in the file are held against the sum
 * of those that were weighed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/reader.h"
#include "engine.h"
#include "plan_internal.h"

/* Two of them stay in a core's cache. */
#define PIECE ((size_t)128 << 10)

struct comparing {
	struct wh_plan *plan;
	const struct wh_image *image;
	const struct wh_template_file *file; /* or NULL */
	uint32_t index;
	int fd;
	uint8_t *planned, *written; /* PIECE each */
};

/* ---- Where payloads lie ---------------------------------------------------
 */

static const struct wh_extent *find_place(const struct wh_template_file *file,
					  uint64_t offset)
{
	uint32_t low = 0, high = file->n_extents;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (file->extents[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < file->n_extents ? &file->extents[low] : NULL;
}

bool lies_where_it_was(const struct wh_extent *planned,
		       const struct wh_template_file *file)
{
	const struct wh_extent *own = find_place(file, planned->offset);

	return own && own->offset == planned->offset &&
	       own->length == planned->length &&
	       own->tensor == planned->tensor && own->start == planned->start &&
	       own->swap == planned->swap && !own->stride && !planned->stride;
}

/* Whether the sum of the file's bytes says what reading the payload would. */
static bool is_summed(const struct comparing *c, const struct wh_extent *at)
{
	const struct wh_tensor *tensor;

	if (!c->file || at->tensor == WH_LITERAL || at->swap > 1)
		return false;
	tensor = &wh_plan_source(c->plan)->manifest.tensors[at->tensor];
	return tensor->weighed & WH_CRC32C && at->start == 0 &&
	       at->length == tensor->nbytes && lies_where_it_was(at, c->file);
}

/* ---- Bytes ----------------------------------------------------------------
 */

/* From `from` to `to`, whose bytes in the file are these. */
static enum wh_status compare_bytes(const struct comparing *c, uint64_t from,
				    uint64_t to, const uint8_t *bytes,
				    bool *equal, struct wh_error *err)
{
	size_t len = (size_t)(to - from);

	if (len == 0)
		return WH_OK;
	WH_TRY(wh_plan_read(c->plan, c->index, from, c->planned, len, err));
	*equal = memcmp(c->planned, bytes, len) == 0;
	return WH_OK;
}

static bool has_sum(const struct comparing *c, const struct wh_extent *at,
		    const uint8_t *bytes)
{
	const struct wh_manifest *manifest = &wh_plan_source(c->plan)->manifest;

	return crc32c_update(0, bytes, (size_t)at->length) ==
	       manifest->tensors[at->tensor].crc32c;
}

static enum wh_status compare_piece(const struct comparing *c, uint64_t offset,
				    size_t len, bool *equal,
				    struct wh_error *err)
{
	uint64_t end = offset + len, from = offset;
	size_t i = image_find(c->image, offset);

	ssize_t got = read_at(c->fd, offset, c->written, len);

	if (got < 0)
		return wh_fail_errno(err, errno, "can't read it back");
	*equal = (size_t)got == len;
	for (; i < c->image->n_extents && *equal; i++) {
		const struct wh_extent *at = &c->image->extents[i];

		if (at->offset >= end)
			break;
		if (at->offset < offset || at->length > end - at->offset ||
		    !is_summed(c, at))
			continue;
		WH_TRY(compare_bytes(c, from, at->offset,
				     c->written + (from - offset), equal, err));
		*equal = *equal &&
			 has_sum(c, at, c->written + (at->offset - offset));
		from = at->offset + at->length;
	}
	if (!*equal)
		return WH_OK;
	return compare_bytes(c, from, end, c->written + (from - offset), equal,
			     err);
}

enum wh_status compare_range(struct wh_plan *plan, uint32_t image, int fd,
			     const struct wh_template_file *file,
			     uint64_t begin, uint64_t end, bool *equal,
			     struct wh_error *err)
{
	uint8_t *pieces = malloc(2 * PIECE);
	struct comparing comparing = {.plan = plan,
				      .image = wh_plan_image(plan, image),
				      .file = file,
				      .index = image,
				      .fd = fd,
				      .planned = pieces};
	enum wh_status status = WH_OK;
	uint64_t offset;

	if (!pieces)
		return wh_fail_memory(err);
	comparing.written = pieces + PIECE;
	*equal = true;
	for (offset = begin; offset < end && *equal && !status;
	     offset += PIECE) {
		uint64_t left = end - offset;

		status = compare_piece(&comparing, offset,
				       (size_t)(left < PIECE ? left : PIECE),
				       equal, err);
	}
	free(pieces);
	return status;
}

enum wh_status compare_image(struct wh_plan *plan, uint32_t image, int fd,
			     bool *equal, struct wh_error *err)
{
	uint64_t size = wh_plan_image(plan, image)->size;

	*equal = lseek(fd, 0, SEEK_END) == (off_t)size;
	if (!*equal)
		return WH_OK;
	return compare_range(plan, image, fd, NULL, 0, size, equal, err);
}
