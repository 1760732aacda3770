/* Files of each format with each call failing once: read, committed with their
 * template, written, loaded into a model. It says why, no file is there in
 * part, and what was there before is there still. */
#include "failing.h"

#include <dirent.h>

#include "support/same_manifest.h"
#include <weighhouse/publish.h>
#include <weighhouse/weights.h>

#define MEMORY_FOLDER "/dev/shm"

struct output;

struct place {
	char folder[64];
	struct wh_source *source;
	const char *input, *output;
	const struct output *to;
	uint8_t *old; /* what was under the output's name */
	size_t old_size;
	unsigned n_open; /* objects of libhdf5 before the attempt */
	struct wh_error err;
};

static void ok(enum wh_status status, struct wh_error *err)
{
	if (status)
		fail_msg("%s", err->message);
}

/* ---- The folder -----------------------------------------------------------
 */

static void empty(const char *path)
{
	DIR *listing = opendir(path);
	struct dirent *at;

	while (listing && (at = readdir(listing))) {
		char name[400];

		if (!strcmp(at->d_name, ".") || !strcmp(at->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%.100s/%s", path, at->d_name);
		if (unlink(name)) {
			empty(name);
			rmdir(name);
		}
	}
	if (listing)
		closedir(listing);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	*state = p;
	snprintf(p->folder, sizeof(p->folder), "%s/wh-test-XXXXXX",
		 access(MEMORY_FOLDER, W_OK) ? "/tmp" : MEMORY_FOLDER);
	assert_non_null(mkdtemp(p->folder));
	return chdir(p->folder);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	assert_int_equal(chdir("/"), 0);
	empty(p->folder);
	assert_int_equal(rmdir(p->folder), 0);
	free(p->old);
	free(p);
	return 0;
}

/* ---- Reading --------------------------------------------------------------
 */

static const char *const inputs[] = {
	GOLDEN "/h5/nested.h5",
	GOLDEN "/h5/full-k2-adam.h5",
	GOLDEN "/h5/h5py-filters.h5",
	GOLDEN "/h5/h5py-fixed-attributes.h5",
	GOLDEN "/h5/h5py-keras0-counted.h5",
	GOLDEN "/h5/slash-names.h5",
	GOLDEN "/h5/dtypes.h5",
	GOLDEN "/h5/h5py-latest.h5",
	GOLDEN "/tf/adam-trained/ckpt",
	GOLDEN "/tf/shards/ckpt",
	GOLDEN "/tf/strings/ckpt",
	GOLDEN "/tf/tf1-partitioned/ckpt",
	GOLDEN "/keras3/k3-sequential.weights.h5",
	GOLDEN "/keras3/archive.keras",
	GOLDEN "/keras3/sharded-nested.weights.json",
	GOLDEN "/safetensors/hand-order.safetensors",
	GOLDEN "/npz/deflated-orders.npz",
};

static enum wh_status read_whole(struct wh_source *source, struct wh_error *err)
{
	uint8_t bytes[4096];
	enum wh_status status = WH_OK;
	uint32_t i;

	for (i = 0; i < source->manifest.n_tensors && !status; i++) {
		uint64_t n = source->manifest.tensors[i].nbytes;

		if (n > sizeof(bytes))
			n = sizeof(bytes);
		status = wh_source_read(source, i, 0, bytes, (size_t)n, err);
	}
	return status;
}

static enum wh_status open_and_prove(const char *path,
				     struct wh_source **source,
				     struct wh_error *err)
{
	bool proven;
	enum wh_status status =
		wh_checkpoint_open(path, NULL, NULL, source, err);

	if (status)
		return status;
	status = wh_checkpoint_prove(*source, path, NULL, &proven, err);
	if (status)
		wh_source_close(*source);
	return status;
}

/* But for the template's bytes between the payloads, which go where the planner
 * makes the same: they stay where libhdf5 lets it down. */
static bool say_the_same(const struct wh_manifest *a,
			 const struct wh_manifest *b)
{
	struct wh_manifest left = *a, right = *b;

	if (!a->template_ != !b->template_)
		return false;
	left.template_ = right.template_ = NULL;
	left.n_hidden = right.n_hidden = 0;
	return same_manifest(a, b) || same_manifest(&left, &right);
}

/* What is read at all is what the file says. */
static enum wh_status open_and_read(void *arg, struct wh_error *err)
{
	struct place *p = arg;
	struct wh_source *source;
	enum wh_status status = open_and_prove(p->input, &source, err);

	if (status)
		return status;
	if (!say_the_same(&source->manifest, &p->source->manifest))
		fail_msg("%s: not what the file says", p->input);
	status = read_whole(source, err);
	wh_source_close(source);
	return status;
}

static void count_open(void *arg)
{
	((struct place *)arg)->n_open = failing_hdf5_open();
}

static void nothing_is_left_open(void *arg, enum wh_status status)
{
	(void)status;
	assert_int_equal(failing_hdf5_open(), ((struct place *)arg)->n_open);
}

/* libhdf5 says of all that fails below it that the file is damaged. */
static bool is_hdf5(const char *path)
{
	return strstr(path, ".h5") || strstr(path, ".keras") ||
	       strstr(path, ".weights.json");
}

static void read_with_failures(struct place *p, const char *path)
{
	const struct attempt attempt = {.name = path,
					.run = open_and_read,
					.before = count_open,
					.after = nothing_is_left_open,
					.arg = p,
					.tells_memory = !is_hdf5(path)};

	p->input = path;
	ok(open_and_prove(path, &p->source, &p->err), &p->err);
	failing_each(&attempt);
	wh_source_close(p->source);
}

static void reading_bears_each_failure(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		read_with_failures(*state, inputs[i]);
}

/* ---- Writing --------------------------------------------------------------
 */

/* Of golden/models.py: nested and rnn_cells. */
static const char nested[] =
	"{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\","
	"\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{"
	"\"name\":\"a\"}},{\"class_name\":\"Functional\",\"config\":{"
	"\"name\":\"inner\",\"layers\":[{\"class_name\":\"Functional\","
	"\"config\":{\"name\":\"innermost\",\"layers\":[{"
	"\"class_name\":\"Dense\",\"config\":{\"name\":\"i1\"}},{"
	"\"class_name\":\"BatchNormalization\",\"config\":{\"name\":"
	"\"i2\"}}]}},{\"class_name\":\"Dense\",\"config\":{\"name\":"
	"\"i3\"}}]}},{\"class_name\":\"InputLayer\",\"config\":{"
	"\"name\":\"b\"}},{\"class_name\":\"Dense\",\"config\":{"
	"\"name\":\"shared\"}},{\"class_name\":\"Concatenate\","
	"\"config\":{\"name\":\"join\"}},{\"class_name\":\"Dense\","
	"\"config\":{\"name\":\"d10\"}}]}}";
static const char cells[] =
	"{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\","
	"\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{"
	"\"name\":\"start\"}},{\"class_name\":\"RNN\",\"config\":{"
	"\"name\":\"stack\",\"cell\":{\"class_name\":"
	"\"StackedRNNCells\",\"config\":{\"cells\":[{\"class_name\":"
	"\"LSTMCell\",\"config\":{\"name\":\"lstm_cell\"}},{"
	"\"class_name\":\"GRUCell\",\"config\":{\"name\":\"gru_cell\""
	"}}]}}}}]}}";
static const char map_of_subclassed[] =
	"{\"dense_first\":\"first\",\"own/block0\":\"blocks/0\","
	"\"own/block1\":\"blocks/1\",\"head_cls\":\"heads/cls\","
	"\"head_reg\":\"heads/reg\",\"pair0\":\"pair/0\","
	"\"top_scale:0\":\"scale\",\"top_steps:0\":\"steps\"}";

static const struct output {
	const char *input, *name, *format, *shown; /* shown: is looked at */
	const char *config, *map;
	enum wh_root root;
} outputs[] = {
	{.input = GOLDEN "/tf/adam-trained/ckpt",
	 .name = "m.h5",
	 .shown = "m.h5",
	 .format = "h5"},
	{.input = GOLDEN "/tf/adam-trained/ckpt",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf"},
	{.input = GOLDEN "/tf/adam-trained/ckpt",
	 .name = "m.safetensors",
	 .shown = "m.safetensors"},
	{.input = GOLDEN "/tf/adam-trained/ckpt",
	 .name = "m.npz",
	 .shown = "m.npz"},
	{.input = GOLDEN "/h5/nested.h5",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf",
	 .config = nested},
	{.input = GOLDEN "/h5/nested.h5",
	 .name = "m.weights.h5",
	 .shown = "m.weights.h5",
	 .config = nested},
	{.input = GOLDEN "/h5/nested.h5",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf",
	 .config = nested,
	 .root = WH_ROOT_UNIVERSAL},
	{.input = GOLDEN "/h5/rnn-cells.h5",
	 .name = "m.weights.h5",
	 .shown = "m.weights.h5",
	 .config = cells},
	{.input = GOLDEN "/h5/rnn-cells.h5",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf",
	 .config = cells,
	 .root = WH_ROOT_CHECKPOINT},
	{.input = GOLDEN "/h5/subclassed.h5",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf",
	 .map = map_of_subclassed},
	{.input = GOLDEN "/tf/checkpoint-write/ckpt",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf",
	 .root = WH_ROOT_MODEL},
	{.input = GOLDEN "/tf/nested/ckpt",
	 .name = "m.h5",
	 .shown = "m.h5",
	 .format = "h5",
	 .config = nested},
	{.input = GOLDEN "/tf/rnn-cells/ckpt",
	 .name = "m.weights.h5",
	 .shown = "m.weights.h5",
	 .config = cells},
	{.input = GOLDEN "/keras3/k3-nested.weights.h5",
	 .name = "m",
	 .shown = "m.index",
	 .format = "tf"},
	{.input = GOLDEN "/keras3/archive.keras",
	 .name = "m.h5",
	 .shown = "m.h5",
	 .format = "h5"},
	{.input = GOLDEN "/keras3/archive-keras2.keras",
	 .name = "m.weights.h5",
	 .shown = "m.weights.h5"},
};

static enum wh_status save(void *arg, struct wh_error *err)
{
	struct place *p = arg;
	const struct wh_save_options options = {
		.save_format = p->to->format,
		.plan = {.model_config = p->to->config,
			 .map = p->to->map,
			 .root = p->to->root},
		.threads = 1};

	return wh_save_source(p->source, p->to->name, &options, NULL, err);
}

static uint8_t *read_file(const char *name, size_t *size)
{
	FILE *file = fopen(name, "rb");
	uint8_t *bytes;

	if (!file)
		fail_msg("%s is not there", name);
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size + 1);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

static void old_or_new(void *arg, enum wh_status status)
{
	struct place *p = arg;
	uint8_t *bytes;
	size_t size;

	bytes = read_file(p->to->shown, &size);
	assert_int_equal(size, p->old_size);
	assert_memory_equal(bytes, p->old, size);
	free(bytes);
	nothing_is_left_open(p, status);
}

static void writing_bears_each_failure(void **state)
{
	struct place *p = *state;
	size_t i;

	for (i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		char name[300];
		const struct attempt attempt = {.name = name,
						.run = save,
						.before = count_open,
						.after = old_or_new,
						.arg = p};

		p->to = &outputs[i];
		snprintf(name, sizeof(name), "%s to %s", p->to->input,
			 p->to->name);
		ok(wh_checkpoint_open(p->to->input, NULL, NULL, &p->source,
				      &p->err),
		   &p->err);
		ok(save(p, &p->err), &p->err);
		free(p->old);
		p->old = read_file(p->to->shown, &p->old_size);
		failing_each(&attempt);
		wh_source_close(p->source);
		read_with_failures(p, p->to->name);
	}
}

/* ---- Committing what has a template, and giving it back --------------------
 */

static enum wh_status commit_and_save(void *arg, struct wh_error *err)
{
	struct place *p = arg;
	struct wh_source *source = NULL;
	struct wh_store *store = NULL;
	enum wh_status status = open_and_prove(p->input, &source, err);

	if (status)
		return status;
	status = wh_store_open("weights.wh", WH_OPEN_WRITE, &store, err);
	if (!status)
		status = wh_commit(store, source, NULL, NULL, err);
	if (!status)
		status = wh_save_weights(store, "HEAD", p->output, NULL, err);
	wh_store_close(store);
	wh_source_close(source);
	return status;
}

static void fresh_store(void *arg)
{
	struct place *p = arg;

	empty(p->folder);
	ok(wh_store_create("weights.wh", &p->err), &p->err);
}

static void store_is_whole(void *arg, enum wh_status status)
{
	const struct wh_verify_options options = {.read_data = true};
	struct place *p = arg;
	struct wh_verify_result result;
	struct wh_store *store;

	(void)status;
	ok(wh_store_open("weights.wh", WH_OPEN_READ, &store, &p->err), &p->err);
	ok(wh_verify(store, &options, NULL, &result, &p->err), &p->err);
	assert_int_equal(result.n_errors, 0);
	wh_store_close(store);
}

static void committing_bears_each_failure(void **state)
{
	static const struct {
		const char *input, *output;
	} files[] = {
		{GOLDEN "/h5/full-k2-adam.h5", "m.h5"},
		{GOLDEN "/tf/adam-trained/ckpt", "m"},
	};
	struct place *p = *state;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct attempt attempt = {.name = files[i].input,
						.run = commit_and_save,
						.before = fresh_store,
						.after = store_is_whole,
						.arg = p};

		p->input = files[i].input;
		p->output = files[i].output;
		failing_each(&attempt);
	}
}

/* ---- Publishing and pulling -----------------------------------------------
 */

static enum wh_status publish_and_pull(void *arg, struct wh_error *err)
{
	static const char *const formats[] = {"h5", "tf", "safetensors", NULL};
	const struct wh_publish_options options = {.formats = formats,
						   .place.parallel = 2};
	const struct wh_pull_options pulling = {.place.parallel = 2};
	struct wh_store *store = NULL;
	struct wh_pulled pulled;
	enum wh_status status =
		wh_store_open("weights.wh", WH_OPEN_WRITE, &store, err);

	(void)arg;
	if (!status)
		status = wh_publish(store, "HEAD", "file:place", &options, err);
	wh_store_close(store);
	if (status)
		return status;
	status = wh_pull("file:place", "back", &pulling, &pulled, err);
	if (!status)
		wh_pulled_free(&pulled);
	return status;
}

static void one_commit(void *arg)
{
	struct place *p = arg;
	struct wh_store *store;
	struct wh_source *source = make_model(3);

	fresh_store(p);
	ok(wh_store_open("weights.wh", WH_OPEN_WRITE, &store, &p->err),
	   &p->err);
	ok(wh_commit(store, source, NULL, NULL, &p->err), &p->err);
	wh_store_close(store);
	wh_source_close(source);
}

static void publishing_bears_each_failure(void **state)
{
	const struct attempt attempt = {.name = "publish",
					.run = publish_and_pull,
					.before = one_commit,
					.after = store_is_whole,
					.arg = *state};

	failing_each(&attempt);
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(reading_bears_each_failure),
		in_place(writing_bears_each_failure),
		in_place(committing_bears_each_failure),
		in_place(publishing_bears_each_failure),
	};

	failing_hdf5();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
