/* One try of a request: the settings that libcurl needs, and what became of
 * it. */
#include "publish/http_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "publish/late_curl.h"
#include <weighhouse/version.h>

#define CONNECT_S	 15L
#define EXPECT_MS	 1000L
#define STALL_BYTES_S	 1024L
#define DEFAULT_STALL_S	 60u
#define DEFAULT_REPLY_S	 600u
#define UPLOAD_BUFFER	 ((size_t)512 * 1024)
#define MAX_HEADERS	 ((size_t)64 * 1024)
#define MAX_ERROR_BODY	 ((size_t)64 * 1024)
#define MAX_KEPT_BODY	 ((size_t)8 << 20)
#define MAX_HEADER_VALUE 8192

struct http_headers {
	struct curl_slist *list;
};

/* All that libcurl's callbacks see. */
struct trying {
	struct http_try *attempt;
	const struct http_settings *settings;
	struct http_meter *meter;
	atomic_bool *public_origin;
	CURL *easy;
	uint64_t read_at; /* of the body */
	uint64_t taken;	  /* of the reply, by the sink */
	char *ready;	  /* UPLOAD_BUFFER bytes of memory; NULL: not yet */
	size_t n_ready;	  /* the body's next bytes, which lie there */
	bool paused;	  /* libcurl is to look at the line before it gets them */
	double all_sent;  /* when; 0: not yet */
	bool replying;	  /* after that: the reply has begun */
	bool refused_address;
	uint64_t rate; /* that it is held to; 0: any */
};

/* ---- Headers ------------------------------------------------------------ */

static enum wh_status add_line(struct http_headers *headers, const char *line,
			       struct wh_error *err)
{
	struct curl_slist *longer;
	const char *at;

	for (at = line; *at; at++)
		if ((unsigned char)*at < 0x20 && *at != '\t')
			return wh_fail(err, WH_EINVAL,
				       "a header holds control characters");
	longer = curl_slist_append(headers->list, line);
	if (!longer)
		return wh_fail_memory(err);
	headers->list = longer;
	return WH_OK;
}

enum wh_status http_add_header(struct http_headers *headers,
			       struct wh_error *err, const char *format, ...)
{
	char line[MAX_HEADER_VALUE];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line))
		return wh_fail(err, WH_EINVAL, "a header is too long");
	return add_line(headers, line, err);
}

static enum wh_status make_headers(struct trying *trying,
				   struct http_headers *headers,
				   struct wh_error *err)
{
	const struct http_request *request = trying->attempt->request;
	const char *const *line;

	for (line = request->headers; line && *line; line++)
		WH_TRY(add_line(headers, *line, err));
	if (!request->authorize || trying->attempt->foreign)
		return WH_OK;
	return request->authorize(
		request->authorize_arg, request,
		trying->attempt->refresh ? trying->attempt->response : NULL,
		headers, err);
}

/* ---- The connection -------------------------------------------------------
 */

/* Sees the address after the name was looked up: a server may hand out a URL
 * whose name means a machine inside. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *address)
{
	struct trying *trying = arg;
	bool refused;

	if (!trying->attempt->foreign) {
		if (!http_address_is_private(&address->addr))
			atomic_store(trying->public_origin, true);
	} else {
		refused = http_address_is_refused(
			&address->addr, atomic_load(trying->public_origin));
		if (refused) {
			trying->refused_address = true;
			return CURL_SOCKET_BAD;
		}
	}
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
		      address->protocol);
}

/* ---- Bodies ---------------------------------------------------------------
 */

/* The body's next bytes, at most `len`. */
static enum wh_status get_ready(struct trying *trying, size_t len,
				struct wh_error *err)
{
	const struct http_body *body = trying->attempt->request->body;

	if (!trying->ready)
		trying->ready = malloc(UPLOAD_BUFFER);
	if (!trying->ready)
		return wh_fail_memory(err);
	if (len > UPLOAD_BUFFER)
		len = UPLOAD_BUFFER;
	WH_TRY(body->read(body->arg, body->offset + trying->read_at,
			  trying->ready, len, err));
	trying->n_ready = len;
	return WH_OK;
}

/* A server that has seen enough answers and closes, and resets the connection
 * for what is still on its way. Writing fails from then on, while the answer
 * lies there to be read. libcurl looks for one, and only then asks for bytes:
 * those of a store take a while, so it is made to look again when they are
 * there. */
static size_t give_body(char *buf, size_t size, size_t n, void *arg)
{
	struct trying *trying = arg;
	uint64_t left = trying->attempt->request->body->size - trying->read_at;
	size_t len = size * n;

	if (len > left)
		len = (size_t)left;
	if (!len)
		return 0;
	if (!trying->n_ready) {
		/* Never 0 for a failure: libcurl would wait for more. */
		if (get_ready(trying, len, &trying->attempt->err))
			return CURL_READFUNC_ABORT;
		trying->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (len > trying->n_ready)
		len = trying->n_ready;
	memcpy(buf, trying->ready, len);
	trying->n_ready = 0;
	trying->read_at += len;
	atomic_fetch_add(&trying->meter->sent, len);
	return len;
}

static int seek_body(void *arg, curl_off_t offset, int origin)
{
	struct trying *trying = arg;

	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_CANTSEEK;
	atomic_fetch_sub(&trying->meter->sent,
			 trying->read_at - (uint64_t)offset);
	trying->read_at = (uint64_t)offset;
	trying->n_ready = 0;
	return CURL_SEEKFUNC_OK;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct trying *trying = arg;
	struct wh_buf *headers = &trying->attempt->response->headers;

	/* 100 Continue, then the reply: the last block counts. */
	if (n > 5 && memcmp(bytes, "HTTP/", 5) == 0)
		headers->size = 0;
	if (headers->size + size * n > MAX_HEADERS ||
	    wh_buf_append(headers, bytes, size * n, &trying->attempt->err))
		return 0;
	return size * n;
}

static bool is_success(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300;
}

static size_t keep_body(struct trying *trying, const char *bytes, size_t len,
			size_t limit)
{
	struct wh_buf *body = &trying->attempt->response->body;
	size_t some = body->size + len > limit ? limit - body->size : len;

	/* More of an error page than this helps nobody. */
	if (wh_buf_append(body, bytes, some, &trying->attempt->err))
		return 0;
	return len;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct trying *trying = arg;
	const struct http_request *request = trying->attempt->request;
	struct wh_error *err = &trying->attempt->err;
	size_t len = size * n;
	uint64_t at = trying->taken;

	atomic_fetch_add(&trying->meter->received, len);
	if (!is_success(trying->easy))
		return keep_body(trying, bytes, len, MAX_ERROR_BODY);
	if (!request->sink)
		return keep_body(trying, bytes, len, MAX_KEPT_BODY);
	trying->taken += len;
	if (request->max_reply && trying->taken > request->max_reply) {
		wh_fail(err, WH_EREMOTE,
			"the server sends more than the %llu "
			"bytes that there are",
			(unsigned long long)request->max_reply);
		return 0;
	}
	return request->sink(request->sink_arg, at, bytes, len, err) ? 0 : len;
}

/* ---- Waiting --------------------------------------------------------------
 */

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void mind_stalls(struct trying *trying)
{
	unsigned stall_s = trying->settings->stall_seconds;

	curl_easy_setopt(trying->easy, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_S);
	curl_easy_setopt(trying->easy, CURLOPT_LOW_SPEED_TIME,
			 (long)(stall_s ? stall_s : DEFAULT_STALL_S));
}

/* All that run share the rate. */
static void share_rate(struct trying *trying)
{
	uint64_t rate = trying->settings->limit_rate;
	unsigned n = atomic_load(&trying->meter->running);

	if (!rate)
		return;
	rate = n > 1 ? rate / n : rate;
	rate = rate ? rate : 1;
	if (rate == trying->rate)
		return;
	trying->rate = rate;
	curl_easy_setopt(trying->easy, CURLOPT_MAX_SEND_SPEED_LARGE,
			 (curl_off_t)rate);
	curl_easy_setopt(trying->easy, CURLOPT_MAX_RECV_SPEED_LARGE,
			 (curl_off_t)rate);
}

/* A stall while sending is one thing; a server that thinks after the last byte
 * (it joins parts, it hashes) is another, and may take its time. */
static int watch(void *arg, curl_off_t dltotal, curl_off_t dlnow,
		 curl_off_t ultotal, curl_off_t ulnow)
{
	struct trying *trying = arg;
	const struct http_body *body = trying->attempt->request->body;
	unsigned reply_s = trying->settings->reply_seconds;

	(void)dltotal;
	(void)ultotal;
	if (atomic_load(&trying->meter->cancelled))
		return 1;
	if (trying->paused) {
		trying->paused = false;
		if (curl_easy_pause(trying->easy, CURLPAUSE_CONT))
			return 1;
	}
	share_rate(trying);
	if (dlnow && trying->all_sent > 0 && !trying->replying) {
		trying->replying = true;
		mind_stalls(trying);
	}
	if (!body || (uint64_t)ulnow < body->size || dlnow)
		return 0;
	if (trying->all_sent <= 0) {
		trying->all_sent = now_s();
		curl_easy_setopt(trying->easy, CURLOPT_LOW_SPEED_LIMIT, 0L);
	}
	return now_s() - trying->all_sent >
	       (double)(reply_s ? reply_s : DEFAULT_REPLY_S);
}

/* ---- Settings -------------------------------------------------------------
 */

static const char *first_set(const char *given, const char *const *names)
{
	for (; !given && *names; names++) {
		given = getenv(*names);
		if (given && !*given)
			given = NULL;
	}
	return given;
}

/* The curl program reads these variables; libcurl does not. A build of it may
 * lack an option: then nothing is sent. */
static CURLcode set_trust(CURL *easy, const struct http_settings *settings)
{
	static const char *const names[] = {"WH_CA_FILE", "CURL_CA_BUNDLE",
					    "SSL_CERT_FILE",
					    "REQUESTS_CA_BUNDLE", NULL};
	const char *ca_file = first_set(settings->ca_file, names);
	CURLcode code;

	code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	if (!code)
		code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!code)
		code = curl_easy_setopt(easy, CURLOPT_SSLVERSION,
					(long)CURL_SSLVERSION_TLSv1_2);
	if (!code && ca_file)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	if (!code && settings->cert_file)
		code = curl_easy_setopt(easy, CURLOPT_SSLCERT,
					settings->cert_file);
	if (!code && settings->key_file)
		code = curl_easy_setopt(easy, CURLOPT_SSLKEY,
					settings->key_file);
	return code;
}

static void set_limits(struct trying *trying)
{
	CURL *easy = trying->easy;

	mind_stalls(trying);
	share_rate(trying);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, trying);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, trying);
}

static void set_body(struct trying *trying)
{
	const struct http_request *request = trying->attempt->request;
	CURL *easy = trying->easy;

	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)request->body->size);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
				 (long)UPLOAD_BUFFER);
		curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS,
				 EXPECT_MS);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, trying);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, trying);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, trying);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, trying);
}

static enum wh_status set_all(struct trying *trying,
			      struct http_headers *headers,
			      struct wh_error *err)
{
	const struct http_settings *settings = trying->settings;
	struct http_try *attempt = trying->attempt;
	CURL *easy = trying->easy;
	char agent[64];
	CURLcode code;

	if (curl_easy_setopt(easy, CURLOPT_URL, attempt->url) ||
	    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
	    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) ||
	    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->libcurl))
		return wh_fail_memory(err);
	snprintf(agent, sizeof(agent), "weighhouse/%s", wh_version());
	curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
	if (settings->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy);
	/* netrc names hosts, so it may be read wherever redirects are ours. */
	if (!attempt->foreign)
		curl_easy_setopt(easy, CURLOPT_NETRC,
				 (long)CURL_NETRC_OPTIONAL);
	code = set_trust(easy, settings);
	if (code)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libcurl takes no such certificates: "
			       "%s",
			       curl_easy_strerror(code));
	set_limits(trying);
	set_body(trying);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers->list);
	return WH_OK;
}

/* ---- Outcomes -------------------------------------------------------------
 */

static enum http_outcome classify(const struct trying *trying, CURLcode code)
{
	const struct http_body *body = trying->attempt->request->body;
	bool all_sent = !body || trying->read_at == body->size;

	if (trying->attempt->err.status || trying->refused_address)
		return HTTP_FAILED;
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_HTTP2_STREAM:
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_TRY_AGAIN;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_OPERATION_TIMEDOUT:
		return all_sent && body ? HTTP_AMBIGUOUS : HTTP_TRY_AGAIN;
	case CURLE_ABORTED_BY_CALLBACK:
		return trying->all_sent > 0 &&
				       !atomic_load(&trying->meter->cancelled)
			       ? HTTP_AMBIGUOUS
			       : HTTP_FAILED;
	default:
		return HTTP_FAILED;
	}
}

static const char *explain(const struct trying *trying, CURLcode code)
{
	if (trying->refused_address)
		return "the server points to an address that it may not point "
		       "to";
	switch ((int)code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
		return "the reply is not HTTP";
	case CURLE_ABORTED_BY_CALLBACK:
		return trying->all_sent > 0 ? "all was sent, but no reply came"
					    : "cancelled";
	default:
		return *trying->attempt->libcurl ? trying->attempt->libcurl
						 : curl_easy_strerror(code);
	}
}

/* Wrong name, out of date, unknown authority: libcurl tells which. */
static void explain_distrust(struct http_try *attempt)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "%.159s", attempt->libcurl);
	snprintf(attempt->libcurl, sizeof(attempt->libcurl),
		 "the server's certificate is not trusted: %s; --ca-file names "
		 "an authority to trust",
		 reason);
}

static void finish(struct trying *trying, CURLcode code)
{
	struct http_try *attempt = trying->attempt;
	long status = 0;

	curl_easy_getinfo(trying->easy, CURLINFO_RESPONSE_CODE, &status);
	attempt->response->status = status;
	attempt->response->sent = trying->read_at;
	/* Below 200 there was no reply. A reply that came before the body was
	 * taken ends in a send error, and still is one. */
	if (code == CURLE_OK || (status >= 300 && (code == CURLE_SEND_ERROR ||
						   code == CURLE_RECV_ERROR))) {
		attempt->outcome = HTTP_REPLIED;
		return;
	}
	attempt->response->status = 0;
	attempt->outcome = classify(trying, code);
	attempt->stalled = code == CURLE_OPERATION_TIMEDOUT ||
			   (code == CURLE_ABORTED_BY_CALLBACK &&
			    attempt->outcome == HTTP_AMBIGUOUS);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		explain_distrust(attempt);
	else if (attempt->libcurl != explain(trying, code))
		snprintf(attempt->libcurl, sizeof(attempt->libcurl), "%s",
			 explain(trying, code));
}

enum wh_status http_try(void *easy, const struct http_settings *settings,
			struct http_meter *meter, atomic_bool *public_origin,
			struct http_try *attempt, struct wh_error *err)
{
	struct trying trying = {.attempt = attempt,
				.settings = settings,
				.meter = meter,
				.public_origin = public_origin,
				.easy = easy};
	struct http_headers headers = {0};
	enum wh_status status;

	memset(&attempt->err, 0, sizeof(attempt->err));
	attempt->libcurl[0] = '\0';
	curl_easy_reset(easy);
	atomic_fetch_add(&meter->running, 1);
	status = make_headers(&trying, &headers, err);
	attempt->response->headers.size = attempt->response->body.size = 0;
	if (!status)
		status = set_all(&trying, &headers, err);
	if (!status) {
		atomic_fetch_add(&meter->requests, 1);
		finish(&trying, curl_easy_perform(easy));
	}
	atomic_fetch_sub(&meter->running, 1);
	curl_slist_free_all(headers.list);
	free(trying.ready);
	return status;
}
