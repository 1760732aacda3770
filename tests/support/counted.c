/* For tests/coverage: gcc's counters are written when a process ends in order.
 * A command that fails ends by _exit; the process that reads HDF5 may open no
 * file, and is killed as soon as nobody asks it any more. Linked into all that
 * is counted, by --wrap. */
#define _GNU_SOURCE /* struct rlimit64 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 200 /* of 10 ms, for a process to end by itself */

/* gcc's; not there where meson tries the compiler. */
extern void __gcov_dump(void) __attribute__((weak));

#define HIDDEN __attribute__((visibility("hidden")))

_Noreturn void __real__exit(int code);
_Noreturn HIDDEN void __wrap__exit(int code);
int __real_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
		 unsigned long d);
HIDDEN int __wrap_prctl(int what, unsigned long a, unsigned long b,
			unsigned long c, unsigned long d);
int __real_setrlimit64(__rlimit_resource_t what, const struct rlimit64 *limit);
HIDDEN int __wrap_setrlimit64(__rlimit_resource_t what,
			      const struct rlimit64 *limit);
int __real_kill(pid_t pid, int number);
HIDDEN int __wrap_kill(pid_t pid, int number);

_Noreturn void __wrap__exit(int code)
{
	if (__gcov_dump)
		__gcov_dump();
	__real__exit(code);
}

/* With WH_COUNTED nothing is forbidden: what forbids has tests of its own. */
int __wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
		 unsigned long d)
{
	if (what == PR_SET_SECCOMP && getenv("WH_COUNTED"))
		return 0;
	return __real_prctl(what, a, b, c, d);
}

int __wrap_setrlimit64(__rlimit_resource_t what, const struct rlimit64 *limit)
{
	if ((what == RLIMIT_NOFILE || what == RLIMIT_FSIZE) &&
	    getenv("WH_COUNTED"))
		return 0;
	return __real_setrlimit64(what, limit);
}

int __wrap_kill(pid_t pid, int number)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	siginfo_t info = {0};
	int i;

	for (i = 0; number == SIGKILL && getenv("WH_COUNTED") && i < TRIES;
	     i++) {
		if (waitid(P_PID, (id_t)pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) ||
		    info.si_pid)
			break;
		nanosleep(&pause, NULL);
	}
	return __real_kill(pid, number);
}
