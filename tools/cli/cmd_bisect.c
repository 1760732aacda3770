/* bisect: which snapshot broke it. */
#include <weighhouse/bisect.h>

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* ---- What is told ----------------------------------------------------------
 */

static json_t *id_json(const char *id)
{
	return *id ? json_text(id) : json_null();
}

static void print_state_json(const struct wh_bisect *b)
{
	static const char *const phases[] = {"waits", "tests", "found",
					     "skipped"};

	cli_print_json(json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:I,s:i}", "phase", phases[b->phase],
		"good", id_json(b->good), "bad", id_json(b->bad), "candidate",
		id_json(b->candidate), "first_bad",
		b->phase == WH_BISECT_FOUND ? json_text(b->bad) : json_null(),
		"left", (json_int_t)b->n_left, "steps", (int)b->n_steps));
}

static int print_found(void *arg, const struct wh_snapshot *s)
{
	struct cli *cli = arg;

	printf("%s%.12s%s is the first bad snapshot: %s", cli_bold(cli), s->id,
	       cli_plain(cli), cli_time(s->time));
	snapshot_put_step(s);
	snapshot_put_message(s);
	putchar('\n');
	return 1;
}

static int print_state(struct cli *cli, const struct wh_bisect *b)
{
	if (cli_json(cli)) {
		print_state_json(b);
		return EXIT_DONE;
	}
	switch (b->phase) {
	case WH_BISECT_WAITS:
		cli_say(cli, "waiting for a %s snapshot",
			*b->bad	   ? "good"
			: *b->good ? "bad"
				   : "bad and a good");
		break;
	case WH_BISECT_TESTS:
		cli_say(cli, "test %.12s: %s left, about %s", b->candidate,
			cli_count(b->n_left, "snapshot"),
			cli_count(b->n_steps, "step"));
		break;
	case WH_BISECT_FOUND:
		if (wh_snapshot_get(cli->store, b->bad, print_found, cli,
				    &cli->err))
			return cli_fail(cli);
		break;
	case WH_BISECT_SKIPPED:
		printf("%s left before %.12s: "
		       "one of them may be the first bad one\n",
		       cli_count(b->n_left, "skipped snapshot"), b->bad);
		break;
	}
	return EXIT_DONE;
}

static int tell_state(struct cli *cli, const struct wh_bisect *b)
{
	const char *path = cli_text(cli, "write");
	int code = EXIT_DONE;

	if (path && b->phase == WH_BISECT_TESTS)
		code = cli_save_revision(cli, b->candidate, path,
					 cli_text(cli, "save-format"));
	return code ? code : print_state(cli, b);
}

/* ---- start, good, bad, skip, log, reset ------------------------------------
 */

static int judge(struct cli *cli, const char *revision, enum wh_verdict verdict,
		 struct wh_bisect *b)
{
	cli->subject = revision;
	if (wh_bisect_judge(cli->store, revision, verdict, b, &cli->err))
		return cli_fail(cli);
	cli->subject = NULL;
	return EXIT_DONE;
}

static int get_state(struct cli *cli, struct wh_bisect *b)
{
	return wh_bisect_state(cli->store, b, &cli->err) ? cli_fail(cli)
							 : EXIT_DONE;
}

static int bisect_start(struct cli *cli, struct wh_bisect *b)
{
	int i, code = EXIT_DONE;
	char id[WH_ID_SIZE];

	/* What is mistyped doesn't end the one that is under way. */
	for (i = 1; i < cli->n_args; i++) {
		cli->subject = cli->args[i];
		if (wh_revision_parse(cli->store, cli->args[i], id, &cli->err))
			return cli_fail(cli);
	}
	cli->subject = NULL;
	if (wh_bisect_reset(cli->store, &cli->err))
		return cli_fail(cli);
	for (i = 1; i < cli->n_args && !code; i++)
		code = judge(cli, cli->args[i], i == 1 ? WH_BAD : WH_GOOD, b);
	return code ? code : get_state(cli, b);
}

/* Without a revision it is about the candidate. */
static int bisect_judge(struct cli *cli, enum wh_verdict verdict,
			struct wh_bisect *b)
{
	int i, code = get_state(cli, b);

	if (code)
		return code;
	if (cli->n_args == 1 && b->phase != WH_BISECT_TESTS)
		return cli_usage(cli, "there is no candidate to judge: name a "
				      "revision");
	if (cli->n_args == 1) {
		char id[WH_ID_SIZE];

		memcpy(id, b->candidate, sizeof(id));
		return judge(cli, id, verdict, b);
	}
	for (i = 1; i < cli->n_args && !code; i++)
		code = judge(cli, cli->args[i], verdict, b);
	return code;
}

static int print_verdict(void *arg, const char *snapshot,
			 enum wh_verdict verdict)
{
	const struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack("{s:s,s:s}", "snapshot", snapshot,
					 "verdict", wh_verdict_name(verdict)));
	else
		printf("%-4s %.12s\n", wh_verdict_name(verdict), snapshot);
	return 0;
}

static int bisect_log(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (!code && wh_bisect_list(cli->store, print_verdict, cli, &cli->err))
		code = cli_fail(cli);
	return code;
}

static int bisect_reset(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (!code && wh_bisect_reset(cli->store, &cli->err))
		code = cli_fail(cli);
	return code;
}

/* ---- run -------------------------------------------------------------------
 */

struct trial {
	struct cli *cli;
	char folder[4096];
	char path[4200]; /* of the candidate */
	const char *format;
	char **words; /* of the command; its first */
};

/* A format's own suffix; the snapshot's own format where none is asked for. */
static int take_origin(void *arg, const struct wh_snapshot *s)
{
	static const char *const suffixes[][2] = {
		{"h5", ".h5"},
		{"tf", ""},
		{"keras3", ".weights.h5"},
		{"safetensors", ".safetensors"},
		{"npz", ".npz"},
	};
	struct trial *trial = arg;
	const char *format = cli_text(trial->cli, "save-format");
	size_t i, n = sizeof(suffixes) / sizeof(suffixes[0]);

	if (!format)
		format = s->origin_format ? s->origin_format : "h5";
	for (i = 0; i < n && strcmp(suffixes[i][0], format) != 0; i++)
		;
	if (i == n && cli_text(trial->cli, "save-format")) {
		trial->format = cli_text(trial->cli, "save-format");
		snprintf(trial->path, sizeof(trial->path), "%s/candidate",
			 trial->folder);
		return 1;
	}
	trial->format = i == n ? "h5" : suffixes[i][0];
	snprintf(trial->path, sizeof(trial->path), "%s/candidate%s",
		 trial->folder, suffixes[i == n ? 0 : i][1]);
	return 1;
}

static int save_candidate(struct trial *trial, const char *id)
{
	struct cli *cli = trial->cli;

	if (cli_flag(cli, "no-save"))
		return EXIT_DONE;
	if (wh_snapshot_get(cli->store, id, take_origin, trial, &cli->err))
		return cli_fail(cli);
	return cli_save_revision(cli, id, trial->path, trial->format);
}

static void free_words(char **words)
{
	size_t i;

	for (i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* The word with the path for each `{}`; malloc'd. */
static char *put_path(const char *word, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const char *at;

	if (!out)
		return NULL;
	for (; (at = strstr(word, "{}")); word = at + 2)
		fprintf(out, "%.*s%s", (int)(at - word), word, path);
	fputs(word, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* `{}` stands for the path; it comes last where it stands nowhere. */
static char **make_words(const struct trial *trial, int n, const char **args)
{
	char **words = calloc((size_t)n + 2, sizeof(*words));
	bool saves = !cli_flag(trial->cli, "no-save"), placed = !saves;
	int i;

	for (i = 0; words && i < n; i++) {
		placed |= strstr(args[i], "{}") != NULL;
		words[i] = saves ? put_path(args[i], trial->path)
				 : strdup(args[i]);
		/* Without its last words it would be another command. */
		if (!words[i])
			break;
	}
	if (words && i == n && !placed)
		words[i++] = strdup(trial->path);
	if (words && !words[i - 1]) {
		free_words(words);
		return NULL;
	}
	return words;
}

/* What it prints goes to stderr: stdout is for what is found. */
static int spawn(char **words, pid_t *child)
{
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);

	if (code)
		return code;
	code = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
						STDOUT_FILENO);
	if (!code)
		code = posix_spawnp(child, words[0], &actions, NULL, words,
				    environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static int run_command(struct trial *trial, const char *id, int *status)
{
	struct cli *cli = trial->cli;
	const char *path = cli_flag(cli, "no-save") ? "" : trial->path;
	char *store = realpath(cli_store_path(cli), NULL);
	char **words = make_words(trial, cli->n_args - 1, cli->args + 1);
	int code = ENOMEM;
	pid_t child = 0;

	if (words && store && !setenv("WH_SNAPSHOT", id, 1) &&
	    !setenv("WH_WEIGHTS", path, 1) && !setenv("WH_STORE", store, 1))
		code = spawn(words, &child);
	free(store);
	free_words(words);
	if (code)
		return cli_usage(cli, "'%s' can't be run: %s", cli->args[1],
				 strerror(code));
	while (waitpid(child, status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* As `git bisect run` takes it, but for 126 and 127, by which a shell says that
 * there is no such command. */
static int take_status(struct cli *cli, int status, enum wh_verdict *verdict)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status)
				     : 128 + WTERMSIG(status);

	if (code > 125) {
		cli->err.status = WH_EIO;
		snprintf(cli->err.message, sizeof(cli->err.message),
			 "'%.200s' ended with %d: the bisection stays where it "
			 "is",
			 cli_escape(cli->args[1]), code);
		cli->subject = NULL;
		return cli_fail(cli);
	}
	*verdict = code == 0 ? WH_GOOD : code == 125 ? WH_SKIP : WH_BAD;
	return EXIT_DONE;
}

static int try_candidate(struct trial *trial, struct wh_bisect *b)
{
	struct cli *cli = trial->cli;
	enum wh_verdict verdict = WH_SKIP;
	char id[WH_ID_SIZE];
	int code, status = 0;

	memcpy(id, b->candidate, sizeof(id));
	code = save_candidate(trial, id);
	if (!code)
		code = run_command(trial, id, &status);
	if (!code)
		code = take_status(cli, status, &verdict);
	if (!code)
		code = judge(cli, id, verdict, b);
	if (code)
		return code;
	if (!cli_flag(cli, "quiet"))
		print_verdict(cli, id, verdict);
	fflush(stdout);
	return EXIT_DONE;
}

static int try_all(struct trial *trial, struct wh_bisect *b)
{
	int code = EXIT_DONE;

	while (!code && b->phase == WH_BISECT_TESTS)
		code = try_candidate(trial, b);
	if (!code)
		code = print_state(trial->cli, b);
	return code || b->phase == WH_BISECT_FOUND ? code : EXIT_FAILED;
}

static int remove_one(const char *path, const struct stat *status, int kind,
		      struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	(void)remove(path); /* what can't be removed stays */
	return 0;
}

static int bisect_run(struct cli *cli, struct wh_bisect *b)
{
	struct trial trial = {.cli = cli};
	const char *folder = getenv("TMPDIR");
	int code;

	if (cli->n_args < 2)
		return cli_usage(cli, "run takes a command");
	code = get_state(cli, b);
	if (code)
		return code;
	if (b->phase == WH_BISECT_WAITS)
		return cli_usage(cli, "a bad and a good snapshot come first: "
				      "'wh bisect start BAD GOOD'");
	snprintf(trial.folder, sizeof(trial.folder), "%s/wh-bisect-XXXXXX",
		 folder && *folder ? folder : "/tmp");
	if (!mkdtemp(trial.folder))
		return cli_usage(cli, "no folder can be made in %s: %s",
				 trial.folder, strerror(errno));
	code = try_all(&trial, b);
	nftw(trial.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return code;
}

/* ---- The verb --------------------------------------------------------------
 */

int cmd_bisect(struct cli *cli)
{
	const char *what = cli->args[0];
	struct wh_bisect b = {.phase = WH_BISECT_WAITS};
	int code;

	if (strcmp(what, "log") == 0)
		return bisect_log(cli);
	if (strcmp(what, "reset") == 0)
		return bisect_reset(cli);
	code = cli_open(cli, WH_OPEN_WRITE);
	if (code)
		return code;
	if (strcmp(what, "run") == 0)
		return bisect_run(cli, &b);
	if (strcmp(what, "start") == 0)
		code = bisect_start(cli, &b);
	else if (strcmp(what, "good") == 0)
		code = bisect_judge(cli, WH_GOOD, &b);
	else if (strcmp(what, "bad") == 0)
		code = bisect_judge(cli, WH_BAD, &b);
	else if (strcmp(what, "skip") == 0)
		code = bisect_judge(cli, WH_SKIP, &b);
	else
		return cli_usage(
			cli,
			"bisect knows start, good, bad, skip, run, log "
			"and reset, not '%s'",
			what);
	return code ? code : tell_state(cli, &b);
}
