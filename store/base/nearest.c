#include "base/nearest.h"

#include <string.h>

#include "base/text.h"

#define MAX_TYPOS    3
#define BYTES_A_TYPO 4

void nearest_begin(struct nearest *nearest, const char *wanted)
{
	size_t typos = 1 + strlen(wanted) / BYTES_A_TYPO;

	nearest->wanted = wanted;
	nearest->distance =
		1 + (typos < MAX_TYPOS ? (unsigned)typos : MAX_TYPOS);
	nearest->name[0] = '\0';
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	unsigned limit = nearest->distance - 1;
	size_t len = strlen(known), wanted = strlen(nearest->wanted);
	unsigned distance;

	if (!nearest->distance || len >= NEAREST_SIZE ||
	    (len > wanted ? len - wanted : wanted - len) > limit)
		return;
	distance = text_distance(known, nearest->wanted, limit);
	if (distance > limit)
		return;
	nearest->distance = distance;
	memcpy(nearest->name, known, len + 1);
}
