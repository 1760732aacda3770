/* import.h: what names and CSV files say about checkpoints. */
#ifndef WH_CLI_IMPORT_H
#define WH_CLI_IMPORT_H

#include "cli.h"
#include "csv_log.h"
#include "name_pattern.h"

#define IMPORT_MAX_METRICS NAME_MAX_METRICS

struct import_file {
	char *path;		 /* of the checkpoint: a file, or a TF prefix */
	const char *name;	 /* its end: below the folder that all are in */
	struct name_values said; /* by its name */
};

struct import_list {
	struct import_file *files;
	size_t n;
	struct csv_head head;
	struct csv_row *rows;
	size_t n_rows;
	int64_t shift; /* a file's epoch minus its row's */
};

void import_list_free(struct import_list *list);

/** Adds what a path, a pattern or a folder means, each checkpoint once: a TF
 *  prefix for its files, all that a folder holds. An exit code. */
int import_add(struct cli *cli, struct import_list *list, const char *pattern);

/** Whether anything that lies in the folder is a checkpoint by its name. */
bool import_takes_of(struct cli *cli, const char *folder);

/** Gives all files their names. */
void import_name_files(struct import_list *list);

/** Step, epoch and metrics from the name, by a pattern or without one (NULL);
 *  as watch does, from the nearest folder in it where the last part has no
 *  number. False if the name doesn't fit the pattern. */
bool import_read_name(struct import_file *file, const char *pattern);

/** Metrics of all epochs; tells what was matched. */
int import_read_csv(struct cli *cli, struct import_list *list,
		    const char *path);

/** The metrics of one file, from its name and its row. */
size_t import_metrics(const struct import_list *list,
		      const struct import_file *file,
		      struct wh_metric metrics[IMPORT_MAX_METRICS]);

#endif
