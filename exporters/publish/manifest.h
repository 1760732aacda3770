/* publish/manifest.h: what a published snapshot's files are, and the pointers
 * to them, as JSON that any reader can check.
 *
 *	v/ID/MANIFEST.json  {"snapshot", "tree", "time", "step"?, "epoch"?,
 *	                     "files": [{"path", "format", "size", "sha256"}]}
 *	latest.json         {"snapshot", "manifest", "sha256", "time"}
 *
 * Paths of files are relative to the manifest's folder, the manifest's to the
 * pointer's. Times are RFC 3339 in UTC.
 */
#ifndef WH_PUBLISH_MANIFEST_H
#define WH_PUBLISH_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

#define HEX_SIZE 65 /* 64 digits and a NUL */

struct manifest_file {
	char *path, *format;
	uint64_t size;
	char sha256[HEX_SIZE];
};

struct manifest {
	char snapshot[HEX_SIZE], tree[HEX_SIZE];
	char time[32];
	bool has_step, has_epoch;
	int64_t step, epoch;
	struct manifest_file *files;
	size_t n_files;
};
void manifest_free(struct manifest *manifest);

/** Always the same text for the same manifest. */
enum wh_status manifest_print(const struct manifest *manifest,
			      struct wh_buf *text, struct wh_error *err);
/** WH_ECORRUPT for what is none, or names a path that leaves its folder. */
enum wh_status manifest_parse(const void *text, size_t size,
			      struct manifest *manifest, struct wh_error *err);

struct pointer {
	char snapshot[HEX_SIZE], sha256[HEX_SIZE]; /* of the manifest */
	char manifest[512];			   /* its path */
	char time[32];
};
enum wh_status pointer_print(const struct pointer *pointer, struct wh_buf *text,
			     struct wh_error *err);
enum wh_status pointer_parse(const void *text, size_t size,
			     struct pointer *pointer, struct wh_error *err);

/** Appends `value` as text by jansson's flags, and frees it. */
enum wh_status json_print(json_t *value, size_t flags, struct wh_buf *text,
			  struct wh_error *err);

/** "2026-11-25T18:00:00Z" */
void time_print(int64_t seconds, char text[32]);

#endif
