/* base/json_put.h: JSON that is whole, or none.
 *
 * Where memory runs out while something is put into an object or an array, all
 * of it goes, and it becomes NULL; what holds it then becomes NULL in the same
 * way, and printing that says so. So nobody has to ask after each field.
 */
#ifndef WH_BASE_JSON_PUT_H
#define WH_BASE_JSON_PUT_H

#include <stddef.h>

#include <jansson.h>

/** Takes `value`, whatever comes of it. */
static inline void json_put(json_t **object, const char *key, json_t *value)
{
	if (json_object_set_new(*object, key, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

/** The same at the end of an array. */
static inline void json_add(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

/** As json_dumps, which leaves a key out, and goes on, if there was no memory
 *  for it alone (jansson 2.14). NULL for NULL, too; the caller frees it. */
char *json_to_text(const json_t *value, size_t flags);

/** As json_loadb, which asks the locale for its decimal point, and takes one
 *  byte of it (jansson 2.14). */
json_t *json_of_text(const char *text, size_t size, size_t flags,
		     json_error_t *why);

#endif
