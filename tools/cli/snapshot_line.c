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
	char line[128];

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(s->message, "\n"),
		 s->message);
	if (*line)
		printf("  %s", cli_escape(line));
}
