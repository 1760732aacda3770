#include "core/skeleton.h"

#include <stdlib.h>

#include "base/array.h"

/* ---- Payloads ------------------------------------------------------------ */

void payloads_free(struct payloads *payloads)
{
	free(payloads->list);
	*payloads = (struct payloads){0};
}

enum wh_status payloads_add(struct payloads *payloads, uint32_t file,
			    const struct wh_extent *extent,
			    struct wh_error *err)
{
	if (extent->length == 0)
		return WH_OK;
	WH_TRY(array_grow(&payloads->list, payloads->n, &payloads->room,
			  sizeof(*payloads->list), err));
	payloads->list[payloads->n++] = (struct payload){file, *extent};
	return WH_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->extent.offset != y->extent.offset)
		return x->extent.offset < y->extent.offset ? -1 : 1;
	return x->extent.tensor < y->extent.tensor
		       ? -1
		       : x->extent.tensor > y->extent.tensor;
}

/* How many of those that are not covered lie in the file: they come next. */
static size_t count_in(struct payloads *payloads, uint32_t file)
{
	size_t i = payloads->n_covered;

	if (!payloads->sorted && payloads->n)
		qsort(payloads->list, payloads->n, sizeof(*payloads->list),
		      by_place);
	payloads->sorted = true;
	while (i < payloads->n && payloads->list[i].file == file)
		i++;
	return i - payloads->n_covered;
}

/* ---- A template ---------------------------------------------------------- */

enum wh_status skeleton_begin(struct skeleton *skeleton, struct arena *arena,
			      uint32_t tensor, skeleton_read_fn *read,
			      void *arg, const char *format, uint32_t n_files,
			      struct wh_template **out, struct wh_error *err)
{
	struct wh_template *made = arena_alloc(arena, 1, sizeof(*made));

	*skeleton = (struct skeleton){
		.arena = arena, .tensor = tensor, .read = read, .arg = arg};
	if (!made)
		return wh_fail_memory(err);
	made->files = arena_alloc(arena, n_files, sizeof(*made->files));
	if (!made->files)
		return wh_fail_memory(err);
	made->format = format;
	made->n_files = n_files;
	made->skeleton = tensor;
	*out = made;
	return WH_OK;
}

/* From `*at` up to `end`; both move on. */
static enum wh_status cover_gap(struct skeleton *skeleton, uint32_t number,
				uint64_t *at, uint64_t end,
				struct wh_template_file *file,
				struct wh_error *err)
{
	uint64_t length = end - *at;

	if (length == 0)
		return WH_OK;
	if (!arena_grow(skeleton->arena, &skeleton->runs, skeleton->n_runs,
			&skeleton->room, sizeof(*skeleton->runs)))
		return wh_fail_memory(err);
	skeleton->runs[skeleton->n_runs++] =
		(struct skeleton_run){skeleton->size, *at, length, number};
	file->extents[file->n_extents++] =
		(struct wh_extent){.offset = *at,
				   .length = length,
				   .tensor = skeleton->tensor,
				   .start = skeleton->size};
	skeleton->size += length;
	*at = end;
	return WH_OK;
}

enum wh_status skeleton_cover(struct skeleton *skeleton,
			      struct payloads *payloads, uint32_t number,
			      struct wh_template_file *file,
			      struct wh_error *err)
{
	size_t i = payloads->n_covered, n = count_in(payloads, number);
	uint64_t at = 0;

	file->extents =
		arena_alloc(skeleton->arena, 2 * n + 1, sizeof(*file->extents));
	if (!file->extents)
		return wh_fail_memory(err);
	for (payloads->n_covered += n; i < payloads->n_covered; i++) {
		const struct wh_extent *extent = &payloads->list[i].extent;

		if (extent->offset < at)
			continue;
		WH_TRY(cover_gap(skeleton, number, &at, extent->offset, file,
				 err));
		file->extents[file->n_extents++] = *extent;
		at += extent->length;
	}
	return cover_gap(skeleton, number, &at, file->size, file, err);
}

/* Those without bytes have no place. An empty string has none in the files, so
 * strings don't count. */
static bool is_counted(const struct wh_manifest *manifest, uint32_t index,
		       const bool *wanted)
{
	return index < manifest->n_tensors && (!wanted || wanted[index]) &&
	       manifest->tensors[index].nbytes &&
	       manifest->tensors[index].dtype != WH_STRING;
}

bool skeleton_places(const struct wh_manifest *manifest, const bool *wanted)
{
	const struct wh_template *template_ = manifest->template_;
	uint32_t i, k, n_tensors = 0, n_places = 0;

	for (i = 0; i < manifest->n_tensors; i++)
		n_tensors += is_counted(manifest, i, wanted);
	for (i = 0; i < template_->n_files; i++)
		for (k = 0; k < template_->files[i].n_extents; k++)
			n_places += is_counted(
				manifest, template_->files[i].extents[k].tensor,
				wanted);
	return n_places >= n_tensors;
}

/* ---- Reading ------------------------------------------------------------- */

/* The run that byte `offset` is in. */
static const struct skeleton_run *find_run(const struct skeleton *skeleton,
					   uint64_t offset)
{
	size_t low = 0, high = skeleton->n_runs;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

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
