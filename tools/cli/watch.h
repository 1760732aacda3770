/* watch.h: checkpoints into the store as training writes them.
 *
 * `watch` and `run exec` fill a struct watch from the options and run it. The
 * loop (watch.c) looks at the folders and hears what the system tells of them;
 * watch_list.c says what is complete, watch_take.c commits it, watch_csv.c
 * follows tables of metrics, watch_sources.c deletes what is safely stored.
 *
 * Nothing but the store remembers what was taken: a commit of the same
 * content under the same run, step and name is the one that is there
 * (wh_commit_options.once). So a watch may be killed at any time. What rules
 * publish goes out by a process of its own meanwhile (watch_publish.c).
 */
#ifndef WH_CLI_WATCH_H
#define WH_CLI_WATCH_H

#include <sys/types.h>

#include "cli.h"
#include "watch_csv.h"
#include "watch_list.h"
#include "watch_notify.h"
#include "watch_sources.h"

#define WATCH_MAX_FOLDERS 64
#define WATCH_MAX_RULES	  64

struct watch_folder {
	char *path;
	bool there; /* else waited for */
};

struct watch {
	struct cli *cli;
	struct watch_folder folders[WATCH_MAX_FOLDERS];
	size_t n_folders;
	const char *pattern, *branch, *codec;
	char run[256];
	const char *csv_path;			/* only this one, or NULL */
	const char *rules[WATCH_MAX_RULES + 1]; /* of keep; NULL-terminated */
	bool once, poll;
	int64_t since_ns; /* files of before are left alone; 0: none are */
	struct watch_list list;
	struct watch_csvs csvs;
	struct watch_sources sources;
	struct notify *notify; /* NULL: looks from time to time */
	bool looked;	       /* at all files, once */
	int64_t looked_ms;
	char *said[16]; /* warnings, which are told once; owned */
	size_t n_said;
	uint64_t n_taken, n_known, n_bad, stored_bytes;
	uint64_t n_unstored; /* by the store's fault */
	bool news;	     /* that rules of publish may be about */
	pid_t publisher;     /* the process that publishes; 0: none */
};

/** Takes the options that watch and run exec share; an exit code. `run` NULL:
 *  by --run, or the branch. The store is open. */
int watch_fill(struct watch *watch, const char *run);
void watch_free(struct watch *watch);

/** Whether it is over: the writer has ended. Asked after each wait. */
typedef bool watch_over_fn(void *arg);

/** Listens to the folders and looks at what is there. watch_run does it if it
 *  wasn't done: a writer that starts in between is not missed. */
void watch_begin(struct watch *watch);

/** Watches until it is over, a signal says so or, with `once`, all that is
 *  there is taken. An exit code. */
int watch_run(struct watch *watch, watch_over_fn *over, void *arg);

/** A sentence on stderr, once. */
void watch_warn(struct watch *watch, const char *format, ...) WH_PRINTF(2, 3);
void watch_warn_each(void *watch, const char *sentence);

/* ---- watch_take.c ----------------------------------------------------------
 */

/** Commits what is due, in order; until a signal comes, if `haste` is
 *  patience. `pump` is called between commits. An exit code: only what makes
 *  going on senseless is an error. */
int watch_take(struct watch *watch, enum watch_haste haste,
	       void (*pump)(struct watch *watch));

/* ---- watch_publish.c -------------------------------------------------------
 */

/** Begins to publish what is due, if there is news, unless that is still under
 *  way: then once it has ended. False if no process can be had for it. */
bool watch_publish_begin(struct watch *watch);
/** Waits for its end. When the watch is stopping, or at a signal, it is told to
 *  end. */
void watch_publish_end(struct watch *watch);

/* ---- watch_signal.c --------------------------------------------------------
 */

/** The first SIGINT, SIGTERM or SIGHUP asks to stop, the second cancels the
 *  commit under way. SIGCHLD ends a wait. */
void watch_signals_catch(void);
/** From now on those go to this process group instead; 0: no longer. */
void watch_signals_pass_on(pid_t group);
/** Meanwhile they wait. */
void watch_signals_hold(bool hold);
/** Begins to count them, also those that are passed on; whether any came. */
void watch_signals_count(void);
bool watch_signals_came(void);
/** Of a publication, which the first one ends. */
wh_progress_fn watch_publish_progress;
bool watch_stopping(void);
bool watch_cancelled(void);
/** For wh_commit: ends it when it is cancelled. */
wh_progress_fn watch_progress;
/** Until `fd` (or -1) can be read, a signal comes or `timeout_ms` are over
 *  (-1: never). */
void watch_wait(int fd, int64_t timeout_ms);

/** Waits for this child; its status. Signals that came, and those that come,
 * are its own. */
int watch_wait_for_child(pid_t pid);

int64_t watch_clock_ms(void); /* monotonic */

#endif
