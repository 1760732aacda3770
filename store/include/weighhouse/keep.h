/* keep.h: which snapshots stay, what becomes of the others, and copies.
 *
 * A snapshot lives until it is forgotten; being unreachable never kills it.
 * Keeping forgets what no rule holds; within the grace period that can be
 * undone; after it gc takes what only forgotten snapshots name, and leaves a
 * tombstone of each.
 */
#ifndef WEIGHHOUSE_KEEP_H
#define WEIGHHOUSE_KEEP_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WH_GRACE_S ((int64_t)14 * 24 * 3600) /* without another one */

/* ---- keep --------------------------------------------------------------- */

/** Rules add up: what any of them holds stays. Each is a text:
 *	last=N			the N newest
 *	best=K:METRIC[:min|max]	the K best; ties go to the newest, NaN never
 *				counts, without min or max as best: in revisions
 *	every=N[step|epoch|h|d]	the newest of each window [kN, (k+1)N): of a
 *				run's steps (without a unit) or epochs, or of
 *				hours or days, UTC
 *	tag=GLOB		those with such a tag
 *	within=N(s|m|h|d|w)	those not older than that
 *  Never forgotten are: tips of branches, tags, and what a rollback, an undo,
 *  a switch or a change of branches left within the grace period. */
struct wh_keep_options {
	const char *const *rules; /* NULL-terminated */
	/* The stored rules instead: those of the store, of `branch` and of
	 * `run`, or without either all. */
	bool policies;
	const char *branch; /* only its tip's ancestors, or NULL */
	const char *run;    /* only its snapshots, or NULL */
	bool dry_run;	    /* decide, and change nothing */
	int64_t grace_s;    /* of the reflog's entries; 0: WH_GRACE_S */
};

struct wh_kept {
	const struct wh_snapshot *snapshot;
	bool keep;
	const char *const *why; /* NULL-terminated: rules and names */
	/** Bytes of chunks that gc will free for it: what no snapshot that
	 *  stays and no earlier one of this listing names. */
	uint64_t frees;
};
/** Nonzero stops the listing, not the forgetting. */
typedef int wh_kept_fn(void *arg, const struct wh_kept *kept);

/** Decides about every living snapshot in scope and forgets what no rule
 *  holds, in one transaction, and finds there what each one's going will free;
 *  then lists them, newest first, without those that a gc with no grace period
 *  has taken by then. Others may write meanwhile. WH_EINVAL for a rule that
 *  there isn't, or none; WH_ENOTFOUND for a run or a branch. */
WH_API enum wh_status wh_keep(struct wh_store *store,
			      const struct wh_keep_options *options,
			      wh_kept_fn *fn, void *arg, struct wh_error *err);

/** Brings back all that was forgotten and that gc has not taken, in the scope
 *  of a branch (ancestors of its tip) or a run, or everywhere. `*n`: how
 *  many. WH_ENOTFOUND for a branch or a run that there isn't. */
WH_API enum wh_status wh_keep_undo(struct wh_store *store, const char *branch,
				   const char *run, uint64_t *n,
				   struct wh_error *err);

/** Rules that are applied after each commit to this branch, or of this run, or
 *  (with both NULL) any. Policies add up as rules do: a commit forgets in the
 *  scopes of those that it is about, and what any stored policy holds in its
 *  own scope stays. NULL or no rules: there are none any more. A commit
 *  succeeds also if they can't be applied then: the next one does it. WH_EINVAL
 *  for a rule that there isn't. */
WH_API enum wh_status wh_policy_set(struct wh_store *store, const char *branch,
				    const char *run, const char *const *rules,
				    struct wh_error *err);
struct wh_policy {
	const char *branch, *run; /* or NULL */
	const char *const *rules; /* NULL-terminated */
};
/** The store's own first, then those of branches and of runs by name; texts are
 *  valid during the call. Nonzero stops. */
typedef int wh_policy_fn(void *arg, const struct wh_policy *policy);
WH_API enum wh_status wh_policy_list(struct wh_store *store, wh_policy_fn *fn,
				     void *arg, struct wh_error *err);

/** "90s", "30m", "12h", "7d", "2w", or "0": seconds. False for another text. */
WH_API bool wh_duration_parse(const char *text, int64_t *seconds);

/* ---- gc ------------------------------------------------------------------ */

struct wh_gc_options {
	bool has_grace;	 /* else WH_GRACE_S */
	int64_t grace_s; /* forgotten longer ago than this */
	bool dry_run;
	/* Recode old history: what is stored whole as differences, what is
	 * from better bases, by `codec` ("fast", or "dense", which NULL
	 * means). Identities stay. It can be ended at any point: what has been
	 * recoded until then is. */
	bool deep;
	const char *codec;
	bool compact; /* rewrite the file without gaps, in place; as much room
			 again is needed among the temporary files */
	wh_progress_fn *progress;
	void *arg;
};
struct wh_gc_result {
	uint64_t n_snapshots, n_tensors; /* gone, or that would go */
	uint64_t freed_bytes;		 /* of their chunks */
	uint64_t file_bytes;		 /* of the store file now */
	uint64_t n_recoded;		 /* tensors that deep has moved */
	uint64_t recoded_before, recoded_after; /* bytes of their chunks; a dry
						   run guesses the latter */
	uint64_t n_waiting; /* forgotten snapshots within the grace period */
};
/** Takes what only forgotten snapshots name, and what dead commits left, in
 *  transactions of at most a quarter of a second, so that others get their
 *  turns; it may be killed at any time. Pages that become free are used again,
 *  and given back to the file system if they are a quarter of the file.
 *  Running commits are passed over (lease.h). WH_ECANCELLED: what is gone by
 *  then is gone. */
WH_API enum wh_status wh_gc(struct wh_store *store,
			    const struct wh_gc_options *options,
			    struct wh_gc_result *result, struct wh_error *err);

/** A copy of the store as of now, whole and compact, at `path`, which must not
 *  be there (WH_EEXISTS). Commits wait meanwhile: copying the file itself
 *  while one runs is wrong. */
WH_API enum wh_status wh_backup(struct wh_store *store, const char *path,
				struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
