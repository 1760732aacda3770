/* How often a commit reads a tensor, and what of it is weighed: what is large
 * and new is stored while it is weighed, what is unchanged is identified, and
 * what could be either is weighed first. */
#include "support/damage.h"
#include "support/parts.h"

#include <weighhouse/store.h>

#include "base/sha256_lanes.h"

#define LARGE ((uint64_t)9 << 20) /* more than waits in memory */

static enum wh_status say_unchanged(struct wh_source *source,
				    struct wh_error *err)
{
	(void)source, (void)err;
	return WH_OK;
}

/* As a file's source does: it knows whether it has changed, so nobody has to
 * look for that. */
static void commit_as(struct fixture *f, struct wh_source *source,
		      const struct wh_commit_options *options, bool scattered)
{
	const struct wh_source_ops *own = source->ops;
	struct wh_source_ops ops = *own;

	ops.unchanged = say_unchanged;
	ops.scattered = scattered;
	source->ops = &ops;
	assert_ok(wh_commit(f->store, source, options, &f->result, &f->err),
		  &f->err);
	source->ops = own;
}

static void commit_file(struct fixture *f, struct wh_source *source,
			const struct wh_commit_options *options)
{
	commit_as(f, source, options, false);
}

static void commit_parts(struct fixture *f, struct part *parts, size_t n)
{
	struct wh_source *source = make_parts(parts, n);

	commit_file(f, source, NULL);
	wh_source_close(source);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

static void assert_readings(const struct part *part, int first, int rest)
{
	if (part->n_first != first || part->n_rest != rest)
		fail_msg("'%s' was read %d and %d times, not %d and %d",
			 part->name, part->n_first, part->n_rest, first, rest);
}

/* ---- A first commit --------------------------------------------------------
 */

/* A single chunk is sooner read again than taken back. */
static void what_is_large_is_read_once(void **state)
{
	struct part parts[] = {{.name = "large", .nbytes = LARGE, .rest = 1},
			       {.name = "chunk", .nbytes = PART_CHUNK},
			       {.name = "small", .nbytes = 4096}};

	commit_parts(*state, parts, 3);
	assert_readings(&parts[0], 1, 1);
	assert_readings(&parts[1], 2, 0);
	assert_readings(&parts[2], 2, 0);
}

/* Memory may change meanwhile: what was weighed as it was stored is looked at
 * once more, and nothing else is. */
static void what_can_not_say_whether_it_changed_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct part parts[] = {{.name = "large", .nbytes = LARGE, .rest = 1},
			       {.name = "small", .nbytes = 4096}};
	struct wh_source *source = make_parts(parts, 2);

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	assert_readings(&parts[0], 2, 2);
	assert_readings(&parts[1], 2, 0);
}

/* As another store's snapshot knows them, beside one of which nothing is known.
 * The test reads each once. */
static void of_two_whose_digests_are_known_one_is_read(void **state)
{
	struct fixture *f = *state;
	struct part parts[] = {{.name = "a", .nbytes = LARGE, .rest = 1},
			       {.name = "b", .nbytes = LARGE, .rest = 1},
			       {.name = "c", .nbytes = LARGE, .rest = 2}};
	struct wh_source *source = make_parts(parts, 3);

	assert_ok(wh_source_weigh(source,
				  WH_SHA256 | WH_CRC32C | WH_CRC32 |
					  WH_STATISTICS,
				  1, NULL, NULL, &f->err),
		  &f->err);
	source->manifest.tensors[2].weighed = 0;
	commit_file(f, source, NULL);
	wh_source_close(source);
	assert_readings(&parts[0], 2, 2);
	assert_readings(&parts[1], 1, 1);
	assert_readings(&parts[2], 2, 2);
}

/* Both are stored before their digests are known, and compared then. */
static void what_has_the_same_bytes_may_be_another_tensor(void **state)
{
	struct fixture *f = *state;
	struct part parts[] = {
		{.name = "a", .nbytes = LARGE, .rest = 1},
		{.name = "b", .nbytes = LARGE, .rest = 1, .dtype = WH_INT8},
		{.name = "c", .nbytes = LARGE, .rest = 1}};
	int i;

	commit_parts(f, parts, 3);
	for (i = 0; i < 3; i++)
		assert_readings(&parts[i], 1, 1);
	assert_int_equal(f->result.n_new_tensors, 3);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM tensor"), 2);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM storage"), 2);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM chunk"), 18);
}

/* ---- Beside a parent -------------------------------------------------------
 */

/* Its identity is found, and no more: the store knows the rest. */
static void what_is_unchanged_is_read_once(void **state)
{
	struct fixture *f = *state;
	struct part parts[] = {
		{.name = "large", .nbytes = LARGE, .rest = 1},
		{.name = "part", .nbytes = 65536},
		{.name = "small", .nbytes = 65535},
	};
	struct wh_source *source;
	size_t i;

	commit_parts(f, parts, 3);
	source = make_parts(parts, 3);
	commit_file(f, source, NULL);
	assert_int_equal(f->result.n_new_tensors, 0);
	assert_readings(&parts[0], 1, 1);
	assert_readings(&parts[1], 1, 0);
	assert_readings(&parts[2], 1, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(source->manifest.tensors[i].weighed &
					 WH_STATISTICS,
				 i == 2 ? WH_STATISTICS : 0);
	wh_source_close(source);
}

/* Once to see that it did, and once to be weighed and stored. */
static void what_changed_at_its_begin_is_read_once(void **state)
{
	struct part part = {.name = "w", .nbytes = LARGE, .rest = 1};

	commit_parts(*state, &part, 1);
	part.first = 2;
	commit_parts(*state, &part, 1);
	assert_readings(&part, 2, 1);
	part.first = 3;
	part.dtype = WH_INT8;
	commit_parts(*state, &part, 1);
	assert_readings(&part, 2, 1);
	part.first = 4;
	part.nbytes += 5;
	commit_parts(*state, &part, 1);
	assert_readings(&part, 2, 1);
}

static void what_changed_later_is_read_twice(void **state)
{
	struct fixture *f = *state;
	struct part part = {.name = "w", .nbytes = LARGE, .rest = 1};

	commit_parts(f, &part, 1);
	part.rest = 2;
	commit_parts(f, &part, 1);
	assert_readings(&part, 2, 2);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM "
					"tensor_statistics WHERE max = 2"),
			 1);
}

/* It may be that of another branch. */
static void what_has_no_parent_is_weighed_first(void **state)
{
	const struct wh_commit_options options = {.branch = "other",
						  .root = true};
	struct fixture *f = *state;
	struct part part = {.name = "w", .nbytes = LARGE, .rest = 1};
	struct wh_source *source;

	commit_parts(f, &part, 1);
	part.first = 2;
	source = make_parts(&part, 1);
	commit_file(f, source, &options);
	wh_source_close(source);
	assert_readings(&part, 2, 2);
	assert_ok(read_all(f, "other"), &f->err);
}

/* Few bytes are coded into memory, which nothing has to be taken back from. */
static void what_is_little_is_weighed_first(void **state)
{
	struct part parts[] = {
		{.name = "large", .nbytes = LARGE, .rest = 1},
		{.name = "little", .nbytes = 3 << 19, .rest = 1}};

	commit_parts(*state, parts, 2);
	parts[1].first = 2;
	commit_parts(*state, parts, 2);
	assert_readings(&parts[0], 1, 1);
	assert_readings(&parts[1], 3, 2);
}

/* ---- Hashed side by side ---------------------------------------------------
 */

static void commit_scattered(struct fixture *f, struct part *parts, size_t n)
{
	struct wh_source *source = make_parts(parts, n);

	commit_as(f, source, NULL, true);
	wh_source_close(source);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* They have the digests that each has by itself: then they are known. */
static void what_is_hashed_with_others_is_read_again_to_be_stored(void **state)
{
	struct fixture *f = *state;
	struct part parts[] = {{.name = "a", .nbytes = LARGE, .rest = 1},
			       {.name = "b", .nbytes = LARGE, .rest = 2},
			       {.name = "c", .nbytes = LARGE - 1, .rest = 3},
			       {.name = "d", .nbytes = LARGE, .rest = 4},
			       {.name = "e", .nbytes = LARGE + 9, .rest = 5},
			       {.name = "f", .nbytes = LARGE, .rest = 6}};
	int i;

	sha256_lanes_force(SHA256_LANES);
	if (!sha256_lanes_width())
		skip();
	commit_scattered(f, parts, 6);
	for (i = 0; i < 6; i++)
		assert_readings(&parts[i], 2, 2);
	for (i = 0; i < 6; i++)
		parts[i].first = 1;
	commit_scattered(f, parts, 6); /* its first chunks are looked at */
	for (i = 0; i < 6; i++)
		assert_readings(&parts[i], 3, 2);
	assert_int_equal(f->result.n_new_tensors, 6);
	sha256_lanes_force(0);
	commit_scattered(f, parts, 6);
	assert_int_equal(f->result.n_new_tensors, 0);
	sha256_lanes_force(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_is_large_is_read_once),
		with_store(what_can_not_say_whether_it_changed_is_read_again),
		with_store(of_two_whose_digests_are_known_one_is_read),
		with_store(what_has_the_same_bytes_may_be_another_tensor),
		with_store(what_is_unchanged_is_read_once),
		with_store(what_changed_at_its_begin_is_read_once),
		with_store(what_changed_later_is_read_twice),
		with_store(what_has_no_parent_is_weighed_first),
		with_store(what_is_little_is_weighed_first),
		with_store(
			what_is_hashed_with_others_is_read_again_to_be_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
