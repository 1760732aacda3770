#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli.h"

#define CLOSE 1e-13 /* of a value: 450 times what doubles can tell apart */

struct series *plot_add(struct plot *plot, const char *owner,
			const char *subject)
{
	struct series *series;

	if (array_grow(&plot->series, plot->n, &plot->room, sizeof(*series),
		       NULL))
		return NULL;
	series = &plot->series[plot->n++];
	memset(series, 0, sizeof(*series));
	series->owner = strdup(owner);
	series->subject = strdup(subject);
	return series->owner && series->subject ? series : NULL;
}

bool series_add(struct series *series, double x, double y)
{
	if (series->n == series->room) {
		size_t room = series->room ? 2 * series->room : 64;
		double *xs = realloc(series->x, room * sizeof(*xs));
		double *ys = xs ? realloc(series->y, room * sizeof(*ys)) : NULL;

		series->x = xs ? xs : series->x;
		series->y = ys ? ys : series->y;
		if (!xs || !ys)
			return false;
		series->room = room;
	}
	series->x[series->n] = x;
	series->y[series->n++] = y;
	return true;
}

void plot_free(struct plot *plot)
{
	while (plot->n) {
		struct series *series = &plot->series[--plot->n];

		free(series->label);
		free(series->owner);
		free(series->subject);
		free(series->x);
		free(series->y);
	}
	free(plot->series);
	plot->series = NULL;
}

bool plot_value(const struct plot *plot, double y, double *value)
{
	if (plot->is_log && !(y > 0))
		return false;
	*value = plot->is_log ? log10(y) : y;
	return isfinite(*value);
}

/* Of values whose last bits alone differ, too: no marks fit between them. */
static void set_apart(double *low, double *high)
{
	double size = fmax(fabs(*low), fabs(*high));
	double by = size > 0 ? size / 2 : 0.5;

	if (*high - *low > size * CLOSE)
		return;
	*low -= by;
	*high += by;
}

bool plot_bounds(const struct plot *plot, struct bounds *b)
{
	double endless = (double)INFINITY, y;
	bool any = false;
	size_t i, k;

	*b = (struct bounds){endless, -endless, endless, -endless};
	for (i = 0; i < plot->n; i++)
		for (k = 0; k < plot->series[i].n; k++) {
			if (!plot_value(plot, plot->series[i].y[k], &y))
				continue;
			b->x_low = fmin(b->x_low, plot->series[i].x[k]);
			b->x_high = fmax(b->x_high, plot->series[i].x[k]);
			b->y_low = fmin(b->y_low, y);
			b->y_high = fmax(b->y_high, y);
			any = true;
		}
	if (any) {
		set_apart(&b->x_low, &b->x_high);
		set_apart(&b->y_low, &b->y_high);
	}
	return any;
}

double plot_tick(double low, double high, int n)
{
	double rough = (high - low) / n;
	double power = pow(10, floor(log10(rough)));
	double share = rough / power;

	return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}
