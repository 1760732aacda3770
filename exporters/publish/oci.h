/* publish/oci.h: what the OCI place's files share. */
#ifndef WH_PUBLISH_OCI_H
#define WH_PUBLISH_OCI_H

#include <jansson.h>
#include <pthread.h>
#include <time.h>

#include "publish/credentials.h"
#include "publish/place.h"

enum oci_auth { OCI_UNKNOWN = 0, OCI_OPEN, OCI_BASIC, OCI_BEARER };

struct oci_place {
	struct place base; /* first: they are cast into each other */
	struct http *http;
	char *root;	      /* "https://registry:port" */
	char *repository;     /* "team/model" */
	pthread_mutex_t lock; /* of all below */
	enum oci_auth auth;
	struct credentials credentials;
	bool sought; /* the login, once the registry wants one */
	char *realm, *service;
	char *scope;		 /* what the last refusal named; or NULL */
	const json_t *elsewhere; /* place_settings.elsewhere */
	char *token;		 /* of a Bearer registry */
	time_t expires;
	json_t *layers; /* {path: digest} of what was found there */
};

enum wh_status oci_open(const struct place_settings *settings,
			struct oci_place **place, struct wh_error *err);
void oci_close(struct oci_place *place);

/** http_authorize_fn: asks the registry what it wants, once, goes by what its
 *  refusals want then, and fetches tokens as they expire. */
enum wh_status oci_authorize(void *place, const struct http_request *request,
			     const struct http_response *refused,
			     struct http_headers *headers,
			     struct wh_error *err);

/* ---- oci_blobs.c -----------------------------------------------------------
 */

/** A request of that place; borrows `url`. */
struct http_request oci_request(struct oci_place *place, const char *method,
				const char *url);
/** ROOT/v2/REPOSITORY/KIND/NAME; the caller frees it. NULL on failure. */
enum wh_status oci_url(const struct oci_place *place, const char *kind,
		       const char *name, char **url, struct wh_error *err);
/** Whether the registry has the blob of that content. */
enum wh_status oci_has_blob(struct oci_place *place,
			    const struct content *content,
			    struct remote_file *file, struct wh_error *err);
/** place_kind.stat, .put and .get. */
enum wh_status oci_stat(struct place *place, const struct content *content,
			struct remote_file *file, struct wh_error *err);
enum wh_status oci_put(struct place *place, const struct content *content,
		       struct wh_error *err);
enum wh_status oci_get(struct place *place, const char *path,
		       const struct remote_range *range, remote_sink_fn *sink,
		       void *arg, struct wh_error *err);

/* ---- oci_config.c ----------------------------------------------------------
 */

/** The login for `repository` at `host` in Docker's or Podman's files, or of
 *  the program that they name; leaves `credentials` alone if there is none.
 *  WH_EINVAL for a file that is no JSON, a program that fails. */
enum wh_status oci_login_find(const char *host, const char *repository,
			      struct credentials *credentials,
			      struct wh_error *err);

/* ---- oci_helper.c ----------------------------------------------------------
 */

/** Asks docker-credential-HELPER for the login at `server`: `answer` is what it
 *  prints, a secret. Not `found`: it knows none. */
enum wh_status oci_helper_get(const char *helper, const char *server,
			      struct wh_buf *answer, bool *found,
			      struct wh_error *err);

/* ---- oci_manifest.c --------------------------------------------------------
 */

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_TITLE	  "org.opencontainers.image.title"

/** "sha256:" and 64 digits. */
void oci_digest_text(const uint8_t sha256[DIGEST_SIZE], char text[80]);
/** The model's config: what the layers are, by digest, as ModelPack wants. */
enum wh_status oci_print_config(const struct publication *publication,
				struct wh_buf *text, struct wh_error *err);
enum wh_status oci_print_manifest(const struct publication *publication,
				  const struct content *config,
				  struct wh_buf *text, struct wh_error *err);

#endif
