#include "import.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_LINE  (64 << 10)
#define MAX_ROWS  1000000
#define MAX_COUNT 9007199254740992.0 /* 2^53: a double holds it exactly */

void import_list_free(struct import_list *list)
{
	size_t i, k;

	for (i = 0; i < list->n; i++) {
		free(list->files[i].path);
		for (k = 0; k < list->files[i].n_metrics; k++)
			free(list->files[i].metric_names[k]);
	}
	for (i = 0; i < list->n_columns; i++)
		free(list->columns[i]);
	free(list->files);
	free(list->rows);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- Names
 * ------------------------------------------------------------------- */

/* A step or an epoch; one that no training has counts as none. */
static bool as_count(double value, int64_t *count)
{
	if (!(value >= 0 && value <= MAX_COUNT))
		return false;
	*count = (int64_t)value;
	return true;
}

static void take_value(struct import_file *file, const char *name, size_t len,
		       double value)
{
	if (len == 5 && strncmp(name, "epoch", 5) == 0) {
		file->has_epoch = as_count(value, &file->epoch);
		if (!file->has_number)
			file->number = file->epoch;
		file->has_number |= file->has_epoch;
	} else if (len == 4 && strncmp(name, "step", 4) == 0) {
		file->has_number |= as_count(value, &file->number);
	} else if (file->n_metrics < IMPORT_MAX_METRICS) {
		char *copy = strndup(name, len);

		if (!copy)
			return;
		file->metric_names[file->n_metrics] = copy;
		file->metric_values[file->n_metrics++] = value;
	}
}

/* The number at `at`; a dot at its end is the suffix's. */
static size_t number_at(const char *at, double *value)
{
	char text[64];
	size_t len = strspn(at, "+-0123456789.eE");

	while (len && !isdigit((unsigned char)at[len - 1]))
		len--;
	for (; len; len--) {
		if (len >= sizeof(text))
			continue;
		memcpy(text, at, len);
		text[len] = '\0';
		if (text_to_double(text, value))
			return len;
	}
	return 0;
}

static bool match_pattern(struct import_file *file, const char *pattern,
			  const char *name)
{
	while (*pattern) {
		const char *close = strchr(pattern, '}');
		size_t len, used;
		double value;

		if (*pattern != '{' || !close) {
			if (*pattern++ != *name++)
				return false;
			continue;
		}
		len = strcspn(pattern + 1, ":}");
		used = number_at(name, &value);
		if (!used)
			return false;
		take_value(file, pattern + 1, len, value);
		name += used;
		pattern = close + 1;
	}
	return !*name;
}

static void read_last_number(struct import_file *file, const char *base)
{
	const char *at, *last = NULL;
	const char *stop = strrchr(base, '.');
	char digits[20];
	size_t len;

	/* A suffix such as `.h5` holds a digit that is no step. */
	for (at = base; *at && (!stop || at < stop); at++)
		if (isdigit((unsigned char)*at) &&
		    (at == base || !isdigit((unsigned char)at[-1])))
			last = at;
	if (!last)
		return;
	len = strspn(last, "0123456789");
	if (len >= sizeof(digits))
		return;
	memcpy(digits, last, len);
	digits[len] = '\0';
	if (!text_to_i64(digits, &file->epoch))
		return;
	file->has_epoch = file->has_number = true;
	file->number = file->epoch;
}

bool import_read_name(struct import_file *file, const char *pattern)
{
	const char *base = base_of(file->path);

	if (pattern)
		return match_pattern(file, base_of(pattern), base);
	read_last_number(file, base);
	return true;
}

/* ---- CSV
 * ------------------------------------------------------------------------ */

/* Cells have no quotes: CSVLogger writes names and numbers. */
static size_t cut_line(char *line, char **cells, size_t max)
{
	size_t n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (line && n < max) {
		char *comma = strchr(line, ',');

		if (comma)
			*comma = '\0';
		cells[n++] = line;
		line = comma ? comma + 1 : NULL;
	}
	return n;
}

static bool read_header(struct import_list *list, char *line)
{
	char *cells[IMPORT_MAX_METRICS];
	size_t i, n = cut_line(line, cells, IMPORT_MAX_METRICS);
	bool has_epoch = false;

	for (i = 0; i < n; i++) {
		list->columns[i] = strdup(cells[i]);
		if (!list->columns[i])
			return false;
		list->n_columns = i + 1;
		has_epoch |= strcmp(cells[i], "epoch") == 0;
	}
	return has_epoch;
}

static bool read_row(struct import_list *list, char *line,
		     struct import_row *row)
{
	char *cells[IMPORT_MAX_METRICS];
	size_t i, n = cut_line(line, cells, IMPORT_MAX_METRICS);

	memset(row, 0, sizeof(*row));
	if (n != list->n_columns)
		return false;
	for (i = 0; i < n; i++) {
		row->present[i] = text_to_double(cells[i], &row->values[i]);
		if (strcmp(list->columns[i], "epoch") != 0)
			continue;
		if (!row->present[i] || !as_count(row->values[i], &row->epoch))
			return false;
		row->present[i] = false;
	}
	return true;
}

static int read_rows(struct cli *cli, struct import_list *list, FILE *file,
		     const char *path)
{
	char *line = malloc(MAX_LINE);
	int code = EXIT_DONE;

	if (!line || !fgets(line, MAX_LINE, file) || !read_header(list, line))
		code = cli_usage(
			cli, "--metrics %s: there is no column 'epoch'", path);
	while (!code && fgets(line, MAX_LINE, file)) {
		struct import_row *moved;

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
		if (!read_row(list, line, &moved[list->n_rows]))
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

static const struct import_row *row_of(const struct import_list *list,
				       const struct import_file *file)
{
	size_t i;

	/* The last one counts: a training that was taken up again appends. */
	for (i = list->n_rows; file->has_epoch && i > 0; i--)
		if (list->rows[i - 1].epoch + list->shift == file->epoch)
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
		if (list->files[i].has_epoch &&
		    list->files[i].epoch < first_file)
			first_file = list->files[i].epoch;
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
	cli_say(cli, "metrics of %zu of %zu files from %s%s", matched, list->n,
		cli_escape(path),
		list->shift ? " (its epochs count from 0)" : "");
	return EXIT_DONE;
}

size_t import_metrics(const struct import_list *list,
		      const struct import_file *file,
		      struct wh_metric metrics[IMPORT_MAX_METRICS])
{
	const struct import_row *row = row_of(list, file);
	size_t i, n = 0;

	for (i = 0; row && i < list->n_columns && n < IMPORT_MAX_METRICS; i++)
		if (row->present[i])
			metrics[n++] = (struct wh_metric){list->columns[i],
							  row->values[i]};
	for (i = 0; i < file->n_metrics && n < IMPORT_MAX_METRICS; i++)
		metrics[n++] = (struct wh_metric){file->metric_names[i],
						  file->metric_values[i]};
	return n;
}
