/* run exec: a run around a trainer, whose checkpoints are taken. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weighhouse/run.h>

#include "child.h"
#include "record.h"
#include "watch.h"

struct exec {
	struct watch watch;
	struct child child;
	const char *run;
};

static void tell_run(const struct exec *exec, const char *status)
{
	const struct child *child = &exec->child;
	const struct cli *cli = exec->watch.cli;
	bool ended = strcmp(status, "running") != 0;

	if (cli_json(cli)) {
		cli_print_json(json_pack(
			"{s:s,s:o,s:s,s:o,s:o}", "event", "run", "run",
			json_text(exec->run), "status", status, "exit_status",
			ended ? json_integer(child->status) : json_null(),
			"signal",
			ended && child->signal ? json_integer(child->signal)
					       : json_null()));
		fflush(stdout);
		return;
	}
	if (cli_flag(cli, "quiet"))
		return;
	fprintf(stderr, "wh run: %s %s", cli_escape(exec->run),
		!ended				? "is running"
		: child->signal			? "was killed"
		: strcmp(status, "failed") == 0 ? "failed"
						: "has finished");
	if (ended && child->signal)
		fprintf(stderr, " by signal %d (%s)", child->signal,
			strsignal(child->signal));
	else if (ended && child->status)
		fprintf(stderr, " with exit status %d", child->status);
	if (ended)
		fprintf(stderr, "; %s taken",
			cli_count(exec->watch.n_taken, "checkpoint"));
	putc('\n', stderr);
}

/* ---- Its start -------------------------------------------------------------
 */

static int note_start(void *arg, const struct wh_run *run)
{
	*(int64_t *)arg = run->started * 1000000000;
	return 0;
}

/* Files of before the run are not its own. */
static int resume(struct exec *exec)
{
	struct cli *cli = exec->watch.cli;

	if (wh_run_get(cli->store, exec->run, note_start, &exec->watch.since_ns,
		       &cli->err) ||
	    wh_run_resume(cli->store, exec->run, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

static int start_run(struct exec *exec)
{
	struct cli *cli = exec->watch.cli;
	char *command = record_command(cli->n_command, cli->command);
	struct timespec now;
	int code;

	clock_gettime(CLOCK_REALTIME, &now);
	exec->watch.since_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	code = cli_run_begin(cli, exec->run, command);
	free(command);
	return code;
}

static bool is_there(struct exec *exec)
{
	struct wh_error err;
	int64_t started;

	return wh_run_get(exec->watch.cli->store, exec->run, note_start,
			  &started, &err) == WH_OK;
}

static int begin(struct exec *exec)
{
	struct cli *cli = exec->watch.cli;
	bool there = is_there(exec);
	int code;

	if (there && !cli_flag(cli, "resume")) {
		snprintf(cli->err.message, sizeof(cli->err.message),
			 "there is a run '%s' already; --resume goes on with "
			 "it",
			 cli_escape(exec->run));
		cli->err.status = WH_EEXISTS;
		return cli_fail(cli);
	}
	code = there ? resume(exec) : start_run(exec);
	if (!code)
		tell_run(exec, "running");
	return code;
}

/* ---- Its end ---------------------------------------------------------------
 */

static int end(struct exec *exec, const char *status)
{
	struct cli *cli = exec->watch.cli;

	if (wh_run_end(cli->store, exec->run, status, exec->child.status,
		       &cli->err))
		return cli_fail(cli);
	tell_run(exec, status);
	return EXIT_DONE;
}

static bool over(void *arg)
{
	struct exec *exec = arg;

	if (!child_ended(&exec->child))
		return false;
	watch_signals_pass_on(0);
	return true;
}

static int not_started(struct exec *exec, int why)
{
	struct cli *cli = exec->watch.cli;

	exec->child.status = why == ENOENT ? 127 : 126;
	snprintf(cli->err.message, sizeof(cli->err.message),
		 "'%s' can't be started: %s", cli_escape(cli->command[0]),
		 strerror(why));
	cli->err.status = WH_EIO;
	cli_fail(cli);
	end(exec, "failed");
	return exec->child.status;
}

/* Its status is ours, unless it went well and a checkpoint is missing. */
static int watch_child(struct exec *exec)
{
	const struct child *child = &exec->child;
	int code = watch_run(&exec->watch, over, exec), ended;

	if (!child_ended(&exec->child)) {
		cli_warn(exec->watch.cli, "the watch has ended, the trainer "
					  "goes on");
		return code;
	}
	ended = end(exec, child->signal	  ? "killed"
			  : child->status ? "failed"
					  : "finished");
	if (child->status)
		return child->status;
	return code ? code : ended;
}

/* A signal came before there was anything that it could end. */
static int not_begun(struct exec *exec)
{
	exec->child.signal = SIGINT;
	exec->child.status = 128 + SIGINT;
	end(exec, "killed");
	return exec->child.status;
}

static int start_and_watch(struct exec *exec)
{
	bool started;
	int why;

	/* Before it starts: all that it writes is heard. */
	watch_begin(&exec->watch);
	fflush(stdout);
	started = child_start(&exec->child, exec->watch.cli->command);
	why = errno;
	watch_signals_pass_on(exec->child.pid);
	watch_signals_hold(false);
	return started ? watch_child(exec) : not_started(exec, why);
}

static int run_all(struct exec *exec)
{
	int code = begin(exec);

	if (code)
		return code;
	/* What comes before there is a trainer reaches it once it is there. */
	watch_signals_hold(true);
	watch_signals_catch();
	return watch_stopping() ? not_begun(exec) : start_and_watch(exec);
}

int cli_run_exec(struct cli *cli, const char *name)
{
	struct exec *exec;
	int code;

	if (!cli->n_command)
		return cli_usage(cli, "exec takes NAME --watch DIR -- CMD...");
	if (!cli_flag(cli, "watch"))
		return cli_usage(cli, "--watch says where checkpoints are "
				      "written");
	exec = calloc(1, sizeof(*exec));
	code = exec ? cli_open(cli, WH_OPEN_WRITE) : cli_no_memory(cli);
	if (!code) {
		exec->watch.cli = cli;
		exec->run = name;
		code = watch_fill(&exec->watch, name);
	}
	if (!code)
		code = run_all(exec);
	if (exec)
		watch_free(&exec->watch);
	free(exec);
	return code;
}
