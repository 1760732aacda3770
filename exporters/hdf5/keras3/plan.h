/* hdf5/keras3/plan.h: the exporter. */
#ifndef WH_HDF5_KERAS3_PLAN_H
#define WH_HDF5_KERAS3_PLAN_H

#include "base/buf.h"
#include "mapping/keras3.h"
#include <weighhouse/format.h>

/** wh_format.plan of keras3_format: an HDF5 file; for a path that ends in
 *  ".weights.json", or with a max_shard_size, the shards and their map; for
 *  ".keras" an archive. */
enum wh_status keras3_plan(struct wh_source *source,
			   const struct wh_plan_options *options,
			   struct wh_plan **plan, struct wh_error *err);

/** wh_format.fits: whether a template's files are of the path's kind. */
bool keras3_fits(const struct wh_manifest *manifest, const char *filepath);

/** Appends one HDF5 file, shard `shard` of the objects, to an empty image. */
enum wh_status keras3_image_fill(struct wh_source *source,
				 const struct keras3_objects *objects,
				 uint32_t shard, struct wh_image *image,
				 struct wh_error *err);

/** Puts every value into a shard, as Keras does: the next begins where one
 *  would have more than `max` bytes. WH_EUNSUPPORTED for a larger value. */
enum wh_status keras3_shards_choose(const struct wh_manifest *manifest,
				    struct keras3_objects *objects,
				    uint64_t max, struct wh_error *err);

/** The text of the map, whose shards are called `base` and their numbers. */
enum wh_status keras3_map_write(const struct wh_manifest *manifest,
				const struct keras3_objects *objects,
				const char *base, struct wh_buf *text,
				struct wh_error *err);

/** An archive of the weights, the configuration and a version. */
enum wh_status keras3_archive_fill(struct wh_source *source,
				   const struct keras3_objects *objects,
				   const char *model_config,
				   struct wh_image *image,
				   struct wh_error *err);

/** Of a map: shards that it doesn't name; and the one file, where a user's
 *  `path` was that and shards were written. */
enum wh_beside keras3_beside(const struct wh_plan *plan, const char *path,
			     const char *name);

#endif
