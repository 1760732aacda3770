/* Alarms of a commit, as lines on stderr or as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli.h"

#define MAX_LINES 8 /* of a kind; the rest are counted */

int cli_take_alarms(struct cli *cli, struct wh_commit_options *options)
{
	struct wh_alarm_options *alarms = &options->alarms;
	const char *limit = cli_text(cli, "norm-limit");

	alarms->off = cli_flag(cli, "no-alarms");
	alarms->strict = cli_flag(cli, "strict");
	if (alarms->off && alarms->strict)
		return cli_usage(cli, "--strict and --no-alarms are opposites");
	if (cli_integer(cli, "stuck", &alarms->stuck) && !alarms->stuck)
		alarms->stuck = -1;
	if (limit &&
	    (!text_to_double(limit, &alarms->norm) || !(alarms->norm >= 0)))
		return cli_usage(cli, "--norm-limit: '%s' is no number", limit);
	if (limit && !(alarms->norm > 0))
		alarms->norm = -1;
	return EXIT_DONE;
}

static void add_json(struct commit_outcome *outcome,
		     const struct wh_alarm *alarm)
{
	if (!outcome->alarms)
		outcome->alarms = json_array();
	json_array_append_new(
		outcome->alarms,
		json_pack("{s:s,s:o,s:o,s:o,s:o}", "alarm",
			  wh_alarm_name(alarm->kind), "layer",
			  json_text(alarm->layer), "weight",
			  *alarm->weight ? json_text(alarm->weight)
					 : json_null(),
			  "value",
			  alarm->value > 0 ? number_json(alarm->value)
					   : json_null(),
			  "message", json_text(alarm->sentence)));
}

void cli_tell_alarm(void *arg, const struct wh_alarm *alarm)
{
	const struct alarm_teller *teller = arg;

	if (cli_json(teller->cli))
		add_json(teller->outcome, alarm);
	else if (teller->outcome->n_alarms[alarm->kind]++ < MAX_LINES)
		teller->warn(teller->arg, alarm->sentence);
}

void cli_tell_more_alarms(const struct alarm_teller *teller)
{
	const unsigned *n_alarms = teller->outcome->n_alarms;
	char sentence[80];
	int i;

	for (i = 0; i <= WH_ALARM_STUCK; i++) {
		if (n_alarms[i] <= MAX_LINES)
			continue;
		snprintf(sentence, sizeof(sentence), "%s of this kind: %s",
			 cli_count(n_alarms[i] - MAX_LINES, "more alarm"),
			 wh_alarm_name((enum wh_alarm_kind)i));
		teller->warn(teller->arg, sentence);
	}
}
