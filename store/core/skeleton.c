#include "core/skeleton.h"

enum wh_status skeleton_begin(struct skeleton *skeleton, struct arena *arena,
			      uint64_t max_runs, uint32_t tensor,
			      skeleton_read_fn *read, void *arg,
			      struct wh_error *err)
{
	*skeleton = (struct skeleton){
		.runs = arena_alloc(arena, (size_t)max_runs,
				    sizeof(*skeleton->runs)),
		.tensor = tensor,
		.read = read,
		.arg = arg,
	};
	return skeleton->runs ? WH_OK : wh_fail_memory(err);
}

static void cover_gap(struct cover *cover, uint64_t end)
{
	struct skeleton *skeleton = cover->skeleton;
	struct wh_template_file *file = cover->file;
	uint64_t length = end - cover->at;

	if (length == 0)
		return;
	file->extents[file->n_extents++] =
		(struct wh_extent){.offset = cover->at,
				   .length = length,
				   .tensor = skeleton->tensor,
				   .start = skeleton->size};
	skeleton->runs[skeleton->n_runs++] = (struct skeleton_run){
		skeleton->size, cover->at, length, cover->number};
	skeleton->size += length;
	cover->at = end;
}

void cover_payload(struct cover *cover, const struct wh_extent *extent)
{
	if (extent->offset < cover->at)
		return;
	cover_gap(cover, extent->offset);
	cover->file->extents[cover->file->n_extents++] = *extent;
	cover->at += extent->length;
}

void cover_end(struct cover *cover)
{
	cover_gap(cover, cover->file->size);
}

/* The run that byte `offset` is in. */
static const struct skeleton_run *find_run(const struct skeleton *skeleton,
					   uint64_t offset)
{
	uint32_t low = 0, high = skeleton->n_runs;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (skeleton->runs[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &skeleton->runs[low];
}

enum wh_status skeleton_read(const struct skeleton *skeleton, uint64_t offset,
			     void *buf, size_t len, struct wh_error *err)
{
	const struct skeleton_run *run = find_run(skeleton, offset);
	uint8_t *out = buf;

	for (; len; run++) {
		uint64_t skip = offset - run->start;
		size_t some = len;

		if (some > run->length - skip)
			some = (size_t)(run->length - skip);
		WH_TRY(skeleton->read(skeleton->arg, run, skip, out, some,
				      err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}
