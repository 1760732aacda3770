/* Weighing: every digest of every tensor, in one bounded pass.
 *
 * Tensors are hashed in parallel, each by one thread, since SHA-256 is a
 * chain. A thread reads a MiB, then runs all digests over pieces of it that
 * stay in its L2 cache.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "core/statistics.h"
#include <weighhouse/source.h>

#define PIECE	      ((size_t)128 << 10)
#define SMALL_MODEL   ((uint64_t)4 << 20) /* bytes: threads don't pay below */
#define MAX_THREADS   16u
#define PROGRESS_MS   100
#define PROGRESS_EACH ((uint64_t)8 << 20)

struct weighing {
	struct wh_source *source;
	unsigned needs;
	uint32_t n_tensors;
	atomic_uint next; /* tensor to take */
	atomic_ullong done_bytes;
	atomic_bool stopped;
	uint64_t total_bytes;
	pthread_mutex_t lock; /* of `failure` and `n_running` */
	pthread_cond_t ended;
	unsigned n_running; /* helper threads */
	struct wh_error failure;
};

struct scale { /* what one thread works with */
	struct sha256 *hash;
	uint8_t *buffer;
	struct statistics_sum sum;
};

static enum wh_status scale_new(struct scale *scale, struct wh_error *err)
{
	scale->buffer = malloc(STATISTICS_CHUNK);
	if (!scale->buffer)
		return wh_fail_memory(err);
	return sha256_new(&scale->hash, err);
}

static void scale_free(struct scale *scale)
{
	sha256_free(scale->hash);
	free(scale->buffer);
}

static unsigned missing_digests(const struct wh_tensor *tensor, unsigned needs)
{
	return needs & ~tensor->weighed;
}

static enum wh_status add_piece(struct scale *scale, struct wh_tensor *tensor,
				unsigned missing, const uint8_t *piece,
				size_t len, struct wh_error *err)
{
	if (missing & WH_CRC32C)
		tensor->crc32c = crc32c_update(tensor->crc32c, piece, len);
	if (missing & WH_CRC32)
		tensor->crc32 = crc32_update(tensor->crc32, piece, len);
	if ((missing & WH_STATISTICS) && tensor->has_statistics)
		statistics_add(&scale->sum, piece, len);
	if (missing & WH_SHA256)
		return sha256_update(scale->hash, piece, len, err);
	return WH_OK;
}

static enum wh_status weigh_chunk(struct weighing *all, struct scale *scale,
				  uint32_t index, unsigned missing,
				  uint64_t offset, size_t len,
				  struct wh_error *err)
{
	struct wh_tensor *tensor = &all->source->manifest.tensors[index];
	size_t at;

	WH_TRY(wh_source_read(all->source, index, offset, scale->buffer, len,
			      err));
	for (at = 0; at < len; at += PIECE) {
		size_t some = len - at < PIECE ? len - at : PIECE;

		WH_TRY(add_piece(scale, tensor, missing, scale->buffer + at,
				 some, err));
	}
	statistics_end_chunk(&scale->sum);
	atomic_fetch_add(&all->done_bytes, len);
	return WH_OK;
}

/* Clears what is about to be summed: a source may have hints in there. */
static void begin_tensor(struct scale *scale, struct wh_tensor *tensor,
			 unsigned missing)
{
	if (missing & WH_CRC32C)
		tensor->crc32c = 0;
	if (missing & WH_CRC32)
		tensor->crc32 = 0;
	if (missing & WH_STATISTICS)
		tensor->has_statistics = statistics_has(tensor->dtype);
	statistics_begin(&scale->sum, tensor->dtype);
}

static enum wh_status check_expected(const struct wh_tensor *tensor,
				     unsigned missing, struct wh_error *err)
{
	if (!(missing & WH_CRC32C) || !tensor->has_expected_crc32c ||
	    tensor->crc32c == tensor->expected_crc32c)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s': checksum does not match: stored %u vs. "
		       "calculated %u",
		       tensor->key, tensor->expected_crc32c, tensor->crc32c);
}

typedef enum wh_status chunk_done_fn(struct weighing *all, void *arg,
				     struct wh_error *err);

static enum wh_status weigh_tensor(struct weighing *all, struct scale *scale,
				   uint32_t index, chunk_done_fn *chunk_done,
				   void *arg, struct wh_error *err)
{
	struct wh_tensor *tensor = &all->source->manifest.tensors[index];
	unsigned missing = missing_digests(tensor, all->needs);
	uint64_t offset = 0;

	if (!missing)
		return WH_OK;
	begin_tensor(scale, tensor, missing);
	if (missing & WH_SHA256)
		WH_TRY(sha256_reset(scale->hash, err));
	while (offset < tensor->nbytes && !atomic_load(&all->stopped)) {
		uint64_t left = tensor->nbytes - offset;
		size_t len = left < STATISTICS_CHUNK ? (size_t)left
						     : STATISTICS_CHUNK;

		WH_TRY(weigh_chunk(all, scale, index, missing, offset, len,
				   err));
		offset += len;
		if (chunk_done)
			WH_TRY(chunk_done(all, arg, err));
	}
	if (missing & WH_SHA256)
		WH_TRY(sha256_final(scale->hash, tensor->sha256, err));
	if (tensor->has_statistics && (missing & WH_STATISTICS))
		statistics_finish(&scale->sum, &tensor->statistics);
	if (atomic_load(&all->stopped))
		return WH_OK;
	tensor->weighed |= missing;
	return check_expected(tensor, missing, err);
}

static enum wh_status weigh_some(struct weighing *all,
				 chunk_done_fn *chunk_done, void *arg,
				 struct wh_error *err)
{
	struct scale scale = {0};
	enum wh_status status = scale_new(&scale, err);

	while (!status && !atomic_load(&all->stopped)) {
		uint32_t index = atomic_fetch_add(&all->next, 1);

		if (index >= all->n_tensors)
			break;
		status = weigh_tensor(all, &scale, index, chunk_done, arg, err);
	}
	scale_free(&scale);
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

static unsigned count_helpers(const struct weighing *all, unsigned threads)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (!all->source->ops->concurrent || all->total_bytes < SMALL_MODEL)
		return 0;
	if (threads == 0)
		threads = cores > 0 ? (unsigned)cores : 1;
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	if (threads > all->n_tensors)
		threads = all->n_tensors;
	return threads - 1;
}

static enum wh_status weigh_all(struct weighing *all, unsigned n_helpers,
				struct reporter *reporter, struct wh_error *err)
{
	pthread_t helpers[MAX_THREADS];
	enum wh_status status, awaited;
	unsigned i, n_started = 0;
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

enum wh_status wh_source_weigh(struct wh_source *source, unsigned needs,
			       unsigned threads, wh_progress_fn *progress,
			       void *arg, struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->manifest;
	struct weighing all = {.source = source, .needs = needs};
	struct reporter reporter = {.progress = progress, .arg = arg};
	enum wh_status status;
	uint32_t i;

	all.n_tensors = manifest->n_tensors + manifest->n_hidden;
	for (i = 0; i < all.n_tensors; i++)
		if (missing_digests(&manifest->tensors[i], needs))
			all.total_bytes += manifest->tensors[i].nbytes;
	pthread_mutex_init(&all.lock, NULL);
	pthread_cond_init(&all.ended, NULL);
	status = weigh_all(&all, count_helpers(&all, threads), &reporter, err);
	pthread_cond_destroy(&all.ended);
	pthread_mutex_destroy(&all.lock);
	return status;
}
