/* base/json_python.h: JSON as Python's `json` writes it.
 *
 * It has NaN, Infinity and -Infinity, which no JSON has, integers of any size,
 * and NULs in strings.
 */
#ifndef WH_BASE_JSON_PYTHON_H
#define WH_BASE_JSON_PYTHON_H

#include <stddef.h>

#include <jansson.h>

/** Parses `size` bytes of it, for those who look at strings and structure: all
 *  numbers come as reals, NaN and infinities as 0. NULL, with why, if it is
 *  none; the caller releases it. */
json_t *json_from_python(const char *text, size_t size, json_error_t *why);

#endif
