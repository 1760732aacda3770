/* Between two rows, each column has a place on the screen, in half columns: an
 * even place 2k is column k, an odd one the gap behind it. `places` says which
 * column goes on from each place; a drawn line brings every one nearer to its
 * own until all have arrived.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY (-1)

static bool make_room(struct graph *graph)
{
	int room = graph->room ? 2 * graph->room : 16;
	size_t half = 2 * (size_t)room + 2;
	int64_t *columns;
	int *places, *moved;

	if (graph->n_columns + 1 < graph->room)
		return true;
	columns = realloc(graph->columns, (size_t)room * sizeof(*columns));
	if (columns)
		graph->columns = columns;
	places = realloc(graph->places, half * sizeof(*places));
	if (places)
		graph->places = places;
	moved = realloc(graph->moved, half * sizeof(*moved));
	if (moved)
		graph->moved = moved;
	if (!columns || !places || !moved)
		return false;
	graph->room = room;
	return true;
}

static int find_column(const struct graph *graph, int n, int64_t node)
{
	int i;

	for (i = 0; i < n; i++)
		if (graph->columns[i] == node)
			return i;
	return NOBODY;
}

/* ---- Between two rows ------------------------------------------------------
 */

/* Who is in the gap behind its column has joined the line there. */
static bool have_arrived(const struct graph *graph, int n_places)
{
	int i;

	for (i = 0; i < n_places; i++)
		if (graph->places[i] != NOBODY && graph->places[i] != i / 2)
			return false;
	return true;
}

static void swap_places(struct graph *graph)
{
	int *places = graph->places;

	graph->places = graph->moved;
	graph->moved = places;
}

/* Columns without gaps after the row: its own goes on to the parent, and two
 * that come to one snapshot are one. `moved` keeps the places before. */
static void settle_columns(struct graph *graph)
{
	int i, n = 0, n_before = graph->n_columns;

	swap_places(graph);
	for (i = 0; i < n_before; i++) {
		int64_t next = graph->columns[i];
		int column;

		if (next == graph->node)
			next = graph->parent;
		graph->places[2 * i] = graph->places[2 * i + 1] = NOBODY;
		if (!next)
			continue;
		column = find_column(graph, n, next);
		if (column == NOBODY) {
			column = n++;
			graph->columns[column] = next;
		}
		graph->places[2 * i] = column;
	}
	graph->n_columns = n;
	graph->n_places = 2 * n_before;
	graph->settled = true;
}

/* The first that moves may run flat below others, if its way is long. */
struct flat {
	int end;    /* the place where it begins, NOBODY: none has moved */
	int column; /* where it goes to, NOBODY: it crosses a line */
};

static void run_flat(struct flat *flat, int end, int column, int *places)
{
	int i;

	if (flat->end != NOBODY)
		return;
	*flat = (struct flat){end, column};
	for (i = 2 * column + 3; i < end - 1; i += 2)
		places[i] = column;
}

/* A step to the left for each that has not arrived: into the gap beside it,
 * across a line that stands there, or into the one that it joins. */
static struct flat move_left(struct graph *graph, int n_places)
{
	struct flat flat = {NOBODY, NOBODY};
	int *moved = graph->moved;
	int i;

	for (i = 0; i < n_places; i++)
		moved[i] = NOBODY;
	for (i = 0; i < n_places; i++) {
		int column = graph->places[i];

		if (column == NOBODY)
			continue;
		if (column * 2 == i) {
			moved[i] = column;
		} else if (moved[i - 1] == NOBODY) {
			moved[i - 1] = column;
			run_flat(&flat, i - 1, column, moved);
		} else if (moved[i - 1] != column) {
			moved[i - 2] = column;
			if (flat.end == NOBODY)
				flat.end = i - 1;
		}
	}
	return flat;
}

/* The line that `move_left` gives. What was drawn flat has passed with it,
 * but for its first piece. */
static void draw_step(struct graph *graph, int n_places, struct flat flat,
		      FILE *out)
{
	bool was_flat = false;
	int i, end = n_places;

	while (end && graph->moved[end - 1] == NOBODY)
		end--;
	for (i = 0; i < end; i++) {
		int column = graph->moved[i];

		if (column == NOBODY) {
			putc(' ', out);
		} else if (column * 2 == i) {
			putc('|', out);
		} else if (column == flat.column && i != flat.end) {
			if (i != column * 2 + 3)
				graph->moved[i] = NOBODY;
			was_flat = true;
			putc('_', out);
		} else {
			if (was_flat && i <= flat.end)
				graph->moved[i] = NOBODY;
			putc('/', out);
		}
	}
	putc('\n', out);
}

static void finish_row(struct graph *graph, FILE *out)
{
	if (!graph->node)
		return;
	if (!graph->settled)
		settle_columns(graph);
	else
		graph->n_drawn = 0;
	while (!have_arrived(graph, graph->n_places)) {
		struct flat flat = move_left(graph, graph->n_places);

		draw_step(graph, graph->n_places, flat, out);
		swap_places(graph);
		graph->n_drawn = graph->n_places;
	}
	graph->node = 0;
}

/* ---- Rows ------------------------------------------------------------------
 */

bool graph_next(struct graph *graph, int64_t node, int64_t parent, FILE *out)
{
	finish_row(graph, out);
	graph->node = node;
	graph->parent = parent;
	graph->settled = false;
	return make_room(graph);
}

/* A column that came a step to the left right above, and goes on so. */
static bool is_moving(const struct graph *graph, int column)
{
	int gap = 2 * column + 1;

	return gap < graph->n_drawn && graph->moved[gap] == column &&
	       graph->places[gap - 1] < column;
}

void graph_row(struct graph *graph, FILE *out)
{
	int at = find_column(graph, graph->n_columns, graph->node), i, n;

	if (at == NOBODY) {
		at = graph->n_columns++;
		graph->columns[at] = graph->node;
	}
	n = graph->n_columns;
	settle_columns(graph);
	for (i = 0; i < n; i++)
		fputs(i == at ? "* " : is_moving(graph, i) ? "/ " : "| ", out);
}

void graph_end(struct graph *graph, FILE *out)
{
	finish_row(graph, out);
	free(graph->columns);
	free(graph->places);
	free(graph->moved);
	memset(graph, 0, sizeof(*graph));
}
