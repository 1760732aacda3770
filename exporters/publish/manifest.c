#include "publish/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/json_put.h"
#include "base/text.h"
#include "publish/place.h"

#define MAX_FILES 100000u

void manifest_free(struct manifest *manifest)
{
	size_t i;

	for (i = 0; i < manifest->n_files; i++) {
		free(manifest->files[i].path);
		free(manifest->files[i].format);
	}
	free(manifest->files);
	memset(manifest, 0, sizeof(*manifest));
}

void time_print(int64_t seconds, char text[32])
{
	time_t when = (time_t)seconds;
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ---- Printing -------------------------------------------------------------
 */

enum wh_status json_print(json_t *value, size_t flags, struct wh_buf *text,
			  struct wh_error *err)
{
	char *printed = json_to_text(value, flags);
	enum wh_status status;

	json_decref(value);
	if (!printed)
		return wh_fail_memory(err);
	status = wh_buf_append(text, printed, strlen(printed), err);
	free(printed);
	return status;
}

/* As files: indented, with a line's end. */
static enum wh_status print_file(json_t *value, struct wh_buf *text,
				 struct wh_error *err)
{
	WH_TRY(json_print(value, JSON_INDENT(1), text, err));
	return wh_buf_append(text, "\n", 1, err);
}

enum wh_status manifest_print(const struct manifest *manifest,
			      struct wh_buf *text, struct wh_error *err)
{
	json_t *files = json_array(), *root;
	size_t i;

	for (i = 0; i < manifest->n_files; i++) {
		const struct manifest_file *file = &manifest->files[i];

		json_add(&files, json_pack("{s:s,s:s,s:I,s:s}", "path",
					   file->path, "format", file->format,
					   "size", (json_int_t)file->size,
					   "sha256", file->sha256));
	}
	root = json_pack("{s:s,s:s,s:s}", "snapshot", manifest->snapshot,
			 "tree", manifest->tree, "time", manifest->time);
	if (manifest->has_step)
		json_put(&root, "step", json_integer(manifest->step));
	if (manifest->has_epoch)
		json_put(&root, "epoch", json_integer(manifest->epoch));
	json_put(&root, "files", files);
	return print_file(root, text, err);
}

enum wh_status pointer_print(const struct pointer *pointer, struct wh_buf *text,
			     struct wh_error *err)
{
	return print_file(json_pack("{s:s,s:s,s:s,s:s}", "snapshot",
				    pointer->snapshot, "manifest",
				    pointer->manifest, "sha256",
				    pointer->sha256, "time", pointer->time),
			  text, err);
}

/* ---- Parsing --------------------------------------------------------------
 */

static bool is_digest(const char *hex)
{
	uint8_t bytes[DIGEST_SIZE];

	return hex && text_unhex(hex, bytes, sizeof(bytes));
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static enum wh_status parse_file(json_t *row, struct manifest_file *file,
				 struct wh_error *err)
{
	const char *path = text_of(row, "path");
	const char *format = text_of(row, "format");
	const char *sha256 = text_of(row, "sha256");
	json_t *size = json_object_get(row, "size");

	if (!path || !format || !is_digest(sha256) || !json_is_integer(size) ||
	    json_integer_value(size) < 0 || place_check_path(path, NULL))
		return wh_fail(err, WH_ECORRUPT,
			       "the manifest lists a file that can't be");
	file->size = (uint64_t)json_integer_value(size);
	strcpy(file->sha256, sha256);
	file->path = strdup(path);
	file->format = strdup(format);
	return file->path && file->format ? WH_OK : wh_fail_memory(err);
}

static enum wh_status parse_files(json_t *rows, struct manifest *manifest,
				  struct wh_error *err)
{
	size_t i, n = json_array_size(rows);

	if (!json_is_array(rows) || n > MAX_FILES)
		return wh_fail(err, WH_ECORRUPT, "the manifest lists no files");
	manifest->files = calloc(n ? n : 1, sizeof(*manifest->files));
	if (!manifest->files)
		return wh_fail_memory(err);
	manifest->n_files = n;
	for (i = 0; i < n; i++)
		WH_TRY(parse_file(json_array_get(rows, i), &manifest->files[i],
				  err));
	return WH_OK;
}

/* Absent in what was published before it was written. */
static bool integer_of(json_t *object, const char *key, int64_t *number)
{
	json_t *value = json_object_get(object, key);

	*number = json_integer_value(value);
	return json_is_integer(value);
}

static enum wh_status parse_root(json_t *root, struct manifest *manifest,
				 struct wh_error *err)
{
	const char *snapshot = text_of(root, "snapshot");
	const char *tree = text_of(root, "tree");
	const char *time = text_of(root, "time");

	if (!is_digest(snapshot) || !is_digest(tree) || !time)
		return wh_fail(err, WH_ECORRUPT,
			       "what should be a manifest is none");
	strcpy(manifest->snapshot, snapshot);
	strcpy(manifest->tree, tree);
	snprintf(manifest->time, sizeof(manifest->time), "%s", time);
	manifest->has_step = integer_of(root, "step", &manifest->step);
	manifest->has_epoch = integer_of(root, "epoch", &manifest->epoch);
	return parse_files(json_object_get(root, "files"), manifest, err);
}

enum wh_status manifest_parse(const void *text, size_t size,
			      struct manifest *manifest, struct wh_error *err)
{
	json_t *root = json_of_text(text, size, JSON_REJECT_DUPLICATES, NULL);
	enum wh_status status;

	memset(manifest, 0, sizeof(*manifest));
	status = parse_root(root, manifest, err);
	json_decref(root);
	if (status)
		manifest_free(manifest);
	return status;
}

enum wh_status pointer_parse(const void *text, size_t size,
			     struct pointer *pointer, struct wh_error *err)
{
	json_t *root = json_of_text(text, size, JSON_REJECT_DUPLICATES, NULL);
	const char *snapshot = text_of(root, "snapshot");
	const char *sha256 = text_of(root, "sha256");
	const char *manifest = text_of(root, "manifest");
	const char *time = text_of(root, "time");
	enum wh_status status = WH_OK;

	memset(pointer, 0, sizeof(*pointer));
	if (!is_digest(snapshot) || !is_digest(sha256) || !manifest || !time ||
	    strlen(manifest) >= sizeof(pointer->manifest) ||
	    place_check_path(manifest, NULL)) {
		status = wh_fail(err, WH_ECORRUPT,
				 "what should be a pointer is none");
	} else {
		strcpy(pointer->snapshot, snapshot);
		strcpy(pointer->sha256, sha256);
		strcpy(pointer->manifest, manifest);
		snprintf(pointer->time, sizeof(pointer->time), "%s", time);
	}
	json_decref(root);
	return status;
}
