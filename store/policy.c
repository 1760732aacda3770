/* Stored rules. They are one text, a rule a line. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "keep.h"
#include "ref.h"

enum policy_kind { POLICY_STORE = 0, POLICY_BRANCH = 1, POLICY_RUN = 2 };

static enum policy_kind kind_of(const char *branch, const char *run)
{
	return run ? POLICY_RUN : branch ? POLICY_BRANCH : POLICY_STORE;
}

static const char *name_of(const char *branch, const char *run)
{
	return run ? run : branch ? branch : "";
}

static enum wh_status join(const char *const *rules, struct wh_buf *text,
			   struct wh_error *err)
{
	for (; *rules; rules++) {
		if (strchr(*rules, '\n'))
			return wh_fail(err, WH_EINVAL,
				       "a rule holds a line feed");
		WH_TRY(wh_buf_append(text, *rules, strlen(*rules), err));
		WH_TRY(wh_buf_append(text, "\n", 1, err));
	}
	return wh_buf_append(text, "", 1, err);
}

/* Cuts the text in place. */
static size_t split(char *text, const char *rules[KEEP_MAX_RULES + 1])
{
	size_t n = 0;
	char *end;

	for (; n < KEEP_MAX_RULES && (end = strchr(text, '\n'));
	     text = end + 1) {
		*end = '\0';
		rules[n++] = text;
	}
	rules[n] = NULL;
	return n;
}

static enum wh_status check(const char *const *rules, struct wh_error *err)
{
	struct keep_rule parsed[KEEP_MAX_RULES];
	struct arena arena = {0};
	size_t n;
	enum wh_status status = keep_parse(rules, &arena, parsed, &n, err);

	arena_free(&arena);
	return status;
}

static enum wh_status put(struct db *db, enum policy_kind kind,
			  const char *name, const char *text,
			  struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(db_stmt(db, text ? STMT_POLICY_PUT : STMT_POLICY_DELETE, &stmt,
		       err));
	stmt_integer(stmt, 1, kind);
	stmt_text(stmt, 2, name);
	if (text) {
		stmt_text(stmt, 3, text);
		stmt_integer(stmt, 4, ref_now());
	}
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_policy_set(struct wh_store *store, const char *branch,
			     const char *run, const char *const *rules,
			     struct wh_error *err)
{
	enum policy_kind kind = kind_of(branch, run);
	const char *name = name_of(branch, run);
	struct wh_buf text = {0};
	enum wh_status status;

	if (branch && run)
		return wh_fail(err, WH_EINVAL,
			       "a policy is of a branch or of a run");
	if (!rules || !*rules)
		return put(store->db, kind, name, NULL, err);
	WH_TRY(check(rules, err));
	status = join(rules, &text, err);
	if (!status)
		status = put(store->db, kind, name, (const char *)text.data,
			     err);
	wh_buf_free(&text);
	return status;
}

enum wh_status policy_rename_branch(struct db *db, const char *from,
				    const char *to, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_POLICY_RENAME, &stmt, err));
	stmt_integer(stmt, 1, POLICY_BRANCH);
	stmt_text(stmt, 2, from);
	stmt_text(stmt, 3, to);
	return step_done(stmt, err);
}

/* ---- Stored ones -----------------------------------------------------------
 */

struct policies {
	struct arena arena;
	struct stored {
		enum policy_kind kind;
		const char *name, *rules[KEEP_MAX_RULES + 1];
		struct stored *next;
	} * first;
};

static enum wh_status add(struct policies *all, struct stored **end,
			  struct stmt *stmt, struct wh_error *err)
{
	struct stored *one = arena_alloc(&all->arena, 1, sizeof(*one));
	const char *name = column_text(stmt, 1), *rules = column_text(stmt, 2);
	char *text = arena_strdup(&all->arena, rules ? rules : "");

	if (!one || !text)
		return wh_fail_memory(err);
	one->kind = (enum policy_kind)column_integer(stmt, 0);
	one->name = arena_strdup(&all->arena, name ? name : "");
	if (!one->name)
		return wh_fail_memory(err);
	split(text, one->rules);
	*end = one;
	return WH_OK;
}

static enum wh_status load(struct db *db, struct policies *all,
			   struct wh_error *err)
{
	struct stored **end = &all->first;
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_POLICY_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(add(all, end, stmt, err));
		end = &(*end)->next;
	}
	return WH_OK;
}

enum wh_status wh_policy_list(struct wh_store *store, wh_policy_fn *fn,
			      void *arg, struct wh_error *err)
{
	struct policies all = {.first = NULL};
	enum wh_status status = load(store->db, &all, err);
	const struct stored *one;

	for (one = all.first; !status && one; one = one->next) {
		const struct wh_policy policy = {
			.branch = one->kind == POLICY_BRANCH ? one->name : NULL,
			.run = one->kind == POLICY_RUN ? one->name : NULL,
			.rules = one->rules,
		};

		if (fn(arg, &policy))
			break;
	}
	arena_free(&all.arena);
	return status;
}

/* ---- Applying --------------------------------------------------------------
 */

static bool is_applied(const struct stored *one, const char *branch,
		       const char *run)
{
	if (!branch && !run)
		return true;
	switch (one->kind) {
	case POLICY_BRANCH:
		return branch && strcmp(one->name, branch) == 0;
	case POLICY_RUN:
		return run && strcmp(one->name, run) == 0;
	case POLICY_STORE:
		break;
	}
	return true;
}

static bool is_rule(const struct keeping *part, const char *text)
{
	size_t i;

	for (i = 0; i < part->n_rules; i++)
		if (part->rules[i].text == text)
			return true;
	return false;
}

/* "last 5 of branch main" */
static const char *name_rule(struct keeping *keeping, const struct stored *one,
			     const char *rule)
{
	if (one->kind == POLICY_STORE)
		return arena_printf(&keeping->arena, "%s of the store", rule);
	return arena_printf(&keeping->arena, "%s of %s %s", rule,
			    one->kind == POLICY_RUN ? "run" : "branch",
			    one->name);
}

/* What one policy is about and what its rules hold; names hold anyway. */
static enum wh_status merge(struct keeping *keeping, const struct keeping *part,
			    const struct stored *one, bool applied,
			    struct wh_error *err)
{
	size_t i;

	for (i = 0; i < part->n; i++) {
		const struct keep_why *why = part->candidates[i].why;
		struct candidate *to =
			keep_find(keeping, part->candidates[i].id);

		if (!to)
			continue;
		to->in_scope |= applied;
		for (; why; why = why->next) {
			const char *text;

			if (!is_rule(part, why->text))
				continue;
			text = name_rule(keeping, one, why->text);
			if (!text)
				return wh_fail_memory(err);
			WH_TRY(keep_hold(keeping, to, text, err));
		}
	}
	return WH_OK;
}

/* One whose branch or run is gone is about nothing. */
static enum wh_status decide_one(struct keeping *keeping,
				 const struct stored *one, bool applied,
				 struct wh_error *err)
{
	struct keeping part = {.db = keeping->db,
			       .now = keeping->now,
			       .grace_s = keeping->grace_s};
	enum wh_status status = keep_parse(one->rules, &part.arena, part.rules,
					   &part.n_rules, err);

	if (!status)
		status = keep_find_scope(
			&part, one->kind == POLICY_BRANCH ? one->name : NULL,
			one->kind == POLICY_RUN ? one->name : NULL, err);
	if (status == WH_ENOTFOUND)
		status = WH_OK;
	else if (!status) {
		status = keep_decide(&part, err);
		if (!status)
			status = merge(keeping, &part, one, applied, err);
	}
	keeping_free(&part);
	return status;
}

static enum wh_status decide_all(struct keeping *keeping,
				 const struct policies *all, const char *branch,
				 const char *run, struct wh_error *err)
{
	const struct stored *one;
	size_t i, n = 0;

	WH_TRY(keep_decide(keeping, err));
	for (one = all->first; one; one = one->next)
		WH_TRY(decide_one(keeping, one, is_applied(one, branch, run),
				  err));
	for (i = 0; i < keeping->n; i++)
		if (keeping->candidates[i].in_scope)
			keeping->candidates[n++] = keeping->candidates[i];
	keeping->n = n;
	return WH_OK;
}

enum wh_status policy_decide(struct keeping *keeping, const char *branch,
			     const char *run, struct wh_error *err)
{
	struct policies all = {.first = NULL};
	enum wh_status status = load(keeping->db, &all, err);
	const struct stored *one;
	bool any = false;

	for (one = all.first; one; one = one->next)
		any |= is_applied(one, branch, run);
	if (!status && any)
		status = decide_all(keeping, &all, branch, run, err);
	arena_free(&all.arena);
	return status;
}

enum wh_status policy_apply(struct wh_store *store, const char *branch,
			    const char *run, struct wh_error *err)
{
	const struct wh_keep_options options = {
		.policies = true, .branch = branch, .run = run};
	struct policies all = {.first = NULL};
	enum wh_status status = load(store->db, &all, err);

	/* Mostly there are none: then a commit takes no second turn. */
	if (!status && all.first)
		status = wh_keep(store, &options, NULL, NULL, err);
	arena_free(&all.arena);
	return status;
}
