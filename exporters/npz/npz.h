/* npz/npz.h: what the formats' parts are to each other. */
#ifndef WH_NPZ_NPZ_H
#define WH_NPZ_NPZ_H

#include <weighhouse/format.h>

#define NPY_SUFFIX ".npy"
/* What stands before the description (mapping/neutral.h) in an archive's
 * comment. */
#define NPZ_COMMENT "weighhouse "

extern const struct wh_format npz_format, npy_format;

enum wh_status npz_plan(struct wh_source *source,
			const struct wh_plan_options *options,
			struct wh_plan **plan, struct wh_error *err);
enum wh_status npy_plan(struct wh_source *source,
			const struct wh_plan_options *options,
			struct wh_plan **plan, struct wh_error *err);
bool npz_probe(const char *path);
bool npy_probe(const char *path);
enum wh_status npz_load(const char *path, const struct wh_load_options *options,
			struct wh_source **source, struct wh_error *err);
enum wh_status npy_load(const char *path, const struct wh_load_options *options,
			struct wh_source **source, struct wh_error *err);

#endif
