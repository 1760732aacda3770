/* support/store.h: a store in a folder of its own, and small models. */
#ifndef WH_TESTS_STORE_H
#define WH_TESTS_STORE_H

#include "support/assert.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <weighhouse/store.h>

struct fixture {
	char folder[64], path[128];
	struct wh_store *store;
	struct wh_commit_result result;
	struct wh_error err;
};

static inline int set_up_store(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->folder, "/tmp/wh-test-XXXXXX");
	if (!f || !mkdtemp(f->folder))
		return 1;
	snprintf(f->path, sizeof(f->path), "%s/weights.wh", f->folder);
	if (wh_store_create(f->path, &f->err) ||
	    wh_store_open(f->path, WH_OPEN_WRITE, &f->store, &f->err)) {
		fprintf(stderr, "%s\n", f->err.message);
		return 1;
	}
	return 0;
}

static inline int tear_down_store(void **state)
{
	static const char *const suffixes[] = {"", "-lock", "-journal"};
	struct fixture *f = *state;
	char name[160];
	size_t i;

	wh_store_close(f->store);
	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
		unlink(name);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

/** The first column of a query's first row, past the library. */
static inline int64_t ask_file(const char *path, const char *query)
{
	sqlite3_stmt *stmt;
	sqlite3 *file;
	int64_t answer;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	sqlite3_busy_timeout(file, 60000);
	assert_int_equal(sqlite3_prepare_v2(file, query, -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	answer = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(file);
	return answer;
}

static inline int64_t ask_integer(struct fixture *f, const char *query)
{
	return ask_file(f->path, query);
}

#define with_store(test)                                                       \
	cmocka_unit_test_setup_teardown(test, set_up_store, tear_down_store)

/** A dense layer of 3 x 2, a layer without weights, and an optimizer's
 *  iteration; `seed` is in every value. Static memory: one at a time. */
static inline struct wh_source *make_model(float seed)
{
	static float kernel[6], bias[2];
	static int64_t iteration;
	const uint64_t shape[] = {3, 2}, width[] = {2};
	struct wh_array arrays[] = {
		{.name = "kernel",
		 .dtype = WH_FLOAT32,
		 .rank = 2,
		 .shape = shape,
		 .data = kernel},
		{.name = "bias",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = width,
		 .data = bias},
		{.name = "iteration", .dtype = WH_INT64, .data = &iteration},
	};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	int i;

	for (i = 0; i < 6; i++)
		kernel[i] = seed + (float)i;
	bias[0] = seed;
	bias[1] = -seed;
	iteration = (int64_t)seed;
	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_layer(builder, "fc", "Dense", &err), &err);
	assert_ok(wh_builder_weight(builder, &arrays[0], &err), &err);
	assert_ok(wh_builder_weight(builder, &arrays[1], &err), &err);
	assert_ok(wh_builder_layer(builder, "drop", "Dropout", &err), &err);
	assert_ok(wh_builder_optimizer(builder, &arrays[2], &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static inline void assert_same_tensor(struct wh_source *a, struct wh_source *b,
				      uint32_t index)
{
	const struct wh_tensor *x = &a->manifest.tensors[index];
	const struct wh_tensor *y = &b->manifest.tensors[index];
	size_t nbytes = (size_t)x->nbytes;
	uint8_t *bytes = malloc(2 * nbytes + 1);
	struct wh_error err;
	uint32_t i;

	assert_string_equal(x->key, y->key);
	assert_int_equal(x->dtype, y->dtype);
	assert_int_equal(x->rank, y->rank);
	for (i = 0; i < x->rank; i++)
		assert_int_equal(x->shape[i], y->shape[i]);
	assert_int_equal(x->nbytes, y->nbytes);
	assert_ok(wh_source_read(a, index, 0, bytes, nbytes, &err), &err);
	assert_ok(wh_source_read(b, index, 0, bytes + nbytes, nbytes, &err),
		  &err);
	assert_memory_equal(bytes, bytes + nbytes, nbytes);
	free(bytes);
}

#endif
