/* verify.h: what the files of a verification share. */
#ifndef WH_STORE_VERIFY_H
#define WH_STORE_VERIFY_H

#include "base/sha256.h"
#include "db.h"
#include <weighhouse/store.h>

struct chunk_pool;

struct verification {
	struct db *db;
	struct chunk_pool *pool;
	struct sha256 *hash;
	uint8_t *buffer; /* CHUNK_SIZE */
	const struct wh_verify_options *options;
	int64_t snapshot_id; /* of options->revision, or 0: all */
	int (*fn)(void *arg, const char *sentence);
	struct wh_verify_result *result;
	uint64_t total_bytes, reported;
	uint64_t chance; /* of the sample: a small generator's state */
};

/** Damage is told and gone past (WH_OK); anything else comes back. */
enum wh_status verify_tell(struct verification *all, enum wh_status status,
			   const struct wh_error *found);

/** Progress; WH_ECANCELLED. */
/** Whether a row still is there and, for a tensor, lies in `storage`: gc may
 *  have its turn while a store is verified. */
bool verify_is_there(struct db *db, enum statement which, int64_t id,
		     int64_t storage);

enum wh_status verify_report(struct verification *all, struct wh_error *err);

/** Every tensor's payload, or those of one snapshot (verify_data.c). */
enum wh_status verify_payloads(struct verification *all, struct wh_error *err);

#endif
