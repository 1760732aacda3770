/* graph.h: lines of history, drawn in front of the rows of a log.
 *
 * As `git log --graph` draws them where each commit has one parent: a column
 * for each line that is open, `*` where the row's snapshot is, and between two
 * rows what brings columns to the place that they go on in:
 *
 *	* c
 *	| * b
 *	|/
 *	* a
 */
#ifndef WH_CLI_GRAPH_H
#define WH_CLI_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct graph {
	int64_t *columns; /* the snapshot that each comes to next */
	int *places;	  /* of half columns on their way, see graph.c */
	int *moved;
	int n_columns, n_places, room;
	int n_drawn;  /* places of the line right above, 0: that was a row */
	bool settled; /* `places` are those after the row */
	int64_t node, parent; /* 0: no row is under way */
};

/** The row of `node`, which follows `parent` (0: none), comes next. What the
 *  row before it has left open is drawn first. False without memory. */
bool graph_next(struct graph *graph, int64_t node, int64_t parent, FILE *out);

/** The beginning of that row, up to its text. A row that is never begun is
 *  passed by its line. */
void graph_row(struct graph *graph, FILE *out);

/** Draws what is left open, and frees all. */
void graph_end(struct graph *graph, FILE *out);

#endif
