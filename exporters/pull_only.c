/* pull, some layers alone: the files' own tables first, then the runs that the
 * chosen weights lie in, into files with holes for the rest. What was chosen is
 * saved from them as a checkpoint of its own.
 *
 *	tf            the index whole, strings (with the object graph), weights
 *	safetensors   8 bytes, the header, weights
 *	h5            what its reader looks at, block by block, weights
 */
#include "publishing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/endian.h"
#include "base/folder.h"
#include "base/text.h"
#include "config.h"
#include "core/skeleton.h"
#include "engine.h"
#include "hdf5/hdf5.h"
#include "publish/partial.h"
#include "publish/transfers.h"
#include "tf/tf.h"

#define MAX_HEADER  UINT64_C(100000000) /* as the reference library's */
#define MAX_INDEX   (UINT64_C(1) << 30) /* of TensorFlow's; as of a folder's */
#define SMALL_GAP   4096u /* bytes between two runs that are fetched along */
#define RESULT_NAME "model.safetensors"

struct choosing {
	const struct wh_pull_options *options;
	struct partial partial;
	struct wh_source *source;
	bool *wanted;	       /* of its tensors */
	atomic_ullong n_bytes; /* of them */
	const struct pull_options *pulling;
	const char *path; /* of the result */
	struct wh_saved saved;
};

/* ---- Tables ---------------------------------------------------------------
 */

static enum wh_status read_at(const struct partial_file *file, void *buf,
			      size_t len, struct wh_error *err)
{
	if (pread(file->fd, buf, len, 0) != (ssize_t)len)
		return wh_fail_errno(err, errno, "'%s'", file->name);
	return WH_OK;
}

static enum wh_status fetch_header(struct partial *partial,
				   struct partial_file *file,
				   struct wh_error *err)
{
	uint8_t head[8];
	uint64_t size;

	WH_TRY(partial_fetch(partial, file, 0, sizeof(head), err));
	WH_TRY(read_at(file, head, sizeof(head), err));
	size = get_le64(head);
	if (size > MAX_HEADER)
		return wh_fail(err, WH_ECORRUPT, "'%s': its header can't be",
			       file->path);
	return partial_fetch(partial, file, sizeof(head), size, err);
}

#if HAVE_TF
static struct partial_file *find_shard(struct partial *partial, uint32_t shard,
				       uint32_t n_shards)
{
	char suffix[64];
	size_t i;

	snprintf(suffix, sizeof(suffix), ".data-%05u-of-%05u", shard, n_shards);
	for (i = 0; i < partial->n; i++)
		if (text_ends(partial->files[i].path, suffix))
			return &partial->files[i];
	return NULL;
}

static enum wh_status fetch_string(void *arg, uint32_t shard, uint32_t n_shards,
				   uint64_t offset, uint64_t size,
				   struct wh_error *err)
{
	struct partial_file *file = find_shard(arg, shard, n_shards);

	if (!file)
		return wh_fail(err, WH_ECORRUPT,
			       "the index names a data file that was not "
			       "published");
	return partial_fetch(arg, file, offset, size, err);
}

static enum wh_status fetch_index(struct partial *partial,
				  struct partial_file *file,
				  struct wh_error *err)
{
	size_t size = (size_t)file->file->size;
	uint8_t *index wh_free_auto = NULL;

	if (file->file->size > MAX_INDEX)
		return wh_fail(err, WH_ECORRUPT, "'%s' is too large",
			       file->file->path);
	index = malloc(size + 1);
	if (!index)
		return wh_fail_memory(err);
	WH_TRY(partial_fetch_whole(partial, file, err));
	WH_TRY(read_at(file, index, size, err));
	return tf_opening_parts(index, size, fetch_string, partial, err);
}
#else
static enum wh_status fetch_index(struct partial *partial,
				  struct partial_file *file,
				  struct wh_error *err)
{
	(void)partial;
	(void)file;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "this build of weighhouse reads no tf checkpoints");
}
#endif

struct fetching {
	struct partial *partial;
	struct partial_file *file;
};

static enum wh_status fetch_block(void *arg, uint64_t offset, uint64_t size,
				  struct wh_error *err)
{
	const struct fetching *fetching = arg;

	return partial_fetch(fetching->partial, fetching->file, offset, size,
			     err);
}

static enum wh_status fetch_blocks(struct partial *partial,
				   struct partial_file *file,
				   struct wh_error *err)
{
	struct fetching fetching = {partial, file};

	return h5_opening_parts(file->name, fetch_block, &fetching, err);
}

static enum wh_status fetch_table(struct partial *partial,
				  struct partial_file *file,
				  struct wh_error *err)
{
	if (strcmp(file->file->format, "tf") == 0)
		return text_ends(file->path, ".index")
			       ? fetch_index(partial, file, err)
			       : WH_OK;
	if (strcmp(file->file->format, "h5") == 0)
		return fetch_blocks(partial, file, err);
	return text_ends(file->path, ".json")
		       ? partial_fetch_whole(partial, file, err)
		       : fetch_header(partial, file, err);
}

static enum wh_status fetch_tables(struct partial *partial,
				   struct wh_error *err)
{
	size_t i;

	for (i = 0; i < partial->n; i++)
		WH_TRY(fetch_table(partial, &partial->files[i], err));
	return WH_OK;
}

/* What readers look for is what they open: the index, the only file. Again
 * after more of it came: a source refuses a file that changed under it. */
static enum wh_status open_source(struct choosing *choosing,
				  struct wh_error *err)
{
	struct partial *partial = &choosing->partial;
	const char *format = partial->files[0].file->format;
	const char *name = partial->files[partial->n - 1].name;

	wh_source_close(choosing->source);
	choosing->source = NULL;
	if (strcmp(format, "h5") == 0)
		return h5_open_parts(name, &choosing->source, err);
	return wh_checkpoint_open(name, format, NULL, &choosing->source, err);
}

/* ---- Choosing -------------------------------------------------------------
 */

static bool is_wanted(const struct choosing *choosing, uint32_t index)
{
	const struct wh_manifest *manifest = &choosing->source->manifest;
	const char *const *glob = choosing->options->only;
	const struct wh_variable *variable;
	const struct wh_layer *layer;

	if (!wh_manifest_owner(manifest, index, &layer, &variable) ||
	    variable->role != WH_ROLE_WEIGHT)
		return false;
	for (; *glob; glob++)
		if (text_glob(*glob, layer->name) ||
		    text_glob(*glob, variable->name) ||
		    text_glob(*glob, manifest->tensors[index].key))
			return true;
	return false;
}

static enum wh_status choose(struct choosing *choosing, struct wh_error *err)
{
	const struct wh_manifest *manifest = &choosing->source->manifest;
	uint32_t i, n = 0;

	choosing->wanted = calloc((size_t)manifest->n_tensors + 1,
				  sizeof(*choosing->wanted));
	if (!choosing->wanted)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++) {
		choosing->wanted[i] = is_wanted(choosing, i);
		n += choosing->wanted[i];
		if (choosing->wanted[i])
			atomic_fetch_add(&choosing->n_bytes,
					 manifest->tensors[i].nbytes);
	}
	if (!n)
		return wh_fail(err, WH_ENOTFOUND, "no weight matches '%s'",
			       choosing->options->only[0]);
	return WH_OK;
}

/* ---- Weights --------------------------------------------------------------
 */

/* Runs that touch, or nearly, in one request. */
static enum wh_status fetch_runs(struct choosing *choosing,
				 struct partial_file *file,
				 const struct wh_template_file *extents,
				 struct wh_error *err)
{
	uint32_t n_tensors = choosing->source->manifest.n_tensors, i;
	uint64_t begin = 0, end = 0;

	for (i = 0; i <= extents->n_extents; i++) {
		const struct wh_extent *extent = &extents->extents[i];
		bool last = i == extents->n_extents;

		if (!last && (extent->tensor >= n_tensors ||
			      !choosing->wanted[extent->tensor]))
			continue;
		if (last || extent->offset > end + SMALL_GAP) {
			WH_TRY(partial_fetch(&choosing->partial, file, begin,
					     end - begin, err));
			begin = last ? 0 : extent->offset;
		}
		if (!last)
			end = extent->offset + extent->length;
	}
	return WH_OK;
}

/* A suffix may be OLD*NEW: wh_image_path. */
static struct partial_file *file_of(struct partial *partial, const char *suffix)
{
	const char *star = strchr(suffix, '*');
	size_t i;

	suffix = star ? star + 1 : suffix;
	for (i = 0; i < partial->n; i++)
		if (text_ends(partial->files[i].path, suffix))
			return &partial->files[i];
	return NULL;
}

static enum wh_status fetch_weights(struct choosing *choosing,
				    struct wh_error *err)
{
	const struct wh_template *template_ =
		choosing->source->manifest.template_;
	uint32_t i;

	if (!template_ ||
	    !skeleton_places(&choosing->source->manifest, choosing->wanted))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "its weights don't lie in one piece each, or "
			       "share one: pull it whole");
	for (i = 0; i < template_->n_files; i++) {
		const struct wh_template_file *file = &template_->files[i];
		struct partial_file *ours =
			file_of(&choosing->partial, file->suffix);

		if (ours && file->n_extents)
			WH_TRY(fetch_runs(choosing, ours, file, err));
	}
	return WH_OK;
}

/* ---- Saving ---------------------------------------------------------------
 */

static enum wh_status save(struct choosing *choosing, struct wh_error *err)
{
	struct wh_save_options options = {.save_format = "safetensors",
					  .digests = true};
	struct wh_source *subset;
	enum wh_status status;

	WH_TRY(subset_new(choosing->source, choosing->wanted, &subset, err));
	/* tf's index knows the CRC-32C of each. */
	status = wh_source_weigh(subset, WH_CRC32C, 0, NULL, NULL, err);
	if (!status)
		status = wh_save_source(subset, choosing->path, &options,
					&choosing->saved, err);
	wh_source_close(subset);
	return status;
}

static enum wh_status fill(struct choosing *choosing, struct wh_pulled *pulled,
			   struct wh_error *err)
{
	struct wh_saved *saved = &choosing->saved;
	const struct manifest *manifest = &choosing->partial.manifest;

	pulled->checkpoint = strdup(saved->files[0].path);
	if (!pulled->checkpoint)
		return wh_fail_memory(err);
	memcpy(pulled->snapshot, manifest->snapshot, sizeof(pulled->snapshot));
	memcpy(pulled->tree, manifest->tree, sizeof(pulled->tree));
	pulled->has_step = manifest->has_step;
	pulled->step = manifest->step;
	pulled->has_epoch = manifest->has_epoch;
	pulled->epoch = manifest->epoch;
	pulled->files = saved->files;
	pulled->n_files = saved->n_files;
	saved->files = NULL;
	saved->n_files = 0;
	return WH_OK;
}

/* In a thread of its own, so that Ctrl-C is heard. */
static enum wh_status run(void *arg, size_t index, struct wh_error *err)
{
	struct choosing *choosing = arg;

	(void)index;
	WH_TRY(partial_open(&choosing->partial, choosing->pulling, err));
	WH_TRY(fetch_tables(&choosing->partial, err));
	WH_TRY(open_source(choosing, err));
	WH_TRY(choose(choosing, err));
	WH_TRY(fetch_weights(choosing, err));
	WH_TRY(open_source(choosing, err));
	return save(choosing, err);
}

static bool poll_user(void *arg)
{
	struct choosing *choosing = arg;
	const struct wh_pull_options *options = choosing->options;
	struct http_meter *meter = choosing->partial.place->meter;
	uint64_t total = atomic_load(&choosing->n_bytes);
	uint64_t done = meter ? atomic_load(&meter->received) : 0;

	return !options->progress ||
	       options->progress(options->arg, "pulling",
				 done < total ? done : total, total);
}

static enum wh_status run_alone(struct choosing *choosing, struct wh_error *err)
{
	struct transfers alone = {.n = 1,
				  .parallel = 1,
				  .transfer = run,
				  .arg = choosing,
				  .meter = choosing->partial.place->meter,
				  .poll = poll_user,
				  .poll_arg = choosing};

	return transfers_run(&alone, err);
}

static enum wh_status make_scratch(const char *folder, char **scratch,
				   struct wh_error *err)
{
	if (asprintf(scratch, "%s/.wh-part-XXXXXX", folder) < 0) {
		*scratch = NULL;
		return wh_fail_memory(err);
	}
	WH_TRY(make_folders(*scratch, err));
	if (!mkdtemp(*scratch))
		return wh_fail_errno(err, errno, "'%s'", folder);
	return WH_OK;
}

enum wh_status pull_only(struct place *place, const char *folder,
			 const struct wh_pull_options *options,
			 const struct pull_options *pulling,
			 struct wh_pulled *pulled, struct wh_error *err)
{
	struct choosing choosing = {.options = options,
				    .pulling = pulling,
				    .partial = {.place = place}};
	char *scratch wh_free_auto = NULL;
	char *path wh_free_auto = NULL;
	enum wh_status status;

	if (asprintf(&path, "%s/" RESULT_NAME, folder) < 0) {
		path = NULL;
		return wh_fail_memory(err);
	}
	WH_TRY(make_scratch(folder, &scratch, err));
	choosing.partial.folder = scratch;
	choosing.path = path;
	status = run_alone(&choosing, err);
	if (!status && pulled)
		status = fill(&choosing, pulled, err);
	wh_saved_free(&choosing.saved);
	wh_source_close(choosing.source);
	partial_close(&choosing.partial);
	free(choosing.wanted);
	rmdir(scratch);
	if (status)
		rmdir(folder); /* goes if it is empty */
	return status;
}
