#include "support/big.h"
#include "support/damage.h"

#include <stdlib.h>
#include <unistd.h>

#include <weighhouse/store.h>

#include "base/error.h"

static void a_model_comes_back_as_it_was_committed(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {
		.message = "first\nof many", .has_step = true, .step = 7};
	struct wh_source *source = make_model(1.0f);
	struct wh_source *back = NULL;
	uint32_t i;

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_int_equal(f->result.n_tensors, 3);
	assert_int_equal(f->result.n_new_tensors, 3);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &back, &f->err), &f->err);
	assert_int_equal(back->manifest.n_layers, source->manifest.n_layers);
	for (i = 0; i < source->manifest.n_tensors; i++)
		assert_same_tensor(source, back, i);
	wh_source_close(back);
	wh_source_close(source);
}

static void an_unchanged_model_costs_a_row(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(2.0f);
	char tree[WH_ID_SIZE];

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	strcpy(tree, f->result.tree);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	assert_string_equal(f->result.tree, tree);
	assert_int_equal(f->result.n_new_tensors, 0);
	assert_int_equal(f->result.stored_bytes, 0);
	wh_source_close(source);
}

static void the_id_is_the_hash_of_the_text(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(3.0f);
	char command[512], id[WH_ID_SIZE], *text;
	FILE *pipe;
	size_t size;

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	assert_ok(wh_snapshot_text(f->store, "HEAD", &text, &size, &f->err),
		  &f->err);
	snprintf(command, sizeof(command), "sha256sum > %s/sum", f->folder);
	pipe = popen(command, "w");
	assert_int_equal(fwrite(text, 1, size, pipe), size);
	assert_int_equal(pclose(pipe), 0);
	snprintf(command, sizeof(command), "%s/sum", f->folder);
	pipe = fopen(command, "r");
	assert_int_equal(fread(id, 1, 64, pipe), 64);
	fclose(pipe);
	unlink(command);
	assert_memory_equal(id, f->result.snapshot, 64);
	free(text);
	wh_source_close(source);
}

/* ---- Many small tensors ----------------------------------------------------
 */

#define N_SMALL 100

/* Each a layer of its own; two of them have the same payload. */
static struct wh_source *make_many(float first)
{
	static float values[N_SMALL][4];
	static const uint64_t shape[] = {4};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[16];
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < N_SMALL; i++) {
		struct wh_array array = {.name = "w",
					 .dtype = WH_FLOAT32,
					 .rank = 1,
					 .shape = shape,
					 .data = values[i]};

		values[i][0] = first + (float)(i ? i : 1);
		snprintf(name, sizeof(name), "layer%d", i);
		assert_ok(wh_builder_layer(builder, name, NULL, &err), &err);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

/* Triggers are off while the rows of many tensors go in: afterwards they must
 * be on again, and what they count be right. */
static void many_tensors_are_guarded_as_few_are(void **state)
{
	struct fixture *f = *state;
	const struct wh_metric metric = {"loss", 0.5};
	const struct wh_commit_options options = {.metrics = &metric,
						  .n_metrics = 1};
	struct wh_source *source;
	int i;

	for (i = 0; i < 2; i++) {
		source = make_many(1000.0f * (float)i);
		assert_ok(wh_commit(f->store, source, &options, &f->result,
				    &f->err),
			  &f->err);
		assert_int_equal(f->result.n_new_tensors, N_SMALL);
		wh_source_close(source);
		assert_ok(read_all(f, "HEAD"), &f->err);
	}
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM tensor"),
			 2 * (N_SMALL - 1));
	assert_int_equal(ask_integer(f, "SELECT n_snapshots FROM run_total"),
			 2);
	assert_int_equal(ask_integer(f, "SELECT n FROM metric_summary"), 2);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM lease"), 0);
}

#define N_EQUAL	  160
#define EQUAL	  ((uint64_t)64 << 10)
#define OTHER	  (((uint64_t)3 << 20) + 1024)
#define MEMORY	  ((uint64_t)8 << 20)
#define ALL_BYTES (N_EQUAL * EQUAL + OTHER)

static struct wh_source *make_mixed(const uint8_t *bytes)
{
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[16] = "other";
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i <= N_EQUAL; i++) {
		const uint64_t size = i ? EQUAL : OTHER;
		struct wh_array array = {.name = name,
					 .dtype = WH_UINT8,
					 .rank = 1,
					 .shape = &size,
					 .data = bytes};

		assert_ok(wh_builder_weight(builder, &array, &err), &err);
		bytes += size;
		snprintf(name, sizeof(name), "w%d", i);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

struct totals {
	uint64_t first;
	int n;
};

static bool note_total(void *arg, const char *what, uint64_t done,
		       uint64_t total)
{
	struct totals *totals = arg;

	(void)done;
	if (strcmp(what, "storing") == 0 && totals->n++ == 0)
		totals->first = total;
	return true;
}

/* As much of what is small as there is room for; the rest, and what is larger,
 * is stored before it is published. Where nothing is new nothing is. */
static void what_is_small_waits_in_memory(void **state)
{
	struct fixture *f = *state;
	struct big big = {0};
	struct totals totals[2] = {{0}};
	struct wh_commit_options options = {.progress = note_total};
	uint8_t *bytes = malloc((size_t)ALL_BYTES);
	struct wh_source *source;
	int i;

	read_big(&big, 0, bytes, (size_t)ALL_BYTES);
	source = make_mixed(bytes);
	for (i = 0; i < 2; i++) {
		options.arg = &totals[i];
		assert_ok(wh_commit(f->store, source, &options, NULL, &f->err),
			  &f->err);
	}
	assert_int_equal(totals[0].first, MEMORY);
	assert_int_equal(totals[1].n, 0);
	wh_source_close(source);
	free(bytes);
}

/* As nested models have them: the same name, in other containers. */
static void equal_layers_without_weights_are_one_row(void **state)
{
	struct fixture *f = *state;
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct sentences found;
	int i;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "net", "Model", &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "one", "Dropout", &f->err),
		  &f->err);
	assert_ok(wh_builder_layer(builder, "other", "Dropout", &f->err),
		  &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	source->manifest.layers[2].name = source->manifest.layers[1].name;
	source->manifest.layers[2].container = 0;
	for (i = 0; i < 2; i++)
		assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err),
			  &f->err);
	wh_source_close(source);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM layer"), 2);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM tree_layer"), 3);
	assert_int_equal(
		ask_integer(f, "SELECT count(container) FROM tree_layer"), 1);
	verify_store(f, &found);
	assert_int_equal(found.n, 0);
}

/* Of the same second, after the same parent: two branches have it. */
static void a_commit_on_another_branch_is_the_same_snapshot(void **state)
{
	struct wh_commit_options options = {
		.run = "r", .root = true, .has_time = true, .time = 1};
	struct fixture *f = *state;
	char id[WH_ID_SIZE];
	int i;

	for (i = 0; i < 2; i++) {
		struct wh_source *source = make_model(1);

		options.branch = i ? "other" : "main";
		options.tag = options.branch;
		if (i)
			strcpy(id, f->result.snapshot);
		assert_ok(wh_commit(f->store, source, &options, &f->result,
				    &f->err),
			  &f->err);
		wh_source_close(source);
	}
	assert_string_equal(f->result.snapshot, id);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM snapshot"), 1);
	assert_int_equal(ask_integer(f, "SELECT time FROM snapshot"), 1);
	assert_ok(read_all(f, "other"), &f->err);
}

struct rival {
	struct fixture *f;
	struct wh_store *store;
	bool done;
};

/* Between the look-ups of a commit and its publishing. */
static bool commit_the_same(void *arg, const char *what, uint64_t done,
			    uint64_t total)
{
	struct rival *rival = arg;
	struct wh_source *source;

	(void)done, (void)total;
	if (rival->done || strcmp(what, "storing") != 0)
		return true;
	rival->done = true;
	source = make_many(5.0f);
	assert_ok(wh_commit(rival->store, source, NULL, NULL, &rival->f->err),
		  &rival->f->err);
	wh_source_close(source);
	return true;
}

static void what_another_commits_meanwhile_is_found(void **state)
{
	struct fixture *f = *state;
	struct rival rival = {.f = f};
	struct wh_commit_options options = {.progress = commit_the_same,
					    .arg = &rival};
	struct wh_source *source = make_many(5.0f);

	assert_ok(wh_store_open(f->path, WH_OPEN_WRITE, &rival.store, &f->err),
		  &f->err);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_true(rival.done);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM tensor"),
			 N_SMALL - 1);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM layer"), N_SMALL);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM snapshot"), 2);
	assert_ok(read_all(f, "HEAD"), &f->err);
	wh_source_close(source);
	wh_store_close(rival.store);
}

static int read_inverted(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct wh_error err;
	uint8_t *bytes = buf;
	size_t i;

	if (wh_tensor_read(arg, "HEAD", "big/w", offset, buf, len, &err))
		return 1;
	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)~bytes[i];
	return 0;
}

/* What a filter over a stored snapshot does: the commit must not hold the
 * store against its own source. */
static void a_source_may_read_from_the_same_store(void **state)
{
	struct fixture *f = *state;
	struct big big = {.n_bytes = 12 << 20};
	struct wh_array array = {.name = "w",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = &big.n_bytes,
				 .read = read_inverted};
	struct wh_source *source = make_big(&big);
	struct wh_store *reader = NULL;

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	assert_ok(wh_store_open(f->path, WH_OPEN_READ, &reader, &f->err),
		  &f->err);
	array.arg = reader;
	source = one_weight(NULL, NULL, &array);
	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	wh_store_close(reader);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* ---- Reading
 * --------------------------------------------------------------------- */

static void ranges_of_a_tensor_are_read(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
	} ranges[] = {
		{0, 0},
		{0, 1},
		{1048575, 2},
		{1048576, 1048576},
		{5, 2500000},
		{(5 << 19) + 6, 1},
		{(5 << 19) + 7, 0},
	};
	struct fixture *f = *state;
	struct big big = {.n_bytes = (5 << 19) + 7};
	struct wh_source *source = make_big(&big);
	uint8_t *whole = malloc((size_t)big.n_bytes);
	uint8_t *part = malloc((size_t)big.n_bytes);
	size_t i;

	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	wh_source_close(source);
	assert_ok(wh_tensor_read(f->store, "HEAD", "big/w", 0, whole,
				 (size_t)big.n_bytes, &f->err),
		  &f->err);
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		assert_ok(wh_tensor_read(f->store, "HEAD", "big/w",
					 ranges[i].offset, part, ranges[i].len,
					 &f->err),
			  &f->err);
		assert_memory_equal(part, whole + ranges[i].offset,
				    ranges[i].len);
	}
	assert_fails(wh_tensor_read(f->store, "HEAD", "big/w", big.n_bytes,
				    part, 1, &f->err),
		     &f->err, WH_EINVAL, "bytes; none at");
	assert_fails(
		wh_tensor_read(f->store, "HEAD", "big/v", 0, part, 1, &f->err),
		&f->err, WH_ENOTFOUND, "did you mean 'big/w'?");
	free(whole);
	free(part);
}

/* The store as C programs walk it: snapshots, their layers, their tensors. */
struct walk {
	struct fixture *f;
	int n_snapshots, n_layers, n_tensors;
};

static int walk_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	struct walk *walk = arg;
	struct wh_source *source;
	uint32_t i, k;

	walk->n_snapshots++;
	assert_ok(wh_snapshot_open(walk->f->store, snapshot->id, &source,
				   &walk->f->err),
		  &walk->f->err);
	for (i = 0; i < source->manifest.n_layers; i++) {
		const struct wh_layer *layer = &source->manifest.layers[i];

		walk->n_layers++;
		for (k = 0; k < layer->n_variables; k++) {
			const struct wh_layer *owner;
			const struct wh_variable *variable;
			uint32_t tensor = layer->variables[k].tensor;

			walk->n_tensors++;
			assert_true(wh_manifest_owner(&source->manifest, tensor,
						      &owner, &variable));
			assert_ptr_equal(owner, layer);
			assert_ptr_equal(variable, &layer->variables[k]);
		}
	}
	wh_source_close(source);
	return 0;
}

static void a_store_is_walked(void **state)
{
	struct fixture *f = *state;
	struct walk walk = {.f = f};

	commit_model(f, 1.0f);
	commit_model(f, 2.0f);
	assert_ok(wh_log(f->store, NULL, walk_snapshot, &walk, &f->err),
		  &f->err);
	assert_int_equal(walk.n_snapshots, 2);
	assert_int_equal(walk.n_layers, 6);
	assert_int_equal(walk.n_tensors, 6);
}

/* Equal payloads under many names, empty ones, scalars: stored once each. */
static void equal_payloads_are_stored_once(void **state)
{
	static const float ones[4] = {1, 1, 1, 1};
	const uint64_t four[] = {4}, square[] = {2, 2}, none[] = {0, 7},
		       column[] = {4, 1};
	const struct wh_array arrays[] = {
		{.name = "a",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = four,
		 .data = ones},
		{.name = "b",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = four,
		 .data = ones},
		{.name = "c",
		 .dtype = WH_FLOAT32,
		 .rank = 2,
		 .shape = square,
		 .data = ones},
		{.name = "d",
		 .dtype = WH_INT32,
		 .rank = 1,
		 .shape = four,
		 .data = ones},
		{.name = "e", .dtype = WH_FLOAT32, .rank = 2, .shape = none},
		{.name = "f", .dtype = WH_FLOAT32, .data = ones},
		{.name = "g",
		 .dtype = WH_FLOAT32,
		 .rank = 2,
		 .shape = column,
		 .data = ones},
	};
	struct fixture *f = *state;
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL, *back = NULL;
	size_t i;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (i = 0; i < 7; i++)
		assert_ok(wh_builder_weight(builder, &arrays[i], &f->err),
			  &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM tensor"), 6);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM chunk"), 5);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &back, &f->err), &f->err);
	for (i = 0; i < 7; i++)
		assert_same_tensor(source, back, (uint32_t)i);
	wh_source_close(back);
	wh_source_close(source);
}

static int read_pattern(void *arg, uint64_t offset, void *buf, size_t len)
{
	uint8_t *bytes = buf;
	size_t i;

	(void)arg;
	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)((offset + i) >> 12);
	return 0;
}

/* Over the 16 MiB after which the disk is set to work. */
static void a_commit_of_many_chunks_comes_back(void **state)
{
	struct fixture *f = *state;
	const uint64_t shape[] = {40 << 20};
	const struct wh_commit_options options = {.codec = "none"};
	struct wh_array array = {.name = "table",
				 .dtype = WH_INT8,
				 .rank = 1,
				 .shape = shape,
				 .read = read_pattern};
	struct wh_source *source = NULL;
	uint8_t found[4096], expected[4096];

	source = one_weight(NULL, NULL, &array);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_int_equal(f->result.stored_bytes, 40 << 20);
	assert_ok(wh_tensor_read(f->store, "HEAD", "table", 37 << 20, found,
				 sizeof(found), &f->err),
		  &f->err);
	read_pattern(NULL, 37 << 20, expected, sizeof(expected));
	assert_memory_equal(found, expected, sizeof(found));
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_model_comes_back_as_it_was_committed),
		with_store(an_unchanged_model_costs_a_row),
		with_store(the_id_is_the_hash_of_the_text),
		with_store(equal_layers_without_weights_are_one_row),
		with_store(a_commit_on_another_branch_is_the_same_snapshot),
		with_store(many_tensors_are_guarded_as_few_are),
		with_store(what_is_small_waits_in_memory),
		with_store(what_another_commits_meanwhile_is_found),
		with_store(a_source_may_read_from_the_same_store),
		with_store(ranges_of_a_tensor_are_read),
		with_store(a_store_is_walked),
		with_store(equal_payloads_are_stored_once),
		with_store(a_commit_of_many_chunks_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
