/* What pointers a place in S3 has: ListObjectsV2, a page at a time. */
#include "publish/s3.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"

#define MAX_TOKEN 2048
#define MAX_KEY	  1100 /* S3 takes 1024 bytes */
/* Of a thousand keys: a server may not go on for ever. */
#define MAX_PAGES 1000

bool s3_next(const struct wh_buf *body, size_t *at, const char *name,
	     struct wh_buf *element)
{
	const uint8_t *end, *from, *to;
	char open[40], close[40];

	if (*at >= body->size)
		return false;
	end = body->data + body->size;
	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	from = memmem(body->data + *at, body->size - *at, open, strlen(open));
	to = from ? memmem(from, (size_t)(end - from), close, strlen(close))
		  : NULL;
	if (!to)
		return false;
	*element = (struct wh_buf){.data = (uint8_t *)(uintptr_t)from,
				   .size = (size_t)(to - from)};
	*at = (size_t)(to - body->data);
	return true;
}

/* In the order that signatures demand. Folders, such as v/, are left out. */
static enum wh_status make_query(const struct s3_place *place,
				 const char *token, struct wh_buf *query,
				 struct wh_error *err)
{
	if (*token) {
		WH_TRY(wh_buf_printf(query, err, "continuation-token="));
		WH_TRY(http_escape(query, token, true, err));
		WH_TRY(wh_buf_printf(query, err, "&"));
	}
	WH_TRY(wh_buf_printf(query, err, "delimiter=%%2F&list-type=2&prefix="));
	WH_TRY(http_escape(query, place->prefix, true, err));
	return wh_buf_append(query, "", 1, err);
}

static enum wh_status tell_key(const struct s3_place *place, char *key,
			       alias_fn *fn, void *arg, struct wh_error *err)
{
	size_t prefix = strlen(place->prefix);

	if (strncmp(key, place->prefix, prefix) != 0 ||
	    strchr(key + prefix, '/') || !text_ends(key + prefix, ".json"))
		return WH_OK;
	key[strlen(key) - strlen(".json")] = '\0';
	return fn(arg, key + prefix, err);
}

static enum wh_status tell_page(const struct s3_place *place,
				const struct wh_buf *body, alias_fn *fn,
				void *arg, struct wh_error *err)
{
	struct wh_buf element;
	char key[MAX_KEY];
	size_t at = 0;

	while (s3_next(body, &at, "Contents", &element))
		if (http_xml(&element, "Key", key, sizeof(key)))
			WH_TRY(tell_key(place, key, fn, arg, err));
	return WH_OK;
}

/* What isn't seen may name what is to go: so a page that is none, or that goes
 * on and doesn't say where, is an error. */
static enum wh_status take_token(const struct wh_buf *body,
				 char token[MAX_TOKEN], struct wh_error *err)
{
	char truncated[8] = "";

	if (!http_xml(body, "IsTruncated", truncated, sizeof(truncated)))
		return wh_fail(err, WH_EREMOTE,
			       "what should list the bucket does not");
	http_xml(body, "NextContinuationToken", token, MAX_TOKEN);
	if (strlen(token) == MAX_TOKEN - 1 ||
	    (!*token && strcmp(truncated, "true") == 0))
		return wh_fail(err, WH_EREMOTE, "the bucket's list breaks off");
	return WH_OK;
}

/* `token`: of this page, then of the next one; "" after the last. */
static enum wh_status one_page(struct s3_place *place, char token[MAX_TOKEN],
			       alias_fn *fn, void *arg, struct wh_error *err)
{
	struct s3_request request = {.method = "GET"};
	struct wh_buf query wh_buf_auto = {0};
	struct http_response response;
	enum wh_status status = WH_OK;

	WH_TRY(make_query(place, token, &query, err));
	request.query = (const char *)query.data;
	*token = '\0';
	WH_TRY(s3_send(place, &request, &response, err));
	if (response.status == 200) {
		status = tell_page(place, &response.body, fn, arg, err);
		if (!status)
			status = take_token(&response.body, token, err);
	} else if (response.status == 403 || response.status == 501) {
		status = wh_fail(err, WH_EUNSUPPORTED,
				 "these keys may not list the bucket");
	} else {
		status = s3_refused(place, &request, &response, err);
	}
	http_response_free(&response);
	return status;
}

enum wh_status s3_aliases(struct place *base, alias_fn *fn, void *arg,
			  struct wh_error *err)
{
	char token[MAX_TOKEN] = "";
	int page;

	for (page = 0; page == 0 || (*token && page < MAX_PAGES); page++)
		WH_TRY(one_page((struct s3_place *)base, token, fn, arg, err));
	/* What isn't seen may name what is to go. */
	if (*token)
		return wh_fail(err, WH_EREMOTE, "the bucket's list has no end");
	return WH_OK;
}
