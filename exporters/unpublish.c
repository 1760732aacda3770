/* unpublish: what was published is gone, in the right order; and the record of
 * it all. */
#include "publishing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weighhouse/keep.h>

#include "base/auto.h"
#include "publish/record.h"
#include "publish/withdraw.h"

static const struct wh_unpublish_options default_unpublish;

enum wh_status wh_published_list(struct wh_store *store, const char *place,
				 wh_publication_fn *fn, void *arg,
				 struct wh_error *err)
{
	char *name wh_free_auto = place ? place_name(place) : NULL;

	if (place && !name)
		return wh_fail_memory(err);
	return record_list(store, name, fn, arg, err);
}

/* ---- What is on record ----------------------------------------------------
 */

static int note_record(void *arg, const struct wh_publication *publication)
{
	struct withdrawal *withdrawal = arg;
	bool wanted = withdrawal->snapshot &&
		      strcmp(publication->snapshot, withdrawal->snapshot) == 0;
	size_t i;

	for (i = 0; i < publication->n_aliases; i++) {
		const struct wh_publication_alias *alias =
			&publication->aliases[i];

		withdraw_note_alias(withdrawal, alias->alias);
		if (wanted)
			withdraw_note_time(withdrawal, alias->ended);
	}
	if (!wanted)
		return 0;
	withdraw_note_time(withdrawal, publication->time);
	if (publication->removed)
		return 0;
	withdraw_note_manifest(withdrawal, publication->manifest);
	for (i = 0; i < publication->n_files; i++)
		withdraw_note_file(withdrawal, publication->files[i].path);
	return 0;
}

static enum wh_status note_all(struct withdrawal *withdrawal,
			       struct wh_store *store, const char *place,
			       const struct wh_unpublish_options *options,
			       struct wh_error *err)
{
	const char *const *alias = options->aliases;

	for (; alias && *alias; alias++)
		withdraw_note_alias(withdrawal, *alias);
	return record_list(store, place, note_record, withdrawal, err);
}

/* ---- Removing -------------------------------------------------------------
 */

static enum wh_status end(struct wh_store *store, const char *place,
			  const struct withdrawal *withdrawal,
			  struct wh_error *err)
{
	if (withdrawal->dry_run)
		return WH_OK;
	return record_end(store, place,
			  withdrawal->snapshot ? NULL : withdrawal->alias,
			  withdrawal->snapshot, (int64_t)time(NULL), err);
}

enum wh_status wh_unpublish(struct wh_store *store, const char *url,
			    const struct wh_unpublish_options *given,
			    struct wh_error *err)
{
	const struct wh_unpublish_options *options =
		given ? given : &default_unpublish;
	struct place_settings settings =
		place_settings_of(url, &options->place);
	struct withdrawal withdrawal = {
		.alias = wh_place_alias(url, options->alias),
		.snapshot = options->snapshot,
		.protected = options->protected_aliases,
		.grace_s = options->has_grace ? options->grace_s : WH_GRACE_S,
		.now = (int64_t)time(NULL),
		.dry_run = options->dry_run,
		.force = options->force,
		.told = options->told,
		.arg = options->arg};
	char *place wh_free_auto = place_name(url);
	enum wh_status status;

	if (!place)
		return wh_fail_memory(err);
	status = note_all(&withdrawal, store, place, options, err);
	if (!status)
		status = place_open(&settings, &withdrawal.place, err);
	if (!status)
		status = withdraw(&withdrawal, err);
	place_close(withdrawal.place);
	if (!status)
		status = end(store, place, &withdrawal, err);
	withdraw_free(&withdrawal);
	return status;
}
