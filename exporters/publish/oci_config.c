/* Logins of registries, where docker login and podman login keep them:
 *
 *	{"auths": {"registry:5000": {"auth": base64("user:password")}}}
 *
 * Programs that keep credentials (credsStore, credHelpers) are not asked.
 */
#include "publish/oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/c_locale.h"
#include "publish/home.h"

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* malloc'd text; NULL if it is no base64. */
static char *base64_decode(const char *text)
{
	char *out = malloc(strlen(text) + 1), *at = out;
	uint32_t bits = 0;
	int n = 0;

	for (; out && *text && *text != '='; text++) {
		int digit = digit_of(*text);

		if (digit < 0) {
			free(out);
			return NULL;
		}
		bits = bits << 6 | (uint32_t)digit;
		n += 6;
		if (n >= 8) {
			n -= 8;
			*at++ = (char)(bits >> n);
		}
	}
	if (out)
		*at = '\0';
	return out;
}

static void take_pair(const char *encoded, struct credentials *credentials)
{
	char *pair = base64_decode(encoded);
	char *colon = pair ? strchr(pair, ':') : NULL;

	if (colon) {
		credentials->username = strndup(pair, (size_t)(colon - pair));
		credentials->password = strdup(colon + 1);
	}
	if (pair)
		explicit_bzero(pair, strlen(pair));
	free(pair);
}

static bool take_entry(json_t *root, const char *host,
		       struct credentials *credentials)
{
	json_t *entry = json_object_get(json_object_get(root, "auths"), host);
	const char *auth = json_string_value(json_object_get(entry, "auth"));
	const char *user =
		json_string_value(json_object_get(entry, "username"));
	const char *password =
		json_string_value(json_object_get(entry, "password"));

	if (auth && *auth) {
		take_pair(auth, credentials);
	} else if (user && password) {
		credentials->username = strdup(user);
		credentials->password = strdup(password);
	}
	return credentials->username != NULL;
}

static enum wh_status read_config(const char *path, const char *host,
				  struct credentials *credentials, bool *found,
				  struct wh_error *err)
{
	USE_C_LOCALE;
	json_error_t error;
	json_t *root;

	*found = false;
	if (access(path, R_OK))
		return WH_OK;
	root = json_load_file(path, 0, &error);
	if (!root)
		return wh_fail(err, WH_EINVAL, "'%s', line %d: %s", path,
			       error.line, error.text);
	*found = take_entry(root, host, credentials);
	json_decref(root);
	return WH_OK;
}

enum wh_status oci_login_find(const char *host, struct credentials *credentials,
			      struct wh_error *err)
{
	/* In the order in which the tools look; "%s" is the variable. */
	static const struct {
		const char *variable, *format;
	} places[] = {
		{"REGISTRY_AUTH_FILE", "%s"},
		{"DOCKER_CONFIG", "%s/config.json"},
		{"XDG_RUNTIME_DIR", "%s/containers/auth.json"},
		{"XDG_CONFIG_HOME", "%s/containers/auth.json"},
		{"HOME", "%s/.config/containers/auth.json"},
		{"HOME", "%s/.docker/config.json"},
	};
	char *home wh_free_auto = home_folder();
	bool found = false;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]) && !found; i++) {
		bool is_home = strcmp(places[i].variable, "HOME") == 0;
		const char *value = is_home ? home : getenv(places[i].variable);
		const char *rest = places[i].format + 2;
		char *path wh_free_auto = NULL;

		if (!value || !*value)
			continue;
		if (asprintf(&path, "%s%s", value, rest) < 0) {
			path = NULL;
			return wh_fail_memory(err);
		}
		WH_TRY(read_config(path, host, credentials, &found, err));
	}
	return WH_OK;
}
