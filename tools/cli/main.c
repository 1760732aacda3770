/* wh: the command. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int dispatch(struct cli *cli, int n_words, char **words)
{
	int code = cli_parse(cli, n_words, words);

	if (code)
		return code;
	if (cli_flag(cli, "version"))
		return cmd_version(cli);
	if (!cli->verb) {
		verbs_help(cli_flag(cli, "help") ? stdout : stderr);
		return cli_flag(cli, "help") ? EXIT_DONE : EXIT_USAGE;
	}
	if (cli_flag(cli, "help")) {
		verb_help(cli->verb, stdout);
		return EXIT_DONE;
	}
	code = cli_load_plugins(cli);
	if (code)
		return code;
	cli_catch_interrupt();
	return cli->verb->run(cli);
}

/* A full disk behind stdout must not pass as success. What could not be written
 * before is not kept: then there may be nothing left that could fail now. */
static bool stdout_is_whole(void)
{
	bool lost = ferror(stdout) != 0;

	if (fflush(stdout)) {
		perror("wh: stdout");
		return false;
	}
	if (lost)
		fputs("wh: stdout: not all of it could be written\n", stderr);
	return !lost;
}

int main(int argc, char **argv)
{
	struct cli *cli = calloc(1, sizeof(*cli));
	int code;

	if (!cli) {
		fputs("wh: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	cli_watch_json();
	code = dispatch(cli, argc - 1, argv + 1);
	if (cli_json_was_lost() && code == EXIT_DONE)
		code = cli_no_memory(cli);
	cli_progress_end(cli);
	wh_store_close(cli->store);
	wh_library_free(cli->library);
	free(cli->args);
	free(cli->globs);
	free(cli);
	if (!stdout_is_whole() && code == EXIT_DONE)
		code = EXIT_FAILED;
	/* libhdf5 prints about objects that it could not close when a file was
	 * damaged: what has failed ends without its farewell. */
	if (code != EXIT_DONE) {
		cli_end_pager();
		_exit(code);
	}
	return code;
}
