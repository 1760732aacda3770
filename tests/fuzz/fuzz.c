#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weighhouse/weights.h>

/* Of all tensors of an input: what has more is opened, and not read. */
#define MAX_READ ((uint64_t)4 << 20)

static char folder[256];

/* ---- Files ----------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *at, int type,
		      struct FTW *walk)
{
	(void)at;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *own_folder(void)
{
	const char *home = getenv("TMPDIR");

	if (*folder)
		return folder;
	snprintf(folder, sizeof(folder), "%s/wh-fuzz-XXXXXX",
		 home ? home : "/tmp");
	require(mkdtemp(folder));
	atexit(remove_folder);
	return folder;
}

const char *input_file(const char *name, const uint8_t *bytes, size_t len)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];
	int fd;

	snprintf(path, sizeof(paths[0]), "%s/%s", own_folder(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
	return path;
}

char *input_text(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);

	require(text);
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

/* ---- Checkpoints ----------------------------------------------------------
 */

static bool is_small(const struct wh_manifest *manifest)
{
	uint32_t i, n = manifest->n_tensors + manifest->n_hidden;
	uint64_t total = 0;

	for (i = 0; i < n; i++) {
		if (manifest->tensors[i].nbytes > MAX_READ)
			return false;
		total += manifest->tensors[i].nbytes;
	}
	return total <= MAX_READ;
}

/* All bytes of every image, where they are few. */
static void read_plan(struct wh_plan *plan)
{
	uint32_t i;

	for (i = 0; i < wh_plan_n_images(plan); i++) {
		const struct wh_image *image = wh_plan_image(plan, i);
		uint8_t *bytes;
		struct wh_error err;

		if (image->size > 2 * MAX_READ)
			continue;
		bytes = malloc((size_t)image->size + 1);
		require(bytes);
		wh_plan_read(plan, i, 0, bytes, (size_t)image->size, &err);
		free(bytes);
	}
}

static void plan_as_all(struct wh_source *source)
{
	const struct wh_format *const *format;

	for (format = wh_formats(NULL); *format; format++) {
		struct wh_plan_options options = {.filepath = "model"};
		struct wh_plan *plan = NULL;
		struct wh_error err;
		bool reproduced;

		if ((*format)->missing || !(*format)->plan ||
		    wh_plan_for(source, *format, &options, true, &plan,
				&reproduced, &err))
			continue;
		read_plan(plan);
		wh_plan_free(plan);
	}
}

void use_checkpoint(const char *path, const char *format)
{
	struct wh_source *source;
	struct wh_error err;
	bool reproducible;

	if (wh_checkpoint_open(path, format, NULL, &source, &err)) {
		require(*err.message);
		return;
	}
	if (is_small(&source->manifest) &&
	    !wh_source_weigh(source,
			     WH_SHA256 | WH_CRC32C | WH_CRC32 | WH_STATISTICS,
			     1, NULL, NULL, &err)) {
		wh_checkpoint_prove(source, path, NULL, &reproducible, &err);
		plan_as_all(source);
	}
	wh_source_close(source);
}
