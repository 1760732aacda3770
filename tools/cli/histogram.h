/* histogram.h: how a tensor's values lie. */
#ifndef WH_CLI_HISTOGRAM_H
#define WH_CLI_HISTOGRAM_H

#include "cli.h"

#define HISTOGRAM_MAX_BINS 1000

/** Bins of equal width from the least to the greatest finite value, as
 *  numpy.histogram makes them: each holds its lower edge, the last both. */
struct histogram {
	double low, high;
	int n_bins;
	uint64_t counts[HISTOGRAM_MAX_BINS];
	uint64_t n_nan, n_inf;
};

/** Of one tensor of numbers, read once, twice where its statistics don't tell
 *  the bounds. */
enum wh_status histogram_fill(struct wh_source *source, uint32_t tensor,
			      struct histogram *histogram,
			      struct wh_error *err);
double histogram_edge(const struct histogram *histogram, int edge);

/** show --histogram GLOB: of each tensor that matches. */
int cli_show_histograms(struct cli *cli, const char *revision);

#endif
