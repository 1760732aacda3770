/* publish/http.h: one HTTP layer for all places: retries, redirects, secrets,
 * limits and error texts live here and nowhere else.
 *
 * Rules and figures: libcurl 7.88.1 as measured against nginx, Apache,
 * lighttpd, versitygw, docker-registry and MLflow; see README.md.
 */
#ifndef WH_PUBLISH_HTTP_H
#define WH_PUBLISH_HTTP_H

#include "base/buf.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http;

/** What all requests to one remote share. A zeroed struct is the default. */
struct http_settings {
	const char *ca_file; /* PEM; NULL: WH_CA_FILE, CURL_CA_BUNDLE,
				SSL_CERT_FILE, REQUESTS_CA_BUNDLE, the system's
			      */
	const char *cert_file, *key_file; /* of this client, PEM; or NULL */
	const char *proxy;	/* NULL: https_proxy, http_proxy, all_proxy */
	bool allow_http;	/* http:// beyond this machine too */
	uint64_t limit_rate;	/* bytes per second, all together; 0: none */
	unsigned max_tries;	/* 0: 6 */
	unsigned stall_seconds; /* below 1 KB/s for so long is a stall; 0: 60 */
	unsigned reply_seconds; /* wait for a reply after the last byte; 0: 600
				 */
	/* Instead of sleeping, for tests; false cancels. NULL: sleeps. */
	bool (*sleep)(void *arg, unsigned ms);
	void *arg;
};

/** Counters that any thread may read, and the way to stop all requests. */
struct http_meter {
	atomic_ullong sent, received; /* bytes of bodies, retries included */
	atomic_uint busy;	      /* replies 429 and 503, stalls */
	atomic_uint requests, retries;
	atomic_uint running;   /* requests that share the rate */
	atomic_bool cancelled; /* set it: running requests end */
};

/** Safe for several threads at once. */
enum wh_status http_open(const struct http_settings *settings,
			 struct http **http, struct wh_error *err);
void http_close(struct http *http);
struct http_meter *http_meter(struct http *http);

/** What is sent, readable at any offset, so that it can be sent again. */
struct http_body {
	enum wh_status (*read)(void *arg, uint64_t offset, void *buf,
			       size_t len, struct wh_error *err);
	void *arg;
	uint64_t offset, size; /* `size` bytes from `offset` */
};

/** Headers that are made anew for each try: signatures, tokens. Appends whole
 *  lines "Name: value" by http_add_header. `refused`: the 401 that came back,
 *  so what was used before is stale, or not enough; else NULL. */
struct http_headers;
struct http_request;
struct http_response;
typedef enum wh_status http_authorize_fn(void *arg,
					 const struct http_request *request,
					 const struct http_response *refused,
					 struct http_headers *headers,
					 struct wh_error *err);
/** printf-like; a value with control characters is refused. */
enum wh_status http_add_header(struct http_headers *headers,
			       struct wh_error *err, const char *format, ...)
	WH_PRINTF(3, 4);

struct http_request {
	const char *method, *url;
	const char *const *headers;   /* "Name: value", NULL-terminated; or NULL
				       */
	const struct http_body *body; /* or NULL */
	/* Repeating it does no harm: transport errors, 5xx and 429 are tried
	 * again. */
	bool idempotent;
	/* The URL came from a server: no credentials of ours, and never to a
	 * link-local address, nor from a public server to a private one. */
	bool foreign;
	bool keeps_redirects;	      /* the caller looks at them itself */
	http_authorize_fn *authorize; /* or NULL; not called if foreign */
	void *authorize_arg;
	/* Asked before a request is repeated whose reply was lost after all of
	 * it was sent: true if the server has it. NULL: just repeat. */
	enum wh_status (*arrived)(void *arg, bool *yes, struct wh_error *err);
	void *arrived_arg;
	/* Takes a successful reply's body; NULL: kept in the response, up to
	 * 8 MiB. Called with offset 0 again when a try is repeated. */
	enum wh_status (*sink)(void *arg, uint64_t offset, const void *bytes,
			       size_t len, struct wh_error *err);
	void *sink_arg;
	/* Called with `sink_arg` before a try is repeated: may change the
	 * headers, to ask for what lacks. NULL: all of it again. */
	void (*again)(void *sink_arg);
	uint64_t max_reply; /* bytes that the sink takes; 0: no limit */
};

struct http_response {
	long status; /* 0 if `arrived` said so */
	struct wh_buf headers, body;
	uint64_t sent; /* body bytes of the last try */
	bool arrived;  /* the reply was lost, but the server has it */
};
void http_response_free(struct http_response *response);

/** Whether a later try would get it too: a 4xx for what was asked, not for how
 *  much the server has to do just now. */
bool http_is_final(int status);

/** A header's value (case-folded name), copied to `value`; false if absent. */
bool http_header(const struct http_response *response, const char *name,
		 char *value, size_t size);

/** Sends, and waits for the reply, whatever its status; tries again as told
 *  above. WH_EREMOTE if there is no reply; WH_ECANCELLED; WH_EINVAL for a URL
 *  that may not be used; errors of `read`, `authorize` and `sink`. */
enum wh_status http_send(struct http *http, const struct http_request *request,
			 struct http_response *response, struct wh_error *err);

/** Fills `err` with verb, redacted URL, status, the server's own reason and a
 *  hint: WH_EREMOTE, or WH_ENOTFOUND for 404 and 410. */
enum wh_status http_refused(const struct http_request *request,
			    const struct http_response *response,
			    struct wh_error *err);

/** The server's reason, one line of at most `size` bytes: JSON's message, XML's
 *  Code and Message, or the page without its tags. */
void http_reason(const struct http_response *response, char *reason,
		 size_t size);

/** XML's first `<name>` in the body, entities decoded; false if absent. */
bool http_xml(const struct wh_buf *body, const char *name, char *value,
	      size_t size);

/* ---- URLs (http_url.c) --------------------------------------------------- */

struct http_url {
	char *scheme, *host, *path; /* path as on the wire, without query */
	char *query;		    /* or NULL */
	unsigned port;
};
/** WH_EINVAL for what is none, carries a password or control characters. */
enum wh_status http_url_parse(const char *text, struct http_url *url,
			      struct wh_error *err);
void http_url_free(struct http_url *url);

/** Whether scheme, host and port are equal. */
bool http_same_origin(const char *a, const char *b);

/** `reference` (absolute or relative, from a Location) against `base`;
 *  malloc'd. */
enum wh_status http_url_join(const char *base, const char *reference,
			     char **joined, struct wh_error *err);

/** Without user info and query, for messages. */
void http_url_redact(const char *url, char *shown, size_t size);

/** Percent-encodes all but unreserved characters, and '/' unless `slash`. */
enum wh_status http_escape(struct wh_buf *out, const char *text, bool slash,
			   struct wh_error *err);

#endif
