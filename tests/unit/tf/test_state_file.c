/* tf/state_file.c: the text file `checkpoint`. */
#include "support/assert.h"

#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "tf/state_file.h"

static char folder[] = "/tmp/wh-state.XXXXXX";

/* Pashto writes decimals with a sign of two bytes. A machine that can't make
 * the locale tries the plain one alone. */
static void use_pashto_decimals(void)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "localedef -i ps_AF -f UTF-8 %s/ps_AF.UTF-8 2>&1", folder);
	if (system(command) == 0 && setenv("LOCPATH", folder, 1) == 0)
		setlocale(LC_ALL, "ps_AF.UTF-8");
}

static void timestamps_are_as_pythons_in_any_locale(void **unused)
{
	static const char expected[] =
		"model_checkpoint_path: \"b\"\n"
		"all_model_checkpoint_paths: \"a\"\n"
		"all_model_checkpoint_paths: \"b\"\n"
		"all_model_checkpoint_timestamps: 1795458596.1047466\n"
		"all_model_checkpoint_timestamps: 0.5\n"
		"last_preserved_timestamp: -1.0\n";
	struct state state = {.latest = strdup("b"),
			      .n_timestamps = 2,
			      .last_preserved = -1,
			      .has_last_preserved = true};
	struct wh_error err = {0};
	char path[200], text[512] = "";
	FILE *file;

	(void)unused;
	use_pashto_decimals();
	assert_ok(state_add(&state, "a", 1795458596.1047466, &err), &err);
	assert_ok(state_add(&state, "b", 0.5, &err), &err);
	assert_ok(state_write(folder, &state, &err), &err);
	state_free(&state);
	setlocale(LC_ALL, "C");
	snprintf(path, sizeof(path), "%s/" STATE_NAME, folder);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, expected);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timestamps_are_as_pythons_in_any_locale),
	};

	return cmocka_run_group_tests_name("state_file", tests, make_folder,
					   remove_folder);
}
