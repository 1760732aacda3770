#include "publish/publication_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"
#include "publish/transfers.h"

#define MAX_HASHES 2u /* images that are hashed at a time */

void publication_free(struct publication *publication)
{
	size_t i;

	for (i = 0; i < publication->n_files; i++) {
		free(publication->files[i].path);
		wh_buf_free(&publication->files[i].bytes);
	}
	free(publication->files);
	free(publication->manifest.path);
	wh_buf_free(&publication->manifest.bytes);
	free(publication->tf_prefix);
	for (i = 0; i < publication->n_metrics; i++)
		free(publication->metrics[i].key);
	for (i = 0; i < publication->n_params; i++) {
		free(publication->params[i].key);
		free(publication->params[i].value);
	}
	free(publication->metrics);
	free(publication->params);
	free(publication->run_name);
	memset(publication, 0, sizeof(*publication));
}

static bool poll_user(void *arg)
{
	struct running *running = arg;
	const struct publication_options *options = running->options;
	struct publication *publication = running->publication;
	struct http_meter *meter = running->place->meter;
	uint64_t done = meter ? atomic_load(&meter->sent) : 0;
	size_t i;

	for (i = 0; i < publication->n_files; i++) {
		struct publish_file *file = &publication->files[i];

		if (atomic_load(&file->state) == PUBLISH_PRESENT)
			done += file->size;
		if (atomic_load(&file->state) && !file->told && options->told) {
			file->told = true;
			options->told(options->arg, file);
		}
	}
	if (done > running->total)
		done = running->total; /* some of it was sent again */
	return !options->progress ||
	       options->progress(options->arg, done, running->total);
}

static enum wh_status hash_one(void *arg, size_t index, struct wh_error *err)
{
	struct running *running = arg;
	struct publish_file *file = &running->publication->files[index];

	return hashed_when_sent(running, file) ? WH_OK
					       : hash_now(running, file, err);
}

static enum wh_status hash_all(struct running *running, struct wh_error *err)
{
	struct transfers hashes = {.n = running->publication->n_files,
				   .parallel = MAX_HASHES,
				   .transfer = hash_one,
				   .arg = running,
				   .poll = poll_user,
				   .poll_arg = running};

	return transfers_run(&hashes, err);
}

/* ---- One file -------------------------------------------------------------
 */

struct checking {
	struct sha256 *hash;
	uint64_t at;
};

static enum wh_status check_bytes(void *arg, uint64_t offset, const void *bytes,
				  size_t len, struct wh_error *err)
{
	struct checking *checking = arg;

	if (offset != checking->at)
		WH_TRY(sha256_reset(checking->hash, err));
	checking->at = offset + len;
	return sha256_update(checking->hash, bytes, len, err);
}

/* Reads the file back. */
static enum wh_status verify_full(struct place *place,
				  const struct content *content,
				  struct wh_error *err)
{
	struct remote_range all = {.max_length = content->size, .etag = ""};
	struct checking checking = {0};
	uint8_t found[DIGEST_SIZE];
	enum wh_status status;

	WH_TRY(sha256_new(&checking.hash, err));
	status = place->kind->get(place, content->path, &all, check_bytes,
				  &checking, err);
	if (!status)
		status = sha256_final(checking.hash, found, err);
	sha256_free(checking.hash);
	if (!status && memcmp(found, content->sha256, DIGEST_SIZE) != 0)
		status = wh_fail(err, WH_EMISMATCH,
				 "'%s' reads back with other bytes than were "
				 "sent",
				 content->path);
	return status;
}

/* A reply of success is not proof. */
static enum wh_status verify(struct running *running,
			     const struct content *content,
			     struct wh_error *err)
{
	struct place *place = running->place;
	struct remote_file there;
	enum wh_status status;

	status = place->kind->stat(place, content, &there, err);
	if (!status && !remote_is_same(&there, content))
		status = wh_fail(err, WH_EREMOTE,
				 "'%s' is not there as it was sent: %s",
				 content->path,
				 !there.exists ? "it is missing"
				 : there.has_size && there.size != content->size
					 ? "its size is another"
					 : "its SHA-256 is another");
	if (!status && running->options->verify_full)
		status = verify_full(place, content, err);
	/* What is wrong must not stand in the way of the next try. */
	if (status == WH_EMISMATCH || status == WH_EREMOTE)
		place->kind->remove(place, content->path, NULL);
	return status;
}

/* What is there already, under its name, must be held against our digest. */
static enum wh_status look(struct running *running, struct publish_file *file,
			   bool *present, struct wh_error *err)
{
	struct content content = content_of(file);
	struct place *place = running->place;
	struct remote_file there;
	char begun[8];

	WH_TRY(place->kind->stat(place, &content, &there, err));
	*present = false;
	if (!there.exists)
		return WH_OK;
	WH_TRY(hash_now(running, file, err));
	content = content_of(file);
	*present = remote_is_same(&there, &content);
	if (*present || running->options->force ||
	    journal_get(place->journal, content.path, "begun", begun,
			sizeof(begun)))
		return WH_OK;
	return wh_fail(err, WH_EEXISTS,
		       "'%s' is there with other content; --force replaces it",
		       content.path);
}

static enum wh_status send_hashed(struct running *running,
				  struct publish_file *file,
				  struct wh_error *err)
{
	struct content content = content_of(file);
	enum wh_status status =
		running->place->kind->put(running->place, &content, err);

	/* The digest may be one of the journal, and wrong. */
	if (status && err && err->http_status == 400)
		journal_put(running->place->journal, file->path, "sha256", "");
	return status;
}

static enum wh_status send_file(struct running *running,
				struct publish_file *file, struct wh_error *err)
{
	struct content content;

	journal_put(running->place->journal, file->path, "begun", "1");
	WH_TRY(file->hashed ? send_hashed(running, file, err)
			    : send_and_hash(running, file, err));
	content = content_of(file);
	return verify(running, &content, err);
}

static enum wh_status put_file(struct running *running,
			       struct publish_file *file, struct wh_error *err)
{
	struct place *place = running->place;
	bool present;

	/* A place that must be begun was not: nothing of it is there. */
	if (running->options->dry_run && place->kind->begin) {
		atomic_store(&file->state, PUBLISH_SENT);
		return WH_OK;
	}
	WH_TRY(look(running, file, &present, err));
	if (present && running->options->verify_full) {
		struct content content = content_of(file);

		WH_TRY(verify_full(place, &content, err));
	}
	if (!present && !running->options->dry_run)
		WH_TRY(send_file(running, file, err));
	journal_put(place->journal, file->path, "done", "1");
	atomic_store(&file->state, present ? PUBLISH_PRESENT : PUBLISH_SENT);
	return WH_OK;
}

static enum wh_status put_one(void *arg, size_t index, struct wh_error *err)
{
	struct running *running = arg;

	return put_file(running,
			&running->publication->files[running->turn[index]],
			err);
}

/* ---- Rounds ---------------------------------------------------------------
 */

/* Large files go one at a time where their parts go side by side. */
static enum wh_status put_round(struct running *running, bool commits,
				bool large, struct wh_error *err)
{
	struct publication *publication = running->publication;
	struct transfers transfers = {
		.parallel = running->place->serial || large
				    ? 1
				    : running->place->parallel,
		.transfer = put_one,
		.arg = running,
		.meter = running->place->meter,
		.poll = poll_user,
		.poll_arg = running,
	};
	size_t i;

	running->n_turn = 0;
	for (i = 0; i < publication->n_files; i++)
		if (publication->files[i].commits == commits &&
		    is_large(running->place, &publication->files[i]) == large)
			running->turn[running->n_turn++] = i;
	transfers.n = running->n_turn;
	return transfers_run(&transfers, err);
}

static enum wh_status put_files(struct running *running, struct wh_error *err)
{
	WH_TRY(put_round(running, false, true, err));
	WH_TRY(put_round(running, false, false, err));
	WH_TRY(put_round(running, true, true, err));
	return put_round(running, true, false, err);
}

/* ---- The manifest ---------------------------------------------------------
 */

static const char *name_in_folder(const char *path)
{
	const char *first = strchr(path, '/'); /* v/ */
	const char *second = first ? strchr(first + 1, '/') : NULL;

	return second ? second + 1 : path;
}

static enum wh_status fill_manifest(const struct publication *publication,
				    struct manifest *manifest,
				    struct wh_error *err)
{
	size_t i;

	memcpy(manifest->snapshot, publication->snapshot, HEX_SIZE);
	memcpy(manifest->tree, publication->tree, HEX_SIZE);
	time_print(publication->snapshot_time, manifest->time);
	manifest->has_step = publication->has_step;
	manifest->step = publication->step;
	manifest->has_epoch = publication->has_epoch;
	manifest->epoch = publication->epoch;
	manifest->files =
		calloc(publication->n_files, sizeof(*manifest->files));
	if (!manifest->files)
		return wh_fail_memory(err);
	manifest->n_files = publication->n_files;
	for (i = 0; i < publication->n_files; i++) {
		const struct publish_file *from = &publication->files[i];
		struct manifest_file *to = &manifest->files[i];

		to->path = strdup(name_in_folder(from->path));
		to->format = strdup(from->format);
		to->size = from->size;
		text_hex(from->sha256, DIGEST_SIZE, to->sha256);
		if (!to->path || !to->format)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status make_manifest(struct publication *publication,
				    struct wh_error *err)
{
	struct publish_file *file = &publication->manifest;
	struct manifest manifest = {0};
	enum wh_status status = fill_manifest(publication, &manifest, err);

	if (!status)
		status = manifest_print(&manifest, &file->bytes, err);
	manifest_free(&manifest);
	if (status)
		return status;
	if (asprintf(&file->path, "v/%s/MANIFEST.json", publication->snapshot) <
	    0) {
		file->path = NULL;
		return wh_fail_memory(err);
	}
	file->format = "manifest";
	file->size = file->bytes.size;
	return hash_file(file, err);
}

/* A snapshot that was published before in other formats has a manifest, and
 * pointers that carry its digest: this one takes a name of its own. */
static enum wh_status name_manifest(struct running *running,
				    struct wh_error *err)
{
	struct publish_file *file = &running->publication->manifest;
	struct content content = content_of(file);
	struct wh_buf there wh_buf_auto = {0};
	struct remote_file found;
	char hex[HEX_SIZE];

	if (running->place->kind->point)
		return WH_OK; /* its pointers carry no digest of this */
	WH_TRY(running->place->kind->stat(running->place, &content, &found,
					  err));
	if (!found.exists)
		return WH_OK;
	WH_TRY(place_read(running->place, file->path, &there, err));
	if (there.size == file->size &&
	    memcmp(there.data, file->bytes.data, there.size) == 0)
		return WH_OK;
	text_hex(file->sha256, DIGEST_SIZE, hex);
	free(file->path);
	if (asprintf(&file->path, "v/%s/MANIFEST-%.12s.json",
		     running->publication->snapshot, hex) < 0) {
		file->path = NULL;
		return wh_fail_memory(err);
	}
	return WH_OK;
}

/* ---- All of it ------------------------------------------------------------
 */

/* In a thread of its own too, so that Ctrl-C is heard while a server thinks. */
static enum wh_status begin_place(void *arg, size_t index, struct wh_error *err)
{
	struct running *running = arg;
	struct place *place = running->place;

	(void)index;
	return place->kind->begin(place, running->publication, err);
}

static enum wh_status put_end(void *arg, size_t index, struct wh_error *err)
{
	struct running *running = arg;

	(void)index;
	WH_TRY(make_manifest(running->publication, err));
	WH_TRY(name_manifest(running, err));
	WH_TRY(put_file(running, &running->publication->manifest, err));
	return move_pointers(running, err);
}

static enum wh_status run_alone(struct running *running,
				enum wh_status (*step)(void *arg, size_t index,
						       struct wh_error *err),
				struct wh_error *err)
{
	struct transfers alone = {.n = 1,
				  .parallel = 1,
				  .transfer = step,
				  .arg = running,
				  .meter = running->place->meter,
				  .poll = poll_user,
				  .poll_arg = running};

	return transfers_run(&alone, err);
}

static enum wh_status ask_protected(void *arg, size_t index,
				    struct wh_error *err)
{
	(void)index;
	return check_protected(arg, err);
}

static enum wh_status run_all(struct running *running, struct wh_error *err)
{
	struct publication *publication = running->publication;

	if (publication->protected && !running->options->force)
		WH_TRY(run_alone(running, ask_protected, err));
	WH_TRY(hash_all(running, err));
	if (running->place->kind->begin && !running->options->dry_run)
		WH_TRY(run_alone(running, begin_place, err));
	WH_TRY(put_files(running, err));
	poll_user(running);
	if (running->options->dry_run)
		return WH_OK;
	WH_TRY(run_alone(running, put_end, err));
	journal_done(running->place->journal);
	return WH_OK;
}

enum wh_status publication_run(struct publication *publication,
			       struct place *place,
			       const struct publication_options *options,
			       struct wh_error *err)
{
	struct running running = {
		.publication = publication, .place = place, .options = options};
	enum wh_status status;
	size_t i;

	for (i = 0; i < publication->n_files; i++)
		running.total += publication->files[i].size;
	running.turn = calloc(publication->n_files + 1, sizeof(*running.turn));
	if (!running.turn)
		return wh_fail_memory(err);
	status = run_all(&running, err);
	free(running.turn);
	return status;
}
