/* Colour, and the pager, which is a terminal in all that matters. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static FILE *pager;

static bool in_colour(const struct cli *cli)
{
	const char *none = getenv("NO_COLOR");

	if (cli_is(cli, "color", "always"))
		return true;
	if (cli_is(cli, "color", "never") || (none && *none))
		return false;
	return pager || isatty(STDOUT_FILENO);
}

const char *cli_bold(const struct cli *cli)
{
	return in_colour(cli) ? "\x1b[1m" : "";
}

const char *cli_plain(const struct cli *cli)
{
	return in_colour(cli) ? "\x1b[0m" : "";
}

void cli_end_pager(void)
{
	fflush(stdout);
	if (!pager)
		return;
	close(STDOUT_FILENO);
	pclose(pager);
	pager = NULL;
}

static bool is_installed(const char *program)
{
	const char *at = getenv("PATH");
	char path[4096];

	for (; at && *at; at += strspn(at, ":")) {
		size_t len = strcspn(at, ":");

		if (snprintf(path, sizeof(path), "%.*s/%s", (int)len, at,
			     program) < (int)sizeof(path) &&
		    access(path, X_OK) == 0)
			return true;
		at += len;
	}
	return false;
}

/* Small systems have no less: then the text goes as it is. */
static const char *pager_command(void)
{
	const char *command = getenv("WH_PAGER");

	if (!command)
		command = getenv("PAGER");
	if (!command)
		return is_installed("less") ? "less -FRX" : NULL;
	return *command && strcmp(command, "cat") != 0 ? command : NULL;
}

void cli_page(const struct cli *cli)
{
	const char *command;

	if (cli_json(cli) || !isatty(STDOUT_FILENO))
		return;
	command = pager_command();
	if (!command)
		return;
	fflush(stdout);
	pager = popen(command, "we");
	if (!pager)
		return;
	dup2(fileno(pager), STDOUT_FILENO);
	atexit(cli_end_pager);
}
