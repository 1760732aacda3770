/* Pointers: the small files, tags and aliases that move last. */
#include "publish/publication_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"

/* For a pointer, with other publishers: of sixteen at once one lost five in a
 * row to versitygw. */
#define MAX_DUELS     40
#define MAX_KEPT      5 /* times that a server says yes and keeps the old one */
#define LONGEST_PAUSE 400u /* ms between two of them */

static enum wh_status hash_bytes(struct publish_file *file,
				 struct wh_error *err)
{
	file->size = file->bytes.size;
	return sha256_of(file->bytes.data, file->bytes.size, file->sha256, err);
}

/* Whether what is there means the same: a pointer's time aside. */
static bool points_there(struct running *running, const char *path,
			 const struct wh_buf *there,
			 const struct publish_file *file)
{
	const struct publish_file *manifest = &running->publication->manifest;
	struct pointer pointer;
	char hex[HEX_SIZE];

	if (!text_ends(path, ".json"))
		return there->size == file->size &&
		       memcmp(there->data, file->bytes.data, there->size) == 0;
	text_hex(manifest->sha256, DIGEST_SIZE, hex);
	return !pointer_parse(there->data, there->size, &pointer, NULL) &&
	       strcmp(pointer.manifest, manifest->path) == 0 &&
	       strcmp(pointer.sha256, hex) == 0;
}

/* A server that says yes and keeps the old one is found out; that another
 * publisher has moved it since is no failure. One that has moved it back to the
 * old one looks the same, so it is tried again first. */
static enum wh_status check_moved(struct running *running, const char *path,
				  const struct wh_buf *before,
				  struct wh_error *err)
{
	struct wh_buf now wh_buf_auto = {0};

	WH_TRY(place_read(running->place, path, &now, err));
	if (now.size == before->size &&
	    memcmp(now.data, before->data, now.size) == 0)
		return wh_fail(err, WH_EMISMATCH,
			       "the server took it, but has the old one still");
	return WH_OK;
}

/* `expected`: what was there when it was read, just before. */
static enum wh_status replace_once(struct running *running,
				   struct publish_file *file, int *n_kept,
				   struct wh_error *err)
{
	struct place *place = running->place;
	struct content content = content_of(file);
	struct wh_buf there wh_buf_auto = {0};
	struct remote_file expected;
	enum wh_status status;

	content.immutable = false;
	WH_TRY(place->kind->stat(place, &content, &expected, err));
	if (expected.exists) {
		status = place_read(place, file->path, &there, err);
		if (status && status != WH_ENOTFOUND)
			return status;
		if (points_there(running, file->path, &there, file))
			return WH_OK;
	}
	WH_TRY(place->kind->replace(place, &content, &expected, err));
	status = check_moved(running, file->path, &there, err);
	*n_kept += status == WH_EMISMATCH;
	return status;
}

/* Those that lost don't all come back at once. */
static void pause_after(int duel)
{
	unsigned most = 20u << (duel < 5 ? duel : 5), ms = 0;

	if (getrandom(&ms, sizeof(ms), 0) != (ssize_t)sizeof(ms))
		ms = most;
	most = most < LONGEST_PAUSE ? most : LONGEST_PAUSE;
	usleep((ms % most + 1) * 1000u);
}

static enum wh_status replace(struct running *running,
			      struct publish_file *file, struct wh_error *err)
{
	struct http_meter *meter = running->place->meter;
	enum wh_status status = WH_EMISMATCH;
	int i, n_kept = 0;

	for (i = 0;
	     i < MAX_DUELS && n_kept < MAX_KEPT && status == WH_EMISMATCH;
	     i++) {
		if (i)
			pause_after(i);
		if (meter && atomic_load(&meter->cancelled))
			return wh_fail(err, WH_ECANCELLED, "cancelled");
		status = replace_once(running, file, &n_kept, err);
	}
	return status;
}

/* Takes `bytes`. */
static enum wh_status put_pointer(struct running *running, const char *name,
				  struct wh_buf *bytes, struct wh_error *err)
{
	struct publish_file file = {.bytes = *bytes};
	enum wh_status status;

	file.path = strdup(name);
	status = file.path ? hash_bytes(&file, err) : wh_fail_memory(err);
	if (!status)
		status = replace(running, &file, err);
	free(file.path);
	wh_buf_free(&file.bytes);
	memset(bytes, 0, sizeof(*bytes));
	if (status)
		wh_error_prefix(err, "pointer '%s'", name);
	return status;
}

static enum wh_status point_json(struct running *running, const char *alias,
				 struct wh_error *err)
{
	const struct publication *publication = running->publication;
	char name[256];
	struct pointer pointer = {0};
	struct wh_buf bytes = {0};
	enum wh_status status;

	snprintf(name, sizeof(name), "%s.json", alias);
	memcpy(pointer.snapshot, publication->snapshot, HEX_SIZE);
	snprintf(pointer.manifest, sizeof(pointer.manifest), "%s",
		 publication->manifest.path);
	text_hex(publication->manifest.sha256, DIGEST_SIZE, pointer.sha256);
	time_print(publication->now, pointer.time);
	status = pointer_print(&pointer, &bytes, err);
	if (status) {
		wh_buf_free(&bytes);
		return status;
	}
	return put_pointer(running, name, &bytes, err);
}

/* TensorFlow's own pointer: tf.train.latest_checkpoint of the folder takes a
 * path that is relative to it. */
static enum wh_status point_checkpoint(struct running *running,
				       struct wh_error *err)
{
	const char *prefix = running->publication->tf_prefix;
	struct wh_buf bytes = {0};
	enum wh_status status;

	if (!prefix)
		return WH_OK;
	status = wh_buf_printf(&bytes, err,
			       "model_checkpoint_path: \"%s\"\n"
			       "all_model_checkpoint_paths: \"%s\"\n",
			       prefix, prefix);
	if (status) {
		wh_buf_free(&bytes);
		return status;
	}
	return put_pointer(running, "checkpoint", &bytes, err);
}

/* "latest" where none is named. */
static const char *const *aliases_of(const struct publication *publication)
{
	static const char *const latest[] = {"latest", NULL};

	return publication->aliases ? publication->aliases : latest;
}

static bool is_listed(const char *const *list, const char *alias)
{
	for (; *list; list++)
		if (strcmp(*list, alias) == 0)
			return true;
	return false;
}

static enum wh_status check_one(struct running *running, const char *alias,
				struct wh_error *err)
{
	struct pointer pointer;
	enum wh_status status =
		place_resolve(running->place, alias, &pointer, err);

	if (status == WH_ENOTFOUND) /* there is none yet */
		return WH_OK;
	if (status ||
	    strcmp(pointer.snapshot, running->publication->snapshot) == 0)
		return status;
	return wh_fail(err, WH_EEXISTS,
		       "'%s' is protected, and is %.12s now; --force moves it",
		       alias, pointer.snapshot);
}

enum wh_status check_protected(struct running *running, struct wh_error *err)
{
	const struct publication *publication = running->publication;
	const char *const *alias = aliases_of(publication);

	for (; *alias; alias++)
		if (is_listed(publication->protected, *alias))
			WH_TRY(check_one(running, *alias, err));
	return WH_OK;
}

enum wh_status move_pointers(struct running *running, struct wh_error *err)
{
	const struct publication *publication = running->publication;
	const struct place_kind *kind = running->place->kind;
	const char *const *alias = aliases_of(publication);

	for (; *alias; alias++) {
		if (kind->point) {
			WH_TRY(kind->point(running->place, publication, *alias,
					   err));
			continue;
		}
		if (strcmp(*alias, "latest") == 0)
			WH_TRY(point_checkpoint(running, err));
		WH_TRY(point_json(running, *alias, err));
	}
	return WH_OK;
}
