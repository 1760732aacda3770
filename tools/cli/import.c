#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_ROWS 1000000

void import_list_free(struct import_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->files[i].path);
		name_values_free(&list->files[i].said);
	}
	csv_head_free(&list->head);
	free(list->files);
	free(list->rows);
}

/* How much of two paths is one folder. */
static size_t common_folder(const char *a, const char *b, size_t max)
{
	size_t i, len = 0;

	for (i = 0; i < max && a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			len = i + 1;
	return len;
}

void import_name_files(struct import_list *list)
{
	size_t i, len = 0;

	if (list->n) {
		const char *slash = strrchr(list->files[0].path, '/');

		len = slash ? (size_t)(slash - list->files[0].path) + 1 : 0;
	}
	for (i = 1; i < list->n; i++)
		len = common_folder(list->files[0].path, list->files[i].path,
				    len);
	for (i = 0; i < list->n; i++)
		list->files[i].name = list->files[i].path + len;
}

bool import_read_name(struct import_file *file, const char *pattern)
{
	if (pattern)
		return name_match(file->path, pattern, &file->said);
	name_guess(file->name, &file->said);
	return true;
}

/* ---- CSV
 * ------------------------------------------------------------------------ */

static bool read_head(struct import_list *list, char *line)
{
	return csv_head_read(&list->head, line) &&
	       csv_has_column(&list->head, "epoch");
}

static int read_rows(struct cli *cli, struct import_list *list, FILE *file,
		     const char *path)
{
	char *line = malloc(CSV_MAX_LINE);
	int code = EXIT_DONE;

	if (!line) {
		wh_fail_memory(&cli->err);
		return cli_fail(cli);
	}
	if (!fgets(line, CSV_MAX_LINE, file) || !read_head(list, line))
		code = cli_usage(
			cli, "--metrics %s: there is no column 'epoch'", path);
	while (!code && fgets(line, CSV_MAX_LINE, file)) {
		struct csv_row *moved;

		if (line[strspn(line, "\r\n")] == '\0')
			continue;
		moved = list->n_rows == MAX_ROWS
				? NULL
				: realloc(list->rows,
					  (list->n_rows + 1) *
						  sizeof(*list->rows));
		if (!moved) {
			code = cli_usage(cli, "--metrics %s: too long", path);
			break;
		}
		list->rows = moved;
		if (!csv_row_read(&list->head, line, &moved[list->n_rows]))
			code = cli_usage(cli,
					 "--metrics %s: line %zu is not "
					 "as its head says",
					 path, list->n_rows + 2);
		else
			list->n_rows++;
	}
	free(line);
	return code;
}

static const struct csv_row *row_of(const struct import_list *list,
				    const struct import_file *file)
{
	size_t i;

	/* The last one counts: a training that was taken up again appends. */
	for (i = list->n_rows; file->said.has_epoch && i > 0; i--)
		if (list->rows[i - 1].epoch + list->shift == file->said.epoch)
			return &list->rows[i - 1];
	return NULL;
}

/* CSVLogger counts from 0; ModelCheckpoint's names count from 1. */
static void choose_shift(struct import_list *list)
{
	int64_t first_row = INT64_MAX, first_file = INT64_MAX;
	size_t i;

	for (i = 0; i < list->n_rows; i++)
		if (list->rows[i].epoch < first_row)
			first_row = list->rows[i].epoch;
	for (i = 0; i < list->n; i++)
		if (list->files[i].said.has_epoch &&
		    list->files[i].said.epoch < first_file)
			first_file = list->files[i].said.epoch;
	list->shift = first_row == 0 && first_file >= 1 ? 1 : 0;
}

int import_read_csv(struct cli *cli, struct import_list *list, const char *path)
{
	FILE *file = fopen(path, "r");
	size_t i, matched = 0;
	int code;

	if (!file) {
		snprintf(cli->err.message, sizeof(cli->err.message),
			 "--metrics %s: %s", cli_escape(path), strerror(errno));
		cli->err.status = errno == ENOENT ? WH_ENOTFOUND : WH_EIO;
		return cli_fail(cli);
	}
	code = read_rows(cli, list, file, path);
	fclose(file);
	if (code)
		return code;
	choose_shift(list);
	for (i = 0; i < list->n; i++)
		matched += row_of(list, &list->files[i]) != NULL;
	cli_say(cli, "metrics of %zu of %s from %s%s", matched,
		cli_count(list->n, "file"), cli_escape(path),
		list->shift ? " (its epochs count from 0)" : "");
	return EXIT_DONE;
}

static bool is_known(const struct wh_metric *metrics, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(metrics[i].key, key) == 0)
			return true;
	return false;
}

/* A name's figures are rounded: those of a row count instead. */
size_t import_metrics(const struct import_list *list,
		      const struct import_file *file,
		      struct wh_metric metrics[IMPORT_MAX_METRICS])
{
	const struct csv_row *row = row_of(list, file);
	size_t i, n_exact, n = 0;

	for (i = 0; row && i < list->head.n && n < IMPORT_MAX_METRICS; i++)
		if (row->present[i])
			metrics[n++] = (struct wh_metric){list->head.columns[i],
							  row->values[i]};
	n_exact = n;
	for (i = 0; i < file->said.n && n < IMPORT_MAX_METRICS; i++)
		if (!is_known(metrics, n_exact, file->said.names[i]))
			metrics[n++] = (struct wh_metric){file->said.names[i],
							  file->said.values[i]};
	return n;
}
