/* safetensors/source.h: an opened checkpoint of one file or several. */
#ifndef WH_SAFETENSORS_SOURCE_H
#define WH_SAFETENSORS_SOURCE_H

#include "base/reader.h"
#include "core/manifest.h"
#include "core/skeleton.h"
#include "safetensors/header.h"

struct st_file {
	struct file_reader reader;
	const char *suffix; /* in the template */
	struct st_header header;
};

struct st_place { /* of one tensor */
	uint32_t file;
	uint64_t offset;
};

struct st_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct read_ahead ahead;
	struct st_file *files; /* shards, then the index; in the arena */
	uint32_t n_files;
	struct st_place *places; /* in the manifest's order; in the arena */
	struct skeleton skeleton;
};

extern const struct wh_source_ops st_source_ops;

/** The template: headers and index are skeleton, all else is payloads. */
enum wh_status st_template_make(struct st_source *source,
				struct manifest_builder *builder,
				struct wh_template **made,
				struct wh_error *err);

#endif
