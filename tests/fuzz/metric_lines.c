/* `wh metric`: JSON lines on stdin, and tables of figures. The input is both.
 */
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli.h"
#include <weighhouse/store.h>

#define FRESH_STORE 256u /* inputs that share one */

static const char *store;

static void make_store(void)
{
	store = input_file("weights.wh", NULL, 0);
	require(!unlink(store) && !wh_store_create(store, NULL));
}

static void run(const char *a, const char *b, const char *c)
{
	struct cli *cli = calloc(1, sizeof(*cli));
	char *words[] = {strdup("metric"), strdup("-s"), strdup(store),
			 strdup(a),	   strdup(b),	 strdup(c)};
	int i, n = *c ? 6 : 5;

	require(cli && !cli_parse(cli, n, words));
	cli->verb->run(cli);
	wh_store_close(cli->store);
	free(cli->args);
	free(cli->globs);
	free(cli);
	for (i = 0; i < 6; i++)
		free(words[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static unsigned n;
	char *path;
	int fd;

	if (n++ % FRESH_STORE == 0)
		make_store();
	path = strdup(input_file("lines", bytes, len));
	require(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	require(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	close(fd);
	run("--stdin", "digits", "");
	run("digits", "--csv", path);
	free(path);
	return 0;
}
