/* For tests/coverage: gcc's counters are written when a process ends in order.
 * A command that fails ends by _exit, and so does the process that reads HDF5,
 * which may not open files either. Linked into all that is counted, by --wrap.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* gcc's; not there where meson tries the compiler. */
extern void __gcov_dump(void) __attribute__((weak));

_Noreturn void __real__exit(int code);
_Noreturn __attribute__((visibility("hidden"))) void __wrap__exit(int code);
int __real_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
		 unsigned long d);
__attribute__((visibility("hidden"))) int
__wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
	     unsigned long d);

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
