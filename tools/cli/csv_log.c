#include "csv_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "name_pattern.h"

/* A cell that begins with a quote ends behind the next single one; two mean
 * one. Unquoted in place; gives what follows it. */
static char *unquote(char *cell)
{
	char *from = cell + 1, *to = cell;

	while (*from && (from[0] != '"' || from[1] == '"')) {
		from += *from == '"';
		*to++ = *from++;
	}
	from += *from == '"';
	*to = '\0';
	return from;
}

static size_t cut_line(char *line, char separator, char **cells, size_t max)
{
	size_t n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (n < max) {
		char *end;

		cells[n++] = line;
		end = *line == '"' ? unquote(line) : line;
		end = strchr(end, separator);
		if (!end)
			break;
		*end = '\0';
		line = end + 1;
	}
	return n;
}

static char separator_of(const char *line)
{
	size_t len = strcspn(line, ",;\t");

	return line[len] ? line[len] : ',';
}

static bool is_count(const char *name)
{
	return strcmp(name, "epoch") == 0 || strcmp(name, "step") == 0;
}

bool csv_head_read(struct csv_head *head, char *line)
{
	char *cells[CSV_MAX_COLUMNS];
	bool counted = false;
	size_t i, n;

	memset(head, 0, sizeof(*head));
	head->separator = separator_of(line);
	n = cut_line(line, head->separator, cells, CSV_MAX_COLUMNS);
	for (i = 0; i < n; i++) {
		head->columns[i] = strdup(cells[i]);
		if (!head->columns[i])
			break;
		head->n = i + 1;
		counted |= is_count(cells[i]);
	}
	if (counted && head->n == n)
		return true;
	csv_head_free(head);
	return false;
}

void csv_head_free(struct csv_head *head)
{
	while (head->n)
		free(head->columns[--head->n]);
}

bool csv_has_column(const struct csv_head *head, const char *name)
{
	size_t i;

	for (i = 0; i < head->n; i++)
		if (strcmp(head->columns[i], name) == 0)
			return true;
	return false;
}

bool csv_row_read(const struct csv_head *head, char *line, struct csv_row *row)
{
	char *cells[CSV_MAX_COLUMNS + 1];
	size_t i, n;

	memset(row, 0, sizeof(*row));
	n = cut_line(line, head->separator, cells, CSV_MAX_COLUMNS + 1);
	if (n != head->n)
		return false;
	for (i = 0; i < n; i++) {
		const char *name = head->columns[i];
		double *value = &row->values[i];

		row->present[i] = *name && text_to_double(cells[i], value);
		if (!is_count(name))
			continue;
		if (!row->present[i] ||
		    !name_count(*value,
				*name == 'e' ? &row->epoch : &row->step))
			return false;
		row->present[i] = false;
	}
	return true;
}
