/* verify.h: what the files of a verification share. */
#ifndef WH_STORE_VERIFY_H
#define WH_STORE_VERIFY_H

#include "base/sha256.h"
#include "db.h"
#include <weighhouse/store.h>

struct chunk_pool;

struct damaged {
	int64_t tensor, storage;
	uint8_t sha256[WH_SHA256_SIZE];
	bool repaired;
};

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
	uint64_t chance;	 /* of the sample: a small generator's state */
	struct damaged *damaged; /* in the order in which it was found */
	size_t n_damaged, room;
	/* How far it is: everything up to these ids was looked at. */
	int64_t snapshot_at, tensor_at;
	int64_t end_ms; /* by the monotonic clock; 0: never */
};

/** Damage and what a newer version wrote are told and gone past (WH_OK);
 *  anything else comes back. */
enum wh_status verify_tell(struct verification *all, enum wh_status status,
			   const struct wh_error *found);

/** Whether a row still is there and, for a tensor, lies in `storage`: gc may
 *  have its turn while a store is verified. */
bool verify_is_there(struct db *db, enum statement which, int64_t id,
		     int64_t storage);

/** Progress; WH_ECANCELLED. */
enum wh_status verify_report(struct verification *all, struct wh_error *err);

/** Every tensor's payload, or those of one snapshot (verify_data.c). */
enum wh_status verify_payloads(struct verification *all, struct wh_error *err);

/* ---- How far it went (verify_cursor.c) ---------------------------------- */

/** Whether ends and beginnings are noted in the store. */
bool verify_is_partial(const struct verification *all);
/** Where the last one ended, and when this one must. */
enum wh_status verify_begin(struct verification *all, struct wh_error *err);
bool verify_time_is_over(const struct verification *all);
/** Notes where this one ended; `whole`: that there is nothing to go on with. */
enum wh_status verify_end(struct verification *all, bool whole,
			  struct wh_error *err);

/* ---- What is damaged (verify_damage.c, repair.c) ------------------------ */

enum wh_status verify_note_damage(struct verification *all,
				  const struct damaged *one,
				  struct wh_error *err);
/** Tells each damaged tensor, and counts the snapshots that need one. */
enum wh_status verify_tell_damage(struct verification *all,
				  struct wh_error *err);
/** Restores what the options' copies hold. */
enum wh_status verify_repair(struct verification *all, struct wh_error *err);

#endif
