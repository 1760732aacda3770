/* publish/s3.h: what the S3 place's files share. */
#ifndef WH_PUBLISH_S3_H
#define WH_PUBLISH_S3_H

#include <pthread.h>
#include <time.h>

#include "publish/place.h"

/* ---- s3_keys.c: who we are, from where AWS's own tools take it ------------
 */

struct s3_keys {
	char *access, *secret; /* NULL: anonymous */
	char *token;	       /* of a session; or NULL */
	char *region;	       /* never NULL: us-east-1 if nothing says */
	char *endpoint;	       /* "https://host:port"; NULL: AWS's own */
	char *style;	       /* "virtual": the bucket is part of the host's
				  name; "path"; NULL: as the store wants it */
};

/** AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; else the
 *  profile AWS_PROFILE (or "default") of the shared credentials and config
 *  files. AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3,
 *  AWS_ENDPOINT_URL win over the files. The files alone have the style. */
enum wh_status s3_keys_find(struct s3_keys *keys, struct wh_error *err);
void s3_keys_free(struct s3_keys *keys);

/* ---- s3_sign.c: signature version 4 ---------------------------------------
 */

#define S3_HASH_SIZE 65 /* 64 hex digits and a NUL */

struct s3_signing {
	const struct s3_keys *keys;
	const char *method, *url; /* path and query as canonical as on the wire:
				     escaped once, the query sorted */
	const char *const *headers; /* "Name: value"; signed are Content-Type,
				       Content-MD5 and x-amz-* */
	const char *hash;	    /* of the body, 64 hex digits */
	time_t time;
};

/** Adds x-amz-content-sha256, x-amz-date, x-amz-security-token and
 *  Authorization. */
enum wh_status s3_sign(const struct s3_signing *signing,
		       struct http_headers *headers, struct wh_error *err);

/** The signature alone, and the hash of the canonical request, both as hex:
 *  for the published vectors. */
enum wh_status s3_signature(const struct s3_signing *signing,
			    char request_hash[S3_HASH_SIZE],
			    char signature[S3_HASH_SIZE], struct wh_error *err);

/* ---- place_s3.c -----------------------------------------------------------
 */

struct s3_place {
	struct place base; /* first: they are cast into each other */
	struct http *http;
	struct s3_keys keys;
	char *bucket;
	char *prefix;	      /* "" or "a/b/" */
	_Atomic long skew_s;  /* the server's clock less ours */
	pthread_mutex_t lock; /* of keys.region, which a server may correct,
				 and of what follows from it: */
	char *root; /* "https://host/bucket" or "https://bucket.host" */
};

struct s3_request {
	const char *method;
	const char *path;  /* in the place; NULL: the bucket itself */
	const char *query; /* canonical, without '?'; or NULL */
	const char *const *headers;
	const struct http_body *body; /* or NULL */
	const char *hash;	      /* of the body; NULL: of none */
	enum wh_status (*arrived)(void *arg, bool *yes, struct wh_error *err);
	void *arrived_arg;
	enum wh_status (*sink)(void *arg, uint64_t offset, const void *bytes,
			       size_t len, struct wh_error *err);
	void *sink_arg;
	void (*again)(void *sink_arg);
	uint64_t max_reply;
};

/** Signs and sends; learns the clock and the region from a refusal. */
enum wh_status s3_send(struct s3_place *place, const struct s3_request *request,
		       struct http_response *response, struct wh_error *err);
/** http_refused of it. */
enum wh_status s3_refused(struct s3_place *place,
			  const struct s3_request *request,
			  const struct http_response *response,
			  struct wh_error *err);
/** Whether the reply's error code is `code`. */
bool s3_is(const struct http_response *response, const char *code);

/** The next `<name>` of a list, from `*at` on, as a buffer that borrows; false
 *  at the end. */
bool s3_next(const struct wh_buf *body, size_t *at, const char *name,
	     struct wh_buf *element);

/** The metadata header that carries a file's SHA-256. */
void s3_digest_header(const struct content *content, char line[96]);

enum wh_status s3_stat(struct s3_place *place, const struct content *content,
		       struct remote_file *file, struct wh_error *err);

/** For s3_request.arrived: whether the content is there, by its digest. */
struct s3_arrival {
	struct s3_place *place;
	const struct content *content;
};
enum wh_status s3_has_arrived(void *arg, bool *yes, struct wh_error *err);

/* ---- s3_list.c ------------------------------------------------------------
 */

/** The pointers beside the folder of versions: their names. None where the keys
 *  may not list, or the store can't. */
enum wh_status s3_aliases(struct place *place, alias_fn *fn, void *arg,
			  struct wh_error *err);

/* ---- s3_upload.c: large files, in parts -----------------------------------
 */

enum wh_status s3_upload(struct s3_place *place, const struct content *content,
			 struct wh_error *err);

#endif
