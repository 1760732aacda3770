/* Commits that are refused, or stopped: they say why, and nothing of them
 * stays. */
#include "support/big.h"
#include "support/damage.h"

#include <sys/stat.h>

#include <weighhouse/store.h>
#include <weighhouse/weights.h>

#include "base/error.h"

static off_t size_of(const char *path)
{
	struct stat at;

	assert_int_equal(stat(path, &at), 0);
	return at.st_size;
}

#define COUNT_ALL                                                              \
	"SELECT (SELECT count(*) FROM chunk) + (SELECT count(*) FROM storage)" \
	" + (SELECT count(*) FROM tensor) + (SELECT count(*) FROM snapshot)"   \
	" + (SELECT count(*) FROM gc_running)"

/* One that waits in memory, and one that is stored before it is published. */
static const uint64_t small_and_large[] = {3 << 20, 24 << 20};

static void a_source_that_changes_is_refused_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t rows;
	off_t size;
	int i;

	commit_model(f, 1.0f);
	rows = ask_integer(f, COUNT_ALL);
	size = size_of(f->path);
	for (i = 0; i < 2; i++) {
		struct big big = {.n_bytes = small_and_large[i]};
		struct wh_source *source = make_big(&big);

		big.changes_after = (int)(big.n_bytes >> 20) + 2;
		assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err),
			     &f->err, WH_EMISMATCH,
			     "tensor 'big/w' changed while it was read");
		assert_int_equal(ask_integer(f, COUNT_ALL), rows);
		assert_true(size_of(f->path) <= size + 65536);
		wh_source_close(source);
	}
	assert_ok(read_all(f, "HEAD"), &f->err);
}

struct canceller {
	const char *during;
	int n_calls;
};

static bool cancel_during(void *arg, const char *what, uint64_t done,
			  uint64_t total)
{
	struct canceller *canceller = arg;

	assert_true(done <= total);
	canceller->n_calls++;
	return strcmp(what, canceller->during) != 0;
}

static void a_cancelled_commit_leaves_nothing(void **state)
{
	static const char *const steps[] = {"hashing", "storing"};
	struct fixture *f = *state;
	struct wh_source *source = NULL;
	int64_t rows;
	off_t size;
	size_t i;

	commit_model(f, 1.0f);
	rows = ask_integer(f, COUNT_ALL);
	size = size_of(f->path);
	for (i = 0; i < 4; i++) {
		struct canceller canceller = {.during = steps[i / 2]};
		struct big big = {.n_bytes = small_and_large[i % 2]};
		struct wh_commit_options options = {.progress = cancel_during,
						    .arg = &canceller};

		source = make_big(&big);
		assert_fails(
			wh_commit(f->store, source, &options, NULL, &f->err),
			&f->err, WH_ECANCELLED, "cancelled");
		assert_true(canceller.n_calls > 0);
		assert_int_equal(ask_integer(f, COUNT_ALL), rows);
		assert_true(size_of(f->path) <= size + 65536);
		if (i == 3)
			assert_ok(wh_commit(f->store, source, NULL, NULL,
					    &f->err),
				  &f->err);
		wh_source_close(source);
	}
	assert_ok(read_all(f, "HEAD"), &f->err);
}

static void a_tag_that_is_there_is_not_moved(void **state)
{
	const struct wh_commit_options options = {.tag = "best"};
	struct fixture *f = *state;
	struct wh_source *source = make_model(1);

	assert_ok(wh_commit(f->store, source, &options, NULL, &f->err),
		  &f->err);
	wh_source_close(source);
	source = make_model(2);
	assert_fails(wh_commit(f->store, source, &options, NULL, &f->err),
		     &f->err, WH_EEXISTS, "best");
	wh_source_close(source);
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM snapshot"), 1);
	/* Without a time of its own it is of now. */
	assert_true(ask_integer(f, "SELECT time FROM snapshot") > 1000000000);
}

static enum wh_status say_changed(struct wh_source *source,
				  struct wh_error *err)
{
	(void)source;
	return wh_fail(err, WH_EMISMATCH, "the file was written to");
}

/* As a file's source does, which looks at the file's times again. */
static void a_source_that_says_it_has_changed_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(1.0f);
	struct wh_source_ops ops = *source->ops;

	ops.unchanged = say_changed;
	source->ops = &ops;
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EMISMATCH, "was written to");
	wh_source_close(source);
	assert_int_equal(ask_integer(f, COUNT_ALL), 0);
}

static void grow(struct wh_manifest *manifest)
{
	manifest->tensors[0].nbytes += 4;
}

static void retype(struct wh_manifest *manifest)
{
	manifest->tensors[0].dtype = (enum wh_dtype)99;
}

static void double_key(struct wh_manifest *manifest)
{
	manifest->tensors[1].key = manifest->tensors[0].key;
}

static void forget_name(struct wh_manifest *manifest)
{
	manifest->layers[0].name = NULL;
}

static void point_beyond(struct wh_manifest *manifest)
{
	manifest->layers[0].variables[0].tensor = manifest->n_tensors;
}

static void own_twice(struct wh_manifest *manifest)
{
	manifest->layers[0].variables[0].tensor = 1;
}

static void own_none(struct wh_manifest *manifest)
{
	manifest->layers[0].n_variables = 0;
}

static void turn_inside_out(struct wh_manifest *manifest)
{
	manifest->layers[0].container = 0;
}

static void kind_of_none(struct wh_manifest *manifest)
{
	manifest->layers[0].kind = (enum wh_layer_kind)9;
}

static void role_of_none(struct wh_manifest *manifest)
{
	manifest->layers[0].variables[0].role = (enum wh_role)9;
}

static void train_somehow(struct wh_manifest *manifest)
{
	manifest->layers[0].variables[0].trainable = (enum wh_trainable)9;
}

static void class_in_latin_1(struct wh_manifest *manifest)
{
	manifest->layers[0].class_name = "D\xe9nse";
}

static void too_many_beside(struct wh_manifest *manifest)
{
	static struct wh_layer layers[5];
	uint32_t i;

	for (i = 0; i < 4; i++)
		layers[i] = (struct wh_layer){.name = "state",
					      .kind = WH_LAYER_STATE,
					      .container = WH_NO_LAYER};
	layers[4] = manifest->layers[0];
	manifest->layers = layers;
	manifest->n_layers = 5;
}

static void attribute_of(struct wh_manifest *manifest,
			 struct wh_attribute attribute)
{
	static struct wh_attribute kept;

	kept = attribute;
	manifest->attributes = &kept;
	manifest->n_attributes = 1;
}

static void attribute_without_key(struct wh_manifest *manifest)
{
	attribute_of(manifest, (struct wh_attribute){.path = "", .text = ""});
}

static void attribute_without_text(struct wh_manifest *manifest)
{
	attribute_of(manifest,
		     (struct wh_attribute){.path = "", .key = "k", .size = 3});
}

static void attribute_of_no_kind(struct wh_manifest *manifest)
{
	attribute_of(manifest, (struct wh_attribute){
				       .path = "",
				       .key = "k",
				       .kind = (enum wh_value_kind)9});
}

static void edge_to_nowhere(struct wh_manifest *manifest)
{
	static struct wh_graph_edge edge = {.node = 1, .name = "next"};
	static struct wh_graph_node node = {.edges = &edge, .n_edges = 1};
	static struct wh_graph graph = {.nodes = &node, .n_nodes = 1};

	manifest->graph = &graph;
}

static void value_without_key(struct wh_manifest *manifest)
{
	static struct wh_graph_attribute value = {.name = "VARIABLE_VALUE"};
	static struct wh_graph_node node = {.attributes = &value,
					    .n_attributes = 1};
	static struct wh_graph graph = {.nodes = &node, .n_nodes = 1};

	manifest->graph = &graph;
}

static void template_of(struct wh_manifest *manifest, const char *suffix,
			uint64_t offset, uint32_t tensor, uint32_t skeleton)
{
	static struct wh_extent extent;
	static struct wh_template_file file;
	static struct wh_template template_;

	extent = (struct wh_extent){
		.offset = offset, .length = 8, .tensor = tensor};
	file = (struct wh_template_file){.suffix = suffix,
					 .size = 8,
					 .extents = &extent,
					 .n_extents = 1};
	template_ = (struct wh_template){.format = "npz",
					 .files = &file,
					 .n_files = 1,
					 .skeleton = skeleton};
	manifest->template_ = &template_;
}

static void file_elsewhere(struct wh_manifest *manifest)
{
	template_of(manifest, "/../x", 0, 0, WH_LITERAL);
}

static void file_with_a_gap(struct wh_manifest *manifest)
{
	template_of(manifest, "", 1, 0, WH_LITERAL);
}

static void extent_of_nothing(struct wh_manifest *manifest)
{
	template_of(manifest, "", 0, 1u << 30, WH_LITERAL);
}

static void skeleton_of_nothing(struct wh_manifest *manifest)
{
	template_of(manifest, "", 0, 0, manifest->n_tensors);
}

/* Sources of other programs, which fill their manifests by themselves: what
 * verify would call damage, or what crashed. Saving looks as well. */
static void a_manifest_that_can_not_be_is_refused(void **state)
{
	static const struct {
		void (*spoil)(struct wh_manifest *manifest);
		const char *sentence;
	} cases[] = {
		{grow, "not what its dtype and shape need"},
		{retype, "there is no dtype 99"},
		{double_key, "is there twice"},
		{forget_name, "a layer name is missing"},
		{point_beyond, "there is no tensor"},
		{own_twice, "belongs to two variables"},
		{own_none, "belongs to no layer"},
		{turn_inside_out, "in one that doesn't come before it"},
		{kind_of_none, "there is no kind of layer 9"},
		{role_of_none, "there is no role 9"},
		{train_somehow, "there is no trainable 9"},
		{class_in_latin_1, "is not valid UTF-8"},
		{too_many_beside, "beside the model's"},
		{attribute_without_key, "a name of an attribute is missing"},
		{attribute_without_text, "has no text"},
		{attribute_of_no_kind, "there is no kind of attribute 9"},
		{edge_to_nowhere, "the graph has no node 1"},
		{value_without_key, "a graph's key is missing"},
		{file_elsewhere, "leaves the folder"},
		{file_with_a_gap, "not sound at byte 0"},
		{extent_of_nothing, "not sound at byte 0"},
		{skeleton_of_nothing, "is not the hidden tensor"},
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wh_source *source = make_model(1.0f);

		cases[i].spoil(&source->manifest);
		assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err),
			     &f->err, WH_EINVAL, cases[i].sentence);
		assert_fails(wh_save_source(source, "never.npz", NULL, NULL,
					    &f->err),
			     &f->err, WH_EINVAL, cases[i].sentence);
		wh_source_close(source);
	}
	assert_int_equal(ask_integer(f, COUNT_ALL), 0);
}

static void a_store_that_is_open_for_reading_takes_none(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(1.0f);

	open_again(f, WH_OPEN_READ);
	assert_fails(wh_commit(f->store, source, NULL, NULL, &f->err), &f->err,
		     WH_EIO, "open for reading only");
	wh_source_close(source);
}

static void texts_that_are_no_utf8_are_refused(void **state)
{
	const struct wh_metric metric = {"\xff", 1};
	const struct wh_param params[] = {{"\xff", "v"}, {"k", "\xc0\xaf"}};
	const struct wh_commit_options cases[] = {
		{.message = "caf\xe9"},
		{.run = "\xff"},
		{.branch = "\xff"},
		{.tag = "\xff"},
		{.metrics = &metric, .n_metrics = 1},
		{.params = &params[0], .n_params = 1},
		{.params = &params[1], .n_params = 1},
	};
	struct fixture *f = *state;
	struct wh_source *source = make_model(1.0f);
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(
			wh_commit(f->store, source, &cases[i], NULL, &f->err),
			&f->err, WH_EINVAL, "valid UTF-8");
	wh_source_close(source);
}

/* Two handles that both saw the first snapshot: one of them wins, and the
 * other is told, or follows. */
static void of_two_writers_one_wins_and_the_other_is_told(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {0};
	struct wh_store *other;
	struct wh_source *source;
	char first[WH_ID_SIZE], second[WH_ID_SIZE];

	commit_model(f, 1.0f);
	memcpy(first, f->result.snapshot, sizeof(first));
	assert_ok(wh_store_open(f->path, WH_OPEN_WRITE, &other, &f->err),
		  &f->err);
	options.expect = first;
	source = make_model(2.0f);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	memcpy(second, f->result.snapshot, sizeof(second));
	wh_source_close(source);
	source = make_model(3.0f);
	assert_fails(wh_commit(other, source, &options, &f->result, &f->err),
		     &f->err, WH_EMISMATCH, "has moved");
	assert_int_equal(ask_integer(f, "SELECT count(*) FROM snapshot"), 2);
	assert_ok(wh_commit(other, source, NULL, &f->result, &f->err), &f->err);
	assert_string_equal(f->result.parent, second);
	wh_source_close(source);
	wh_store_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_source_that_changes_is_refused_and_leaves_nothing),
		with_store(a_cancelled_commit_leaves_nothing),
		with_store(a_tag_that_is_there_is_not_moved),
		with_store(a_source_that_says_it_has_changed_is_refused),
		with_store(a_manifest_that_can_not_be_is_refused),
		with_store(a_store_that_is_open_for_reading_takes_none),
		with_store(texts_that_are_no_utf8_are_refused),
		with_store(of_two_writers_one_wins_and_the_other_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
