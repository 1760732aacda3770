/* plot.h: curves over steps, on a terminal or as SVG. */
#ifndef WH_CLI_PLOT_H
#define WH_CLI_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** A curve; y may be NaN or infinite, where it has a gap. */
struct series {
	char *label;	       /* for the legend */
	char *owner, *subject; /* run and metric, or layer and weight */
	double *x, *y;
	size_t n, room;
};

struct plot {
	struct series *series;
	size_t n, room;
	const char *what; /* what y is: "norm"; NULL: a metric */
	bool is_log;	  /* y by its logarithm; what is not above 0 is left
			     out */
};

/** A new curve, which takes copies; NULL without memory. */
struct series *plot_add(struct plot *plot, const char *owner,
			const char *subject);
bool series_add(struct series *series, double x, double y);
void plot_free(struct plot *plot);

/** What is drawn of a point, y by its logarithm if asked; false: a gap. */
bool plot_value(const struct plot *plot, double y, double *value);

/** Bounds of all that is drawn; false where nothing is. Equal ones are set
 *  apart. */
struct bounds {
	double x_low, x_high, y_low, y_high;
};
bool plot_bounds(const struct plot *plot, struct bounds *bounds);

/** The distance of about `n` round marks between two values: 1, 2 or 5 times
 *  a power of ten. */
double plot_tick(double low, double high, int n);

struct text_style {
	int width, height; /* of all, in columns and rows */
	bool unicode;	   /* braille, else one mark a curve */
	bool colour;
};
void plot_text(const struct plot *plot, const struct text_style *style,
	       FILE *out);

/** One file without references; follows the reader's light or dark. */
void plot_svg(const struct plot *plot, FILE *out);

#endif
