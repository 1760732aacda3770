/* core/weigh.h: weighing, but for what shall be weighed when it is stored. */
#ifndef WH_CORE_WEIGH_H
#define WH_CORE_WEIGH_H

#include <weighhouse/source.h>

/** Of a tensor: whether to pass over it, and what may be there already. */
struct weigh_probe {
	bool skip;	   /* it is not to be weighed */
	bool skips_unlike; /* nor if its first chunk is another: sets `skip` */
	bool is_alike;	   /* set where its first chunk is the one named */
	bool has_first;
	bool in_lanes; /* see weigh_mark_lanes */
	uint32_t first_crc32c; /* that its first SCALE_CHUNK bytes may have */
};

/* What tells whether two tensors are the same, and whether one changes. */
#define WEIGH_IDENTITY ((unsigned)(WH_SHA256 | WH_CRC32C))

/** wh_source_weigh, but by what `probes` says, one for each tensor and each
 *  hidden one, or NULL. Of tensors that are alike no more than WEIGH_IDENTITY
 *  is found: they are unchanged as a rule, and the rest is known. */
enum wh_status weigh_unlike(struct wh_source *source, unsigned needs,
			    unsigned threads, wh_progress_fn *progress,
			    void *arg, struct weigh_probe *probes,
			    struct wh_error *err);

/** Marks the tensors that weigh_unlike would hash side by side, which takes
 *  less than to hash each while it is stored, and reads them once more: none if
 *  their bytes may not stay in memory until then. */
enum wh_status weigh_mark_lanes(struct wh_source *source, unsigned needs,
				unsigned threads, struct weigh_probe *probes,
				struct wh_error *err);

/* What a commit asks for. */
#define WEIGH_COMMITTED                                                        \
	((unsigned)(WH_SHA256 | WH_CRC32C | WH_CRC32 | WH_STATISTICS))
/* Bytes below which a commit weighs a tensor in any case. */
#define WEIGH_SMALL ((uint64_t)64 << 10)

/** Weighs the tensors below WEIGH_SMALL, but no hidden ones, for a commit that
 *  follows: what proves their file meanwhile needs not read them again. */
enum wh_status weigh_small(struct wh_source *source, unsigned threads,
			   wh_progress_fn *progress, void *arg,
			   struct wh_error *err);

/** One tensor, by the caller's thread alone. */
enum wh_status weigh_one(struct wh_source *source, uint32_t index,
			 unsigned needs, struct wh_error *err);

#endif
