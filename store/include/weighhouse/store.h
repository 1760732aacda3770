/* store.h: every version of a model's weights in one SQLite file.
 *
 * A handle belongs to one thread at a time; several handles, in any number of
 * processes, share a store. A handle used after fork is refused (WH_EINVAL).
 *
 * What is said of no call: all may give WH_ENOMEM and WH_EIO; those that read
 * the store WH_ECORRUPT, where its rows are not what they must be; those that
 * write it WH_EBUSY, where others don't let go of it, and WH_EIO on a handle
 * for reading. A call that takes a revision gives WH_ENOTFOUND, with the
 * nearest name, if there is none such. What a call changes it changes in one
 * transaction, unless it says otherwise: after a failure all is as it was.
 * Callbacks get strings that live until they return; one that returns nonzero
 * ends the listing, which is WH_OK then.
 */
#ifndef WEIGHHOUSE_STORE_H
#define WEIGHHOUSE_STORE_H

#include <weighhouse/alarm.h>
#include <weighhouse/source.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wh_store;

#define WH_ID_SIZE 65 /* 64 hex digits and a NUL */

/* ---- Stores ---------------------------------------------------------- */

/** Makes an empty store at `path`, with branch "main" as HEAD.
 *  WH_EEXISTS if there is a file already. */
WH_API enum wh_status wh_store_create(const char *path, struct wh_error *err);

enum wh_open {
	WH_OPEN_READ = 0,  /* never writes, not even a lock file's byte */
	WH_OPEN_WRITE = 1, /* migrates an older store */
};

/** Opens a store, which the caller ends with wh_store_close (takes NULL).
 *  WH_ENOTFOUND; WH_ECORRUPT for what is no store of ours or is damaged;
 *  WH_EUNSUPPORTED for one written by a newer version. */
WH_API enum wh_status wh_store_open(const char *path, enum wh_open mode,
				    struct wh_store **store,
				    struct wh_error *err);
WH_API void wh_store_close(struct wh_store *store);
/** As it was opened; lives as long as the handle. */
WH_API const char *wh_store_path(const struct wh_store *store);
/** The file that this was: an absolute path without links, the same wherever
 *  the process goes. Names beside the store are made of it. */
WH_API const char *wh_store_file(const struct wh_store *store);
/** The kind of network file system that the store lies on ("NFS", "SMB"), or
 *  NULL. There locks may not hold between machines, and a machine's cache may
 *  lag: one machine at a time should write. */
WH_API const char *wh_store_network(const struct wh_store *store);

/* ---- Committing ------------------------------------------------------ */

/** A metric's value at the snapshot's step. */
struct wh_metric {
	const char *key;
	double value; /* NaN and infinities are kept as such */
};

/** A parameter of the run, as text; its type is inferred where it is read. */
struct wh_param {
	const char *key, *value;
};

/** A zeroed struct commits to HEAD's branch without message or step. */
struct wh_commit_options {
	const char *branch;  /* NULL: HEAD's. A new one starts at HEAD's
				snapshot; HEAD stays where it is */
	bool root;	     /* a new branch without a parent */
	const char *parent;  /* a revision to follow instead of the tip */
	const char *expect;  /* WH_EMISMATCH if the tip is not this revision */
	const char *message; /* UTF-8, line feeds at its end go; NULL: empty */
	const char *run;     /* by name; NULL: a run named as the branch */
	bool has_step, has_epoch, has_time;
	int64_t step, epoch;
	int64_t time; /* UTC seconds; else SOURCE_DATE_EPOCH, else now */
	const struct wh_metric *metrics;
	size_t n_metrics;
	const struct wh_param *params;
	size_t n_params;
	const char *tag; /* also names the new snapshot so */
	/* No second snapshot where the newest one of this run, step, epoch and
	 * message has the same weights, forgotten or not, nor where gc has
	 * taken one of a later second that had, or one of any time if nothing
	 * of this name is left: what is committed again after a crash is there
	 * once. For programs that find files again; a person who commits means
	 * it. */
	bool once;
	/* With a step or an epoch: what wh_metric_log put there before and no
	 * snapshot has becomes this one's, and what only one of another message
	 * has, this one's too; it is told in the place of what `metrics` says
	 * of the same key. */
	bool adopt;
	/* How hard to shrink payloads: "none" stores them as they are, "fast"
	 * as differences from older versions where that pays, "dense" spends
	 * time for a little less. NULL: the store's setting, else "fast". What
	 * is stored already stays as it is. */
	const char *codec;
	unsigned threads; /* 0: as many as the machine has */
	wh_progress_fn *progress;
	void *arg;
	struct wh_alarm_options alarms; /* looked for after weighing */
};

struct wh_commit_result {
	char snapshot[WH_ID_SIZE], tree[WH_ID_SIZE];
	char parent[WH_ID_SIZE]; /* "" if it has none */
	char branch[256];
	uint64_t n_tensors, n_new_tensors;
	uint64_t nbytes;       /* of the model's payloads */
	uint64_t stored_bytes; /* that the payloads of this commit cost */
	/* `once`: the snapshot is the earlier one. If gc has taken that one,
	 * `snapshot` and `parent` may name nothing any more. */
	bool there_already;
};

/** Commits all of `source` as a snapshot: weighs it, stores the tensors that
 *  the store lacks, and moves the branch, in this order; nothing is visible
 *  before all is. If another process moved the branch meanwhile, the snapshot
 *  follows the new tip (unless `expect`). Peak memory about 40 MiB.
 *  WH_EMISMATCH if the source changed while it was read; WH_EINVAL,
 *  WH_EBUSY, WH_EIO, WH_ECANCELLED; WH_EALARM where alarms are strict. */
WH_API enum wh_status wh_commit(struct wh_store *store,
				struct wh_source *source,
				const struct wh_commit_options *options,
				struct wh_commit_result *result,
				struct wh_error *err);

/* ---- Reading snapshots ----------------------------------------------- */

/** A snapshot as a source; the caller closes it, before the store. Its read
 *  is safe from several threads. Every chunk's CRC is checked: a damaged one
 *  is WH_ECORRUPT, naming snapshot, layer and tensor, and never handed out. */
WH_API enum wh_status wh_snapshot_open(struct wh_store *store,
				       const char *revision,
				       struct wh_source **source,
				       struct wh_error *err);

/** Bytes [offset, offset + len) of one tensor's payload into `buf`:
 *  little-endian, C order, without gaps. `tensor` as wh_manifest_find takes it;
 *  WH_ENOTFOUND, with the nearest name; WH_EINVAL for a range beyond its end.
 *  Opens the snapshot each time: for many tensors wh_snapshot_open is cheaper.
 */
WH_API enum wh_status wh_tensor_read(struct wh_store *store,
				     const char *revision, const char *tensor,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err);

/** A snapshot's row; strings live until the next call on the store, or for as
 *  long as the callback that got it runs. */
struct wh_snapshot {
	char id[WH_ID_SIZE], tree[WH_ID_SIZE];
	char parent[WH_ID_SIZE]; /* "" if none */
	const char *message;
	int64_t time; /* UTC seconds */
	const char *run;
	bool has_step, has_epoch;
	int64_t step, epoch;
	const char *const *branches; /* tips here; NULL-terminated */
	const char *const *tags;
	const struct wh_metric *metrics; /* of this snapshot, by key */
	size_t n_metrics;
	const struct wh_param *params; /* of its run, by key */
	size_t n_params;
	const char *origin_format, *origin_generator; /* or NULL */
	const char *const *templates; /* formats it comes back in byte for
					 byte; NULL-terminated */
	uint64_t n_tensors, n_layers, nbytes;
};

/** Nonzero stops the listing, which then ends with WH_OK. */
typedef int wh_snapshot_fn(void *arg, const struct wh_snapshot *snapshot);

/** A snapshot's place among the others, for who draws them: numbers that
 *  stand for it and for the one that it follows (0: none). */
struct wh_log_place {
	int64_t node, parent;
};
typedef int wh_log_place_fn(void *arg, const struct wh_log_place *place);

struct wh_log_options {
	const char *revision; /* NULL: HEAD */
	const char *exclude;  /* stop at the ancestors of this one: A in A..B */
	bool all;	      /* every snapshot, newest first */
	/* Called with the listing's `arg` before each snapshot, also before
	 * those that filters leave out; nonzero stops. With `all`, snapshots
	 * then come in the order of a graph: before the one that they follow,
	 * and lines of history one after the other, the newest tip's first. */
	wh_log_place_fn *place;
	bool has_min_step, has_max_step; /* only with a step, from .. to */
	int64_t min_step, max_step;
	const char *run;    /* only of this run */
	const char *metric; /* only with this metric */
	/* Only those that changed a matching weight against the one before;
	 * NULL-terminated. By the names of wh_history, or those that tensors
	 * have at the revision, a branch or a tag. What a forgotten snapshot
	 * changed is told of the next one, unless with `all` or `place`. */
	const char *const *globs;
	uint64_t limit; /* 0: none */
};

/** Snapshots along the parents, newest first. WH_ENOTFOUND for a revision or a
 *  run that there isn't, with the nearest name. */
WH_API enum wh_status wh_log(struct wh_store *store,
			     const struct wh_log_options *options,
			     wh_snapshot_fn *fn, void *arg,
			     struct wh_error *err);

/** One snapshot by revision: `fn` is called once. */
WH_API enum wh_status wh_snapshot_get(struct wh_store *store,
				      const char *revision, wh_snapshot_fn *fn,
				      void *arg, struct wh_error *err);

/** The canonical text whose SHA-256 is the snapshot's id; malloc'd into
 *  `*text`, NUL-terminated, `*size` bytes without the NUL. */
WH_API enum wh_status wh_snapshot_text(struct wh_store *store,
				       const char *revision, char **text,
				       size_t *size, struct wh_error *err);

/* ---- Names ------------------------------------------------------------ */

/** The full id that a revision means: HEAD, HEAD~3, HEAD^, a branch, a tag,
 *  branch@{1}, a short id of four or more hex digits, best:METRIC[:min|max],
 *  run@step, NAME:latest. WH_ENOTFOUND, with the nearest name or, if a short
 *  id is ambiguous, its candidates. */
WH_API enum wh_status wh_revision_parse(struct wh_store *store,
					const char *revision,
					char id[WH_ID_SIZE],
					struct wh_error *err);

struct wh_ref {
	const char *name;
	char snapshot[WH_ID_SIZE]; /* "" for a branch without a snapshot */
	bool head;		   /* the branch that HEAD is on */
};
typedef int wh_ref_fn(void *arg, const struct wh_ref *ref);

/** By name. */
WH_API enum wh_status wh_branch_list(struct wh_store *store, wh_ref_fn *fn,
				     void *arg, struct wh_error *err);
/** A branch whose tip is `revision` (NULL: HEAD); HEAD stays on its own.
 *  WH_EEXISTS if there is one and not `force`, which moves it; WH_EINVAL for a
 *  name that can't be one: that reads as another revision does, or that git
 *  would not take. */
WH_API enum wh_status wh_branch_create(struct wh_store *store, const char *name,
				       const char *revision, bool force,
				       struct wh_error *err);
/** The snapshots stay, and the reflog, so wh_undo brings it back. WH_ENOTFOUND;
 *  WH_EINVAL for HEAD's branch. */
WH_API enum wh_status wh_branch_delete(struct wh_store *store, const char *name,
				       struct wh_error *err);
/** HEAD, the reflog, its policy (wh_policy_set) and rules that publish it go
 *  along. WH_ENOTFOUND; WH_EEXISTS if `to` is there; WH_EINVAL for a name that
 *  can't be one. */
WH_API enum wh_status wh_branch_rename(struct wh_store *store, const char *from,
				       const char *to, struct wh_error *err);
/** HEAD moves to a branch that is there: what is committed without a branch
 *  goes there. WH_ENOTFOUND. */
WH_API enum wh_status wh_switch(struct wh_store *store, const char *branch,
				struct wh_error *err);
/** HEAD's branch; "main" in a new store. */
WH_API enum wh_status wh_head(struct wh_store *store, char branch[256],
			      struct wh_error *err);

/** By name. */
WH_API enum wh_status wh_tag_list(struct wh_store *store, wh_ref_fn *fn,
				  void *arg, struct wh_error *err);
/** Names `revision` (NULL: HEAD) for good. As wh_branch_create. */
WH_API enum wh_status wh_tag_create(struct wh_store *store, const char *name,
				    const char *revision, bool force,
				    struct wh_error *err);
/** The snapshot stays. WH_ENOTFOUND. */
WH_API enum wh_status wh_tag_delete(struct wh_store *store, const char *name,
				    struct wh_error *err);

struct wh_move {
	char from[WH_ID_SIZE], to[WH_ID_SIZE]; /* "" for none */
};
/** The branch (NULL: HEAD's) moves to `revision`; no tensor is touched. `why`
 *  goes into the reflog; NULL: "rollback". `move`: from where to where; or
 * NULL. WH_ENOTFOUND for a branch that there isn't. */
WH_API enum wh_status wh_rollback(struct wh_store *store, const char *branch,
				  const char *revision, const char *why,
				  struct wh_move *move, struct wh_error *err);
/** A move that says what it expects. */
struct wh_branch_move {
	const char *branch;   /* NULL: HEAD's */
	const char *revision; /* where to */
	const char *expect;   /* WH_EMISMATCH if the tip is not this revision */
	const char *why;      /* for the reflog, or the message of
				 wh_rollback_keep; NULL: "rollback" */
};
/** wh_rollback, if the tip is still `expect`. */
WH_API enum wh_status wh_branch_move(struct wh_store *store,
				     const struct wh_branch_move *request,
				     struct wh_move *move,
				     struct wh_error *err);
/** Takes back the last move of the branch (NULL: HEAD's) that no undo has
 *  taken back: a commit, a rollback, a deletion. move->to is "" where the
 *  branch had no snapshot before. WH_ENOTFOUND if there is none, or if what
 *  it stood on was forgotten. */
WH_API enum wh_status wh_undo(struct wh_store *store, const char *branch,
			      struct wh_move *move, struct wh_error *err);
/** A new snapshot with the tree of `revision` on top of the branch: history
 *  stays. Errors as wh_branch_move and wh_commit. */
WH_API enum wh_status wh_rollback_keep(struct wh_store *store,
				       const struct wh_branch_move *request,
				       struct wh_move *move,
				       struct wh_error *err);

struct wh_reflog_entry {
	const char *branch;
	char from[WH_ID_SIZE], to[WH_ID_SIZE];
	const char *why;
	int64_t time;
};
typedef int wh_reflog_fn(void *arg, const struct wh_reflog_entry *entry);
/** Newest first; of one branch or, with NULL, of all. */
WH_API enum wh_status wh_reflog(struct wh_store *store, const char *branch,
				wh_reflog_fn *fn, void *arg,
				struct wh_error *err);

/* ---- Health ------------------------------------------------------------ */

/** A tensor that is damaged. Texts last as long as the call. */
struct wh_damage {
	char tensor[WH_ID_SIZE];    /* its SHA-256 */
	const char *layer, *weight; /* as one snapshot calls it */
	uint64_t n_snapshots;	    /* that need it */
	char oldest[WH_ID_SIZE], newest[WH_ID_SIZE]; /* of them; "" if none */
	bool repaired;
};
typedef int wh_damage_fn(void *arg, const struct wh_damage *damage);

/** Where sound copies may be: another store, or a checkpoint's source, which
 *  is weighed where it isn't yet. One of the two. */
struct wh_repair_from {
	struct wh_store *store;
	struct wh_source *source;
};

struct wh_verify_options {
	const char *revision; /* NULL: the whole store */
	bool read_data;	      /* decode every chunk, recompute every digest */
	/* Of read_data: this share of the tensors, drawn at random and at least
	 * one; 0: all. */
	double sample;
	/* Go on where the last verification that was cut short has ended. */
	bool resume;
	/* End by then, and note in the store how far it went; 0: no limit.
	 * These two need a writable store. Pages are checked at the beginning
	 * of a round, those of the chunks by reading the data. */
	unsigned time_limit_s;
	wh_damage_fn *damage; /* told at the end, or NULL */
	/* Told of what a newer version wrote, a sentence each, or NULL. Whether
	 * that is damaged only such a version can say. */
	void (*unchecked)(void *arg, const char *sentence);
	/* Told what SQLite finds wrong with the file's pages, a line of its own
	 * words each, or NULL: then `fn` is. Rows may be lost then, which no
	 * repair brings back. */
	void (*page)(void *arg, const char *line);
	/* Damaged tensors are restored from these, as new storages that are
	 * read back; what is coded against them, from their values. */
	const struct wh_repair_from *repair_from;
	size_t n_repair_from;
	wh_progress_fn *progress;
	void *arg;
};
struct wh_verify_result {
	uint64_t n_snapshots, n_tensors, checked_bytes;
	uint64_t n_errors;     /* sentences */
	uint64_t n_damaged;    /* tensors of which one was told */
	uint64_t n_repaired;   /* of those */
	uint64_t n_incomplete; /* snapshots that need one that is left */
	uint64_t n_unchecked;  /* sentences of what a newer version wrote */
	bool complete;	       /* false: the time was over */
};
/** `fn` gets a sentence for each thing that is damaged; it ends nothing by what
 *  it returns (`progress` does). WH_OK also where damage was found:
 *  result->n_errors says so, and n_unchecked what this version can't check.
 *  After a repair, verify again: errors were counted as they were found.
 *  WH_ECANCELLED. */
WH_API enum wh_status wh_verify(struct wh_store *store,
				const struct wh_verify_options *options,
				int (*fn)(void *arg, const char *sentence),
				struct wh_verify_result *result,
				struct wh_error *err);

/** What a part of the store costs. */
struct wh_usage {
	const char *name;
	uint64_t nbytes;       /* of payload that it names */
	uint64_t stored_bytes; /* of chunks that it names */
	uint64_t shared_bytes; /* of those, also named by another part */
	uint64_t own_bytes;    /* of those, named by nothing else */
	bool rest; /* no part: what several share, or none of them names */
};
/** May use the store. Nonzero stops the listing. */
typedef int wh_usage_fn(void *arg, const struct wh_usage *usage);
enum wh_usage_by {
	WH_BY_SNAPSHOT,
	WH_BY_LAYER,
	WH_BY_TENSOR,
	WH_BY_RUN,
	/** Payload by coding; the pages of each table and index, where this
	 *  SQLite can count them (DBSTAT); free pages. */
	WH_BY_FILE
};
/** A call for each part; then one for each of what several parts share, what
 *  none of them names, and what is no payload; and a last one named "total".
 *  The own_bytes of all before it add up to its own, the size of the store's
 *  file, whatever the listing is by. WH_EINVAL for a listing that there
 *  isn't. */
WH_API enum wh_status wh_usage(struct wh_store *store, enum wh_usage_by by,
			       wh_usage_fn *fn, void *arg,
			       struct wh_error *err);

/** Brings an older store to this version; WH_OK if it is there. */
WH_API enum wh_status wh_store_migrate(const char *path, struct wh_error *err);

/* ---- Settings and SQL -------------------------------------------------- */

/** Settings of the store: "codec" (none|fast|dense), "alarms"
 *  (off|warn|strict), "alarms.norm", "alarms.stuck" (alarm.h),
 *  "remote.NAME.url" and its kind (`wh remote`). `*value` is malloc'd,
 *  NULL where it isn't set. */
WH_API enum wh_status wh_config_get(struct wh_store *store, const char *key,
				    char **value, struct wh_error *err);
/** WH_EINVAL for a key or a value that there isn't. NULL unsets. */
WH_API enum wh_status wh_config_set(struct wh_store *store, const char *key,
				    const char *value, struct wh_error *err);
/** All that are set, by key; texts are valid during the call. Nonzero stops. */
WH_API enum wh_status wh_config_list(struct wh_store *store,
				     int (*fn)(void *arg, const char *key,
					       const char *value),
				     void *arg, struct wh_error *err);

enum wh_cell_kind {
	WH_CELL_NULL,
	WH_CELL_INTEGER,
	WH_CELL_REAL,
	WH_CELL_TEXT,
	WH_CELL_BLOB
};
struct wh_cell {
	enum wh_cell_kind kind;
	int64_t integer;
	double real;
	const char *text; /* or the blob's bytes */
	size_t size;
};
/** `names` is given before the first row with `cells` NULL, so that a query
 *  without rows still has a head. */
typedef int wh_row_fn(void *arg, int n_columns, const char *const *names,
		      const struct wh_cell *cells);
/** A zeroed struct, or NULL, means these defaults. */
struct wh_sql_options {
	unsigned time_limit_s;	  /* 0: 60 */
	wh_progress_fn *progress; /* false cancels; its byte counts are 0 */
	void *progress_arg;
};
/** Runs one read-only query over the documented views and tables; the result
 *  is spooled before the first row is handed out. WH_EINVAL, with SQLite's
 *  reason, for what is no single read-only query; WH_EIO for one that takes
 *  longer than its time, or more than 1 GiB of rows; WH_ECANCELLED. */
WH_API enum wh_status wh_sql(struct wh_store *store, const char *query,
			     const struct wh_sql_options *options,
			     wh_row_fn *fn, void *arg, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
