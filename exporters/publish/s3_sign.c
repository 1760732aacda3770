/* Signature version 4 of AWS.
 *
 *	canonical request   METHOD \n path \n query \n headers \n names \n hash
 *	string to sign      AWS4-HMAC-SHA256 \n date \n scope \n SHA-256 of it
 *	signature           HMAC chain of secret, day, region, "s3",
 *	                    "aws4_request", and then the string
 *
 * libcurl has one of its own, which in 7.88.1 fails on seven kinds of requests
 * that any S3 client sends: valueless and unsorted queries, escaped paths,
 * headers that begin alike. Source of the rules: AWS's documentation of
 * Signature Version 4; vectors in tests/unit/publish/test_s3_sign.c.
 */
#include "publish/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"

#define MAX_SIGNED 16

struct signed_header {
	char name[64];
	char *value;
};

struct canonical {
	const struct s3_signing *signing;
	struct http_url url;
	struct signed_header headers[MAX_SIGNED];
	size_t n;
	char day[9], time[17];
	char scope[128];
	struct wh_buf names, text;
};

static void canonical_free(struct canonical *canonical)
{
	size_t i;

	for (i = 0; i < canonical->n; i++)
		free(canonical->headers[i].value);
	http_url_free(&canonical->url);
	wh_buf_free(&canonical->names);
	wh_buf_free(&canonical->text);
}

/* Blanks at the ends go, runs of them become one. */
static char *canonical_value(const char *from)
{
	char *value = malloc(strlen(from) + 1), *to = value;

	while (*from == ' ')
		from++;
	for (; value && *from; from++)
		if (*from != ' ' || (from[1] != ' ' && from[1]))
			*to++ = *from;
	if (value)
		*to = '\0';
	return value;
}

static enum wh_status add(struct canonical *canonical, const char *name,
			  size_t len, const char *value, struct wh_error *err)
{
	struct signed_header *header = &canonical->headers[canonical->n];
	size_t i;

	if (canonical->n == MAX_SIGNED || len >= sizeof(header->name))
		return wh_fail(err, WH_EINVAL, "too many headers to sign");
	for (i = 0; i < len; i++)
		header->name[i] = ascii_lower(name[i]);
	header->name[len] = '\0';
	header->value = canonical_value(value);
	if (!header->value)
		return wh_fail_memory(err);
	canonical->n++;
	return WH_OK;
}

static bool is_signed(const char *line, size_t len)
{
	return ascii_same(line, "x-amz-", 6) ||
	       (len == 12 && ascii_same(line, "content-type", len)) ||
	       (len == 11 && ascii_same(line, "content-md5", len));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct signed_header *)a)->name,
		      ((const struct signed_header *)b)->name);
}

/* The port is part of the Host header unless it is the scheme's own. */
static enum wh_status add_host(struct canonical *canonical,
			       struct wh_error *err)
{
	const struct http_url *url = &canonical->url;
	bool own =
		url->port == (strcmp(url->scheme, "https") == 0 ? 443u : 80u);
	char host[300];

	if (own)
		snprintf(host, sizeof(host), "%s", url->host);
	else
		snprintf(host, sizeof(host), "%s:%u", url->host, url->port);
	return add(canonical, "host", 4, host, err);
}

static enum wh_status collect(struct canonical *canonical, struct wh_error *err)
{
	const struct s3_signing *signing = canonical->signing;
	const char *const *line;

	WH_TRY(add_host(canonical, err));
	WH_TRY(add(canonical, "x-amz-content-sha256", 20, signing->hash, err));
	WH_TRY(add(canonical, "x-amz-date", 10, canonical->time, err));
	if (signing->keys->token)
		WH_TRY(add(canonical, "x-amz-security-token", 20,
			   signing->keys->token, err));
	for (line = signing->headers; line && *line; line++) {
		size_t len = strcspn(*line, ":");

		if (is_signed(*line, len))
			WH_TRY(add(canonical, *line, len, *line + len + 1,
				   err));
	}
	qsort(canonical->headers, canonical->n, sizeof(canonical->headers[0]),
	      by_name);
	return WH_OK;
}

static enum wh_status print(struct canonical *canonical, struct wh_error *err)
{
	const struct s3_signing *signing = canonical->signing;
	struct wh_buf *text = &canonical->text, *names = &canonical->names;
	const struct http_url *url = &canonical->url;
	size_t i;

	WH_TRY(wh_buf_printf(text, err, "%s\n%s\n%s\n", signing->method,
			     url->path, url->query ? url->query : ""));
	for (i = 0; i < canonical->n; i++) {
		const struct signed_header *header = &canonical->headers[i];

		WH_TRY(wh_buf_printf(text, err, "%s:%s\n", header->name,
				     header->value));
		WH_TRY(wh_buf_printf(names, err, "%s%s", i ? ";" : "",
				     header->name));
	}
	return wh_buf_printf(text, err, "\n%.*s\n%s", (int)names->size,
			     (const char *)names->data, signing->hash);
}

static enum wh_status begin(const struct s3_signing *signing,
			    struct canonical *canonical, struct wh_error *err)
{
	struct tm utc;

	memset(canonical, 0, sizeof(*canonical));
	canonical->signing = signing;
	gmtime_r(&signing->time, &utc);
	strftime(canonical->day, sizeof(canonical->day), "%Y%m%d", &utc);
	strftime(canonical->time, sizeof(canonical->time), "%Y%m%dT%H%M%SZ",
		 &utc);
	snprintf(canonical->scope, sizeof(canonical->scope),
		 "%s/%s/s3/aws4_request", canonical->day,
		 signing->keys->region);
	WH_TRY(http_url_parse(signing->url, &canonical->url, err));
	WH_TRY(collect(canonical, err));
	return print(canonical, err);
}

static enum wh_status chain(const struct canonical *canonical,
			    const char *to_sign, char signature[S3_HASH_SIZE],
			    struct wh_error *err)
{
	const struct s3_keys *keys = canonical->signing->keys;
	const char *const links[] = {canonical->day, keys->region, "s3",
				     "aws4_request", to_sign};
	uint8_t key[SHA256_SIZE];
	char *secret wh_free_auto = NULL;
	enum wh_status status;
	size_t i;

	if (asprintf(&secret, "AWS4%s", keys->secret) < 0) {
		secret = NULL;
		return wh_fail_memory(err);
	}
	status = sha256_hmac(secret, strlen(secret), links[0], strlen(links[0]),
			     key, err);
	explicit_bzero(secret, strlen(secret));
	for (i = 1; i < sizeof(links) / sizeof(links[0]) && !status; i++)
		status = sha256_hmac(key, sizeof(key), links[i],
				     strlen(links[i]), key, err);
	text_hex(key, sizeof(key), signature);
	explicit_bzero(key, sizeof(key));
	return status;
}

static enum wh_status compute(const struct canonical *canonical,
			      char request_hash[S3_HASH_SIZE],
			      char signature[S3_HASH_SIZE],
			      struct wh_error *err)
{
	uint8_t digest[SHA256_SIZE];
	char to_sign[400];

	WH_TRY(sha256_of(canonical->text.data, canonical->text.size, digest,
			 err));
	text_hex(digest, sizeof(digest), request_hash);
	snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s\n%s",
		 canonical->time, canonical->scope, request_hash);
	return chain(canonical, to_sign, signature, err);
}

enum wh_status s3_signature(const struct s3_signing *signing,
			    char request_hash[S3_HASH_SIZE],
			    char signature[S3_HASH_SIZE], struct wh_error *err)
{
	struct canonical canonical;
	enum wh_status status = begin(signing, &canonical, err);

	if (!status)
		status = compute(&canonical, request_hash, signature, err);
	canonical_free(&canonical);
	return status;
}

static enum wh_status add_lines(const struct canonical *canonical,
				struct http_headers *headers,
				struct wh_error *err)
{
	const struct s3_signing *signing = canonical->signing;
	char request_hash[S3_HASH_SIZE], signature[S3_HASH_SIZE];

	WH_TRY(http_add_header(headers, err, "x-amz-content-sha256: %s",
			       signing->hash));
	if (!signing->keys->access)
		return WH_OK; /* anonymous */
	WH_TRY(compute(canonical, request_hash, signature, err));
	WH_TRY(http_add_header(headers, err, "x-amz-date: %s",
			       canonical->time));
	if (signing->keys->token)
		WH_TRY(http_add_header(headers, err, "x-amz-security-token: %s",
				       signing->keys->token));
	return http_add_header(
		headers, err,
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
		"SignedHeaders=%.*s, Signature=%s",
		signing->keys->access, canonical->scope,
		(int)canonical->names.size, (const char *)canonical->names.data,
		signature);
}

enum wh_status s3_sign(const struct s3_signing *signing,
		       struct http_headers *headers, struct wh_error *err)
{
	struct canonical canonical;
	enum wh_status status = begin(signing, &canonical, err);

	if (!status)
		status = add_lines(&canonical, headers, err);
	canonical_free(&canonical);
	return status;
}
