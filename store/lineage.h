/* lineage.h: snapshots in lines, and where weights changed along them.
 *
 * Derived tables. A line is a chain of snapshots without a fork: the first
 * child of its end goes on with it, any other child begins a line of its own.
 * So the ancestors of a snapshot are a range of its line, then a range of the
 * line that this one left, and so on, and questions about them are questions
 * about ranges of an index.
 */
#ifndef WH_STORE_LINEAGE_H
#define WH_STORE_LINEAGE_H

#include "db.h"

/** A new snapshot, or one that a migration finds. */
struct lineage_member {
	int64_t snapshot, tree, generation;
	int64_t parent, parent_tree; /* 0: none, or forgotten */
	/* All weights: layer, "" for the model's own; name; tensor's id. NULL:
	 * they are looked up. */
	struct rows *weights;
};

/** Puts the snapshot into its line, and notes which weights changed. Inside
 *  the transaction that inserted it. */
enum wh_status lineage_add(struct db *db, const struct lineage_member *member,
			   struct wh_error *err);

/** Adds all snapshots, in an empty set of tables. */
enum wh_status lineage_rebuild(struct db *db, struct wh_error *err);

/** A range of ancestors: generations up to `generation` of `line`. */
struct lineage_range {
	int64_t line, generation; /* line 0: there are no more */
};

/** The range that `snapshot` ends, itself included. */
enum wh_status lineage_of(struct db *db, int64_t snapshot,
			  struct lineage_range *range, struct wh_error *err);
/** The range of older ancestors that follows this one. */
enum wh_status lineage_next(struct db *db, struct lineage_range *range,
			    struct wh_error *err);

/** A weight's tensor at the end of a range, 0: it is not there. The older ranges
 *  that follow are looked through too. */
enum wh_status lineage_version(struct db *db, int64_t weight,
			       struct lineage_range range, int64_t *tensor,
			       struct wh_error *err);

/** Whether `ancestor` is `of`, or comes before it. */
enum wh_status lineage_contains(struct db *db, int64_t ancestor, int64_t of,
				bool *yes, struct wh_error *err);

#endif
