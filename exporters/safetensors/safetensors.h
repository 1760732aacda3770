/* safetensors/safetensors.h: what the format's parts are to each other. */
#ifndef WH_SAFETENSORS_SAFETENSORS_H
#define WH_SAFETENSORS_SAFETENSORS_H

#include <weighhouse/format.h>

/* Where the attributes of `__metadata__` stand in a manifest. */
#define ST_METADATA "__metadata__"
/* The key of `__metadata__` that describes layers (mapping/neutral.h). */
#define ST_DESCRIPTION "weighhouse"

extern const struct wh_format safetensors_format;

enum wh_status st_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **plan, struct wh_error *err);
bool st_probe(const char *path);
enum wh_status st_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **source, struct wh_error *err);

/** The path of the one file, or for a sharded checkpoint (its index, a folder
 *  with either) that of its index without ".index.json". */
enum wh_status st_resolve(const char *path, char **resolved,
			  struct wh_error *err);

/** Of "x.safetensors": that file, its index, and shards as they are called
 *  here. */
enum wh_beside st_beside(const struct wh_plan *plan, const char *path,
			 const char *name);

#endif
