#include "csv.h"

#include <string.h>

/* The cell that begins at `*at`; `*at` moves behind it, and is NULL after the
 * last. */
static char *take_quoted(char **at, char separator)
{
	char *from = *at + 1, *to = *at, *cell = to;

	while (*from && (*from != '"' || from[1] == '"')) {
		from += *from == '"' ? 1 : 0;
		*to++ = *from++;
	}
	from = strchr(from, separator);
	*at = from ? from + 1 : NULL;
	*to = '\0';
	return cell;
}

size_t csv_cut(char *line, char separator, char **cells, size_t max)
{
	char *at = line;
	size_t n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (at && n < max) {
		if (*at == '"') {
			cells[n++] = take_quoted(&at, separator);
			continue;
		}
		cells[n++] = at;
		at = strchr(at, separator);
		if (at)
			*at++ = '\0';
	}
	return n;
}

char csv_separator(const char *head)
{
	static const char known[] = ",;\t";
	size_t i, most = 0;
	char best = ',';

	for (i = 0; known[i]; i++) {
		const char *at = head;
		size_t n = 0;

		while ((at = strchr(at, known[i]))) {
			at++;
			n++;
		}
		if (n > most) {
			most = n;
			best = known[i];
		}
	}
	return best;
}
