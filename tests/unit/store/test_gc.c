/* What gc takes of commits that died, and leaves to those that run. Both are
 * stopped where their source is read, so all of it is at a known point. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <weighhouse/keep.h>

#include "support/child.h"
#include "support/damage.h"
#include "support/little.h"

#define CHUNK	 ((uint64_t)1 << 20)
#define N_CHUNKS 8u /* of each tensor, of which five at most are under way */
#define N	 ((size_t)N_CHUNKS * CHUNK / sizeof(float))

static float *weights;

/* A source of two tensors, of which one is stopped: what is done once, before
 * this byte of it is read. */
struct stopped {
	const char *path;
	bool is_first; /* of the two */
	uint64_t at;
	void (*act)(struct stopped *stopped);
	bool done;
};

static int make_weights(void **state)
{
	uint32_t value = 1;
	size_t i;

	(void)state;
	weights = malloc(N * sizeof(*weights));
	for (i = 0; weights && i < N; i++) {
		value = value * 1664525u + 1013904223u;
		weights[i] = (float)(value >> 8) / (float)(1 << 24);
	}
	if (weights)
		make_little(weights, N * sizeof(*weights), sizeof(*weights));
	return weights ? 0 : 1;
}

static int free_weights(void **state)
{
	(void)state;
	free(weights);
	return 0;
}

static int read_plain(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	memcpy(buf, (char *)weights + offset, len);
	return 0;
}

/* The same values, but for the first one of each chunk. */
static int read_stopped(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct stopped *stopped = arg;

	if (offset >= stopped->at && !stopped->done) {
		stopped->done = true;
		stopped->act(stopped);
	}
	memcpy(buf, (char *)weights + offset, len);
	if (offset % CHUNK == 0)
		memset(buf, 0, sizeof(float));
	return 0;
}

static struct wh_source *model_of(struct stopped *stopped)
{
	const uint64_t shape[] = {N};
	struct wh_array array = {
		.dtype = WH_FLOAT32, .rank = 1, .shape = shape, .arg = stopped};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	struct wh_error err;
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < 2; i++) {
		bool plain = (i == 0) != stopped->is_first;

		array.name = plain ? "plain" : "stopped";
		array.read = plain ? read_plain : read_stopped;
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* ---- In the middle of a commit --------------------------------------------
 */

#define N_STRAYS                                                               \
	"select count(*) from chunk where id >> 24 not in (select id from "    \
	"storage)"

/* Until the turn ends in which some of its chunks went in: if it is the second
 * one, the first has its row by then. */
static void wait_for_strays(const struct stopped *stopped)
{
	const char *query = stopped->is_first ? N_STRAYS
					      : N_STRAYS
				    " and exists (select 1 from storage)";

	while (ask_file(stopped->path, query) == 0)
		usleep(1000);
}

static void die(struct stopped *stopped)
{
	if (stopped->at)
		wait_for_strays(stopped);
	raise(SIGKILL);
}

static void collect(struct wh_store *store)
{
	const struct wh_gc_options options = {.has_grace = true};
	struct wh_error err;

	assert_ok(wh_gc(store, &options, NULL, &err), &err);
}

/* Another commit's rows have higher ids than the one that is stopped. */
static void commit_and_collect(struct stopped *stopped)
{
	struct wh_source *source = make_model(1);
	const struct wh_commit_options options = {.branch = "other"};
	struct wh_store *store = NULL;
	struct wh_error err;
	int64_t n_strays;

	wait_for_strays(stopped);
	assert_ok(wh_store_open(stopped->path, WH_OPEN_WRITE, &store, &err),
		  &err);
	assert_ok(wh_commit(store, source, &options, NULL, &err), &err);
	n_strays = ask_file(stopped->path, N_STRAYS);
	collect(store);
	/* More may have come: those that were under way. */
	assert_true(ask_file(stopped->path, N_STRAYS) >= n_strays);
	wh_source_close(source);
	wh_store_close(store);
}

/* It is killed before it reads this byte. */
static void commit_and_die(struct fixture *f, bool is_first, uint64_t at)
{
	struct stopped stopped = {
		.path = f->path, .is_first = is_first, .at = at, .act = die};
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct wh_source *source = model_of(&stopped);
		struct wh_store *store;

		if (wh_store_open(f->path, WH_OPEN_WRITE, &store, NULL) == 0)
			wh_commit(store, source, NULL, NULL, NULL);
		end_child(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 1);
}

static void assert_tensor(struct fixture *f, const char *key,
			  int (*read)(void *, uint64_t, void *, size_t),
			  struct stopped *stopped)
{
	char *bytes = malloc(CHUNK), *back = malloc(CHUNK);
	uint64_t at;

	for (at = 0; at < N * sizeof(float); at += CHUNK) {
		read(stopped, at, bytes, CHUNK);
		assert_ok(wh_tensor_read(f->store, "main", key, at, back, CHUNK,
					 &f->err),
			  &f->err);
		assert_memory_equal(back, bytes, CHUNK);
	}
	free(bytes);
	free(back);
}

static bool note_storing(void *arg, const char *what, uint64_t done,
			 uint64_t total)
{
	uint64_t *left = arg;

	assert_true(done <= total);
	if (strcmp(what, "storing") == 0)
		*left = total - done;
	return true;
}

static void commit_beside_gc(struct fixture *f, bool is_first, const char *path)
{
	uint64_t left = UINT64_MAX;
	const struct wh_commit_options options = {.progress = note_storing,
						  .arg = &left};
	struct stopped stopped = {.path = path,
				  .is_first = is_first,
				  .at = (N_CHUNKS - 1) * CHUNK,
				  .act = commit_and_collect};
	struct wh_source *source = model_of(&stopped);
	struct sentences found;

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	assert_true(stopped.done);
	assert_int_equal(left, 0);
	assert_tensor(f, "plain", read_plain, NULL);
	assert_tensor(f, "stopped", read_stopped, &stopped);
	verify_store(f, &found);
	assert_int_equal(found.n, 0);
}

static void assert_nothing_is_left(struct fixture *f)
{
	collect(f->store);
	assert_int_equal(ask_integer(f, "select count(*) from chunk"), 0);
	assert_int_equal(ask_integer(f, "select count(*) from storage"), 0);
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 0);
}

/* ---- Commits that died, commits that run -----------------------------------
 */

static void a_running_commit_keeps_its_chunks(void **state)
{
	struct fixture *f = *state;

	commit_beside_gc(f, false, f->path);
}

/* There is one lock file, whatever the store is called by. */
static void a_running_commit_keeps_its_chunks_from_a_link(void **state)
{
	struct fixture *f = *state;
	char link[192];

	snprintf(link, sizeof(link), "%s/link.wh", f->folder);
	assert_int_equal(symlink(f->path, link), 0);
	commit_beside_gc(f, false, link);
}

/* By a path that begins in the folder that was the current one then. */
static void a_running_commit_keeps_its_chunks_elsewhere(void **state)
{
	struct fixture *f = *state;
	const char *given = strrchr(f->path, '/') + 1;

	wh_store_close(f->store);
	assert_int_equal(chdir(f->folder), 0);
	assert_ok(wh_store_open(given, WH_OPEN_WRITE, &f->store, &f->err),
		  &f->err);
	assert_int_equal(chdir("/"), 0);
	commit_beside_gc(f, false, f->path);
	assert_string_equal(wh_store_path(f->store), given);
}

/* The first tensor has its row, of the second there are chunks alone. */
static void what_a_killed_commit_stored_goes(void **state)
{
	struct fixture *f = *state;

	commit_and_die(f, false, (N_CHUNKS - 1) * CHUNK);
	assert_int_equal(ask_integer(f, "select count(*) from storage"), 1);
	assert_true(ask_integer(f, N_STRAYS) > 0);
	assert_nothing_is_left(f);
}

static void a_killed_commit_that_stored_nothing_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	commit_and_die(f, true, 0);
	assert_nothing_is_left(f);
}

/* The killed one's range of ids ends where the running one's begins, of which
 * none has its row yet. */
static void a_running_commit_keeps_its_chunks_beside_a_killed_one(void **state)
{
	struct fixture *f = *state;

	commit_and_die(f, true, 0);
	commit_beside_gc(f, true, f->path);
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 0);
}

/* So many that no turn is long enough for them. */
static void a_storage_of_many_chunks_goes_whole(void **state)
{
	struct fixture *f = *state;

	damage_store(f, "INSERT INTO storage(id, encoding, nbytes, "
			"stored_bytes) VALUES (7, 0, 0, 0);"
			"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL "
			"SELECT i + 1 FROM n WHERE i < 600000) "
			"INSERT INTO chunk(id, codec, raw_bytes, crc32c, data) "
			"SELECT (7 << 24) + i, 0, 1, 0, x'00' FROM n");
	assert_nothing_is_left(f);
}

/* Pages that are half empty are none to give back. */
static void compacting_closes_the_gaps(void **state)
{
	struct wh_gc_options options = {.compact = false};
	struct wh_gc_result plain, compact;
	struct fixture *f = *state;

	damage_store(f, "CREATE TABLE user_notes (text); "
			"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL "
			"SELECT i + 1 FROM n WHERE i < 4000) "
			"INSERT INTO user_notes SELECT zeroblob(200) FROM n;"
			"DELETE FROM user_notes WHERE rowid % 2");
	assert_ok(wh_gc(f->store, &options, &plain, &f->err), &f->err);
	options.compact = true;
	assert_ok(wh_gc(f->store, &options, &compact, &f->err), &f->err);
	assert_true(plain.file_bytes - compact.file_bytes > 300000);
}

/* ---- What stays ------------------------------------------------------------
 */

static void commit_seed(struct fixture *f, float seed)
{
	const struct wh_commit_options options = {.codec = "dense"};
	struct wh_source *source = make_model(seed);

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void keep_last(struct wh_store *store)
{
	static const char *const rules[] = {"last=1", NULL};
	const struct wh_keep_options keep = {.rules = rules};
	struct wh_error err;

	assert_ok(wh_keep(store, &keep, NULL, NULL, &err), &err);
}

/* A store from before there were leases has one over all that it held then: the
 * chunks without a row go, those of tensors stay. */
static void what_lies_under_the_lease_of_a_migration_stays(void **state)
{
	struct fixture *f = *state;
	struct sentences found;

	commit_seed(f, 1);
	damage_store(f, "UPDATE counter SET value = value + 1 "
			"WHERE name = 'storage';"
			"INSERT INTO chunk(id, codec, raw_bytes, crc32c, data) "
			"SELECT (value - 1) << 24, 0, 1, 0, x'00' FROM counter "
			"WHERE name = 'storage';"
			"INSERT INTO lease SELECT 0, 1, value FROM counter "
			"WHERE name = 'storage'");
	assert_int_equal(ask_integer(f, N_STRAYS), 1);
	collect(f->store);
	assert_int_equal(ask_integer(f, N_STRAYS), 0);
	assert_int_equal(ask_integer(f, "select count(*) from lease"), 0);
	verify_store(f, &found);
	assert_int_equal(found.n, 0);
}

/* Kernels that are too small to be differences: what is read as a base, and as
 * the context of one that has a base, is named by hand. */
static void a_dry_run_says_what_goes(void **state)
{
	struct wh_gc_options options = {.has_grace = true, .dry_run = true};
	struct wh_gc_result said, done;
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 6; i++)
		commit_seed(f, (float)(i / 2));
	for (i = 3; i < 8; i++)
		commit_seed(f, (float)i);
	damage_store(f, "UPDATE storage SET encoding = 256, base_id = id - 1, "
			"context_id = id - 4 "
			"WHERE id = (SELECT max(id) FROM storage)");
	keep_last(f->store);
	options.has_grace = false;
	assert_ok(wh_gc(f->store, &options, &said, &f->err), &f->err);
	assert_int_equal(said.n_snapshots, 0);
	options.has_grace = true;
	assert_ok(wh_gc(f->store, &options, &said, &f->err), &f->err);
	options.dry_run = false;
	assert_ok(wh_gc(f->store, &options, &done, &f->err), &f->err);
	assert_int_equal(done.n_snapshots, 10);
	assert_int_equal(said.n_snapshots, done.n_snapshots);
	assert_int_equal(said.n_tensors, done.n_tensors);
	assert_int_equal(said.freed_bytes, done.freed_bytes);
}

/* Each of a thousand storages is the context of the next. */
static void a_chain_that_is_too_long_is_told(void **state)
{
	const struct wh_gc_options options = {.dry_run = true};
	struct fixture *f = *state;

	commit_seed(f, 1);
	damage_store(f, "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL "
			"SELECT i + 1 FROM n WHERE i < 2002) "
			"INSERT INTO storage(id, encoding, nbytes, "
			"stored_bytes, base_id, context_id) "
			"SELECT i, 0, 4, 4, 1, i - 1 FROM n;"
			"UPDATE tensor SET storage_id = 2002 "
			"WHERE storage_id = 1");
	assert_fails(wh_gc(f->store, &options, NULL, &f->err), &f->err,
		     WH_ECORRUPT, "too long");
}

/* ---- What a commit has found -----------------------------------------------
 */

static bool collect_when_stored(void *arg, const char *what, uint64_t done,
				uint64_t total)
{
	struct stopped *stopped = arg;
	struct wh_store *store = NULL;
	struct wh_error err;

	if (stopped->done || strcmp(what, "storing") != 0 || done != total)
		return true;
	stopped->done = true;
	assert_ok(wh_store_open(stopped->path, WH_OPEN_WRITE, &store, &err),
		  &err);
	keep_last(store);
	collect(store);
	wh_store_close(store);
	return true;
}

static struct wh_source *version(int number)
{
	static float values[4], shared[] = {1, 2, 3, 4};
	const uint64_t shape[] = {4};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = shape,
				 .data = values};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	struct wh_error err;

	values[0] = (float)number;
	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_layer(builder, "moves", "Dense", &err), &err);
	assert_ok(wh_builder_weight(builder, &array, &err), &err);
	if (number != 2) {
		array.data = shared;
		assert_ok(wh_builder_layer(builder, "stays", "Dense", &err),
			  &err);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* The layer that the first snapshot has, and the third one again: it is there
 * when the commit begins, and gone when it publishes. */
static void a_layer_that_was_found_goes_before_it_is_named(void **state)
{
	struct fixture *f = *state;
	struct stopped stopped = {.path = f->path};
	struct wh_commit_options options = {0};
	struct sentences found;
	int number;

	for (number = 1; number <= 3; number++) {
		struct wh_source *source = version(number);

		if (number == 3) {
			options.progress = collect_when_stored;
			options.arg = &stopped;
		}
		assert_ok(wh_commit(f->store, source, &options, &f->result,
				    &f->err),
			  &f->err);
		wh_source_close(source);
	}
	assert_true(stopped.done);
	assert_int_equal(f->result.n_new_tensors, 2);
	assert_int_equal(ask_integer(f, "select count(*) from snapshot"), 2);
	assert_int_equal(ask_integer(f, "select count(*) from layer"), 3);
	verify_store(f, &found);
	assert_int_equal(found.n, 0);
}

#define N_LAYERS 25 /* more than a commit has tries */
#define TAKE_ONE                                                               \
	"BEGIN IMMEDIATE; INSERT INTO gc_running VALUES (1);"                  \
	"DELETE FROM variable WHERE layer_id = (SELECT min(id) FROM layer);"   \
	"DELETE FROM tree_layer WHERE layer_id = (SELECT min(id) FROM "        \
	"layer);"                                                              \
	"DELETE FROM layer WHERE id = (SELECT min(id) FROM layer);"            \
	"DELETE FROM tensor WHERE id NOT IN (SELECT tensor_id FROM variable);" \
	"DELETE FROM gc_running; COMMIT"

static bool take_a_layer(void *arg, const char *what, uint64_t done,
			 uint64_t total)
{
	char *why = NULL;
	sqlite3 *file;

	if (strcmp(what, "storing") != 0 || done != total)
		return true;
	assert_int_equal(sqlite3_open(arg, &file), SQLITE_OK);
	if (sqlite3_exec(file, TAKE_ONE, NULL, NULL, &why))
		fail_msg("%s", why);
	sqlite3_close(file);
	return true;
}

static struct wh_source *model_of_layers(int n)
{
	static float values[N_LAYERS + 1];
	struct wh_array array = {.name = "scale", .dtype = WH_FLOAT32};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[16];
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < n; i++) {
		values[i] = (float)i;
		array.data = &values[i];
		snprintf(name, sizeof(name), "layer%d", i);
		assert_ok(wh_builder_layer(builder, name, "Scale", &err), &err);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* Each time one more layer of those that it has found is gone. */
static void a_commit_that_gc_is_always_before_is_told(void **state)
{
	struct fixture *f = *state;
	const struct wh_commit_options options = {.progress = take_a_layer,
						  .arg = f->path};
	struct wh_source *source = model_of_layers(N_LAYERS);

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	source = model_of_layers(N_LAYERS + 1);
	assert_fails(wh_commit(f->store, source, &options, NULL, &f->err),
		     &f->err, WH_EBUSY, "try again");
	wh_source_close(source);
	assert_int_equal(ask_integer(f, "select count(*) from snapshot"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_running_commit_keeps_its_chunks),
		with_store(a_running_commit_keeps_its_chunks_from_a_link),
		with_store(a_running_commit_keeps_its_chunks_elsewhere),
		with_store(what_a_killed_commit_stored_goes),
		with_store(a_killed_commit_that_stored_nothing_leaves_nothing),
		with_store(
			a_running_commit_keeps_its_chunks_beside_a_killed_one),
		with_store(a_storage_of_many_chunks_goes_whole),
		with_store(compacting_closes_the_gaps),
		with_store(what_lies_under_the_lease_of_a_migration_stays),
		with_store(a_dry_run_says_what_goes),
		with_store(a_chain_that_is_too_long_is_told),
		with_store(a_layer_that_was_found_goes_before_it_is_named),
		with_store(a_commit_that_gc_is_always_before_is_told),
	};

	return cmocka_run_group_tests(tests, make_weights, free_weights);
}
