/* The kinds of places: a line each. */
#include "publish/manifest.h"
#include "publish/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"

#include "config.h"

static const struct place_kind *const kinds[] = {
	&folder_place,
#if HAVE_HTTP
	&http_place,   &s3_place, &oci_place, &mlflow_place,
#endif
};

#define MAX_SMALL ((size_t)8 << 20)
#define N_KINDS	  (sizeof(kinds) / sizeof(kinds[0]))

#if !HAVE_HTTP
static const char *const network_schemes[] = {
	"http", "https", "s3", "oci", "oci+http", "mlflow", "mlflow+http"};
#endif

struct http_body content_body(const struct content *content)
{
	return (struct http_body){.read = content->read,
				  .arg = content->arg,
				  .size = content->size};
}

enum wh_status read_memory(void *arg, uint64_t offset, void *buf, size_t len,
			   struct wh_error *err)
{
	(void)err;
	memcpy(buf, (const uint8_t *)arg + offset, len);
	return WH_OK;
}

static bool has_scheme(const char *text, const char *scheme)
{
	size_t len = strlen(scheme);

	return ascii_same(text, scheme, len) && text[len] == ':';
}

static const struct place_kind *find_kind(const char *url)
{
	const char *const *scheme;
	size_t i;

	for (i = 0; i < N_KINDS; i++)
		for (scheme = kinds[i]->schemes; *scheme; scheme++)
			if (has_scheme(url, *scheme))
				return kinds[i];
	return NULL;
}

static bool needs_network(const char *text)
{
#if !HAVE_HTTP
	size_t i;

	for (i = 0; i < sizeof(network_schemes) / sizeof(network_schemes[0]);
	     i++)
		if (has_scheme(text, network_schemes[i]))
			return true;
#else
	(void)text;
#endif
	return false;
}

bool place_is_url(const char *text)
{
	return find_kind(text) || needs_network(text);
}

enum wh_status place_open(const struct place_settings *settings,
			  struct place **place, struct wh_error *err)
{
	const struct place_kind *kind = find_kind(settings->url);

	if (!kind && needs_network(settings->url))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "this build of weighhouse lacks libcurl: "
			       "install it (Debian: "
			       "libcurl4-openssl-dev) and build again");
	if (!kind)
		return wh_fail(err, WH_EINVAL,
			       "'%s' is no place to publish to: file:, http:, "
			       "https:, s3:, oci: and mlflow: are",
			       settings->url);
	WH_TRY(kind->open(settings, place, err));
	(*place)->kind = kind;
	(*place)->journal = settings->journal;
	(*place)->go_on = settings->go_on;
	(*place)->go_on_arg = settings->go_on_arg;
	(*place)->parallel = settings->parallel ? settings->parallel : 4;
	(*place)->serial |= kind->serial;
	return WH_OK;
}

void place_close(struct place *place)
{
	if (place)
		place->kind->close(place);
}

static bool is_bad_part(const char *part, size_t len)
{
	return len == 0 || (len == 1 && part[0] == '.') ||
	       (len == 2 && part[0] == '.' && part[1] == '.');
}

enum wh_status place_check_path(const char *path, struct wh_error *err)
{
	const char *at = path;

	for (; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
			return wh_fail(err, WH_EINVAL,
				       "'%s' can't be a path in a place", path);
	for (at = path;; at++) {
		size_t len = strcspn(at, "/");

		if (is_bad_part(at, len))
			return wh_fail(err, WH_EINVAL,
				       "'%s' can't be a path in a place", path);
		at += len;
		if (!*at)
			return WH_OK;
	}
}

bool remote_is_same(const struct remote_file *there,
		    const struct content *content)
{
	if (!there->exists || (there->has_size && there->size != content->size))
		return false;
	return !there->has_sha256 || content->no_digest ||
	       memcmp(there->sha256, content->sha256, DIGEST_SIZE) == 0;
}

static enum wh_status keep_small(void *arg, uint64_t offset, const void *bytes,
				 size_t len, struct wh_error *err)
{
	struct wh_buf *buf = arg;

	if (offset == 0)
		buf->size = 0; /* from the start again */
	return wh_buf_append(buf, bytes, len, err);
}

enum wh_status place_read(struct place *place, const char *path,
			  struct wh_buf *bytes, struct wh_error *err)
{
	struct remote_range all = {.max_length = MAX_SMALL, .etag = ""};

	return place->kind->get(place, path, &all, keep_small, bytes, err);
}

static enum wh_status read_pointer_file(struct place *place, const char *alias,
					struct pointer *pointer,
					struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};
	char name[256];

	snprintf(name, sizeof(name), "%s.json", alias);
	WH_TRY(place_read(place, name, &text, err));
	return pointer_parse(text.data, text.size, pointer, err);
}

enum wh_status place_resolve(struct place *place, const char *alias,
			     struct pointer *pointer, struct wh_error *err)
{
	if (place->kind->resolve)
		return place->kind->resolve(place, alias, pointer, err);
	return read_pointer_file(place, alias, pointer, err);
}

enum wh_status place_aliases(struct place *place, alias_fn *fn, void *arg,
			     struct wh_error *err)
{
	if (!place->kind->aliases)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "plain HTTP can't list aliases");
	return place->kind->aliases(place, fn, arg, err);
}

/* "file:PATH", of whatever folder: the same place has the same name. */
static char *folder_name(const char *path)
{
	char *whole wh_free_auto = NULL;
	char *folder wh_free_auto = getcwd(NULL, 0);
	char *name = NULL;

	path += strncmp(path, "//", 2) == 0 ? 2 : 0;
	whole = realpath(path, NULL);
	if (whole || *path == '/' || !folder)
		return asprintf(&name, "file:%s", whole ? whole : path) < 0
			       ? NULL
			       : name;
	return asprintf(&name, "file:%s/%s", folder, path) < 0 ? NULL : name;
}

char *place_name(const char *url)
{
	const char *host = strstr(url, "://"), *at;
	char *name;
	size_t len;

	if (has_scheme(url, "file"))
		return folder_name(url + 5);
	name = strndup(url, strcspn(url, "?#"));
	host = host && name ? name + (host + 3 - url) : NULL;
	if (host && (at = memchr(host, '@', strcspn(host, "/"))))
		memmove(name + (host - name), at + 1, strlen(at + 1) + 1);
	len = name ? strlen(name) : 0;
	while (len && name[len - 1] == '/')
		name[--len] = '\0';
	return name;
}
