#include "publish/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strdup(value) : NULL;
}

enum wh_status credentials_read_file(const char *path, char **line,
				     struct wh_error *err)
{
	FILE *file = fopen(path, "re");
	size_t capacity = 0;
	ssize_t len;

	if (!file)
		return wh_fail_errno(err, errno, "'%s'", path);
	*line = NULL;
	len = getline(line, &capacity, file);
	fclose(file);
	if (len < 0) {
		free(*line);
		return wh_fail(err, WH_EINVAL, "'%s' holds no token", path);
	}
	(*line)[strcspn(*line, "\r\n")] = '\0';
	return WH_OK;
}

static char *header_from(const char *name, const char *variable)
{
	char *value wh_free_auto = from_environment(variable);
	char *line = NULL;

	return value && asprintf(&line, "%s: %s", name, value) >= 0 ? line
								    : NULL;
}

static void find_by_profile(const char *profile,
			    struct credentials *credentials)
{
	if (strcmp(profile, "gitlab") == 0) {
		credentials->header =
			header_from("PRIVATE-TOKEN", "GITLAB_TOKEN");
		if (!credentials->header)
			credentials->header =
				header_from("JOB-TOKEN", "CI_JOB_TOKEN");
	} else if (strcmp(profile, "mlflow") == 0) {
		credentials->bearer = from_environment("MLFLOW_TRACKING_TOKEN");
		credentials->username =
			from_environment("MLFLOW_TRACKING_USERNAME");
		credentials->password =
			from_environment("MLFLOW_TRACKING_PASSWORD");
	} else if (strcmp(profile, "artifactory") == 0) {
		credentials->bearer = from_environment("WH_ARTIFACTORY_TOKEN");
	}
}

enum wh_status credentials_find(const char *profile,
				struct credentials *credentials,
				struct wh_error *err)
{
	const char *file = getenv("WH_HTTP_TOKEN_FILE");

	memset(credentials, 0, sizeof(*credentials));
	find_by_profile(profile, credentials);
	if (credentials->header || credentials->bearer || credentials->username)
		return WH_OK;
	credentials->bearer = from_environment("WH_HTTP_TOKEN");
	if (!credentials->bearer && file && *file) {
		credentials->token_file = strdup(file);
		if (!credentials->token_file)
			return wh_fail_memory(err);
		return credentials_read_file(file, &credentials->bearer, err);
	}
	if (credentials->bearer)
		return WH_OK;
	credentials->username = from_environment("WH_HTTP_USER");
	credentials->password = from_environment("WH_HTTP_PASSWORD");
	return WH_OK;
}

static enum wh_status take_token(const char *profile, char **token,
				 struct credentials *credentials,
				 struct wh_error *err)
{
	if (strcmp(profile, "gitlab") != 0) {
		credentials->bearer = wh_steal(token);
		return WH_OK;
	}
	if (asprintf(&credentials->header, "PRIVATE-TOKEN: %s", *token) < 0) {
		credentials->header = NULL;
		return wh_fail_memory(err);
	}
	return WH_OK;
}

enum wh_status credentials_of(const char *profile,
			      const struct place_settings *settings,
			      struct credentials *credentials,
			      struct wh_error *err)
{
	char *token wh_free_auto = NULL;

	if (!settings->token_env && !settings->token_file)
		return credentials_find(profile, credentials, err);
	memset(credentials, 0, sizeof(*credentials));
	if (settings->token_env) {
		token = from_environment(settings->token_env);
		if (!token)
			return wh_fail(err, WH_EINVAL,
				       "the variable %s holds no token",
				       settings->token_env);
		return take_token(profile, &token, credentials, err);
	}
	WH_TRY(credentials_read_file(settings->token_file, &token, err));
	WH_TRY(take_token(profile, &token, credentials, err));
	if (!credentials->bearer)
		return WH_OK;
	credentials->token_file = strdup(settings->token_file);
	return credentials->token_file ? WH_OK : wh_fail_memory(err);
}

static void forget(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void credentials_free(struct credentials *credentials)
{
	forget(&credentials->username);
	forget(&credentials->password);
	forget(&credentials->bearer);
	forget(&credentials->header);
	forget(&credentials->token_file);
	forget(&credentials->identity);
}

char *base64_encode(const void *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = bytes;
	char *out = malloc((len + 2) / 3 * 4 + 1), *at = out;
	size_t i;

	for (i = 0; out && i < len; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			three |= in[i + 2];
		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[three & 63] : '=';
	}
	if (out)
		*at = '\0';
	return out;
}

/* Sent with the first request: asking first would cost a body. */
static enum wh_status add_basic(const struct credentials *credentials,
				struct http_headers *headers,
				struct wh_error *err)
{
	char *pair wh_free_auto = NULL;
	char *encoded wh_free_auto = NULL;

	if (asprintf(&pair, "%s:%s", credentials->username,
		     credentials->password ? credentials->password : "") < 0) {
		pair = NULL;
		return wh_fail_memory(err);
	}
	encoded = base64_encode(pair, strlen(pair));
	if (!encoded)
		return wh_fail_memory(err);
	return http_add_header(headers, err, "Authorization: Basic %s",
			       encoded);
}

static enum wh_status add_token_file(const struct credentials *credentials,
				     struct http_headers *headers,
				     struct wh_error *err)
{
	char *token wh_free_auto = NULL;
	enum wh_status status;

	WH_TRY(credentials_read_file(credentials->token_file, &token, err));
	status = http_add_header(headers, err, "Authorization: Bearer %s",
				 token);
	explicit_bzero(token, strlen(token));
	return status;
}

enum wh_status credentials_add(const struct credentials *credentials,
			       struct http_headers *headers,
			       struct wh_error *err)
{
	if (credentials->header)
		return http_add_header(headers, err, "%s", credentials->header);
	if (credentials->token_file)
		return add_token_file(credentials, headers, err);
	if (credentials->bearer)
		return http_add_header(headers, err, "Authorization: Bearer %s",
				       credentials->bearer);
	if (credentials->username)
		return add_basic(credentials, headers, err);
	return WH_OK;
}
