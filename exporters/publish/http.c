/* A session: handles that keep their connections, retries, redirects. */
#include "publish/http_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "publish/late_curl.h"

#define MAX_IDLE      8
#define MAX_TRIES     6u
#define MAX_REDIRECTS 3
#define FIRST_WAIT_MS 500u
#define MAX_WAIT_MS   60000u
#define NAP_MS	      50u

struct http {
	struct http_settings settings;
	struct http_meter meter;
	atomic_bool public_origin; /* our server has a public address */
	atomic_uint jitter;
	pthread_mutex_t lock; /* of `idle` */
	CURL *idle[MAX_IDLE];
	unsigned n_idle;
};

static pthread_once_t started = PTHREAD_ONCE_INIT;

static void start_libcurl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum wh_status http_open(const struct http_settings *settings,
			 struct http **out, struct wh_error *err)
{
	struct http *http;

	WH_TRY(late_load(&late_curl, err));
	http = calloc(1, sizeof(*http));
	if (!http)
		return wh_fail_memory(err);
	pthread_once(&started, start_libcurl);
	http->settings = *settings;
	pthread_mutex_init(&http->lock, NULL);
	*out = http;
	return WH_OK;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	while (http->n_idle)
		curl_easy_cleanup(http->idle[--http->n_idle]);
	pthread_mutex_destroy(&http->lock);
	free(http);
}

struct http_meter *http_meter(struct http *http)
{
	return &http->meter;
}

static CURL *take_handle(struct http *http)
{
	CURL *easy = NULL;

	pthread_mutex_lock(&http->lock);
	if (http->n_idle)
		easy = http->idle[--http->n_idle];
	pthread_mutex_unlock(&http->lock);
	return easy ? easy : curl_easy_init();
}

static void give_handle(struct http *http, CURL *easy)
{
	pthread_mutex_lock(&http->lock);
	if (http->n_idle < MAX_IDLE) {
		http->idle[http->n_idle++] = easy;
		easy = NULL;
	}
	pthread_mutex_unlock(&http->lock);
	curl_easy_cleanup(easy);
}

/* ---- What may be asked ----------------------------------------------------
 */

static bool is_this_machine(const char *host)
{
	return strcmp(host, "localhost") == 0 ||
	       strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

static enum wh_status check_url(const struct http *http, const char *text,
				struct wh_error *err)
{
	enum wh_status status = WH_OK;
	struct http_url url;
	char shown[200];

	WH_TRY(http_url_parse(text, &url, err));
	http_url_redact(text, shown, sizeof(shown));
	if (strcmp(url.scheme, "https") != 0 && strcmp(url.scheme, "http") != 0)
		status = wh_fail(err, WH_EINVAL, "'%s' is not http or https",
				 shown);
	else if (strcmp(url.scheme, "http") == 0 &&
		 !http->settings.allow_http && !is_this_machine(url.host))
		status = wh_fail(err, WH_EINVAL,
				 "'%s' is not encrypted: use https, or allow "
				 "it with --allow-http",
				 shown);
	http_url_free(&url);
	return status;
}

/* One that a server handed out: what is wrong with it is the server's fault,
 * and in a redirect or a session there is nothing that the user can mend. */
static enum wh_status check_foreign(const struct http *http, const char *text,
				    struct wh_error *err)
{
	enum wh_status status = check_url(http, text, err);
	struct http_url url;
	bool refused;

	if (!status) {
		/* Behind a proxy nobody but us looks at it. */
		WH_TRY(http_url_parse(text, &url, err));
		refused = http_host_is_refused(
			url.host, atomic_load(&http->public_origin));
		http_url_free(&url);
		return refused ? wh_fail(err, WH_EREMOTE,
					 "the server points to an address that "
					 "it may not point to")
			       : WH_OK;
	}
	if (status != WH_EINVAL)
		return status;
	wh_error_prefix(err, "the server points elsewhere");
	if (err)
		err->status = WH_EREMOTE;
	return WH_EREMOTE;
}

/* ---- Waiting --------------------------------------------------------------
 */

static bool nap(const struct http *http, unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000,
				.tv_nsec = (long)(ms % 1000) * 1000000L};

	if (http->settings.sleep)
		return http->settings.sleep(http->settings.arg, ms);
	nanosleep(&time, NULL);
	return true;
}

static enum wh_status wait_ms(struct http *http, unsigned ms,
			      struct wh_error *err)
{
	/* In naps, so that Ctrl-C is heard; a replaced sleep gets it whole. */
	unsigned step = http->settings.sleep ? ms : NAP_MS;

	while (ms) {
		unsigned some = ms < step ? ms : step;

		if (atomic_load(&http->meter.cancelled) || !nap(http, some))
			return wh_fail(err, WH_ECANCELLED, "cancelled");
		ms -= some;
	}
	return WH_OK;
}

/* 0.5 s, doubled each time, with up to a quarter more so that many publishers
 * don't come back at once; what the server asks for wins. */
static unsigned pause_before(struct http *http, unsigned tries,
			     const struct http_response *response)
{
	unsigned asked_s = response->status ? http_retry_after(response) : 0;
	unsigned ms = FIRST_WAIT_MS << (tries < 8 ? tries - 1 : 7);
	unsigned turn = atomic_fetch_add(&http->jitter, 1);

	if (asked_s)
		return asked_s * 1000u;
	if (ms > MAX_WAIT_MS)
		ms = MAX_WAIT_MS;
	return ms + ms / 16u * (turn * 7u % 5u);
}

/* ---- Sending --------------------------------------------------------------
 */

struct sending {
	struct http *http;
	CURL *easy;
	struct http_try attempt;
	char *url; /* owned: after redirects */
	unsigned tries, redirects;
	bool refreshed;
};

static enum wh_status no_reply(const struct sending *sending,
			       struct wh_error *err)
{
	const struct http_try *attempt = &sending->attempt;
	const struct http_body *body = attempt->request->body;
	char shown[200], sent[80] = "", tries[32] = "";

	http_url_redact(attempt->url, shown, sizeof(shown));
	if (attempt->err.status) {
		if (err)
			*err = attempt->err;
		wh_error_prefix(err, "%s %s", attempt->request->method, shown);
		return attempt->err.status;
	}
	if (atomic_load(&sending->http->meter.cancelled))
		return wh_fail(err, WH_ECANCELLED, "cancelled");
	if (body)
		snprintf(sent, sizeof(sent), " after %llu of %llu bytes",
			 (unsigned long long)attempt->response->sent,
			 (unsigned long long)body->size);
	if (sending->tries > 1)
		snprintf(tries, sizeof(tries), " (tried %u times)",
			 sending->tries);
	return wh_fail(err, WH_EREMOTE, "%s %s%s: %s%s",
		       attempt->request->method, shown, sent, attempt->libcurl,
		       tries);
}

static bool is_redirect(const struct http_try *attempt)
{
	bool reads = strcmp(attempt->request->method, "GET") == 0 ||
		     strcmp(attempt->request->method, "HEAD") == 0;

	switch (attempt->response->status) {
	case 301:
	case 302:
	case 303:
		return reads; /* others turn an upload into a GET */
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

/* Credentials stay behind when scheme, host or port change; https never
 * becomes http. */
static enum wh_status follow(struct sending *sending, struct wh_error *err)
{
	struct http_try *attempt = &sending->attempt;
	char *next wh_free_auto = NULL;
	char location[4096], shown[200];

	http_url_redact(attempt->url, shown, sizeof(shown));
	if (!http_header(attempt->response, "Location", location,
			 sizeof(location)))
		return wh_fail(err, WH_EREMOTE,
			       "%s redirects without saying where to", shown);
	if (++sending->redirects > MAX_REDIRECTS)
		return wh_fail(err, WH_EREMOTE,
			       "%s redirects more than %d times", shown,
			       MAX_REDIRECTS);
	WH_TRY(http_url_join(attempt->url, location, &next, err));
	WH_TRY(check_foreign(sending->http, next, err));
	if (strncmp(attempt->url, "https:", 6) == 0 &&
	    strncmp(next, "https:", 6) != 0)
		return wh_fail(err, WH_EREMOTE,
			       "%s redirects from https to http", shown);
	if (!http_same_origin(attempt->url, next))
		attempt->foreign = true;
	free(sending->url);
	sending->url = wh_steal(&next);
	attempt->url = sending->url;
	return WH_OK;
}

/* After an ambiguous try: whether the server has what was sent. */
static enum wh_status ask_arrived(struct sending *sending, bool *arrived,
				  struct wh_error *err)
{
	const struct http_request *request = sending->attempt.request;

	*arrived = false;
	if (sending->attempt.outcome != HTTP_AMBIGUOUS || !request->arrived)
		return WH_OK;
	WH_TRY(request->arrived(request->arrived_arg, arrived, err));
	sending->attempt.response->arrived = *arrived;
	return WH_OK;
}

static bool may_repeat(const struct sending *sending)
{
	const struct http_try *attempt = &sending->attempt;
	unsigned most = sending->http->settings.max_tries;

	if (sending->tries >= (most ? most : MAX_TRIES))
		return false;
	if (attempt->outcome == HTTP_AMBIGUOUS && attempt->request->arrived)
		return true;
	return attempt->request->idempotent && attempt->outcome != HTTP_FAILED;
}

/* True: go round again. */
static enum wh_status judge_reply(struct sending *sending, bool *again,
				  struct wh_error *err)
{
	struct http_try *attempt = &sending->attempt;
	struct http_response *response = attempt->response;

	*again = true;
	if (response->status == 429 || response->status == 503)
		atomic_fetch_add(&sending->http->meter.busy, 1);
	if (is_redirect(attempt) && !attempt->request->keeps_redirects)
		return follow(sending, err);
	if (response->status == 401 && attempt->request->authorize &&
	    !attempt->foreign && !sending->refreshed) {
		sending->refreshed = attempt->refresh = true;
		return WH_OK;
	}
	attempt->refresh = false;
	if (!http_is_passing(response) || !may_repeat(sending)) {
		*again = false;
		return WH_OK;
	}
	atomic_fetch_add(&sending->http->meter.retries, 1);
	return wait_ms(sending->http,
		       pause_before(sending->http, sending->tries, response),
		       err);
}

static enum wh_status judge_silence(struct sending *sending, bool *again,
				    struct wh_error *err)
{
	bool arrived;

	*again = false;
	if (sending->attempt.stalled)
		atomic_fetch_add(&sending->http->meter.busy, 1);
	WH_TRY(ask_arrived(sending, &arrived, err));
	if (arrived)
		return WH_OK;
	if (!may_repeat(sending))
		return no_reply(sending, err);
	*again = true;
	atomic_fetch_add(&sending->http->meter.retries, 1);
	return wait_ms(sending->http,
		       pause_before(sending->http, sending->tries,
				    sending->attempt.response),
		       err);
}

static enum wh_status send_all(struct sending *sending, struct wh_error *err)
{
	struct http *http = sending->http;
	bool again = true;

	while (again) {
		if (sending->tries && sending->attempt.request->again)
			sending->attempt.request->again(
				sending->attempt.request->sink_arg);
		sending->tries++;
		WH_TRY(http_try(sending->easy, &http->settings, &http->meter,
				&http->public_origin, &sending->attempt, err));
		if (sending->attempt.outcome == HTTP_REPLIED)
			WH_TRY(judge_reply(sending, &again, err));
		else
			WH_TRY(judge_silence(sending, &again, err));
	}
	return WH_OK;
}

enum wh_status http_send(struct http *http, const struct http_request *request,
			 struct http_response *response, struct wh_error *err)
{
	struct sending sending = {
		.http = http,
		.attempt = {.request = request,
			    .url = request->url,
			    .foreign = request->foreign,
			    .response = response},
	};
	enum wh_status status;

	memset(response, 0, sizeof(*response));
	WH_TRY(request->foreign ? check_foreign(http, request->url, err)
				: check_url(http, request->url, err));
	sending.easy = take_handle(http);
	if (!sending.easy)
		return wh_fail_memory(err);
	status = send_all(&sending, err);
	give_handle(http, sending.easy);
	free(sending.url);
	if (status)
		http_response_free(response);
	return status;
}
