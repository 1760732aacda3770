/* Payloads of two files, and what is between them as one tensor. */
#include <stdlib.h>

#include "support/assert.h"

#include "core/skeleton.h"

#define N_TENSORS 9

static const char *const files[] = {"head-PAYLOAD-tail", "WHOLE", "rest"};

struct fixture {
	struct arena arena;
	struct skeleton skeleton;
	struct wh_extent extents[3][8];
	struct wh_template_file covered[3];
	unsigned n_reads;
	struct wh_error err;
};

static enum wh_status read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err)
{
	struct fixture *f = arg;

	f->n_reads++;
	if (skip + len > run->length)
		return wh_fail(err, WH_EINVAL, "it is read beyond its end");
	memcpy(buf, files[run->file] + run->offset + skip, len);
	return WH_OK;
}

/* Upper-case letters are payloads, all but the second of two that share. */
static void cover(struct fixture *f, uint32_t number,
		  const struct wh_extent *payloads, size_t n)
{
	struct wh_template_file *file = &f->covered[number];
	struct cover at = {
		.skeleton = &f->skeleton, .file = file, .number = number};
	size_t i;

	file->size = strlen(files[number]);
	file->extents = f->extents[number];
	for (i = 0; i < n; i++)
		cover_payload(&at, &payloads[i]);
	cover_end(&at);
}

static int set_up(void **state)
{
	static const struct wh_extent shared[] = {
		{.offset = 5, .length = 7, .tensor = 1},
		{.offset = 6, .length = 3, .tensor = 2},
	};
	static const struct wh_extent whole = {.length = 5, .tensor = 3};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_ok(skeleton_begin(&f->skeleton, &f->arena, 5, N_TENSORS,
				 read_run, f, &f->err),
		  &f->err);
	cover(f, 0, shared, 2);
	cover(f, 1, &whole, 1);
	cover(f, 2, NULL, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_free(&f->arena);
	free(f);
	return 0;
}

static void assert_extent(const struct wh_extent *extent, uint32_t tensor,
			  uint64_t offset, uint64_t length, uint64_t start)
{
	assert_int_equal(extent->tensor, tensor);
	assert_int_equal(extent->offset, offset);
	assert_int_equal(extent->length, length);
	assert_int_equal(extent->start, start);
}

static void extents_are_gapless_and_the_first_owns_what_is_shared(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->covered[0].n_extents, 3);
	assert_extent(&f->extents[0][0], N_TENSORS, 0, 5, 0);
	assert_extent(&f->extents[0][1], 1, 5, 7, 0);
	assert_extent(&f->extents[0][2], N_TENSORS, 12, 5, 5);
	assert_int_equal(f->covered[1].n_extents, 1);
	assert_extent(&f->extents[1][0], 3, 0, 5, 0);
	assert_int_equal(f->covered[2].n_extents, 1);
	assert_extent(&f->extents[2][0], N_TENSORS, 0, 4, 10);
	assert_int_equal(f->skeleton.size, 14);
}

static void any_range_is_read_across_runs_and_files(void **state)
{
	static const char all[] = "head--tailrest";
	struct fixture *f = *state;
	char buf[sizeof(all)];
	uint64_t from;
	size_t len;

	for (from = 0; from <= 14; from++)
		for (len = 0; from + len <= 14; len++) {
			assert_ok(skeleton_read(&f->skeleton, from, buf, len,
						&f->err),
				  &f->err);
			assert_memory_equal(buf, all + from, len);
		}
	f->n_reads = 0;
	assert_ok(skeleton_read(&f->skeleton, 0, buf, 14, &f->err), &f->err);
	assert_int_equal(f->n_reads, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			extents_are_gapless_and_the_first_owns_what_is_shared,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			any_range_is_read_across_runs_and_files, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
