/* pull: what was published, back as files. */
#include "publishing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct wh_pull_options default_pull;

void wh_pulled_free(struct wh_pulled *pulled)
{
	size_t i;

	for (i = 0; i < pulled->n_files; i++)
		free(pulled->files[i].path);
	free(pulled->files);
	free(pulled->checkpoint);
	memset(pulled, 0, sizeof(*pulled));
}

static enum wh_status fill_file(struct wh_saved_file *to, const char *folder,
				const struct manifest_file *from,
				struct wh_error *err)
{
	if (asprintf(&to->path, "%s/%s", folder, from->path) < 0) {
		to->path = NULL;
		return wh_fail_memory(err);
	}
	to->size = from->size;
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	return WH_OK;
}

static enum wh_status fill_pulled(struct wh_pulled *pulled, const char *folder,
				  const struct manifest *manifest,
				  struct wh_error *err)
{
	size_t i;

	memcpy(pulled->snapshot, manifest->snapshot, sizeof(pulled->snapshot));
	memcpy(pulled->tree, manifest->tree, sizeof(pulled->tree));
	pulled->has_step = manifest->has_step;
	pulled->step = manifest->step;
	pulled->has_epoch = manifest->has_epoch;
	pulled->epoch = manifest->epoch;
	pulled->files = calloc(manifest->n_files, sizeof(*pulled->files));
	if (!pulled->files)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_files; i++) {
		WH_TRY(fill_file(&pulled->files[i], folder, &manifest->files[i],
				 err));
		pulled->n_files++;
	}
	pulled->checkpoint = strdup(pulled->files[0].path);
	return pulled->checkpoint ? WH_OK : wh_fail_memory(err);
}

static bool forward_pull(void *arg, uint64_t done, uint64_t total)
{
	const struct wh_pull_options *options = arg;

	return !options->progress ||
	       options->progress(options->arg, "pulling", done, total);
}

enum wh_status wh_pull(const char *url, const char *folder,
		       const struct wh_pull_options *given,
		       struct wh_pulled *pulled, struct wh_error *err)
{
	const struct wh_pull_options *options = given ? given : &default_pull;
	struct place_settings settings =
		place_settings_of(url, &options->place);
	struct pull_options pulling = {.snapshot = options->snapshot,
				       .format = options->format,
				       .progress = forward_pull,
				       .arg = (void *)(uintptr_t)options};
	struct wh_pulled made = {0};
	struct manifest manifest;
	struct place *place;
	enum wh_status status;

	pulling.alias = wh_place_alias(url, options->alias);
	WH_TRY(place_open(&settings, &place, err));
	if (options->only) {
		status =
			pull_only(place, folder, options, &pulling, &made, err);
		place_close(place);
		if (!status && pulled)
			*pulled = made;
		else
			wh_pulled_free(&made);
		return status;
	}
	status = pull_run(place, folder, &pulling, &manifest, err);
	place_close(place);
	if (status)
		return status;
	if (pulled)
		status = fill_pulled(&made, folder, &manifest, err);
	manifest_free(&manifest);
	if (status)
		wh_pulled_free(&made);
	else if (pulled)
		*pulled = made;
	return status;
}
