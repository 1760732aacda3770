/* keep.h: rules, and which snapshots they hold. */
#ifndef WH_STORE_KEEP_H
#define WH_STORE_KEEP_H

#include "base/arena.h"
#include "lineage.h"
#include "store.h"
#include <weighhouse/keep.h>

#define KEEP_MAX_RULES 64

enum keep_kind { KEEP_LAST, KEEP_BEST, KEEP_EVERY, KEEP_TAG, KEEP_WITHIN };
enum keep_unit { KEEP_STEPS, KEEP_EPOCHS, KEEP_SECONDS };

struct keep_rule {
	enum keep_kind kind;
	const char *text;   /* as it was given, "last 5" */
	uint64_t n;	    /* last, best, every; seconds of within */
	const char *metric; /* or the tag's glob */
	bool lowest;	    /* of best */
	enum keep_unit unit;
};

/** Reads the rules into `rules`; texts are allocated in `arena`. WH_EINVAL. */
enum wh_status keep_parse(const char *const *texts, struct arena *arena,
			  struct keep_rule rules[KEEP_MAX_RULES],
			  size_t *n_rules, struct wh_error *err);

/** Whether lower values of a metric are better, where nobody says which. */
bool metric_lower_is_better(const char *metric);

struct keep_why {
	const char *text;
	struct keep_why *next;
};

/** A living snapshot in scope. */
struct candidate {
	int64_t id, run_id, step, epoch, time;
	bool has_step, has_epoch;
	bool in_scope;	      /* of a policy that is applied (policy.c) */
	struct keep_why *why; /* NULL: it goes */
	int64_t tree_id, template_id;
	uint64_t frees; /* if it goes, and someone wants to know (keep.c) */
};

struct keeping {
	struct db *db;
	struct arena arena;
	struct keep_rule rules[KEEP_MAX_RULES];
	size_t n_rules;
	struct lineage_range *ranges; /* of the branch; n_ranges 0: any */
	size_t n_ranges;
	bool has_branch;
	int64_t run_id, now, grace_s;
	struct candidate *candidates; /* newest first */
	size_t n;
};

/** Scope of a branch and a run, each or NULL. */
enum wh_status keep_find_scope(struct keeping *keeping, const char *branch,
			       const char *run, struct wh_error *err);
bool keep_in_scope(const struct keeping *keeping, int64_t run_id, int64_t line,
		   int64_t generation);

/** Loads the candidates and gives each its reasons to stay. */
enum wh_status keep_decide(struct keeping *keeping, struct wh_error *err);
void keeping_free(struct keeping *keeping);

/** By its id, among those that were loaded; or NULL. */
struct candidate *keep_find(const struct keeping *keeping, int64_t id);
/** Gives it a reason, once. `text` lives as long as the arena. */
enum wh_status keep_hold(struct keeping *keeping, struct candidate *one,
			 const char *text, struct wh_error *err);

/** policy.c: decides by what is stored: candidates are what the policies of
 *  the store, of `branch` and of `run` are about, or with both NULL any policy;
 *  what a policy holds, whichever, stays. */
enum wh_status policy_decide(struct keeping *keeping, const char *branch,
			     const char *run, struct wh_error *err);
/** policy.c: what is stored for the branch, the run, or all, after a commit. */
enum wh_status policy_apply(struct wh_store *store, const char *branch,
			    const char *run, struct wh_error *err);
/** policy.c: the policy of a branch goes along with it. */
enum wh_status policy_rename_branch(struct db *db, const char *from,
				    const char *to, struct wh_error *err);

#endif
