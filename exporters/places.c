/* Places as callers name them, and what they can do. */
#include "publishing.h"

#include <string.h>

#include "base/ascii.h"
#include "publish/alias_list.h"
#include "publish/probe.h"

bool wh_is_place(const char *text)
{
	return place_is_url(text);
}

/* Points into the URL: nothing has to be freed. */
const char *wh_place_alias(const char *url, const char *alias)
{
	const char *host = strstr(url, "://"), *slash, *colon;

	if (alias && strcmp(alias, "latest") != 0)
		return alias;
	slash = host ? strchr(host + 3, '/') : NULL;
	colon = slash ? strchr(slash, ':') : NULL;
	if (colon && ascii_same(url, "oci", 3))
		return colon + 1;
	return "latest";
}

struct place_settings place_settings_of(const char *url,
					const struct wh_place_options *options)
{
	return (struct place_settings){
		.url = url,
		.profile = options->profile,
		.endpoint = options->endpoint,
		.token_env = options->token_env,
		.token_file = options->token_file,
		.parallel = options->parallel,
		.go_on = options->go_on,
		.go_on_arg = options->go_on_arg,
		.http = {.ca_file = options->ca_file,
			 .cert_file = options->cert_file,
			 .key_file = options->key_file,
			 .proxy = options->proxy,
			 .allow_http = options->allow_http,
			 .limit_rate = options->limit_rate,
			 .max_tries = options->max_tries,
			 .stall_seconds = options->stall_seconds,
			 .reply_seconds = options->reply_seconds},
	};
}

/* ---- What it can do -------------------------------------------------------
 */

struct telling {
	wh_place_test_fn *fn;
	void *arg;
};

static void tell(void *arg, const char *check, enum probe_answer answer,
		 const char *detail)
{
	const struct telling *telling = arg;

	telling->fn(telling->arg, check,
		    answer == PROBE_UNTRIED ? -1 : answer == PROBE_YES, detail);
}

enum wh_status wh_place_test(const char *url,
			     const struct wh_place_options *options,
			     wh_place_test_fn *fn, void *arg,
			     struct wh_error *err)
{
	static const struct wh_place_options defaults;
	struct place_settings settings =
		place_settings_of(url, options ? options : &defaults);
	struct telling telling = {fn, arg};
	struct place *place;
	enum wh_status status;

	WH_TRY(place_open(&settings, &place, err));
	status = probe_run(place, tell, &telling, err);
	place_close(place);
	return status;
}

/* ---- Its aliases ----------------------------------------------------------
 */

static void tell_aliases(const struct alias_list *list,
			 const struct wh_alias_options *options)
{
	size_t i;

	if (list->unlisted.status && options->warn)
		options->warn(options->arg, list->unlisted.message);
	for (i = 0; i < list->n && options->told; i++) {
		const struct place_alias *alias = &list->aliases[i];
		const struct pointer *pointer = &alias->pointer;
		struct wh_place_alias told = {.alias = alias->name};

		if (alias->is_ours) {
			told.snapshot = pointer->snapshot;
			told.time = *pointer->time ? pointer->time : NULL;
		}
		if (options->told(options->arg, &told))
			break;
	}
}

enum wh_status wh_place_aliases(const char *url,
				const struct wh_alias_options *options,
				struct wh_error *err)
{
	struct place_settings settings =
		place_settings_of(url, &options->place);
	struct alias_list list = {0};
	enum wh_status status;
	struct place *place;

	WH_TRY(place_open(&settings, &place, err));
	status = alias_list_read(place, options->known, &list, err);
	if (!status)
		tell_aliases(&list, options);
	alias_list_free(&list);
	place_close(place);
	return status;
}
