/* What of a snapshot's line several verbs print. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

void snapshot_put_step(const struct wh_snapshot *s)
{
	if (s->has_epoch)
		printf("  epoch %" PRId64, s->epoch);
	if (s->has_step && !(s->has_epoch && s->epoch == s->step))
		printf("  step %" PRId64, s->step);
}

void snapshot_put_message(const struct wh_snapshot *s)
{
	size_t len = strcspn(s->message, "\n");
	char line[128];

	/* Cut before a character, not within it. */
	if (len >= sizeof(line)) {
		len = sizeof(line) - 1;
		while (len && ((unsigned char)s->message[len] & 0xc0) == 0x80)
			len--;
	}
	snprintf(line, sizeof(line), "%.*s", (int)len, s->message);
	if (*line)
		printf("  %s", cli_escape(line));
}
