/* Progress on stderr; Ctrl-C, SIGTERM and the end of the session, which end a
 * long call in good order. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define SHOW_AFTER_S 0.5
#define SHOW_EVERY_S 0.1

static volatile sig_atomic_t interrupted;
static bool shown;
static double begun; /* when the verb was */

static void note_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A closed terminal or a job that is ended leaves no half-written file either.
 */
static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
#define N_STOPS (sizeof(stops) / sizeof(stops[0]))

bool cli_goes_on_at(int signal)
{
	struct sigaction now;

	return signal == SIGHUP && sigaction(signal, NULL, &now) == 0 &&
	       now.sa_handler == SIG_IGN;
}

void cli_catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = note_interrupt};
	size_t i;

	/* The second one kills: a call that doesn't listen must end too. */
	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	for (i = 0; i < N_STOPS; i++)
		if (!cli_goes_on_at(stops[i]))
			sigaction(stops[i], &action, NULL);
	begun = now_s();
}

/* Signals are taken while it waits and at no other time: one that comes just
 * before is not slept through. */
bool cli_wait_for(int fd)
{
	struct pollfd input = {.fd = fd, .events = POLLIN};
	sigset_t ours, before;
	bool ready = false;
	size_t i;

	sigemptyset(&ours);
	for (i = 0; i < N_STOPS; i++)
		sigaddset(&ours, stops[i]);
	sigprocmask(SIG_BLOCK, &ours, &before);
	if (!interrupted)
		ready = ppoll(&input, 1, NULL, &before) > 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ready;
}

bool cli_interrupted(void)
{
	return interrupted != 0;
}

static bool is_wanted(const struct cli *cli)
{
	if (cli_flag(cli, "no-progress") || cli_flag(cli, "quiet"))
		return false;
	return cli_flag(cli, "progress") || isatty(STDERR_FILENO);
}

static void print_progress(const struct cli *cli, const char *what,
			   uint64_t done, uint64_t total, double spent_s)
{
	double rate = spent_s > 0 ? (double)done / spent_s : 0;

	fprintf(stderr, "\r%s %s of %s, %s/s, %.0f s left \x1b[K", what,
		cli_size(cli, done), cli_size(cli, total),
		cli_size(cli, (uint64_t)rate),
		rate > 0 && total > done ? (double)(total - done) / rate : 0);
	shown = true;
}

bool cli_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	static double phase_begun, last;
	static const char *phase;
	const struct cli *cli = arg;
	double now = now_s();

	if (interrupted)
		return false;
	if (phase != what) {
		phase = what;
		phase_begun = now;
	}
	if (!is_wanted(cli) || now - last < SHOW_EVERY_S ||
	    (now - begun < SHOW_AFTER_S && !cli_flag(cli, "progress")))
		return true;
	last = now;
	print_progress(cli, what, done, total, now - phase_begun);
	return true;
}

void cli_progress_end(struct cli *cli)
{
	(void)cli;
	if (shown)
		fputs("\r\x1b[K", stderr);
	shown = false;
}
