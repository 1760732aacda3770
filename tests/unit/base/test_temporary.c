#include "support/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/temporary.h"

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static char folder[32];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/wh-test-XXXXXX");
	return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* What a process has made for `name` there. */
static void name_made(char out[128], const char *name, uint32_t host, long pid,
		      int number)
{
	snprintf(out, 128, "%s/.%s.wh-h%08x-%ld-%d", folder, name, host, pid,
		 number);
}

/* Two that are made one after the other, as two threads would; what a process
 * of this number has left is not taken for our own. */
static void each_has_a_file_of_its_own(void **state)
{
	char path[64], wanted[128];
	char *names[2];
	int i, fds[2];

	(void)state;
	snprintf(path, sizeof(path), "%s/x.h5", folder);
	name_made(wanted, "x.h5", temporary_host(), getpid(), 0);
	touch(wanted);
	for (i = 0; i < 2; i++) {
		fds[i] = temporary_open(path, &names[i]);
		assert_true(fds[i] >= 0);
		assert_int_equal(write(fds[i], "x", 1), 1);
	}
	wanted[strlen(wanted) - 1] = '1';
	assert_string_equal(names[0], wanted);
	assert_string_not_equal(names[1], wanted);
	for (i = 0; i < 2; i++) {
		assert_int_equal(unlink(names[i]), 0);
		close(fds[i]);
		free(names[i]);
	}
	wanted[strlen(wanted) - 1] = '0';
	assert_int_equal(unlink(wanted), 0);
}

static void what_cant_be_made_is_told(void **state)
{
	char *name = NULL;

	(void)state;
	assert_int_equal(temporary_open("/nowhere/x", &name), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(name);
}

/* The number of a process that has just ended. */
static pid_t gone(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	return child;
}

static void open_and_remove(const char *name)
{
	char path[64], *temporary = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = temporary_open(path, &temporary);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(temporary), 0);
	free(temporary);
}

static void only_those_of_dead_processes_go(void **state)
{
	char names[5][128];
	uint32_t here = temporary_host();
	long dead = (long)gone();
	int i;

	(void)state;
	assert_int_not_equal(here, 0);
	assert_int_equal(temporary_host(), here);
	name_made(names[0], "x", here, dead, 0);
	name_made(names[1], "x", here, (long)getppid(), 1);
	name_made(names[2], "y", here, dead, 0);
	snprintf(names[3], 128, "%s/.x.wh-h%08x-abc-0", folder, here);
	snprintf(names[4], 128, "%s/x.wh-h%08x-%ld-0", folder, here, dead);
	for (i = 0; i < 5; i++)
		touch(names[i]);
	open_and_remove("x");
	assert_int_equal(access(names[0], F_OK), -1);
	for (i = 1; i < 5; i++)
		assert_int_equal(unlink(names[i]), 0);
}

/* By their age: a save on another machine, in a container, or of a version
 * that named no machine, may be at it. Theirs are no numbers of ours. */
static void those_of_others_go_when_they_are_old(void **state)
{
	const struct timespec yesterday[2] = {
		{.tv_sec = time(NULL) - 25 * 3600},
		{.tv_sec = time(NULL) - 25 * 3600}};
	char names[4][128];
	uint32_t other = temporary_host() ^ 0x10;
	long dead = (long)gone();
	int i;

	(void)state;
	name_made(names[0], "x", other, dead, 0);
	name_made(names[1], "x", 0, dead, 0);
	snprintf(names[2], 128, "%s/.x.wh-%ld-0", folder, dead);
	name_made(names[3], "x", other, (long)getppid(), 1);
	for (i = 0; i < 4; i++)
		touch(names[i]);
	open_and_remove("x");
	for (i = 0; i < 4; i++)
		assert_int_equal(access(names[i], F_OK), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(utimensat(AT_FDCWD, names[i], yesterday, 0),
				 0);
	open_and_remove("x");
	for (i = 0; i < 4; i++)
		assert_int_equal(access(names[i], F_OK), -1);
}

/* A container: its processes have numbers of their own. */
static void a_namespace_of_processes_is_a_host_of_its_own(void **state)
{
	uint32_t here = temporary_host();
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		/* What isn't allowed can't be tried. */
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(0);
		child = fork();
		if (child == 0)
			_exit(temporary_host() != here ? 0 : 1);
		if (waitpid(child, &status, 0) != child)
			_exit(2);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define in_folder(test)                                                        \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(each_has_a_file_of_its_own),
		in_folder(what_cant_be_made_is_told),
		in_folder(only_those_of_dead_processes_go),
		in_folder(those_of_others_go_when_they_are_old),
		cmocka_unit_test(a_namespace_of_processes_is_a_host_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
