/* Large tensors that are weighed while they are stored. */
#include "support/damage.h"
#include "support/little.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <weighhouse/store.h>

#define N ((size_t)2200 << 10) /* floats: 8.6 MiB, nine chunks */

struct model {
	float *a, *b;
	size_t n;		 /* of each, 0: N */
	int n_reads, changes_at; /* of `b`, through a callback; 0: memory */
};

static int read_b(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct model *model = arg;

	if (++model->n_reads == model->changes_at)
		model->b[N - 1] += 1;
	memcpy(buf, (char *)model->b + offset, len);
	return 0;
}

static struct wh_source *make_source(struct model *model)
{
	const uint64_t shape[] = {model->n ? model->n : N};
	struct wh_array array = {
		.name = "a", .dtype = WH_FLOAT32, .rank = 1, .shape = shape};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	array.data = model->a;
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	array.name = "b";
	array.data = model->changes_at ? NULL : model->b;
	array.read = read_b;
	array.arg = model;
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static void fill(float *values, unsigned seed)
{
	uint32_t x = 2463534242u + seed;
	size_t i;

	for (i = 0; i < N; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		values[i] = (float)x * 0x1p-32f - 0.5f;
	}
}

static struct model make_model_of(unsigned a, unsigned b)
{
	struct model model = {.a = malloc(N * sizeof(float)),
			      .b = malloc(N * sizeof(float))};

	fill(model.a, a);
	fill(model.b, b);
	return model;
}

static void free_model(struct model *model)
{
	free(model->a);
	free(model->b);
}

/* Large storages, and their chunks. */
#define STORAGES "SELECT count(*) FROM storage WHERE nbytes > 1 << 20"
#define CHUNKS                                                                 \
	"SELECT count(*) FROM chunk WHERE raw_bytes > 1 << 18 AND"             \
	" id >> 24 IN (SELECT id FROM storage WHERE nbytes > 1 << 20)"
#define STRAYS                                                                 \
	"SELECT count(*) FROM chunk WHERE id >> 24 NOT IN"                     \
	" (SELECT id FROM storage)"

/* They are of what is stored, however often it was read. SQLite reads digits as
 * long doubles, of which valgrind's have the 64 bits of a double. */
static void assert_statistics(struct fixture *f, const struct wh_tensor *tensor)
{
	const struct wh_statistics *s = &tensor->statistics;
	char hex[2 * WH_SHA256_SIZE + 1], query[512];
	size_t i;

	for (i = 0; i < WH_SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", tensor->sha256[i]);
	snprintf(query, sizeof(query),
		 "SELECT count(*) FROM tensor_statistics WHERE tensor_id ="
		 " (SELECT id FROM tensor WHERE sha256 = x'%s')"
		 " AND abs(min - %.17g) < 1e-9 AND abs(max - %.17g) < 1e-9"
		 " AND abs(l2 - %.17g) < 1e-9",
		 hex, s->min, s->max, s->l2);
	assert_int_equal(ask_integer(f, query), 1);
}

static void commit(struct fixture *f, struct model *model)
{
	struct wh_source *source = make_source(model), *back;
	size_t size = (model->n ? model->n : N) * sizeof(float);
	char *bytes = malloc(size);
	struct sentences found;
	struct wh_error err;
	uint32_t i;

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &back, &err), &err);
	for (i = 0; i < 2; i++) {
		assert_ok(wh_source_read(back, i, 0, bytes, size, &err), &err);
		make_little(bytes, size, sizeof(float));
		assert_memory_equal(bytes, i ? model->b : model->a, size);
	}
	/* The ids that weighing without a store gives. */
	assert_ok(wh_source_weigh(back, WH_SHA256 | WH_STATISTICS, 1, NULL,
				  NULL, &err),
		  &err);
	for (i = 0; i < 2; i++) {
		const struct wh_tensor *x = &source->manifest.tensors[i];
		const struct wh_tensor *y = &back->manifest.tensors[i];

		assert_memory_equal(x->sha256, y->sha256, sizeof(x->sha256));
		assert_statistics(f, y);
	}
	free(bytes);
	wh_source_close(back);
	wh_source_close(source);
	assert_int_equal(ask_integer(f, STRAYS), 0);
	verify_store(f, &found);
	assert_int_equal(found.n, 0);
}

static void the_first_commit_stores_at_once(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(1, 2);

	commit(f, &model);
	assert_int_equal(f->result.n_new_tensors, 2);
	assert_int_equal(ask_integer(f, STORAGES), 2);
	free_model(&model);
}

static void a_double_is_taken_back(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(3, 3);

	commit(f, &model);
	assert_int_equal(ask_integer(f, STORAGES), 1);
	assert_int_equal(ask_integer(f, CHUNKS), 9);
	assert_true(f->result.stored_bytes <= N * sizeof(float) + 4096);
	free_model(&model);
}

static void what_an_older_snapshot_has_is_taken_back(void **state)
{
	struct fixture *f = *state;
	struct model first = make_model_of(4, 5), second = make_model_of(6, 5);
	char tree[WH_ID_SIZE];

	commit(f, &first);
	strcpy(tree, f->result.tree);
	commit(f, &second);
	assert_int_equal(f->result.n_new_tensors, 1);
	assert_int_equal(ask_integer(f, STORAGES), 3);
	commit(f, &first);
	assert_string_equal(f->result.tree, tree);
	assert_int_equal(f->result.n_new_tensors, 0);
	assert_int_equal(ask_integer(f, STORAGES), 3);
	assert_int_equal(ask_integer(f, CHUNKS), 27);
	free_model(&first);
	free_model(&second);
}

/* The probe sees nothing: it is weighed first, and stored then. */
static void a_change_behind_the_first_chunk_is_stored(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(7, 8);

	commit(f, &model);
	model.b[N - 1] += 1;
	commit(f, &model);
	assert_int_equal(f->result.n_new_tensors, 1);
	free_model(&model);
}

/* Few bytes, which are coded into memory. */
static void a_small_change_behind_the_first_chunk_is_stored(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(15, 16);

	model.n = N / 4;
	commit(f, &model);
	model.b[model.n - 1] = 2;
	commit(f, &model);
	assert_int_equal(f->result.n_new_tensors, 1);
	free_model(&model);
}

static void count_alarm(void *arg, const struct wh_alarm *alarm)
{
	assert_int_equal(alarm->kind, WH_ALARM_NAN);
	assert_string_equal(alarm->weight, "b");
	++*(int *)arg;
}

static int count_alarms(struct fixture *f, struct model *model, float last)
{
	int n = 0;
	struct wh_commit_options options = {
		.alarms = {.fn = count_alarm, .arg = &n}};
	struct wh_source *source;

	model->b[N - 1] = last;
	source = make_source(model);
	assert_ok(wh_commit(f->store, source, &options, NULL, &f->err),
		  &f->err);
	wh_source_close(source);
	return n;
}

/* What is new is told once it is stored, what an older snapshot has by the
 * store's figures. */
static void a_nan_behind_the_first_chunk_is_told(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(13, 14);

	assert_int_equal(count_alarms(f, &model, 0), 0);
	assert_int_equal(count_alarms(f, &model, NAN), 1);
	assert_int_equal(count_alarms(f, &model, 0), 0);
	assert_int_equal(count_alarms(f, &model, NAN), 1);
	assert_int_equal(count_alarms(f, &model, NAN), 0);
	free_model(&model);
}

/* Nine reads store it; a tenth one finds another sum. */
static void memory_that_changes_meanwhile_is_refused(void **state)
{
	struct fixture *f = *state;
	struct model model = make_model_of(9, 10);
	struct wh_source *source;

	model.changes_at = 10;
	source = make_source(&model);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EMISMATCH, "tensor 'b' changed while it was read");
	wh_source_close(source);
	assert_int_equal(ask_integer(f, "SELECT (SELECT count(*) FROM chunk) +"
					" (SELECT count(*) FROM storage)"),
			 0);
	free_model(&model);
}

static bool cancel_storing(void *arg, const char *what, uint64_t done,
			   uint64_t total)
{
	(void)arg;
	assert_true(done <= total);
	return strcmp(what, "storing") != 0;
}

static void a_cancel_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {.progress = cancel_storing};
	struct model model = make_model_of(11, 12);
	struct wh_source *source = make_source(&model);

	assert_fails(wh_commit(f->store, source, &options, NULL, &f->err),
		     &f->err, WH_ECANCELLED, "cancelled");
	wh_source_close(source);
	assert_int_equal(ask_integer(f, "SELECT (SELECT count(*) FROM chunk) +"
					" (SELECT count(*) FROM storage)"),
			 0);
	commit(f, &model);
	free_model(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(the_first_commit_stores_at_once),
		with_store(a_double_is_taken_back),
		with_store(what_an_older_snapshot_has_is_taken_back),
		with_store(a_change_behind_the_first_chunk_is_stored),
		with_store(a_small_change_behind_the_first_chunk_is_stored),
		with_store(a_nan_behind_the_first_chunk_is_told),
		with_store(memory_that_changes_meanwhile_is_refused),
		with_store(a_cancel_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
