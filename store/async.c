/* A thread a commit, over a copy of the source's payloads. The copy is a source
 * itself: it shares the manifest of the one that was given, which lives until
 * the thread has ended. */
#include <weighhouse/async.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/checked.h"
#include "base/error.h"

#define ALIGNMENT ((uint64_t)64) /* of payloads in the copy */

struct copied_source {
	struct wh_source base; /* first: they are cast into each other */
	uint64_t *offsets;     /* of each tensor's payload in `bytes` */
	uint8_t *bytes;
	uint64_t capacity;
};

struct wh_async {
	struct wh_store *store;
	struct copied_source copy;
	struct wh_source *source; /* given; NULL: no commit to wait for */
	struct arena arena;	  /* of the options */
	struct wh_commit_options options;
	struct wh_commit_result result;
	struct wh_error failure; /* of the commit */
	pthread_t thread;
	atomic_bool busy;
};

/* ---- The copy -------------------------------------------------------------
 */

static enum wh_status read_copy(struct wh_source *base, uint32_t index,
				uint64_t offset, void *buf, size_t len,
				struct wh_error *err)
{
	const struct copied_source *copy = (const struct copied_source *)base;

	(void)err;
	if (len)
		memcpy(buf, copy->bytes + copy->offsets[index] + offset, len);
	return WH_OK;
}

/* Nobody else knows the copy. */
static enum wh_status copy_unchanged(struct wh_source *base,
				     struct wh_error *err)
{
	(void)base;
	(void)err;
	return WH_OK;
}

static void keep_copy(struct wh_source *base)
{
	(void)base;
}

static const struct wh_source_ops copy_ops = {
	.read = read_copy,
	.unchanged = copy_unchanged,
	.close = keep_copy,
	.concurrent = true,
	.scattered = true,
};

static enum wh_status place_payloads(struct copied_source *copy,
				     const struct wh_manifest *manifest,
				     uint64_t *total, struct wh_error *err)
{
	uint32_t i, n = manifest->n_tensors + manifest->n_hidden;

	free(copy->offsets);
	copy->offsets = calloc((size_t)n + 1, sizeof(*copy->offsets));
	if (!copy->offsets)
		return wh_fail_memory(err);
	*total = 0;
	for (i = 0; i < n; i++) {
		copy->offsets[i] = *total;
		if (!checked_add(*total, manifest->tensors[i].nbytes, total) ||
		    !checked_add(*total, ALIGNMENT - 1, total))
			return wh_fail_memory(err);
		*total -= *total % ALIGNMENT;
	}
	return WH_OK;
}

/* What was there isn't needed: it is not copied to where there is room. */
static enum wh_status make_room(struct copied_source *copy, uint64_t total,
				struct wh_error *err)
{
	if (total <= copy->capacity && copy->bytes)
		return WH_OK;
	free(copy->bytes);
	copy->capacity = 0;
	copy->bytes = total < SIZE_MAX ? malloc((size_t)total + 1) : NULL;
	if (!copy->bytes)
		return wh_fail_memory(err);
	copy->capacity = total;
	return WH_OK;
}

static enum wh_status copy_source(struct copied_source *copy,
				  struct wh_source *source,
				  struct wh_error *err)
{
	const struct wh_manifest *manifest = &source->manifest;
	uint32_t i, n = manifest->n_tensors + manifest->n_hidden;
	uint64_t total = 0;

	WH_TRY(place_payloads(copy, manifest, &total, err));
	WH_TRY(make_room(copy, total, err));
	for (i = 0; i < n; i++)
		WH_TRY(wh_source_read(
			source, i, 0, copy->bytes + copy->offsets[i],
			(size_t)manifest->tensors[i].nbytes, err));
	copy->base.ops = &copy_ops;
	copy->base.manifest = *manifest;
	return WH_OK;
}

/* ---- Options --------------------------------------------------------------
 */

static bool copy_text(struct arena *arena, const char **text)
{
	if (*text)
		*text = arena_strdup(arena, *text);
	return *text != NULL;
}

static bool copy_metrics(struct arena *arena, struct wh_commit_options *options)
{
	struct wh_metric *metrics =
		arena_alloc(arena, options->n_metrics + 1, sizeof(*metrics));
	size_t i;

	for (i = 0; metrics && i < options->n_metrics; i++) {
		metrics[i] = options->metrics[i];
		if (!copy_text(arena, &metrics[i].key))
			return false;
	}
	options->metrics = metrics;
	return metrics != NULL;
}

static bool copy_params(struct arena *arena, struct wh_commit_options *options)
{
	struct wh_param *params =
		arena_alloc(arena, options->n_params + 1, sizeof(*params));
	size_t i;

	for (i = 0; params && i < options->n_params; i++) {
		params[i] = options->params[i];
		if (!copy_text(arena, &params[i].key) ||
		    !copy_text(arena, &params[i].value))
			return false;
	}
	options->params = params;
	return params != NULL;
}

static enum wh_status copy_options(struct wh_async *async,
				   const struct wh_commit_options *given,
				   struct wh_error *err)
{
	struct wh_commit_options *options = &async->options;
	const char **texts[] = {&options->branch, &options->parent,
				&options->expect, &options->message,
				&options->run,	  &options->tag,
				&options->codec};
	size_t i;

	arena_free(&async->arena);
	memset(&async->arena, 0, sizeof(async->arena));
	memset(options, 0, sizeof(*options));
	if (!given)
		return WH_OK;
	*options = *given;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*texts[i] && !copy_text(&async->arena, texts[i]))
			return wh_fail_memory(err);
	if (!copy_metrics(&async->arena, options) ||
	    !copy_params(&async->arena, options))
		return wh_fail_memory(err);
	return WH_OK;
}

/* ---- The commit -----------------------------------------------------------
 */

static void *run_commit(void *arg)
{
	struct wh_async *async = arg;

	if (!wh_commit(async->store, &async->copy.base, &async->options,
		       &async->result, &async->failure))
		async->failure.status = WH_OK;
	atomic_store(&async->busy, false);
	return NULL;
}

/* Ends the commit under way, if there is one. */
static enum wh_status settle(struct wh_async *async, struct wh_error *err)
{
	if (!async->source)
		return WH_OK;
	pthread_join(async->thread, NULL);
	wh_source_close(async->source);
	async->source = NULL;
	if (!async->failure.status)
		return WH_OK;
	if (err)
		*err = async->failure;
	return async->failure.status;
}

static enum wh_status begin(struct wh_async *async, struct wh_source *source,
			    const struct wh_commit_options *options,
			    struct wh_error *err)
{
	WH_TRY(settle(async, err));
	WH_TRY(copy_options(async, options, err));
	WH_TRY(copy_source(&async->copy, source, err));
	memset(&async->result, 0, sizeof(async->result));
	memset(&async->failure, 0, sizeof(async->failure));
	atomic_store(&async->busy, true);
	if (pthread_create(&async->thread, NULL, run_commit, async) == 0)
		return WH_OK;
	atomic_store(&async->busy, false);
	return wh_fail_memory(err);
}

enum wh_status wh_async_commit(struct wh_async *async, struct wh_source *source,
			       const struct wh_commit_options *options,
			       struct wh_error *err)
{
	enum wh_status status = begin(async, source, options, err);

	if (status)
		wh_source_close(source);
	else
		async->source = source;
	return status;
}

bool wh_async_busy(const struct wh_async *async)
{
	return atomic_load(&async->busy);
}

enum wh_status wh_async_wait(struct wh_async *async,
			     struct wh_commit_result *result,
			     struct wh_error *err)
{
	bool any = async->source != NULL;

	if (result)
		memset(result, 0, sizeof(*result));
	WH_TRY(settle(async, err));
	if (any && result)
		*result = async->result;
	return WH_OK;
}

enum wh_status wh_async_open(const char *path, struct wh_async **out,
			     struct wh_error *err)
{
	struct wh_async *async = calloc(1, sizeof(*async));
	enum wh_status status;

	if (!async)
		return wh_fail_memory(err);
	atomic_init(&async->busy, false);
	status = wh_store_open(path, WH_OPEN_WRITE, &async->store, err);
	if (status) {
		free(async);
		return status;
	}
	*out = async;
	return WH_OK;
}

void wh_async_close(struct wh_async *async)
{
	if (!async)
		return;
	settle(async, NULL);
	wh_store_close(async->store);
	arena_free(&async->arena);
	free(async->copy.offsets);
	free(async->copy.bytes);
	free(async);
}
