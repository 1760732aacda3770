/* Publishing by rules while the watch goes on: by a process of its own. A
 * server may take long, and what training overwrites or deletes meanwhile is
 * taken.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "watch.h"

/* The watch tells how far it is, and only that. */
static bool go_on(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg, (void)what, (void)done, (void)total;
	return !watch_signals_came();
}

/* By a handle of its own: those of before a fork are refused. The old one is
 * closed, so that a lock of the watch's ends with the watch. */
static bool open_again(struct watch *watch)
{
	struct cli *cli = watch->cli;
	char *file wh_free_auto = strdup(wh_store_file(cli->store));

	wh_store_close(cli->store);
	cli->store = NULL;
	if (!file) {
		cli_tell_no_memory(cli);
		return false;
	}
	if (!wh_store_open(file, WH_OPEN_WRITE, &cli->store, &cli->err))
		return true;
	watch_warn(watch,
		   "nothing was published (the next commit tries again): %s",
		   cli->err.message);
	return false;
}

static _Noreturn void publish(struct watch *watch, pid_t parent)
{
	int code = EXIT_FAILED;

	watch_signals_pass_on(0);
	watch_signals_count();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	watch_signals_hold(false);
	if (getppid() == parent && open_again(watch)) {
		cli_apply_publish_rules(watch->cli, go_on);
		code = watch_signals_came() ? EXIT_INTERRUPTED : EXIT_DONE;
		wh_store_close(watch->cli->store);
	}
	fflush(stdout);
	_exit(code); /* what else is to be done at the end is the watch's */
}

static void ended(struct watch *watch, int status)
{
	watch->publisher = 0;
	if (WIFSIGNALED(status))
		watch_warn(watch,
			   "publishing was ended by signal %d (%s); the next "
			   "commit tries again",
			   WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == EXIT_INTERRUPTED && !watch_stopping())
		watch->news = true;
}

bool watch_publish_begin(struct watch *watch)
{
	pid_t parent = getpid(), pid;
	int status;

	if (watch->publisher &&
	    waitpid(watch->publisher, &status, WNOHANG) == watch->publisher)
		ended(watch, status);
	if (!watch->news || watch->publisher)
		return true;
	watch->news = false;
	if (!cli_publishing_is_due(watch->cli))
		return true;
	cli_progress_end(watch->cli);
	fflush(NULL);
	/* One that comes in between is for the watch. */
	watch_signals_hold(true);
	pid = fork();
	if (pid == 0)
		publish(watch, parent);
	watch_signals_hold(false);
	watch->publisher = pid > 0 ? pid : 0;
	watch->news = pid < 0;
	return pid > 0;
}

void watch_publish_end(struct watch *watch)
{
	if (watch->publisher)
		ended(watch, watch_wait_for_child(watch->publisher));
}
