/* publish/ranged.h: a file, or a run of it, by HTTP's Range. */
#ifndef WH_PUBLISH_RANGED_H
#define WH_PUBLISH_RANGED_H

#include "publish/place.h"

/** How a server is told that only this version of the file will do. */
enum ranged_condition {
	RANGED_PLAIN, /* the name says it */
	RANGED_IF_RANGE,
	/* versitygw and others ignore If-Range and send a part of another
	 * object. */
	RANGED_IF_MATCH,
};

struct ranged {
	const struct remote_range *range;
	remote_sink_fn *sink;
	void *arg;
	const struct http_response *response; /* the one that is coming */
	uint64_t begin;			      /* of the reply, in the file */
	uint64_t reached; /* in the file, by the last byte that came */
	char lines[2][256];
	const char *headers[3]; /* for the request; NULL-terminated */
};

void ranged_begin(struct ranged *ranged, const struct remote_range *range,
		  enum ranged_condition condition);
/** What http_request.sink takes; the arg is the struct ranged. */
enum wh_status ranged_take(void *ranged, uint64_t offset, const void *bytes,
			   size_t len, struct wh_error *err);
/** What http_request.again takes: asks for what lacks, if the range goes on. */
void ranged_again(void *ranged);
/** Bytes that the reply may have; 0: any number. */
uint64_t ranged_most(const struct ranged *ranged);
/** Gets it by a request that has its method, address and authorization, and
 *  gives it to the sink. WH_EMISMATCH: it is another version by now. */
enum wh_status ranged_get(struct http *http, struct http_request request,
			  const struct remote_range *range,
			  enum ranged_condition condition, remote_sink_fn *sink,
			  void *arg, struct wh_error *err);

#endif
