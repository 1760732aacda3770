/* Curves as SVG 1.1: one file, its style inside. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

#define WIDTH	   800
#define HEIGHT	   450
#define LEFT	   70
#define RIGHT	   20
#define TOP	   20
#define BOTTOM	   50
#define LEGEND_ROW 18
#define N_COLOURS  8
#define N_BUCKETS  700 /* about a pixel each; two points are kept of one */

/* Colours that differ in lightness too, from Okabe and Ito (2008). */
static const char style[] =
	"<style>\n"
	"svg { background: #ffffff; font: 12px sans-serif; }\n"
	"text { fill: #222222; }\n"
	".grid { stroke: #dddddd; stroke-width: 1; }\n"
	".axis { stroke: #222222; stroke-width: 1; }\n"
	".curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; }\n"
	".c0 { stroke: #0072b2; } .c1 { stroke: #d55e00; }\n"
	".c2 { stroke: #009e73; } .c3 { stroke: #cc79a7; }\n"
	".c4 { stroke: #e69f00; } .c5 { stroke: #56b4e9; }\n"
	".c6 { stroke: #7f7f7f; } .c7 { stroke: #8c564b; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"svg { background: #16181c; } text { fill: #dddddd; }\n"
	".grid { stroke: #33373d; } .axis { stroke: #dddddd; }\n"
	".c0 { stroke: #4fa8e0; } .c1 { stroke: #ff8a3d; }\n"
	"}\n"
	"</style>\n";

/* Also of what XML can't hold: control characters become '?'. */
static void put_text(const char *text, FILE *out)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			putc((unsigned char)*text < 0x20 ? '?' : *text, out);
		}
}

static double across(const struct bounds *b, double x)
{
	return LEFT +
	       (x - b->x_low) / (b->x_high - b->x_low) * (WIDTH - LEFT - RIGHT);
}

static double down(const struct bounds *b, double y)
{
	return HEIGHT - BOTTOM -
	       (y - b->y_low) / (b->y_high - b->y_low) *
		       (HEIGHT - TOP - BOTTOM);
}

static void put_marks(const struct plot *plot, const struct bounds *b,
		      FILE *out)
{
	double tick = plot_tick(b->x_low, b->x_high, 8), at;

	for (at = ceil(b->x_low / tick) * tick; at <= b->x_high; at += tick)
		fprintf(out,
			"<line class=\"grid\" x1=\"%.2f\" y1=\"%d\" "
			"x2=\"%.2f\" y2=\"%d\"/>\n"
			"<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\">"
			"%.6g</text>\n",
			across(b, at), TOP, across(b, at), HEIGHT - BOTTOM,
			across(b, at), HEIGHT - BOTTOM + 18,
			fabs(at) < tick / 1e6 ? 0 : at);
	tick = plot_tick(b->y_low, b->y_high, 6);
	for (at = ceil(b->y_low / tick) * tick; at <= b->y_high; at += tick)
		fprintf(out,
			"<line class=\"grid\" x1=\"%d\" y1=\"%.2f\" "
			"x2=\"%d\" y2=\"%.2f\"/>\n"
			"<text x=\"%d\" y=\"%.2f\" text-anchor=\"end\">"
			"%.4g</text>\n",
			LEFT, down(b, at), WIDTH - RIGHT, down(b, at), LEFT - 6,
			down(b, at) + 4,
			plot->is_log		? pow(10, at)
			: fabs(at) < tick / 1e6 ? 0
						: at);
	fprintf(out,
		"<path class=\"axis\" fill=\"none\" d=\"M%d,%d V%d H%d\"/>\n",
		LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
}

/* A run of points without a gap. */
struct pen {
	FILE *out;
	const struct bounds *bounds;
	size_t curve;
	bool is_down;
	int n;
};

static void lift(struct pen *pen)
{
	if (!pen->is_down)
		return;
	if (pen->n == 1) /* a point alone would not be seen */
		fprintf(pen->out, " h0.01\" stroke-linecap=\"round\"/>\n");
	else
		fputs("\"/>\n", pen->out);
	pen->is_down = false;
}

static void go_to(struct pen *pen, double x, double y)
{
	double right = across(pen->bounds, x), low = down(pen->bounds, y);

	if (!pen->is_down) {
		fprintf(pen->out, "<path class=\"curve c%zu\" d=\"M%.2f,%.2f",
			pen->curve % N_COLOURS, right, low);
		pen->is_down = true;
		pen->n = 1;
		return;
	}
	fprintf(pen->out, " L%.2f,%.2f", right, low);
	pen->n++;
}

/* The lowest and the highest of each bucket, in their order: what a reader can
 * tell apart stays, and a file of a million points stays small. */
static void put_bucket(const struct plot *plot, const struct series *s,
		       size_t begin, size_t end, struct pen *pen)
{
	size_t i, low = begin, high = begin;
	double y, least = (double)INFINITY, most = -(double)INFINITY;
	bool gap = false, any = false;

	for (i = begin; i < end; i++) {
		if (!plot_value(plot, s->y[i], &y)) {
			gap = true;
			continue;
		}
		any = true;
		if (y < least) {
			least = y;
			low = i;
		}
		if (y > most) {
			most = y;
			high = i;
		}
	}
	if (gap)
		lift(pen);
	if (!any)
		return;
	go_to(pen, s->x[low < high ? low : high], low < high ? least : most);
	if (low != high)
		go_to(pen, s->x[low < high ? high : low],
		      low < high ? most : least);
}

static void put_curve(const struct plot *plot, const struct bounds *b,
		      size_t curve, FILE *out)
{
	const struct series *s = &plot->series[curve];
	struct pen pen = {.out = out, .bounds = b, .curve = curve};
	size_t i, n = s->n > 2 * N_BUCKETS ? N_BUCKETS : s->n;

	for (i = 0; i < n; i++)
		put_bucket(plot, s, s->n * i / n, s->n * (i + 1) / n, &pen);
	lift(&pen);
}

static void put_legend(const struct plot *plot, FILE *out)
{
	size_t i;

	for (i = 0; i < plot->n; i++) {
		int y = HEIGHT + LEGEND_ROW * (int)i;

		fprintf(out,
			"<path class=\"curve c%zu\" d=\"M%d,%d h24\"/>\n"
			"<text x=\"%d\" y=\"%d\">",
			i % N_COLOURS, LEFT, y, LEFT + 32, y + 4);
		put_text(plot->series[i].label, out);
		fputs("</text>\n", out);
	}
}

void plot_svg(const struct plot *plot, FILE *out)
{
	int height = HEIGHT + LEGEND_ROW * (int)plot->n;
	struct bounds b;
	size_t i;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
		WIDTH, height, WIDTH, height);
	put_text(plot->what ? plot->what : plot->series[0].subject, out);
	fprintf(out, "</title>\n%s", style);
	if (plot_bounds(plot, &b)) {
		put_marks(plot, &b, out);
		for (i = 0; i < plot->n; i++)
			put_curve(plot, &b, i, out);
	}
	put_legend(plot, out);
	fputs("</svg>\n", out);
}
