#include "canonical.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum wh_status line_escape(struct wh_buf *out, const char *value, size_t len,
			   struct wh_error *err)
{
	size_t i, plain = 0;
	char code[5];

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c >= 0x20 && c != 0x7f && c != '\\')
			continue;
		if (c == '\\')
			strcpy(code, "\\\\");
		else if (c == '\n')
			strcpy(code, "\\n");
		else if (c == '\r')
			strcpy(code, "\\r");
		else
			snprintf(code, sizeof(code), "\\x%02x", c);
		WH_TRY(wh_buf_append(out, value + plain, i - plain, err));
		WH_TRY(wh_buf_append(out, code, strlen(code), err));
		plain = i + 1;
	}
	return wh_buf_append(out, value + plain, len - plain, err);
}

enum wh_status line_field(struct wh_buf *out, const char *word,
			  const char *value, struct wh_error *err)
{
	if (!value)
		return WH_OK;
	WH_TRY(wh_buf_append(out, word, strlen(word), err));
	/* No blanks at a line's end: an empty value is the word alone. */
	if (*value)
		WH_TRY(wh_buf_append(out, " ", 1, err));
	WH_TRY(line_escape(out, value, strlen(value), err));
	return wh_buf_append(out, "\n", 1, err);
}

enum wh_status line_digest(struct wh_buf *out, const char *word,
			   const uint8_t *digest, struct wh_error *err)
{
	char hex[2 * WH_SHA256_SIZE + 1];

	if (!digest)
		return WH_OK;
	text_hex(digest, WH_SHA256_SIZE, hex);
	return line_field(out, word, hex, err);
}

enum wh_status line_number(struct wh_buf *out, const char *word, uint64_t value,
			   const char *after, struct wh_error *err)
{
	char digits[TEXT_DECIMAL_SIZE];
	size_t len = text_decimal(value, digits);

	WH_TRY(wh_buf_append(out, word, strlen(word), err));
	WH_TRY(wh_buf_append(out, " ", 1, err));
	WH_TRY(wh_buf_append(out, digits, len, err));
	return wh_buf_append(out, after, strlen(after), err);
}

enum wh_status line_bad(const struct line_reader *reader, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a stored text has a bad line '%.60s'",
		       reader->word ? reader->word : "");
}

bool line_next(struct line_reader *reader, enum wh_status *status,
	       struct wh_error *err)
{
	const char *stop;
	char *line;

	*status = WH_OK;
	reader->word = NULL;
	if (reader->at == reader->end)
		return false;
	stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	if (!stop) {
		*status = line_bad(reader, err);
		return false;
	}
	line = arena_bytes(reader->arena, reader->at,
			   (size_t)(stop - reader->at));
	if (!line) {
		*status = wh_fail_memory(err);
		return false;
	}
	reader->at = stop + 1;
	reader->word = line;
	reader->value = strchr(line, ' ');
	if (reader->value)
		*reader->value++ = '\0';
	else
		reader->value = line + strlen(line);
	return true;
}

/* In place; false for an escape that line_escape doesn't write. */
static bool unescape(char *text, size_t *size)
{
	char *from = text, *to = text;

	while (*from) {
		if (*from != '\\') {
			*to++ = *from++;
		} else if (from[1] == '\\') {
			*to++ = '\\';
			from += 2;
		} else if (from[1] == 'n' || from[1] == 'r') {
			*to++ = from[1] == 'n' ? '\n' : '\r';
			from += 2;
		} else if (from[1] == 'x' && text_hex_digit(from[2]) >= 0 &&
			   text_hex_digit(from[3]) >= 0) {
			*to++ = (char)(text_hex_digit(from[2]) << 4 |
				       text_hex_digit(from[3]));
			from += 4;
		} else {
			return false;
		}
	}
	*to = '\0';
	*size = (size_t)(to - text);
	return true;
}

enum wh_status line_fields(struct line_reader *reader, char **fields,
			   size_t *sizes, uint32_t n, struct wh_error *err)
{
	char *at = reader->value, *tab;
	size_t size;
	uint32_t i;

	for (i = 0; i < n; i++) {
		tab = strchr(at, '\t');
		if ((i + 1 < n) != (tab != NULL))
			return line_bad(reader, err);
		if (tab)
			*tab = '\0';
		fields[i] = at;
		at = tab ? tab + 1 : at;
		if (!unescape(fields[i], &size))
			return line_bad(reader, err);
		if (sizes)
			sizes[i] = size;
	}
	return WH_OK;
}
