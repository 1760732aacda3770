/* gc --deep: what moves, against what, and what it leaves alone. */
#include <stdlib.h>

#include <weighhouse/keep.h>

#include "support/damage.h"
#include "support/little.h"
#include "support/one_weight.h"

#define N	4096u /* floats of a weight */
#define CHUNK	((size_t)1 << 20)
#define N_CHUNK (CHUNK / sizeof(float))
#define TWO	(2 * N_CHUNK)
#define ALL	(9 * N_CHUNK) /* more than a commit holds in memory */

/* What weights are filled with, one step after the other. */
static float values[ALL];
static uint32_t state32;

static float next_float(void)
{
	state32 = state32 * 1664525u + 1013904223u;
	return (float)(state32 >> 8) / (float)(1 << 24) - 0.5f;
}

static void start(uint32_t seed)
{
	size_t i;

	state32 = seed;
	for (i = 0; i < ALL; i++)
		values[i] = next_float();
}

/* To no more of them than most tests take. */
static void step(void)
{
	size_t i;

	for (i = 0; i < TWO; i++)
		values[i] += 1e-5f * next_float();
}

/* ---- Histories -------------------------------------------------------------
 */

/* Two weights of a layer, as they are now. */
struct model {
	const char *layer; /* NULL: "fc" */
	float a[N], b[N];
	struct wh_commit_options options;
};

static void fill(float *weight)
{
	step();
	memcpy(weight, values, N * sizeof(*weight));
}

static void commit(struct fixture *f, const struct model *model)
{
	const uint64_t shape[] = {N};
	struct wh_array array = {
		.dtype = WH_FLOAT32, .rank = 1, .shape = shape};
	struct wh_builder *builder;
	struct wh_source *source = NULL;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, model->layer ? model->layer : "fc",
				   "Dense", &f->err),
		  &f->err);
	array.name = "a";
	array.data = model->a;
	assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	array.name = "b";
	array.data = model->b;
	assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, &model->options, &f->result,
			    &f->err),
		  &f->err);
	wh_source_close(source);
}

static void commit_array(struct fixture *f, const char *codec,
			 enum wh_dtype dtype, uint32_t rank,
			 const uint64_t *shape)
{
	const struct wh_commit_options options = {.codec = codec};
	const struct wh_array array = {.name = "kernel",
				       .dtype = dtype,
				       .rank = rank,
				       .shape = shape,
				       .data = values};
	struct wh_source *source = one_weight("fc", "Dense", &array);

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void commit_floats(struct fixture *f, const char *codec, uint64_t n)
{
	commit_array(f, codec, WH_FLOAT32, 1, &n);
}

static void keep_last(struct wh_store *store)
{
	static const char *const rules[] = {"last=1", NULL};
	const struct wh_keep_options keep = {.rules = rules};
	struct wh_error err;

	assert_ok(wh_keep(store, &keep, NULL, NULL, &err), &err);
}

static struct wh_gc_result collect(struct fixture *f,
				   const struct wh_gc_options *options)
{
	struct wh_gc_result result;

	assert_ok(wh_gc(f->store, options, &result, &f->err), &f->err);
	return result;
}

static const struct wh_gc_options plain = {.has_grace = true},
				  plain_guess = {.dry_run = true},
				  deep = {.deep = true},
				  guess = {.deep = true, .dry_run = true};

/* ---- What lies how ---------------------------------------------------------
 */

/* Tensors of weights, in the order in which they came. */
#define BIG                                                                    \
	"with big as (select row_number() over (order by id) - 1 as n, id, "   \
	"storage_id from tensor where id in (select tensor_id from change)) "

/* The storages that are there for others alone. */
#define N_UNNAMED                                                              \
	"select count(*) from storage where id not in (select storage_id "     \
	"from tensor)"

#define DEEPEST                                                                \
	"with recursive c(id, depth) as (select id, 0 from storage where "     \
	"base_id is null union all select s.id, depth + 1 from storage s "     \
	"join c on s.base_id = c.id) select max(depth) from c"

/* Which tensor this one is coded against, -1: none. */
static int base_of(struct fixture *f, int tensor)
{
	char query[512];

	snprintf(query, sizeof(query),
		 BIG "select coalesce((select u.n from big t join storage s on "
		     "s.id = t.storage_id join big u on u.storage_id = "
		     "s.base_id where t.n = %d), -1)",
		 tensor);
	return (int)ask_integer(f, query);
}

static void assert_clean(struct fixture *f, int64_t n_unnamed)
{
	struct sentences found;

	verify_store(f, &found);
	if (found.n)
		fail_msg("%s", found.text);
	assert_int_equal(ask_integer(f, N_UNNAMED), n_unnamed);
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 0);
}

/* ---- What a tensor is coded against ----------------------------------------
 */

/* More than one version of 64 is whole, and no weight follows another one. */
static void each_version_follows_the_one_before(void **state)
{
	struct model model = {.options.codec = "none"};
	struct fixture *f = *state;
	struct wh_gc_result said, done;
	int i;

	start(1);
	for (i = 0; i < 65; i++) {
		fill(model.a);
		fill(model.b);
		commit(f, &model);
	}
	assert_int_equal(collect(f, &plain).n_recoded, 0);
	assert_int_equal(collect(f, &plain_guess).n_recoded, 0);
	said = collect(f, &guess);
	assert_int_equal(ask_integer(f, DEEPEST), 0);
	done = collect(f, &deep);
	assert_int_equal(done.n_recoded, 130);
	assert_int_equal(said.n_recoded, 130);
	for (i = 0; i < 130; i++)
		if (i < 2 || i >= 128)
			assert_int_equal(base_of(f, i), -1);
		else
			assert_int_equal(base_of(f, i) % 2, i % 2);
	assert_in_range(ask_integer(f, DEEPEST), 5, 18);
	assert_clean(f, 0);
	assert_int_equal(collect(f, &guess).n_recoded, 0);
	assert_int_equal(collect(f, &deep).n_recoded, 0);
}

/* Keras numbers the layers of a model that is built anew: here in two processes
 * one after the other, so that names come back. `fast` has found the bases. */
static void recode_renumbered(struct fixture *f, const char *codec)
{
	static const char *const layers[] = {"dense",	"dense_1", "dense_2",
					     "dense",	"dense_1", "dense_1",
					     "dense_2", "dense_10"};
	struct model model = {.options.codec = codec};
	const int n = sizeof(layers) / sizeof(layers[0]);
	int64_t before;
	int i;

	start(1);
	for (i = 0; i < n; i++) {
		model.layer = layers[i];
		fill(model.a);
		fill(model.b);
		commit(f, &model);
	}
	before = ask_integer(f, "select sum(length(data)) from chunk");
	collect(f, &deep);
	assert_in_range(ask_integer(f, "select sum(length(data)) from chunk"),
			1, before - 1);
	for (i = 2; i < 2 * n; i++) {
		assert_int_not_equal(base_of(f, i), -1);
		assert_int_equal(base_of(f, i) % 2, i % 2);
	}
	assert_clean(f, 0);
	assert_int_equal(collect(f, &deep).n_recoded, 0);
}

static void a_weight_goes_on_under_another_number(void **state)
{
	recode_renumbered(*state, "none");
}

static void what_follows_another_number_stays_a_difference(void **state)
{
	recode_renumbered(*state, "fast");
}

/* Those that are gone are remembered: of the two left one is whole. */
static void what_follows_a_forgotten_number_stays_a_difference(void **state)
{
	static const char *const layers[] = {"dense", "dense_1", "dense_2",
					     "dense_3"};
	static const char *const rules[] = {"last=2", NULL};
	const struct wh_keep_options keep = {.rules = rules};
	struct model model = {.layer = NULL};
	struct fixture *f = *state;
	int i;

	start(1);
	for (i = 0; i < 4; i++) {
		model.layer = layers[i];
		fill(model.a);
		fill(model.b);
		commit(f, &model);
	}
	assert_ok(wh_keep(f->store, &keep, NULL, NULL, &f->err), &f->err);
	collect(f, &plain);
	collect(f, &deep);
	assert_clean(f, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(base_of(f, i), i - 2 < 0 ? -1 : i - 2);
}

/* Three lines, of which the second changes `a` alone. */
static void a_branch_goes_on_from_where_it_left(void **state)
{
	struct model model = {.options.codec = "none"};
	struct fixture *f = *state;

	start(1);
	fill(model.a);
	fill(model.b);
	commit(f, &model);
	fill(model.a);
	commit(f, &model); /* tensor 2 */
	model.options.branch = "second";
	model.options.parent = "main~1";
	fill(model.a);
	commit(f, &model); /* 3 */
	model.options.parent = NULL;
	fill(model.a);
	commit(f, &model); /* 4 */
	model.options.branch = "third";
	model.options.parent = "second~1";
	fill(model.a);
	fill(model.b);
	commit(f, &model); /* 5 and 6 */
	assert_int_equal(collect(f, &deep).n_recoded, 7);
	assert_int_equal(base_of(f, 2), 0);
	assert_int_equal(base_of(f, 3), 0);
	assert_int_equal(base_of(f, 4), 3);
	assert_int_equal(base_of(f, 5), 3);
	assert_int_equal(base_of(f, 6), 1);
	assert_clean(f, 0);
}

/* The tensor that b has first, and a last, is what b's next one is coded
 * against, which a has before it. */
static void commit_crossed(struct fixture *f, const char *codec)
{
	struct model model = {.options.codec = codec};
	float first[N];

	start(2);
	fill(model.a);
	start(1);
	fill(model.b);
	memcpy(first, model.b, sizeof(first));
	commit(f, &model); /* tensors 0 and 1 */
	model.options.codec = "fast";
	fill(model.b);
	commit(f, &model); /* 2 */
	memcpy(model.a, model.b, sizeof(model.a));
	commit(f, &model);
	memcpy(model.a, first, sizeof(model.a));
	commit(f, &model);
}

static void no_tensor_is_coded_against_itself(void **state)
{
	struct fixture *f = *state;

	commit_crossed(f, "dense");
	assert_int_equal(collect(f, &deep).n_recoded, 0);
	assert_int_equal(base_of(f, 1), -1);
	assert_int_equal(base_of(f, 2), 1);
	assert_clean(f, 0);
}

/* What was coded against a tensor that moved later is looked at once more. */
static void what_moves_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;

	commit_crossed(f, "none");
	assert_int_equal(collect(f, &guess).n_recoded, 2);
	assert_int_equal(collect(f, &deep).n_recoded, 3);
	assert_clean(f, 0);
}

static void the_codec_says_how_long_chains_are(void **state)
{
	const struct wh_gc_options fast = {.deep = true, .codec = "fast"};
	struct fixture *f = *state;
	int i;

	start(1);
	for (i = 0; i < 20; i++) {
		commit_floats(f, "none", N);
		step();
	}
	assert_int_equal(collect(f, &fast).n_recoded, 20);
	assert_int_equal(ask_integer(f, DEEPEST), 4);
	assert_clean(f, 0);
}

static void other_codecs_are_refused(void **state)
{
	static const char *const names[] = {"none", "tight"};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct wh_gc_options options = {.deep = true,
						      .codec = names[i]};

		assert_fails(wh_gc(f->store, &options, NULL, &f->err), &f->err,
			     WH_EINVAL, names[i]);
	}
}

static void a_tensor_that_grew_keeps_its_base(void **state)
{
	struct fixture *f = *state;

	start(1);
	commit_floats(f, "none", N_CHUNK);
	step();
	commit_floats(f, "fast", TWO);
	assert_int_equal(base_of(f, 1), 0);
	collect(f, &deep);
	assert_int_equal(base_of(f, 1), 0);
	assert_clean(f, 0);
}

/* ---- What moves ------------------------------------------------------------
 */

static void what_only_one_tensor_needs_goes(void **state)
{
	struct wh_gc_result said, done;
	struct fixture *f = *state;

	start(1);
	commit_floats(f, "fast", N);
	step();
	commit_floats(f, "fast", N);
	keep_last(f->store);
	collect(f, &plain);
	assert_int_equal(ask_integer(f, N_UNNAMED), 1);
	said = collect(f, &guess);
	assert_int_equal(ask_integer(f, N_UNNAMED), 1);
	done = collect(f, &deep);
	assert_int_equal(done.n_recoded, 1);
	assert_true(done.recoded_after > done.recoded_before);
	assert_int_equal(said.n_recoded, 1);
	assert_int_equal(said.recoded_after, done.recoded_after);
	assert_clean(f, 0);
}

/* Also where a tensor is found behind it. */
static void what_lies_between_two_tensors_goes(void **state)
{
	struct fixture *f = *state;
	int i;

	start(1);
	for (i = 0; i < 3; i++) {
		commit_floats(f, "fast", N);
		step();
	}
	assert_int_equal(base_of(f, 2), 1);
	assert_ok(wh_tag_create(f->store, "first", "HEAD~2", false, &f->err),
		  &f->err);
	keep_last(f->store);
	collect(f, &plain);
	assert_int_equal(ask_integer(f, N_UNNAMED), 1);
	assert_int_equal(collect(f, &deep).n_recoded, 1);
	assert_int_equal(base_of(f, 1), 0);
	assert_clean(f, 0);
}

/* A dry run frees nothing of what a plain gc would. */
static void a_dry_run_leaves_what_nothing_needs(void **state)
{
	struct fixture *f = *state;

	damage_store(f, "INSERT INTO storage(id, encoding, nbytes, "
			"stored_bytes) VALUES (7, 0, 0, 0)");
	collect(f, &guess);
	assert_int_equal(ask_integer(f, N_UNNAMED), 1);
	collect(f, &deep);
	assert_int_equal(ask_integer(f, N_UNNAMED), 0);
}

/* Nothing is saved where there are no bytes, or so few. */
static void small_tensors_stay_where_they_are(void **state)
{
	struct fixture *f = *state;
	uint64_t n;

	start(1);
	for (n = 0; n < 10; n++)
		commit_floats(f, "fast", n);
	assert_int_equal(collect(f, &guess).n_recoded, 0);
	assert_int_equal(collect(f, &deep).n_recoded, 0);
	assert_clean(f, 0);
}

/* Of the same bytes: nothing is stored, and yet it holds on to a base. */
static void a_tensor_without_bytes_of_its_own_moves_too(void **state)
{
	const uint64_t shape[] = {N / 64, 64};
	struct fixture *f = *state;

	start(1);
	commit_floats(f, "none", N);
	commit_array(f, "none", WH_FLOAT32, 2, shape);
	collect(f, &deep);
	assert_int_equal(base_of(f, 1), 0);
	keep_last(f->store);
	collect(f, &plain);
	assert_int_equal(ask_integer(f, N_UNNAMED), 1);
	assert_int_equal(collect(f, &deep).n_recoded, 1);
	assert_clean(f, 0);
}

/* ---- What it passes over ---------------------------------------------------
 */

static void commit_two(struct fixture *f)
{
	struct model model = {.options.codec = "none"};
	int i;

	start(1);
	for (i = 0; i < 2; i++) {
		fill(model.a);
		fill(model.b);
		commit(f, &model);
	}
}

#define FIRST                                                                  \
	"WHERE id >> 24 = (SELECT storage_id FROM tensor WHERE id IN (SELECT " \
	"tensor_id FROM change) ORDER BY id LIMIT 1)"

/* The first version of a, and so the second one, which would read it. */
static void what_cannot_be_read_stays(void **state)
{
	struct fixture *f = *state;

	commit_two(f);
	save_store(f);
	damage_store(f, "UPDATE chunk SET crc32c = crc32c + 1 " FIRST);
	assert_int_equal(collect(f, &deep).n_recoded, 2);
	restore_store(f);
	damage_store(f, "UPDATE chunk SET codec = 99 " FIRST);
	assert_int_equal(collect(f, &deep).n_recoded, 2);
	assert_int_equal(base_of(f, 3), 1);
	forget_saved(f);
}

/* Ends a call of gc in the middle. */
struct stop {
	const char *path, *what;
	int left; /* calls until then */
	void (*act)(const char *path);
	bool acted;
	uint64_t done; /* as it was told last */
};

static bool stop(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct stop *stop = arg;

	if (total)
		assert_true(done <= total);
	if (strcmp(what, stop->what) != 0)
		return true;
	stop->done = done;
	if (stop->left-- != 0)
		return true;
	stop->acted = true;
	if (stop->act)
		stop->act(stop->path);
	return stop->act != NULL;
}

/* At each point: told once, it ends, and what has moved until then has. */
static void it_ends_where_it_is_told_to(void **state)
{
	struct stop here = {.what = "recoding", .acted = true};
	const struct wh_gc_options options = {
		.deep = true, .progress = stop, .arg = &here};
	struct fixture *f = *state;
	int i;

	commit_two(f);
	save_store(f);
	for (i = 0; here.acted; i++) {
		here.acted = false;
		here.left = i;
		f->err.message[0] = '\0';
		restore_store(f);
		if (wh_gc(f->store, &options, NULL, i ? &f->err : NULL) == 0)
			assert_false(here.acted);
		else if (i)
			assert_string_equal(f->err.message, "cancelled");
		assert_clean(f, ask_integer(f, N_UNNAMED));
	}
	/* Four tensors, each of one chunk, are read in one pass and seen in
	 * the next. */
	assert_int_equal(i, 4 * 2 + 4 + 1);
	assert_int_equal(here.done, 4 * N * sizeof(float));
	forget_saved(f);
}

/* ---- Beside others ---------------------------------------------------------
 */

static bool until_tensors_went(void *arg, const char *what, uint64_t done,
			       uint64_t total)
{
	(void)what, (void)done, (void)total;
	return ask_file(arg, "select count(*) from tensor where id in (select "
			     "tensor_id from change)") > 1;
}

/* As far as to the tensors: the base is there, and nothing names it. */
static void take_the_first_version(const char *path)
{
	const struct wh_gc_options options = {.has_grace = true,
					      .progress = until_tensors_went,
					      .arg = (void *)(uintptr_t)path};
	struct wh_store *store;
	struct wh_error err;

	assert_ok(wh_store_open(path, WH_OPEN_WRITE, &store, &err), &err);
	keep_last(store);
	assert_fails(wh_gc(store, &options, NULL, &err), &err, WH_ECANCELLED,
		     "cancelled");
	wh_store_close(store);
}

/* While the last chunk is read of what is coded against it. */
static void a_base_that_gc_takes_is_none(void **state)
{
	struct fixture *f = *state;
	struct stop here = {.what = "recoding",
			    .path = f->path,
			    .left = 3,
			    .act = take_the_first_version};
	const struct wh_gc_options options = {
		.deep = true, .progress = stop, .arg = &here};

	start(1);
	commit_floats(f, "none", N_CHUNK);
	step();
	commit_floats(f, "none", TWO);
	assert_int_equal(collect(f, &options).n_recoded, 1);
	assert_true(here.acted);
	assert_clean(f, 0);
}

/* What the commit reads once it has reserved where it stores. */
static int read_beside_gc(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct stop *here = arg;
	struct wh_store *store;
	struct wh_error err;

	memcpy(buf, (char *)values + offset, len);
	if (here->acted || !ask_file(here->path, "select count(*) from lease"))
		return 0;
	here->acted = true;
	assert_ok(wh_store_open(here->path, WH_OPEN_WRITE, &store, &err), &err);
	assert_ok(wh_gc(store, &deep, NULL, &err), &err);
	wh_store_close(store);
	return 0;
}

/* What the commit may have chosen as a base stays until the next gc. */
static void while_a_commit_runs_what_was_replaced_stays(void **state)
{
	const uint64_t n = ALL;
	struct fixture *f = *state;
	struct stop here = {.path = f->path};
	const struct wh_array array = {.name = "kernel",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = &n,
				       .read = read_beside_gc,
				       .arg = &here};
	struct wh_source *source;

	start(1);
	commit_floats(f, "none", ALL);
	step();
	source = one_weight("fc", "Dense", &array);
	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	assert_true(here.acted);
	assert_int_equal(base_of(f, 0), -1);
	assert_clean(f, 1);
	collect(f, &deep);
	assert_clean(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(each_version_follows_the_one_before),
		with_store(a_weight_goes_on_under_another_number),
		with_store(what_follows_another_number_stays_a_difference),
		with_store(what_follows_a_forgotten_number_stays_a_difference),
		with_store(a_branch_goes_on_from_where_it_left),
		with_store(no_tensor_is_coded_against_itself),
		with_store(what_moves_leaves_nothing_behind),
		with_store(the_codec_says_how_long_chains_are),
		with_store(other_codecs_are_refused),
		with_store(a_tensor_that_grew_keeps_its_base),
		with_store(what_only_one_tensor_needs_goes),
		with_store(what_lies_between_two_tensors_goes),
		with_store(a_dry_run_leaves_what_nothing_needs),
		with_store(small_tensors_stay_where_they_are),
		with_store(a_tensor_without_bytes_of_its_own_moves_too),
		with_store(what_cannot_be_read_stays),
		with_store(it_ends_where_it_is_told_to),
		with_store(a_base_that_gc_takes_is_none),
		with_store(while_a_commit_runs_what_was_replaced_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
