/* Groups of tensors, hashed side by side.
 *
 * Where the processor has wide vectors and no instructions for SHA-256, as many
 * tensors as a vector has words are hashed at once in the time of three or four.
 * Those of a group should be of about the same size, since a lane whose tensor
 * has ended idles; so they are taken by powers of two, each in the order of the
 * file, from which small ones are read ahead.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/sha256_lanes.h"
#include "core/weigh_internal.h"

#define PIECE ((size_t)32 << 10) /* all lanes' stay in a core's cache */
/* So many times the bytes of its largest tensor a group has at least: it takes
 * as long as three or four of them. */
#define PAYS 5u
/* With fewer tensors for each thread the threads alone are sooner done. */
#define EACH 4u
/* A class begins at each power of two; all below 2^13 bytes are one. */
#define SMALLEST_CLASS 12u
#define N_CLASSES      64u

struct lane {
	struct wh_tensor *tensor;
	struct scale *scale; /* all but SHA-256 */
	uint8_t *bytes;	     /* PIECE */
	uint32_t index;
	size_t rest; /* where the bytes behind whole blocks begin */
	uint64_t size;
};

struct weigh_lanes {
	struct sha256_lanes hash;
	struct lane lanes[SHA256_LANES];
	unsigned n; /* that have a tensor */
	uint8_t *bytes;
};

/* ---- Which ----------------------------------------------------------------
 */

static unsigned class_of(uint64_t nbytes)
{
	unsigned class = 63u - (unsigned)__builtin_clzll(nbytes | 1);

	return class < SMALLEST_CLASS ? SMALLEST_CLASS : class;
}

/* Hidden ones are put together as they are read; one whose first chunk decides
 * whether it is weighed at all is not begun with others. */
static bool is_eligible(const struct weighing *all, uint32_t index)
{
	const struct wh_tensor *tensor = &all->source->manifest.tensors[index];

	if (all->probes && all->probes[index].skips_unlike)
		return false;
	return index < all->source->manifest.n_tensors && tensor->nbytes &&
	       !(tensor->weighed & WH_SHA256) && weigh_is_wanted(all, index);
}

/* The large ones first, each class in its order: how many there are. */
static uint32_t sort_by_class(const struct weighing *all, uint32_t *order)
{
	const struct wh_tensor *tensors = all->source->manifest.tensors;
	uint32_t starts[N_CLASSES] = {0}, i, n = 0;
	unsigned class;

	for (i = 0; i < all->n_tensors; i++)
		if (is_eligible(all, i))
			starts[class_of(tensors[i].nbytes)]++;
	for (class = N_CLASSES; class-- > 0;) {
		uint32_t count = starts[class];

		starts[class] = n;
		n += count;
	}
	for (i = 0; i < all->n_tensors; i++)
		if (is_eligible(all, i))
			order[starts[class_of(tensors[i].nbytes)]++] = i;
	return n;
}

/* Whether the time of the largest is worth it for all `n`. */
static bool pays(const struct weighing *all, const uint32_t *order, uint32_t n)
{
	const struct wh_tensor *tensors = all->source->manifest.tensors;
	uint64_t sum = 0, most = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint64_t nbytes = tensors[order[i]].nbytes;

		sum += nbytes;
		most = nbytes > most ? nbytes : most;
	}
	return sum / PAYS >= most;
}

/* Puts those that are in a group side by side at the beginning of `order`. */
static void group(struct weighing *all, uint32_t n_sorted, unsigned width)
{
	struct weigh_groups *groups = &all->groups;
	uint32_t at = 0, end = 0, n, i;

	while (at < n_sorted) {
		n = n_sorted - at < width ? n_sorted - at : width;
		if (!pays(all, &groups->order[at], n)) {
			at++;
			continue;
		}
		for (i = 0; i < n; i++, end++) {
			groups->order[end] = groups->order[at++];
			groups->has[groups->order[end]] = true;
		}
		groups->ends[groups->n_groups++] = end;
	}
	/* Threads without a group would wait. */
	if (end < EACH * all->n_threads)
		weigh_free_groups(groups);
}

void weigh_free_groups(struct weigh_groups *groups)
{
	free(groups->order);
	free(groups->ends);
	free(groups->has);
	*groups = (struct weigh_groups){0};
}

static bool may_group(const struct weighing *all)
{
	return all->source->ops->scattered && (all->needs & WH_SHA256) &&
	       all->n_tensors >= PAYS && sha256_lanes_width() != 0;
}

enum wh_status weigh_find_groups(struct weighing *all, struct wh_error *err)
{
	struct weigh_groups *groups = &all->groups;
	size_t n = all->n_tensors;

	if (!may_group(all))
		return WH_OK;
	groups->order = calloc(n, sizeof(*groups->order));
	groups->ends = calloc(n, sizeof(*groups->ends));
	groups->has = calloc(n, sizeof(*groups->has));
	if (!groups->order || !groups->ends || !groups->has) {
		weigh_free_groups(groups);
		return wh_fail_memory(err);
	}
	group(all, sort_by_class(all, groups->order), sha256_lanes_width());
	return WH_OK;
}

/* ---- What a thread works with ----------------------------------------------
 */

void weigh_lanes_free(struct weigh_lanes *lanes)
{
	unsigned i;

	if (!lanes)
		return;
	for (i = 0; i < SHA256_LANES; i++)
		scale_free(lanes->lanes[i].scale);
	free(lanes->bytes);
	free(lanes);
}

static enum wh_status fill_lanes(struct weigh_lanes *lanes,
				 struct wh_error *err)
{
	unsigned i;

	lanes->bytes = malloc(SHA256_LANES * PIECE);
	if (!lanes->bytes)
		return wh_fail_memory(err);
	for (i = 0; i < SHA256_LANES; i++) {
		lanes->lanes[i].bytes = lanes->bytes + i * PIECE;
		WH_TRY(scale_new(&lanes->lanes[i].scale, err));
	}
	return WH_OK;
}

static enum wh_status get_lanes(struct weigher *weigher, struct wh_error *err)
{
	if (weigher->lanes)
		return WH_OK;
	weigher->lanes = calloc(1, sizeof(*weigher->lanes));
	if (!weigher->lanes)
		return wh_fail_memory(err);
	return fill_lanes(weigher->lanes, err);
}

/* ---- A group --------------------------------------------------------------
 */

/* A tensor that begins as its parent's is read from its beginning again: less
 * is found of it. */
static enum wh_status look_at_first(struct weighing *all,
				    struct weigher *weigher,
				    const struct lane *lane,
				    struct wh_error *err)
{
	struct weigh_probe *probe =
		all->probes ? &all->probes[lane->index] : NULL;
	size_t len = lane->size < SCALE_CHUNK ? (size_t)lane->size
					      : SCALE_CHUNK;

	if (!probe || !probe->has_first)
		return WH_OK;
	WH_TRY(wh_source_read(all->source, lane->index, 0, weigher->buffer, len,
			      err));
	weigh_probe_first(probe, crc32c_update(0, weigher->buffer, len));
	return WH_OK;
}

static enum wh_status begin_lane(struct weighing *all, struct weigher *weigher,
				 struct lane *lane, uint32_t index,
				 struct wh_error *err)
{
	unsigned needs = all->needs & ~(unsigned)WH_SHA256;

	lane->index = index;
	lane->tensor = &all->source->manifest.tensors[index];
	lane->size = lane->tensor->nbytes;
	lane->rest = 0;
	WH_TRY(look_at_first(all, weigher, lane, err));
	if (all->probes && all->probes[index].is_alike)
		needs &= WEIGH_IDENTITY;
	return scale_begin(lane->scale, lane->tensor, needs, err);
}

/* The next piece of a tensor: how many whole blocks of it there are. */
static enum wh_status read_lane(struct weighing *all, struct lane *lane,
				uint64_t offset, size_t *n_blocks,
				struct wh_error *err)
{
	uint64_t left = lane->size > offset ? lane->size - offset : 0;
	size_t len = left < PIECE ? (size_t)left : PIECE;

	*n_blocks = len / SHA256_BLOCK;
	if (!len)
		return WH_OK;
	lane->rest = *n_blocks * SHA256_BLOCK;
	WH_TRY(wh_source_read(all->source, lane->index, offset, lane->bytes,
			      len, err));
	atomic_fetch_add(&all->done_bytes, len);
	return scale_add_piece(lane->scale, lane->bytes, len,
			       len == left || (offset + len) % SCALE_CHUNK == 0,
			       err);
}

static enum wh_status add_pieces(struct weighing *all,
				 struct weigh_lanes *lanes, uint64_t offset,
				 struct wh_error *err)
{
	const uint8_t *bytes[SHA256_LANES];
	size_t n_blocks[SHA256_LANES];
	unsigned i;

	for (i = 0; i < lanes->n; i++) {
		bytes[i] = lanes->lanes[i].bytes;
		WH_TRY(read_lane(all, &lanes->lanes[i], offset, &n_blocks[i],
				 err));
	}
	sha256_lanes_add(&lanes->hash, lanes->n, bytes, n_blocks);
	return WH_OK;
}

static enum wh_status end_group(struct weigh_lanes *lanes, struct wh_error *err)
{
	uint8_t digests[SHA256_LANES][SHA256_SIZE];
	const uint8_t *rests[SHA256_LANES];
	uint64_t sizes[SHA256_LANES];
	unsigned i;

	for (i = 0; i < lanes->n; i++) {
		rests[i] = lanes->lanes[i].bytes + lanes->lanes[i].rest;
		sizes[i] = lanes->lanes[i].size;
	}
	sha256_lanes_end(&lanes->hash, lanes->n, rests, sizes, digests);
	for (i = 0; i < lanes->n; i++) {
		struct wh_tensor *tensor = lanes->lanes[i].tensor;

		memcpy(tensor->sha256, digests[i], SHA256_SIZE);
		WH_TRY(scale_finish(lanes->lanes[i].scale, err));
		tensor->weighed |= WH_SHA256;
	}
	return WH_OK;
}

static enum wh_status begin_group(struct weighing *all, struct weigher *weigher,
				  uint32_t index, uint64_t *longest,
				  struct wh_error *err)
{
	const struct weigh_groups *groups = &all->groups;
	struct weigh_lanes *lanes = weigher->lanes;
	uint32_t at = index ? groups->ends[index - 1] : 0;

	*longest = 0;
	for (lanes->n = 0; at < groups->ends[index]; lanes->n++, at++) {
		struct lane *lane = &lanes->lanes[lanes->n];

		WH_TRY(begin_lane(all, weigher, lane, groups->order[at], err));
		*longest = lane->size > *longest ? lane->size : *longest;
	}
	sha256_lanes_begin(&lanes->hash);
	return WH_OK;
}

enum wh_status weigh_group(struct weighing *all, struct weigher *weigher,
			   uint32_t index, chunk_done_fn *chunk_done, void *arg,
			   struct wh_error *err)
{
	uint64_t offset, longest;

	WH_TRY(get_lanes(weigher, err));
	WH_TRY(begin_group(all, weigher, index, &longest, err));
	for (offset = 0; offset < longest; offset += PIECE) {
		if (atomic_load(&all->stopped))
			return WH_OK;
		WH_TRY(add_pieces(all, weigher->lanes, offset, err));
		if (chunk_done)
			WH_TRY(chunk_done(all, arg, err));
	}
	return end_group(weigher->lanes, err);
}
