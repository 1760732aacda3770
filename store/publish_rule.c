/* What is to be published after each commit: rules, as they are stored. */
#include <weighhouse/publication.h>

#include <stdlib.h>
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

struct listed {
	struct wh_publish_rule rule;
	struct listed *next;
};

static enum wh_status copy_row(struct stmt *stmt, struct arena *arena,
			       struct wh_publish_rule *rule,
			       struct wh_error *err)
{
	const char **fields[] = {&rule->remote, &rule->alias, &rule->revision,
				 &rule->formats, &rule->published};
	int i;

	for (i = 0; i < (int)(sizeof(fields) / sizeof(fields[0])); i++) {
		*fields[i] = arena_strdup(arena, column_text(stmt, i));
		if (!*fields[i])
			return wh_fail_memory(err);
	}
	if (!*rule->published)
		rule->published = NULL; /* hex(NULL) is '' */
	return WH_OK;
}

static enum wh_status read_rules(struct db *db, struct arena *arena,
				 struct listed **first, struct wh_error *err)
{
	struct listed **end = first;
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_PUBLISH_RULE_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		*end = arena_alloc(arena, 1, sizeof(**end));
		if (!*end)
			return wh_fail_memory(err);
		WH_TRY(copy_row(stmt, arena, &(*end)->rule, err));
		end = &(*end)->next;
	}
	return WH_OK;
}

/* All are read before the first is handed out: who gets them may be slow, and
 * may use the store. */
enum wh_status wh_publish_rule_list(struct wh_store *store,
				    wh_publish_rule_fn *fn, void *arg,
				    struct wh_error *err)
{
	struct arena arena = {0};
	struct listed *one = NULL;
	enum wh_status status;

	if (db_is_older(store->db))
		return WH_OK;
	status = read_rules(store->db, &arena, &one, err);
	for (; !status && one; one = one->next)
		if (fn(arg, &one->rule))
			break;
	arena_free(&arena);
	return status;
}
