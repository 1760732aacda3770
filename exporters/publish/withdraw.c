#include "publish/withdraw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "publish/manifest.h"
#include "publish/transfers.h"

/* ---- What is known --------------------------------------------------------
 */

static void note(json_t **names, const char *name)
{
	if (!*names)
		*names = json_object();
	if (name)
		json_object_set_new(*names, name, json_true());
}

void withdraw_note_alias(struct withdrawal *withdrawal, const char *alias)
{
	note(&withdrawal->aliases, alias);
}

void withdraw_note_manifest(struct withdrawal *withdrawal, const char *path)
{
	note(&withdrawal->manifests, path);
}

void withdraw_note_file(struct withdrawal *withdrawal, const char *path)
{
	note(&withdrawal->files, path);
}

void withdraw_note_time(struct withdrawal *withdrawal, int64_t time)
{
	if (time > withdrawal->since)
		withdrawal->since = time;
}

void withdraw_free(struct withdrawal *withdrawal)
{
	json_decref(withdrawal->aliases);
	json_decref(withdrawal->manifests);
	json_decref(withdrawal->files);
}

static void tell(const struct withdrawal *withdrawal, const char *what)
{
	if (withdrawal->told)
		withdrawal->told(withdrawal->arg, what);
}

/* ---- An alias -------------------------------------------------------------
 */

static enum wh_status remove_pointer(struct withdrawal *withdrawal,
				     const char *name, struct wh_error *err)
{
	tell(withdrawal, name);
	if (withdrawal->dry_run)
		return WH_OK;
	return withdrawal->place->kind->remove(withdrawal->place, name, err);
}

static enum wh_status unpoint(struct withdrawal *withdrawal,
			      struct wh_error *err)
{
	struct place *place = withdrawal->place;
	const char *alias = withdrawal->alias;
	char name[256];

	if (place->kind->unpoint) {
		tell(withdrawal, alias);
		return withdrawal->dry_run
			       ? WH_OK
			       : place->kind->unpoint(place, alias, err);
	}
	/* TensorFlow's own goes with the alias that it moved with. */
	if (strcmp(alias, "latest") == 0)
		WH_TRY(remove_pointer(withdrawal, "checkpoint", err));
	snprintf(name, sizeof(name), "%s.json", alias);
	return remove_pointer(withdrawal, name, err);
}

static bool is_protected(const struct withdrawal *withdrawal)
{
	const char *const *alias = withdrawal->protected;

	for (; alias && *alias; alias++)
		if (strcmp(*alias, withdrawal->alias) == 0)
			return true;
	return false;
}

static enum wh_status withdraw_alias(struct withdrawal *withdrawal,
				     struct wh_error *err)
{
	struct pointer pointer;
	enum wh_status status = place_resolve(withdrawal->place,
					      withdrawal->alias, &pointer, err);

	if (status == WH_ENOTFOUND)
		wh_error_prefix(err, "nothing is published as '%s'",
				withdrawal->alias);
	if (status)
		return status;
	if (is_protected(withdrawal) && !withdrawal->force)
		return wh_fail(err, WH_EEXISTS,
			       "'%s' is protected; --force removes it",
			       withdrawal->alias);
	WH_TRY(unpoint(withdrawal, err));
	if (withdrawal->dry_run)
		return WH_OK;
	if (!place_resolve(withdrawal->place, withdrawal->alias, &pointer,
			   NULL))
		return wh_fail(err, WH_EREMOTE,
			       "the server says that '%s' is gone, but has it "
			       "still",
			       withdrawal->alias);
	return WH_OK;
}

/* ---- A snapshot's files ---------------------------------------------------
 */

static enum wh_status note_listed(void *arg, const char *alias,
				  struct wh_error *err)
{
	(void)err;
	withdraw_note_alias(arg, alias);
	return WH_OK;
}

static enum wh_status check_pointers(struct withdrawal *withdrawal,
				     struct wh_error *err)
{
	struct place *place = withdrawal->place;
	enum wh_status listed =
		place_aliases(place, note_listed, withdrawal, err);
	const char *alias;
	json_t *value;

	if (listed && listed != WH_EUNSUPPORTED)
		return listed;
	if (!place->kind->keeps_latest)
		withdraw_note_alias(withdrawal, "latest");
	json_object_foreach(withdrawal->aliases, alias, value)
	{
		struct pointer pointer;
		enum wh_status status;

		if (place->kind->keeps_latest && strcmp(alias, "latest") == 0)
			continue;
		status = place_resolve(place, alias, &pointer, err);
		if (status == WH_ENOTFOUND)
			continue;
		if (status)
			return status;
		if (strcmp(pointer.snapshot, withdrawal->snapshot) == 0)
			return wh_fail(err, WH_EEXISTS,
				       "'%s' points to it: move or unpublish "
				       "that first",
				       alias);
	}
	return WH_OK;
}

static enum wh_status check_grace(const struct withdrawal *withdrawal,
				  struct wh_error *err)
{
	char until[32];

	if (withdrawal->grace_s == 0)
		return WH_OK;
	if (!withdrawal->since)
		return wh_fail(err, WH_EEXISTS,
			       "this store has no record of when it was "
			       "published there; --grace 0 removes it all the "
			       "same");
	if (withdrawal->now - withdrawal->since >= withdrawal->grace_s)
		return WH_OK;
	time_print(withdrawal->since + withdrawal->grace_s, until);
	return wh_fail(err, WH_EEXISTS,
		       "somebody may be reading it still: it stays until %s; "
		       "--grace 0 removes it now",
		       until);
}

static void note_manifest_files(struct withdrawal *withdrawal, const char *path,
				const struct wh_buf *text)
{
	int folder = (int)(strrchr(path, '/') - path + 1);
	struct manifest manifest;
	size_t i;

	if (manifest_parse(text->data, text->size, &manifest, NULL))
		return;
	for (i = 0; i < manifest.n_files; i++) {
		char *file wh_free_auto = NULL;

		if (asprintf(&file, "%.*s%s", folder, path,
			     manifest.files[i].path) < 0)
			file = NULL;
		withdraw_note_file(withdrawal, file);
	}
	manifest_free(&manifest);
}

/* All that its manifests list; what they listed that are gone is on record. */
static enum wh_status find_files(struct withdrawal *withdrawal,
				 struct wh_error *err)
{
	struct place *place = withdrawal->place;
	struct pointer pointer = {0};
	enum wh_status status = WH_OK;
	const char *path;
	json_t *value;

	if (place->kind->resolve)
		status = place->kind->resolve(place, withdrawal->snapshot,
					      &pointer, err);
	else
		snprintf(pointer.manifest, sizeof(pointer.manifest),
			 "v/%s/MANIFEST.json", withdrawal->snapshot);
	if (status && status != WH_ENOTFOUND)
		return status;
	if (!status)
		withdraw_note_manifest(withdrawal, pointer.manifest);
	json_object_foreach(withdrawal->manifests, path, value)
	{
		struct wh_buf text wh_buf_auto = {0};

		status = place_read(place, path, &text, err);
		if (status && status != WH_ENOTFOUND)
			return status;
		if (!status)
			note_manifest_files(withdrawal, path, &text);
	}
	if (json_object_size(withdrawal->files))
		return WH_OK;
	return wh_fail(err, WH_ENOTFOUND, "%.12s is not published there",
		       withdrawal->snapshot);
}

static enum wh_status remove_one(struct withdrawal *withdrawal,
				 const char *path, struct wh_error *err)
{
	tell(withdrawal, path);
	if (withdrawal->dry_run)
		return WH_OK;
	return withdrawal->place->kind->remove(withdrawal->place, path, err);
}

/* Backwards: in the manifest what readers look for comes last. */
static enum wh_status remove_files(struct withdrawal *withdrawal,
				   struct wh_error *err)
{
	size_t n = json_object_size(withdrawal->files), i = n;
	const char **paths wh_free_auto = calloc(n + 1, sizeof(*paths));
	const char *path;
	json_t *value;

	if (!paths)
		return wh_fail_memory(err);
	json_object_foreach(withdrawal->files, path, value) paths[--i] = path;
	for (i = 0; i < n; i++)
		WH_TRY(remove_one(withdrawal, paths[i], err));
	return WH_OK;
}

static enum wh_status withdraw_snapshot(struct withdrawal *withdrawal,
					struct wh_error *err)
{
	struct place *place = withdrawal->place;
	const char *path;
	json_t *value;

	WH_TRY(check_pointers(withdrawal, err));
	WH_TRY(find_files(withdrawal, err));
	WH_TRY(check_grace(withdrawal, err));
	if (place->kind->erase && !withdrawal->dry_run)
		WH_TRY(place->kind->erase(place, withdrawal->snapshot, err));
	json_object_foreach(withdrawal->manifests, path, value)
		WH_TRY(remove_one(withdrawal, path, err));
	return remove_files(withdrawal, err);
}

static enum wh_status run(void *arg, struct wh_error *err)
{
	struct withdrawal *withdrawal = arg;

	return withdrawal->snapshot ? withdraw_snapshot(withdrawal, err)
				    : withdraw_alias(withdrawal, err);
}

enum wh_status withdraw(struct withdrawal *withdrawal, struct wh_error *err)
{
	return place_work(withdrawal->place, run, withdrawal, err);
}
