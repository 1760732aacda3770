/* ref.h: branches, tags, HEAD and the reflog, inside a transaction. */
#ifndef WH_STORE_REF_H
#define WH_STORE_REF_H

#include "db.h"
#include <weighhouse/store.h>

enum ref_kind { REF_BRANCH = 0, REF_TAG = 1 };

#define REF_NAME_SIZE 256 /* with the NUL */

/** Whether `name` can name a branch or a tag: git's rules, and nothing that
 *  reads as another form of revision. WH_EINVAL says why not. */
enum wh_status ref_check_name(const char *name, struct wh_error *err);

/** `*found`, and the row of its snapshot (0: none yet). */
enum wh_status ref_get(struct db *db, enum ref_kind kind, const char *name,
		       bool *found, int64_t *snapshot, struct wh_error *err);

/** Puts a ref to a snapshot (0: none). A branch's move goes into the reflog.
 */
enum wh_status ref_move(struct db *db, enum ref_kind kind, const char *name,
			int64_t from, int64_t to, const char *why, int64_t time,
			struct wh_error *err);

/** HEAD's branch. */
enum wh_status ref_head(struct db *db, char branch[REF_NAME_SIZE],
			struct wh_error *err);

/** `branch`, or HEAD's for NULL. */
enum wh_status ref_branch_or_head(struct db *db, const char *branch,
				  char name[REF_NAME_SIZE],
				  struct wh_error *err);

/** As ref_get; WH_ENOTFOUND if there is none of that name. */
enum wh_status ref_require(struct db *db, enum ref_kind kind, const char *name,
			   int64_t *snapshot, struct wh_error *err);

/** The digests of two snapshots' rows (0: none). */
enum wh_status ref_fill_move(struct db *db, int64_t from, int64_t to,
			     struct wh_move *move, struct wh_error *err);

/** Seconds since 1970: SOURCE_DATE_EPOCH if it is set, else now. */
int64_t ref_now(void);

#endif
