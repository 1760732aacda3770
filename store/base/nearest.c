#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

#define MAX_TYPOS    3
#define BYTES_A_TYPO 4
#define MIN_PART     3 /* bytes of a part that is taken for the name */

void nearest_begin(struct nearest *nearest, const char *wanted)
{
	size_t len = strlen(wanted), typos = 1 + len / BYTES_A_TYPO;

	if (typos > MAX_TYPOS)
		typos = MAX_TYPOS;
	if (typos >= len)
		typos = len ? len - 1 : 0;
	nearest->wanted = wanted;
	nearest->distance = 1 + (unsigned)typos;
	nearest->name[0] = '\0';
}

/* Whether `part` stands between dashes, or a dash and an end, of `name`. */
static bool is_part(const char *name, const char *part)
{
	size_t len = strlen(part);
	const char *at;

	if (len < MIN_PART)
		return false;
	for (at = name; (at = strstr(at, part)); at++)
		if ((at == name || at[-1] == '-') &&
		    (at[len] == '-' || !at[len]))
			return true;
	return false;
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	unsigned limit = nearest->distance - 1;
	size_t len = strlen(known), wanted = strlen(nearest->wanted);
	unsigned distance;

	if (!nearest->distance || len >= NEAREST_SIZE)
		return;
	if (limit && is_part(known, nearest->wanted))
		distance = 1;
	else if ((len > wanted ? len - wanted : wanted - len) > limit)
		return;
	else
		distance = text_distance(known, nearest->wanted, limit);
	if (distance > limit)
		return;
	nearest->distance = distance;
	memcpy(nearest->name, known, len + 1);
}
