/* Saving in the background, as TensorFlow's async_checkpoint_helper.py: values
 * are copied first, one save is in flight, its error waits. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/auto.h"
#include "engine.h"

#define PIECE ((size_t)1 << 20)

/* A source whose payloads are all in memory; the manifest is the other's. */
struct frozen {
	struct wh_source base; /* first: they are cast into each other */
	uint8_t **payloads;    /* hidden tensors' too */
	struct wh_tensor *tensors;
};

struct wh_pending_save {
	pthread_t thread;
	struct wh_source *source;
	struct wh_save_options options;
	struct wh_checkpoint_options checkpoint;
	const char *filepath;
	struct arena arena; /* what the options point to */
	struct wh_saved saved;
	enum wh_status status;
	struct wh_error err;
};

/* One in flight: who comes next waits here. */
static pthread_mutex_t flight_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t landed = PTHREAD_COND_INITIALIZER;
static bool is_in_flight;

static void take_off(void)
{
	pthread_mutex_lock(&flight_lock);
	while (is_in_flight)
		pthread_cond_wait(&landed, &flight_lock);
	is_in_flight = true;
	pthread_mutex_unlock(&flight_lock);
}

static void land(void)
{
	pthread_mutex_lock(&flight_lock);
	is_in_flight = false;
	pthread_cond_signal(&landed);
	pthread_mutex_unlock(&flight_lock);
}

/* ---- The copy
 * --------------------------------------------------------------- */

static size_t count_tensors(const struct wh_manifest *manifest)
{
	return (size_t)manifest->n_tensors + manifest->n_hidden;
}

static void close_frozen(struct wh_source *base)
{
	struct frozen *frozen = (struct frozen *)base;
	size_t i;

	for (i = 0; frozen->payloads && i < count_tensors(&base->manifest); i++)
		free(frozen->payloads[i]);
	free(frozen->payloads);
	free(frozen->tensors);
	free(frozen);
}

static enum wh_status read_frozen(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct frozen *frozen = (struct frozen *)base;

	(void)err;
	memcpy(buf, frozen->payloads[index] + offset, len);
	return WH_OK;
}

static const struct wh_source_ops frozen_ops = {
	.read = read_frozen,
	.close = close_frozen,
	.concurrent = true,
	.scattered = true,
};

static enum wh_status copy_payload(struct wh_source *from, uint32_t index,
				   uint8_t **payload, struct wh_error *err)
{
	uint64_t at, size = from->manifest.tensors[index].nbytes;

	*payload = size < SIZE_MAX ? malloc((size_t)size + 1) : NULL;
	if (!*payload)
		return wh_fail_memory(err);
	for (at = 0; at < size; at += PIECE) {
		uint64_t left = size - at;

		WH_TRY(wh_source_read(from, index, at, *payload + at,
				      (size_t)(left < PIECE ? left : PIECE),
				      err));
	}
	return WH_OK;
}

static enum wh_status fill_frozen(struct frozen *frozen, struct wh_source *from,
				  struct wh_error *err)
{
	size_t n = count_tensors(&from->manifest);
	uint32_t i;

	frozen->base.manifest = from->manifest;
	frozen->payloads = calloc(n + 1, sizeof(*frozen->payloads));
	frozen->tensors = calloc(n + 1, sizeof(*frozen->tensors));
	if (!frozen->payloads || !frozen->tensors)
		return wh_fail_memory(err);
	if (n)
		memcpy(frozen->tensors, from->manifest.tensors,
		       n * sizeof(*frozen->tensors));
	frozen->base.manifest.tensors = frozen->tensors;
	for (i = 0; i < n; i++)
		WH_TRY(copy_payload(from, i, &frozen->payloads[i], err));
	return WH_OK;
}

static enum wh_status freeze(struct wh_source *from, struct wh_source **out,
			     struct wh_error *err)
{
	struct frozen *frozen = calloc(1, sizeof(*frozen));
	enum wh_status status;

	if (!frozen)
		return wh_fail_memory(err);
	frozen->base.ops = &frozen_ops;
	status = fill_frozen(frozen, from, err);
	if (status) {
		close_frozen(&frozen->base);
		return status;
	}
	*out = &frozen->base;
	return WH_OK;
}

/* ---- The save
 * --------------------------------------------------------------- */

static void pending_free(struct wh_pending_save *pending)
{
	if (!pending)
		return;
	wh_source_close(pending->source);
	wh_saved_free(&pending->saved);
	arena_free(&pending->arena);
	free(pending);
}

WH_DEFINE_AUTO(wh_pending_save, pending_free);

static bool copy_text(struct arena *arena, const char **text)
{
	if (*text)
		*text = arena_strdup(arena, *text);
	return !arena->failed;
}

static bool copy_casts(struct arena *arena, struct wh_plan_options *plan)
{
	struct wh_cast *casts =
		arena_alloc(arena, plan->n_casts, sizeof(*casts));

	if (casts && plan->n_casts)
		memcpy(casts, plan->casts, plan->n_casts * sizeof(*casts));
	plan->casts = casts;
	return casts;
}

static bool copy_callbacks(struct arena *arena,
			   struct wh_checkpoint_options *options)
{
	size_t n = options->n_write_callbacks;
	void (**callbacks)(const char *, void *) =
		arena_alloc(arena, n, sizeof(*callbacks));

	if (callbacks && n)
		memcpy(callbacks, options->experimental_write_callbacks,
		       n * sizeof(*callbacks));
	options->experimental_write_callbacks = callbacks;
	return callbacks;
}

static enum wh_status copy_options(struct wh_pending_save *pending,
				   const char *filepath,
				   const struct wh_save_options *given,
				   struct wh_error *err)
{
	struct wh_save_options *options = &pending->options;
	const char **texts[] = {&pending->filepath, &options->save_format,
				&options->plan.object,
				&options->plan.model_config,
				&options->plan.map};
	size_t i;

	if (given)
		*options = *given;
	if (options->options)
		pending->checkpoint = *options->options;
	pending->checkpoint.enable_async = true;
	options->options = &pending->checkpoint;
	pending->filepath = filepath;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!copy_text(&pending->arena, texts[i]))
			return wh_fail_memory(err);
	if (!copy_casts(&pending->arena, &options->plan) ||
	    !copy_callbacks(&pending->arena, &pending->checkpoint))
		return wh_fail_memory(err);
	return WH_OK;
}

static void *save(void *arg)
{
	struct wh_pending_save *pending = arg;

	pending->status = wh_save_source(pending->source, pending->filepath,
					 &pending->options, &pending->saved,
					 &pending->err);
	land();
	return NULL;
}

static enum wh_status start(struct wh_pending_save *pending,
			    struct wh_source *source, struct wh_error *err)
{
	int failed;

	take_off();
	pending->status = freeze(source, &pending->source, err);
	if (pending->status) {
		land();
		return pending->status;
	}
	failed = pthread_create(&pending->thread, NULL, save, pending);
	if (failed) {
		land();
		return wh_fail_errno(err, failed, "a thread to save in");
	}
	return WH_OK;
}

enum wh_status wh_save_weights_async(struct wh_source *source,
				     const char *filepath,
				     const struct wh_save_options *options,
				     struct wh_pending_save **out,
				     struct wh_error *err)
{
	wh_auto(wh_pending_save) pending = calloc(1, sizeof(*pending));
	const struct wh_format *format;

	if (!pending)
		return wh_fail_memory(err);
	WH_TRY(wh_choose_format(filepath, options ? options->save_format : NULL,
				options ? options->library : NULL, &format,
				err));
	WH_TRY(copy_options(pending, filepath, options, err));
	WH_TRY(start(pending, source, err));
	*out = wh_steal(&pending);
	return WH_OK;
}

enum wh_status wh_save_wait(struct wh_pending_save *pending,
			    struct wh_saved *saved, struct wh_error *err)
{
	enum wh_status status;

	if (!pending)
		return WH_OK;
	pthread_join(pending->thread, NULL);
	status = pending->status;
	if (status && err)
		*err = pending->err;
	if (!status && saved) {
		*saved = pending->saved;
		pending->saved = (struct wh_saved){0};
	}
	pending_free(pending);
	return status;
}
