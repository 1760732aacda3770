/* remote: names for places, kept in the store's settings. Tokens are not: a
 * remote says which variable or file holds one. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/error.h"
#include "place_options.h"

/* In the order of struct remote's members. */
static const char *const keys[] = {"url",	"profile",    "endpoint",
				   "token-env", "token-file", "protect"};
#define N_KEYS	  (sizeof(keys) / sizeof(keys[0]))
#define MAX_NAME  (REMOTE_NAME_SIZE - 1)
#define KEY_SIZE  (MAX_NAME + 32)
#define NAME_SIZE REMOTE_NAME_SIZE

static void key_of(const char *name, const char *key, char text[KEY_SIZE])
{
	snprintf(text, KEY_SIZE, "remote.%s.%s", name, key);
}

/* The length of a name that `text` begins with: "lab" of "lab:resnet". */
static size_t name_length(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";
	size_t len = strspn(text, allowed);

	return len <= MAX_NAME ? len : 0;
}

bool remote_is_name(const char *text)
{
	size_t len = name_length(text);

	return len && text[len] == '\0';
}

bool remote_is_path(const char *text)
{
	size_t len = name_length(text);

	return len && (text[len] == '\0' || text[len] == ':');
}

/* "https://host/models" and "resnet": what is below it. */
static enum wh_status go_down(struct remote *remote, const char *below,
			      struct wh_error *err)
{
	size_t len = strlen(remote->url);
	char *whole;

	while (len && remote->url[len - 1] == '/')
		len--;
	if (!*below)
		return WH_OK;
	if (asprintf(&whole, "%.*s/%s", (int)len, remote->url, below) < 0)
		return wh_fail_memory(err);
	free(remote->url);
	remote->url = whole;
	return WH_OK;
}

void remote_free(struct remote *remote)
{
	free(remote->url);
	free(remote->profile);
	free(remote->endpoint);
	free(remote->token_env);
	free(remote->token_file);
	free(remote->protect);
	memset(remote, 0, sizeof(*remote));
}

enum wh_status remote_load(struct cli *cli, const char *text,
			   struct remote *remote)
{
	char **members[N_KEYS] = {&remote->url,	       &remote->profile,
				  &remote->endpoint,   &remote->token_env,
				  &remote->token_file, &remote->protect};
	size_t i, len = name_length(text);
	char key[KEY_SIZE], id[WH_ID_SIZE];

	if (wh_is_place(text)) {
		remote->url = strdup(text);
		return remote->url ? WH_OK : wh_fail_memory(&cli->err);
	}
	snprintf(remote->name, sizeof(remote->name), "%.*s", (int)len, text);
	for (i = 0; remote_is_path(text) && i < N_KEYS; i++) {
		key_of(remote->name, keys[i], key);
		WH_TRY(wh_config_get(cli->store, key, members[i], &cli->err));
	}
	if (!remote->url) {
		if (wh_revision_parse(cli->store, text, id, NULL) == WH_OK)
			snprintf(cli->hint, sizeof(cli->hint),
				 "it is a revision; a remote's name or a URL "
				 "says where");
		return wh_fail(&cli->err, WH_ENOTFOUND,
			       "there is no remote '%s'", text);
	}
	return text[len] ? go_down(remote, text + len + 1, &cli->err) : WH_OK;
}

int remote_find(struct cli *cli, const char *name, struct remote *remote)
{
	if (!remote_load(cli, name, remote))
		return EXIT_DONE;
	cli_hint_at_path(cli, name);
	return cli_fail(cli);
}

/* ---- Listing --------------------------------------------------------------
 */

struct listing {
	struct cli *cli;
	char name[NAME_SIZE];
	int code;
};

static json_t *text_or_null(const char *text)
{
	return text ? json_text(text) : json_null();
}

static int print_remote(struct cli *cli, const char *name)
{
	struct remote remote = {0};
	int code = remote_find(cli, name, &remote);

	if (!code && cli_json(cli))
		cli_print_json(
			json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name",
				  json_text(name), "url", json_text(remote.url),
				  "profile", text_or_null(remote.profile),
				  "endpoint", text_or_null(remote.endpoint),
				  "token_env", text_or_null(remote.token_env),
				  "token_file", text_or_null(remote.token_file),
				  "protect", text_or_null(remote.protect)));
	else if (!code)
		printf("%-16s %s\n", name, cli_escape(remote.url));
	remote_free(&remote);
	return code;
}

/* Of the keys of one remote only its URL is a row of the list. */
static int note_name(void *arg, const char *key, const char *value)
{
	json_t *names = arg;
	const char *end = strrchr(key, '.');

	(void)value;
	if (strncmp(key, "remote.", 7) == 0 && strcmp(end, ".url") == 0)
		json_array_append_new(
			names, json_stringn(key + 7, (size_t)(end - key - 7)));
	return 0;
}

static int list_remotes(struct cli *cli)
{
	json_t *names = json_array(), *name;
	int code = cli_open(cli, WH_OPEN_READ);
	size_t i;

	if (!code && wh_config_list(cli->store, note_name, names, &cli->err))
		code = cli_fail(cli);
	json_array_foreach(names, i, name)
	{
		if (!code)
			code = print_remote(cli, json_string_value(name));
	}
	json_decref(names);
	return code;
}

/* ---- Changing -------------------------------------------------------------
 */

/* The part of `value` that is a path, if that depends on the folder. */
static const char *relative_path(const char *key, const char *value)
{
	const char *dot = strrchr(key, '.'), *path = value;

	if (!dot)
		return NULL;
	if (strcmp(dot, ".url") == 0) {
		if (strncasecmp(value, "file:", 5) != 0)
			return NULL;
		path += strncmp(value + 5, "//", 2) == 0 ? 7 : 5;
	} else if (strcmp(dot, ".token-file") != 0) {
		return NULL;
	}
	return *path == '/' ? NULL : path;
}

char *remote_kept(const char *key, const char *value)
{
	const char *path = relative_path(key, value);
	char *folder wh_free_auto = path ? getcwd(NULL, 0) : NULL;
	char *kept;

	if (!path)
		return strdup(value);
	if (!folder ||
	    asprintf(&kept, "%s%s/%s", path == value ? "" : "file:", folder,
		     path) < 0)
		return NULL;
	return kept;
}

static int set(struct cli *cli, const char *name, const char *key,
	       const char *value)
{
	char whole[KEY_SIZE], *kept wh_free_auto = NULL;

	key_of(name, key, whole);
	if (value) {
		kept = remote_kept(whole, value);
		if (!kept)
			return cli_no_memory(cli);
	}
	if (wh_config_set(cli->store, whole, kept, &cli->err))
		return cli_fail(cli);
	if (kept && strcmp(key, "url") == 0)
		cli_say(cli, "%s is %s", name, cli_escape(kept));
	return EXIT_DONE;
}

/* Before it is kept: "https://user:password@host/". */
static bool has_login(const char *url)
{
	const char *host = strstr(url, "://");

	return host && memchr(host + 3, '@', strcspn(host + 3, "/?#"));
}

static int add_remote(struct cli *cli, const char *name, const char *url)
{
	int code = cli_open(cli, WH_OPEN_WRITE);
	size_t i;

	if (code)
		return code;
	if (!remote_is_name(name))
		return cli_usage(cli,
				 "'%s' can't name a remote: letters, digits, "
				 "'-' and '_' can",
				 name);
	if (!wh_is_place(url))
		return cli_usage(cli, "'%s' is no URL of a place", url);
	if (has_login(url))
		return cli_usage(cli, "a remote's URL carries no login: "
				      "--token-env or --token-file names one");
	/* The URL last: without one there is no remote. */
	for (i = N_KEYS - 1; i > 0 && !code; i--)
		code = set(cli, name, keys[i], cli_text(cli, keys[i]));
	if (!code)
		code = set(cli, name, "url", url);
	return code;
}

static int remove_remote(struct cli *cli, const char *name)
{
	struct remote remote = {0};
	int code = cli_open(cli, WH_OPEN_WRITE);
	size_t i;

	if (!code)
		code = remote_find(cli, name, &remote);
	for (i = 0; i < N_KEYS && !code; i++)
		code = set(cli, name, keys[i], NULL);
	if (!code)
		cli_say(cli, "%s is gone", name);
	remote_free(&remote);
	return code;
}

int cmd_remote(struct cli *cli)
{
	const char *what = cli->n_args ? cli->args[0] : "ls";

	if (strcmp(what, "ls") == 0 && cli->n_args <= 1)
		return list_remotes(cli);
	if (strcmp(what, "ls") == 0 && cli->n_args == 2)
		return cli_list_aliases(cli, cli->args[1]);
	if (strcmp(what, "add") == 0 && cli->n_args == 3)
		return add_remote(cli, cli->args[1], cli->args[2]);
	if (strcmp(what, "rm") == 0 && cli->n_args == 2)
		return remove_remote(cli, cli->args[1]);
	if (strcmp(what, "test") == 0 && cli->n_args == 2)
		return cli_test_place(cli, cli->args[1]);
	return cli_usage(cli, "'wh remote' takes nothing, 'ls NAME', "
			      "'add NAME URL', 'rm NAME' or 'test NAME'");
}
