#include "support/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* Two that are made one after the other, as two threads would; what a process
 * of this number has left is not taken for our own. */
static void each_has_a_file_of_its_own(void **state)
{
	char folder[] = "/tmp/wh-test-XXXXXX", path[64], wanted[96];
	char *names[2];
	int i, fds[2];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.h5", folder);
	snprintf(wanted, sizeof(wanted), "%s/.x.h5.wh-%ld-0", folder,
		 (long)getpid());
	touch(wanted);
	for (i = 0; i < 2; i++) {
		fds[i] = temporary_open(path, &names[i]);
		assert_true(fds[i] >= 0);
		assert_int_equal(write(fds[i], "x", 1), 1);
	}
	snprintf(wanted, sizeof(wanted), "%s/.x.h5.wh-%ld-1", folder,
		 (long)getpid());
	assert_string_equal(names[0], wanted);
	assert_string_not_equal(names[1], wanted);
	for (i = 0; i < 2; i++) {
		assert_int_equal(unlink(names[i]), 0);
		close(fds[i]);
		free(names[i]);
	}
	wanted[strlen(wanted) - 1] = '0';
	assert_int_equal(unlink(wanted), 0);
	assert_int_equal(rmdir(folder), 0);
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

static void only_those_of_dead_processes_go(void **state)
{
	char folder[] = "/tmp/wh-test-XXXXXX", path[64];
	char names[5][96];
	long dead = (long)gone();
	int i;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x", folder);
	snprintf(names[0], 96, "%s/.x.wh-%ld-0", folder, dead);
	snprintf(names[1], 96, "%s/.x.wh-%ld-1", folder, (long)getpid());
	snprintf(names[2], 96, "%s/.y.wh-%ld-0", folder, dead);
	snprintf(names[3], 96, "%s/.x.wh-abc-0", folder);
	snprintf(names[4], 96, "%s/x.wh-%ld-0", folder, dead);
	for (i = 0; i < 5; i++)
		touch(names[i]);
	temporary_remove_stale(path);
	assert_int_equal(access(names[0], F_OK), -1);
	for (i = 1; i < 5; i++)
		assert_int_equal(access(names[i], F_OK), 0);
	for (i = 1; i < 5; i++)
		unlink(names[i]);
	assert_int_equal(rmdir(folder), 0);
	temporary_remove_stale("/nowhere/x"); /* nothing there, nothing said */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_a_file_of_its_own),
		cmocka_unit_test(what_cant_be_made_is_told),
		cmocka_unit_test(only_those_of_dead_processes_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
