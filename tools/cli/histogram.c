#include "histogram.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/number.h"

#define PIECE	  ((size_t)1 << 20) /* bytes */
#define BATCH	  512
#define BAR_WIDTH 50

typedef void values_fn(struct histogram *h, const double *x, size_t n);

static enum wh_status each_value(struct wh_source *source, uint32_t index,
				 values_fn *fn, struct histogram *h,
				 struct wh_error *err)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	size_t size = wh_dtype_size(tensor->dtype);
	uint8_t *bytes = malloc(PIECE);
	enum wh_status status = WH_OK;
	double batch[BATCH];
	uint64_t offset;
	size_t at, some;

	if (!bytes)
		return wh_error_set(err, WH_ENOMEM, "out of memory");
	for (offset = 0; offset < tensor->nbytes && !status; offset += some) {
		uint64_t left = tensor->nbytes - offset;

		some = left < PIECE ? (size_t)left : PIECE;
		status =
			wh_source_read(source, index, offset, bytes, some, err);
		for (at = 0; !status && at < some / size; at += BATCH) {
			size_t n = some / size - at;

			n = n < BATCH ? n : BATCH;
			number_to_double(tensor->dtype, bytes + at * size, n,
					 batch);
			fn(h, batch, n);
		}
	}
	free(bytes);
	return status;
}

static void widen(struct histogram *h, const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (isfinite(x[i])) {
			h->low = fmin(h->low, x[i]);
			h->high = fmax(h->high, x[i]);
		}
}

double histogram_edge(const struct histogram *h, int edge)
{
	if (edge == h->n_bins)
		return h->high;
	return h->low + edge * ((h->high - h->low) / h->n_bins);
}

/* The quotient may round to the bin beside the right one. */
static int bin_of(const struct histogram *h, double x)
{
	int bin = (int)((x - h->low) / (h->high - h->low) * h->n_bins);

	bin = bin >= h->n_bins ? h->n_bins - 1 : bin;
	if (bin > 0 && x < histogram_edge(h, bin))
		bin--;
	else if (bin < h->n_bins - 1 && x >= histogram_edge(h, bin + 1))
		bin++;
	return bin;
}

static void count(struct histogram *h, const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		h->n_nan += isnan(x[i]) ? 1 : 0;
		h->n_inf += isinf(x[i]) ? 1 : 0;
		if (isfinite(x[i]))
			h->counts[bin_of(h, x[i])]++;
	}
}

enum wh_status histogram_fill(struct wh_source *source, uint32_t index,
			      struct histogram *h, struct wh_error *err)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	const struct wh_statistics *s = &tensor->statistics;
	enum wh_status status = WH_OK;

	h->low = (double)INFINITY;
	h->high = -(double)INFINITY;
	if (tensor->has_statistics && isfinite(s->min) && isfinite(s->max)) {
		h->low = s->min;
		h->high = s->max;
	} else {
		status = each_value(source, index, widen, h, err);
	}
	if (status)
		return status;
	if (h->low > h->high) { /* no value is finite */
		h->low = 0;
		h->high = 1;
	} else if (!(h->high > h->low)) {
		h->low -= 0.5;
		h->high += 0.5;
	}
	return each_value(source, index, count, h, err);
}

/* ---- What is told ----------------------------------------------------------
 */

static void print_json(const char *name, const struct histogram *h)
{
	json_t *edges = json_array(), *counts = json_array();
	int i;

	for (i = 0; i <= h->n_bins; i++)
		json_array_append_new(edges, number_json(histogram_edge(h, i)));
	for (i = 0; i < h->n_bins; i++)
		json_array_append_new(counts,
				      json_integer((json_int_t)h->counts[i]));
	cli_print_json(json_pack("{s:o,s:o,s:o,s:I,s:I}", "name",
				 json_text(name), "edges", edges, "counts",
				 counts, "nan", (json_int_t)h->n_nan, "inf",
				 (json_int_t)h->n_inf));
}

static void print_bars(const struct cli *cli, const char *name,
		       const struct histogram *h)
{
	uint64_t most = 1;
	int i, k;

	printf("%s%s%s\n", cli_bold(cli), cli_escape(name), cli_plain(cli));
	for (i = 0; i < h->n_bins; i++)
		most = h->counts[i] > most ? h->counts[i] : most;
	for (i = 0; i < h->n_bins; i++) {
		double share = (double)h->counts[i] / (double)most;
		int width = (int)ceil(share * BAR_WIDTH);

		printf("%12.5g .. %-12.5g |", histogram_edge(h, i),
		       histogram_edge(h, i + 1));
		for (k = 0; k < BAR_WIDTH; k++)
			putchar(k < width ? '#' : ' ');
		printf("| %" PRIu64 "\n", h->counts[i]);
	}
	if (h->n_nan || h->n_inf)
		printf("%" PRIu64 " NaN, %s\n", h->n_nan,
		       cli_count(h->n_inf, "infinity"));
}

static bool is_wanted(const struct cli *cli, const struct wh_source *source,
		      uint32_t index)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	const struct wh_layer *layer = NULL;
	const struct wh_variable *variable = NULL;
	const char *glob = cli_text(cli, "histogram");

	if (!number_is_real(tensor->dtype))
		return false;
	if (text_glob(glob, tensor->key))
		return true;
	return wh_manifest_owner(&source->manifest, index, &layer, &variable) &&
	       (text_glob(glob, layer->name) ||
		text_glob(glob, variable->name));
}

static int show_one(struct cli *cli, struct wh_source *source, uint32_t index,
		    struct histogram *h)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	int64_t n_bins = 20;

	memset(h, 0, sizeof(*h));
	cli_integer(cli, "bins", &n_bins);
	h->n_bins = (int)n_bins;
	if (histogram_fill(source, index, h, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		print_json(tensor->key, h);
	else
		print_bars(cli, tensor->key, h);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

int cli_show_histograms(struct cli *cli, const char *revision)
{
	struct histogram *h = malloc(sizeof(*h));
	struct wh_source *source = NULL;
	int64_t n_bins = 20;
	int code, n_shown = 0;
	uint32_t i;

	if (cli_integer(cli, "bins", &n_bins) &&
	    (n_bins < 1 || n_bins > HISTOGRAM_MAX_BINS)) {
		free(h);
		return cli_usage(cli, "--bins takes 1 to %d",
				 HISTOGRAM_MAX_BINS);
	}
	code = h ? cli_source(cli, revision, &source) : cli_no_memory(cli);
	if (!code)
		cli_page(cli);
	for (i = 0; !code && i < source->manifest.n_tensors; i++)
		if (is_wanted(cli, source, i)) {
			code = show_one(cli, source, i, h);
			n_shown++;
		}
	if (!code && !n_shown) {
		cli->err.status = WH_ENOTFOUND;
		snprintf(cli->err.message, sizeof(cli->err.message),
			 "no tensor of numbers is called '%.100s'",
			 cli_escape(cli_text(cli, "histogram")));
		code = cli_fail(cli);
	}
	wh_source_close(source);
	free(h);
	return code;
}
