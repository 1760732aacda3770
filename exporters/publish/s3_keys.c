#include "publish/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"
#include "publish/home.h"

#define DEFAULT_REGION "us-east-1"

static char *trim(char *text)
{
	size_t len;

	while (ascii_is_space(*text))
		text++;
	len = strlen(text);
	while (len && ascii_is_space(text[len - 1]))
		text[--len] = '\0';
	return text;
}

struct finding {
	struct s3_keys *keys;
	bool has_keys; /* all of them, or what there is of them */
	bool no_memory;
};

static void set(struct finding *finding, char **slot, const char *value)
{
	if (*slot || !*value)
		return;
	*slot = strdup(value);
	finding->no_memory |= !*slot;
}

static void set_variable(struct finding *finding, char **slot, const char *name)
{
	const char *value = getenv(name);

	set(finding, slot, value ? value : "");
}

/* A pair, and the token of its session, come from one place: parts of two of
 * them don't fit. */
static void take_key(struct finding *finding, const char *name,
		     const char *value)
{
	struct s3_keys *keys = finding->keys;

	if (strcmp(name, "aws_access_key_id") == 0)
		set(finding, &keys->access, value);
	else if (strcmp(name, "aws_secret_access_key") == 0)
		set(finding, &keys->secret, value);
	else if (strcmp(name, "aws_session_token") == 0)
		set(finding, &keys->token, value);
}

static void take_line(struct finding *finding, char *line)
{
	struct s3_keys *keys = finding->keys;
	char *equals = strchr(line, '=');
	char *name, *value;

	if (!equals)
		return;
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	if (!finding->has_keys)
		take_key(finding, name, value);
	if (strcmp(name, "region") == 0)
		set(finding, &keys->region, value);
	else if (strcmp(name, "endpoint_url") == 0)
		set(finding, &keys->endpoint, value);
	else if (strcmp(name, "addressing_style") == 0) /* below "s3 =" */
		set(finding, &keys->style, value);
}

/* "[name]", in the config file "[profile name]". */
static bool is_section(char *line, const char *profile)
{
	char *end = strchr(line, ']'), *name;

	if (!end)
		return false;
	*end = '\0';
	name = trim(line + 1);
	if (strncmp(name, "profile ", 8) == 0)
		name = trim(name + 8);
	return strcmp(name, profile) == 0;
}

/* A file that isn't there says nothing. */
static void read_file(struct finding *finding, const char *path,
		      const char *profile)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t capacity = 0;
	bool ours = false;

	while (file && getline(&line, &capacity, file) >= 0) {
		char *text = trim(line);

		if (*text == '[')
			ours = is_section(text, profile);
		else if (ours && *text != '#' && *text != ';')
			take_line(finding, text);
	}
	free(line);
	if (file)
		fclose(file);
	finding->has_keys |= finding->keys->access || finding->keys->secret;
}

static void read_shared(struct finding *finding, const char *path_variable,
			const char *name, const char *profile)
{
	const char *given = getenv(path_variable);
	char *home wh_free_auto = home_folder();
	char *path wh_free_auto = NULL;

	if (given && *given) {
		read_file(finding, given, profile);
		return;
	}
	if (!home)
		return;
	if (asprintf(&path, "%s/.aws/%s", home, name) < 0) {
		path = NULL;
		finding->no_memory = true;
		return;
	}
	read_file(finding, path, profile);
}

static void read_environment(struct finding *finding)
{
	struct s3_keys *keys = finding->keys;

	set_variable(finding, &keys->access, "AWS_ACCESS_KEY_ID");
	set_variable(finding, &keys->secret, "AWS_SECRET_ACCESS_KEY");
	finding->has_keys = keys->access || keys->secret;
	if (finding->has_keys)
		set_variable(finding, &keys->token, "AWS_SESSION_TOKEN");
	set_variable(finding, &keys->region, "AWS_REGION");
	set_variable(finding, &keys->region, "AWS_DEFAULT_REGION");
	set_variable(finding, &keys->endpoint, "AWS_ENDPOINT_URL_S3");
	set_variable(finding, &keys->endpoint, "AWS_ENDPOINT_URL");
}

enum wh_status s3_keys_find(struct s3_keys *keys, struct wh_error *err)
{
	struct finding finding = {.keys = keys};
	const char *profile = getenv("AWS_PROFILE");

	memset(keys, 0, sizeof(*keys));
	profile = profile && *profile ? profile : "default";
	read_environment(&finding);
	read_shared(&finding, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
		    profile);
	read_shared(&finding, "AWS_CONFIG_FILE", "config", profile);
	set(&finding, &keys->region, DEFAULT_REGION);
	if (finding.no_memory)
		return wh_fail_memory(err);
	if (!keys->access != !keys->secret)
		return wh_fail(err, WH_EINVAL,
			       "of the two keys of AWS one is missing");
	return WH_OK;
}

static void forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void s3_keys_free(struct s3_keys *keys)
{
	forget(keys->access);
	forget(keys->secret);
	forget(keys->token);
	free(keys->region);
	free(keys->endpoint);
	free(keys->style);
	memset(keys, 0, sizeof(*keys));
}
