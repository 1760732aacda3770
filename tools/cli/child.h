/* child.h: a program in a process group of its own.
 *
 * Its stdin, stdout and stderr are ours, untouched. On a terminal whose
 * foreground we have, it gets the foreground: Ctrl-C, Ctrl-\ and Ctrl-Z mean
 * it, as in a shell. If it is stopped, so are we, and with us it goes on.
 */
#ifndef WH_CLI_CHILD_H
#define WH_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* and its group; 0: it has ended */
	bool has_terminal;
	int status; /* as a shell tells it: 128 + signal if one killed it */
	int signal; /* that killed it, or 0 */
};

/** Starts words[0] with the signals that we were started with; false, and
 *  errno, if it can't be. */
bool child_start(struct child *child, char *const *words);

/** Whether it has ended; doesn't wait. */
bool child_ended(struct child *child);

#endif
