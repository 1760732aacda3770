/* publishing.h: what publish.c, pull.c and unpublish.c share. */
#ifndef WH_PUBLISHING_H
#define WH_PUBLISHING_H

#include <weighhouse/publish.h>

#include "publish/place.h"

/** The options as the places take them; borrowed. */
struct place_settings place_settings_of(const char *url,
					const struct wh_place_options *options);

#endif
