/* Plans: extents, reading any range before it exists, what may be written. */
#include "support/assert.h"

#include <stdlib.h>

#include "engine.h"
#include "plan_internal.h"
#include "support/store.h"
#include "support/one_weight.h"

static const struct wh_cast widen = {WH_BFLOAT16, WH_FLOAT32};

static struct wh_error err;

/* Of make_model: a kernel of 24 bytes, a bias of 8, an iteration of 8. */
enum { KERNEL, BIAS, ITERATION };

struct planned {
	struct wh_source *source;
	struct wh_plan *plan;
	struct wh_image *image;
};

static void begin(struct planned *p)
{
	p->source = make_model(1);
	assert_ok(wh_plan_new(p->source, &p->plan, &err), &err);
	assert_ok(wh_plan_add_image(p->plan, ".x", true, &p->image, &err),
		  &err);
}

static void end(struct planned *p)
{
	wh_plan_free(p->plan);
	wh_source_close(p->source);
}

static void payload_of(struct planned *p, uint32_t tensor, uint8_t *bytes)
{
	assert_ok(wh_source_read(
			  p->source, tensor, 0, bytes,
			  (size_t)p->source->manifest.tensors[tensor].nbytes,
			  &err),
		  &err);
}

/* Byte by byte and in every range, as the whole. */
static void assert_reads_as(struct planned *p, const uint8_t *wanted,
			    size_t size)
{
	uint8_t got[128];
	size_t from, to;

	assert_int_equal(p->image->size, size);
	assert_ok(plan_check(p->plan, &err), &err);
	for (from = 0; from <= size; from++)
		for (to = from; to <= size; to++) {
			memset(got, 0xee, sizeof(got));
			assert_ok(wh_plan_read(p->plan, 0, from, got, to - from,
					       &err),
				  &err);
			assert_memory_equal(got, wanted + from, to - from);
		}
}

static void literals_and_payloads_stand_in_order(void **state)
{
	uint8_t wanted[64] = "headtail", bias[8];
	struct planned p;

	(void)state;
	begin(&p);
	assert_ok(wh_image_literal(p.image, "head", 4, &err), &err);
	assert_ok(wh_image_literal(p.image, "tail", 4, &err), &err);
	assert_int_equal(p.image->n_extents, 1); /* neighbours join */
	assert_ok(wh_image_payload(p.image, KERNEL, 0, 24, &err), &err);
	assert_ok(wh_image_payload(p.image, BIAS, 0, 0, &err), &err);
	assert_ok(wh_image_payload(p.image, BIAS, 4, 4, &err), &err);
	assert_ok(wh_image_literal(p.image, "!", 1, &err), &err);
	payload_of(&p, KERNEL, wanted + 8);
	payload_of(&p, BIAS, bias);
	memcpy(wanted + 32, bias + 4, 4);
	wanted[36] = '!';
	assert_reads_as(&p, wanted, 37);
	end(&p);
}

static void elements_are_reversed_wherever_a_read_begins(void **state)
{
	const struct wh_extent swapped = {
		.length = 24, .tensor = KERNEL, .swap = 4};
	uint8_t kernel[24], wanted[24];
	struct planned p;
	size_t i;

	(void)state;
	begin(&p);
	payload_of(&p, KERNEL, kernel);
	for (i = 0; i < 24; i++)
		wanted[i] = kernel[i / 4 * 4 + 3 - i % 4];
	assert_ok(wh_image_extent(p.image, &swapped, &err), &err);
	assert_reads_as(&p, wanted, 24);
	end(&p);
}

/* A column of the kernel of 3 x 2: 4 bytes of each 8. */
static void strided_runs_are_gathered(void **state)
{
	const struct wh_extent column = {.length = 12,
					 .tensor = KERNEL,
					 .start = 4,
					 .run = 4,
					 .stride = 8};
	uint8_t kernel[24], wanted[12];
	struct planned p;
	size_t i;

	(void)state;
	begin(&p);
	payload_of(&p, KERNEL, kernel);
	for (i = 0; i < 12; i++)
		wanted[i] = kernel[4 + i / 4 * 8 + i % 4];
	assert_ok(wh_image_extent(p.image, &column, &err), &err);
	assert_reads_as(&p, wanted, 12);
	end(&p);
}

static void reads_outside_are_refused(void **state)
{
	struct planned p;
	uint8_t byte;

	(void)state;
	begin(&p);
	assert_ok(wh_image_literal(p.image, "abc", 3, &err), &err);
	assert_fails(wh_plan_read(p.plan, 0, 3, &byte, 1, &err), &err,
		     WH_EINVAL, "3 bytes");
	assert_fails(wh_plan_read(p.plan, 0, UINT64_MAX, &byte, 1, &err), &err,
		     WH_EINVAL, "3 bytes");
	assert_fails(wh_plan_read(p.plan, 1, 0, &byte, 1, &err), &err,
		     WH_EINVAL, "no file 1");
	end(&p);
}

static void room_for_extents_changes_nothing(void **state)
{
	struct planned p;

	(void)state;
	begin(&p);
	assert_ok(wh_image_reserve(p.image, 1000, &err), &err);
	assert_ok(wh_image_literal(p.image, "head", 4, &err), &err);
	assert_ok(wh_image_reserve(p.image, 1, &err), &err);
	assert_reads_as(&p, (const uint8_t *)"head", 4);
	assert_fails(wh_image_reserve(p.image, SIZE_MAX, &err), &err, WH_ENOMEM,
		     "memory");
	assert_reads_as(&p, (const uint8_t *)"head", 4);
	end(&p);
}

static void extents_must_follow_each_other(void **state)
{
	struct planned p;

	(void)state;
	begin(&p);
	assert_fails(wh_image_extent(p.image,
				     &(struct wh_extent){.offset = 1,
							 .length = 4,
							 .tensor = KERNEL},
				     &err),
		     &err, WH_EINVAL, "can't follow");
	assert_ok(wh_image_literal(p.image, "a", 1, &err), &err);
	p.image->size = UINT64_MAX;
	assert_fails(wh_image_payload(p.image, KERNEL, 0, 24, &err), &err,
		     WH_EINVAL, "can't be that large");
	end(&p);
}

/* What a plug-in's planner could get wrong. */
static const struct wh_extent unsound[] = {
	{.length = 25, .tensor = KERNEL},
	{.length = 8, .tensor = KERNEL, .start = 17},
	{.length = 8, .tensor = KERNEL, .start = UINT64_MAX - 3},
	{.length = 4, .tensor = 99},
	{.length = 1, .tensor = WH_LITERAL},
	{.length = 8, .tensor = KERNEL, .swap = 3},
	{.length = 8, .tensor = KERNEL, .swap = 32},
	{.length = 6, .tensor = KERNEL, .swap = 4},
	{.length = 8, .tensor = KERNEL, .run = 4, .stride = 2},
	{.length = 8, .tensor = KERNEL, .stride = 8},
	{.length = 16, .tensor = KERNEL, .run = 4, .stride = 8},
	{.length = 8, .tensor = KERNEL, .run = 4, .stride = UINT64_MAX},
	{.length = 8, .tensor = KERNEL, .run = 6, .stride = 8, .swap = 4},
};

static void unsound_plans_are_found_before_a_byte_moves(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++) {
		struct planned p;

		begin(&p);
		assert_ok(wh_image_extent(p.image, &unsound[i], &err), &err);
		if (plan_check(p.plan, &err) != WH_EINVAL)
			fail_msg("extent %zu is taken", i);
		assert_non_null(strstr(err.message, "'.x'"));
		end(&p);
	}
}

static void files_stay_beside_their_target_and_commit_last(void **state)
{
	struct wh_image *image;
	struct planned p;

	(void)state;
	begin(&p);
	assert_ok(plan_check(p.plan, &err), &err); /* an empty file is one */
	assert_ok(wh_plan_add_image(p.plan, ".late", false, &image, &err),
		  &err);
	assert_fails(plan_check(p.plan, &err), &err, WH_EINVAL, "too late");
	image->commits = true;
	assert_ok(plan_check(p.plan, &err), &err);
	assert_ok(wh_plan_add_image(p.plan, ".x", true, &image, &err), &err);
	assert_fails(plan_check(p.plan, &err), &err, WH_EINVAL, "two files");
	end(&p);
	begin(&p);
	assert_ok(wh_plan_add_image(p.plan, "/../up", true, &image, &err),
		  &err);
	assert_fails(plan_check(p.plan, &err), &err, WH_EINVAL, "leaves");
	end(&p);
}

static void bfloat16_is_widened_wherever_a_read_begins(void **state)
{
	static const uint16_t halves[5] = {0x3f80, 0xc049, 0x7fc1, 0x0001,
					   0x8000};
	const uint64_t shape[] = {5};
	struct wh_array array = {.name = "w",
				 .dtype = WH_BFLOAT16,
				 .rank = 1,
				 .shape = shape,
				 .data = halves};
	struct wh_source *inner, *wide;
	uint8_t wanted[20] = {0}, got[20];
	size_t from, to, i;

	(void)state;
	for (i = 0; i < 5; i++) {
		wanted[4 * i + 2] = (uint8_t)halves[i];
		wanted[4 * i + 3] = (uint8_t)(halves[i] >> 8);
	}
	inner = one_weight("l", NULL, &array);
	assert_ok(filter_cast(inner, &widen, 1, &wide, &err), &err);
	assert_int_equal(wide->manifest.tensors[0].dtype, WH_FLOAT32);
	assert_int_equal(wide->manifest.tensors[0].nbytes, 20);
	assert_int_equal(inner->manifest.tensors[0].dtype, WH_BFLOAT16);
	for (from = 0; from < 20; from++)
		for (to = from + 1; to <= 20; to++) {
			assert_ok(wh_source_read(wide, 0, from, got, to - from,
						 &err),
				  &err);
			assert_memory_equal(got, wanted + from, to - from);
		}
	wh_source_close(wide);
	wh_source_close(inner);
}

static void nothing_is_wrapped_where_nothing_is_bfloat16(void **state)
{
	struct wh_source *inner = make_model(1), *wide = inner;

	(void)state;
	assert_ok(filter_cast(inner, &widen, 1, &wide, &err), &err);
	assert_null(wide);
	wh_source_close(inner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_and_payloads_stand_in_order),
		cmocka_unit_test(elements_are_reversed_wherever_a_read_begins),
		cmocka_unit_test(strided_runs_are_gathered),
		cmocka_unit_test(reads_outside_are_refused),
		cmocka_unit_test(room_for_extents_changes_nothing),
		cmocka_unit_test(extents_must_follow_each_other),
		cmocka_unit_test(unsound_plans_are_found_before_a_byte_moves),
		cmocka_unit_test(
			files_stay_beside_their_target_and_commit_last),
		cmocka_unit_test(bfloat16_is_widened_wherever_a_read_begins),
		cmocka_unit_test(nothing_is_wrapped_where_nothing_is_bfloat16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
