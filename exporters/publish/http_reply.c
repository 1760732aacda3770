/* Reading what a server said: headers, reasons, hints. */
#include "publish/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/ascii.h"
#include "base/c_locale.h"
#include "base/json_put.h"
#include "base/text.h"

#define MAX_WAIT_S 300u /* of what a server may ask for */

void http_response_free(struct http_response *response)
{
	wh_buf_free(&response->headers);
	wh_buf_free(&response->body);
	memset(response, 0, sizeof(*response));
}

static void copy_value(const char *from, size_t len, char *value, size_t size)
{
	while (len && ascii_is_space(*from))
		from++, len--;
	while (len && ascii_is_space(from[len - 1]))
		len--;
	snprintf(value, size, "%.*s", (int)len, from);
}

bool http_header(const struct http_response *response, const char *name,
		 char *value, size_t size)
{
	const char *at = (const char *)response->headers.data;
	const char *end = at ? at + response->headers.size : NULL;
	size_t len = strlen(name);

	while (at && at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));

		line = line ? line : end;
		if ((size_t)(line - at) > len && at[len] == ':' &&
		    ascii_same(at, name, len)) {
			copy_value(at + len + 1, (size_t)(line - at) - len - 1,
				   value, size);
			return true;
		}
		at = line + 1;
	}
	return false;
}

/* Seconds, or an HTTP date (RFC 9110, 10.2.3), of which IMF-fixdate alone is
 * sent today. */
unsigned http_retry_after(const struct http_response *response)
{
	USE_C_LOCALE;
	struct tm when = {0};
	char value[64];
	uint64_t seconds;
	double left;

	if (!http_header(response, "Retry-After", value, sizeof(value)))
		return 0;
	if (text_to_u64(value, &seconds))
		return seconds > MAX_WAIT_S ? MAX_WAIT_S : (unsigned)seconds;
	if (!strptime(value, "%a, %d %b %Y %H:%M:%S", &when))
		return 0;
	left = difftime(timegm(&when), time(NULL));
	if (left <= 0)
		return 0;
	return left > MAX_WAIT_S ? MAX_WAIT_S : (unsigned)left;
}

static const char *find(const struct wh_buf *body, const char *text,
			const char *from)
{
	const char *begin = (const char *)body->data;

	if (!begin)
		return NULL;
	from = from ? from : begin;
	return memmem(from, body->size - (size_t)(from - begin), text,
		      strlen(text));
}

static const struct {
	const char *entity;
	char c;
} entities[] = {{"&lt;", '<'},	 {"&gt;", '>'},	   {"&amp;", '&'},
		{"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'},
		{"&#39;", '\''}, {"&#x22;", '"'}};

static size_t decode_entity(const char *at, size_t left, char *c)
{
	size_t i;

	for (i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		size_t len = strlen(entities[i].entity);

		if (len <= left && memcmp(at, entities[i].entity, len) == 0) {
			*c = entities[i].c;
			return len;
		}
	}
	*c = *at;
	return 1;
}

bool http_xml(const struct wh_buf *body, const char *name, char *value,
	      size_t size)
{
	char open[64], close[64];
	const char *from, *to;
	size_t n = 0;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	from = find(body, open, NULL);
	to = from ? find(body, close, from) : NULL;
	if (!to)
		return false;
	from += strlen(open);
	while (from < to && n + 1 < size)
		from += decode_entity(from, (size_t)(to - from), &value[n++]);
	value[n] = '\0';
	return true;
}

/* Registries: {"errors": [{"code", "message"}]}; MLflow: {"error_code",
 * "message"}; GitLab: {"message"} or {"error"}. */
static bool json_reason(const struct wh_buf *body, char *reason, size_t size)
{
	json_t *root =
		json_of_text((const char *)body->data, body->size, 0, NULL);
	json_t *first = json_array_get(json_object_get(root, "errors"), 0);
	json_t *at = first ? first : root;
	const char *message = json_string_value(json_object_get(at, "message"));
	const char *code = json_string_value(json_object_get(at, "code"));

	if (!message)
		message = json_string_value(json_object_get(at, "error"));
	if (!code)
		code = json_string_value(json_object_get(at, "error_code"));
	if (message || code)
		snprintf(reason, size, "%s%s%s", code ? code : "",
			 code && message ? ": " : "", message ? message : "");
	json_decref(root);
	return message || code;
}

static bool xml_reason(const struct wh_buf *body, char *reason, size_t size)
{
	char code[80], message[200] = "";

	if (!http_xml(body, "Code", code, sizeof(code)))
		return false;
	http_xml(body, "Message", message, sizeof(message));
	return snprintf(reason, size, "%s%s%s", code, *message ? ": " : "",
			message) > 0;
}

/* The title of an HTML page is the status in words, as a rule behind its
 * number, which is said already; its body says both again, and more. */
static bool title_reason(const struct http_response *response, char *reason,
			 size_t size)
{
	char title[200], number[24];
	const char *words = title;

	if (!http_xml(&response->body, "title", title, sizeof(title)))
		return false;
	snprintf(number, sizeof(number), "%ld", response->status);
	if (text_starts(title, number))
		words += strlen(number);
	snprintf(reason, size, "%s", words + strspn(words, " \t\r\n"));
	return true;
}

/* The words of a text, or of a page without a title: no tags, no runs of
 * blanks. */
static void page_reason(const struct wh_buf *body, char *reason, size_t size)
{
	bool in_tag = false, blank = true;
	size_t i, n = 0;

	for (i = 0; i < body->size && n + 1 < size; i++) {
		char c = (char)body->data[i];

		if (c == '<')
			in_tag = true;
		else if (c == '>')
			in_tag = false;
		if (in_tag || c == '>' || ascii_is_space(c)) {
			if (!blank)
				reason[n++] = ' ';
			blank = true;
		} else {
			reason[n++] = c;
			blank = false;
		}
	}
	while (n && reason[n - 1] == ' ')
		n--;
	reason[n] = '\0';
}

void http_reason(const struct http_response *response, char *reason,
		 size_t size)
{
	char raw[200] = "";

	if (!json_reason(&response->body, raw, sizeof(raw)) &&
	    !xml_reason(&response->body, raw, sizeof(raw)) &&
	    !title_reason(response, raw, sizeof(raw)))
		page_reason(&response->body, raw, sizeof(raw));
	text_escape(raw, strlen(raw), reason, size);
}

static bool passes(long status)
{
	switch (status) {
	case 408:
	case 425:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return true;
	default:
		return false;
	}
}

/* RequestTimeout of S3 is a 400 (finding of many S3 clients). */
bool http_is_passing(const struct http_response *response)
{
	char code[40];

	if (response->status != 400)
		return passes(response->status);
	return http_xml(&response->body, "Code", code, sizeof(code)) &&
	       strcmp(code, "RequestTimeout") == 0;
}

bool http_is_final(int status)
{
	return status >= 400 && status < 500 && !passes(status);
}

static const struct {
	long status;
	const char *hint;
} hints[] = {
	{401, "the server wants credentials, or does not take these"},
	{403, "these credentials, or having none, do not allow it"},
	{405, "the server does not take this method there (nginx: "
	      "dav_methods)"},
	{407, "it is the proxy that wants credentials"},
	{409, "the folder is missing, or what is there is in the way"},
	{411, "a proxy in between drops the length"},
	{413, "the server or a proxy limits the size of a body (nginx: "
	      "client_max_body_size)"},
	{501, "the server does not know this method: to publish, it has to "
	      "take PUT"},
	{507, "the server's disk or quota is full"},
};

static const char *hint_for(long status)
{
	size_t i;

	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].status == status)
			return hints[i].hint;
	return NULL;
}

enum wh_status http_refused(const struct http_request *request,
			    const struct http_response *response,
			    struct wh_error *err)
{
	const char *hint = hint_for(response->status);
	uint64_t size = request->body ? request->body->size : 0;
	char shown[160], reason[160], server[48] = "", sent[80] = "";
	enum wh_status status =
		response->status == 404 || response->status == 410
			? WH_ENOTFOUND
			: WH_EREMOTE;

	http_url_redact(request->url, shown, sizeof(shown));
	http_reason(response, reason, sizeof(reason));
	http_header(response, "Server", server, sizeof(server));
	if (size)
		snprintf(sent, sizeof(sent), " after %llu of %llu bytes",
			 (unsigned long long)response->sent,
			 (unsigned long long)size);
	status = wh_fail(err, status, "%s %s: HTTP %ld%s%s%s%s%s%s%s",
			 request->method, shown, response->status,
			 *server ? " from " : "", server, sent,
			 *reason ? ": " : "", reason, hint ? ": " : "",
			 hint ? hint : "");
	if (err)
		err->http_status = (int)response->status;
	return status;
}
