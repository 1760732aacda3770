/* Payloads of two files, and what is between them as one tensor. */
#include <stdlib.h>

#include "support/assert.h"

#include "core/skeleton.h"

#define N_TENSORS 9

static const char *const files[] = {"head-PAYLOAD-tail", "WHOLE", "rest"};

struct fixture {
	struct arena arena;
	struct skeleton skeleton;
	struct wh_template *made;
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
static int set_up(void **state)
{
	static const struct payload listed[] = {
		{1, {.length = 5, .tensor = 3}},
		{0, {.offset = 6, .length = 3, .tensor = 2}},
		{2, {.offset = 2, .length = 0, .tensor = 4}},
		{0, {.offset = 5, .length = 7, .tensor = 1}},
	};
	struct payloads payloads payloads_auto = {0};
	struct fixture *f = calloc(1, sizeof(*f));
	uint32_t i;

	assert_non_null(f);
	assert_ok(skeleton_begin(&f->skeleton, &f->arena, N_TENSORS, read_run,
				 f, "test", 3, &f->made, &f->err),
		  &f->err);
	for (i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		assert_ok(payloads_add(&payloads, listed[i].file,
				       &listed[i].extent, &f->err),
			  &f->err);
	for (i = 0; i < 3; i++) {
		f->made->files[i].size = strlen(files[i]);
		assert_ok(skeleton_cover(&f->skeleton, &payloads, i,
					 &f->made->files[i], &f->err),
			  &f->err);
	}
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
	const struct wh_template_file *covered = f->made->files;

	assert_string_equal(f->made->format, "test");
	assert_int_equal(f->made->n_files, 3);
	assert_int_equal(f->made->skeleton, N_TENSORS);
	assert_int_equal(covered[0].n_extents, 3);
	assert_extent(&covered[0].extents[0], N_TENSORS, 0, 5, 0);
	assert_extent(&covered[0].extents[1], 1, 5, 7, 0);
	assert_extent(&covered[0].extents[2], N_TENSORS, 12, 5, 5);
	assert_int_equal(covered[1].n_extents, 1);
	assert_extent(&covered[1].extents[0], 3, 0, 5, 0);
	assert_int_equal(covered[2].n_extents, 1);
	assert_extent(&covered[2].extents[0], N_TENSORS, 0, 4, 10);
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
