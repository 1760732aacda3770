/* Moving an image's bytes: pieces of 1 MiB, taken in turn by a few threads.
 *
 * Pieces are cut where a stored payload's chunks begin, so that each chunk is
 * read, decoded and checked once.
 *
 * What each piece holds of a tensor is summed while it is in the cache, and
 * held against the weighed CRC-32C: at once if it is the whole, else at the
 * end, when the sums are joined.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/crc.h"
#include "base/write.h"
#include "engine.h"
#include "plan_internal.h"

#define PIECE	    ((size_t)1 << 20)
#define PAGE	    ((uint64_t)4096) /* of the page cache */
#define MAX_THREADS 4u
/* Bytes of payload below which threads don't pay: a second one opens the store
 * once more and has buffers of its own, which takes as long as to read ten
 * megabytes; literals are only copied. A small tensor takes as long as so many
 * bytes. */
#define SMALL_IMAGE   ((uint64_t)32 << 20)
#define TENSOR_BYTES  ((uint64_t)8 << 10)
#define WRITEBACK_RUN 4u /* pieces */
#define PROGRESS_EACH ((uint64_t)8 << 20)

struct piece {
	uint64_t offset;
	size_t length;
};

/* The CRC of a run of a tensor's payload. */
struct summed {
	uint32_t tensor, crc;
	uint64_t start, length;
};

struct sums {
	struct summed *list;
	size_t n, capacity;
};

struct job {
	struct wh_plan *plan;
	const struct wh_image *image;
	uint32_t index;
	int fd;
	struct copying *copying;
	struct piece *pieces;
	size_t n_pieces;
	uint64_t work; /* payload, and TENSOR_BYTES for each run of it */
	atomic_ullong next, done; /* piece; bytes */
	atomic_bool stopped;
	pthread_mutex_t lock; /* of `sums` and `failure` */
	struct sums sums;
	struct wh_error failure;
};

static enum wh_status add_sum(struct sums *sums, const struct summed *sum,
			      struct wh_error *err)
{
	WH_TRY(array_grow(&sums->list, sums->n, &sums->capacity,
			  sizeof(*sums->list), err));
	sums->list[sums->n++] = *sum;
	return WH_OK;
}

/* Only payloads that lie as they are: strided and swapped ones have other
 * bytes than the tensor. */
static bool is_summable(const struct job *job, const struct wh_extent *extent)
{
	const struct wh_manifest *manifest =
		&wh_plan_source(job->plan)->manifest;

	return extent->tensor != WH_LITERAL && extent->run == 0 &&
	       extent->swap <= 1 &&
	       (manifest->tensors[extent->tensor].weighed & WH_CRC32C);
}

static enum wh_status check_sum(const struct job *job, uint32_t index,
				uint32_t crc, struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&wh_plan_source(job->plan)->manifest.tensors[index];

	if (crc == tensor->crc32c)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "tensor '%s' changed while it was read", tensor->key);
}

static bool is_whole(const struct job *job, const struct summed *sum)
{
	const struct wh_manifest *manifest =
		&wh_plan_source(job->plan)->manifest;

	return sum->start == 0 &&
	       sum->length == manifest->tensors[sum->tensor].nbytes;
}

static enum wh_status sum_piece(const struct job *job, struct sums *sums,
				uint64_t offset, const uint8_t *bytes,
				size_t len, struct wh_error *err)
{
	size_t i = image_find(job->image, offset);
	uint64_t end = offset + len;

	for (; i < job->image->n_extents; i++) {
		const struct wh_extent *at = &job->image->extents[i];
		uint64_t from = at->offset > offset ? at->offset : offset;
		uint64_t to = at->offset + at->length;
		struct summed sum;

		if (at->offset >= end)
			break;
		if (to > end)
			to = end;
		if (!is_summable(job, at))
			continue;
		sum = (struct summed){
			.tensor = at->tensor,
			.crc = crc32c_update(0, bytes + (from - offset),
					     (size_t)(to - from)),
			.start = at->start + (from - at->offset),
			.length = to - from,
		};
		WH_TRY(is_whole(job, &sum)
			       ? check_sum(job, sum.tensor, sum.crc, err)
			       : add_sum(sums, &sum, err));
	}
	return WH_OK;
}

/* Starts the disk while the next pieces are made; only a hint, after the last
 * piece of a run: a request of its own for each costs a tenth of its copy. What
 * another thread still writes of the run is left to the fsync. Whole pages
 * alone: the neighbouring piece writes into the first and the last one too, and
 * would wait until the disk has them. */
static void start_writeback(const struct job *job, const struct piece *last)
{
	size_t n = (size_t)(last - job->pieces) + 1;
	uint64_t begin, end;

	if (n % WRITEBACK_RUN)
		return;
	begin = job->pieces[n - WRITEBACK_RUN].offset;
	begin = (begin + PAGE - 1) / PAGE * PAGE;
	end = (last->offset + last->length) / PAGE * PAGE;
	if (end > begin)
		sync_file_range(job->fd, (off_t)begin, (off_t)(end - begin),
				SYNC_FILE_RANGE_WRITE);
}

static enum wh_status copy_piece(struct job *job, struct sums *sums,
				 uint8_t *buffer, const struct piece *piece,
				 struct wh_error *err)
{
	uint64_t offset = piece->offset;
	size_t len = piece->length;

	WH_TRY(wh_plan_read(job->plan, job->index, offset, buffer, len, err));
	WH_TRY(sum_piece(job, sums, offset, buffer, len, err));
	if (!write_at(job->fd, offset, buffer, len))
		return wh_fail_errno(err, errno, "write");
	start_writeback(job, piece);
	atomic_fetch_add(&job->done, len);
	return WH_OK;
}

/* ---- Pieces ---------------------------------------------------------------
 */

struct cutter {
	struct piece *list;
	size_t n, capacity;
};

static enum wh_status add_piece(struct cutter *cutter, uint64_t offset,
				uint64_t length, struct wh_error *err)
{
	if (length == 0)
		return WH_OK;
	WH_TRY(array_grow(&cutter->list, cutter->n, &cutter->capacity,
			  sizeof(*cutter->list), err));
	cutter->list[cutter->n++] = (struct piece){offset, (size_t)length};
	return WH_OK;
}

/* A run of more than a piece is cut at its payload's multiples of 1 MiB. */
static enum wh_status cut_extent(struct cutter *cutter,
				 const struct wh_extent *extent,
				 struct wh_error *err)
{
	uint64_t done = 0;

	while (done < extent->length) {
		uint64_t length = PIECE - (extent->start + done) % PIECE;

		if (length > extent->length - done)
			length = extent->length - done;
		WH_TRY(add_piece(cutter, extent->offset + done, length, err));
		done += length;
	}
	return WH_OK;
}

/* Smaller extents share a piece as long as they fit. */
static enum wh_status cut_image(struct job *job, struct wh_error *err)
{
	struct cutter cutter = {0};
	enum wh_status status = WH_OK;
	uint64_t begin = 0, end = 0;
	size_t i;

	for (i = 0; i < job->image->n_extents && !status; i++) {
		const struct wh_extent *at = &job->image->extents[i];

		if (at->tensor != WH_LITERAL)
			job->work += at->length + TENSOR_BYTES;
		if (at->length + (end - begin) > PIECE) {
			status = add_piece(&cutter, begin, end - begin, err);
			begin = end;
		}
		end = at->offset + at->length;
		if (status || at->length <= PIECE)
			continue;
		status = cut_extent(&cutter, at, err);
		begin = end;
	}
	if (!status)
		status = add_piece(&cutter, begin, end - begin, err);
	job->pieces = cutter.list;
	job->n_pieces = cutter.n;
	return status;
}

static enum wh_status report(struct job *job, uint64_t *reported,
			     struct wh_error *err)
{
	struct copying *copying = job->copying;
	uint64_t done = copying->done_bytes + atomic_load(&job->done);

	if (!copying->progress ||
	    (done - *reported < PROGRESS_EACH && done < copying->total_bytes))
		return WH_OK;
	*reported = done;
	if (copying->progress(copying->arg, "writing", done,
			      copying->total_bytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status join_sums(struct job *job, struct sums *sums,
				struct wh_error *err)
{
	enum wh_status status = WH_OK;
	size_t i;

	pthread_mutex_lock(&job->lock);
	for (i = 0; i < sums->n && !status; i++)
		status = add_sum(&job->sums, &sums->list[i], err);
	pthread_mutex_unlock(&job->lock);
	free(sums->list);
	return status;
}

static enum wh_status copy_some(struct job *job, bool reports,
				struct wh_error *err)
{
	uint8_t *buffer wh_free_auto = malloc(PIECE);
	enum wh_status status = buffer ? WH_OK : wh_fail_memory(err);
	struct sums sums = {0};
	uint64_t reported = 0;

	while (!status && !atomic_load(&job->stopped)) {
		uint64_t turn = atomic_fetch_add(&job->next, 1);

		if (turn >= job->n_pieces)
			break;
		status =
			copy_piece(job, &sums, buffer, &job->pieces[turn], err);
		if (!status && reports)
			status = report(job, &reported, err);
	}
	if (status) {
		free(sums.list);
		return status;
	}
	return join_sums(job, &sums, err);
}

static void note_failure(struct job *job, const struct wh_error *err)
{
	pthread_mutex_lock(&job->lock);
	if (!job->failure.status)
		job->failure = *err;
	pthread_mutex_unlock(&job->lock);
	atomic_store(&job->stopped, true);
}

static void *run_helper(void *arg)
{
	struct job *job = arg;
	struct wh_error err;

	if (copy_some(job, false, &err))
		note_failure(job, &err);
	return NULL;
}

static unsigned count_paying(const struct job *job)
{
	long cores =
		job->work < SMALL_IMAGE ? 1 : sysconf(_SC_NPROCESSORS_ONLN);

	return cores > 0 ? (unsigned)cores : 1;
}

static unsigned count_helpers(const struct job *job)
{
	unsigned threads = job->copying->threads;

	if (!wh_plan_source(job->plan)->ops->concurrent || job->n_pieces < 2)
		return 0;
	if (threads == 0)
		threads = count_paying(job);
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	if (threads > job->n_pieces)
		threads = (unsigned)job->n_pieces;
	return threads - 1;
}

static int by_run(const void *a, const void *b)
{
	const struct summed *x = a, *y = b;

	if (x->tensor != y->tensor)
		return x->tensor < y->tensor ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Where an image holds all of a tensor, its sum must be the weighed one. */
static enum wh_status check_sums(struct job *job, struct wh_error *err)
{
	const struct wh_manifest *manifest =
		&wh_plan_source(job->plan)->manifest;
	struct sums *sums = &job->sums;
	size_t i = 0;

	if (sums->n)
		qsort(sums->list, sums->n, sizeof(*sums->list), by_run);
	while (i < sums->n) {
		uint32_t which = sums->list[i].tensor, crc = 0;
		uint64_t at = 0;

		for (; i < sums->n && sums->list[i].tensor == which; i++) {
			if (sums->list[i].start != at)
				continue;
			crc = crc32c_combine(crc, sums->list[i].crc,
					     sums->list[i].length);
			at += sums->list[i].length;
		}
		if (at == manifest->tensors[which].nbytes)
			WH_TRY(check_sum(job, which, crc, err));
	}
	return WH_OK;
}

static enum wh_status run_job(struct job *job, struct wh_error *err)
{
	unsigned i, n = count_helpers(job), started = 0;
	pthread_t helpers[MAX_THREADS];
	struct wh_error own;

	for (i = 0; i < n; i++)
		if (pthread_create(&helpers[started], NULL, run_helper, job) ==
		    0)
			started++;
	if (copy_some(job, true, &own))
		note_failure(job, &own);
	for (i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	if (job->failure.status) {
		if (err)
			*err = job->failure;
		return job->failure.status;
	}
	return check_sums(job, err);
}

enum wh_status copy_image(struct wh_plan *plan, uint32_t image, int fd,
			  struct copying *copying, struct wh_error *err)
{
	struct job job = {.plan = plan,
			  .image = wh_plan_image(plan, image),
			  .index = image,
			  .fd = fd,
			  .copying = copying};
	enum wh_status status;

	status = cut_image(&job, err);
	if (!status) {
		pthread_mutex_init(&job.lock, NULL);
		status = run_job(&job, err);
		pthread_mutex_destroy(&job.lock);
	}
	free(job.sums.list);
	free(job.pieces);
	copying->done_bytes += job.image->size;
	return status;
}
