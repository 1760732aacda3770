/* OCI registries: oci://REGISTRY/REPOSITORY[:TAG].
 *
 * A file is a blob, named by its SHA-256, so the registry itself refuses other
 * bytes. A publication is a manifest that lists them; a tag is the pointer, and
 * moves last. Layout: CNCF ModelPack, raw layers, each with its path as
 * annotation; MANIFEST.json is a layer like the others.
 *
 *	HEAD  /v2/NAME/blobs/DIGEST             is it there?
 *	POST  /v2/NAME/blobs/uploads/           202, Location; with
 *	      ?mount=DIGEST&from=OTHER          201 if it has that blob
 *	PUT   LOCATION?digest=DIGEST            201
 *	PUT   /v2/NAME/manifests/TAG            201
 *
 * Source: OCI distribution specification 1.1; measured on docker-registry
 * 2.8.2 and distribution 3.1.2. Blobs are sent whole: 2.8.2 loses an upload
 * that is cut, and appends chunks that come out of order.
 */
#include "publish/oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/json_put.h"
#include "base/sha256.h"
#include "base/text.h"
#include "publish/publication.h"

/* Of tags: a registry may not go on for ever. */
#define MAX_PAGES 1000
#define NO_END	  "the registry's list of tags has no end"

/* ---- Manifests ------------------------------------------------------------
 */

static enum wh_status put_config(struct oci_place *place, struct wh_buf *bytes,
				 struct content *config, struct wh_error *err)
{
	struct remote_file there;

	*config = (struct content){.path = "config",
				   .size = bytes->size,
				   .immutable = true,
				   .read = read_memory,
				   .arg = bytes->data};
	WH_TRY(sha256_of(bytes->data, bytes->size, config->sha256, err));
	WH_TRY(oci_has_blob(place, config, &there, err));
	return there.exists ? WH_OK : oci_put(&place->base, config, err);
}

#define MAX_COLLISIONS 5 /* of manifests */

/* docker-registry 2.8.2 takes two PUTs of the same manifest at once for a wrong
 * digest, though a tag names none. */
static bool is_collision(const struct http_response *response)
{
	char reason[200];

	if (response->status != 400)
		return false;
	http_reason(response, reason, sizeof(reason));
	return strstr(reason, "DIGEST_INVALID") != NULL;
}

static enum wh_status put_tag(struct oci_place *place, const char *tag,
			      struct wh_buf *manifest, struct wh_error *err)
{
	static const char *const headers[] = {
		"Content-Type: " OCI_MANIFEST_TYPE, NULL};
	struct http_body body = {.read = read_memory,
				 .arg = manifest->data,
				 .size = manifest->size};
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;
	int i;

	WH_TRY(oci_url(place, "manifests", tag, &url, err));
	request = oci_request(place, "PUT", url);
	request.headers = headers;
	request.body = &body;
	WH_TRY(http_send(place->http, &request, &response, err));
	for (i = 1; i < MAX_COLLISIONS && is_collision(&response); i++) {
		http_response_free(&response);
		usleep(50000u * (unsigned)i);
		WH_TRY(http_send(place->http, &request, &response, err));
	}
	if (response.status != 201)
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

/* Under the snapshot's id first, which stays, then under the tag that moves. */
static enum wh_status point(struct place *base,
			    const struct publication *publication,
			    const char *alias, struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	struct wh_buf config_text wh_buf_auto = {0};
	struct wh_buf manifest wh_buf_auto = {0};
	struct content config;

	WH_TRY(oci_print_config(publication, &config_text, err));
	WH_TRY(put_config(place, &config_text, &config, err));
	WH_TRY(oci_print_manifest(publication, &config, &manifest, err));
	WH_TRY(put_tag(place, publication->snapshot, &manifest, err));
	return put_tag(place, alias, &manifest, err);
}

/* ---- Getting --------------------------------------------------------------
 */

static enum wh_status read_manifest(struct oci_place *place, const char *name,
				    struct wh_buf *text, struct wh_error *err)
{
	/* distribution 3.1.2 says 404 to a request that accepts nothing. */
	static const char *const headers[] = {"Accept: " OCI_MANIFEST_TYPE,
					      NULL};
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	WH_TRY(oci_url(place, "manifests", name, &url, err));
	request = oci_request(place, "GET", url);
	request.headers = headers;
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status == 200)
		status = wh_buf_append(text, response.body.data,
				       response.body.size, err);
	else
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const char *title_of(json_t *layer)
{
	return text_of(json_object_get(layer, "annotations"), OCI_TITLE);
}

/* What `resolve` found, for the gets that follow: {path: digest}. */
static enum wh_status note_layers(struct oci_place *place, json_t *root,
				  const char *snapshot, struct wh_error *err)
{
	json_t *layers = json_object_get(root, "layers"), *layer;
	size_t i;

	if (!json_is_array(layers) || !snapshot)
		return wh_fail(err, WH_ECORRUPT,
			       "the tag names no snapshot of weighhouse");
	json_array_foreach(layers, i, layer)
	{
		const char *title = title_of(layer);
		const char *digest = text_of(layer, "digest");
		char *path wh_free_auto = NULL;

		if (!title || !digest || place_check_path(title, NULL) ||
		    strncmp(digest, "sha256:", 7) != 0)
			continue;
		if (asprintf(&path, "v/%s/%s", snapshot, title) < 0)
			path = NULL;
		if (!path || json_object_set_new(place->layers, path,
						 json_string(digest)))
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status resolve_layers(struct oci_place *place, json_t *root,
				     struct pointer *pointer,
				     struct wh_error *err)
{
	json_t *annotations = json_object_get(root, "annotations");
	const char *snapshot =
		text_of(annotations, "org.opencontainers.image.revision");
	const char *key, *digest = NULL;
	json_t *value;

	WH_TRY(note_layers(place, root, snapshot, err));
	json_object_foreach(place->layers, key, value)
	{
		const char *name = strrchr(key, '/') + 1;

		/* There may be layers of other snapshots, resolved before. */
		if (strncmp(key, "v/", 2) == 0 &&
		    text_starts(key + 2, snapshot) &&
		    text_starts(name, "MANIFEST") && text_ends(name, ".json")) {
			digest = json_string_value(value);
			snprintf(pointer->manifest, sizeof(pointer->manifest),
				 "%s", key);
		}
	}
	if (!digest || strlen(digest) != 7 + 64 ||
	    strlen(snapshot) != HEX_SIZE - 1)
		return wh_fail(err, WH_ECORRUPT,
			       "the tag names no snapshot of weighhouse");
	strcpy(pointer->snapshot, snapshot);
	strcpy(pointer->sha256, digest + 7);
	return WH_OK;
}

static enum wh_status resolve(struct place *base, const char *alias,
			      struct pointer *pointer, struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	struct wh_buf text wh_buf_auto = {0};
	enum wh_status status;
	json_t *root;

	memset(pointer, 0, sizeof(*pointer));
	WH_TRY(read_manifest(place, alias, &text, err));
	root = json_of_text((const char *)text.data, text.size, 0, NULL);
	status = resolve_layers(place, root, pointer, err);
	json_decref(root);
	return status;
}

/* ---- Removing -------------------------------------------------------------
 */

/* A manifest is deleted by its digest, and its tags with it; a tag alone by
 * its name, which docker-registry 2.8.2 refuses. */
static enum wh_status delete_manifest(struct oci_place *place, const char *name,
				      struct wh_error *err)
{
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	WH_TRY(oci_url(place, "manifests", name, &url, err));
	request = oci_request(place, "DELETE", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status != 202 && response.status != 200 &&
	    response.status != 404)
		status = http_refused(&request, &response, err);
	if (response.status == 405 || response.status == 400) {
		status = WH_EUNSUPPORTED;
		if (err)
			err->status = status;
	}
	http_response_free(&response);
	return status;
}

static enum wh_status unpoint(struct place *base, const char *alias,
			      struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	enum wh_status status =
		delete_manifest(place, alias, err);

	if (status == WH_EUNSUPPORTED)
		wh_error_prefix(err,
				"this registry can't remove a tag: point it "
				"elsewhere by publishing");
	return status;
}

static enum wh_status erase(struct place *base, const char *snapshot,
			    struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	struct wh_buf text wh_buf_auto = {0};
	uint8_t sha256[DIGEST_SIZE];
	enum wh_status status;
	char digest[80];

	status = read_manifest(place, snapshot, &text, err);
	if (status)
		return status == WH_ENOTFOUND ? WH_OK : status;
	WH_TRY(sha256_of(text.data, text.size, sha256, err));
	oci_digest_text(sha256, digest);
	status = delete_manifest(place, digest, err);
	if (status == WH_EUNSUPPORTED)
		wh_error_prefix(err, "this registry deletes nothing");
	return status;
}

static enum wh_status tell_tags(json_t *tags, alias_fn *fn, void *arg,
				struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	json_t *tag;
	size_t i;

	json_array_foreach(tags, i, tag)
	{
		const char *name = json_string_value(tag);

		/* A snapshot's own tag is no alias. */
		if (name && !text_unhex(name, digest, sizeof(digest)))
			WH_TRY(fn(arg, name, err));
	}
	return WH_OK;
}

/* `</v2/NAME/tags/list?last=b&n=100>; rel="next"`: registries give as many at a
 * time as they like. `url` is the next page then, or NULL. */
static enum wh_status next_page(const struct oci_place *place,
				const struct http_response *response,
				char **url, struct wh_error *err)
{
	char link[4096], *page = *url;
	enum wh_status status;

	*url = NULL;
	if (!http_header(response, "Link", link, sizeof(link)) ||
	    *link != '<' || !strstr(link, "next")) {
		free(page);
		return WH_OK;
	}
	link[strcspn(link, ">")] = '\0';
	status = http_url_join(page, link + 1, url, err);
	if (!status && strcmp(page, *url) == 0)
		status = wh_fail(err, WH_EREMOTE, NO_END);
	free(page);
	if (!status && !http_same_origin(place->root, *url))
		status = wh_fail(err, WH_EREMOTE,
				 "the registry lists its tags elsewhere");
	return status;
}

/* Takes `url`, and gives the next page's. */
static enum wh_status list_page(struct oci_place *place, char **url,
				alias_fn *fn, void *arg, struct wh_error *err)
{
	struct http_request request = oci_request(place, "GET", *url);
	struct http_response response;
	enum wh_status status;
	json_t *root;

	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status == 200) {
		root = json_of_text((const char *)response.body.data,
				    response.body.size, 0, NULL);
		/* What isn't seen may name what is to go. */
		status = json_is_object(root)
				 ? tell_tags(json_object_get(root, "tags"), fn,
					     arg, err)
				 : wh_fail(err, WH_EREMOTE,
					   "what should list the registry's "
					   "tags does not");
		json_decref(root);
	} else {
		status = response.status == 404
				 ? WH_OK
				 : http_refused(&request, &response, err);
	}
	if (!status)
		status = next_page(place, &response, url, err);
	http_response_free(&response);
	return status;
}

static enum wh_status list_aliases(struct place *base, alias_fn *fn, void *arg,
				   struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	enum wh_status status;
	char *url = NULL;
	int page;

	status = oci_url(place, "tags", "list?n=1000", &url, err);
	for (page = 0; !status && url && page < MAX_PAGES; page++)
		status = list_page(place, &url, fn, arg, err);
	/* What isn't seen may name what is to go. */
	if (!status && url)
		status = wh_fail(err, WH_EREMOTE, NO_END);
	free(url);
	return status;
}

/* Blobs that no manifest names are the registry's to collect. */
static enum wh_status remove_file(struct place *base, const char *path,
				  struct wh_error *err)
{
	(void)base;
	(void)path;
	(void)err;
	return WH_OK;
}

static void close_place(struct place *base)
{
	oci_close((struct oci_place *)base);
}

static enum wh_status open_place(const struct place_settings *settings,
				 struct place **out, struct wh_error *err)
{
	struct oci_place *place;

	WH_TRY(oci_open(settings, &place, err));
	*out = &place->base;
	return WH_OK;
}

static const char *const schemes[] = {"oci", "oci+http", NULL};

const struct place_kind oci_place = {
	.name = "oci",
	.schemes = schemes,
	.open = open_place,
	.stat = oci_stat,
	.put = oci_put,
	.get = oci_get,
	.remove = remove_file,
	.point = point,
	.resolve = resolve,
	.aliases = list_aliases,
	.unpoint = unpoint,
	.erase = erase,
	.close = close_place,
};
