/* cli.h: what the verbs of `wh` share.
 *
 * A verb is a row of table.c and a function cmd_<verb>.c; the table drives
 * parsing, --help, completions and the man page. Verbs return exit codes and
 * never exit themselves.
 */
#ifndef WH_CLI_H
#define WH_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <weighhouse/diff.h>
#include <weighhouse/library.h>
#include <weighhouse/weights.h>

/* Exit codes: what scripts may rely on. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_DIFFERS = 3, /* or damage was found */
	EXIT_NOT_FOUND = 4,
	EXIT_DAMAGED = 5,
	EXIT_NO_STORE = 10,
	EXIT_BUSY = 11,
	EXIT_NOT_AUTHORISED = 12,
	EXIT_ALARM = 13, /* a strict commit met an alarm */
	EXIT_EXISTS = 14,
	EXIT_MISSING = 15, /* not in this build */
	EXIT_INTERRUPTED = 130,
};

/** What each means, for the man page; ended by a NULL meaning. */
struct exit_meaning {
	int code;
	const char *meaning;
};
extern const struct exit_meaning exit_meanings[];

enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_INTEGER, /* of either sign */
	OPTION_COUNT,	/* 0 or more */
	OPTION_CHOICE,	/* one of its value's words: "a|b|c" */
	OPTION_LIST,	/* text, and it may be given again */
};

struct option {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	const char *value; /* what the help calls its value */
	const char *help;
};

struct cli;

struct verb {
	const char *name, *alias;
	const char *arguments; /* as the synopsis shows them */
	int min, max;	       /* positional arguments; max -1: any number */
	const char *summary;
	const struct option *options; /* ended by a NULL name */
	int (*run)(struct cli *cli);
	const char *example;
};

extern const struct verb verbs[]; /* ended by a NULL name */
/** What other tools call a verb, and how it is called here; ended by NULL. */
struct habit {
	const char *word, *here;
};
extern const struct habit habits[];
extern const struct option global_options[];

#define MAX_GIVEN 512

/* An option as it was given. */
struct given {
	const struct option *option;
	const char *value;
};

struct cli {
	const struct verb *verb;
	struct given given[MAX_GIVEN];
	int n_given;
	const char **args; /* positional */
	int n_args;
	const char **globs; /* what follows `--`, for log and diff */
	int n_globs;
	char **command; /* what follows `--`, for run exec; NULL-terminated */
	int n_command;
	struct wh_store *store;
	struct wh_library *library; /* with plug-ins; NULL without any */
	struct wh_error err;
	bool no_store;	     /* it could not be opened */
	bool wants_json;     /* --json is somewhere among the words */
	const char *spool;   /* the path that stands for stdin, or NULL */
	const char *subject; /* what an error is about: a path, a revision */
	char hint[256];	     /* the next step after an error; "": none */
};

/* ---- parse.c ------------------------------------------------------------- */

/** Fills `cli` from the words; EXIT_DONE, or EXIT_USAGE with a message. */
int cli_parse(struct cli *cli, int n_words, char **words);
bool cli_flag(const struct cli *cli, const char *name);
const char *cli_text(const struct cli *cli, const char *name); /* or NULL */
/** Whether the option was given with this value. */
bool cli_is(const struct cli *cli, const char *name, const char *value);
bool cli_integer(const struct cli *cli, const char *name, int64_t *value);
/** The next value of a repeated option after `*at` (begin with 0), or NULL. */
const char *cli_next(const struct cli *cli, const char *name, int *at);
const struct verb *verb_find(const char *name);
/** Tells that there is no such verb, and which one may be meant. */
int unknown_verb(struct cli *cli, const char *word);

/* ---- help.c --------------------------------------------------------------
 */

void verb_help(const struct verb *verb, FILE *out);
void verbs_help(FILE *out);
/** What REV may be: paragraphs, ended by NULL. */
extern const char *const revisions_help[];
void print_revisions_help(FILE *out);
/** json_fields.c: what --json prints, NULL where that isn't promised. */
const char *verb_json(const struct verb *verb);
/** What else there is to know, NULL where there is nothing. */
const char *verb_notes(const struct verb *verb);
/** "wh commit [options] PATH", without a line's end. */
void verb_synopsis(const struct verb *verb, FILE *out);
/** "-m, --message TEXT". */
void option_head(const struct option *option, char *head, size_t size);

/* ---- output.c ------------------------------------------------------------ */

bool cli_json(const struct cli *cli);
/** Tells the error of `cli->err`, and gives its exit code. */
int cli_fail(struct cli *cli);
void cli_tell_no_memory(struct cli *cli);
/** As cli_fail, where memory ran out for what the command keeps itself. Here,
 *  so that whoever reads a caller alone sees that it is never EXIT_DONE. */
static inline int cli_no_memory(struct cli *cli)
{
	cli_tell_no_memory(cli);
	return EXIT_FAILED;
}
/** Tells that nothing has this name, and gives its exit code. */
int cli_no_tensor(struct cli *cli, const char *name);
/** Tells a usage error. */
int cli_usage(struct cli *cli, const char *format, ...) WH_PRINTF(2, 3);
/** A line on stderr that is no error: what was left out, or assumed. */
void cli_warn(void *cli, const char *sentence);
/** Prints `value` as a line and frees it. */
void cli_print_json(json_t *value);
/** From here on it is known whether there was no memory for a piece of JSON:
 *  then a command has failed. */
void cli_watch_json(void);
bool cli_json_was_lost(void);
/** A line on stdout for people; silent with --quiet. */
void cli_say(const struct cli *cli, const char *format, ...) WH_PRINTF(2, 3);
/** "1.4 MiB"; exact with --bytes. The text lives until the next call but
 *  four. */
const char *cli_size(const struct cli *cli, uint64_t nbytes);
/** "1 snapshot", "3 snapshots", "2 infinities"; lives as cli_size's. */
const char *cli_count(uint64_t n, const char *noun);
/** "2026-11-24 13:05", local; and RFC 3339 in UTC for JSON. */
const char *cli_time(int64_t time_s);
const char *cli_time_utc(int64_t time_s);
/** A name as a terminal may show it; lives as cli_size's. */
const char *cli_escape(const char *name);
/** The bytes as a shell takes them for one word. */
void cli_put_word(FILE *out, const char *word, size_t len);
json_t *json_text(const char *text); /* JSON null for NULL */
json_t *json_shape(const struct wh_tensor *tensor);
void shape_text(const struct wh_tensor *tensor, char *text, size_t size);
/** Text of any length as a terminal may show it; the second keeps its line
 *  ends, and sets each line in, so that none looks like what `wh` says. */
void cli_print_text(const char *text);
void cli_print_lines(const char *text);

/* ---- pager.c -------------------------------------------------------------
 */

/** Bold where colour is on. */
const char *cli_bold(const struct cli *cli);
const char *cli_plain(const struct cli *cli);
/** Sends stdout through a pager if it is a terminal: for log, diff, show. */
void cli_page(const struct cli *cli);
/** Flushes stdout, and waits for the pager where there is one. */
void cli_end_pager(void);

/* ---- progress.c ---------------------------------------------------------- */

wh_progress_fn cli_progress; /* its arg is the struct cli */
void cli_progress_end(struct cli *cli);
/** Whether SIGINT, SIGTERM or SIGHUP came. */
bool cli_interrupted(void);
/** Until there is something to read; false after one of those. */
bool cli_wait_for(int fd);
void cli_catch_interrupt(void);
/** nohup: neither we nor what we run ends with the session. */
bool cli_goes_on_at(int signal);

/* ---- open.c ----------------------------------------------------------------
 */

const char *cli_store_path(const struct cli *cli);
/** Opens the store into cli->store; EXIT_DONE, or the error told. */
int cli_open(struct cli *cli, enum wh_open mode);
/** Loads what --plugin and WH_PLUGINS name into cli->library. */
int cli_load_plugins(struct cli *cli);
/** How files are opened: with those plug-ins, and libhdf5 in a process apart,
 *  which --untrusted and WH_UNTRUSTED limit. */
struct wh_load_options cli_load_options(const struct cli *cli);
/** Whether a glob names a weight: by its name, with or without ":0", or by its
 *  layer's. */
bool cli_glob_weight(const char *glob, const char *layer, const char *name);

/** What "A..B" names; a side that is left out is HEAD. Without dots `from` is
 *  NULL and `to` all of it. Dots before a slash are a path's. */
struct range {
	char *text; /* owned; the others point into it */
	const char *from, *to;
};
bool range_cut(const char *text, struct range *range); /* false: no memory */
/** Where nothing is called `name`, but a path is: how that is said. */
void cli_hint_at_path(struct cli *cli, const char *name);
/** A revision, or with `file:` a checkpoint, as a source. */
int cli_source(struct cli *cli, const char *name, struct wh_source **source);

/* ---- Pieces of several verbs ----------------------------------------------
 */

/** snapshot_line.c: what of a snapshot's line several verbs print: its epoch
 * and step, the first line of its message; two spaces before each. */
void snapshot_put_step(const struct wh_snapshot *snapshot);
void snapshot_put_message(const struct wh_snapshot *snapshot);
/** snapshot_json.c: log's and show's object. */
json_t *snapshot_json(const struct wh_snapshot *snapshot);
/** min, max, mean, ... of a tensor that has statistics. */
json_t *statistics_json(const struct wh_tensor *tensor);
json_t *number_json(double value);
/** cmd_run.c: numbers and truths as such, the rest as text. */
json_t *param_json(const char *value);
struct wh_run;
/** cmd_run.c: a run's line of `runs`; more is put into it by `run show`. */
json_t *run_json(const struct wh_run *run);
/** cmd_run.c: starts a run with --param and --tag; an exit code. */
int cli_run_begin(struct cli *cli, const char *name, const char *command);
/** cmd_exec.c: `run exec`. */
int cli_run_exec(struct cli *cli, const char *name);

/** cmd_commit.c: `PATH` into the open store; `file` is shown. */
struct commit_outcome {
	struct wh_commit_result result;
	bool reproducible;
	bool opened;	/* the file was read: what failed then is the commit */
	json_t *alarms; /* what --json tells of them; commit_json takes it */
	unsigned n_alarms[WH_ALARM_STUCK + 1]; /* by kind */
};
/** The same without telling of a failure; warnings go to `warn`. */
enum wh_status cli_try_commit(struct cli *cli, const char *path,
			      const struct wh_commit_options *given,
			      struct commit_outcome *outcome,
			      void (*warn)(void *arg, const char *sentence),
			      void *arg);
/** alarms.c: takes the options of `commit` and `import` into `options`, which
 *  then tell `outcome` with --json, else `warn`. */
int cli_take_alarms(struct cli *cli, struct wh_commit_options *options);
/** Where `options->alarms` tell of a commit. */
struct alarm_teller {
	struct cli *cli;
	struct commit_outcome *outcome;
	void (*warn)(void *arg, const char *sentence);
	void *arg;
};
wh_alarm_fn cli_tell_alarm; /* its arg is the struct alarm_teller */
/** Of those that were not told one by one. */
void cli_tell_more_alarms(const struct alarm_teller *teller);
int cli_commit_path(struct cli *cli, const char *path,
		    struct wh_commit_options *options,
		    struct commit_outcome *outcome);
json_t *commit_json(const struct commit_outcome *outcome, const char *file);

/** save_options.c: what save-weights and convert have in common. */
#define SAVE_MAX_CASTS 32
struct save_request {
	struct wh_save_options options;
	struct wh_checkpoint_options checkpoint;
	char *model_config, *map; /* owned */
	struct wh_cast casts[SAVE_MAX_CASTS];
};
/** Checks the options and the format of PATH, before anything opens. */
int save_request_fill(struct cli *cli, const char *path,
		      struct save_request *request);
void save_request_free(struct save_request *request);
/** Files with --json, as save-weights, load-weights and pull list them. */
json_t *saved_files_json(const struct wh_saved_file *files, size_t n);
/** All of the text file that --option names, malloc'd. */
int cli_read_text(struct cli *cli, const char *option, const char *path,
		  char **text);
/** Saves to PATH, in one format or in each of a list. */
int cli_save(struct cli *cli, struct wh_source *source, const char *path,
	     struct save_request *request);

/** Saves the weights of REV to PATH by `format`, or by what its suffix says if
 *  that is NULL: `--write` of verbs that do something else besides. */
int cli_save_revision(struct cli *cli, const char *revision, const char *path,
		      const char *format);

/** publish_rules.c: after commits into the open store. What fails is warned of,
 *  and tried again after the next; so is what `progress`, whose arg is the
 *  struct cli, stops, and then no other begins. */
void cli_apply_publish_rules(struct cli *cli, wh_progress_fn *progress);
/** Whether there is something for it to do, or to warn of. */
bool cli_publishing_is_due(struct cli *cli);

int cmd_init(struct cli *cli);
int cmd_commit(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_show(struct cli *cli);
int cmd_load_weights(struct cli *cli);
int cmd_ls(struct cli *cli);
int cmd_save_weights(struct cli *cli);
int cmd_convert(struct cli *cli);
int cmd_plot(struct cli *cli);
int cmd_publish(struct cli *cli);
int cmd_unpublish(struct cli *cli);
int cmd_remote(struct cli *cli);
int cmd_pull(struct cli *cli);
int cmd_cat(struct cli *cli);
int cmd_diff(struct cli *cli);
int cmd_rollback(struct cli *cli);
int cmd_watch(struct cli *cli);
int cmd_undo(struct cli *cli);
int cmd_blame(struct cli *cli);
int cmd_history(struct cli *cli);
int cmd_keep(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_runs(struct cli *cli);
int cmd_metric(struct cli *cli);
int cmd_gc(struct cli *cli);
int cmd_backup(struct cli *cli);
int cmd_bisect(struct cli *cli);
int cmd_branch(struct cli *cli);
int cmd_switch(struct cli *cli);
int cmd_tag(struct cli *cli);
int cmd_reflog(struct cli *cli);
int cmd_verify(struct cli *cli);
int cmd_du(struct cli *cli);
int cmd_formats(struct cli *cli);
int cmd_config(struct cli *cli);
int cmd_sql(struct cli *cli);
int cmd_migrate(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_complete(struct cli *cli);

#endif
