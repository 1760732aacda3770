/* snapshot.h: rows of snapshots. */
#ifndef WH_STORE_SNAPSHOT_H
#define WH_STORE_SNAPSHOT_H

#include "base/arena.h"
#include "canonical.h"
#include "db.h"
#include <weighhouse/store.h>

/** A snapshot's row with all that its canonical text holds. Strings and
 *  digests are in the arena that snapshot_load was given. */
struct snapshot_row {
	int64_t id, tree_id, template_id, run_id;
	int64_t generation;
	uint8_t sha256[WH_SHA256_SIZE];
	struct canonical_snapshot text; /* what is hashed */
	const char *run_name;
	uint64_t n_tensors, n_layers, nbytes;
};

enum wh_status snapshot_load(struct db *db, int64_t id, struct arena *arena,
			     struct snapshot_row *row, struct wh_error *err);

enum wh_status snapshot_digest(struct db *db, int64_t id,
			       uint8_t digest[WH_SHA256_SIZE],
			       struct wh_error *err);

/** The row of a digest, 0 if there is none. */
enum wh_status snapshot_find(struct db *db, const uint8_t *sha256, int64_t *id,
			     struct wh_error *err);

/** The digest becomes its parent's, if it has one; also one of those of which
 *  gc has left but a tombstone. */
enum wh_status snapshot_parent(struct db *db, uint8_t digest[WH_SHA256_SIZE],
			       bool *has_parent, struct wh_error *err);

/** As snapshot_find; WH_ENOTFOUND, with the day, for one that was forgotten. */
enum wh_status snapshot_find_living(struct db *db, const uint8_t *sha256,
				    int64_t *id, struct wh_error *err);

/** WH_ENOTFOUND, with the day, if the row's snapshot was forgotten. */
enum wh_status snapshot_check_living(struct db *db, int64_t id,
				     struct wh_error *err);

/** As wh_snapshot_open, by the row; also one that was forgotten. */
enum wh_status snapshot_open(struct db *db, int64_t id,
			     struct wh_source **source, struct wh_error *err);

/** All that a listing tells (log.c), in the arena. */
enum wh_status snapshot_describe(struct db *db, struct arena *arena,
				 const struct snapshot_row *row,
				 struct wh_snapshot *out, struct wh_error *err);

/** The row that a revision means (revision.c); see wh_revision_parse. */
enum wh_status revision_resolve(struct db *db, const char *revision,
				int64_t *id, struct wh_error *err);

/** Guards a walk along the parents: digests can't name each other in a circle,
 *  but rows that someone made by hand can. Zeroed at the start. */
struct walk {
	uint8_t mark[WH_SHA256_SIZE];
	uint64_t n_steps, next_mark;
};
/** WH_ECORRUPT once the walk goes in a circle. */
enum wh_status walk_step(struct walk *walk, const uint8_t *digest,
			 struct wh_error *err);

#endif
