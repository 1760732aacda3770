/* base/json_scan.h: a strict scan of JSON text, value by value.
 *
 * No tree is built: a header of 100 MB costs its own size and what its entries
 * need. What is valid is what serde_json takes, which safetensors' own library
 * uses: RFC 8259, no control characters in strings, no lone surrogates,
 * numbers that a double can hold, at most 127 levels.
 */
#ifndef WH_BASE_JSON_SCAN_H
#define WH_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct scan {
	const char *begin, *at, *end; /* a NUL stands at `end` */
	unsigned depth;		      /* levels that are open */
	const char *problem;	      /* what failed, a phrase; or NULL */
};

/** Over `len` bytes of valid UTF-8, NUL-terminated. */
void scan_begin(struct scan *scan, const char *text, size_t len);

/** The next byte that isn't white space, or NUL at the end. */
char scan_peek(struct scan *scan);

/** Takes `c`, or records a problem. All verbs fail once there is one. */
bool scan_take(struct scan *scan, char c);

/** Opens an object or array (`c` is `{` or `[`). */
bool scan_open(struct scan *scan, char c);

/** Whether another member follows in what was opened; takes the comma, or the
 *  closing `c`. `*first` begins true. */
bool scan_more(struct scan *scan, char c, bool *first);

/** A string, unescaped, NUL-terminated in the arena; `len` may be NULL. */
bool scan_string(struct scan *scan, struct arena *arena, char **text,
		 size_t *len);

#define SCAN_KEY_SIZE 80u /* any key of ours, even if each byte is escaped */

/** The key of a member, and its colon; an empty text if it is longer. */
bool scan_key(struct scan *scan, char key[SCAN_KEY_SIZE]);

/** A whole number of 0 to 2^64 - 1, without sign, point or exponent. */
bool scan_unsigned(struct scan *scan, uint64_t *value);

/** The same with a sign, of 64 bits. */
bool scan_signed(struct scan *scan, int64_t *value);

bool scan_bool(struct scan *scan, bool *value);

/** How many members the array has that is opened next; the scan stays before
 *  it, unless there is a problem within. */
size_t scan_count(struct scan *scan);

/** Any value, checked and passed over. */
bool scan_skip(struct scan *scan);

/** Whether nothing but white space is left. */
bool scan_end(struct scan *scan);

#endif
