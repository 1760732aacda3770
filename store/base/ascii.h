/* base/ascii.h: kinds of characters, whatever the locale of the program that
 * we are part of: ctype.h and strcasecmp ask it, Turkish has another 'i', and
 * a locale of one byte a character has letters above 0x7f.
 */
#ifndef WH_BASE_ASCII_H
#define WH_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool ascii_is_alnum(char c)
{
	return ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static inline bool ascii_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool ascii_is_control(char c)
{
	return (c >= 0 && c < 0x20) || c == 0x7f;
}

static inline bool ascii_is_printable(char c)
{
	return c >= 0x20 && c < 0x7f;
}

/** Whether the first `n` characters, or both texts to their ends, are the same
 *  but for capitals. */
static inline bool ascii_same(const char *a, const char *b, size_t n)
{
	for (; n && *a && ascii_lower(*a) == ascii_lower(*b); n--)
		a++, b++;
	return n == 0 || ascii_lower(*a) == ascii_lower(*b);
}

#endif
