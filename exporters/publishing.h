/* publishing.h: what publish.c, pull.c and unpublish.c share. */
#ifndef WH_PUBLISHING_H
#define WH_PUBLISHING_H

#include <weighhouse/publish.h>

#include "publish/place.h"
#include "publish/publication.h"
#include "publish/pull.h"

/** The options as the places take them; borrowed. */
struct place_settings place_settings_of(const char *url,
					const struct wh_place_options *options);

/** pull_only.c: the weights that `options->only` names, as a file of their own
 *  in `folder`. */
enum wh_status pull_only(struct place *place, const char *folder,
			 const struct wh_pull_options *options,
			 const struct pull_options *pulling,
			 struct wh_pulled *pulled, struct wh_error *err);

/** interrupted.c: notes what is about to be published, for
 *  wh_interrupted_list. */
enum wh_status interrupted_note(struct journal *journal,
				const struct publication *publication,
				const struct wh_publish_options *options,
				const char *url, const char *formats,
				struct wh_error *err);

#endif
