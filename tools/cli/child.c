#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the background this would stop us: the signal is held back meanwhile. */
static void give_terminal(pid_t group)
{
	sigset_t stop, before;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stop, &before);
	tcsetpgrp(STDIN_FILENO, group);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static bool has_foreground(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* ---- Starting --------------------------------------------------------------
 */

static void reset_signals(void)
{
	static const int ours[] = {SIGINT,  SIGTERM, SIGHUP, SIGCHLD,
				   SIGTTOU, SIGTTIN, SIGTSTP};
	struct sigaction action = {.sa_handler = SIG_DFL}, now;
	sigset_t none;
	size_t i;

	/* What we were told to ignore (nohup), it ignores as well. */
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (sigaction(ours[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			sigaction(ours[i], &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Both sides set the group and the foreground, whoever is first. */
static _Noreturn void become(char *const *words, bool terminal, int report)
{
	int why;

	setpgid(0, 0);
	if (terminal)
		give_terminal(getpgrp());
	reset_signals();
	execvp(words[0], words);
	why = errno;
	if (write(report, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

bool child_start(struct child *child, char *const *words)
{
	bool terminal = has_foreground();
	int ends[2], why = 0;
	pid_t pid;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	pid = fork();
	if (pid == 0)
		become(words, terminal, ends[1]);
	why = errno;
	close(ends[1]);
	if (pid > 0) {
		setpgid(pid, pid);
		if (terminal)
			give_terminal(pid);
		/* Empty when exec closes it. */
		do
			got = read(ends[0], &why, sizeof(why));
		while (got < 0 && errno == EINTR);
		if (got == 0)
			why = 0;
	}
	close(ends[0]);
	*child = (struct child){.pid = pid, .has_terminal = terminal};
	if (why == 0)
		return true;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (terminal)
		give_terminal(getpgrp());
	child->pid = 0;
	errno = why;
	return false;
}

/* ---- Its end ---------------------------------------------------------------
 */

static void end(struct child *child, int status)
{
	child->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	child->status =
		child->signal ? 128 + child->signal : WEXITSTATUS(status);
	/* Others of its group may be there still, but not in our way. */
	if (child->has_terminal)
		give_terminal(getpgrp());
	child->pid = 0;
}

/* A shell takes the terminal when we stop, and gives it to us with the
 * foreground. Who stops the child alone goes on with it alone. */
static void stop_with(struct child *child, int signal)
{
	bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
	struct sigaction action = {.sa_handler = SIG_DFL}, before;

	if (!child->has_terminal && !wants_terminal)
		return;
	if (child->has_terminal)
		give_terminal(getpgrp());
	/* Unless it was in the background and we have the terminal by now. */
	if (!wants_terminal || child->has_terminal || !has_foreground()) {
		sigaction(signal, &action, &before);
		raise(signal);
		sigaction(signal, &before, NULL);
	}
	child->has_terminal = has_foreground();
	if (child->has_terminal)
		give_terminal(child->pid);
	kill(-child->pid, SIGCONT);
}

bool child_ended(struct child *child)
{
	int status;

	while (child->pid && waitpid(child->pid, &status,
				     WNOHANG | WUNTRACED) == child->pid) {
		if (WIFSTOPPED(status))
			stop_with(child, WSTOPSIG(status));
		else
			end(child, status);
	}
	return child->pid == 0;
}
