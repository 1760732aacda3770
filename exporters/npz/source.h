/* npz/source.h: an opened archive, or a single array, as a source. */
#ifndef WH_NPZ_SOURCE_H
#define WH_NPZ_SOURCE_H

#include "base/reader.h"
#include "core/manifest.h"
#include "core/skeleton.h"
#include "npz/header.h"
#include "zip/stream.h"

struct npz_place { /* of one tensor */
	struct npy_header header;
	/* The member, where it has to be unpacked; NULL: the payload lies in
	 * the file at `offset`. */
	const struct zip_member *packed;
	uint64_t offset;
};

struct npz_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct file_reader reader;
	struct read_ahead ahead;
	struct zip_archive archive;
	struct npz_place *places; /* in the manifest's order; in the arena */
	struct skeleton skeleton;
	/* The member that was read last. One in Fortran order is unpacked into
	 * a file without a name: its elements are read from all over. */
	struct zip_stream *stream;
	uint32_t streamed;
	int spool;
	uint32_t spooled;
};

/** Those that unpack are for one thread at a time. */
extern const struct wh_source_ops npz_flat_ops, npz_packed_ops;

/** An open source of the file at `path`. The caller closes it. */
enum wh_status npz_source_open(const char *path, struct npz_source **source,
			       struct wh_error *err);

/** template.c: gives the manifest its template, if all payloads lie flat. */
enum wh_status npz_template_make(struct npz_source *source, const char *format,
				 struct manifest_builder *builder,
				 struct wh_template **made,
				 struct wh_error *err);

#endif
