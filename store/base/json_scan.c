#include "base/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/c_locale.h"

#define MAX_DEPTH 127u /* serde_json's recursion limit is 128 */

void scan_begin(struct scan *scan, const char *text, size_t len)
{
	*scan = (struct scan){.begin = text, .at = text, .end = text + len};
}

static bool fail(struct scan *scan, const char *problem)
{
	if (!scan->problem)
		scan->problem = problem;
	return false;
}

char scan_peek(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' ||
					*scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
	return scan->at < scan->end ? *scan->at : '\0';
}

bool scan_take(struct scan *scan, char c)
{
	if (scan->problem)
		return false;
	if (scan_peek(scan) != c)
		return fail(scan, scan->at < scan->end
					  ? "another character was expected"
					  : "the text ends early");
	scan->at++;
	return true;
}

bool scan_open(struct scan *scan, char c)
{
	if (scan->depth >= MAX_DEPTH)
		return fail(scan, "values are nested too deep");
	if (!scan_take(scan, c))
		return false;
	scan->depth++;
	return true;
}

bool scan_more(struct scan *scan, char c, bool *first)
{
	bool was_first = *first;

	*first = false;
	if (scan->problem)
		return false;
	if (scan_peek(scan) == c) {
		scan->at++;
		scan->depth--;
		return false;
	}
	return was_first || (scan_take(scan, ',') && scan_peek(scan) != c) ||
	       fail(scan, "a comma before the end");
}

bool scan_end(struct scan *scan)
{
	if (scan->problem)
		return false;
	scan_peek(scan);
	return scan->at == scan->end || fail(scan, "text after the end");
}

/* ---- Strings ------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of `\uXXXX`, the scan behind its `u`. */
static bool take_unit(struct scan *scan, uint32_t *unit)
{
	uint32_t value = 0;
	int i;

	if (scan->end - scan->at < 4)
		return fail(scan, "an escape ends early");
	for (i = 0; i < 4; i++) {
		int digit = hex_digit(*scan->at++);

		if (digit < 0)
			return fail(scan, "an escape with other than hex "
					  "digits");
		value = value << 4 | (uint32_t)digit;
	}
	*unit = value;
	return true;
}

static bool take_code_point(struct scan *scan, uint32_t *code)
{
	uint32_t low;

	if (!take_unit(scan, code))
		return false;
	if (*code < 0xd800 || *code > 0xdfff)
		return true;
	if (*code > 0xdbff || scan->end - scan->at < 2 || scan->at[0] != '\\' ||
	    scan->at[1] != 'u')
		return fail(scan, "a lone surrogate");
	scan->at += 2;
	if (!take_unit(scan, &low))
		return false;
	if (low < 0xdc00 || low > 0xdfff)
		return fail(scan, "a lone surrogate");
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static size_t put_utf8(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* What follows a backslash; never longer than its escape. */
static bool take_escape(struct scan *scan, char *out, size_t *len)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found;
	uint32_t code;

	if (scan->at == scan->end)
		return fail(scan, "an escape ends early");
	if (*scan->at == 'u') {
		scan->at++;
		if (!take_code_point(scan, &code))
			return false;
		*len = put_utf8(code, out);
		return true;
	}
	found = strchr(names, *scan->at);
	if (!found || !*found)
		return fail(scan, "an unknown escape");
	scan->at++;
	*out = values[found - names];
	*len = 1;
	return true;
}

/* Bytes to the closing quote, escapes and all; false if there is none. */
static bool measure(struct scan *scan, size_t *len, bool *escaped)
{
	const char *at;

	*escaped = false;
	for (at = scan->at; at < scan->end && *at != '"'; at++) {
		if ((unsigned char)*at < 0x20) {
			scan->at = at;
			return fail(scan, "a control character in a string");
		}
		if (*at != '\\')
			continue;
		*escaped = true;
		if (at + 1 < scan->end)
			at++;
	}
	if (at >= scan->end)
		return fail(scan, "a string without an end");
	*len = (size_t)(at - scan->at);
	return true;
}

static bool unescape(struct scan *scan, char *out, size_t *len)
{
	char scratch[4];
	size_t n = 0, some = 0;

	while (*scan->at != '"') {
		if (*scan->at != '\\') {
			if (out)
				out[n] = *scan->at;
			n++;
			scan->at++;
			continue;
		}
		scan->at++;
		if (!take_escape(scan, out ? out + n : scratch, &some))
			return false;
		n += some;
	}
	scan->at++;
	*len = n;
	return true;
}

/* Behind the opening quote: the text, of `room` bytes as it stands, to `out`,
 * unless that is NULL. */
static bool take_text(struct scan *scan, size_t room, bool escaped, char *out,
		      size_t *len)
{
	if (escaped)
		return unescape(scan, out, len);
	if (out)
		memcpy(out, scan->at, room);
	scan->at += room + 1;
	*len = room;
	return true;
}

bool scan_string(struct scan *scan, struct arena *arena, char **text,
		 size_t *len)
{
	size_t room, size;
	bool escaped;
	char *out;

	if (!scan_take(scan, '"') || !measure(scan, &room, &escaped))
		return false;
	out = arena_alloc(arena, room + 1, 1);
	if (!out)
		return fail(scan, "there is no memory left");
	if (!take_text(scan, room, escaped, out, &size))
		return false;
	out[size] = '\0';
	*text = out;
	if (len)
		*len = size;
	return true;
}

bool scan_key(struct scan *scan, char key[SCAN_KEY_SIZE])
{
	size_t room, size;
	bool escaped, fits;

	if (!scan_take(scan, '"') || !measure(scan, &room, &escaped))
		return false;
	fits = room < SCAN_KEY_SIZE;
	if (!take_text(scan, room, escaped, fits ? key : NULL, &size))
		return false;
	key[fits ? size : 0] = '\0';
	return scan_take(scan, ':');
}

/* ---- Numbers ------------------------------------------------------------- */

static const char *digits(const char *at)
{
	while (ascii_is_digit(*at))
		at++;
	return at;
}

/* The end of the number that begins at the scan; NULL if it is none. */
static const char *number_end(const char *at, bool *is_whole)
{
	const char *from;

	*is_whole = *at != '-';
	if (*at == '-')
		at++;
	from = at;
	at = digits(at);
	if (at == from || (*from == '0' && at > from + 1))
		return NULL;
	if (*at == '.') {
		*is_whole = false;
		from = ++at;
		at = digits(at);
		if (at == from)
			return NULL;
	}
	if (*at == 'e' || *at == 'E') {
		*is_whole = false;
		at++;
		if (*at == '+' || *at == '-')
			at++;
		from = at;
		at = digits(at);
		if (at == from)
			return NULL;
	}
	return at;
}

bool scan_unsigned(struct scan *scan, uint64_t *value)
{
	const char *end;
	bool is_whole;

	if (scan->problem)
		return false;
	scan_peek(scan);
	end = number_end(scan->at, &is_whole);
	if (!end || !is_whole)
		return fail(scan, "a whole number was expected");
	errno = 0;
	*value = strtoull(scan->at, NULL, 10);
	if (errno == ERANGE)
		return fail(scan, "a number is too large");
	scan->at = end;
	return true;
}

bool scan_signed(struct scan *scan, int64_t *value)
{
	bool minus = scan_peek(scan) == '-';
	const char *begin = scan->at;
	uint64_t size;

	scan->at += minus;
	if (minus && !ascii_is_digit(*scan->at))
		return fail(scan, "a whole number was expected");
	if (!scan_unsigned(scan, &size))
		return false;
	if (size > (uint64_t)INT64_MAX + minus) {
		scan->at = begin;
		return fail(scan, "a number is too large");
	}
	*value = minus ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}

static bool skip_number(struct scan *scan)
{
	USE_C_LOCALE;
	bool is_whole;
	const char *end = number_end(scan->at, &is_whole);

	if (!end)
		return fail(scan, "a value was expected");
	if (isinf(strtod(scan->at, NULL)))
		return fail(scan, "a number is too large");
	scan->at = end;
	return true;
}

/* ---- Any value
 * ----------------------------------------------------------- */

static bool skip_word(struct scan *scan, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len ||
	    memcmp(scan->at, word, len) != 0)
		return fail(scan, "a value was expected");
	scan->at += len;
	return true;
}

bool scan_bool(struct scan *scan, bool *value)
{
	*value = scan_peek(scan) == 't';
	return !scan->problem && skip_word(scan, *value ? "true" : "false");
}

static bool skip_string(struct scan *scan)
{
	size_t room = 0, size;
	bool escaped = false;

	return scan_take(scan, '"') && measure(scan, &room, &escaped) &&
	       take_text(scan, room, escaped, NULL, &size);
}

static bool skip_scalar(struct scan *scan, char c)
{
	switch (c) {
	case '"':
		return skip_string(scan);
	case 't':
		return skip_word(scan, "true");
	case 'f':
		return skip_word(scan, "false");
	case 'n':
		return skip_word(scan, "null");
	default:
		return skip_number(scan);
	}
}

/* The depth is bounded, so recursion is. */
bool scan_skip(struct scan *scan) /* NOLINT(misc-no-recursion) */
{
	char c = scan_peek(scan), close = c == '{' ? '}' : ']';
	bool first = true;

	if (scan->problem)
		return false;
	if (c != '{' && c != '[')
		return skip_scalar(scan, c);
	if (!scan_open(scan, c))
		return false;
	while (scan_more(scan, close, &first)) {
		if (c == '{' && !(skip_string(scan) && scan_take(scan, ':')))
			return false;
		if (!scan_skip(scan))
			return false;
	}
	return !scan->problem;
}

size_t scan_count(struct scan *scan)
{
	struct scan ahead = *scan;
	bool first = true;
	size_t n = 0;

	scan_open(&ahead, '[');
	while (scan_more(&ahead, ']', &first))
		n += scan_skip(&ahead);
	if (!ahead.problem)
		return n;
	*scan = ahead;
	return 0;
}
