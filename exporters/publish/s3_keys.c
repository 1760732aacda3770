#include "publish/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "publish/home.h"

#define DEFAULT_REGION "us-east-1"

static char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strdup(value) : NULL;
}

static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static void set(char **slot, const char *value)
{
	if (!*slot && *value)
		*slot = strdup(value);
}

static void take_line(struct s3_keys *keys, char *line)
{
	char *equals = strchr(line, '=');
	char *name, *value;

	if (!equals)
		return;
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	if (strcmp(name, "aws_access_key_id") == 0)
		set(&keys->access, value);
	else if (strcmp(name, "aws_secret_access_key") == 0)
		set(&keys->secret, value);
	else if (strcmp(name, "aws_session_token") == 0)
		set(&keys->token, value);
	else if (strcmp(name, "region") == 0)
		set(&keys->region, value);
	else if (strcmp(name, "endpoint_url") == 0)
		set(&keys->endpoint, value);
	else if (strcmp(name, "addressing_style") == 0) /* below "s3 =" */
		set(&keys->style, value);
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
static void read_file(struct s3_keys *keys, const char *path,
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
			take_line(keys, text);
	}
	free(line);
	if (file)
		fclose(file);
}

static void read_shared(struct s3_keys *keys, const char *path_variable,
			const char *name, const char *profile)
{
	char *home wh_free_auto = home_folder();
	char *path wh_free_auto = variable(path_variable);

	if (!path && home && asprintf(&path, "%s/.aws/%s", home, name) < 0)
		path = NULL;
	if (path)
		read_file(keys, path, profile);
}

enum wh_status s3_keys_find(struct s3_keys *keys, struct wh_error *err)
{
	char *profile wh_free_auto = variable("AWS_PROFILE");

	memset(keys, 0, sizeof(*keys));
	keys->access = variable("AWS_ACCESS_KEY_ID");
	keys->secret = variable("AWS_SECRET_ACCESS_KEY");
	keys->token = variable("AWS_SESSION_TOKEN");
	keys->region = variable("AWS_REGION");
	if (!keys->region)
		keys->region = variable("AWS_DEFAULT_REGION");
	keys->endpoint = variable("AWS_ENDPOINT_URL_S3");
	if (!keys->endpoint)
		keys->endpoint = variable("AWS_ENDPOINT_URL");
	/* A token belongs to the keys that it came with. */
	if (keys->access && !keys->token)
		keys->token = strdup("");
	read_shared(keys, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
		    profile ? profile : "default");
	read_shared(keys, "AWS_CONFIG_FILE", "config",
		    profile ? profile : "default");
	if (keys->token && !*keys->token) {
		free(keys->token);
		keys->token = NULL;
	}
	if (!keys->region)
		keys->region = strdup(DEFAULT_REGION);
	if (!keys->region)
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
