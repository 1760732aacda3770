#include "base/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"

#define MAX_DISTANCE_WORD 128

/* Length of the well-formed UTF-8 sequence at `text`, 0 if there is none;
 * its code point in `*point`. Ranges: Unicode 15, table 3-7. */
static size_t utf8_sequence(const unsigned char *text, size_t len,
			    uint32_t *point)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;

	if (text[0] < 0x80)
		n = 1, *point = text[0];
	else if (text[0] >= 0xc2 && text[0] <= 0xdf)
		n = 2, *point = text[0] & 0x1fu;
	else if ((text[0] & 0xf0) == 0xe0)
		n = 3, *point = text[0] & 0x0fu;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		n = 4, *point = text[0] & 0x07u;
	else
		return 0;
	if (n > len)
		return 0;
	for (i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3fu);
	}
	if (*point < smallest[n] || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return n;
}

static bool is_harmless(uint32_t point)
{
	if (point < 0x20 || (point >= 0x7f && point < 0xa0))
		return false;
	if (point == 0x2028 || point == 0x2029 || point == 0xfeff)
		return false;
	if ((point >= 0x202a && point <= 0x202e) ||
	    (point >= 0x2066 && point <= 0x2069) ||
	    (point >= 0x200b && point <= 0x200f))
		return false;
	return true;
}

void text_escape(const char *text, size_t len, char *out, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0, i = 0;

	if (size == 0)
		return;
	while (i < len) {
		uint32_t point = 0;
		size_t n = utf8_sequence(at + i, len - i, &point);
		bool plain = n > 0 && is_harmless(point);
		size_t k, step = n ? n : 1, need = plain ? n : 4 * step;

		if (used + need >= size)
			break;
		for (k = 0; k < step; k++)
			if (plain)
				out[used++] = text[i + k];
			else
				used += (size_t)snprintf(out + used, 5,
							 "\\x%02x", at[i + k]);
		i += step;
	}
	out[used] = '\0';
}

/* Whether the next eight bytes are ASCII without NUL: no byte has its highest
 * bit, nor lends one to it when 1 is taken from it. */
static bool are_plain(const char *text)
{
	const uint64_t each = UINT64_MAX / 0xff;
	uint64_t bytes;

	memcpy(&bytes, text, sizeof(bytes));
	return !((bytes | (bytes - each)) & each * 0x80);
}

bool text_is_name(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t i, n;
	uint32_t point;

	for (i = 0; i < len; i += n) {
		n = sizeof(uint64_t);
		if (len - i >= n && are_plain(text + i))
			continue;
		n = 1;
		if (at[i] && at[i] < 0x80)
			continue;
		n = utf8_sequence(at + i, len - i, &point);
		if (n == 0 || point == 0)
			return false;
	}
	return true;
}

size_t text_decimal(uint64_t value, char out[TEXT_DECIMAL_SIZE])
{
	char reversed[TEXT_DECIMAL_SIZE];
	size_t n = 0, i;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	out[n] = '\0';
	return n;
}

void text_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

int text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool text_unhex(const char *hex, uint8_t *bytes, size_t len)
{
	size_t i;

	if (strlen(hex) != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		int high = text_hex_digit(hex[2 * i]);
		int low = text_hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool text_to_u64(const char *text, uint64_t *value)
{
	uint64_t sum = 0;
	const char *at;

	if (!*text)
		return false;
	for (at = text; *at; at++) {
		if (*at < '0' || *at > '9' ||
		    __builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
			return false;
	}
	*value = sum;
	return true;
}

bool text_to_i64(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	uint64_t size;

	if (!text_to_u64(text + negative, &size) ||
	    size > (uint64_t)INT64_MAX + negative)
		return false;
	*value = negative ? (int64_t)(~size + 1) : (int64_t)size;
	return true;
}

bool text_to_double(const char *text, double *value)
{
	USE_C_LOCALE;
	char *end = NULL;
	double parsed;

	if (!*text || strchr(" \t\n\v\f\r", *text))
		return false;
	parsed = strtod(text, &end);
	if (end == text || *end)
		return false;
	*value = parsed;
	return true;
}

const char *text_after_counter(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n >= 5 ? text + n : NULL;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of its matrix at a time. */
unsigned text_distance(const char *a, const char *b, unsigned limit)
{
	unsigned rows[3][MAX_DISTANCE_WORD + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t len_a = strlen(a), len_b = strlen(b), i, j;

	if (len_a > MAX_DISTANCE_WORD || len_b > MAX_DISTANCE_WORD)
		return limit + 1;
	for (j = 0; j <= len_b; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= len_a; i++) {
		unsigned *oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = (unsigned)i;
		for (j = 1; j <= len_b; j++) {
			row[j] = min2(above[j], row[j - 1]) + 1;
			row[j] = min2(row[j],
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = min2(row[j], before[j - 2] + 1);
		}
	}
	return row[len_b] > limit ? limit + 1 : row[len_b];
}

bool text_glob(const char *pattern, const char *text)
{
	USE_C_LOCALE;

	return fnmatch(pattern, text, 0) == 0;
}
