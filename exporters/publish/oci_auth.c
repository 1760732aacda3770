/* Which registry, which repository, and who we are there. */
#include "publish/oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"
#include "base/json_put.h"
#include "base/text.h"

#define DEFAULT_LIFE_S 60 /* of a token that doesn't say (specification) */
#define MAX_LIFE_S     86400
#define MAX_TAG	       128

/* ---- The URL --------------------------------------------------------------
 */

void oci_close(struct oci_place *place)
{
	if (!place)
		return;
	http_close(place->http);
	credentials_free(&place->credentials);
	if (place->token)
		explicit_bzero(place->token, strlen(place->token));
	free(place->token);
	free(place->realm);
	free(place->service);
	free(place->root);
	free(place->repository);
	json_decref(place->layers);
	pthread_mutex_destroy(&place->lock);
	free(place);
}

static bool is_name(const char *text)
{
	for (; *text; text++)
		if (!(*text >= 'a' && *text <= 'z') &&
		    !(*text >= '0' && *text <= '9') && !strchr("._-/", *text))
			return false;
	return true;
}

static bool is_tag(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > MAX_TAG || *text == '.' || *text == '-')
		return false;
	for (; *text; text++)
		if (!(*text >= 'a' && *text <= 'z') &&
		    !(*text >= 'A' && *text <= 'Z') &&
		    !(*text >= '0' && *text <= '9') && !strchr("._-", *text))
			return false;
	return true;
}

static bool is_this_machine(const char *host)
{
	return text_starts(host, "localhost") || text_starts(host, "127.") ||
	       text_starts(host, "[::1]");
}

/* https, but for a registry on this machine, or where "oci+http:" says so. */
static enum wh_status parse(struct oci_place *place,
			    const struct place_settings *settings,
			    struct wh_error *err)
{
	const char *url = settings->url;
	bool plain = text_starts(url, "oci+http:");
	const char *host = strstr(url, "://"), *slash, *colon;
	char *registry wh_free_auto = NULL;

	host = host ? host + 3 : "";
	slash = strchr(host, '/');
	if (!slash || slash == host || !slash[1])
		return wh_fail(err, WH_EINVAL,
			       "'%s' is not oci://REGISTRY/REPOSITORY:TAG",
			       url);
	colon = strchr(slash, ':');
	registry = strndup(host, (size_t)(slash - host));
	place->repository =
		colon ? strndup(slash + 1, (size_t)(colon - slash - 1))
		      : strdup(slash + 1);
	if (!registry || !place->repository)
		return wh_fail_memory(err);
	if (!is_name(place->repository) ||
	    place_check_path(place->repository, NULL))
		return wh_fail(err, WH_EINVAL, "'%s' can't be a repository",
			       place->repository);
	if (colon && !is_tag(colon + 1)) /* wh_place_alias's */
		return wh_fail(err, WH_EINVAL, "'%s' can't be a tag",
			       colon + 1);
	if (asprintf(&place->root, "%s://%s",
		     plain || is_this_machine(registry) ? "http" : "https",
		     registry) < 0) {
		place->root = NULL;
		return wh_fail_memory(err);
	}
	WH_TRY(credentials_of("oci", settings, &place->credentials, err));
	if (!place->credentials.username && !place->credentials.bearer)
		WH_TRY(oci_login_find(registry, &place->credentials, err));
	return WH_OK;
}

enum wh_status oci_open(const struct place_settings *settings,
			struct oci_place **out, struct wh_error *err)
{
	struct oci_place *place = calloc(1, sizeof(*place));
	struct http_settings http = settings->http;
	enum wh_status status;

	if (!place)
		return wh_fail_memory(err);
	pthread_mutex_init(&place->lock, NULL);
	place->elsewhere = settings->elsewhere;
	place->layers = json_object();
	status = place->layers ? parse(place, settings, err)
			       : wh_fail_memory(err);
	http.allow_http |= text_starts(settings->url, "oci+http:");
	if (!status)
		status = http_open(&http, &place->http, err);
	if (status) {
		oci_close(place);
		return status;
	}
	place->base.meter = http_meter(place->http);
	*out = place;
	return WH_OK;
}

/* ---- Tokens ---------------------------------------------------------------
 */

/* key="value" of a WWW-Authenticate header, malloc'd; NULL if absent. */
static char *parameter(const char *header, const char *key)
{
	size_t len = strlen(key);
	const char *at = header;

	while ((at = strstr(at, key))) {
		if (at > header && (at[-1] == ' ' || at[-1] == ',') &&
		    at[len] == '=' && at[len + 1] == '"') {
			at += len + 2;
			return strndup(at, strcspn(at, "\""));
		}
		at += len;
	}
	return NULL;
}

/* GET /v2/ without credentials: the reply says what is wanted. */
static enum wh_status ask(struct oci_place *place, struct wh_error *err)
{
	char *url wh_free_auto = NULL;
	struct http_request request = {.method = "GET", .idempotent = true};
	struct http_response response;
	char header[2048] = "";

	if (asprintf(&url, "%s/v2/", place->root) < 0) {
		url = NULL;
		return wh_fail_memory(err);
	}
	request.url = url;
	WH_TRY(http_send(place->http, &request, &response, err));
	place->auth = OCI_OPEN;
	if (response.status == 401 && http_header(&response, "WWW-Authenticate",
						  header, sizeof(header))) {
		place->auth = OCI_BASIC;
		if (ascii_same(header, "Bearer ", 7)) {
			place->auth = OCI_BEARER;
			free(place->realm);
			free(place->service);
			place->realm = parameter(header, "realm");
			place->service = parameter(header, "service");
		}
	}
	http_response_free(&response);
	if (place->auth != OCI_BEARER || place->realm)
		return WH_OK;
	/* The next request asks again, instead of going to nowhere. */
	place->auth = OCI_UNKNOWN;
	return wh_fail(err, WH_EREMOTE,
		       "%s wants a token but does not say whose", place->root);
}

static enum wh_status token_url(struct oci_place *place, struct wh_buf *url,
				struct wh_error *err)
{
	WH_TRY(wh_buf_printf(url, err, "%s%s", place->realm,
			     strchr(place->realm, '?') ? "&" : "?"));
	if (place->service) {
		WH_TRY(wh_buf_printf(url, err, "service="));
		WH_TRY(http_escape(url, place->service, true, err));
		WH_TRY(wh_buf_printf(url, err, "&"));
	}
	WH_TRY(wh_buf_printf(url, err, "scope=repository:%s:pull,push",
			     place->repository));
	return wh_buf_append(url, "", 1, err);
}

static enum wh_status take_token(struct oci_place *place,
				 const struct wh_buf *body,
				 struct wh_error *err)
{
	json_t *root =
		json_of_text((const char *)body->data, body->size, 0, NULL);
	const char *token = json_string_value(json_object_get(root, "token"));
	json_int_t life =
		json_integer_value(json_object_get(root, "expires_in"));

	if (!token)
		token = json_string_value(
			json_object_get(root, "access_token"));
	free(place->token);
	place->token = token ? strdup(token) : NULL;
	/* A little early: a long PUT begins with a token that lasts. */
	life = life > 0 ? life : DEFAULT_LIFE_S;
	life = life < MAX_LIFE_S ? life : MAX_LIFE_S;
	place->expires = time(NULL) + (time_t)(life * 8 / 10);
	json_decref(root);
	if (!place->token)
		return wh_fail(err, WH_EREMOTE,
			       "the registry's token server sends no token");
	return WH_OK;
}

static enum wh_status add_login(void *arg, const struct http_request *request,
				bool refresh, struct http_headers *headers,
				struct wh_error *err)
{
	const struct oci_place *place = arg;

	(void)request;
	(void)refresh;
	return credentials_add(&place->credentials, headers, err);
}

/* The realm comes from the registry: the login goes there only if it is
 * encrypted, or the registry itself. */
static enum wh_status fetch_token(struct oci_place *place, struct wh_error *err)
{
	struct wh_buf url wh_buf_auto = {0};
	struct http_request request = {.method = "GET", .idempotent = true};
	struct http_response response;
	enum wh_status status;
	bool own;

	WH_TRY(token_url(place, &url, err));
	request.url = (const char *)url.data;
	own = http_same_origin(place->root, request.url);
	if (own || text_starts(request.url, "https:")) {
		request.authorize = add_login;
		request.authorize_arg = place;
	} else {
		request.foreign = true;
	}
	WH_TRY(http_send(place->http, &request, &response, err));
	status = response.status == 200
			 ? take_token(place, &response.body, err)
			 : http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

static enum wh_status prepare(struct oci_place *place, bool refresh,
			      struct wh_error *err)
{
	if (place->auth == OCI_UNKNOWN)
		WH_TRY(ask(place, err));
	if (place->auth != OCI_BEARER || place->credentials.bearer)
		return WH_OK;
	if (!place->token || refresh || time(NULL) >= place->expires)
		return fetch_token(place, err);
	return WH_OK;
}

enum wh_status oci_authorize(void *arg, const struct http_request *request,
			     bool refresh, struct http_headers *headers,
			     struct wh_error *err)
{
	struct oci_place *place = arg;
	enum wh_status status;

	(void)request;
	pthread_mutex_lock(&place->lock);
	status = prepare(place, refresh, err);
	if (!status && place->token)
		status = http_add_header(
			headers, err, "Authorization: Bearer %s", place->token);
	else if (!status && place->auth != OCI_OPEN)
		status = credentials_add(&place->credentials, headers, err);
	pthread_mutex_unlock(&place->lock);
	return status;
}
