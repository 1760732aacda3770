/* Curves on a terminal: eight dots a cell where it knows braille, else a mark
 * a curve. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "plot.h"

#define LABEL_WIDTH 10 /* of the axis at the left, with its line */
#define N_COLOURS   6
#define N_MARKS	    8

static const char marks[N_MARKS + 1] = "*+ox#@%&";

struct canvas {
	const struct plot *plot;
	const struct text_style *style;
	struct bounds bounds;
	int columns, rows;     /* of cells */
	int across, down;      /* dots of a cell */
	uint8_t *dots, *owner; /* a cell's dots, and its curve's number + 1 */
};

/* Braille's dots, by row and column (Unicode, chapter 21.1). */
static const uint8_t braille[4][2] = {
	{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

static void set_dot(struct canvas *c, int x, int y, size_t curve)
{
	int cell = y / c->down * c->columns + x / c->across;

	c->dots[cell] |= braille[y % c->down][x % c->across];
	c->owner[cell] = (uint8_t)(1 + curve % 255);
}

static void place(const struct canvas *c, double x, double y, int *column,
		  int *row)
{
	const struct bounds *b = &c->bounds;
	double across = (x - b->x_low) / (b->x_high - b->x_low);
	double up = (y - b->y_low) / (b->y_high - b->y_low);

	*column = (int)lround(across * (c->columns * c->across - 1));
	*row = (int)lround((1 - up) * (c->rows * c->down - 1));
}

static void draw_line(struct canvas *c, const int from[2], const int to[2],
		      size_t curve)
{
	int across = abs(to[0] - from[0]), down = abs(to[1] - from[1]);
	int i, n = across > down ? across : down;

	for (i = 0; i <= n; i++) {
		double share = n ? (double)i / n : 0;

		set_dot(c, from[0] + (int)lround(share * (to[0] - from[0])),
			from[1] + (int)lround(share * (to[1] - from[1])),
			curve);
	}
}

static void draw_curve(struct canvas *c, size_t curve)
{
	const struct series *s = &c->plot->series[curve];
	int before[2] = {0, 0}, at[2];
	bool connected = false;
	double y;
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (!plot_value(c->plot, s->y[i], &y)) {
			connected = false;
			continue;
		}
		place(c, s->x[i], y, &at[0], &at[1]);
		draw_line(c, connected ? before : at, at, curve);
		memcpy(before, at, sizeof(before));
		connected = true;
	}
}

/* Magenta and red read badly on dark blue, so they come last. */
static void begin_colour(const struct canvas *c, size_t curve, FILE *out)
{
	static const int colours[N_COLOURS] = {36, 33, 32, 34, 35, 31};

	if (c->style->colour)
		fprintf(out, "\x1b[%dm", colours[curve % N_COLOURS]);
}

static void end_colour(const struct canvas *c, FILE *out)
{
	if (c->style->colour)
		fputs("\x1b[0m", out);
}

/* U+2800 and the dots, as UTF-8. */
static void put_braille(uint8_t dots, FILE *out)
{
	fprintf(out, "\xe2%c%c", 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
}

static void put_cell(const struct canvas *c, int cell, FILE *out)
{
	size_t curve = c->owner[cell] - 1u;

	if (!c->dots[cell]) {
		putc(' ', out);
		return;
	}
	begin_colour(c, curve, out);
	if (c->across == 2)
		put_braille(c->dots[cell], out);
	else
		putc(marks[curve % N_MARKS], out);
	end_colour(c, out);
}

static void put_row(const struct canvas *c, int row, FILE *out)
{
	const struct bounds *b = &c->bounds;
	double share = c->rows > 1 ? (double)row / (c->rows - 1) : 0;
	double y = b->y_high - share * (b->y_high - b->y_low);
	bool labelled = row % 5 == 0 || row == c->rows - 1;
	int i, end = c->columns;

	if (labelled)
		fprintf(out, "%*.4g ", LABEL_WIDTH - 2,
			c->plot->is_log ? pow(10, y) : y);
	else
		fprintf(out, "%*s", LABEL_WIDTH - 1, "");
	fputs(c->style->unicode ? (labelled ? "┤" : "│")
				: (labelled ? "+" : "|"),
	      out);
	while (end && !c->dots[row * c->columns + end - 1])
		end--;
	for (i = 0; i < end; i++)
		put_cell(c, row * c->columns + i, out);
	putc('\n', out);
}

static void put_axis(const struct canvas *c, FILE *out)
{
	char left[32], middle[32], right[32];
	const struct bounds *b = &c->bounds;
	int i, gap;

	fprintf(out, "%*s%s", LABEL_WIDTH - 1, "",
		c->style->unicode ? "└" : "+");
	for (i = 0; i < c->columns; i++)
		fputs(c->style->unicode ? "─" : "-", out);
	snprintf(left, sizeof(left), "%.6g", b->x_low);
	snprintf(middle, sizeof(middle), "%.6g", (b->x_low + b->x_high) / 2);
	snprintf(right, sizeof(right), "%.6g", b->x_high);
	gap = c->columns - (int)(strlen(left) + strlen(middle) + strlen(right));
	if (gap < 2)
		gap = 2;
	fprintf(out, "\n%*s%s%*s%s%*s%s\n", LABEL_WIDTH, "", left, gap / 2, "",
		middle, gap - gap / 2, "", right);
}

static void put_legend(const struct canvas *c, FILE *out)
{
	size_t i;

	for (i = 0; i < c->plot->n; i++) {
		const struct series *s = &c->plot->series[i];

		fprintf(out, "%*s", LABEL_WIDTH, "");
		begin_colour(c, i, out);
		if (c->across == 2)
			fputs("⠒⠒", out);
		else
			putc(marks[i % N_MARKS], out);
		end_colour(c, out);
		fprintf(out, " %s", cli_escape(s->label));
		if (s->n)
			fprintf(out, "  %.6g", s->y[s->n - 1]);
		putc('\n', out);
	}
}

void plot_text(const struct plot *plot, const struct text_style *style,
	       FILE *out)
{
	struct canvas c = {.plot = plot, .style = style};
	/* Without colour, dots of two curves look alike. */
	bool dots = style->unicode && (style->colour || plot->n == 1);
	size_t i;
	int row;

	if (!plot_bounds(plot, &c.bounds)) {
		fputs("there is nothing to draw: no value is a number\n", out);
		return;
	}
	c.columns = style->width > LABEL_WIDTH + 10 ? style->width - LABEL_WIDTH
						    : 10;
	c.rows = style->height > 3 ? style->height : 3;
	c.across = dots ? 2 : 1;
	c.down = dots ? 4 : 1;
	c.dots = calloc((size_t)c.columns, (size_t)c.rows);
	c.owner = calloc((size_t)c.columns, (size_t)c.rows);
	for (i = 0; c.dots && c.owner && i < plot->n; i++)
		draw_curve(&c, i);
	for (row = 0; c.dots && c.owner && row < c.rows; row++)
		put_row(&c, row, out);
	put_axis(&c, out);
	put_legend(&c, out);
	free(c.dots);
	free(c.owner);
}
