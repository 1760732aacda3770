/* base/text.h: names and texts: escaping, UTF-8, hex, numbers. */
#ifndef WH_BASE_TEXT_H
#define WH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Copies `len` bytes to `out` so that a terminal shows them harmlessly: C0
 *  and C1 controls, DEL, bidirectional overrides and bytes that are no UTF-8
 *  become `\xHH`. Always NUL-terminated; cut at `size` on a whole character.
 *  Text that is already escaped stays as it is. */
void text_escape(const char *text, size_t len, char *out, size_t size);

/** Whether `len` bytes are valid UTF-8 (no surrogates, no overlong forms)
 *  without NUL: the rule for every stored name. */
bool text_is_name(const char *text, size_t len);

/** Writes 2 * `len` lower-case hex digits and a NUL. */
void text_hex(const uint8_t *bytes, size_t len, char *out);

/** What a lower-case hex digit stands for; -1 for another character. */
int text_hex_digit(char c);
/** Reads exactly 2 * `len` lower-case hex digits; false if there are others. */
bool text_unhex(const char *hex, uint8_t *bytes, size_t len);

#define TEXT_DECIMAL_SIZE 21 /* bytes of any uint64_t, with a NUL */

/** Writes a decimal and a NUL; its length. For what is written by the
 *  thousand, where printf is most of the cost. */
size_t text_decimal(uint64_t value, char out[TEXT_DECIMAL_SIZE]);

/** A whole string as a decimal; false on empty, sign of an unsigned, blanks,
 *  trailing bytes or overflow. */
bool text_to_u64(const char *text, uint64_t *value);
bool text_to_i64(const char *text, int64_t *value);

/** A whole string as a double, whatever the locale: "0.41", "1e-3", "nan". */
bool text_to_double(const char *text, double *value);

/** What follows a number as "%05u" writes it, of five digits or more; NULL
 *  where none begins the text. */
const char *text_after_counter(const char *text);

bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);

/** Edits between two words, a swap of neighbours being one; capped at
 *  `limit` + 1, as are words of over 128 bytes. */
unsigned text_distance(const char *a, const char *b, unsigned limit);

/** Shell-style match: `*` any run, `?` one byte, `[...]` a set. */
bool text_glob(const char *pattern, const char *text);

#endif
