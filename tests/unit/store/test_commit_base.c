/* Which version is a tensor's base; and one that gc takes while a commit is
 * coding against it: the commit chooses again. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "storage.h"
#include "support/damage.h"
#include "support/little.h"
#include "support/one_weight.h"
#include "support/store.h"

#define COLUMNS	   1000u
#define FEW_ROWS   300u	 /* 1.2 MB: is coded into memory */
#define MANY_ROWS  2500u /* 10 MB: goes through the pipeline */
#define CHUNK	   ((uint64_t)1 << 20)
#define N_WEIGHTS  ((size_t)MANY_ROWS * COLUMNS)
#define FIRST_MANY (CHUNK / sizeof(float))

static float *weights;

static int make_weights(void **state)
{
	uint32_t value = 1;
	size_t i;

	(void)state;
	weights = malloc(N_WEIGHTS * sizeof(*weights));
	for (i = 0; weights && i < N_WEIGHTS; i++) {
		value = value * 1664525u + 1013904223u;
		weights[i] = (float)(value >> 8) / (float)(1 << 24) - 0.5f;
	}
	return weights ? 0 : 1;
}

static int free_weights(void **state)
{
	(void)state;
	free(weights);
	return 0;
}

/* So little that differences are worth it. */
static void move_weights(size_t first)
{
	size_t i;

	for (i = first; i < N_WEIGHTS; i++)
		weights[i] += 1e-6f * (float)(i % 7);
}

/* A layer for each of the parts that the rows are cut into. */
static struct wh_source *model_in_parts(uint64_t rows, unsigned n_parts)
{
	const uint64_t shape[] = {rows / n_parts, COLUMNS};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 2,
				 .shape = shape};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[16] = "fc";
	unsigned i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < n_parts; i++) {
		array.data = weights + i * (rows / n_parts) * COLUMNS;
		assert_ok(wh_builder_layer(builder, name, "Dense", &err), &err);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
		snprintf(name, sizeof(name), "fc%u", i + 1);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static struct wh_source *model_of(uint64_t rows)
{
	return model_in_parts(rows, 1);
}

/* ---- gc, step by step -----------------------------------------------------
 */

#define BEGIN "BEGIN IMMEDIATE; INSERT INTO gc_running VALUES (1);"
#define END   "DELETE FROM gc_running; COMMIT"

static void change(const char *path, const char *sql)
{
	char *message = NULL;
	sqlite3 *file;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	sqlite3_busy_timeout(file, 60000);
	if (sqlite3_exec(file, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(file);
}

/* What it has done after its first turn: storages that are named by nothing
 * are there still. */
static void take_tensors(const char *path)
{
	change(path, BEGIN "DELETE FROM tensor WHERE nbytes > 1000000;" END);
}

/* And after the next one: some of their chunks are gone. */
static void take_chunks(const char *path)
{
	change(path, BEGIN "DELETE FROM tensor WHERE nbytes > 1000000;"
			   "DELETE FROM chunk WHERE id & 0xffffff > 0;" END);
}

/* The first turn of the newest version alone, and the last one of the version
 * that was taken before it: else that one's storage would name this one's. */
static void take_newest(const char *path)
{
	change(path, BEGIN "DELETE FROM storage WHERE id NOT IN "
			   "(SELECT storage_id FROM tensor) AND id NOT IN "
			   "(SELECT base_id FROM storage WHERE base_id > 0);"
			   "DELETE FROM tensor WHERE id IN (SELECT tensor_id "
			   "FROM variable JOIN tree_layer USING (layer_id) "
			   "WHERE tree_id = (SELECT max(tree_id) FROM "
			   "tree_layer JOIN variable USING (layer_id) "
			   "JOIN tensor ON tensor.id = tensor_id));" END);
}

/* ---- In the middle of a commit --------------------------------------------
 */

static struct {
	const struct wh_source_ops *plain;
	void (*step)(const char *path);
	const char *path;
	/* Of the second chunk; at: 0 is never. */
	int at, until;
	atomic_int n_readings; /* two threads weigh */
} gc;

static enum wh_status read_and_sweep(struct wh_source *source, uint32_t index,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err)
{
	int n = offset == CHUNK ? atomic_fetch_add(&gc.n_readings, 1) + 1 : 0;

	if (n && n >= gc.at && n <= gc.until)
		gc.step(gc.path);
	return gc.plain->read(source, index, offset, buf, len, err);
}

static bool sweep_when_coded(void *arg, const char *what, uint64_t done,
			     uint64_t total)
{
	void (**step)(const char *path) = arg;

	if (*step && strcmp(what, "storing") == 0 && done == total) {
		(*step)(gc.path);
		*step = NULL;
	}
	return true;
}

static void commit_source_beside_gc(struct fixture *f, struct wh_source *source,
				    const struct wh_commit_options *options)
{
	struct wh_source_ops ops = *source->ops;

	gc.plain = source->ops;
	gc.path = f->path;
	gc.n_readings = 0;
	ops.read = read_and_sweep;
	source->ops = &ops;
	assert_ok(wh_commit(f->store, source, options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/* With what `step` does when the second chunk is read for the `at`th time. */
static void commit_beside_gc(struct fixture *f, uint64_t rows, int at,
			     void (*step)(const char *path),
			     const struct wh_commit_options *options)
{
	gc.step = step;
	gc.at = gc.until = at;
	commit_source_beside_gc(f, model_of(rows), options);
}

static void assert_it_is_whole(struct fixture *f, uint64_t rows)
{
	size_t i, n = (size_t)rows * COLUMNS;
	float *back = malloc(n * sizeof(*back));

	assert_ok(wh_tensor_read(f->store, "HEAD", "fc/kernel", 0, back,
				 n * sizeof(*back), &f->err),
		  &f->err);
	make_little(back, n * sizeof(*back), sizeof(*back));
	for (i = 0; i < n; i++)
		assert_memory_equal(&back[i], &weights[i], sizeof(*back));
	free(back);
	assert_int_equal(ask_integer(f, "select base_id is null from storage "
					"join tensor on storage_id = "
					"storage.id where tensor.nbytes > "
					"1000000"),
			 1);
	/* Nor is anything left of the first attempt. */
	assert_int_equal(ask_integer(f, "select count(*) from chunk where "
					"id >> 24 not in (select id from "
					"storage)"),
			 0);
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 0);
	assert_int_equal(ask_integer(f, "select sum(length(data)) from chunk "
					"join tensor on storage_id = "
					"chunk.id >> 24 where nbytes > "
					"1000000"),
			 (int64_t)f->result.stored_bytes);
}

static void commit_first(struct fixture *f, uint64_t rows)
{
	struct wh_source *source = model_of(rows);

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/* Read once to be weighed, a second time to be coded. */
static void a_small_tensor_s_base_goes_while_it_is_read(void **state)
{
	struct fixture *f = *state;

	commit_first(f, FEW_ROWS);
	move_weights(0);
	commit_beside_gc(f, FEW_ROWS, 2, take_chunks, NULL);
	assert_it_is_whole(f, FEW_ROWS);
}

static void a_small_tensor_s_base_goes_when_it_is_coded(void **state)
{
	struct fixture *f = *state;
	void (*step)(const char *path) = take_tensors;
	struct wh_commit_options options = {.progress = sweep_when_coded,
					    .arg = &step};

	commit_first(f, FEW_ROWS);
	move_weights(0);
	commit_beside_gc(f, FEW_ROWS, 0, NULL, &options);
	assert_null(step);
	assert_it_is_whole(f, FEW_ROWS);
}

/* Its first chunk is as it was, so it is weighed before it is stored. */
static void a_large_tensor_s_base_loses_its_name(void **state)
{
	struct fixture *f = *state;

	commit_first(f, MANY_ROWS);
	move_weights(FIRST_MANY);
	commit_beside_gc(f, MANY_ROWS, 2, take_tensors, NULL);
	assert_it_is_whole(f, MANY_ROWS);
}

static void a_large_tensor_s_base_loses_its_chunks(void **state)
{
	struct fixture *f = *state;

	commit_first(f, MANY_ROWS);
	move_weights(FIRST_MANY);
	commit_beside_gc(f, MANY_ROWS, 2, take_chunks, NULL);
	assert_it_is_whole(f, MANY_ROWS);
}

/* Weighed while it is stored: then the second reading is the one that stores
 * it anew, and the third looks whether the array has changed. */
static void a_base_goes_while_its_tensor_is_weighed(void **state)
{
	struct fixture *f = *state;

	commit_first(f, MANY_ROWS);
	move_weights(0);
	commit_beside_gc(f, MANY_ROWS, 1, take_chunks, NULL);
	assert_int_equal(gc.n_readings, 3);
	assert_it_is_whole(f, MANY_ROWS);
}

static void commit_parts(struct fixture *f, unsigned n_parts)
{
	struct wh_source *source = model_in_parts(MANY_ROWS, n_parts);

	move_weights(0);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

#define N_WHOLE "select count(*) from storage where base_id is null"

/* The 5th version's base is the 4th, else the 4th's, the 3rd, and so on. */
static void after_three_losses_no_base_is_chosen(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 4; i++)
		commit_parts(f, 1);
	assert_int_equal(ask_integer(f, N_WHOLE), 1);
	move_weights(0);
	gc.step = take_newest;
	gc.at = 1;
	gc.until = 3;
	commit_source_beside_gc(f, model_of(MANY_ROWS), NULL);
	assert_int_equal(ask_integer(f, N_WHOLE), 2);
	assert_int_equal(ask_integer(f, "select count(*) from tensor"), 2);
}

static void take_oldest_part(const char *path)
{
	change(path, BEGIN "DELETE FROM tensor WHERE id = (SELECT min(id) FROM "
			   "tensor WHERE nbytes = 400000);" END);
}

/* Of three that wait in memory: what is behind a lost one doesn't hide it. */
static void a_small_tensor_s_base_goes_and_others_stay(void **state)
{
	struct fixture *f = *state;
	void (*step)(const char *path) = take_oldest_part;
	struct wh_commit_options options = {.progress = sweep_when_coded,
					    .arg = &step};
	struct wh_source *source = model_in_parts(FEW_ROWS, 3);

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	move_weights(0);
	source = model_in_parts(FEW_ROWS, 3);
	gc.path = f->path;
	assert_ok(wh_commit(f->store, source, &options, NULL, &f->err),
		  &f->err);
	wh_source_close(source);
	assert_null(step);
	assert_ok(read_all(f, "HEAD"), &f->err);
	assert_int_equal(ask_integer(f, "select count(*) from tensor"), 5);
	assert_int_equal(ask_integer(f, "select count(*) from storage where "
					"base_id is not null"),
			 2);
}

/* The last part's weights under another name, too: only one of both is stored,
 * also where another one is stored once more. */
static void a_double_stays_one_where_a_base_goes(void **state)
{
	const uint64_t shape[] = {MANY_ROWS / 2, COLUMNS};
	struct fixture *f = *state;
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 2,
				 .shape = shape};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	char name[] = "fc";

	commit_first(f, MANY_ROWS / 2);
	move_weights(FIRST_MANY);
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (name[1] = 'c'; name[1] < 'f'; name[1]++) {
		/* The second and third are new, and equal. */
		array.data =
			name[1] == 'c' ? weights : weights + shape[0] * COLUMNS;
		assert_ok(wh_builder_layer(builder, name, "Dense", &f->err),
			  &f->err);
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	gc.step = take_tensors;
	gc.at = gc.until = 4;
	commit_source_beside_gc(f, source, NULL);
	assert_int_equal(ask_integer(f, "select count(*) from tensor"), 2);
	/* And the one that gc has begun with. */
	assert_int_equal(ask_integer(f, "select count(*) from storage"), 3);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* Each of four tensors lost its base; the older version's are still there. */
static void many_losses_at_once_are_one(void **state)
{
	struct fixture *f = *state;

	commit_parts(f, 4);
	commit_parts(f, 4);
	assert_int_equal(ask_integer(f, N_WHOLE), 4);
	move_weights(0);
	gc.step = take_newest;
	gc.at = gc.until = 1;
	commit_source_beside_gc(f, model_in_parts(MANY_ROWS, 4), NULL);
	assert_int_equal(ask_integer(f, N_WHOLE), 4);
	assert_int_equal(ask_integer(f, "select count(*) from tensor"), 8);
}

/* Behind what is lost, a tensor that stays. */
static const float gamma_values[] = {5, 6, 7, 8};
static const uint64_t few[] = {4};
static const struct wh_array gamma_ = {.name = "gamma",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = few,
				       .data = gamma_values};

/* The first model's weights in a layer of another name, beside new ones. */
static struct wh_source *model_that_shares(const float *bias)
{
	const uint64_t shape[] = {FEW_ROWS, COLUMNS};
	const struct wh_array kernel = {.name = "kernel",
					.dtype = WH_FLOAT32,
					.rank = 2,
					.shape = shape,
					.data = weights};
	const struct wh_array added = {.name = "bias",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = few,
				       .data = bias};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	struct wh_error err;

	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_layer(builder, "moved", "Dense", &err), &err);
	assert_ok(wh_builder_weight(builder, &kernel, &err), &err);
	assert_ok(wh_builder_weight(builder, &added, &err), &err);
	assert_ok(wh_builder_weight(builder, &gamma_, &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* Found when the commit began, and gone when it publishes: it is stored anew,
 * and what the snapshot names is there. */
static void a_tensor_that_was_found_goes_before_it_is_named(void **state)
{
	static const float bias[] = {1, 2, 3, 4};
	struct fixture *f = *state;
	void (*step)(const char *path) = take_tensors;
	struct wh_commit_options options = {.progress = sweep_when_coded,
					    .arg = &step};
	struct wh_source *source = one_weight("norm", "Norm", &gamma_);
	float back[8];

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	commit_first(f, FEW_ROWS);
	source = model_that_shares(bias);
	gc.path = f->path;
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	assert_null(step);
	assert_int_equal(f->result.n_new_tensors, 2);
	assert_int_equal(
		ask_integer(
			f,
			"select count(*) from tensor where nbytes > 1000000"),
		1);
	assert_ok(wh_tensor_read(f->store, "HEAD", "moved/kernel", 0, back,
				 sizeof(back), &f->err),
		  &f->err);
	assert_memory_equal(back, weights, sizeof(back));
}

/* ---- Beside another commit -------------------------------------------------
 */

static const float rival_bias[] = {1, 2, 3, 4};

static struct {
	struct wh_store *store;
	struct fixture *f;
	int n_looks;
} rival;

/* As it is asked whether the source has changed: at first; before the commit
 * publishes, when another one has what waits and gc begins with what was
 * found; and before it publishes again, when yet another one is storing. */
static enum wh_status look_at_rival(struct wh_source *source,
				    struct wh_error *err)
{
	const struct wh_array array = {.name = "bias",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = few,
				       .data = rival_bias};

	(void)source;
	if (++rival.n_looks == 2) {
		source = one_weight("other", NULL, &array);
		assert_ok(wh_commit(rival.store, source, NULL, NULL,
				    &rival.f->err),
			  &rival.f->err);
		wh_source_close(source);
		take_tensors(rival.f->path);
	}
	if (rival.n_looks < 3)
		return WH_OK;
	change(rival.f->path,
	       "INSERT INTO chunk SELECT value << 24, 0, 1, 0, x'00' "
	       "FROM counter WHERE name = 'storage'");
	return wh_fail(err, WH_EMISMATCH, "the file was written to");
}

/* Ids of what waited were of a transaction that came to nothing: they are the
 * other one's by now. */
static void what_another_commit_stores_is_not_taken_back(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source;
	struct wh_source_ops ops;
	int64_t n_chunks;

	assert_ok(wh_store_open(f->path, WH_OPEN_WRITE, &rival.store, &f->err),
		  &f->err);
	rival.f = f;
	rival.n_looks = 0;
	commit_first(f, FEW_ROWS);
	source = model_that_shares(rival_bias);
	ops = *source->ops;
	ops.unchanged = look_at_rival;
	source->ops = &ops;
	n_chunks = ask_integer(f, "select count(*) from chunk");
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EMISMATCH, "was written to");
	assert_int_equal(rival.n_looks, 3);
	wh_source_close(source);
	wh_store_close(rival.store);
	/* The other commit's, and the one that another is storing. */
	assert_int_equal(ask_integer(f, "select count(*) from chunk"),
			 n_chunks + 2);
}

/* Not gc's doing: that is told, as it always was. */
static void a_base_that_is_damaged_is_told(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source;

	commit_first(f, MANY_ROWS);
	change(f->path, BEGIN "DELETE FROM chunk WHERE id & 0xffffff = 1;" END);
	move_weights(0);
	source = model_of(MANY_ROWS);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_ECORRUPT, "a chunk is missing");
	wh_source_close(source);
}

static void a_base_without_a_storage_is_told(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source;

	commit_first(f, MANY_ROWS);
	change(f->path, BEGIN "UPDATE tensor SET storage_id = 0;" END);
	move_weights(0);
	source = model_of(MANY_ROWS);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_ECORRUPT, "no storage");
	wh_source_close(source);
}

/* ---- Which version ---------------------------------------------------------
 */

#define MOVING_ROWS 20u /* 80 kB */

/* What moves with each commit, if it is there, and a table of `width` columns:
 * one of another width has no base. */
static void commit_tables(struct fixture *f, bool moving, uint64_t width)
{
	const uint64_t rows[] = {MOVING_ROWS, COLUMNS}, other[] = {2, width};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 2,
				 .shape = rows,
				 .data = weights};
	struct wh_builder *builder;
	struct wh_source *source = NULL;

	move_weights(0);
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	if (moving)
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	array.name = "table";
	array.shape = other;
	assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

#define N_MOVING "select count(*) from storage where nbytes = 80000"

static void every_64th_version_is_whole_beside_a_new_tensor(void **state)
{
	struct fixture *f = *state;
	uint64_t i;

	for (i = 1; i <= 65; i++)
		commit_tables(f, true, i);
	assert_int_equal(ask_integer(f, N_MOVING), 65);
	assert_int_equal(ask_integer(f, N_MOVING " and base_id is null"), 2);
}

/* In the snapshots in between there is the other table only. */
static int64_t n_whole_after(struct fixture *f, uint64_t n_between)
{
	uint64_t i;

	commit_tables(f, true, 1);
	for (i = 0; i < n_between; i++)
		commit_tables(f, false, 2 + i);
	commit_tables(f, true, 2 + n_between);
	assert_int_equal(ask_integer(f, N_MOVING), 2);
	return ask_integer(f, N_MOVING " and base_id is null");
}

static void a_tensor_that_comes_back_has_its_base(void **state)
{
	assert_int_equal(n_whole_after(*state, 7), 1);
}

static void a_tensor_that_was_away_for_long_begins_anew(void **state)
{
	assert_int_equal(n_whole_after(*state, 8), 2);
}

static void only_a_tensor_of_the_same_kind_is_a_base(void **state)
{
	static const struct {
		enum wh_dtype dtype;
		uint32_t rank;
		uint64_t shape[2];
		int64_t n_based; /* then */
	} kinds[] = {
		{WH_FLOAT32, 1, {FEW_ROWS * COLUMNS, 0}, 0},
		{WH_FLOAT32, 2, {FEW_ROWS, COLUMNS}, 0},
		{WH_INT32, 2, {FEW_ROWS, COLUMNS}, 0},
		{WH_FLOAT32, 2, {FEW_ROWS / 2, 2 * COLUMNS}, 0},
		{WH_FLOAT32, 2, {FEW_ROWS - 10, COLUMNS}, 1},
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct wh_array array = {.name = "kernel",
					       .dtype = kinds[i].dtype,
					       .rank = kinds[i].rank,
					       .shape = kinds[i].shape,
					       .data = weights};
		struct wh_source *source = one_weight("fc", "Dense", &array);

		move_weights(0);
		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
		wh_source_close(source);
		assert_int_equal(ask_integer(f, "select count(*) from storage "
						"where nbytes > 1000000 and "
						"base_id is not null"),
				 kinds[i].n_based);
	}
}

/* What the base is coded against is named by what reads it: of three versions
 * the last one does, or, where nothing but its second chunk is a difference and
 * the oldest one's ends sooner, does not. */
static int64_t n_contexts_after(struct fixture *f, uint64_t first_rows)
{
	const uint64_t rows[] = {first_rows, 500, 500};
	size_t i, k;

	for (i = 0; i < 3; i++) {
		for (k = 0; i == 2 && first_rows < 500 && k < FIRST_MANY; k++)
			weights[k] = weights[N_WEIGHTS - 1 - k];
		commit_first(f, rows[i]);
		move_weights(0);
	}
	assert_int_equal(ask_integer(f, "select count(base_id) from storage"),
			 2);
	assert_ok(read_all(f, "HEAD"), &f->err);
	return ask_integer(f, "select count(context_id) from storage");
}

static void a_base_s_base_that_is_read_is_named(void **state)
{
	assert_int_equal(n_contexts_after(*state, 500), 1);
}

static void a_base_s_base_that_is_not_read_is_not_named(void **state)
{
	assert_int_equal(n_contexts_after(*state, 263), 0);
}

#define N_FILES 200u

/* Its text is of two kilobytes and more. A format of NULL: other weights that
 * have none. */
static void commit_with_template(struct fixture *f, const char *format)
{
	static const uint64_t shape[] = {4};
	const struct wh_array array = {.name = "w",
				       .dtype = WH_FLOAT32,
				       .rank = 1,
				       .shape = shape,
				       .data = format ? weights : weights + 4};
	struct wh_template_file files[N_FILES] = {{0}};
	struct wh_template template_ = {format, files, N_FILES, WH_LITERAL};
	struct wh_source *source = one_weight("fc", "Dense", &array);
	char suffixes[N_FILES][8];
	unsigned i;

	for (i = 0; i < N_FILES; i++) {
		snprintf(suffixes[i], sizeof(suffixes[i]), ".%x",
			 (i + 1) * 40503u & 0xffffffu);
		files[i].suffix = suffixes[i];
		files[i].canonical = true;
	}
	if (format)
		source->manifest.template_ = &template_;
	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
}

static void only_a_template_of_the_same_format_is_a_base(void **state)
{
	static const char *const formats[] = {"h5", "tf", NULL, "npz"};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		commit_with_template(f, formats[i]);
	assert_int_equal(ask_integer(f, "select count(*) from storage where "
					"base_id is not null"),
			 0);
	assert_int_equal(ask_integer(f, "select count(*) from template"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_small_tensor_s_base_goes_while_it_is_read),
		with_store(a_small_tensor_s_base_goes_when_it_is_coded),
		with_store(a_large_tensor_s_base_loses_its_name),
		with_store(a_large_tensor_s_base_loses_its_chunks),
		with_store(a_base_goes_while_its_tensor_is_weighed),
		with_store(after_three_losses_no_base_is_chosen),
		with_store(a_small_tensor_s_base_goes_and_others_stay),
		with_store(a_double_stays_one_where_a_base_goes),
		with_store(many_losses_at_once_are_one),
		with_store(a_tensor_that_was_found_goes_before_it_is_named),
		with_store(what_another_commit_stores_is_not_taken_back),
		with_store(a_base_that_is_damaged_is_told),
		with_store(a_base_without_a_storage_is_told),
		with_store(every_64th_version_is_whole_beside_a_new_tensor),
		with_store(a_tensor_that_comes_back_has_its_base),
		with_store(a_tensor_that_was_away_for_long_begins_anew),
		with_store(only_a_tensor_of_the_same_kind_is_a_base),
		with_store(a_base_s_base_that_is_read_is_named),
		with_store(a_base_s_base_that_is_not_read_is_not_named),
		with_store(only_a_template_of_the_same_format_is_a_base),
	};

	return cmocka_run_group_tests(tests, make_weights, free_weights);
}
