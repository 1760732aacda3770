#include "support/assert.h"
#include "support/child.h"

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "publish/journal.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/wh-test-XXXXXX");
	return mkdtemp(folder) ? 0 : 1;
}

static struct journal *open_journal(void)
{
	struct journal *journal = NULL;
	struct wh_error err;

	assert_ok(journal_open(folder, "one", &journal, &err), &err);
	return journal;
}

static void notes_outlive_their_process(void **state)
{
	struct journal *journal = open_journal();
	char value[32];

	(void)state;
	journal_put(journal, "v/a", "part 1", "\"etag\"");
	journal_put(journal, "v/a", "part 1", "\"newer\"");
	journal_put(journal, "v/b", "part 1", "x");
	journal_forget(journal, "v/b");
	journal_close(journal);
	journal = open_journal();
	assert_true(
		journal_get(journal, "v/a", "part 1", value, sizeof(value)));
	assert_string_equal(value, "\"newer\"");
	assert_false(
		journal_get(journal, "v/b", "part 1", value, sizeof(value)));
	assert_false(
		journal_get(journal, "v/a", "part 2", value, sizeof(value)));
	journal_done(journal);
	journal_close(journal);
	assert_int_not_equal(access(folder, F_OK), 0);
}

static void a_torn_line_is_skipped(void **state)
{
	char name[100], value[32];
	struct journal *journal;
	FILE *file;

	(void)state;
	snprintf(name, sizeof(name), "%s/one.jsonl", folder);
	file = fopen(name, "w");
	fputs("{\"path\":\"a\",\"key\":\"k\",\"value\":\"v\"}\nnonsense\n[1]\n"
	      "{\"path\":\"b\",\"key\":\"k\",\"val",
	      file);
	fclose(file);
	journal = open_journal();
	assert_true(journal_get(journal, "a", "k", value, sizeof(value)));
	assert_false(journal_get(journal, "b", "k", value, sizeof(value)));
	journal_done(journal);
	journal_close(journal);
}

static bool is_held(void)
{
	bool held = true;

	json_decref(journal_look(folder, "one", &held));
	return held;
}

static void *look_often(void *arg)
{
	atomic_uint *times_held = arg;
	int i;

	for (i = 0; i < 1000; i++)
		atomic_fetch_add(times_held, is_held());
	return NULL;
}

/* And that somebody looks is no publication. */
static void what_is_under_way_is_held(void **state)
{
	struct journal *journal = open_journal(), *second = open_journal();
	atomic_uint times_held = 0;
	pthread_t threads[4];
	int i;

	(void)state;
	assert_true(is_held());
	journal_close(journal);
	assert_true(is_held());
	journal_close(second);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_often,
						&times_held),
				 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(times_held, 0);
	journal = open_journal();
	journal_done(journal);
	journal_close(journal);
	assert_false(is_held());
}

static void without_a_folder_it_is_in_memory(void **state)
{
	struct journal *journal = NULL;
	struct wh_error err;
	char value[8];

	(void)state;
	assert_ok(journal_open("/proc/no/such", "one", &journal, &err), &err);
	journal_put(journal, "a", "k", "v");
	assert_true(journal_get(journal, "a", "k", value, sizeof(value)));
	journal_close(journal);
	journal_put(NULL, "a", "k", "v");
	assert_false(journal_get(NULL, "a", "k", value, sizeof(value)));
	rmdir(folder);
}

/* ---- Where they are -------------------------------------------------------
 */

static void assert_folder(const char *store, const char *base, const char *rest)
{
	char *found wh_free_auto = journal_folder(store), expected[200];

	snprintf(expected, sizeof(expected), "%s%s", base, rest);
	assert_string_equal(found, expected);
}

/* In a child, which is not root: root may use anything. */
static void find_folders(void)
{
	char store[100], link[100], beside[120];

	snprintf(store, sizeof(store), "%s/w.wh", folder);
	snprintf(link, sizeof(link), "%s/link.wh", folder);
	snprintf(beside, sizeof(beside), "%s/w.wh-publish", folder);
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/of", 1);
	assert_int_equal(close(open(store, O_CREAT | O_RDWR, 0666)), 0);
	assert_int_equal(symlink("w.wh", link), 0);
	assert_folder(store, beside, "");
	assert_folder(link, beside, "");
	assert_int_equal(mkdir(beside, 0700), 0);
	assert_folder(store, beside, "");
	assert_int_equal(chmod(beside, 0), 0); /* as if it were another's */
	assert_folder(store, "/home/of", "/.local/state/weighhouse");
	unsetenv("HOME");
	assert_folder(store, getpwuid(geteuid())->pw_dir,
		      "/.local/state/weighhouse");
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_folder(store, "/state", "/weighhouse");
}

static void journals_are_where_they_can_be_written(void **state)
{
	char command[160];
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(chmod(folder, 0777), 0);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534))
			end_child(2);
		find_folders();
		end_child(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	snprintf(command, sizeof(command), "chmod -f 700 %s/*; rm -rf %s",
		 folder, folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(notes_outlive_their_process, set_up),
		cmocka_unit_test_setup(a_torn_line_is_skipped, set_up),
		cmocka_unit_test_setup(what_is_under_way_is_held, set_up),
		cmocka_unit_test_setup(without_a_folder_it_is_in_memory,
				       set_up),
		cmocka_unit_test_setup(journals_are_where_they_can_be_written,
				       set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
