/* support/child.h: forked children of a test. */
#ifndef WH_TESTS_CHILD_H
#define WH_TESTS_CHILD_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/** Ends a child with this exit code. By another program, since what the child
 *  has of its parent's memory is no leak, and valgrind would say so. */
static inline _Noreturn void end_child(int code)
{
	char command[32];

	snprintf(command, sizeof(command), "exit %d", code);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

#endif
