/* Publications that were cut off. Beside the hints of publication.c their
 * journal says what was to be published:
 *
 *	path ""		place, remote, snapshot, formats, aliases, time,
 *			max_shard_size, canonical
 *	path "files"	a key a file: its size
 *	a file's path	begun, done
 */
#include "publishing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/text.h"
#include "publish/journal.h"

#define WHAT  ""
#define FILES "files"
#define NAME  (32 + sizeof(".jsonl") - 1) /* of a journal's file */

/* ---- Noting ---------------------------------------------------------------
 */

static void put_number(struct journal *journal, const char *path,
		       const char *key, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	journal_put(journal, path, key, text);
}

static enum wh_status put_aliases(struct journal *journal,
				  const char *const *alias,
				  struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};

	if (!alias || !*alias)
		return WH_OK;
	for (; *alias; alias++)
		WH_TRY(wh_buf_printf(&text, err, "%s%s", text.size ? "," : "",
				     *alias));
	WH_TRY(wh_buf_append(&text, "", 1, err));
	journal_put(journal, WHAT, "aliases", (const char *)text.data);
	return WH_OK;
}

enum wh_status interrupted_note(struct journal *journal,
				const struct publication *publication,
				const struct wh_publish_options *options,
				const char *url, const char *formats,
				struct wh_error *err)
{
	char *place wh_free_auto = place_name(url);
	size_t i;

	if (!place)
		return wh_fail_memory(err);
	/* An earlier try may have had other aliases. */
	journal_forget(journal, WHAT);
	journal_forget(journal, FILES);
	journal_put(journal, WHAT, "place", place);
	if (options->remote)
		journal_put(journal, WHAT, "remote", options->remote);
	journal_put(journal, WHAT, "snapshot", publication->snapshot);
	journal_put(journal, WHAT, "formats", formats);
	WH_TRY(put_aliases(journal, options->aliases, err));
	put_number(journal, WHAT, "time", (uint64_t)time(NULL));
	if (options->plan.max_shard_size)
		put_number(journal, WHAT, "max_shard_size",
			   options->plan.max_shard_size);
	if (options->canonical)
		journal_put(journal, WHAT, "canonical", "1");
	for (i = 0; i < publication->n_files; i++)
		put_number(journal, FILES, publication->files[i].path,
			   publication->files[i].size);
	return WH_OK;
}

/* ---- Listing --------------------------------------------------------------
 */

static const char *text_of(json_t *notes, const char *path, const char *key)
{
	return json_string_value(
		json_object_get(json_object_get(notes, path), key));
}

static uint64_t number_of(json_t *notes, const char *path, const char *key)
{
	const char *text = text_of(notes, path, key);
	uint64_t number = 0;

	return text && text_to_u64(text, &number) ? number : 0;
}

/* False: nothing was begun. `missing` has room for all files. */
static bool find_missing(json_t *notes, struct wh_interrupted *row,
			 const char **missing)
{
	json_t *size;
	const char *path;
	bool begun = false;

	json_object_foreach(json_object_get(notes, FILES), path, size)
	{
		row->n_files++;
		begun = begun || json_object_get(notes, path);
		if (text_of(notes, path, "done"))
			continue;
		missing[row->n_missing++] = path;
		row->missing_size += number_of(notes, FILES, path);
	}
	row->missing = missing;
	return begun;
}

static int note_nothing(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	(void)snapshot;
	return 0;
}

struct listing {
	struct wh_store *store;
	const char *place; /* or NULL */
	wh_interrupted_fn *fn;
	void *arg;
};

/* Journals of the user's folder may be another store's, and what gc took can't
 * go on. */
static bool is_listed(const struct listing *listing,
		      const struct wh_interrupted *row)
{
	return row->place && row->snapshot && row->formats &&
	       (!listing->place || strcmp(listing->place, row->place) == 0) &&
	       wh_snapshot_get(listing->store, row->snapshot, note_nothing,
			       NULL, NULL) == WH_OK;
}

static int tell(const struct listing *listing, json_t *notes, bool running)
{
	const char **missing wh_free_auto =
		calloc(json_object_size(json_object_get(notes, FILES)) + 1,
		       sizeof(*missing));
	struct wh_interrupted row = {
		.place = text_of(notes, WHAT, "place"),
		.snapshot = text_of(notes, WHAT, "snapshot"),
		.remote = text_of(notes, WHAT, "remote"),
		.formats = text_of(notes, WHAT, "formats"),
		.aliases = text_of(notes, WHAT, "aliases"),
		.max_shard_size = number_of(notes, WHAT, "max_shard_size"),
		.canonical = text_of(notes, WHAT, "canonical") != NULL,
		.time = (int64_t)number_of(notes, WHAT, "time"),
		.running = running};

	if (!missing || !is_listed(listing, &row) ||
	    !find_missing(notes, &row, missing))
		return 0;
	return listing->fn(listing->arg, &row);
}

static int is_journal(const struct dirent *entry)
{
	return strlen(entry->d_name) == NAME &&
	       text_ends(entry->d_name, ".jsonl");
}

static void list_folder(const struct listing *listing, const char *folder)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_journal, alphasort), i, end = 0;

	for (i = 0; i < n; i++) {
		char name[NAME + 1];
		json_t *notes;
		bool held;

		snprintf(name, sizeof(name), "%.32s", entries[i]->d_name);
		notes = end ? NULL : journal_look(folder, name, &held);
		if (notes)
			end = tell(listing, notes, held);
		json_decref(notes);
		free(entries[i]);
	}
	free(entries);
}

enum wh_status wh_interrupted_list(struct wh_store *store, const char *place,
				   wh_interrupted_fn *fn, void *arg,
				   struct wh_error *err)
{
	char *name wh_free_auto = place ? place_name(place) : NULL;
	char *folder wh_free_auto = journal_folder(wh_store_file(store));
	struct listing listing = {
		.store = store, .place = name, .fn = fn, .arg = arg};

	if (place && !name)
		return wh_fail_memory(err);
	if (folder)
		list_folder(&listing, folder);
	return WH_OK;
}
