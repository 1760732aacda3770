/* support/flat.h: golden files of formats that have keys and nothing else.
 * NAME.json tells what the real library sees in NAME.SUFFIX, or NAME/BASE. */
#ifndef WH_TESTS_FLAT_H
#define WH_TESTS_FLAT_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/json.h"
#include <weighhouse/weights.h>

struct flat_case {
	char name[128], path[512];
	json_t *truth;
	struct wh_source *source;
	struct wh_error err;
};

static inline void flat_open(struct flat_case *at, const char *folder,
			     const char *name, const char *const *tails)
{
	char path[512];
	json_error_t error;

	snprintf(at->name, sizeof(at->name), "%.*s",
		 (int)(strlen(name) - strlen(".json")), name);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	at->truth = json_load_file(path, 0, &error);
	if (!at->truth)
		fail_msg("%s: %s", path, error.text);
	for (; *tails; tails++) {
		snprintf(at->path, sizeof(at->path), "%s/%s%s", folder,
			 at->name, *tails);
		if (access(at->path, F_OK) == 0)
			break;
	}
	print_message("%s\n", at->path);
	assert_ok(
		wh_checkpoint_open(at->path, NULL, NULL, &at->source, &at->err),
		&at->err);
}

static inline void flat_close(struct flat_case *at)
{
	wh_source_close(at->source);
	json_decref(at->truth);
}

/** Calls `check` with each case of a folder; how many there were. */
static inline size_t flat_each(const char *folder, const char *const *tails,
			       void (*check)(struct flat_case *))
{
	DIR *listed = opendir(folder);
	struct dirent *at;
	size_t n = 0;

	while (listed && (at = readdir(listed))) {
		struct flat_case one = {.name = ""};

		if (!text_ends(at->d_name, ".json"))
			continue;
		flat_open(&one, folder, at->d_name, tails);
		check(&one);
		flat_close(&one);
		n++;
	}
	if (listed)
		closedir(listed);
	return n;
}

/** Keys, dtypes, shapes and values are what the real library says. */
static inline void flat_check_manifest(struct flat_case *at)
{
	const json_t *keys = json_object_get(at->truth, "keys"), *row;
	uint32_t index;
	size_t i;

	assert_ok(
		wh_source_weigh(at->source, WH_SHA256, 1, NULL, NULL, &at->err),
		&at->err);
	assert_int_equal(at->source->manifest.n_tensors, json_array_size(keys));
	json_array_foreach(keys, i, row)
	{
		const char *key =
			json_string_value(json_object_get(row, "key"));

		assert_ok(wh_manifest_find(&at->source->manifest, key, &index,
					   &at->err),
			  &at->err);
		assert_tensor_is(&at->source->manifest.tensors[index], row);
	}
}

/** The planner, or else the template, gives the very bytes of the files. */
static inline void flat_check_bytes(struct flat_case *at)
{
	const json_t *canonical = json_object_get(at->truth, "canonical");
	const json_t *wanted = json_object_get(at->truth, "reproducible");
	bool reproducible;

	assert_ok(wh_checkpoint_prove(at->source, at->path, NULL, &reproducible,
				      &at->err),
		  &at->err);
	assert_int_equal(reproducible, json_is_true(wanted));
	if (reproducible)
		assert_int_equal(
			at->source->manifest.template_->files[0].canonical,
			json_is_true(canonical));
}

#endif
