/* sql: the documented views, read-only. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli.h"

static json_t *cell_json(const struct wh_cell *cell)
{
	char *hex;
	json_t *value;

	switch (cell->kind) {
	case WH_CELL_INTEGER:
		return json_integer(cell->integer);
	case WH_CELL_REAL:
		return number_json(cell->real);
	case WH_CELL_TEXT:
		return json_text(cell->text);
	case WH_CELL_BLOB:
		hex = malloc(2 * cell->size + 1);
		if (!hex)
			return json_null();
		text_hex((const uint8_t *)cell->text, cell->size, hex);
		value = json_string(hex);
		free(hex);
		return value;
	case WH_CELL_NULL:
		break;
	}
	return json_null();
}

static void print_csv_text(const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

/* On a terminal nothing that a store holds may act as a command to it. */
static void print_csv_cell(const char *text)
{
	if (isatty(STDOUT_FILENO))
		cli_print_text(text);
	else
		print_csv_text(text);
}

static void print_cell(const struct wh_cell *cell)
{
	size_t i;

	switch (cell->kind) {
	case WH_CELL_INTEGER:
		printf("%" PRId64, cell->integer);
		break;
	case WH_CELL_REAL:
		printf("%.15g", cell->real);
		break;
	case WH_CELL_TEXT:
		cli_print_text(cell->text);
		break;
	case WH_CELL_BLOB:
		for (i = 0; i < cell->size; i++)
			printf("%02x", (unsigned char)cell->text[i]);
		break;
	case WH_CELL_NULL:
		break;
	}
}

static void print_row(const struct cli *cli, int n, const char *const *names,
		      const struct wh_cell *cells)
{
	bool csv = cli_flag(cli, "csv");
	int i;

	for (i = 0; i < n; i++) {
		if (i)
			putchar(csv ? ',' : '\t');
		if (!cells && csv)
			print_csv_cell(names[i]);
		else if (!cells)
			fputs(cli_escape(names[i]), stdout);
		else if (csv && cells[i].kind == WH_CELL_TEXT)
			print_csv_cell(cells[i].text);
		else
			print_cell(&cells[i]);
	}
	putchar('\n');
}

static int take_row(void *arg, int n, const char *const *names,
		    const struct wh_cell *cells)
{
	const struct cli *cli = arg;
	json_t *row;
	int i;

	if (!cli_json(cli)) {
		print_row(cli, n, names, cells);
		return cli_interrupted();
	}
	if (!cells)
		return 0;
	row = json_object();
	for (i = 0; i < n; i++)
		json_object_set_new(row, names[i], cell_json(&cells[i]));
	cli_print_json(row);
	return cli_interrupted();
}

static bool goes_on(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg, (void)what, (void)done, (void)total;
	return !cli_interrupted();
}

int cmd_sql(struct cli *cli)
{
	struct wh_sql_options options = {.progress = goes_on};
	int64_t limit = 0;
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	if (cli_integer(cli, "timeout", &limit))
		options.time_limit_s = limit < UINT_MAX ? (unsigned)limit : 0;
	if (wh_sql(cli->store, cli->args[0], &options, take_row, cli,
		   &cli->err))
		return cli_fail(cli);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
