/* Which shard a tensor goes into, and what runs of it a slice is. */
#include "support/assert.h"

#include <stdlib.h>
#include <string.h>

#include "tf/bundle.h"
#include "tf/rectangle.h"
#include "tf/sharding.h"

/* ---- Rectangles
 * ------------------------------------------------------------- */

#define MAX_BYTES 512

/* Marks each byte of the payload that the extents take, in their order. */
static uint64_t mark(const struct rectangle *rectangle, size_t size,
		     uint64_t *order)
{
	uint64_t i, at, next = 0;

	for (i = 0; i < rectangle_count(rectangle); i++) {
		struct wh_extent extent;

		rectangle_extent(rectangle, size, i, &extent);
		for (at = 0; at < extent.length; at++) {
			uint64_t from = extent.start + at;

			if (extent.run)
				from = extent.start +
				       at / extent.run * extent.stride +
				       at % extent.run;
			assert_true(from < MAX_BYTES);
			assert_int_equal(order[from], UINT64_MAX);
			order[from] = next++;
		}
	}
	return next;
}

/* Against every element of the tensor, one by one. */
static void check_rectangle(const struct rectangle *part, size_t size)
{
	uint64_t order[MAX_BYTES], n = 1, i, next = 0;
	uint32_t k;

	for (i = 0; i < MAX_BYTES; i++)
		order[i] = UINT64_MAX;
	mark(part, size, order);
	for (k = 0; k < part->rank; k++)
		n *= part->shape[k];
	for (i = 0; i < n; i++) {
		uint64_t left = i, inside = 1;
		size_t b;

		for (k = part->rank; k-- > 0; left /= part->shape[k]) {
			uint64_t at = left % part->shape[k];

			inside &= at >= part->start[k] &&
				  at - part->start[k] < part->length[k];
		}
		for (b = 0; b < size; b++)
			assert_int_equal(order[i * size + b],
					 inside ? next++ : UINT64_MAX);
	}
}

static void a_slice_is_the_bytes_of_its_elements_in_order(void **state)
{
	static const uint64_t shape[] = {3, 2, 4, 2};
	uint64_t start[4], length[4];
	unsigned code;
	uint32_t k;

	(void)state;
	/* Every start and length of every dimension. */
	for (code = 0; code < 3 * 3 * 2 * 2 * 4 * 4 * 2 * 2; code++) {
		struct rectangle part = {4, shape, start, length};
		unsigned left = code;
		bool fits = true;

		for (k = 0; k < 4; k++) {
			start[k] = left % shape[k];
			left /= (unsigned)shape[k];
			length[k] = 1 + left % shape[k];
			left /= (unsigned)shape[k];
			fits &= start[k] + length[k] <= shape[k];
		}
		if (fits)
			check_rectangle(&part, 3);
	}
}

static void any_part_of_a_matrix_is_one_extent(void **state)
{
	static const uint64_t shape[] = {6, 6}, start[] = {2, 3},
			      length[] = {2, 2};
	struct rectangle part = {2, shape, start, length};
	struct wh_extent extent;

	(void)state;
	assert_int_equal(rectangle_count(&part), 1);
	rectangle_extent(&part, 4, 0, &extent);
	assert_int_equal(extent.start, 4 * (2 * 6 + 3));
	assert_int_equal(extent.length, 16);
	assert_int_equal(extent.run, 8);
	assert_int_equal(extent.stride, 24);
	assert_false(rectangle_is_whole(&part));
}

/* ---- Shards
 * ----------------------------------------------------------------- */

struct checked {
	uint64_t bytes[64]; /* of each shard */
	uint64_t placed[8]; /* of each item */
};

static void check_pieces(const struct sharding *sharding,
			 const struct shardable *items, struct checked *out)
{
	uint32_t i, k;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < sharding->n_pieces; i++) {
		const struct shard_piece *piece = &sharding->pieces[i];
		const struct shardable *item = &items[piece->item];
		uint64_t bytes = item->nbytes;

		assert_true(piece->shard < sharding->n_shards);
		assert_true(!i || piece->shard >= piece[-1].shard);
		for (k = 0; piece->start && k < item->rank; k++) {
			bytes = (k ? bytes : item->width) * piece->length[k];
			assert_true(piece->start[k] + piece->length[k] <=
				    item->shape[k]);
		}
		out->bytes[piece->shard] += bytes;
		out->placed[piece->item] += bytes;
	}
}

static void slices_fill_shards_and_cover_their_tensors(void **state)
{
	static const uint64_t cube[] = {5, 7, 9}, row[] = {33}, none[] = {0, 4};
	static const struct shardable items[] = {{5 * 7 * 9 * 4, 4, 3, cube},
						 {8, 8, 0, NULL},
						 {33, 1, 1, row},
						 {0, 4, 2, none},
						 {120, 0, 1, row},
						 {0, 0, 0, NULL}};
	uint64_t limit;

	(void)state;
	for (limit = 200; limit < 1400; limit += 33) {
		struct sharding sharding = {0};
		struct arena arena = {0};
		struct checked found;
		struct wh_error err;
		uint32_t i;

		assert_ok(sharding_assign(&sharding, WH_SHARD_TENSORFLOW, limit,
					  items, 6, &arena, &err),
			  &err);
		check_pieces(&sharding, items, &found);
		for (i = 0; i < 6; i++)
			assert_int_equal(found.placed[i], items[i].nbytes);
		for (i = 0; i < sharding.n_shards; i++)
			assert_true(found.bytes[i] <= limit);
		free(sharding.pieces);
		arena_free(&arena);
	}
}

/* MaxShardSizePolicy never comes back from this. */
static void a_row_that_fits_nowhere_has_a_shard_of_its_own(void **state)
{
	static const uint64_t wide[] = {4, 4}, small[] = {2};
	static const struct shardable items[] = {
		{8, 4, 1, small}, {64, 4, 2, wide}, {8, 4, 1, small}};
	struct sharding sharding = {0};
	struct arena arena = {0};
	struct checked found;
	struct wh_error err;

	(void)state;
	assert_ok(sharding_assign(&sharding, WH_SHARD_TENSORFLOW, 10, items, 3,
				  &arena, &err),
		  &err);
	check_pieces(&sharding, items, &found);
	assert_int_equal(sharding.n_shards, 3);
	assert_int_equal(found.bytes[2], 64);
	assert_int_equal(sharding.pieces[2].item, 1);
	assert_null(sharding.pieces[2].start);
	free(sharding.pieces);
	arena_free(&arena);
}

static void whole_tensors_are_never_cut(void **state)
{
	static const uint64_t shape[] = {25};
	struct shardable items[5];
	struct sharding sharding = {0};
	struct arena arena = {0};
	struct wh_error err;
	uint32_t i;

	(void)state;
	for (i = 0; i < 5; i++)
		items[i] = (struct shardable){100, 4, 1, shape};
	assert_ok(sharding_assign(&sharding, WH_SHARD_WHOLE, 250, items, 5,
				  &arena, &err),
		  &err);
	assert_int_equal(sharding.n_shards, 3);
	for (i = 0; i < 5; i++)
		assert_int_equal(sharding.pieces[i].shard, i / 2);
	free(sharding.pieces);
	arena_free(&arena);
}

/* A reader takes so many of each. */
static void too_many_parts_are_refused(void **state)
{
	static const uint64_t shapes[] = {MAX_SLICES, MAX_SLICES + 1};
	struct shardable row = {4 * MAX_SLICES, 4, 1, shapes};
	struct shardable *items = calloc(MAX_SHARDS + 1, sizeof(*items));
	struct sharding sharding = {0};
	struct arena arena = {0};
	struct wh_error err;
	uint32_t i;

	(void)state;
	assert_non_null(items);
	for (i = 0; i <= MAX_SHARDS; i++)
		items[i] = (struct shardable){4, 4, 1, shapes};
	assert_ok(sharding_assign(&sharding, WH_SHARD_WHOLE, 4, items,
				  MAX_SHARDS, &arena, &err),
		  &err);
	assert_int_equal(sharding.n_shards, MAX_SHARDS);
	free(sharding.pieces);
	sharding = (struct sharding){0};
	assert_fails(sharding_assign(&sharding, WH_SHARD_WHOLE, 4, items,
				     MAX_SHARDS + 1, &arena, &err),
		     &err, WH_EINVAL, "more than 100000 shards");
	free(sharding.pieces);
	free(items);
	sharding = (struct sharding){0};
	assert_ok(sharding_assign(&sharding, WH_SHARD_TENSORFLOW, 4, &row, 1,
				  &arena, &err),
		  &err);
	assert_int_equal(sharding.n_pieces, MAX_SLICES);
	free(sharding.pieces);
	sharding = (struct sharding){0};
	row = (struct shardable){row.nbytes + 4, 4, 1, shapes + 1};
	assert_fails(sharding_assign(&sharding, WH_SHARD_TENSORFLOW, 4, &row, 1,
				     &arena, &err),
		     &err, WH_EINVAL, "more than 4096 slices");
	free(sharding.pieces);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_the_bytes_of_its_elements_in_order),
		cmocka_unit_test(any_part_of_a_matrix_is_one_extent),
		cmocka_unit_test(slices_fill_shards_and_cover_their_tensors),
		cmocka_unit_test(
			a_row_that_fits_nowhere_has_a_shard_of_its_own),
		cmocka_unit_test(whole_tensors_are_never_cut),
		cmocka_unit_test(too_many_parts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
