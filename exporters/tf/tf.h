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

#endif
