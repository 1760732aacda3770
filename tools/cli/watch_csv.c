#include "watch_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define PIECE_SIZE ((size_t)256 << 10) /* at least a line */
#define MAX_POINTS 8192		       /* a transaction */

void watch_csvs_free(struct watch_csvs *csvs)
{
	while (csvs->n) {
		struct watch_csv *csv = &csvs->files[--csvs->n];

		csv_head_free(&csv->head);
		free(csv->path);
	}
	free(csvs->files);
	csvs->files = NULL;
}

struct watch_csv *watch_csv_get(struct watch_csvs *csvs, const char *path)
{
	struct watch_csv *moved;
	size_t i;

	for (i = 0; i < csvs->n; i++)
		if (strcmp(csvs->files[i].path, path) == 0)
			return &csvs->files[i];
	moved = realloc(csvs->files, (csvs->n + 1) * sizeof(*moved));
	if (!moved)
		return NULL;
	csvs->files = moved;
	memset(&moved[csvs->n], 0, sizeof(*moved));
	moved[csvs->n].path = strdup(path);
	return moved[csvs->n].path ? &moved[csvs->n++] : NULL;
}

void watch_csv_skip(struct watch_csv *csv)
{
	struct stat at;

	csv->skip = stat(csv->path, &at) ? 0 : (uint64_t)at.st_size;
}

static void begin_anew(struct watch_csv *csv)
{
	csv_head_free(&csv->head);
	csv->has_head = csv->is_none = csv->has_shift = false;
	csv->offset = csv->n_tail = 0;
}

/* ---- Rows ------------------------------------------------------------------
 */

struct points {
	struct wh_metric_point *at;
	size_t n;
	const char *run;
};

static void take_row(const struct watch_csvs *csvs, struct watch_csv *csv,
		     const struct csv_row *row, struct points *points)
{
	bool in_steps = csv_has_column(&csv->head, "step");
	size_t i;

	/* A table that begins with 1 counts as names do. */
	if (!csv->has_shift)
		csv->shift = csvs->has_shift ? csvs->shift : row->epoch != 1;
	csv->has_shift = true;
	for (i = 0; i < csv->head.n; i++)
		if (row->present[i])
			points->at[points->n++] = (struct wh_metric_point){
				.run = points->run,
				.key = csv->head.columns[i],
				.step = in_steps ? row->step
						 : row->epoch + csv->shift,
				.value = row->values[i],
				.once = true,
				.of_snapshot = true,
			};
}

/* A line that ends `end` bytes into the file. */
static void take_line(const struct watch_csvs *csvs, struct watch_csv *csv,
		      char *line, uint64_t end, struct points *points)
{
	struct csv_row row;

	if (line[strspn(line, "\r")] == '\0')
		return;
	if (!csv->has_head) {
		csv->is_none = !csv_head_read(&csv->head, line);
		csv->has_head = true;
		return;
	}
	if (csv->is_none)
		return;
	if (!csv_row_read(&csv->head, line, &row)) {
		csv->n_bad++;
		return;
	}
	if (end > csv->skip) {
		take_row(csvs, csv, &row, points);
		csv->n_rows++;
	}
}

static size_t take_lines(const struct watch_csvs *csvs, struct watch_csv *csv,
			 char *bytes, size_t len, struct points *points)
{
	size_t used = 0;
	char *end;

	while (points->n + CSV_MAX_COLUMNS <= MAX_POINTS &&
	       (end = memchr(bytes + used, '\n', len - used))) {
		size_t next = (size_t)(end - bytes) + 1;

		*end = '\0';
		take_line(csvs, csv, bytes + used, csv->offset + next, points);
		*end = '\n';
		used = next;
	}
	return used;
}

/* ---- The file --------------------------------------------------------------
 */

static bool is_as_before(const struct watch_csv *csv, int fd)
{
	char tail[CSV_TAIL];
	ssize_t got;

	if (csv->n_tail == 0)
		return true;
	got = pread(fd, tail, csv->n_tail, (off_t)(csv->offset - csv->n_tail));
	return got == (ssize_t)csv->n_tail &&
	       memcmp(tail, csv->tail, csv->n_tail) == 0;
}

static void keep_tail(struct watch_csv *csv, const char *bytes, size_t used)
{
	size_t n = used < CSV_TAIL ? used : CSV_TAIL;

	memcpy(csv->tail, bytes + used - n, n);
	csv->n_tail = n;
	csv->offset += used;
}

/* Lines are cut in place; what stood there is kept for the tail. */
static enum wh_status read_piece(const struct watch_csvs *csvs,
				 struct watch_csv *csv, int fd, char *bytes,
				 struct points *points, struct wh_store *store,
				 bool *more, struct wh_error *err)
{
	char *copy = bytes + PIECE_SIZE;
	ssize_t got = pread(fd, bytes, PIECE_SIZE, (off_t)csv->offset);
	size_t used;

	*more = false;
	if (got < 0)
		return wh_fail_errno(err, errno, "'%s'", csv->path);
	memcpy(copy, bytes, (size_t)got);
	points->n = 0;
	used = take_lines(csvs, csv, copy, (size_t)got, points);
	if (points->n)
		WH_TRY(wh_metric_log(store, points->at, points->n, err));
	/* A line that is longer than any is: no table. */
	if (!used && got == (ssize_t)PIECE_SIZE)
		csv->is_none = csv->has_head = true;
	if (used)
		keep_tail(csv, bytes, used);
	*more = used && !csv->is_none;
	return WH_OK;
}

static enum wh_status read_open(const struct watch_csvs *csvs,
				struct watch_csv *csv, int fd,
				struct points *points, struct wh_store *store,
				struct wh_error *err)
{
	enum wh_status status = WH_OK;
	char *bytes = malloc(2 * PIECE_SIZE);
	struct stat at;
	bool more = true;

	if (!bytes)
		return wh_fail_memory(err);
	if (fstat(fd, &at) == 0 &&
	    ((uint64_t)at.st_size < csv->offset || !is_as_before(csv, fd))) {
		begin_anew(csv);
		csv->skip = 0;
	}
	while (more && !csv->is_none && !status) {
		uint64_t n_rows = csv->n_rows;

		status = read_piece(csvs, csv, fd, bytes, points, store, &more,
				    err);
		if (status)
			csv->n_rows = n_rows;
		/* The head is read again as well. */
		if (status && csv->offset == 0)
			begin_anew(csv);
	}
	free(bytes);
	return status;
}

enum wh_status watch_csv_read(const struct watch_csvs *csvs,
			      struct watch_csv *csv, struct wh_store *store,
			      const char *run, uint64_t *rows,
			      struct wh_error *err)
{
	struct points points = {.run = run};
	uint64_t before = csv->n_rows;
	enum wh_status status;
	int fd = open(csv->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*rows = 0;
	if (fd < 0)
		return wh_fail_errno(err, errno, "'%s'", csv->path);
	points.at = calloc(MAX_POINTS, sizeof(*points.at));
	status = points.at ? read_open(csvs, csv, fd, &points, store, err)
			   : wh_fail_memory(err);
	free(points.at);
	close(fd);
	*rows = csv->n_rows - before;
	if (!status)
		csv->changed = false;
	return status;
}
