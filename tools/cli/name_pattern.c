#include "name_pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define EPOCH	  "epoch"
#define MAX_COUNT 9007199254740992.0 /* 2^53: a double holds it exactly */

void name_values_free(struct name_values *values)
{
	while (values->n)
		free(values->names[--values->n]);
}

bool name_count(double value, int64_t *count)
{
	if (!(value >= 0 && value <= MAX_COUNT))
		return false;
	*count = (int64_t)value;
	return true;
}

/* ---- Fields ----------------------------------------------------------------
 */

/* "{name:02d}", from behind its brace. */
struct field {
	const char *name;
	size_t len;
	char type;     /* of the value, or 0 */
	int precision; /* or -1 */
};

static struct field read_field(const char *text, const char *end)
{
	struct field field = {.name = text, .precision = -1};
	const char *colon, *dot;

	field.len = strcspn(text, ":!}");
	colon = memchr(text, ':', (size_t)(end - text));
	if (!colon)
		return field;
	dot = memchr(colon, '.', (size_t)(end - colon));
	if (dot && isdigit((unsigned char)dot[1]))
		field.precision = dot[1] - '0';
	if (dot && isdigit((unsigned char)dot[1]) &&
	    isdigit((unsigned char)dot[2]))
		field.precision = -1;
	if (isalpha((unsigned char)end[-1]) || end[-1] == '%')
		field.type = end[-1];
	return field;
}

static bool is_called(const struct field *field, const char *name)
{
	return field->len == strlen(name) &&
	       memcmp(field->name, name, field->len) == 0;
}

static bool is_whole(const struct field *field)
{
	return field->type == 'd' ||
	       (!field->type &&
		(is_called(field, "epoch") || is_called(field, "step") ||
		 is_called(field, "batch")));
}

static bool take_value(struct name_values *values, const struct field *field,
		       double value)
{
	if (field->len == 0)
		return false;
	if (is_called(field, "epoch")) {
		values->has_epoch = name_count(value, &values->epoch);
		if (!values->has_number)
			values->number = values->epoch;
		values->has_number |= values->has_epoch;
	} else if (is_called(field, "step")) {
		values->has_number |= name_count(value, &values->number);
	} else if (values->n < NAME_MAX_METRICS) {
		values->names[values->n] = strndup(field->name, field->len);
		if (!values->names[values->n])
			return false;
		values->values[values->n++] = value;
	}
	return true;
}

/* ---- Numbers ---------------------------------------------------------------
 */

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

static size_t sign(const char *at)
{
	return *at == '-' || *at == '+' ? 1 : 0;
}

/* How long the number is by its format; 0: any that can be read. */
static size_t expected_length(const struct field *field, const char *at)
{
	size_t len = sign(at), whole = digits(at + len);

	if (is_whole(field))
		return whole ? len + whole : 0;
	len += whole;
	if ((field->type != 'f' && field->type != '%') || !whole ||
	    field->precision < 0)
		return 0;
	if (field->precision == 0)
		return len;
	if (at[len] != '.' || digits(at + len + 1) < (size_t)field->precision)
		return 0;
	return len + 1 + (size_t)field->precision;
}

/* The longest number at `at`; a dot at its end is the suffix's. */
static size_t any_length(const char *at)
{
	size_t len = sign(at);

	if (strncmp(at + len, "nan", 3) == 0 ||
	    strncmp(at + len, "inf", 3) == 0)
		return len + 3;
	len = strspn(at, "+-0123456789.eE");
	while (len && !isdigit((unsigned char)at[len - 1]))
		len--;
	return len;
}

static size_t number_at(const struct field *field, const char *at,
			double *value)
{
	size_t blanks = strspn(at, " "); /* of a width */
	size_t len = expected_length(field, at + blanks);
	char text[64];

	if (!len && !is_whole(field))
		len = any_length(at + blanks);
	for (; len; len--) {
		if (len >= sizeof(text))
			continue;
		memcpy(text, at + blanks, len);
		text[len] = '\0';
		if (text_to_double(text, value))
			break;
	}
	if (!len)
		return 0;
	len += blanks;
	if (field->type == '%' && at[len] == '%') {
		*value /= 100;
		len++;
	}
	return len;
}

/* ---- Patterns --------------------------------------------------------------
 */

/* Where a field ends that begins here, or NULL. */
static const char *field_end(const char *at)
{
	if (at[0] != '{' || at[1] == '{')
		return NULL;
	return strchr(at, '}');
}

static bool is_doubled(const char *at)
{
	return (at[0] == '{' || at[0] == '}') && at[1] == at[0];
}

static bool match(const char *pattern, const char *name,
		  struct name_values *values)
{
	while (*pattern) {
		const char *end = field_end(pattern);
		struct field field;
		double value;
		size_t used;

		if (!end) {
			pattern += is_doubled(pattern);
			if (*pattern++ != *name++)
				return false;
			continue;
		}
		field = read_field(pattern + 1, end);
		used = number_at(&field, name, &value);
		if (!used || !take_value(values, &field, value))
			return false;
		name += used;
		pattern = end + 1;
	}
	return !*name;
}

/* From the first component with a field, or else the last one. */
static const char *part_that_counts(const char *pattern)
{
	const char *at, *part = pattern;

	for (at = pattern; *at; at++) {
		if (field_end(at))
			return part;
		at += is_doubled(at);
		if (*at == '/')
			part = at + 1;
	}
	return part;
}

static const char *last_components(const char *path, const char *pattern)
{
	const char *at = path + strlen(path);
	size_t n = 1;

	for (; *pattern; pattern++)
		n += *pattern == '/';
	for (; at > path; at--)
		if (at[-1] == '/' && --n == 0)
			break;
	return at;
}

bool name_match(const char *path, const char *pattern,
		struct name_values *values)
{
	memset(values, 0, sizeof(*values));
	pattern = part_that_counts(pattern);
	if (match(pattern, last_components(path, pattern), values))
		return true;
	name_values_free(values);
	memset(values, 0, sizeof(*values));
	return false;
}

/* ---- Without a pattern -----------------------------------------------------
 */

/* Where the suffix begins, whose digits are no step; `weights.03` has none. */
static const char *suffix_of(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len);
	const char *at;

	for (at = dot ? dot + 1 : name + len; at < name + len; at++)
		if (!isdigit((unsigned char)*at))
			return dot;
	return name + len;
}

static bool is_digit(const char *at, const char *from, const char *stop)
{
	return at >= from && at < stop && isdigit((unsigned char)*at);
}

/* Digits before a point, or behind one, with digits beyond it: "0.51". */
static bool is_of_decimal(const char *at, const char *name, const char *stop)
{
	const char *end = at + digits(at);

	return (end < stop && *end == '.' && is_digit(end + 1, name, stop)) ||
	       (at > name && at[-1] == '.' && is_digit(at - 2, name, stop));
}

/* The number behind the last "epoch", or else the last one that is no metric's,
 * or else the last one. */
static const char *number_that_counts(const char *name, const char *stop)
{
	const char *at, *last = NULL, *whole = NULL, *named = NULL;
	const size_t len = strlen(EPOCH);

	for (at = name; at < stop; at++) {
		const char *behind = at + len;

		if (strncasecmp(at, EPOCH, len) == 0) {
			behind += strspn(behind, "-_=. ");
			if (is_digit(behind, name, stop))
				named = behind;
		}
		if (!is_digit(at, name, stop) || is_digit(at - 1, name, stop))
			continue;
		last = at;
		if (!is_of_decimal(at, name, stop))
			whole = at;
	}
	return named ? named : whole ? whole : last;
}

static bool read_number(const char *name, size_t len,
			struct name_values *values)
{
	const char *last = number_that_counts(name, suffix_of(name, len));
	char text[20];
	size_t n;

	if (!last)
		return false;
	n = digits(last);
	if (n > (size_t)(name + len - last))
		n = (size_t)(name + len - last);
	if (n >= sizeof(text))
		return false;
	memcpy(text, last, n);
	text[n] = '\0';
	if (!text_to_i64(text, &values->epoch))
		return false;
	values->has_epoch = values->has_number = true;
	values->number = values->epoch;
	return true;
}

void name_guess(const char *path, struct name_values *values)
{
	size_t end = strlen(path);

	memset(values, 0, sizeof(*values));
	for (;;) {
		const char *slash = memrchr(path, '/', end);
		size_t start = slash ? (size_t)(slash - path) + 1 : 0;

		if (read_number(path + start, end - start, values) || !slash)
			return;
		end = start - 1;
	}
}
