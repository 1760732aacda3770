/* publish/partial.h: parts of published files, in files of their own with holes
 * where the rest would be. */
#ifndef WH_PUBLISH_PARTIAL_H
#define WH_PUBLISH_PARTIAL_H

#include "publish/manifest.h"
#include "publish/pull.h"

struct partial_file {
	const struct manifest_file *file; /* of the manifest */
	char *path, *name;		  /* in the place; on this machine */
	char etag[200];			  /* of the version that is read */
	int fd;
};

struct partial {
	struct place *place;
	const char *folder; /* that is there */
	struct manifest manifest;
	char root[600];
	struct partial_file *files; /* of the format alone */
	size_t n;
	uint64_t received; /* bytes that were asked for so far */
};

/** Pointer and manifest, and the files of `format` (NULL: of the first that can
 *  be read in parts), empty but of their size. WH_ENOTFOUND; WH_EUNSUPPORTED
 *  where all formats need whole files. */
enum wh_status partial_open(struct partial *partial,
			    const struct pull_options *options,
			    struct wh_error *err);
/** Closes and removes the files. */
void partial_close(struct partial *partial);

/** Fetches a run of a file to its place. */
enum wh_status partial_fetch(struct partial *partial, struct partial_file *file,
			     uint64_t offset, uint64_t length,
			     struct wh_error *err);
/** All of it, held against the manifest's digest. */
enum wh_status partial_fetch_whole(struct partial *partial,
				   struct partial_file *file,
				   struct wh_error *err);

#endif
