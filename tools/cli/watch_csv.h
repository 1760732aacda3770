/* watch_csv.h: tables of figures, followed as lines are appended. */
#ifndef WH_CLI_WATCH_CSV_H
#define WH_CLI_WATCH_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weighhouse/run.h>

#include "csv_log.h"

#define CSV_TAIL 64

struct watch_csv {
	char *path;
	bool changed;	     /* since it was read */
	bool is_none;	     /* its head is no table's; till it begins anew */
	bool has_head;	     /* columns are known */
	uint64_t offset;     /* of the first byte not yet taken */
	uint64_t skip;	     /* rows before this offset are of before */
	char tail[CSV_TAIL]; /* bytes before `offset`: are they still there? */
	size_t n_tail;
	struct csv_head head;
	bool has_shift;
	int64_t shift; /* a row's step minus its epoch */
	uint64_t n_rows, n_bad;
};

struct watch_csvs {
	struct watch_csv *files;
	size_t n;
	bool has_shift; /* by --csv-shift, for all */
	int64_t shift;
};

void watch_csvs_free(struct watch_csvs *csvs);

/** The file of that path, which is added if need be; NULL without memory. */
struct watch_csv *watch_csv_get(struct watch_csvs *csvs, const char *path);

/** All that stands in it now is of before, and left alone. */
void watch_csv_skip(struct watch_csv *csv);

/** Takes the lines that were completed since the last call: their values
 *  become metrics of the run and of its snapshots at the row's step, once. A
 *  file that was made anew is read from its start. `*rows`: how many lines;
 *  0 where it is no table of figures. WH_ENOTFOUND, WH_EIO, and what
 *  wh_metric_log fails with: then they are taken by the next call. */
enum wh_status watch_csv_read(const struct watch_csvs *csvs,
			      struct watch_csv *csv, struct wh_store *store,
			      const char *run, uint64_t *rows,
			      struct wh_error *err);

#endif
