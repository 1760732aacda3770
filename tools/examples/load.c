/* load MODEL: what a C program that trains does first.
 *
 * The model of this program is Dense(4) -> Dense(3) over five inputs. MODEL is
 * what Keras saved: an HDF5 file, a TensorFlow checkpoint, or anything else
 * that weighhouse reads. Its weights go into the program's own arrays if
 * layers and shapes agree; then one prediction is printed.
 *
 *	cc load.c $(pkg-config --cflags --libs weighhouse) -o load
 */
#include <stdio.h>

#include <weighhouse/weights.h>

enum { INPUTS = 5, HIDDEN = 4, OUTPUTS = 3 };

static float kernel1[INPUTS][HIDDEN], bias1[HIDDEN];
static float kernel2[HIDDEN][OUTPUTS], bias2[OUTPUTS];

static enum wh_status add_dense(struct wh_target *model, const char *name,
				uint64_t inputs, uint64_t units, float *kernel,
				float *bias, struct wh_error *err)
{
	const uint64_t kernel_shape[] = {inputs, units};
	const struct wh_destination weights[] = {
		{.name = "kernel",
		 .dtype = WH_FLOAT32,
		 .rank = 2,
		 .shape = kernel_shape,
		 .data = kernel},
		{.name = "bias",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = &units,
		 .data = bias},
	};
	enum wh_status status = wh_target_layer(model, name, "Dense", err);
	int i;

	for (i = 0; i < 2 && !status; i++)
		status = wh_target_weight(model, &weights[i], err);
	return status;
}

static void warn(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "load: %s\n", sentence);
}

static enum wh_status load(const char *path, struct wh_error *err)
{
	struct wh_load_weights_options options = {
		.assertion = WH_ASSERT_CONSUMED, .warn = warn};
	struct wh_target *model;
	struct wh_loaded loaded;
	enum wh_status status = wh_target_new(&model, err);

	if (status)
		return status;
	status =
		add_dense(model, "fc1", INPUTS, HIDDEN, kernel1[0], bias1, err);
	if (!status)
		status = add_dense(model, "fc2", HIDDEN, OUTPUTS, kernel2[0],
				   bias2, err);
	if (!status)
		status =
			wh_load_checkpoint(path, model, &options, &loaded, err);
	wh_target_free(model);
	if (!status)
		printf("%u weights loaded\n", loaded.n_loaded);
	return status;
}

/* Of an input of ones. */
static void predict(float out[OUTPUTS])
{
	int i, j, k;

	for (k = 0; k < OUTPUTS; k++)
		out[k] = bias2[k];
	for (j = 0; j < HIDDEN; j++) {
		float hidden = bias1[j];

		for (i = 0; i < INPUTS; i++)
			hidden += kernel1[i][j];
		for (k = 0; k < OUTPUTS; k++)
			out[k] += hidden * kernel2[j][k];
	}
}

int main(int argc, char **argv)
{
	float out[OUTPUTS];
	struct wh_error err;
	int k;

	if (argc != 2) {
		fprintf(stderr, "usage: load MODEL\n");
		return 2;
	}
	if (load(argv[1], &err)) {
		fprintf(stderr, "load: %s\n", err.message);
		return 1;
	}
	predict(out);
	for (k = 0; k < OUTPUTS; k++)
		printf("%.9g%c", (double)out[k], k + 1 < OUTPUTS ? ' ' : '\n');
	return 0;
}
