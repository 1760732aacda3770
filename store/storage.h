/* storage.h: how a tensor's bytes lie, and what their decoder reads.
 *
 * A storage's chunks stand alone, or some are coded against the chunks of a
 * base, an older version of the tensor, which may have a base itself: a chain.
 * The base's id is always the smaller one, so chains can't go in circles.
 */
#ifndef WH_STORE_STORAGE_H
#define WH_STORE_STORAGE_H

#include "db.h"

/* storage.encoding is a kind, and above it the generation: how many versions
 * of the tensor have been stored since the whole one that the chain ends in.
 * Stores of before there were deltas only have 0. */
#define ENCODING_CHUNKS	   0 /* chunks that stand alone; no base */
#define ENCODING_DELTA	   1 /* some chunks read the base's */
#define ENCODING_KIND_BITS 8

#define MAX_CHAIN 24 /* storages that one read goes through */

struct storage {
	int64_t id;
	uint64_t nbytes;
	int64_t base, context; /* ids, 0: none; context: the base's own base */
	unsigned generation;
	uint64_t stored_bytes; /* for storage_insert alone */
};

/** The first of `n` new ids. They are never used again once the transaction is
 *  committed. */
enum wh_status storage_reserve(struct db *db, uint32_t n, int64_t *first,
			       struct wh_error *err);

/** WH_ECORRUPT; WH_EUNSUPPORTED for what a newer version wrote. */
enum wh_status storage_get(struct db *db, int64_t id, struct storage *storage,
			   struct wh_error *err);

/** Checks id and length too, without going down the chain. */
enum wh_status storage_check(struct db *db, int64_t id, uint64_t nbytes,
			     struct wh_error *err);

/** The same of a joined row that has the columns of storage_get from `column`
 *  on: all NULL, the storage is gone. */
enum wh_status storage_check_columns(struct stmt *stmt, int column, int64_t id,
				     uint64_t nbytes, struct wh_error *err);

enum wh_status storage_insert(struct db *db, const struct storage *storages,
			      uint32_t n, struct wh_error *err);

/** Whether a tensor or another storage needs it. One that nobody needs may be
 *  half swept by gc already, whose turns take its chunks before its row: it
 *  must not become a base. */
enum wh_status storage_is_named(struct db *db, int64_t id, bool *named,
				struct wh_error *err);

/** A storage, its base, that one's base, and so on: at least the first. */
struct storage_chain {
	struct storage links[MAX_CHAIN];
	unsigned n;
};
enum wh_status storage_chain_get(struct db *db, int64_t id,
				 struct storage_chain *chain,
				 struct wh_error *err);

/** Which link of a version's chain the version after it is coded against, as
 *  commit_base.c explains, and that version's generation. False: none, it is
 *  whole. `dense`: in longer chains. */
bool storage_next_base(const struct storage_chain *chain, bool dense,
		       unsigned *link, unsigned *generation);

/** All that reading storage `id` needs, itself left out: at most MAX_CHAIN
 *  ids. Whoever keeps a storage must keep these. */
enum wh_status storage_dependencies(struct db *db, int64_t id, int64_t *ids,
				    unsigned *n, struct wh_error *err);

#endif
