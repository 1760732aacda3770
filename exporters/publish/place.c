/* The kinds of places: a line each. */
#include "publish/place.h"

#include <string.h>
#include <strings.h>

#include "config.h"

static const struct place_kind *const kinds[] = {
	&folder_place,
#if HAVE_HTTP
	&http_place,   &s3_place, &oci_place, &mlflow_place,
#endif
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

#if !HAVE_HTTP
static const char *const network_schemes[] = {
	"http", "https", "s3", "oci", "oci+http", "mlflow", "mlflow+http"};
#endif

static bool has_scheme(const char *text, const char *scheme)
{
	size_t len = strlen(scheme);

	return strncasecmp(text, scheme, len) == 0 && text[len] == ':';
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
