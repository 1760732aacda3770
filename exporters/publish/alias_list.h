/* publish/alias_list.h: which aliases a place has, and what they mean. */
#ifndef WH_PUBLISH_ALIAS_LIST_H
#define WH_PUBLISH_ALIAS_LIST_H

#include "publish/manifest.h"
#include "publish/place.h"

struct place_alias {
	char *name;
	bool is_ours; /* else somebody's file, tag or version of that name */
	struct pointer pointer;
};

struct alias_list {
	struct place_alias *aliases; /* by name */
	size_t n;
	/* WH_EUNSUPPORTED, with the reason, where the place can't list: then
	 * there are "latest" and those of `known` that are there. */
	struct wh_error unlisted;
};

/** Fills `list`, which starts zeroed; the caller frees it also after a failure.
 *  `known`: NULL-terminated, or NULL. WH_EREMOTE and what else a place says. */
enum wh_status alias_list_read(struct place *place, const char *const *known,
			       struct alias_list *list, struct wh_error *err);
void alias_list_free(struct alias_list *list);

#endif
