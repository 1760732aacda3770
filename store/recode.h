/* recode.h: a tensor's payload anew, in a storage of its own.
 *
 * The new storage is written under a lease, read back, and held against the
 * tensor's SHA-256; only then `tensor.storage_id` moves to it, in one small
 * transaction. Ended at any point, the tensor lies where it did, and gc takes
 * what was written. The old storage stays while others are coded against it.
 */
#ifndef WH_STORE_RECODE_H
#define WH_STORE_RECODE_H

#include "codec/codec.h"
#include "db.h"
#include <weighhouse/source.h>

struct recoder; /* for one connection, one tensor at a time */

enum wh_status recoder_new(struct db *db, struct recoder **recoder,
			   struct wh_error *err);
void recoder_free(struct recoder *recoder);

/** A tensor's row, as far as recoding needs it. */
struct recode_tensor {
	int64_t id, storage;
	uint64_t nbytes;
	enum wh_dtype dtype;
	uint8_t sha256[WH_SHA256_SIZE];
};
/** `*there` false: gc has taken it. */
enum wh_status recode_tensor_get(struct db *db, int64_t id,
				 struct recode_tensor *tensor, bool *there,
				 struct wh_error *err);

/** Bytes [offset, offset + len) of the payload: a chunk. */
typedef enum wh_status recode_read_fn(void *arg, uint64_t offset, void *buf,
				      size_t len, struct wh_error *err);

struct recode_request {
	struct recode_tensor tensor;
	int64_t base; /* storage to code against, 0: none */
	unsigned generation;
	enum codec_effort effort;
	/* Drop it unless it takes at most so many bytes; UINT64_MAX: never. */
	uint64_t limit;
	recode_read_fn *read;
	void *arg;
	bool count_only; /* write nothing */
};

/** `*storage`: the new one, 0 where it was dropped or the tensor went away
 *  meanwhile. `*stored`: its bytes, as far as they were counted. WH_ECORRUPT
 *  where what was read is not the tensor's payload. */
enum wh_status recode(struct recoder *recoder,
		      const struct recode_request *request, int64_t *storage,
		      uint64_t *stored, struct wh_error *err);

#endif
