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

enum wh_status wh_policy_list(struct wh_store *store, wh_policy_fn *fn,
			      void *arg, struct wh_error *err)
{
	const char *rules[KEEP_MAX_RULES + 1];
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(store->db, STMT_POLICY_LIST, &stmt, err));
	for (;;) {
		struct wh_policy policy = {.rules = rules};
		const char *name;
		int64_t kind;
		char *text;
		int stop;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		kind = column_integer(stmt, 0);
		name = column_text(stmt, 1);
		text = strdup(column_text(stmt, 2));
		if (!text)
			return wh_fail_memory(err);
		policy.branch = kind == POLICY_BRANCH ? name : NULL;
		policy.run = kind == POLICY_RUN ? name : NULL;
		split(text, rules);
		stop = fn(arg, &policy);
		free(text);
		if (stop)
			break;
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status load(struct db *db, enum policy_kind kind,
			   const char *name, char **text, struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	*text = NULL;
	WH_TRY(db_stmt(db, STMT_POLICY_GET, &stmt, err));
	stmt_integer(stmt, 1, kind);
	stmt_text(stmt, 2, name);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row && !(*text = strdup(column_text(stmt, 0))))
		return wh_fail_memory(err);
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status apply(struct wh_store *store, const char *branch,
			    const char *run, struct wh_error *err)
{
	const char *rules[KEEP_MAX_RULES + 1];
	struct wh_keep_options options = {
		.rules = rules, .branch = branch, .run = run};
	enum wh_status status = WH_OK;
	char *text;

	WH_TRY(load(store->db, kind_of(branch, run), name_of(branch, run),
		    &text, err));
	if (text && split(text, rules))
		status = wh_keep(store, &options, NULL, NULL, err);
	free(text);
	return status;
}

enum wh_status policy_apply(struct wh_store *store, const char *branch,
			    const char *run, struct wh_error *err)
{
	WH_TRY(apply(store, NULL, NULL, err));
	WH_TRY(apply(store, branch, NULL, err));
	return apply(store, NULL, run, err);
}
