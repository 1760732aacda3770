#include "support/assert.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"

static void names_lie_beside_their_target(void **state)
{
	char wanted[64], *name = temporary_name("a/b/x.h5", 3);

	(void)state;
	snprintf(wanted, sizeof(wanted), "a/b/.x.h5.wh-%ld-3", (long)getpid());
	assert_string_equal(name, wanted);
	free(name);
	name = temporary_name("x", 0);
	snprintf(wanted, sizeof(wanted), ".x.wh-%ld-0", (long)getpid());
	assert_string_equal(name, wanted);
	free(name);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
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
		cmocka_unit_test(names_lie_beside_their_target),
		cmocka_unit_test(only_those_of_dead_processes_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
