/* publish/http_internal.h: what the HTTP layer's files share. */
#ifndef WH_PUBLISH_HTTP_INTERNAL_H
#define WH_PUBLISH_HTTP_INTERNAL_H

#include <sys/socket.h>

#include "publish/http.h"

/** What became of one try. */
enum http_outcome {
	HTTP_REPLIED,	/* there is a reply */
	HTTP_FAILED,	/* no reply, and trying again is no use */
	HTTP_TRY_AGAIN, /* no reply; the next try may work */
	HTTP_AMBIGUOUS, /* all was sent, and the reply was lost */
};

struct http_session_view; /* of http.c */

struct http_try {
	const struct http_request *request;
	const char *url; /* after redirects */
	bool foreign, refresh;
	struct http_response *response;
	enum http_outcome outcome;
	bool stalled; /* too slow, or no reply in time: the server is busy */
	char libcurl[256];   /* its text */
	struct wh_error err; /* of read, sink or authorize; or none */
};

/** http_try.c: one try with `easy`, a CURL handle that was reset. */
enum wh_status http_try(void *easy, const struct http_settings *settings,
			struct http_meter *meter, atomic_bool *public_origin,
			struct http_try *attempt, struct wh_error *err);

/** http_address.c: of this machine, or of a network that is not the world's. */
bool http_address_is_private(const struct sockaddr *address);

/** http_address.c: whether a URL that a server handed out may not point to it:
 *  where the link is local, and, of a server that is not, to what is private.
 */
bool http_address_is_refused(const struct sockaddr *address,
			     bool public_origin);

/** http_address.c: the same of a URL's `host`. A name is no address: it is
 *  looked at when it is connected to, if that is done here and not by a
 *  proxy. */
bool http_host_is_refused(const char *host, bool public_origin);

/** http_reply.c: seconds that Retry-After asks for; 0 if it doesn't. */
unsigned http_retry_after(const struct http_response *response);

/** Whether a status is worth another try. */
bool http_is_passing(const struct http_response *response);

#endif
