#include "base/json_python.h"

#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/json_put.h"

/* The length of what stands for no number; 0 if it is something else. */
static size_t odd_number(const char *text, size_t size)
{
	static const char *const words[] = {"NaN", "Infinity"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if (len <= size && memcmp(text, words[i], len) == 0)
			return len;
	}
	return 0;
}

/* In their place 0, so that lines and columns stay. */
static void replace_odd_numbers(char *text, size_t size)
{
	bool in_string = false;
	size_t i, len;

	for (i = 0; i < size; i++) {
		if (text[i] == '"') {
			in_string = !in_string;
		} else if (in_string) {
			i += text[i] == '\\';
		} else if ((len = odd_number(text + i, size - i))) {
			memset(text + i, ' ', len);
			text[i] = '0';
		}
	}
}

json_t *json_from_python(const char *text, size_t size, json_error_t *why)
{
	char *copy wh_free_auto = malloc(size + 1);

	if (!copy) {
		/* As jansson says it: json_error_code(why). */
		why->text[sizeof(why->text) - 1] = json_error_out_of_memory;
		return NULL;
	}
	memcpy(copy, text, size);
	replace_odd_numbers(copy, size);
	return json_of_text(copy, size,
			    JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, why);
}
