/* What is to be published after each commit: rules, as they are stored. */
#include <weighhouse/publication.h>

#include <string.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/text.h"
#include "ref.h"
#include "store.h"

static enum wh_status put(struct db *db, const struct wh_publish_rule *rule,
			  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db,
		       rule->revision ? STMT_PUBLISH_RULE_PUT
				      : STMT_PUBLISH_RULE_DELETE,
		       &stmt, err));
	stmt_text(stmt, 1, rule->remote);
	stmt_text(stmt, 2, rule->alias);
	if (rule->revision) {
		stmt_text(stmt, 3, rule->revision);
		stmt_text(stmt, 4, rule->formats);
		stmt_integer(stmt, 5, ref_now());
	}
	return step_done(stmt, err);
}

enum wh_status wh_publish_rule_set(struct wh_store *store,
				   const struct wh_publish_rule *rule,
				   struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(put(store->db, rule, err));
	if (!rule->revision && db_changes(store->db) == 0)
		return wh_fail(err, WH_ENOTFOUND,
			       "there is no rule for '%s' of %s", rule->alias,
			       rule->remote);
	return transaction_commit(&tx, err);
}

enum wh_status wh_publish_rule_done(struct wh_store *store,
				    const struct wh_publish_rule *rule,
				    const char *snapshot, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	uint8_t digest[32];
	struct stmt *stmt;

	if (!text_unhex(snapshot, digest, sizeof(digest)))
		return wh_fail(err, WH_EINVAL, "'%s' is no digest", snapshot);
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(db_stmt(store->db, STMT_PUBLISH_RULE_DONE, &stmt, err));
	stmt_text(stmt, 1, rule->remote);
	stmt_text(stmt, 2, rule->alias);
	stmt_blob(stmt, 3, digest, sizeof(digest));
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

/* ---- The list --------------------------------------------------------------
 */

/* All are read before the first is handed out: who gets them may be slow, and
 * may use the store. */
enum wh_status wh_publish_rule_list(struct wh_store *store,
				    wh_publish_rule_fn *fn, void *arg,
				    struct wh_error *err)
{
	const char *const *row = NULL;
	struct arena arena = {0};
	enum wh_status status;
	size_t n = 0;

	if (db_is_older(store->db))
		return WH_OK;
	status = db_texts(store->db, STMT_PUBLISH_RULE_LIST, 5, &arena, &row,
			  &n, err);
	for (; !status && n; n--, row += 5) {
		const struct wh_publish_rule rule = {
			.remote = row[0],
			.alias = row[1],
			.revision = row[2],
			.formats = row[3],
			/* hex(NULL) is '' */
			.published = *row[4] ? row[4] : NULL,
		};

		if (fn(arg, &rule))
			break;
	}
	arena_free(&arena);
	return status;
}
