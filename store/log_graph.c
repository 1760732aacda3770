/* Every snapshot in the order in which a graph is drawn: children before the
 * snapshot that they follow, one line of history after the other.
 *
 * The newest tip comes first, then its line down to a snapshot where another
 * line leaves that has not been told yet; then the next tip. The last line to
 * come down to a fork goes on from there. Memory is by the number of lines,
 * not of snapshots.
 */
#include "base/array.h"
#include "log.h"

#include <stdlib.h>

#define NO_FORK UINT32_MAX

/* A chain without a fork (lineage.h). Generations from `first` up to the tip;
 * `next` is the one to be told, of snapshot `node`. */
struct line {
	int64_t id, tip, node;
	int64_t parent_id, parent_generation; /* 0: none */
	int64_t first, next;
	uint32_t leaves;	 /* the fork where it leaves its parent */
	uint32_t fork, end_fork; /* forks of its own, highest first */
	bool waits;		 /* for the lines that leave at `next` */
};

/* Where lines leave a line. */
struct fork {
	uint32_t line;
	int64_t generation;
	uint32_t n_open; /* lines that haven't been told */
};

struct graph {
	struct listing *listing;
	struct line *lines;
	uint32_t n_lines;
	size_t room;
	struct fork *forks;
	uint32_t n_forks;
	struct line **order;
};

/* ---- Lines and forks -------------------------------------------------------
 */

static enum wh_status add_line(struct graph *graph, struct stmt *stmt,
			       struct wh_error *err)
{
	struct line *line;

	WH_TRY(array_grow(&graph->lines, graph->n_lines, &graph->room,
			  sizeof(*graph->lines), err));
	line = &graph->lines[graph->n_lines++];
	*line = (struct line){
		.id = column_integer(stmt, 0),
		.parent_id = column_integer(stmt, 1),
		.parent_generation = column_integer(stmt, 2),
		.first = column_integer(stmt, 3),
		.next = column_integer(stmt, 4),
		.tip = column_integer(stmt, 5),
		.node = column_integer(stmt, 5),
		.leaves = NO_FORK,
	};
	return WH_OK;
}

static enum wh_status read_lines(struct graph *graph, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(graph->listing->db, STMT_LINE_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(add_line(graph, stmt, err));
	}
	return WH_OK;
}

static int by_tip(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a;
	const struct line *y = *(struct line *const *)b;

	return x->tip > y->tip ? -1 : x->tip < y->tip;
}

/* By the line that they leave, then by where, highest first. */
static int by_parent(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a;
	const struct line *y = *(struct line *const *)b;

	if (x->parent_id != y->parent_id)
		return x->parent_id < y->parent_id ? -1 : 1;
	if (x->parent_generation != y->parent_generation)
		return x->parent_generation > y->parent_generation ? -1 : 1;
	return 0;
}

static int by_id(const void *key, const void *element)
{
	const int64_t *id = key;
	const struct line *line = element;

	return *id < line->id ? -1 : *id > line->id;
}

/* Lines come sorted by id. */
static struct line *find_line(const struct graph *graph, int64_t id)
{
	return bsearch(&id, graph->lines, graph->n_lines, sizeof(struct line),
		       by_id);
}

/* A line that leaves nothing known is a root. */
static void add_to_fork(struct graph *graph, struct line *child)
{
	struct line *parent = find_line(graph, child->parent_id);
	struct fork *fork =
		graph->n_forks ? &graph->forks[graph->n_forks - 1] : NULL;
	uint32_t index;

	if (!parent || parent == child)
		return;
	index = (uint32_t)(parent - graph->lines);
	if (!fork || fork->line != index ||
	    fork->generation != child->parent_generation) {
		if (!fork || fork->line != index)
			parent->fork = graph->n_forks;
		fork = &graph->forks[graph->n_forks++];
		*fork = (struct fork){.line = index,
				      .generation = child->parent_generation};
		parent->end_fork = graph->n_forks;
	}
	fork->n_open++;
	child->leaves = (uint32_t)(fork - graph->forks);
}

static enum wh_status find_forks(struct graph *graph, struct wh_error *err)
{
	uint32_t i;

	graph->order =
		calloc((size_t)graph->n_lines + 1, sizeof(struct line *));
	graph->forks = calloc((size_t)graph->n_lines + 1, sizeof(struct fork));
	if (!graph->order || !graph->forks)
		return wh_fail_memory(err);
	for (i = 0; i < graph->n_lines; i++)
		graph->order[i] = &graph->lines[i];
	qsort(graph->order, graph->n_lines, sizeof(struct line *), by_parent);
	for (i = 0; i < graph->n_lines; i++)
		add_to_fork(graph, graph->order[i]);
	qsort(graph->order, graph->n_lines, sizeof(struct line *), by_tip);
	return WH_OK;
}

/* ---- The walk --------------------------------------------------------------
 */

/* The newest member of a line up to a generation, 0: none. A hostile file may
 * have gaps of any width. */
static enum wh_status member_below(struct graph *graph, int64_t line,
				   int64_t *generation, int64_t *id,
				   struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	*id = 0;
	WH_TRY(db_stmt(graph->listing->db, STMT_LINEAGE_BELOW, &stmt, err));
	stmt_integer(stmt, 1, line);
	stmt_integer(stmt, 2, *generation);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row) {
		*id = column_integer(stmt, 0);
		*generation = column_integer(stmt, 1);
	}
	stmt_reset(stmt);
	return WH_OK;
}

/* Tells of `node`; then it is the next one's turn, 0: the line has ended. */
static enum wh_status tell_member(struct graph *graph, struct line *line,
				  struct wh_error *err)
{
	struct listing *listing = graph->listing;
	struct wh_log_place place = {.node = line->node};
	int64_t leaves_at = line->parent_generation;

	line->node = 0;
	if (line->next > line->first) {
		line->next--;
		WH_TRY(member_below(graph, line->id, &line->next, &line->node,
				    err));
	}
	place.parent = line->node;
	if (!line->node && line->parent_id)
		WH_TRY(member_below(graph, line->parent_id, &leaves_at,
				    &place.parent, err));
	if (listing->options->place &&
	    listing->options->place(listing->arg, &place)) {
		listing->stopped = true;
		return WH_OK;
	}
	return log_show(listing, place.node, err);
}

/* Whether other lines have to come down to `next` first. */
static bool must_wait(struct graph *graph, struct line *line)
{
	const struct fork *fork = &graph->forks[line->fork];

	for (; line->fork < line->end_fork && fork->generation >= line->next;
	     line->fork++, fork++) {
		line->waits = fork->n_open > 0;
		if (line->waits)
			return true;
	}
	return false;
}

/* The line that goes on where this one, all told, has left it; or NULL. */
static struct line *come_down(struct graph *graph, const struct line *line)
{
	struct fork *fork = &graph->forks[line->leaves];
	struct line *parent;

	if (line->leaves == NO_FORK || --fork->n_open)
		return NULL;
	parent = &graph->lines[fork->line];
	/* It waits here, not further up. */
	if (!parent->waits || &graph->forks[parent->fork] != fork)
		return NULL;
	parent->waits = false;
	return parent;
}

static enum wh_status walk_down(struct graph *graph, struct line *line,
				struct wh_error *err)
{
	const struct listing *listing = graph->listing;

	while (line && !listing->stopped && !must_wait(graph, line)) {
		WH_TRY(tell_member(graph, line, err));
		if (!line->node)
			line = come_down(graph, line);
	}
	return WH_OK;
}

enum wh_status log_graph(struct listing *listing, struct wh_error *err)
{
	struct graph graph = {.listing = listing};
	enum wh_status status = read_lines(&graph, err);
	uint32_t i;

	if (!status)
		status = find_forks(&graph, err);
	for (i = 0; !status && i < graph.n_lines && !listing->stopped; i++)
		status = walk_down(&graph, graph.order[i], err);
	free(graph.order);
	free(graph.forks);
	free(graph.lines);
	return status;
}
