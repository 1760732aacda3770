/* loop.c: a training loop that keeps its weights, and what that costs it.
 *
 *	loop STORE MODE MEGABYTES TENSORS STEPS EVERY CODEC [FIRST]
 *
 * A step moves every weight a little, as an optimizer does, in one thread. Each
 * EVERY steps the weights are kept as MODE says:
 *
 *	none	not at all
 *	copy	by a memcpy to memory that is there
 *	commit	by wh_commit
 *	async	by wh_async_commit
 *
 * Prints an object of JSON: seconds of a step, and of each time of keeping how
 * long the loop stood still: seconds, CPU seconds of its thread, and of the
 * process; then CPU seconds of the whole process, and its peak memory. FIRST, 0
 *without it, says where the numbers of steps begin: what goes on in a store
 *that is there isn't its beginning again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <weighhouse/async.h>

#define RATE 1e-4f

struct loop {
	const char *mode, *codec;
	float *weights, *copy;
	size_t n_floats, n_tensors;
	long n_steps, every, first;
	struct wh_store *store;
	struct wh_async *async;
	struct wh_error err;
};

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Of [0, 1), from a number that is another for each element and step. */
static float noise(uint32_t seed)
{
	seed = (seed ^ (seed >> 16)) * 0x7feb352du;
	seed = (seed ^ (seed >> 15)) * 0x846ca68bu;
	seed ^= seed >> 16;
	return (float)(seed >> 8) / 16777216.0f;
}

/* Sums of four look enough like a normal distribution. */
static void begin(struct loop *loop)
{
	uint32_t i, k;

	for (i = 0; i < loop->n_floats; i++)
		for (k = 0; k < 4; k++)
			loop->weights[i] += (noise(4 * i + k) - 0.5f) * 0.1f;
}

static void train(struct loop *loop, long step)
{
	uint32_t at = (uint32_t)step * 2654435761u, i;

	for (i = 0; i < loop->n_floats; i++)
		loop->weights[i] += RATE * (noise(at + i) - 0.5f);
}

static enum wh_status describe(struct loop *loop, struct wh_source **source)
{
	const uint64_t shape[] = {loop->n_floats / loop->n_tensors};
	struct wh_builder *builder;
	enum wh_status status = wh_builder_new(&builder, &loop->err);
	char name[32];
	size_t i;

	if (status)
		return status;
	for (i = 0; i < loop->n_tensors && !status; i++) {
		const struct wh_array array = {
			.name = "kernel",
			.dtype = WH_FLOAT32,
			.rank = 1,
			.shape = shape,
			.data = loop->weights + i * shape[0],
		};

		snprintf(name, sizeof(name), "layer_%06zu", i);
		status = wh_builder_layer(builder, name, NULL, &loop->err);
		if (!status)
			status = wh_builder_weight(builder, &array, &loop->err);
	}
	if (!status)
		return wh_builder_finish(builder, source, &loop->err);
	wh_builder_free(builder);
	return status;
}

static enum wh_status commit(struct loop *loop, long step)
{
	const struct wh_commit_options options = {
		.codec = loop->codec, .has_step = true, .step = step};
	struct wh_source *source;
	enum wh_status status = describe(loop, &source);

	if (status)
		return status;
	if (loop->async)
		return wh_async_commit(loop->async, source, &options,
				       &loop->err);
	status = wh_commit(loop->store, source, &options, NULL, &loop->err);
	wh_source_close(source);
	return status;
}

static enum wh_status keep(struct loop *loop, long step)
{
	if (loop->copy)
		memcpy(loop->copy, loop->weights,
		       loop->n_floats * sizeof(*loop->copy));
	else if (loop->store || loop->async)
		return commit(loop, step);
	return WH_OK;
}

/* Prints the stalls as it goes. */
static enum wh_status run(struct loop *loop)
{
	double trained = 0, start, cpu, all;
	enum wh_status status;
	const char *comma = "";
	long step;

	printf("{\"stalls\": [");
	for (step = 1; step <= loop->n_steps; step++) {
		start = now(CLOCK_MONOTONIC);
		train(loop, loop->first + step);
		trained += now(CLOCK_MONOTONIC) - start;
		if (step % loop->every)
			continue;
		start = now(CLOCK_MONOTONIC);
		cpu = now(CLOCK_THREAD_CPUTIME_ID);
		all = now(CLOCK_PROCESS_CPUTIME_ID);
		status = keep(loop, loop->first + step);
		if (status)
			return status;
		printf("%s[%.6f, %.6f, %.6f]", comma,
		       now(CLOCK_MONOTONIC) - start,
		       now(CLOCK_THREAD_CPUTIME_ID) - cpu,
		       now(CLOCK_PROCESS_CPUTIME_ID) - all);
		comma = ", ";
	}
	printf("], \"step_seconds\": %.6f", trained / (double)loop->n_steps);
	return WH_OK;
}

static enum wh_status open_all(struct loop *loop, const char *path)
{
	enum wh_status status = wh_store_create(path, &loop->err);

	if (status && status != WH_EEXISTS)
		return status;
	if (strcmp(loop->mode, "commit") == 0)
		return wh_store_open(path, WH_OPEN_WRITE, &loop->store,
				     &loop->err);
	if (strcmp(loop->mode, "async") == 0)
		return wh_async_open(path, &loop->async, &loop->err);
	return WH_OK;
}

static bool prepare(struct loop *loop, char **words)
{
	loop->mode = words[0];
	loop->n_tensors = strtoul(words[2], NULL, 10);
	loop->n_floats = (size_t)(strtod(words[1], NULL) * 1e6 / 4);
	loop->n_steps = strtol(words[3], NULL, 10);
	loop->every = strtol(words[4], NULL, 10);
	loop->codec = words[5];
	if (!loop->n_tensors || loop->every < 1 ||
	    loop->n_floats / loop->n_tensors == 0)
		return false;
	loop->n_floats -= loop->n_floats % loop->n_tensors;
	loop->weights = calloc(loop->n_floats, sizeof(*loop->weights));
	if (strcmp(loop->mode, "copy") == 0) {
		loop->copy = malloc(loop->n_floats * sizeof(*loop->copy));
		if (loop->copy)
			memset(loop->copy, 1,
			       loop->n_floats * sizeof(*loop->copy));
	}
	return loop->weights != NULL;
}

int main(int argc, char **argv)
{
	struct loop loop = {.first = 0};
	enum wh_status status;
	struct rusage used;
	double start, cpu;

	if (argc < 8 || !prepare(&loop, argv + 2)) {
		fprintf(stderr, "usage: loop STORE MODE MEGABYTES TENSORS "
				"STEPS EVERY CODEC [FIRST]\n");
		return 2;
	}
	loop.first = argc > 8 ? strtol(argv[8], NULL, 10) : 0;
	begin(&loop);
	status = open_all(&loop, argv[1]);
	start = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	if (!status)
		status = run(&loop);
	if (!status && loop.async)
		status = wh_async_wait(loop.async, NULL, &loop.err);
	if (status)
		fprintf(stderr, "%s\n", loop.err.message);
	getrusage(RUSAGE_SELF, &used);
	printf(", \"seconds\": %.6f, \"cpu_s\": %.6f, \"peak_mb\": %.1f}\n",
	       now(CLOCK_MONOTONIC) - start,
	       now(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	       (double)used.ru_maxrss / 1024);
	wh_async_close(loop.async);
	wh_store_close(loop.store);
	free(loop.weights);
	free(loop.copy);
	return status ? 1 : 0;
}
