/* Signals while a folder is watched, and the clock. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "watch.h"

static volatile sig_atomic_t n_signals;
static volatile sig_atomic_t came; /* any, since they are counted */
static volatile pid_t passed_on;   /* to this process group; 0: ours */

static void note_stop(int signal)
{
	came = 1;
	if (passed_on) {
		kill(-passed_on, signal);
		return;
	}
	/* The third one kills. */
	if (++n_signals > 2) {
		struct sigaction action = {.sa_handler = SIG_DFL};

		sigaction(signal, &action, NULL);
		raise(signal);
	}
}

static void note_child(int signal)
{
	(void)signal;
}

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

static sigset_t all_stops(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		sigaddset(&set, stops[i]);
	return set;
}

void watch_signals_hold(bool hold)
{
	sigset_t set = all_stops();

	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void watch_signals_pass_on(pid_t group)
{
	passed_on = group;
}

void watch_signals_catch(void)
{
	struct sigaction action = {.sa_handler = note_stop};
	sigset_t child;
	size_t i;

	/* One that came before asks this as well. */
	n_signals = cli_interrupted();
	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (!cli_goes_on_at(stops[i]))
			sigaction(stops[i], &action, NULL);
	action.sa_handler = note_child;
	action.sa_flags = (int)SA_RESTART;
	sigaction(SIGCHLD, &action, NULL);
	/* But while it waits: an end that comes between the asking and the
	 * waiting is heard then. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
}

bool watch_stopping(void)
{
	return n_signals > 0;
}

bool watch_cancelled(void)
{
	return n_signals > 1;
}

bool watch_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	return !watch_cancelled() && cli_progress(arg, what, done, total);
}

void watch_signals_count(void)
{
	came = 0;
}

bool watch_signals_came(void)
{
	return came != 0;
}

bool watch_publish_progress(void *arg, const char *what, uint64_t done,
			    uint64_t total)
{
	return !came && cli_progress(arg, what, done, total);
}

/* Signals are taken while it waits: none that comes just before is slept
 * through. */
void watch_wait(int fd, int64_t timeout_ms)
{
	struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
				   .tv_nsec =
					   (long)(timeout_ms % 1000) * 1000000};
	struct pollfd input = {.fd = fd, .events = POLLIN};
	sigset_t ours = all_stops(), before, during;

	sigprocmask(SIG_BLOCK, &ours, &before);
	during = before;
	sigdelset(&during, SIGCHLD);
	if (!watch_stopping())
		ppoll(&input, 1, timeout_ms < 0 ? NULL : &timeout, &during);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int watch_wait_for_child(pid_t pid)
{
	sigset_t ours = all_stops(), before, during;
	int status = 0;

	sigprocmask(SIG_BLOCK, &ours, &before);
	during = before;
	sigdelset(&during, SIGCHLD);
	came = watch_stopping();
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (came)
			kill(pid, SIGTERM);
		came = 0;
		ppoll(NULL, 0, NULL, &during);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

int64_t watch_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
