#include "place_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* "500K", "20M": bytes per second, in powers of 1024 as curl's. */
static bool parse_rate(const char *text, uint64_t *rate)
{
	static const char units[] = "KMG";
	size_t len = strlen(text);
	const char *unit = len ? strchr(units, text[len - 1]) : NULL;
	char number[32];

	if (!len || len >= sizeof(number))
		return false;
	memcpy(number, text, len + 1);
	if (unit)
		number[len - 1] = '\0';
	if (!text_to_u64(number, rate) || *rate == 0)
		return false;
	if (unit)
		*rate <<= 10 * (unsigned)(unit - units + 1);
	return true;
}

static unsigned small_integer(const struct cli *cli, const char *name)
{
	int64_t value;

	return cli_integer(cli, name, &value) && value > 0 && value < 100000
		       ? (unsigned)value
		       : 0;
}

static bool not_interrupted(void *arg)
{
	(void)arg;
	return !cli_interrupted();
}

void place_options_of(const struct remote *remote,
		      struct wh_place_options *options)
{
	memset(options, 0, sizeof(*options));
	options->go_on = not_interrupted;
	options->profile = remote->profile;
	options->endpoint = remote->endpoint;
	options->token_env = remote->token_env;
	options->token_file = remote->token_file;
}

int place_options_fill(struct cli *cli, const struct remote *remote,
		       struct wh_place_options *options)
{
	const char *rate = cli_text(cli, "limit-rate");

	place_options_of(remote, options);
	if (cli_flag(cli, "profile"))
		options->profile = cli_text(cli, "profile");
	if (cli_flag(cli, "endpoint"))
		options->endpoint = cli_text(cli, "endpoint");
	options->ca_file = cli_text(cli, "ca-file");
	options->cert_file = cli_text(cli, "cert");
	options->key_file = cli_text(cli, "key");
	options->proxy = cli_text(cli, "proxy");
	options->allow_http = cli_flag(cli, "allow-http");
	options->parallel = small_integer(cli, "parallel");
	options->max_tries = small_integer(cli, "tries");
	options->stall_seconds = small_integer(cli, "stall-time");
	options->reply_seconds = small_integer(cli, "reply-time");
	if (rate && !parse_rate(rate, &options->limit_rate))
		return cli_usage(cli,
				 "--limit-rate is bytes per second, as "
				 "'500K' or '20M', not '%s'",
				 rate);
	return EXIT_DONE;
}

int cut_words(char *text, const char **words)
{
	char *rest = text, *word;
	int n = 0;

	while ((word = strsep(&rest, ",")))
		if (*word && n < MAX_WORDS - 1)
			words[n++] = word;
	words[n] = NULL;
	return n;
}

int split_words(struct cli *cli, char *text, const char **words)
{
	return cut_words(text, words)
		       ? EXIT_DONE
		       : cli_usage(cli, "an empty list where words are wanted");
}

enum wh_status protected_load(struct cli *cli, const struct remote *remote,
			      struct protected_aliases *aliases)
{
	int n = 0;

	memset(aliases, 0, sizeof(*aliases));
	WH_TRY(wh_config_get(cli->store, "protected-aliases",
			     &aliases->texts[0], &cli->err));
	if (remote->protect) {
		aliases->texts[1] = strdup(remote->protect);
		if (!aliases->texts[1])
			return wh_fail_memory(&cli->err);
	}
	if (aliases->texts[0])
		n = cut_words(aliases->texts[0], aliases->words);
	if (aliases->texts[1])
		cut_words(aliases->texts[1], aliases->words + n);
	return WH_OK;
}

void protected_free(struct protected_aliases *aliases)
{
	free(aliases->texts[0]);
	free(aliases->texts[1]);
}
