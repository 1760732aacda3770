/* publish/credentials.h: secrets, from where people keep them: never from an
 * argument, never into a message. */
#ifndef WH_PUBLISH_CREDENTIALS_H
#define WH_PUBLISH_CREDENTIALS_H

#include "publish/place.h"

/** What identifies us; all NULL: nothing, and libcurl looks into netrc. */
struct credentials {
	char *username, *password; /* Basic */
	char *bearer;		   /* Bearer token */
	char *token_file;	   /* where it is from: read for each request,
				      since tokens are renewed there; or NULL */
	char *header;		   /* a whole line: "PRIVATE-TOKEN: ..." */
	char *identity; /* for a registry's token server alone: OAuth2's
			   refresh token */
};

/** What a remote's settings name (`token_env`, `token_file`), or as
 *  credentials_find. WH_EINVAL if the variable isn't set. */
enum wh_status credentials_of(const char *profile,
			      const struct place_settings *settings,
			      struct credentials *credentials,
			      struct wh_error *err);

/** From the environment: WH_HTTP_TOKEN (or the file that WH_HTTP_TOKEN_FILE
 *  names), WH_HTTP_USER with WH_HTTP_PASSWORD; before them what the profile's
 *  own tools read: GITLAB_TOKEN, CI_JOB_TOKEN, WH_ARTIFACTORY_TOKEN. */
enum wh_status credentials_find(const char *profile,
				struct credentials *credentials,
				struct wh_error *err);
/** Overwrites the secrets first. */
void credentials_free(struct credentials *credentials);

/** Adds the header that they mean; nothing if there are none. */
enum wh_status credentials_add(const struct credentials *credentials,
			       struct http_headers *headers,
			       struct wh_error *err);

/** A file's only line, malloc'd. */
enum wh_status credentials_read_file(const char *path, char **line,
				     struct wh_error *err);

/** malloc'd; NULL if there is no memory. */
char *base64_encode(const void *bytes, size_t len);

#endif
