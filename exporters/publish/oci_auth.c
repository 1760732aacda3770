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
	free(place->scope);
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
	return credentials_of("oci", settings, &place->credentials, err);
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

/* ---- What it wants --------------------------------------------------------
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

/* Of a 401: what the registry wants from now on. */
static enum wh_status take_challenge(struct oci_place *place,
				     const struct http_response *response,
				     struct wh_error *err)
{
	char header[2048], *realm;

	if (!http_header(response, "WWW-Authenticate", header, sizeof(header)))
		return WH_OK;
	if (!ascii_same(header, "Bearer ", 7)) {
		place->auth = OCI_BASIC;
		return WH_OK;
	}
	realm = parameter(header, "realm");
	if (!realm)
		return wh_fail(err, WH_EREMOTE,
			       "%s wants a token but does not say whose",
			       place->root);
	free(place->realm);
	free(place->service);
	free(place->scope);
	place->auth = OCI_BEARER;
	place->realm = realm;
	place->service = parameter(header, "service");
	place->scope = parameter(header, "scope");
	return WH_OK;
}

/* GET /v2/ without credentials: the reply says what is wanted, or that nothing
 * is; a registry may want a login for some requests alone. */
static enum wh_status ask(struct oci_place *place, struct wh_error *err)
{
	char *url wh_free_auto = NULL;
	struct http_request request = {.method = "GET", .idempotent = true};
	struct http_response response;
	enum wh_status status = WH_OK;

	if (asprintf(&url, "%s/v2/", place->root) < 0) {
		url = NULL;
		return wh_fail_memory(err);
	}
	request.url = url;
	WH_TRY(http_send(place->http, &request, &response, err));
	place->auth = OCI_OPEN;
	if (response.status == 401)
		status = take_challenge(place, &response, err);
	http_response_free(&response);
	/* The next request asks again, instead of going to nowhere. */
	if (status)
		place->auth = OCI_UNKNOWN;
	return status;
}

/* A registry that wants none need not have it looked for. */
static enum wh_status find_login(struct oci_place *place, struct wh_error *err)
{
	if (place->sought || place->credentials.username ||
	    place->credentials.bearer)
		return WH_OK;
	WH_TRY(oci_login_find(strstr(place->root, "://") + strlen("://"),
			      place->repository, &place->credentials, err));
	place->sought = true;
	return WH_OK;
}

/* ---- Tokens ---------------------------------------------------------------
 */

/* Of a URL's query or a form. */
static enum wh_status put_field(struct wh_buf *out, const char *before,
				const char *name, const char *value,
				struct wh_error *err)
{
	WH_TRY(wh_buf_printf(out, err, "%s%s=", before, name));
	return http_escape(out, value, true, err);
}

static bool is_ours(const struct oci_place *place, const char *scope)
{
	static const char type[] = "repository:";

	if (!text_starts(scope, type))
		return false;
	scope += strlen(type);
	if (!text_starts(scope, place->repository))
		return false;
	scope += strlen(place->repository);
	return strcmp(scope, ":pull") == 0 || strcmp(scope, ":push") == 0 ||
	       strcmp(scope, ":pull,push") == 0 ||
	       strcmp(scope, ":push,pull") == 0;
}

/* To pull and push here, and what a refusal named beside it: to delete, to
 * mount from another repository. `before` stands before each one after the
 * first. */
static enum wh_status put_scopes(struct wh_buf *out,
				 const struct oci_place *place,
				 const char *before, struct wh_error *err)
{
	char *more wh_free_auto = place->scope ? strdup(place->scope) : NULL;
	char *rest = NULL, *word;

	WH_TRY(wh_buf_printf(out, err, "repository:"));
	WH_TRY(http_escape(out, place->repository, true, err));
	WH_TRY(wh_buf_printf(out, err, ":pull,push"));
	for (word = more ? strtok_r(more, " ", &rest) : NULL; word;
	     word = strtok_r(NULL, " ", &rest)) {
		if (is_ours(place, word))
			continue;
		WH_TRY(wh_buf_printf(out, err, "%s", before));
		WH_TRY(http_escape(out, word, true, err));
	}
	return WH_OK;
}

static enum wh_status token_url(struct oci_place *place, struct wh_buf *url,
				struct wh_error *err)
{
	WH_TRY(wh_buf_printf(url, err, "%s%s", place->realm,
			     strchr(place->realm, '?') ? "&" : "?"));
	if (place->service) {
		WH_TRY(put_field(url, "", "service", place->service, err));
		WH_TRY(wh_buf_printf(url, err, "&"));
	}
	WH_TRY(wh_buf_printf(url, err, "scope="));
	WH_TRY(put_scopes(url, place, "&scope=", err));
	return wh_buf_append(url, "", 1, err);
}

static enum wh_status token_form(struct oci_place *place, struct wh_buf *form,
				 struct wh_error *err)
{
	WH_TRY(wh_buf_printf(form, err,
			     "grant_type=refresh_token&client_id=weighhouse"));
	if (place->service)
		WH_TRY(put_field(form, "&", "service", place->service, err));
	WH_TRY(wh_buf_printf(form, err, "&scope="));
	WH_TRY(put_scopes(form, place, "%20", err));
	return put_field(form, "&", "refresh_token",
			 place->credentials.identity, err);
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
				const struct http_response *refused,
				struct http_headers *headers,
				struct wh_error *err)
{
	const struct oci_place *place = arg;

	(void)request;
	(void)refused;
	return credentials_add(&place->credentials, headers, err);
}

static enum wh_status request_token(struct oci_place *place,
				    const struct http_request *request,
				    struct wh_error *err)
{
	struct http_response response;
	enum wh_status status;

	WH_TRY(http_send(place->http, request, &response, err));
	status = response.status == 200 ? take_token(place, &response.body, err)
					: http_refused(request, &response, err);
	http_response_free(&response);
	/* It is not what was asked for of the registry that isn't there. */
	if (status == WH_ENOTFOUND) {
		status = WH_EREMOTE;
		if (err)
			err->status = status;
	}
	return status;
}

/* OAuth2, as an identity token wants it. The form is the login: it goes nowhere
 * else, however it is redirected. */
static enum wh_status request_by_identity(struct oci_place *place,
					  struct wh_error *err)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded", NULL};
	struct wh_buf form wh_buf_auto = {0};
	struct http_body body = {.read = read_memory};
	struct http_request request = {.method = "POST",
				       .url = place->realm,
				       .headers = headers,
				       .body = &body,
				       .idempotent = true,
				       .keeps_redirects = true};
	enum wh_status status;

	status = token_form(place, &form, err);
	body.arg = form.data;
	body.size = form.size;
	if (!status)
		status = request_token(place, &request, err);
	if (form.data)
		explicit_bzero(form.data, form.size);
	return status;
}

/* The realm comes from the registry: the login goes there only if it is
 * encrypted, or the registry itself. */
static enum wh_status fetch_token(struct oci_place *place, struct wh_error *err)
{
	struct wh_buf url wh_buf_auto = {0};
	struct http_request request = {.method = "GET", .idempotent = true};
	bool trusted = http_same_origin(place->root, place->realm) ||
		       text_starts(place->realm, "https:");

	if (trusted && place->credentials.identity)
		return request_by_identity(place, err);
	WH_TRY(token_url(place, &url, err));
	request.url = (const char *)url.data;
	request.foreign = !trusted;
	if (trusted) {
		request.authorize = add_login;
		request.authorize_arg = place;
	}
	return request_token(place, &request, err);
}

static enum wh_status prepare(struct oci_place *place,
			      const struct http_response *refused,
			      struct wh_error *err)
{
	if (place->auth == OCI_UNKNOWN)
		WH_TRY(ask(place, err));
	if (refused)
		WH_TRY(take_challenge(place, refused, err));
	if (place->auth == OCI_OPEN)
		return WH_OK;
	WH_TRY(find_login(place, err));
	if (place->auth != OCI_BEARER || place->credentials.bearer)
		return WH_OK;
	if (!place->token || refused || time(NULL) >= place->expires)
		return fetch_token(place, err);
	return WH_OK;
}

enum wh_status oci_authorize(void *arg, const struct http_request *request,
			     const struct http_response *refused,
			     struct http_headers *headers, struct wh_error *err)
{
	struct oci_place *place = arg;
	enum wh_status status;

	(void)request;
	pthread_mutex_lock(&place->lock);
	status = prepare(place, refused, err);
	if (!status && place->auth == OCI_BEARER && place->token)
		status = http_add_header(
			headers, err, "Authorization: Bearer %s", place->token);
	else if (!status && place->auth != OCI_OPEN)
		status = credentials_add(&place->credentials, headers, err);
	pthread_mutex_unlock(&place->lock);
	return status;
}
