/* save_weights: overwriting, prefixes, state file, CheckpointOptions. A build
 * without a format has nothing to show here. */
#include "support/assert.h"
#include "support/comma_locale.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>

#include "base/error.h"
#include "engine/folder.h"
#include <weighhouse/library.h>
#include <weighhouse/weights.h>

#define STATE(name)                                                            \
	"model_checkpoint_path: \"" name "\"\n"                                \
	"all_model_checkpoint_paths: \"" name "\"\n"
#define DATA ".data-00000-of-00001"

static bool lacks(const char *format)
{
	return wh_format_by_name(NULL, format)->missing != NULL;
}

static enum wh_status save(struct folder *f, const char *path,
			   const struct wh_save_options *options)
{
	return wh_save_source(f->source, path, options, NULL, &f->err);
}

/* ---- Overwriting */

struct answer {
	bool yes;
	int asked;
	char path[64];
};

static bool answer(const char *path, void *arg)
{
	struct answer *a = arg;

	a->asked++;
	snprintf(a->path, sizeof(a->path), "%s", path);
	return a->yes;
}

static void an_existing_file_is_replaced_silently(void **state)
{
	struct folder *f = *state;

	if (lacks("h5"))
		return;
	put("w.h5", "old");
	assert_ok(save(f, "w.h5", NULL), &f->err);
	assert_holds(".", "w.h5");
}

static void asking_is_only_for_what_exists(void **state)
{
	struct folder *f = *state;
	struct answer a = {.yes = false};
	struct wh_save_options options = {
		.overwrite = WH_OVERWRITE_ASK, .confirm = answer, .arg = &a};

	if (lacks("h5"))
		return;
	assert_ok(save(f, "w.h5", &options), &f->err);
	assert_int_equal(a.asked, 0);
	put("w.h5", "old");
	assert_fails(save(f, "w.h5", &options), &f->err, WH_EEXISTS,
		     "'w.h5' already exists");
	assert_int_equal(a.asked, 1);
	assert_string_equal(a.path, "w.h5");
	assert_text("w.h5", "old");
	a.yes = true;
	assert_ok(save(f, "w.h5", &options), &f->err);
	assert_int_equal(a.asked, 2);
	options.confirm = NULL; /* nobody is there to say yes */
	assert_int_equal(save(f, "w.h5", &options), WH_EEXISTS);
	options.overwrite = WH_OVERWRITE_REFUSE;
	options.confirm = answer;
	assert_int_equal(save(f, "w.h5", &options), WH_EEXISTS);
	assert_int_equal(a.asked, 2);
}

static void values_that_no_enum_has_are_refused(void **state)
{
	const int none = 9;
	const struct wh_save_options bad[] = {
		{.overwrite = (enum wh_overwrite)none},
		{.state.state = (enum wh_state)none},
		{.plan.root = (enum wh_root)none},
		{.plan.shard_policy = (enum wh_shard_policy)none},
	};
	struct folder *f = *state;
	size_t i;

	if (lacks("tf"))
		return;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_fails(save(f, "w", &bad[i]), &f->err, WH_EINVAL,
			     "there is no");
		assert_int_equal(access("w.index", F_OK), -1);
	}
}

/* Of tf only the index counts, as in Keras: data alone is no checkpoint. */
static void of_a_prefix_the_index_is_asked_for(void **state)
{
	struct folder *f = *state;
	struct answer a = {.yes = false};
	const struct wh_save_options options = {
		.overwrite = WH_OVERWRITE_ASK, .confirm = answer, .arg = &a};

	if (lacks("tf"))
		return;
	put("w" DATA, "old");
	put("w", "no part of it");
	assert_ok(save(f, "w", &options), &f->err);
	assert_int_equal(a.asked, 0);
	assert_int_equal(save(f, "w", &options), WH_EEXISTS);
	assert_string_equal(a.path, "w.index");
	assert_text("w", "no part of it");
}

/* ---- Files of a prefix */

static void a_prefix_has_data_index_and_state(void **state)
{
	struct folder *f = *state;

	if (lacks("tf"))
		return;
	assert_ok(save(f, "new/w", NULL), &f->err);
	assert_holds("new", "checkpoint w" DATA " w.index");
	assert_text("new/checkpoint", STATE("w"));
	assert_ok(save(f, "new/v", NULL), &f->err);
	assert_text("new/checkpoint", STATE("v"));
}

/* As TensorFlow saves what has no variables: a header, and a graph. */
static void a_model_without_weights_is_a_checkpoint_too(void **state)
{
	struct folder *f = *state;
	struct wh_builder *builder;

	if (lacks("tf"))
		return;
	wh_source_close(f->source);
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &f->source, &f->err), &f->err);
	assert_ok(save(f, "w", NULL), &f->err);
	assert_holds(".", "checkpoint w" DATA " w.index");
}

static void names_in_the_state_file_are_escaped(void **state)
{
	struct folder *f = *state;

	if (lacks("tf"))
		return;
	assert_ok(save(f, "u\"\xc3\xa9\\x", NULL), &f->err);
	assert_text("checkpoint", STATE("u\\\"\xc3\xa9\\\\x"));
}

/* TensorFlow's words, and like there after index and data are written. */
static void the_state_files_own_name_is_no_prefix(void **state)
{
	struct folder *f = *state;

	if (lacks("tf"))
		return;
	assert_int_equal(save(f, "checkpoint", NULL), WH_EINVAL);
	assert_string_equal(
		f->err.message,
		"Save path 'checkpoint' conflicts with path used for "
		"checkpoint state.  Please use a different save path.");
	assert_holds(".", "checkpoint" DATA " checkpoint.index");
	assert_ok(save(f, "d/checkpoint", NULL), &f->err);
	assert_text("d/checkpoint", STATE("checkpoint"));
}

static void shards_that_the_new_index_lacks_are_removed(void **state)
{
	struct folder *f = *state;
	const struct wh_checkpoint_options small = {
		.experimental_sharding_max_shard_size = 8};
	const struct wh_save_options options = {.options = &small};

	if (lacks("tf"))
		return;
	put("w.data-00000-of-00099", "old");
	put("wx.data-00000-of-00099", "another's");
	put("w.data-of", "no shard");
	assert_ok(save(f, "w", &options), &f->err);
	assert_int_not_equal(access("w.data-00000-of-00099", F_OK), 0);
	assert_int_not_equal(access("w" DATA, F_OK), 0);
	assert_int_equal(access("w.data-00000-of-00002", F_OK) &
				 access("w.data-00000-of-00003", F_OK) &
				 access("w.data-00000-of-00004", F_OK),
			 0);
	assert_ok(save(f, "w", NULL), &f->err);
	assert_holds(".", "checkpoint w" DATA " w.data-of w.index "
			  "wx.data-00000-of-00099");
}

static void an_h5_file_needs_its_folder(void **state)
{
	struct folder *f = *state;

	if (lacks("h5"))
		return;
	assert_fails(save(f, "new/w.h5", NULL), &f->err, WH_ENOTFOUND,
		     "No such file or directory");
	assert_holds(".", "");
}

static void a_name_of_keras_3_is_never_a_legacy_file(void **state)
{
	struct folder *f = *state;
	char head[4096], *legacy;
	size_t size;

	if (lacks("keras3")) {
		assert_int_equal(save(f, "w.weights.h5", NULL),
				 WH_EUNSUPPORTED);
		assert_holds(".", "");
		return;
	}
	assert_ok(save(f, "w.weights.h5", NULL), &f->err);
	size = get("w.weights.h5", head);
	legacy = memmem(head, size, "layer_names", strlen("layer_names"));
	assert_null(legacy);
}

/* ---- CheckpointOptions, field by field */

static int n_calls;
static bool state_was_there;

static void first(const char *path, void *arg)
{
	assert_string_equal(path, "w");
	assert_int_equal(access("w.index", F_OK), 0);
	state_was_there = access("checkpoint", F_OK) == 0;
	assert_int_equal(n_calls++, 0);
	assert_string_equal(arg, "mine");
}

static void second(const char *path, void *arg)
{
	(void)path, (void)arg;
	assert_int_equal(n_calls++, 1);
}

static void callbacks_come_in_order_before_the_state_file(void **state)
{
	static void (*const callbacks[])(const char *, void *) = {first,
								  second};
	struct folder *f = *state;
	const struct wh_checkpoint_options checkpoint = {
		.experimental_write_callbacks = callbacks,
		.n_write_callbacks = 2,
		.write_callbacks_arg = (char[]){"mine"}};
	const struct wh_save_options options = {.options = &checkpoint};

	if (lacks("tf"))
		return;
	n_calls = 0;
	assert_ok(save(f, "w", &options), &f->err);
	assert_int_equal(n_calls, 2);
	assert_false(state_was_there);
	assert_int_equal(access("checkpoint", F_OK), 0);
	if (lacks("h5"))
		return;
	n_calls = 0;
	assert_ok(save(f, "w.h5", &options), &f->err);
	assert_int_equal(n_calls, 0); /* h5 ignores options, as Keras does */
}

/* What saving with `checkpoint` gives, as one run of bytes. */
static size_t save_with(struct folder *f,
			const struct wh_checkpoint_options *checkpoint,
			char out[2 * 4096])
{
	const struct wh_save_options options = {.options = checkpoint};
	size_t n;

	assert_ok(save(f, "w", &options), &f->err);
	n = get("w.index", out);
	return n + get("w" DATA, out + n);
}

static void devices_and_slots_change_nothing(void **state)
{
	static const struct wh_checkpoint_options harmless[] = {
		{.experimental_io_device = "/job:localhost"},
		{.experimental_skip_slot_variables = true},
		{.experimental_sharding_max_shard_size = (uint64_t)1 << 40},
	};
	char plain[2 * 4096], got[2 * 4096];
	struct folder *f = *state;
	size_t i, n;

	if (lacks("tf"))
		return;
	n = save_with(f, NULL, plain);
	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		assert_int_equal(save_with(f, &harmless[i], got), n);
		assert_memory_equal(got, plain, n);
	}
}

/* An asynchronous save's layout; the alias gives the same. */
static void async_adds_a_save_counter(void **state)
{
	static const struct wh_checkpoint_options async[] = {
		{.enable_async = true},
		{.experimental_enable_async_checkpoint = true},
	};
	char one[2 * 4096], other[2 * 4096];
	struct folder *f = *state;
	size_t n;

	if (lacks("tf"))
		return;
	n = save_with(f, &async[0], one);
	assert_non_null(memmem(one, n, "save_counter", 12));
	assert_int_equal(save_with(f, &async[1], other), n);
	assert_memory_equal(one, other, n);
	n = save_with(f, NULL, other);
	assert_null(memmem(other, n, "save_counter", 12));
}

/* ---- The same bytes, always */

static void locales_time_zones_and_threads_change_nothing(void **state)
{
	static const char *const zones[] = {"UTC", "Asia/Tokyo", "CET"};
	struct folder *f = *state;
	char plain[2 * 4096], got[2 * 4096];
	size_t i, n;

	if (lacks("tf"))
		return;
	n = save_with(f, NULL, plain);
	for (i = 0; i < 3; i++) {
		const struct wh_save_options options = {.threads = (unsigned)i +
								   3};

		setenv("TZ", zones[i], 1);
		tzset();
		/* Turkish has another lower case of I. */
		setlocale(LC_ALL, i ? "tr_TR.UTF-8" : "C.UTF-8");
		if (i == 2)
			use_comma_locale();
		assert_ok(save(f, "w", &options), &f->err);
		assert_int_equal(save_with(f, NULL, got), n);
		assert_memory_equal(got, plain, n);
	}
	unsetenv("TZ");
	setlocale(LC_ALL, "C");
}

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg, (void)what, (void)done, (void)total;
	return false;
}

static void a_cancelled_save_leaves_the_checkpoint_before(void **state)
{
	static const struct wh_save_options cancelled = {.progress = cancel};
	struct folder *f = *state;
	char before[2 * 4096], after[2 * 4096];
	size_t n;

	if (lacks("tf"))
		return;
	n = save_with(f, NULL, before);
	put("checkpoint", "as it was");
	wh_source_close(f->source);
	f->source = make_model(7);
	assert_int_equal(save(f, "w", &cancelled), WH_ECANCELLED);
	assert_text("checkpoint", "as it was");
	assert_holds(".", "checkpoint w" DATA " w.index");
	n -= get("w" DATA, after);
	assert_memory_equal(after, before + n, 32);
}

/* ---- Streams */

static enum wh_status stream(struct folder *f,
			     const struct wh_save_options *options)
{
	int fd = open("w", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	enum wh_status status;

	assert_true(fd >= 0);
	status = wh_save_stream(f->source,
				wh_format_by_name(NULL, "safetensors"), fd,
				options, &f->err);
	close(fd);
	return status;
}

static bool note_progress(void *arg, const char *what, uint64_t done,
			  uint64_t total)
{
	assert_string_equal(what, "writing");
	assert_int_equal(done, total);
	++*(int *)arg;
	return true;
}

static void a_stream_tells_how_far_it_is_and_can_be_cancelled(void **state)
{
	static const struct wh_save_options cancelled = {.progress = cancel};
	int n_told = 0;
	const struct wh_save_options told = {.progress = note_progress,
					     .arg = &n_told};

	assert_ok(stream(*state, &told), &((struct folder *)*state)->err);
	assert_int_equal(n_told, 1);
	assert_int_equal(stream(*state, &cancelled), WH_ECANCELLED);
}

static enum wh_status say_changed(struct wh_source *source,
				  struct wh_error *err)
{
	(void)source;
	return wh_fail(err, WH_EMISMATCH, "the file was written to");
}

static void a_stream_of_what_changed_meanwhile_fails(void **state)
{
	struct folder *f = *state;
	static struct wh_source_ops ops;

	ops = *f->source->ops;
	ops.unchanged = say_changed;
	f->source->ops = &ops;
	assert_fails(stream(f, NULL), &f->err, WH_EMISMATCH, "was written to");
}

/* ---- In the background */

static atomic_bool is_overwritten;
static char planned_object[16];

static enum wh_status plan_late(struct wh_source *source,
				const struct wh_plan_options *options,
				struct wh_plan **plan, struct wh_error *err)
{
	while (!atomic_load(&is_overwritten))
		usleep(1000);
	snprintf(planned_object, sizeof(planned_object), "%s",
		 options->object ? options->object : "");
	return wh_format_by_name(NULL, "safetensors")
		->plan(source, options, plan, err);
}

static void called(const char *path, void *arg)
{
	(void)path;
	++*(int *)arg;
}

static void not_called(const char *path, void *arg)
{
	(void)path;
	*(int *)arg += 10;
}

static void the_options_of_a_save_in_the_background_are_copied(void **state)
{
	static const char *const suffixes[] = {".late", NULL};
	static const struct wh_format late = {
		.name = "late",
		.summary = "plans late",
		.suffixes = suffixes,
		.plan = plan_late,
		.takes_checkpoint_options = true,
	};
	struct folder *f = *state;
	struct wh_pending_save *pending;
	struct wh_library *library;
	char object[] = "net", path[] = "w.late";
	int n_called = 0;
	void (*callbacks[])(const char *, void *) = {called};
	struct wh_checkpoint_options checkpoint = {
		.experimental_write_callbacks = callbacks,
		.n_write_callbacks = 1,
		.write_callbacks_arg = &n_called};
	struct wh_save_options options = {.options = &checkpoint,
					  .plan.object = object};

	assert_ok(wh_library_new(&library, &f->err), &f->err);
	assert_ok(wh_library_add(library, &late, &f->err), &f->err);
	options.library = library;
	assert_ok(wh_save_weights_async(f->source, path, &options, &pending,
					&f->err),
		  &f->err);
	memset(object, 'x', sizeof(object) - 1);
	memset(path, 'x', sizeof(path) - 1);
	callbacks[0] = not_called;
	memset(&checkpoint, 0, sizeof(checkpoint));
	atomic_store(&is_overwritten, true);
	assert_ok(wh_save_wait(pending, NULL, &f->err), &f->err);
	assert_string_equal(planned_object, "net");
	assert_int_equal(n_called, 1);
	assert_holds(".", "w.late");
	wh_library_free(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(an_existing_file_is_replaced_silently),
		in_folder(asking_is_only_for_what_exists),
		in_folder(values_that_no_enum_has_are_refused),
		in_folder(of_a_prefix_the_index_is_asked_for),
		in_folder(a_prefix_has_data_index_and_state),
		in_folder(a_model_without_weights_is_a_checkpoint_too),
		in_folder(names_in_the_state_file_are_escaped),
		in_folder(the_state_files_own_name_is_no_prefix),
		in_folder(shards_that_the_new_index_lacks_are_removed),
		in_folder(an_h5_file_needs_its_folder),
		in_folder(a_name_of_keras_3_is_never_a_legacy_file),
		in_folder(callbacks_come_in_order_before_the_state_file),
		in_folder(devices_and_slots_change_nothing),
		in_folder(async_adds_a_save_counter),
		in_folder(locales_time_zones_and_threads_change_nothing),
		in_folder(a_cancelled_save_leaves_the_checkpoint_before),
		in_folder(a_stream_tells_how_far_it_is_and_can_be_cancelled),
		in_folder(a_stream_of_what_changed_meanwhile_fails),
		in_folder(the_options_of_a_save_in_the_background_are_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
