#include "mapping/neutral_scan.h"

#include <string.h>

void neutral_misfit(struct scan *scan)
{
	if (!scan->problem)
		scan->problem = "it is no description of these tensors";
}

void neutral_text(struct scan *scan, struct arena *arena, const char **text)
{
	char *taken;
	size_t len;

	if (!scan_string(scan, arena, &taken, &len))
		return;
	if (strlen(taken) != len)
		neutral_misfit(scan);
	*text = taken;
}

int64_t neutral_number(struct scan *scan)
{
	int64_t number;

	return scan_signed(scan, &number) ? number : 0;
}

/* The key's place, or where the list ends. */
static unsigned find_field(const char *const *fields, const char *key)
{
	unsigned i;

	for (i = 0; fields[i]; i++)
		if (strcmp(fields[i], key) == 0)
			break;
	return i;
}

bool neutral_field(struct scan *scan, struct neutral_object *object,
		   unsigned *field)
{
	char key[SCAN_KEY_SIZE];
	bool first = !object->begun;

	object->begun = true;
	while (scan_more(scan, '}', &first)) {
		unsigned at;

		if (!scan_key(scan, key))
			return false;
		at = find_field(object->fields, key);
		if (!object->fields[at]) {
			scan_skip(scan);
			continue;
		}
		if (object->seen >> at & 1)
			neutral_misfit(scan);
		object->seen |= 1u << at;
		*field = at;
		return !scan->problem;
	}
	return false;
}
