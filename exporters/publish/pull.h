/* publish/pull.h: a published snapshot's files, back on this machine. */
#ifndef WH_PUBLISH_PULL_H
#define WH_PUBLISH_PULL_H

#include "publish/manifest.h"
#include "publish/place.h"

struct pull_options {
	const char *alias;
	const char *snapshot; /* 64 digits, instead of an alias; or NULL */
	const char *format;   /* only its files; NULL: all */
	unsigned parallel;
	bool (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/** Pointer, manifest, files: each checked before the next. Files appear in
 *  `folder` (made if need be) under the manifest's names, complete, in its
 *  order, or not at all; what was cut off goes on where it stopped.
 *  `*manifest` lists what was pulled; the caller frees it.
 *  WH_ENOTFOUND for an alias or a format that is not there; WH_ECORRUPT,
 *  WH_EMISMATCH for other bytes than the manifest says; WH_EREMOTE. */
enum wh_status pull_run(struct place *place, const char *folder,
			const struct pull_options *options,
			struct manifest *manifest, struct wh_error *err);

/** The manifest alone, checked; `root`: of its paths, "v/ID/". */
enum wh_status pull_find(struct place *place,
			 const struct pull_options *options,
			 struct manifest *manifest, char *root, size_t size,
			 struct wh_error *err);

#endif
