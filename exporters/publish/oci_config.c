/* Logins of registries, where docker login and podman login keep them:
 *
 *	{"auths": {"registry:5000": {"auth": base64("user:password")},
 *		   "registry:5000/team": {"auth": ...},
 *		   "other": {"auth": ..., "identitytoken": "..."}},
 *	 "credHelpers": {"another": "NAME"}, "credsStore": "NAME"}
 *
 * In a file a registry's credHelpers comes first, then credsStore, which stand
 * for programs (oci_helper.c), then auths, as in Docker's client; of auths the
 * longest key that begins the repository, as in containers-auth.json(5).
 */
#include "publish/oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/c_locale.h"
#include "base/json_put.h"
#include "base/text.h"
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

/* ---- auths ----------------------------------------------------------------
 */

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : NULL;
}

static bool take_entry(json_t *entry, struct credentials *credentials)
{
	const char *auth = text_of(entry, "auth");
	const char *user = text_of(entry, "username");
	const char *password = text_of(entry, "password");
	const char *identity = text_of(entry, "identitytoken");

	if (auth) {
		take_pair(auth, credentials);
	} else if (user && password) {
		credentials->username = strdup(user);
		credentials->password = strdup(password);
	}
	if (identity)
		credentials->identity = strdup(identity);
	return credentials->username || credentials->identity;
}

/* Docker Hub has three names, and a login there a fourth. */
static const char *one_name(const char *host)
{
	return strcmp(host, "docker.io") == 0 ||
			       strcmp(host, "registry-1.docker.io") == 0
		       ? "index.docker.io"
		       : host;
}

/* Keys may be URLs, which older clients wrote. */
static bool is_of_host(const char *key, const char *host)
{
	const char *start = strstr(key, "://");
	char name[256];

	if (!text_starts(key, "http://") && !text_starts(key, "https://"))
		return strcmp(one_name(key), one_name(host)) == 0;
	start += strlen("://");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(start, "/"), start);
	return strcmp(one_name(name), one_name(host)) == 0;
}

/* The key that is longest decides, even if nothing is under it: with a helper
 * Docker leaves empty entries. */
static bool take_auths(json_t *auths, const char *host, const char *repository,
		       struct credentials *credentials)
{
	char *name wh_free_auto = NULL;
	json_t *entry = NULL;
	const char *key;
	char *slash;

	if (asprintf(&name, "%s/%s", host, repository) < 0) {
		name = NULL;
		return false;
	}
	while (!(entry = json_object_get(auths, name)) &&
	       (slash = strrchr(name, '/')))
		*slash = '\0';
	if (entry)
		return take_entry(entry, credentials);
	json_object_foreach(auths, key, entry)
	{
		if (is_of_host(key, host))
			return take_entry(entry, credentials);
	}
	return false;
}

/* ---- Helpers --------------------------------------------------------------
 */

/* What Docker's client calls the registry there. */
static const char *server_of(const char *host)
{
	return strcmp(one_name(host), "index.docker.io") == 0
		       ? "https://index.docker.io/v1/"
		       : host;
}

/* An empty name turns the store off for that registry. */
static const char *helper_of(json_t *root, const char *server)
{
	json_t *own =
		json_object_get(json_object_get(root, "credHelpers"), server);

	if (!own)
		return text_of(root, "credsStore");
	return json_string_length(own) ? json_string_value(own) : NULL;
}

static enum wh_status take_answer(const struct wh_buf *answer,
				  struct credentials *credentials,
				  struct wh_error *err)
{
	json_t *root =
		json_of_text((const char *)answer->data, answer->size, 0, NULL);
	const char *user = text_of(root, "Username");
	const char *secret = text_of(root, "Secret");
	bool is_identity = user && strcmp(user, "<token>") == 0;

	if (secret && is_identity) {
		credentials->identity = strdup(secret);
	} else if (secret && user) {
		credentials->username = strdup(user);
		credentials->password = strdup(secret);
	}
	json_decref(root);
	return root ? WH_OK : wh_fail(err, WH_EINVAL, "its answer is no login");
}

static enum wh_status ask_helper(const char *helper, const char *server,
				 struct credentials *credentials,
				 struct wh_error *err)
{
	struct wh_buf answer wh_buf_auto = {0};
	enum wh_status status;
	bool found;

	status = oci_helper_get(helper, server, &answer, &found, err);
	if (!status && found)
		status = take_answer(&answer, credentials, err);
	if (answer.size)
		explicit_bzero(answer.data, answer.size);
	return status;
}

/* ---- Files ----------------------------------------------------------------
 */

static enum wh_status take_login(json_t *root, const char *path,
				 const char *host, const char *repository,
				 struct credentials *credentials,
				 struct wh_error *err)
{
	const char *server = server_of(host);
	const char *helper = helper_of(root, server);
	json_t *auths = json_object_get(root, "auths");
	enum wh_status status;

	if (!helper) {
		take_auths(auths, host, repository, credentials);
		return WH_OK;
	}
	status = ask_helper(helper, server, credentials, err);
	/* Docker's client makes do with the file where the helper fails. */
	if (!status || take_auths(auths, host, repository, credentials))
		return WH_OK;
	wh_error_prefix(err, "'%s' names docker-credential-%s", path, helper);
	return status;
}

static enum wh_status read_config(const char *path, const char *host,
				  const char *repository,
				  struct credentials *credentials,
				  struct wh_error *err)
{
	USE_C_LOCALE;
	enum wh_status status;
	json_error_t error;
	json_t *root;

	if (access(path, R_OK))
		return WH_OK;
	root = json_load_file(path, 0, &error);
	if (!root)
		return wh_fail(err, WH_EINVAL, "'%s', line %d: %s", path,
			       error.line, error.text);
	status = take_login(root, path, host, repository, credentials, err);
	json_decref(root);
	return status;
}

enum wh_status oci_login_find(const char *host, const char *repository,
			      struct credentials *credentials,
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
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]) &&
		    !credentials->username && !credentials->identity;
	     i++) {
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
		WH_TRY(read_config(path, host, repository, credentials, err));
	}
	return WH_OK;
}
