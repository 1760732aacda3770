/* Histories whose tensors lie as differences from older versions. */
#include "support/damage.h"
#include "support/little.h"

#include <stdlib.h>

#include "chunk_reader.h"
#include "db_internal.h"
#include "storage.h"
#include "store.h"
#include "support/checked.h"
#include "support/one_weight.h"
#include "support/store.h"

#define ROWS	600u
#define COLUMNS 500u
#define N	((size_t)ROWS * COLUMNS) /* 1.2 MB: two chunks */

/* A training run: weights that move a little with each step. */
static float weights[2 * N], kept[80][4];
static size_t n_rows; /* of the run; its last weights are kept */
static uint32_t state32 = 1;

static float next_float(void)
{
	state32 = state32 * 1664525u + 1013904223u;
	return (float)(state32 >> 8) / (float)(1 << 24) - 0.5f;
}

static void start_of(size_t rows)
{
	size_t i;

	n_rows = rows;
	state32 = 1;
	for (i = 0; i < 2 * rows * COLUMNS; i++)
		weights[i] = next_float();
}

static void start(void)
{
	start_of(ROWS);
}

static void step(void)
{
	size_t i;

	for (i = 0; i < 2 * n_rows * COLUMNS; i++)
		weights[i] += 1e-5f * next_float();
}

static const float *last_weights(void)
{
	return &weights[n_rows * COLUMNS - 4];
}

static struct wh_source *model_of(uint64_t rows)
{
	const uint64_t shape[] = {rows, COLUMNS};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 2,
				 .shape = shape,
				 .data = weights};

	return one_weight("fc", "Dense", &array);
}

static void commit(struct fixture *f, uint64_t rows,
		   const struct wh_commit_options *options)
{
	struct wh_source *source = model_of(rows);

	assert_ok(wh_commit(f->store, source, options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void commit_each(struct fixture *f, const char *codec, unsigned n)
{
	struct wh_commit_options options = {.codec = codec};
	unsigned i;

	for (i = 0; i < n; i++) {
		options.time = i;
		options.has_time = true;
		commit(f, n_rows, &options);
		memcpy(kept[i], last_weights(), sizeof(kept[i]));
		step();
	}
}

/* The weights at the end of the last chunk, as they were. */
static void assert_version(struct fixture *f, unsigned back, unsigned version)
{
	char revision[32];
	float read[4];

	snprintf(revision, sizeof(revision), "HEAD~%u", back);
	assert_ok(wh_tensor_read(f->store, revision, "fc/kernel",
				 (n_rows * COLUMNS - 4) * sizeof(float), read,
				 sizeof(read), &f->err),
		  &f->err);
	make_little(read, sizeof(read), sizeof(*read));
	assert_memory_equal(read, kept[version], sizeof(read));
}

static int tell(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "%s\n", sentence);
	return 0;
}

static void assert_clean(struct fixture *f)
{
	struct wh_verify_options options = {.read_data = true};
	struct wh_verify_result result;

	assert_ok(wh_verify(f->store, &options, tell, &result, &f->err),
		  &f->err);
	assert_int_equal(result.n_errors, 0);
}

#define DEEPEST                                                                \
	"with recursive c(id, depth) as (select id, 0 from storage where "     \
	"base_id is null union all select s.id, depth + 1 from storage s "     \
	"join c on s.base_id = c.id) select max(depth) from c"

static void every_version_of_a_long_run_comes_back(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	start_of(is_checked() ? 40 : ROWS);
	commit_each(f, "fast", 70);
	for (i = 0; i < 70; i++)
		assert_version(f, 69 - i, i);
	assert_int_equal(ask_integer(f, DEEPEST), 4);
	/* The first and the 64th version are whole. */
	assert_int_equal(
		ask_integer(f, "select count(*) from storage where base_id "
			       "is null and nbytes >= 80000"),
		2);
	assert_clean(f);
}

static void a_dense_store_is_smaller(void **state)
{
	struct fixture *f = *state;
	const size_t rows = is_checked() ? 40 : ROWS;
	uint64_t fast;

	start_of(rows);
	commit_each(f, "fast", 20);
	fast = (uint64_t)ask_integer(f,
				     "select sum(stored_bytes) from storage");
	assert_ok(
		wh_branch_create(f->store, "other", "HEAD~19", false, &f->err),
		&f->err);
	assert_ok(wh_switch(f->store, "other", &f->err), &f->err);
	start_of(rows);
	step();
	/* Nothing new but how it lies: 19 other versions after the first. */
	weights[0] += 1;
	commit_each(f, "dense", 19);
	assert_true((uint64_t)ask_integer(
			    f, "select sum(stored_bytes) from storage") -
			    fast <
		    fast);
	assert_int_equal(
		ask_integer(f, "select max(encoding >> 8) from storage"), 19);
	assert_clean(f);
}

static void none_stores_every_version_raw(void **state)
{
	struct fixture *f = *state;

	start();
	commit_each(f, "none", 3);
	assert_int_equal(
		ask_integer(f, "select count(*) from chunk where codec > 0"),
		0);
	assert_version(f, 2, 0);
	assert_clean(f);
}

/* Raw bytes are read to where they are wanted: no more than there is room. */
static void raw_bytes_of_another_length_are_refused(void **state)
{
	static const struct {
		const char *sql, *sentence;
	} cases[] = {
		{"UPDATE chunk SET data = CAST(data || x'00' AS BLOB) "
		 "WHERE raw_bytes = 1048576",
		 "a chunk of 1048577 bytes for a value of 1048576"},
		{"UPDATE chunk SET data = substr(data, 2) "
		 "WHERE raw_bytes = 1048576",
		 "a chunk of 1048575 bytes instead of 1048576"},
	};
	struct fixture *f = *state;
	uint8_t *read = malloc(CHUNK_SIZE + 1);
	size_t i;

	start();
	commit_each(f, "none", 1);
	save_store(f);
	for (i = 0; i < 2; i++) {
		damage_store(f, cases[i].sql);
		read[CHUNK_SIZE] = 0xa5;
		assert_fails(wh_tensor_read(f->store, "HEAD", "fc/kernel", 0,
					    read, CHUNK_SIZE, &f->err),
			     &f->err, WH_ECORRUPT, cases[i].sentence);
		assert_int_equal(read[CHUNK_SIZE], 0xa5);
		restore_store(f);
	}
	forget_saved(f);
	free(read);
}

static void the_store_s_setting_counts_without_an_option(void **state)
{
	struct fixture *f = *state;

	assert_ok(wh_config_set(f->store, "codec", "none", &f->err), &f->err);
	start();
	commit_each(f, NULL, 2);
	assert_int_equal(
		ask_integer(f, "select count(*) from chunk where codec > 0"),
		0);
}

static void an_unknown_codec_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {.codec = "tight"};
	struct wh_source *source;

	start();
	source = model_of(ROWS);
	assert_fails(wh_commit(f->store, source, &options, NULL, &f->err),
		     &f->err, WH_EINVAL, "'tight'");
	wh_source_close(source);
}

/* After a rollback the base is what was rolled back to, not what was left. */
static void a_branch_goes_on_from_its_own_past(void **state)
{
	struct fixture *f = *state;
	struct wh_move move;

	start();
	commit_each(f, "fast", 6);
	assert_ok(wh_rollback(f->store, NULL, "HEAD~4", NULL, &move, &f->err),
		  &f->err);
	commit(f, ROWS, &(struct wh_commit_options){.has_time = true});
	assert_int_equal(
		ask_integer(
			f,
			"select base_id from storage order by id desc limit 1"),
		ask_integer(f, "select id from storage where nbytes > 1000000 "
			       "order by "
			       "id limit 1 offset 1"));
	assert_clean(f);
}

/* Rows that were there stay a difference; what is new is whole. */
static void a_tensor_that_grew_keeps_its_base(void **state)
{
	struct fixture *f = *state;

	start();
	commit(f, ROWS, NULL);
	step();
	commit(f, 2 * ROWS - 100, NULL);
	assert_int_equal(
		ask_integer(f, "select count(*) from storage where base_id "
			       "is not null and nbytes > 1000000"),
		1);
	assert_int_equal(ask_integer(f,
				     "select codec from chunk order by id desc "
				     "limit 1"),
			 2);
	assert_clean(f);
}

static void a_version_like_an_older_one_is_not_stored_again(void **state)
{
	struct fixture *f = *state;
	int64_t before;

	start();
	commit_each(f, "fast", 5);
	before = ask_integer(f, "select count(*) from storage");
	start();
	step();
	commit(f, ROWS, NULL);
	assert_int_equal(ask_integer(f, "select count(*) from storage"),
			 before);
	assert_int_equal(f->result.stored_bytes, 0);
}

static void what_a_storage_needs_is_told(void **state)
{
	struct fixture *f = *state;
	int64_t ids[MAX_CHAIN], last;
	unsigned n = 0;

	start();
	commit_each(f, "fast", 8);
	last = ask_integer(
		f, "select max(id) from storage where nbytes > 1000000");
	assert_ok(storage_dependencies(f->store->db, last, ids, &n, &f->err),
		  &f->err);
	/* 7 -> 6 -> 5 -> 0 */
	assert_int_equal(n, 3);
	assert_int_equal(ids[2],
			 ask_integer(f, "select min(id) from storage where "
					"nbytes > 1000000"));
}

/* Builds before made up to nine differences, `dense` makes up to eighteen. */
static void a_long_chain_becomes_short_again(void **state)
{
	struct storage_chain chain = {0};
	unsigned link, generation, next, dense;

	(void)state;
	for (chain.n = 1; chain.n <= MAX_CHAIN; chain.n++)
		for (generation = 0; generation < 70; generation++)
			for (dense = 0; dense < 2; dense++) {
				chain.links[0].generation = generation;
				assert_int_equal(storage_next_base(&chain,
								   dense, &link,
								   &next),
						 generation < 63);
				if (generation >= 63)
					continue;
				assert_int_equal(next, generation + 1);
				assert_in_range(link, 0, chain.n - 1);
				assert_in_range(chain.n - link, 1,
						dense ? 18 : 4);
			}
}

#define SHRUNK 200000u

static void commit_bytes(struct fixture *f, const uint8_t *bytes, uint64_t n)
{
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = &n,
				 .data = bytes};
	struct wh_source *source = one_weight("fc", "Dense", &array);

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/* A chunk that is decoded on the way may be longer than what was asked for. */
static void a_tensor_that_shrank_is_read_through_longer_ones(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = malloc(SHRUNK * 2), *read = malloc(SHRUNK * 2);
	unsigned i, k;

	start();
	for (i = 0; i < SHRUNK * 2; i++)
		bytes[i] = (uint8_t)(32 + 64 * (next_float() + 0.5f));
	commit_bytes(f, bytes, SHRUNK * 2);
	for (k = 1; k <= 3; k++) {
		bytes[1000 * k] ^= 1;
		commit_bytes(f, bytes, SHRUNK);
		assert_int_equal(ask_integer(f, DEEPEST), k);
		memset(read, 0xa5, SHRUNK * 2);
		assert_ok(wh_tensor_read(f->store, "HEAD", "fc/kernel", 0, read,
					 SHRUNK, &f->err),
			  &f->err);
		assert_memory_equal(read, bytes, SHRUNK);
		for (i = SHRUNK; i < SHRUNK * 2; i++)
			assert_int_equal(read[i], 0xa5);
	}
	free(bytes);
	free(read);
}

#define MANY	300u /* tensors of one model */
#define OF_MANY 512u /* floats of each: 2 KiB, so 128 in a run's bytes */

static void commit_many(struct fixture *f)
{
	const uint64_t shape[] = {OF_MANY};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	char name[16];
	unsigned i;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (i = 0; i < MANY; i++) {
		struct wh_array array = {.name = "kernel",
					 .dtype = WH_FLOAT32,
					 .rank = 1,
					 .shape = shape,
					 .data = weights + i * OF_MANY};

		snprintf(name, sizeof(name), "layer%03u", i);
		assert_ok(wh_builder_layer(builder, name, "Dense", &f->err),
			  &f->err);
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/* The tensors that can't be read, in order; all others are what they were. */
static unsigned unreadable(struct fixture *f, unsigned *last)
{
	struct wh_source *source = NULL;
	float values[OF_MANY];
	unsigned i, n = 0;

	assert_ok(wh_snapshot_open(f->store, "HEAD", &source, &f->err),
		  &f->err);
	for (i = 0; i < MANY; i++)
		if (wh_source_read(source, i, 0, values, sizeof(values),
				   &f->err)) {
			assert_int_equal(f->err.status, WH_ECORRUPT);
			*last = i;
			n++;
		} else {
			make_little(values, sizeof(values), sizeof(*values));
			assert_memory_equal(values, weights + i * OF_MANY,
					    sizeof(values));
		}
	wh_source_close(source);
	return n;
}

/* Small tensors are read many in one turn: a damaged row, or a version of which
 * half are differences, spoils none beside it. */
static void many_small_tensors_are_read_in_order(void **state)
{
	struct fixture *f = *state;
	unsigned last = MANY, i;

	start();
	commit_many(f);
	assert_int_equal(unreadable(f, &last), 0);
	damage_store(f, "UPDATE chunk SET crc32c = crc32c + 1 WHERE id = "
			"(SELECT t.storage_id << 24 FROM tensor t "
			"JOIN variable v ON v.tensor_id = t.id "
			"JOIN layer l ON l.id = v.layer_id "
			"WHERE l.name = 'layer171')");
	assert_int_equal(unreadable(f, &last), 1);
	assert_int_equal(last, 171);
	for (i = 0; i < MANY * OF_MANY; i += 2 * OF_MANY)
		weights[i] += 1e-5f * next_float();
	commit_many(f);
	assert_int_equal(unreadable(f, &last), 1);
	assert_int_equal(last, 171);
}

/* How often it was looked for small chunks, when `n` storages were read in
 * order. */
static int n_runs(struct fixture *f, int64_t first, int64_t n)
{
	struct chunk_reader *reader;
	float values[OF_MANY];
	struct stmt *stmt;
	int64_t id;

	assert_ok(chunk_reader_new(f->store->db, NULL, &reader, &f->err),
		  &f->err);
	assert_ok(db_stmt(f->store->db, STMT_CHUNK_RUN, &stmt, &f->err),
		  &f->err);
	sqlite3_stmt_status(stmt->handle, SQLITE_STMTSTATUS_RUN, 1);
	for (id = first; id < first + n; id++) {
		assert_ok(chunk_reader_read(reader, id, 0, values,
					    sizeof(values), &f->err),
			  &f->err);
		make_little(values, sizeof(values), sizeof(*values));
		assert_memory_equal(values, weights + (id - first) * OF_MANY,
				    sizeof(values));
	}
	chunk_reader_free(reader);
	return sqlite3_stmt_status(stmt->handle, SQLITE_STMTSTATUS_RUN, 1);
}

#define FIRST_OF_MANY "select min(storage_id) from tensor where nbytes = 2048"
#define FIRST_BASED                                                            \
	"select min(id) from storage where base_id is not null and nbytes = "  \
	"2048"
#define N_BASED                                                                \
	"select count(*) from storage where base_id is not null and nbytes "   \
	"= 2048"

/* A run holds 64 storages. Of those that are differences it holds none, and
 * they are not looked for one by one. */
static void a_run_without_small_ones_is_not_walked_again(void **state)
{
	struct fixture *f = *state;
	int64_t first;
	unsigned i;

	start();
	commit_many(f);
	first = ask_integer(f, FIRST_OF_MANY);
	assert_in_range(n_runs(f, first, MANY), 1, MANY / 64 + 1);
	for (i = 0; i < MANY * OF_MANY; i++)
		weights[i] += 1e-5f * next_float();
	commit_many(f);
	assert_int_equal(ask_integer(f, N_BASED), MANY);
	first = ask_integer(f, FIRST_BASED);
	assert_in_range(n_runs(f, first, MANY), 1, MANY / 64 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(every_version_of_a_long_run_comes_back),
		with_store(a_dense_store_is_smaller),
		with_store(none_stores_every_version_raw),
		with_store(raw_bytes_of_another_length_are_refused),
		with_store(the_store_s_setting_counts_without_an_option),
		with_store(an_unknown_codec_is_refused),
		with_store(a_branch_goes_on_from_its_own_past),
		with_store(a_tensor_that_grew_keeps_its_base),
		with_store(a_version_like_an_older_one_is_not_stored_again),
		with_store(what_a_storage_needs_is_told),
		with_store(a_long_chain_becomes_short_again),
		with_store(a_tensor_that_shrank_is_read_through_longer_ones),
		with_store(many_small_tensors_are_read_in_order),
		with_store(a_run_without_small_ones_is_not_walked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
