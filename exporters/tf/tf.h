/* tf/tf.h: what the format's parts are to each other. */
#ifndef WH_TF_TF_H
#define WH_TF_TF_H

#include <weighhouse/format.h>

extern const struct wh_format tf_format;

enum wh_status tf_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **plan, struct wh_error *err);
bool tf_probe(const char *path);
enum wh_status tf_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **source, struct wh_error *err);

/** A run of a data file. */
typedef enum wh_status tf_part_fn(void *arg, uint32_t shard, uint32_t n_shards,
				  uint64_t offset, uint64_t size,
				  struct wh_error *err);
/** What of its data files opening a checkpoint reads, by its index: strings,
 *  the object graph among them. WH_ECORRUPT. */
enum wh_status tf_opening_parts(const uint8_t *index, size_t len,
				tf_part_fn *fn, void *arg,
				struct wh_error *err);

#endif
