#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weighhouse/diff.h>
#include <weighhouse/keep.h>
#include <weighhouse/store.h>
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

static void plan_as(struct wh_source *source, const struct wh_format *format,
		    enum wh_root root)
{
	struct wh_plan_options options = {.filepath = "model", .root = root};
	struct wh_plan *plan = NULL;
	struct wh_error err;
	bool reproduced;

	if (wh_plan_for(source, format, &options, true, &plan, &reproduced,
			&err))
		return;
	read_plan(plan);
	wh_plan_free(plan);
}

/* tf has several roots. */
static void plan_as_all(struct wh_source *source)
{
	const struct wh_format *const *format;
	int root;

	for (format = wh_formats(NULL); *format; format++) {
		if ((*format)->missing || !(*format)->plan)
			continue;
		plan_as(source, *format, WH_ROOT_DEFAULT);
		if (strcmp((*format)->name, "tf") != 0)
			continue;
		for (root = WH_ROOT_CHECKPOINT; root <= WH_ROOT_MODEL; root++)
			plan_as(source, *format, (enum wh_root)root);
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

/* ---- Stores ---------------------------------------------------------------
 */

#define MAX_TENSOR ((uint64_t)1 << 20)

static int pass_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	require(snapshot->message);
	return 0;
}

static int pass_ref(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	require(ref->name);
	return 0;
}

static int pass_sentence(void *arg, const char *sentence)
{
	(void)arg;
	require(*sentence);
	return 0;
}

static int pass_usage(void *arg, const struct wh_usage *usage)
{
	(void)arg;
	require(usage->name);
	return 0;
}

static int pass_change(void *arg, const struct wh_difference *difference)
{
	(void)arg;
	require(wh_change_name(difference->change));
	return 0;
}

static void read_tensors(struct wh_store *store)
{
	struct wh_source *source;
	struct wh_error err;
	uint32_t i;

	if (wh_snapshot_open(store, "HEAD", &source, &err))
		return;
	for (i = 0; i < source->manifest.n_tensors; i++) {
		uint64_t size = source->manifest.tensors[i].nbytes;
		void *bytes =
			size > MAX_TENSOR ? NULL : malloc((size_t)size + 1);

		if (bytes)
			wh_source_read(source, i, 0, bytes, (size_t)size, &err);
		free(bytes);
	}
	wh_source_close(source);
}

static void read_store(struct wh_store *store)
{
	struct wh_verify_options verify = {.read_data = true};
	struct wh_log_options log = {.all = true};
	struct wh_verify_result result;
	struct wh_error err;
	char *text = NULL;
	size_t size;

	wh_log(store, &log, pass_snapshot, NULL, &err);
	wh_branch_list(store, pass_ref, NULL, &err);
	wh_tag_list(store, pass_ref, NULL, &err);
	wh_usage(store, WH_BY_LAYER, pass_usage, NULL, &err);
	if (!wh_snapshot_text(store, "HEAD", &text, &size, &err))
		free(text);
	read_tensors(store);
	wh_verify(store, &verify, pass_sentence, &result, &err);
}

/* Compared, forgotten, coded anew: all that trusts what the rows say. */
static void work_on(struct wh_store *store)
{
	struct wh_gc_options gc = {
		.has_grace = true, .deep = true, .codec = "fast"};
	struct wh_source *a = NULL, *b = NULL;
	struct wh_gc_result freed;
	struct wh_error err;

	if (!wh_snapshot_open(store, "HEAD~1", &a, &err) &&
	    !wh_snapshot_open(store, "HEAD", &b, &err))
		wh_diff(a, b, NULL, pass_change, NULL, &err);
	wh_source_close(a);
	wh_source_close(b);
	wh_gc(store, &gc, &freed, &err);
}

void use_store(const char *path)
{
	struct wh_store *store = NULL;
	struct wh_error err;

	if (wh_store_open(path, WH_OPEN_READ, &store, &err))
		return;
	read_store(store);
	wh_store_close(store);
	if (wh_store_open(path, WH_OPEN_WRITE, &store, &err))
		return;
	work_on(store);
	read_store(store);
	wh_store_close(store);
}
