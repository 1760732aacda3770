/* What of a file opening it reads. */
#include "hdf5/hdf5.h"

#include <stdlib.h>

#include "base/auto.h"
#include "hdf5/file_source.h"
#include "hdf5/load.h"

/* Metadata lies in runs of 2 KiB and more between the payloads
 * (H5Pset_meta_block_size). */
#define BLOCK ((uint64_t)4096)

static const struct wh_load_options in_process = {.isolation = WH_IN_PROCESS};

static enum wh_status needs_whole(struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "an HDF5 file that only libhdf5 can read, which needs "
		       "it whole");
}

struct parts {
	h5_part_fn *fn;
	void *arg;
	uint64_t size;
	bool *handed; /* by block */
	enum wh_status status;
	struct wh_error err;
};

static bool hand_out(void *arg, uint64_t offset, size_t len)
{
	struct parts *parts = arg;
	uint64_t at = offset / BLOCK, end = (offset + len + BLOCK - 1) / BLOCK;

	while (at < end && !parts->status) {
		uint64_t begin = at, stop;

		if (parts->handed[at++])
			continue;
		while (at < end && !parts->handed[at])
			parts->handed[at++] = true;
		parts->handed[begin] = true;
		stop = at * BLOCK < parts->size ? at * BLOCK : parts->size;
		parts->status = parts->fn(parts->arg, begin * BLOCK,
					  stop - begin * BLOCK, &parts->err);
	}
	return !parts->status;
}

static enum wh_status hand_all(struct h5_source *source, struct parts *parts,
			       struct wh_error *err)
{
	enum wh_status status = WH_OK;

	parts->size = source->input.size;
	parts->handed = calloc(parts->size / BLOCK + 1, sizeof(*parts->handed));
	if (!parts->handed)
		return wh_fail_memory(err);
	source->input.fetch = hand_out;
	source->input.fetch_arg = parts;
	/* The signature is looked for by who asks nobody. */
	if (parts->size)
		hand_out(parts, 0, 1);
	if (!parts->status)
		status = h5_source_load(source, &in_process, true, err);
	/* Whatever the reader makes of what didn't come. */
	if (parts->status) {
		if (err)
			*err = parts->err;
		return parts->status;
	}
	return status == WH_EUNSUPPORTED ? needs_whole(err) : status;
}

enum wh_status h5_opening_parts(const char *path, h5_part_fn *fn, void *arg,
				struct wh_error *err)
{
	struct parts parts = {.fn = fn, .arg = arg};
	struct h5_source *source;
	enum wh_status status;

	WH_TRY(h5_source_open(path, &source, err));
	status = hand_all(source, &parts, err);
	wh_source_close(&source->base);
	free(parts.handed);
	return status;
}

enum wh_status h5_open_parts(const char *path, struct wh_source **source,
			     struct wh_error *err)
{
	enum wh_status status =
		h5_load_by(path, &in_process, true, source, err);

	return status == WH_EUNSUPPORTED ? needs_whole(err) : status;
}
