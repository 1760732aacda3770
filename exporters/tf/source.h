/* tf/source.h: an opened checkpoint as a source. */
#ifndef WH_TF_SOURCE_H
#define WH_TF_SOURCE_H

#include "base/arena.h"
#include "core/manifest.h"
#include "core/skeleton.h"
#include "tf/bundle.h"
#include "tf/shards.h"
#include <weighhouse/source.h>

enum tf_kind {
	TF_FLAT,     /* the payload lies in a shard as it is */
	TF_STRINGS,  /* lengths are decoded, the bytes lie flat */
	TF_SLICED,   /* parts of it lie in shards */
	TF_SKELETON, /* what is between payloads */
};

/** A rectangle of a tensor, where it lies in a shard. */
struct tf_slice {
	uint64_t start[WH_MAX_RANK], length[WH_MAX_RANK];
	uint32_t shard;
	uint64_t offset;
	uint64_t inner; /* elements of the dimensions after `split` */
	uint32_t split; /* the last dimension that isn't whole */
};

struct tf_place { /* of one tensor */
	enum tf_kind kind;
	uint32_t shard;
	uint64_t offset, size;
	uint8_t swap;	   /* element width to reverse, or 0 */
	uint64_t *lengths; /* of strings */
	uint64_t n_strings;
	struct tf_slice *slices;
	uint32_t n_slices;
};

struct tf_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct shard_files shards;
	uint8_t *index; /* the whole file */
	size_t index_len;
	struct tf_place *places; /* in the manifest's order; malloc'd */
	struct skeleton skeleton;
};

#define TF_INDEX_FILE UINT32_MAX /* the index among the shards' numbers */

extern const struct wh_source_ops tf_source_ops;
/** The skeleton's `read`; `arg` is the struct tf_source. */
enum wh_status tf_read_run(void *arg, const struct skeleton_run *run,
			   uint64_t skip, void *buf, size_t len,
			   struct wh_error *err);
/** Whether one more than `n` tensors, or slices of them, are still read. */
enum wh_status tf_check_count(uint32_t n, struct wh_error *err);

/* Members of tf_source_ops, for the first version's sources. */
enum wh_status tf_source_read(struct wh_source *base, uint32_t index,
			      uint64_t offset, void *buf, size_t len,
			      struct wh_error *err);
void tf_source_close(struct wh_source *base);

/** template.c: gives the manifest its template where payloads lie flat. */
enum wh_status tf_template_make(struct tf_source *source, uint32_t n_tensors,
				struct manifest_builder *builder,
				struct wh_template **out, struct wh_error *err);

#endif
