#include "apart/doors.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define HAVE_FILTER 1
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#else
#define HAVE_FILTER 0
#endif

/* ---- Limits ----------------------------------------------------------------
 */

static void set_limit(__rlimit_resource_t what, uint64_t most)
{
	struct rlimit limit;

	/* Where it can't be set, it stays what it was. */
	if (getrlimit(what, &limit))
		return;
	if (limit.rlim_max > most)
		limit.rlim_cur = limit.rlim_max = most;
	setrlimit(what, &limit);
}

unsigned doors_cpu_seconds(uint64_t size)
{
	uint64_t more = size / DOORS_SECOND;

	return DOORS_CPU_S + (more < INT32_MAX ? (unsigned)more : INT32_MAX);
}

/* Of addresses; 0 where that isn't told. */
static uint64_t memory_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	char line[128];

	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file))
		pages = strtoull(line, NULL, 10);
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* At the hard limit it ends even if it ignores SIGXCPU. */
static void limit_time(unsigned seconds, bool for_good)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CPU, &limit))
		return;
	if (limit.rlim_cur > seconds)
		limit.rlim_cur = seconds;
	if (for_good && limit.rlim_max > seconds + 1)
		limit.rlim_max = seconds + 1;
	setrlimit(RLIMIT_CPU, &limit);
}

void doors_lift_time(pid_t pid)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_CPU, NULL, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	prlimit(pid, RLIMIT_CPU, &limit, NULL);
}

void doors_lower(unsigned cpu_seconds, bool for_good)
{
	uint64_t used = memory_in_use();

	set_limit(RLIMIT_CORE, 0);
	limit_time(cpu_seconds, for_good);
	/* A sanitizer's shadow is terabytes of addresses. */
	if (used && used < (uint64_t)1 << 40)
		set_limit(RLIMIT_AS, used + DOORS_MEMORY);
}

/* ---- Calls of the system ---------------------------------------------------
 */

#if HAVE_FILTER

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#else
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#define FIELD(name)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define ALLOW  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */)
/* The next `n` statements are for that call alone. */
#define ON_CALL(call, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, n)
#define MAY(call)	 ON_CALL(call, 1), ALLOW
/* Memory that is no code: the third argument is its protection. */
#define MAY_WITHOUT_CODE(call)                                                 \
	ON_CALL(call, 4), FIELD(args[2]),                                      \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), REFUSE, \
		ALLOW

/* Only to `fd`: the lower half of an argument is enough of a descriptor. */
static bool filter_calls(int fd)
{
	struct sock_filter rules[] = {
		FIELD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
		REFUSE,
		FIELD(nr),
		MAY(read),
		MAY(pread64),
		MAY(lseek),
		MAY(close),
		MAY(fstat),
		MAY(newfstatat),
		MAY(munmap),
		MAY(mremap),
		MAY(brk),
		MAY(madvise),
		MAY(futex),
		MAY(rt_sigreturn),
		MAY(rt_sigprocmask),
		MAY(rt_sigaction),
		MAY(clock_gettime),
		MAY(gettimeofday),
		MAY(getrandom),
		MAY(getpid),
		MAY(exit),
		MAY(exit_group),
		MAY_WITHOUT_CODE(mmap),
		MAY_WITHOUT_CODE(mprotect),
		ON_CALL(write, 4),
		FIELD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)fd, 0, 1),
		ALLOW,
		REFUSE,
		REFUSE,
	};
	struct sock_fprog program = {
		.len = (unsigned short)(sizeof(rules) / sizeof(rules[0])),
		.filter = rules};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

static bool filter_calls(int fd)
{
	(void)fd;
	return false;
}

#endif

bool doors_close(int fd)
{
	set_limit(RLIMIT_NOFILE, 0);
	set_limit(RLIMIT_FSIZE, 0);
	return filter_calls(fd);
}
