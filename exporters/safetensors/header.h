/* safetensors/header.h: the header of one file.
 *
 *	uint64 LE n | n bytes of JSON | payloads, without a gap
 *
 *	{"__metadata__": {"key": "text", ...},
 *	 "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
 *...}
 *
 * Offsets count from the header's end. What is refused is what the reference
 * library refuses (safetensors 0.8, tensor.rs), and names that come twice:
 * see FORMAT.md.
 */
#ifndef WH_SAFETENSORS_HEADER_H
#define WH_SAFETENSORS_HEADER_H

#include "base/arena.h"
#include "base/reader.h"
#include <weighhouse/tensor.h>

#define ST_MAX_HEADER 100000000u /* bytes, as in the reference library */

struct st_entry {
	const char *name;
	enum wh_dtype dtype;
	const char *packed; /* what it is called, if it has no dtype here */
	uint32_t rank;
	const uint64_t *shape;
	uint64_t begin, end; /* in the payloads */
};

struct st_pair { /* of the metadata */
	const char *key, *text;
	size_t size; /* of the text */
};

struct st_header {
	uint64_t size; /* where the payloads begin in the file */
	struct st_entry *entries;
	uint32_t n_entries;
	struct st_pair *pairs;
	uint32_t n_pairs;
};

/** Reads and checks a file's header; lists are in the header's order and in
 *  the arena. Dtypes that weighhouse hasn't are uint8 and `packed`.
 *  WH_ECORRUPT. */
enum wh_status st_header_read(const struct file_reader *file,
			      struct arena *arena, struct st_header *header,
			      struct wh_error *err);

#endif
