/* Weighing: every digest of every tensor, in one bounded pass.
 *
 * Tensors are hashed in parallel, each by one thread, since SHA-256 is a
 * chain. A thread reads a MiB, then runs all digests over it; or it takes a
 * group of tensors, piece by piece (weigh_lanes.c).
 */
#include "core/weigh_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/error.h"

#define SMALL_MODEL   ((uint64_t)4 << 20) /* bytes: threads don't pay below */
#define MAX_THREADS   16u
#define PROGRESS_MS   100
#define PROGRESS_EACH ((uint64_t)8 << 20)

static enum wh_status weigher_new(struct weigher *weigher, struct wh_error *err)
{
	weigher->buffer = malloc(SCALE_CHUNK);
	if (!weigher->buffer)
		return wh_fail_memory(err);
	return scale_new(&weigher->scale, err);
}

static void weigher_free(struct weigher *weigher)
{
	scale_free(weigher->scale);
	weigh_lanes_free(weigher->lanes);
	free(weigher->buffer);
}

bool weigh_is_wanted(const struct weighing *all, uint32_t index)
{
	const struct weigh_probe *probe =
		all->probes ? &all->probes[index] : NULL;

	if (probe && (probe->skip || probe->is_alike))
		return false;
	return all->needs & ~all->source->manifest.tensors[index].weighed;
}

void weigh_probe_first(struct weigh_probe *probe, uint32_t crc32c)
{
	probe->is_alike = crc32c == probe->first_crc32c;
	probe->skip = !probe->is_alike && probe->skips_unlike;
}

/* What the first chunk says. */
static enum wh_status look_at_first(struct weighing *all,
				    struct weigher *weigher, uint32_t index,
				    size_t len, struct wh_error *err)
{
	struct weigh_probe *probe = all->probes ? &all->probes[index] : NULL;

	if (!probe || !probe->has_first)
		return WH_OK;
	weigh_probe_first(probe, crc32c_update(0, weigher->buffer, len));
	if (!probe->is_alike)
		return WH_OK;
	return scale_begin(weigher->scale,
			   &all->source->manifest.tensors[index],
			   all->needs & WEIGH_IDENTITY, err);
}

/* All chunks of a tensor; none if the first one says to skip it. */
static enum wh_status weigh_chunks(struct weighing *all,
				   struct weigher *weigher, uint32_t index,
				   chunk_done_fn *chunk_done, void *arg,
				   struct wh_error *err)
{
	const struct wh_tensor *tensor = &all->source->manifest.tensors[index];
	uint64_t offset = 0;

	while (offset < tensor->nbytes && !atomic_load(&all->stopped)) {
		uint64_t left = tensor->nbytes - offset;
		size_t len = left < SCALE_CHUNK ? (size_t)left : SCALE_CHUNK;

		WH_TRY(wh_source_read(all->source, index, offset,
				      weigher->buffer, len, err));
		if (offset == 0)
			WH_TRY(look_at_first(all, weigher, index, len, err));
		if (all->probes && all->probes[index].skip)
			return WH_OK;
		WH_TRY(scale_add(weigher->scale, weigher->buffer, len, err));
		offset += len;
		atomic_fetch_add(&all->done_bytes, len);
		if (chunk_done)
			WH_TRY(chunk_done(all, arg, err));
	}
	return WH_OK;
}

static enum wh_status weigh_tensor(struct weighing *all,
				   struct weigher *weigher, uint32_t index,
				   chunk_done_fn *chunk_done, void *arg,
				   struct wh_error *err)
{
	struct wh_tensor *tensor = &all->source->manifest.tensors[index];

	if (!weigh_is_wanted(all, index))
		return WH_OK;
	WH_TRY(scale_begin(weigher->scale, tensor, all->needs, err));
	WH_TRY(weigh_chunks(all, weigher, index, chunk_done, arg, err));
	if (atomic_load(&all->stopped))
		return WH_OK;
	if (!all->probes || !all->probes[index].skip)
		return scale_finish(weigher->scale, err);
	atomic_fetch_add(&all->done_bytes, tensor->nbytes);
	return chunk_done ? chunk_done(all, arg, err) : WH_OK;
}

static enum wh_status weigh_some(struct weighing *all,
				 chunk_done_fn *chunk_done, void *arg,
				 struct wh_error *err)
{
	struct weigher weigher = {0};
	enum wh_status status = weigher_new(&weigher, err);

	while (!status && !atomic_load(&all->stopped)) {
		uint32_t group = atomic_fetch_add(&all->next_group, 1);

		if (group >= all->groups.n_groups)
			break;
		status = weigh_group(all, &weigher, group, chunk_done, arg,
				     err);
	}
	while (!status && !atomic_load(&all->stopped)) {
		uint32_t index = atomic_fetch_add(&all->next, 1);

		if (index >= all->n_tensors)
			break;
		if (!all->groups.has || !all->groups.has[index])
			status = weigh_tensor(all, &weigher, index, chunk_done,
					      arg, err);
	}
	weigher_free(&weigher);
	return status;
}

/* The first failure is the one that is told; the others stop. */
static void note_failure(struct weighing *all, const struct wh_error *err)
{
	pthread_mutex_lock(&all->lock);
	if (!all->failure.status)
		all->failure = *err;
	pthread_mutex_unlock(&all->lock);
	atomic_store(&all->stopped, true);
}

static void *run_helper(void *arg)
{
	struct weighing *all = arg;
	struct wh_error err;

	if (weigh_some(all, NULL, NULL, &err))
		note_failure(all, &err);
	pthread_mutex_lock(&all->lock);
	all->n_running--;
	pthread_cond_signal(&all->ended);
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

struct reporter {
	wh_progress_fn *progress;
	void *arg;
	uint64_t reported;
};

static enum wh_status report(struct weighing *all, void *arg,
			     struct wh_error *err)
{
	struct reporter *reporter = arg;
	uint64_t done = atomic_load(&all->done_bytes);

	if (!reporter->progress || (done - reporter->reported < PROGRESS_EACH &&
				    done < all->total_bytes))
		return WH_OK;
	reporter->reported = done;
	if (reporter->progress(reporter->arg, "hashing", done,
			       all->total_bytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

/* Waits for the helpers, reporting and listening for a cancel meanwhile. */
static enum wh_status await_helpers(struct weighing *all,
				    struct reporter *reporter,
				    struct wh_error *err)
{
	enum wh_status status = WH_OK;
	struct timespec until;

	pthread_mutex_lock(&all->lock);
	while (all->n_running) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&all->ended, &all->lock, &until);
		pthread_mutex_unlock(&all->lock);
		if (!status)
			status = report(all, reporter, err);
		if (status)
			atomic_store(&all->stopped, true);
		pthread_mutex_lock(&all->lock);
	}
	pthread_mutex_unlock(&all->lock);
	return status;
}

static unsigned count_threads(const struct weighing *all, unsigned threads)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (!all->source->ops->concurrent || all->total_bytes < SMALL_MODEL)
		return 1;
	if (threads == 0)
		threads = cores > 0 ? (unsigned)cores : 1;
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	if (threads > all->n_tensors)
		threads = all->n_tensors;
	return threads;
}

/* What is to be weighed, by how many threads. */
static void size_up(struct weighing *all, unsigned threads)
{
	const struct wh_manifest *manifest = &all->source->manifest;
	uint32_t i;

	all->n_tensors = manifest->n_tensors + manifest->n_hidden;
	for (i = 0; i < all->n_tensors; i++)
		if (weigh_is_wanted(all, i))
			all->total_bytes += manifest->tensors[i].nbytes;
	all->n_threads = count_threads(all, threads);
}

static enum wh_status weigh_all(struct weighing *all, struct reporter *reporter,
				struct wh_error *err)
{
	pthread_t helpers[MAX_THREADS];
	enum wh_status status, awaited;
	unsigned i, n_started = 0, n_helpers = all->n_threads - 1;
	struct wh_error first;

	all->n_running = n_helpers;
	for (i = 0; i < n_helpers; i++)
		if (pthread_create(&helpers[n_started], NULL, run_helper,
				   all) == 0)
			n_started++;
	pthread_mutex_lock(&all->lock);
	all->n_running -= n_helpers - n_started;
	pthread_mutex_unlock(&all->lock);
	status = weigh_some(all, report, reporter, &first);
	if (status)
		note_failure(all, &first);
	awaited = await_helpers(all, reporter, &first);
	if (awaited)
		note_failure(all, &first);
	for (i = 0; i < n_started; i++)
		pthread_join(helpers[i], NULL);
	if (!all->failure.status)
		return WH_OK;
	if (err)
		*err = all->failure;
	return all->failure.status;
}

enum wh_status weigh_unlike(struct wh_source *source, unsigned needs,
			    unsigned threads, wh_progress_fn *progress,
			    void *arg, struct weigh_probe *probes,
			    struct wh_error *err)
{
	struct weighing all = {
		.source = source, .probes = probes, .needs = needs};
	struct reporter reporter = {.progress = progress, .arg = arg};
	enum wh_status status;

	size_up(&all, threads);
	WH_TRY(weigh_find_groups(&all, err));
	pthread_mutex_init(&all.lock, NULL);
	pthread_cond_init(&all.ended, NULL);
	status = weigh_all(&all, &reporter, err);
	pthread_cond_destroy(&all.ended);
	pthread_mutex_destroy(&all.lock);
	weigh_free_groups(&all.groups);
	return status;
}

/* More than this may be gone from memory when it is read again. */
static uint64_t kept_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 0;
}

enum wh_status weigh_mark_lanes(struct wh_source *source, unsigned needs,
				unsigned threads, struct weigh_probe *probes,
				struct wh_error *err)
{
	struct weighing all = {
		.source = source, .probes = probes, .needs = needs};
	uint32_t i;

	size_up(&all, threads);
	if (all.total_bytes > kept_bytes())
		return WH_OK;
	WH_TRY(weigh_find_groups(&all, err));
	for (i = 0; all.groups.has && i < all.n_tensors; i++)
		probes[i].in_lanes = all.groups.has[i];
	weigh_free_groups(&all.groups);
	return WH_OK;
}

enum wh_status wh_source_weigh(struct wh_source *source, unsigned needs,
			       unsigned threads, wh_progress_fn *progress,
			       void *arg, struct wh_error *err)
{
	return weigh_unlike(source, needs, threads, progress, arg, NULL, err);
}

enum wh_status weigh_small(struct wh_source *source, unsigned threads,
			   wh_progress_fn *progress, void *arg,
			   struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->manifest;
	uint32_t n = manifest->n_tensors + manifest->n_hidden, i;
	struct weigh_probe *probes = calloc((size_t)n + 1, sizeof(*probes));
	enum wh_status status;

	if (!probes)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		probes[i].skip = i >= manifest->n_tensors ||
				 manifest->tensors[i].nbytes >= WEIGH_SMALL;
	status = weigh_unlike(source, WEIGH_COMMITTED, threads, progress, arg,
			      probes, err);
	free(probes);
	return status;
}

enum wh_status weigh_one(struct wh_source *source, uint32_t index,
			 unsigned needs, struct wh_error *err)
{
	struct weighing all = {.source = source, .needs = needs};
	struct weigher weigher = {0};
	enum wh_status status = weigher_new(&weigher, err);

	if (!status)
		status = weigh_tensor(&all, &weigher, index, NULL, NULL, err);
	weigher_free(&weigher);
	return status;
}
