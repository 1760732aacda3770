#include "publish/ranged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ranged_begin(struct ranged *ranged, const struct remote_range *range,
		  enum ranged_condition condition)
{
	char last[32] = "";

	ranged->range = range;
	if (!range->offset && !range->length)
		return;
	if (range->length)
		snprintf(last, sizeof(last), "%llu",
			 (unsigned long long)(range->offset + range->length -
					      1));
	snprintf(ranged->lines[0], sizeof(ranged->lines[0]),
		 "Range: bytes=%llu-%s", (unsigned long long)range->offset,
		 last);
	ranged->headers[0] = ranged->lines[0];
	/* A weak one never matches. */
	if (condition == RANGED_PLAIN || !range->etag || *range->etag != '"')
		return;
	snprintf(ranged->lines[1], sizeof(ranged->lines[1]), "%s: %s",
		 condition == RANGED_IF_MATCH ? "If-Match" : "If-Range",
		 range->etag);
	ranged->headers[1] = ranged->lines[1];
}

void ranged_again(void *arg)
{
	struct ranged *ranged = arg;
	const struct remote_range *range = ranged->range;

	if (!range->goes_on || ranged->reached <= range->offset ||
	    ranged->reached >= range->max_length)
		return;
	snprintf(ranged->lines[0], sizeof(ranged->lines[0]),
		 "Range: bytes=%llu-", (unsigned long long)ranged->reached);
	ranged->headers[0] = ranged->lines[0];
}

/* "bytes 100-199/500". A server that ignores Range sends all from 0. */
static uint64_t begin_of(const struct http_response *response)
{
	char range[100];

	if (!http_header(response, "Content-Range", range, sizeof(range)) ||
	    strncmp(range, "bytes ", 6) != 0)
		return 0;
	return strtoull(range + 6, NULL, 10);
}

enum wh_status ranged_take(void *arg, uint64_t offset, const void *bytes,
			   size_t len, struct wh_error *err)
{
	struct ranged *ranged = arg;

	if (offset == 0)
		ranged->begin = begin_of(ranged->response);
	if (ranged->range->length && (ranged->begin != ranged->range->offset ||
				      offset + len > ranged->range->length))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the server sends no parts of files");
	ranged->reached = ranged->begin + offset + len;
	return ranged->sink(ranged->arg, ranged->begin + offset, bytes, len,
			    err);
}

uint64_t ranged_most(const struct ranged *ranged)
{
	/* ranged_take minds a length, and says what is wrong. */
	return ranged->range->length ? 0 : ranged->range->max_length;
}

static enum wh_status judge(const struct http_request *request,
			    const struct http_response *response,
			    struct wh_error *err)
{
	if (response->status == 200 || response->status == 206)
		return WH_OK;
	if (response->status == 412)
		return wh_fail(err, WH_EMISMATCH,
			       "the file changed on the server");
	return http_refused(request, response, err);
}

enum wh_status ranged_get(struct http *http, struct http_request request,
			  const struct remote_range *range,
			  enum ranged_condition condition, remote_sink_fn *sink,
			  void *arg, struct wh_error *err)
{
	struct http_response response;
	struct ranged ranged = {
		.sink = sink, .arg = arg, .response = &response};
	enum wh_status status;

	ranged_begin(&ranged, range, condition);
	request.headers = ranged.headers;
	request.sink = ranged_take;
	request.sink_arg = &ranged;
	request.again = ranged_again;
	request.max_reply = ranged_most(&ranged);
	WH_TRY(http_send(http, &request, &response, err));
	status = judge(&request, &response, err);
	http_response_free(&response);
	return status;
}
