/* support/golden.h: golden files by name, and planned images against them. */
#ifndef WH_TESTS_GOLDEN_H
#define WH_TESTS_GOLDEN_H

#include "support/assert.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include <weighhouse/plan.h>

#define MAX_GOLDEN 256

struct golden_names {
	char list[MAX_GOLDEN][256];
	size_t n;
};

/** The names in a folder for which FOLDER/NAME + `truth` is a file: those of
 *  "x.json" for ".json", of the folder "x" for "/truth.json". */
static inline void golden_list(struct golden_names *names, const char *folder,
			       const char *truth)
{
	DIR *opened = opendir(folder);
	struct dirent *at;
	struct stat found;
	char path[800];

	while (opened && (at = readdir(opened)) && names->n < MAX_GOLDEN) {
		char *name = names->list[names->n];

		snprintf(name, sizeof(names->list[0]), "%s", at->d_name);
		if (truth[0] != '/' && !text_ends(name, truth))
			continue;
		if (truth[0] != '/')
			name[strlen(name) - strlen(truth)] = '\0';
		snprintf(path, sizeof(path), "%s/%s%s", folder, name, truth);
		names->n += stat(path, &found) == 0 && S_ISREG(found.st_mode);
	}
	if (opened)
		closedir(opened);
}

/** The image is the file PREFIX + suffix, byte for byte. */
static inline void assert_image_is_file(struct wh_plan *plan, uint32_t image,
					const char *prefix)
{
	const struct wh_image *at = wh_plan_image(plan, image);
	size_t size = (size_t)at->size;
	uint8_t *planned = malloc(size + 1);
	uint8_t *written = malloc(size + 1);
	struct wh_error err;
	char path[900];
	FILE *file;
	size_t k;

	snprintf(path, sizeof(path), "%s%s", prefix, at->suffix);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is not there", path);
	k = fread(written, 1, size + 1, file);
	if (k != size)
		fail_msg("%s: %zu bytes are planned, not its size", path, size);
	fclose(file);
	assert_ok(wh_plan_read(plan, image, 0, planned, size, &err), &err);
	for (k = 0; k < size; k++)
		if (planned[k] != written[k])
			fail_msg("%s differs at byte %zu", path, k);
	free(planned);
	free(written);
}

/** A source's template, as extents of its own, gives all files back. */
static inline void assert_template_is_files(struct wh_source *source,
					    const char *prefix)
{
	const struct wh_template *t = source->manifest.template_;
	struct wh_image *image;
	struct wh_plan *plan;
	struct wh_error err;
	uint32_t k, e;

	assert_ok(wh_plan_new(source, &plan, &err), &err);
	for (k = 0; k < t->n_files; k++) {
		assert_ok(wh_plan_add_image(plan, t->files[k].suffix, false,
					    &image, &err),
			  &err);
		for (e = 0; e < t->files[k].n_extents; e++)
			assert_ok(wh_image_extent(
					  image, &t->files[k].extents[e], &err),
				  &err);
		assert_image_is_file(plan, k, prefix);
	}
	wh_plan_free(plan);
}

#endif
