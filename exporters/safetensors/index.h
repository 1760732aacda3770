/* safetensors/index.h: the index of a sharded checkpoint.
 *
 *	model.safetensors.index.json
 *	{"metadata": {"total_size": 123, ...},
 *	 "weight_map": {"tensor": "model-00001-of-00002.safetensors", ...}}
 *
 * as transformers and huggingface_hub write it: json.dumps(index, indent=2,
 * sort_keys=True) and a newline.
 */
#ifndef WH_SAFETENSORS_INDEX_H
#define WH_SAFETENSORS_INDEX_H

#include "base/arena.h"
#include <weighhouse/buffer.h>

#define ST_INDEX_SUFFIX ".index.json"
#define ST_MAX_SHARDS	10000u

struct st_index {
	const char **shards; /* file names, each once, in the map's order */
	uint32_t n_shards;
	const char **tensors; /* and where each lies: */
	uint32_t *shard_of;
	uint32_t n_tensors;
};

/** Reads the index at `path`. WH_ECORRUPT for what is no such file, for a
 *  tensor that is there twice, for a shard that isn't a plain name. */
enum wh_status st_index_read(const char *path, struct arena *arena,
			     struct st_index *index, struct wh_error *err);

/** Appends the index's text. */
enum wh_status st_index_write(const struct st_index *index, uint64_t total_size,
			      struct wh_buf *out, struct wh_error *err);

#endif
