/* URLs: through libcurl's own parser, so that what is checked is what is
 * used. */
#include "publish/http.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"
#include "publish/late_curl.h"

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if (ascii_is_control(*text) || *text == ' ')
			return true;
	return false;
}

static char *part(CURLU *parsed, CURLUPart which, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(parsed, which, &text, flags))
		return NULL;
	copy = strdup(text);
	curl_free(text);
	return copy;
}

static enum wh_status split(CURLU *parsed, const char *text,
			    struct http_url *url, struct wh_error *err)
{
	char *password wh_free_auto = NULL;
	char *port wh_free_auto = NULL;
	char shown[200];

	http_url_redact(text, shown, sizeof(shown));
	if (has_controls(text) ||
	    curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
		return wh_fail(err, WH_EINVAL, "'%s' is no URL", shown);
	password = part(parsed, CURLUPART_PASSWORD, 0);
	if (password)
		return wh_fail(err, WH_EINVAL,
			       "'%s' carries a password: put it into the "
			       "environment or a netrc file",
			       shown);
	url->scheme = part(parsed, CURLUPART_SCHEME, 0);
	url->host = part(parsed, CURLUPART_HOST, 0);
	url->path = part(parsed, CURLUPART_PATH, 0);
	url->query = part(parsed, CURLUPART_QUERY, 0);
	port = part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	url->port = port ? (unsigned)strtoul(port, NULL, 10) : 0;
	if (!url->scheme || !url->host || !url->path)
		return wh_fail(err, WH_EINVAL, "'%s' is no URL", shown);
	return WH_OK;
}

enum wh_status http_url_parse(const char *text, struct http_url *url,
			      struct wh_error *err)
{
	enum wh_status status;
	CURLU *parsed;

	memset(url, 0, sizeof(*url));
	WH_TRY(late_load(&late_curl, err));
	parsed = curl_url();
	if (!parsed)
		return wh_fail_memory(err);
	status = split(parsed, text, url, err);
	curl_url_cleanup(parsed);
	if (status)
		http_url_free(url);
	return status;
}

void http_url_free(struct http_url *url)
{
	free(url->scheme);
	free(url->host);
	free(url->path);
	free(url->query);
	memset(url, 0, sizeof(*url));
}

bool http_same_origin(const char *a, const char *b)
{
	struct http_url x, y = {0};
	bool same;

	if (http_url_parse(a, &x, NULL))
		return false;
	same = http_url_parse(b, &y, NULL) == WH_OK &&
	       strcmp(x.scheme, y.scheme) == 0 &&
	       ascii_same(x.host, y.host, SIZE_MAX) && x.port == y.port;
	http_url_free(&x);
	http_url_free(&y);
	return same;
}

enum wh_status http_url_join(const char *base, const char *reference,
			     char **joined, struct wh_error *err)
{
	char shown[200];
	CURLU *parsed;

	WH_TRY(late_load(&late_curl, err));
	parsed = curl_url();
	if (!parsed)
		return wh_fail_memory(err);
	http_url_redact(reference, shown, sizeof(shown));
	*joined = NULL;
	/* The second one is taken relative to the first. */
	if (!has_controls(reference) &&
	    !curl_url_set(parsed, CURLUPART_URL, base, 0) &&
	    !curl_url_set(parsed, CURLUPART_URL, reference,
			  CURLU_NON_SUPPORT_SCHEME))
		*joined = part(parsed, CURLUPART_URL, 0);
	curl_url_cleanup(parsed);
	if (*joined)
		return WH_OK;
	return wh_fail(err, WH_EREMOTE,
		       "the server named '%s', which is no URL", shown);
}

void http_url_redact(const char *url, char *shown, size_t size)
{
	const char *host = strstr(url, "://"), *slash, *at = NULL, *from;
	size_t len = strcspn(url, "?#");

	from = host ? host + 3 : url;
	slash = from + strcspn(from, "/?#");
	for (host = from; host < slash; host++)
		if (*host == '@')
			at = host;
	if (at && at < url + len)
		snprintf(shown, size, "%.*s%.*s", (int)(from - url), url,
			 (int)(url + len - (at + 1)), at + 1);
	else
		snprintf(shown, size, "%.*s", (int)len, url);
}

enum wh_status http_escape(struct wh_buf *out, const char *text, bool slash,
			   struct wh_error *err)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c) ||
			     (c == '/' && !slash);

		WH_TRY(plain ? wh_buf_append(out, text, 1, err)
			     : wh_buf_printf(out, err, "%%%02X", c));
	}
	return WH_OK;
}
