#include "publish/alias_list.h"

#include <stdlib.h>
#include <string.h>

#include "publish/transfers.h"

struct reading {
	struct place *place;
	const char *const *known;
	struct alias_list *list;
};

static enum wh_status note(void *arg, const char *name, struct wh_error *err)
{
	struct alias_list *list = arg;
	struct place_alias *more = reallocarray(list->aliases, list->n + 1,
						sizeof(*list->aliases));

	if (!more)
		return wh_fail_memory(err);
	list->aliases = more;
	more[list->n] = (struct place_alias){.name = strdup(name)};
	if (!more[list->n].name)
		return wh_fail_memory(err);
	list->n++;
	return WH_OK;
}

static enum wh_status note_known(const struct reading *reading,
				 struct wh_error *err)
{
	const char *const *known = reading->known;

	for (; known && *known; known++)
		WH_TRY(note(reading->list, *known, err));
	return note(reading->list, "latest", err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct place_alias *)a)->name,
		      ((const struct place_alias *)b)->name);
}

/* One that went meanwhile, or of two of a name the second, is left out. */
static enum wh_status resolve_all(const struct reading *reading,
				  struct wh_error *err)
{
	struct alias_list *list = reading->list;
	size_t i, n = list->n;

	list->n = 0;
	for (i = 0; i < n; i++) {
		struct place_alias alias = list->aliases[i];
		enum wh_status status = WH_ENOTFOUND;

		if (!list->n ||
		    strcmp(list->aliases[list->n - 1].name, alias.name) != 0)
			status = place_resolve(reading->place, alias.name,
					       &alias.pointer, err);
		/* What is no pointer, and what no pointer is called. */
		alias.is_ours = !status;
		if (!status || status == WH_ECORRUPT || status == WH_EINVAL) {
			list->aliases[list->n++] = alias;
			continue;
		}
		free(alias.name);
		if (status == WH_ENOTFOUND)
			continue;
		while (++i < n)
			free(list->aliases[i].name);
		return status;
	}
	return WH_OK;
}

static enum wh_status read_list(void *arg, struct wh_error *err)
{
	const struct reading *reading = arg;
	struct alias_list *list = reading->list;
	enum wh_status status =
		place_aliases(reading->place, note, list, &list->unlisted);

	if (status == WH_EUNSUPPORTED) {
		WH_TRY(note_known(reading, err));
	} else if (status) {
		*err = list->unlisted;
		return status;
	} else if (reading->place->kind->keeps_latest) {
		WH_TRY(note(list, "latest", err));
	}
	if (list->n)
		qsort(list->aliases, list->n, sizeof(*list->aliases), by_name);
	return resolve_all(reading, err);
}

enum wh_status alias_list_read(struct place *place, const char *const *known,
			       struct alias_list *list, struct wh_error *err)
{
	struct reading reading = {place, known, list};

	return place_work(place, read_list, &reading, err);
}

void alias_list_free(struct alias_list *list)
{
	while (list->n)
		free(list->aliases[--list->n].name);
	free(list->aliases);
	list->aliases = NULL;
}
