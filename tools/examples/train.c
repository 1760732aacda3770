/* train.c: a trainer whose arrays are committed without a file in between.
 *
 *	cc train.c -o train $(pkg-config --cflags --libs weighhouse) -lm
 *	./train weights.wh [EPOCHS [RUN]]
 *	wh -s weights.wh save-weights best:loss:min best.h5
 *
 * It fits two dense layers to a circle by gradient descent and commits each
 * epoch with its loss. What is borrowed is borrowed: the arrays stay where
 * they are, and nothing is copied but what has changed, into the store. If it
 * is killed and started again, what it computes and commits again is there
 * already.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <weighhouse/store.h>

#define N_HIDDEN 8
#define N_POINTS 256
#define N_EPOCHS 5
#define RATE	 0.1f

struct model {
	float kernel1[2][N_HIDDEN], bias1[N_HIDDEN];
	float kernel2[N_HIDDEN][1], bias2[1];
	int64_t iteration;
};

/* Keras's layout: a kernel is (inputs, outputs), rows first. */
static enum wh_status describe(struct model *model, struct wh_source **source,
			       struct wh_error *err)
{
	static const uint64_t kernel1[] = {2, N_HIDDEN}, bias1[] = {N_HIDDEN};
	static const uint64_t kernel2[] = {N_HIDDEN, 1}, bias2[] = {1};
	const struct {
		const char *layer; /* begins one, or NULL */
		struct wh_array array;
	} weights[] = {
		{"hidden",
		 {"kernel", WH_FLOAT32, 2, kernel1, .data = model->kernel1}},
		{NULL, {"bias", WH_FLOAT32, 1, bias1, .data = model->bias1}},
		{"out",
		 {"kernel", WH_FLOAT32, 2, kernel2, .data = model->kernel2}},
		{NULL, {"bias", WH_FLOAT32, 1, bias2, .data = model->bias2}},
	};
	const struct wh_array iteration = {"iteration", WH_INT64,
					   .data = &model->iteration};
	struct wh_builder *builder;
	enum wh_status status = wh_builder_new(&builder, err);
	size_t i;

	if (status)
		return status;
	for (i = 0; i < sizeof(weights) / sizeof(weights[0]) && !status; i++) {
		if (weights[i].layer)
			status = wh_builder_layer(builder, weights[i].layer,
						  "Dense", err);
		if (!status)
			status = wh_builder_weight(builder, &weights[i].array,
						   err);
	}
	if (!status)
		status = wh_builder_optimizer(builder, &iteration, err);
	if (!status)
		return wh_builder_finish(builder, source, err);
	wh_builder_free(builder);
	return status;
}

static enum wh_status commit(struct wh_store *store, const char *run,
			     struct model *model, int epoch, float loss,
			     struct wh_error *err)
{
	const struct wh_metric metric = {.key = "loss", .value = (double)loss};
	const struct wh_commit_options options = {
		.message = "an epoch of train.c",
		.run = run,
		.has_epoch = true,
		.epoch = epoch,
		.has_step = true,
		.step = model->iteration,
		.metrics = &metric,
		.n_metrics = 1,
		.once = true,
	};
	struct wh_commit_result result;
	struct wh_source *source;
	enum wh_status status = describe(model, &source, err);

	if (status)
		return status;
	status = wh_commit(store, source, &options, &result, err);
	wh_source_close(source);
	if (!status)
		printf("epoch %d  loss %.4f  %.12s\n", epoch, (double)loss,
		       result.snapshot);
	return status;
}

/* A point of the square, and whether it lies in the circle. */
static void make_point(float x[2], float *wanted)
{
	x[0] = 2 * (float)rand() / (float)RAND_MAX - 1;
	x[1] = 2 * (float)rand() / (float)RAND_MAX - 1;
	*wanted = x[0] * x[0] + x[1] * x[1] < 0.6f ? 1 : 0;
}

/* One step by the gradient of the squared error; returns that error. */
static float train_point(struct model *m)
{
	float x[2], wanted, hidden[N_HIDDEN], out = m->bias2[0], slope;
	int i;

	make_point(x, &wanted);
	for (i = 0; i < N_HIDDEN; i++) {
		hidden[i] = tanhf(m->bias1[i] + x[0] * m->kernel1[0][i] +
				  x[1] * m->kernel1[1][i]);
		out += hidden[i] * m->kernel2[i][0];
	}
	slope = RATE * (out - wanted);
	for (i = 0; i < N_HIDDEN; i++) {
		float back =
			slope * m->kernel2[i][0] * (1 - hidden[i] * hidden[i]);

		m->kernel2[i][0] -= slope * hidden[i];
		m->kernel1[0][i] -= back * x[0];
		m->kernel1[1][i] -= back * x[1];
		m->bias1[i] -= back;
	}
	m->bias2[0] -= slope;
	m->iteration++;
	return (out - wanted) * (out - wanted);
}

static enum wh_status train(struct wh_store *store, int n_epochs,
			    const char *run, struct wh_error *err)
{
	struct model model = {.iteration = 0};
	enum wh_status status = WH_OK;
	int epoch, i;

	srand(1);
	for (i = 0; i < 2 * N_HIDDEN; i++)
		model.kernel1[i / N_HIDDEN][i % N_HIDDEN] =
			2 * (float)rand() / (float)RAND_MAX - 1;
	for (epoch = 1; epoch <= n_epochs && !status; epoch++) {
		float loss = 0;

		for (i = 0; i < N_POINTS; i++)
			loss += train_point(&model) / N_POINTS;
		status = commit(store, run, &model, epoch, loss, err);
	}
	return status;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "weights.wh";
	int n_epochs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : N_EPOCHS;
	const char *run = argc > 3 ? argv[3] : NULL; /* as the branch */
	struct wh_store *store = NULL;
	struct wh_error err = {0};
	enum wh_status status = wh_store_create(path, &err);

	/* One that is there already gets more snapshots. */
	if (!status || status == WH_EEXISTS)
		status = wh_store_open(path, WH_OPEN_WRITE, &store, &err);
	if (!status)
		status = train(store, n_epochs, run, &err);
	if (status)
		fprintf(stderr, "%s\n", err.message);
	wh_store_close(store);
	return status ? 1 : 0;
}
